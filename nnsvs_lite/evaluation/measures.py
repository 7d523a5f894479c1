"""What is measured: how each number of ``measures.json`` is computed, pooled and shown.

Each measure makes a small vector of two renditions of an utterance. Vectors of several utterances are summed
(or, for medians, joined) before the number is taken: a table pools frames, notes or phones. Frame ``t`` is
compared with frame ``t`` (no DTW); ESPnet's figures differ, see :mod:`nnsvs_lite.evaluation.espnet`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.evaluation.reference import Rendition
from nnsvs_lite.io.atomic import read_json

FRAME_STREAMS = ("f0", "mgc", "bap", "mel")
MASKED = ("mgc", "bap", "mel")
TEN_OVER_LN10 = 10.0 / np.log(10.0)

# What follows computes from two arrays of equal length, reference and estimate, the value of each frame,
# note or phone that counts.


def distortion(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """dB: ``(10/ln 10) sqrt(2 sum_d (c_d - c^_d)^2)`` over all columns of natural-log cepstra.

    Kubichek (1993), "Mel-cepstral distance measure for objective speech quality assessment". As NNSVS
    logs it in training, MCD leaves c0 out, and that of coded aperiodicity is divided by 10 (Merlin).
    """
    return TEN_OVER_LN10 * np.sqrt(2.0 * np.sum((ref - est) ** 2, axis=-1))


def distortion_but_c0(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    return distortion(ref[:, 1:], est[:, 1:])


def aperiodicity_distortion(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    return distortion(ref, est) / 10.0


def mel_distance(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """dB, the mean over bands: the loss that mel models are trained with. A change of gain counts in full."""
    return np.mean(np.abs(ref - est), axis=-1)


def _both(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    return (ref > 0) & (est > 0)


def f0_cents(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Signed error in cents; its RMS is that of natural-log F0 times 1200/ln 2 = 1731.23."""
    both = _both(ref, est)
    return 1200.0 * np.log2(est[both] / ref[both])


def log_f0(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Signed error of natural-log F0."""
    return f0_cents(ref, est) * np.log(2.0) / 1200.0


def voiced_pairs(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """F0 in Hz of both, ``(2, frames)``."""
    both = _both(ref, est)
    return np.stack([ref[both], est[both]])


def wrong_voicing(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Voicing decision error (Nakatani et al., 2008)."""
    return (ref > 0) != (est > 0)


def gross_errors(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Nakatani et al. (2008), "A method for fundamental frequency estimation and voicing decision"."""
    both = _both(ref, est)
    return np.abs(est[both] / ref[both] - 1.0) > 0.2


def frame_errors(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Chu and Alwan (2009), "Reducing F0 frame error of F0 tracking algorithms"."""
    wrong = wrong_voicing(ref, est)
    wrong[_both(ref, est)] = gross_errors(ref, est)
    return wrong


def pitch_hits(ref: np.ndarray, est: np.ndarray, fold_octaves: bool = False) -> np.ndarray:
    """Salamon et al. (2014), "Melody extraction from polyphonic music signals"; as ``mir_eval.melody``,
    except that a frame called unvoiced has no pitch and misses."""
    voiced = ref > 0
    ref, est = ref[voiced], est[voiced]
    error = 1200.0 * np.log2(np.where(est > 0, est, 1.0) / ref)
    if fold_octaves:
        error = error - 1200.0 * np.floor(error / 1200.0 + 0.5)
    return (est > 0) & (np.abs(error) < 50.0)


def chroma_hits(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """As :func:`pitch_hits`, whole octaves forgiven."""
    return pitch_hits(ref, est, fold_octaves=True)


def _semitones(f0: np.ndarray) -> np.ndarray:
    """``round(12 log2(f / C0))`` with C0 = 440 * 2^-4.75 Hz; -1000 where unvoiced."""
    c0 = 440.0 * 2.0**-4.75
    return np.where(f0 > 0, np.round(12.0 * np.log2(np.where(f0 > 0, f0, c0) / c0)), -1000.0)


def same_semitone(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Over all frames, as in Muskits and ESPnet: rests make a singer who is always wrong look half right."""
    return _semitones(ref) == _semitones(est)


def voiced_semitone(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Over reference-voiced frames, where a whole-tone error gives 0."""
    return same_semitone(ref, est)[ref > 0]


def abs_ms(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """``1000 |est - ref|``, both in seconds."""
    # Rounded to 100 ns, the grain of a CTM: 20 ms off must count as within 20 ms.
    return np.round(1000.0 * np.abs(est - ref), 4)


def bias_ms(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """``1000 (est - ref)``, both in seconds."""
    return 1000.0 * (est - ref)


def within(milliseconds: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Whether times are off by no more than that: 20 ms is usual for phone boundaries, 50 ms for note
    onsets in music transcription (MIREX)."""
    return lambda ref, est: abs_ms(ref, est) <= milliseconds


def note_cents(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """How far each note that is long enough lies from its pitch, positive when sharp."""
    return 100.0 * (est - ref)[~np.isnan(est)]


class Pooling(NamedTuple):
    """How values become an utterance's vector, and pooled vectors a number.

    Attributes:
        vector: values to the vector. finish: pooled vector to the number, NaN where nothing counts.
        joined: vectors are joined end to end instead of summed.
    """

    vector: Callable[[np.ndarray], np.ndarray]
    finish: Callable[[np.ndarray], float]
    joined: bool = False


def _moments(pairs: np.ndarray) -> np.ndarray:
    x, y = pairs
    return np.array([x.size, x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()])


def _pearson(sums: np.ndarray) -> float:
    n, x, y, xx, yy, xy = sums
    if n < 2:
        return float("nan")
    var_x, var_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    # Relative to the mean square: what is left of a constant is rounding.
    if var_x <= 1e-12 * xx / n or var_y <= 1e-12 * yy / n:
        return float("nan")
    return float((xy / n - x * y / n**2) / np.sqrt(var_x * var_y))


def _ratio(sums: np.ndarray) -> float:
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def _once(values: np.ndarray, power: float) -> np.ndarray:
    return np.array([np.mean(values**power) ** (1 / power), 1.0]) if values.size else np.zeros(2)


POOLINGS = {
    "mean": Pooling(lambda x: np.array([np.sum(x), np.size(x)], dtype=np.float64), _ratio),
    "rms": Pooling(lambda x: np.array([np.sum(x**2), np.size(x)]), lambda sums: float(np.sqrt(_ratio(sums)))),
    "median_abs": Pooling(
        lambda x: x, lambda x: float(np.median(np.abs(x))) if x.size else np.nan, joined=True
    ),
    "pearson": Pooling(_moments, _pearson),
    "mean_once": Pooling(lambda x: _once(np.asarray(x, np.float64), 1), _ratio),
    "rms_once": Pooling(lambda x: _once(x, 2), _ratio),
}
"""``_once``: each utterance counts once, whatever its length."""


@dataclass(frozen=True)
class Measure:
    """One column of the results.

    Attributes:
        key: its name in ``results.json``. label: heading for people.
        unit: unit as shown; ``%`` for shares, which are stored as 0..1.
        better: ``lower``, ``higher``, or ``zero`` for a signed bias. digits: decimals shown.
        group: ``main`` and ``more`` are against the recording, ``truth`` against what was meant, ``espnet``
            against the recording after time warping.
        of: the attribute of :class:`Rendition` that is compared.
        compute: from the reference's and the system's to values, see above.
        pooling: how these become a number. definition: a sentence for the table's foot.
    """

    key: str
    label: str
    unit: str
    better: str
    digits: int
    group: str
    of: str
    compute: Callable[[np.ndarray, np.ndarray], np.ndarray]
    pooling: Pooling
    definition: str

    def vector(self, ref: Rendition, est: Rendition) -> np.ndarray | None:
        """What an utterance adds: ``est`` against ``ref``; None where one of them lacks what is compared.

        Raises ValueError where both are not of one shape, but for the number of frames: the shorter counts.
        """
        a, b = getattr(ref, self.of), getattr(est, self.of)
        if a is None or b is None:
            return None
        a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        if self.of in FRAME_STREAMS:
            n = min(len(a), len(b))
            frames = ref.mask[:n] if self.of in MASKED and ref.mask is not None else slice(n)
            a, b = a[:n][frames], b[:n][frames]
        if a.shape != b.shape:
            raise ValueError(f"{self.key}: shapes differ: reference {a.shape}, estimate {b.shape}")
        return self.pooling.vector(self.compute(a, b))

    def pool(self, parts: Sequence[np.ndarray]) -> float | None:
        """The number over several utterances' vectors; None where nothing counts or it is infinite."""
        if not parts:
            return None
        pooled = np.concatenate(parts) if self.pooling.joined else np.sum(parts, axis=0)
        value = self.pooling.finish(pooled)
        return value if np.isfinite(value) else None

    def show(self, value: float | None) -> str:
        """The number as text, shares in per cent, a dash where there is none."""
        return "–" if value is None else f"{value * self.factor:.{self.digits}f}"

    def show_interval(self, pair: tuple[float, float] | None) -> str:
        """Both ends as text, ``4.1–4.5``; empty where there is no interval."""
        if pair is None:
            return ""
        return (" to " if min(pair) < 0 else "–").join(map(self.show, pair))

    def show_signed(self, value: float) -> str:
        """A difference as text, with its sign; 0 where it rounds to that."""
        rounded = round(value * self.factor, self.digits)
        return f"{rounded:+.{self.digits}f}" if rounded else f"{0:.{self.digits}f}"

    @property
    def factor(self) -> float:
        """What a stored number is multiplied by when shown."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """Label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def _read() -> tuple[Measure, ...]:
    """The measures of ``measures.json``, in the order of the table."""
    computes = (distortion_but_c0, f0_cents, wrong_voicing, aperiodicity_distortion, abs_ms, note_cents)
    computes += (mel_distance, voiced_pairs, pitch_hits, chroma_hits, gross_errors, frame_errors)
    computes += (voiced_semitone, same_semitone, bias_ms, distortion, log_f0)
    known = {function.__name__: function for function in computes}
    known |= {f"within_{ms}ms": within(float(ms)) for ms in (20, 50)}
    rows = read_json(Path(__file__).with_suffix(".json"))
    ways = {
        key: {"compute": known[row["compute"]], "pooling": POOLINGS[row["pooling"]]}
        for key, row in rows.items()
    }
    return tuple(Measure(key, **row | ways[key]) for key, row in rows.items())


MEASURES = _read()

PREFIXES = {"truth": "against the truth, ", "espnet": "as ESPnet, "}
"""Said before the label where a group shares labels with another."""

BY_KEY: dict[str, Measure] = {measure.key: measure for measure in MEASURES}


def group(*names: str) -> list[Measure]:
    """The measures of some groups, in the order of the table."""
    return [measure for measure in MEASURES if measure.group in names]


def vectors(ref: Rendition, est: Rendition, *groups: str) -> dict[str, np.ndarray]:
    """All that an utterance adds to the measures of some groups, by their keys."""
    found = {measure.key: measure.vector(ref, est) for measure in group(*groups)}
    return {key: vector for key, vector in found.items() if vector is not None}
