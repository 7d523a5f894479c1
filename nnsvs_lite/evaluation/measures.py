"""What is measured: how each number is computed, pooled, shown and explained.

Each measure makes a small vector of two renditions of an utterance. Vectors of several utterances are summed
(or, for medians, joined) before the number is taken: a table pools frames, notes or phones. Frame ``t`` is
compared with frame ``t`` (no DTW); ESPnet's figures differ, see :mod:`nnsvs_lite.evaluation.others`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nnsvs_lite.evaluation.reference import Rendition
from nnsvs_lite.features import liveliness as life

FRAME_STREAMS = ("f0", "mgc", "bap", "mel", "contour", "level")
MASKED = ("mgc", "bap", "mel", "level")
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


def _same(values: np.ndarray) -> np.ndarray:
    return values


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else np.nan


def _root(sums: np.ndarray) -> float:
    return float(np.sqrt(_ratio(sums)))


MEAN = Pooling(lambda x: np.array([np.sum(x), np.size(x)], dtype=np.float64), _ratio)
RMS = Pooling(lambda x: np.array([np.sum(x**2), np.size(x)]), _root)
MEDIAN = Pooling(_same, _median, joined=True)
MEDIAN_ABS = Pooling(_same, lambda x: _median(np.abs(x)), joined=True)
PEARSON = Pooling(_moments, _pearson)
MEAN_ONCE = Pooling(lambda x: _once(np.asarray(x, np.float64), 1), _ratio)
RMS_ONCE = Pooling(lambda x: _once(x, 2), _ratio)
"""``_ONCE``: each utterance counts once, whatever its length."""
RATIO, RMS_OF_SUMS = Pooling(_same, _ratio), Pooling(_same, _root)
COVERAGE_DISTANCE = Pooling(_same, lambda x: abs(_ratio(x[2:]) - _ratio(x[:2])))
WASSERSTEIN = Pooling(_same, life.wasserstein, joined=True)
F0_MODULATION = Pooling(_same, life.modulation_distance)
VARIANCE_RATIO = Pooling(_same, life.variance_ratio)


@dataclass(frozen=True)
class Measure:
    """One column of the results.

    Attributes:
        key: its name in ``results.json``. label: heading for people.
        unit: unit as shown; ``%`` for shares, which are stored as 0..1.
        better: ``lower``, ``higher``, ``zero`` for a signed bias, or ``natural`` for what should be as the
            recording has it. digits: decimals shown.
        group: ``main``, ``life`` and ``more`` are against the recording, ``truth`` against what was meant,
            ``espnet`` against the recording after time warping.
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


# fmt: off
MEASURES = (
    Measure("mcd_db", "MCD", "dB", "lower", 2, "main", "mgc", distortion_but_c0, MEAN,
            "mel-cepstral distortion, (10/ln 10) √(2 Σ (c − ĉ)²), c0 left out, mean over frames that the "
            "reference labels call sung (every phone but pau and br)"),
    Measure("lf0_rmse_cents", "F0 RMSE", "cents", "lower", 1, "main", "f0", f0_cents, RMS,
            "root mean square of 1200 log2(f̂/f) over frames voiced in both"),
    Measure("vuv_error", "V/UV error", "%", "lower", 2, "main", "f0", wrong_voicing, MEAN,
            "frames whose voicing differs, of all frames (also called VDE)"),
    Measure("bap_db", "BAP", "dB", "lower", 3, "main", "bap", aperiodicity_distortion, MEAN,
            "distortion of coded band aperiodicity: the formula of MCD over all bands / 10, same frames as "
            "MCD"),
    Measure("onset_mae_ms", "Onset", "ms", "lower", 1, "main", "onset", abs_ms, MEAN,
            "mean absolute error of the start of each sung note's first phone, predicted against labelled"),
    Measure("vowel_onset_mae_ms", "Vowel onset", "ms", "lower", 1, "main", "nucleus", abs_ms, MEAN,
            "the same for the start of each sung note's nucleus"),
    Measure("phone_duration_mae_ms", "Phone duration", "ms", "lower", 1, "main", "phone", abs_ms, MEAN,
            "mean absolute error of the durations of sung phones"),
    Measure("in_tune_cents", "In tune", "cents", "lower", 1, "main", "pitch", note_cents, MEDIAN_ABS,
            "F0 re-estimated from the wav against the pitch in the score: per note of at least 0.2 s the "
            "median deviation over the middle half of its sung span, then the median of the absolute "
            "values; a note with no voiced frame there counts as infinitely off; the floor sings the "
            "score's pitch, so it is in tune by construction"),
    Measure("mel_db", "Mel distance", "dB", "lower", 2, "more", "mel", mel_distance, MEAN,
            "mean absolute difference of log-mel spectra over bands, same frames as MCD; only where the "
            "features have mel spectra"),
    Measure("mel_gv_ratio", "GV ratio, mel bands", "", "natural", 2, "more", "mel", life.spreads,
            VARIANCE_RATIO,
            "variance of log-mel spectra over frames of sung phones, system to recording, mean over bands; "
            "only where the features have mel spectra"),
    Measure("f0_correlation", "F0 correlation", "", "higher", 4, "more", "f0", voiced_pairs, PEARSON,
            "Pearson correlation of F0 in Hz over frames voiced in both"),
    Measure("rpa", "RPA", "%", "higher", 1, "more", "f0", pitch_hits, MEAN,
            "raw pitch accuracy: reference-voiced frames within 50 cents"),
    Measure("rca", "RCA", "%", "higher", 1, "more", "f0", chroma_hits, MEAN,
            "raw chroma accuracy: RPA with octaves forgiven"),
    Measure("gpe", "GPE", "%", "lower", 2, "more", "f0", gross_errors, MEAN,
            "gross pitch errors: frames voiced in both that are off by more than 20 %"),
    Measure("ffe", "FFE", "%", "lower", 2, "more", "f0", frame_errors, MEAN,
            "F0 frame error: gross pitch errors and voicing errors, of all frames"),
    Measure("semitone_accuracy", "Semitone accuracy", "%", "higher", 1, "more", "f0", voiced_semitone, MEAN,
            "reference-voiced frames that round to the same semitone"),
    Measure("semitone_accuracy_overall", "Semitone accuracy, all frames", "%", "higher", 1, "more", "f0",
            same_semitone, MEAN,
            "the same over all frames, unvoiced as a label of its own"),
    Measure("onset_bias_ms", "Onset bias", "ms", "zero", 1, "more", "onset", bias_ms, MEAN,
            "mean signed onset error, late is positive"),
    Measure("onset_within_50ms", "Onset within 50 ms", "%", "higher", 1, "more", "onset", within(50), MEAN,
            "notes whose onset is off by at most 50 ms"),
    Measure("duration_within_20ms", "Duration within 20 ms", "%", "higher", 1, "more", "phone", within(20),
            MEAN,
            "sung phones whose duration is off by at most 20 ms"),
    Measure("duration_within_50ms", "Duration within 50 ms", "%", "higher", 1, "more", "phone", within(50),
            MEAN,
            "sung phones whose duration is off by at most 50 ms"),
    Measure("syllable_duration_mae_ms", "Syllable duration", "ms", "lower", 1, "more", "syllable", abs_ms,
            MEAN,
            "mean absolute error of the durations of syllables, from the first phone of a sung note to its "
            "last"),
    Measure("syllable_within_20ms", "Syllable within 20 ms", "%", "higher", 1, "more", "syllable", within(20),
            MEAN,
            "syllables whose duration is off by at most 20 ms"),
    Measure("syllable_within_50ms", "Syllable within 50 ms", "%", "higher", 1, "more", "syllable", within(50),
            MEAN,
            "syllables whose duration is off by at most 50 ms"),
    Measure("espnet_mcd_db", "MCD", "dB", "lower", 2, "espnet", "mgc", distortion, MEAN_ONCE,
            "mel-cepstral distortion as ESPnet's evaluate_mcd.py has it: SPTK mel-cepstra with c0, frames "
            "paired by time warping, mean over utterances"),
    Measure("espnet_log_f0_rmse", "Log F0 RMSE", "", "lower", 4, "espnet", "f0", log_f0, RMS_ONCE,
            "as ESPnet's evaluate_f0.py: natural log of Hz, Harvest from 40 to 800 Hz, frames voiced in "
            "both after time warping, mean over utterances"),
    Measure("espnet_semitone_accuracy", "Semitone accuracy", "%", "higher", 1, "espnet", "f0", same_semitone,
            MEAN_ONCE,
            "as ESPnet's evaluate_semitone.py: frames of the warped F0 with the same semitone, unvoiced "
            "included, mean over utterances"),
    Measure("espnet_vuv_error", "V/UV error", "%", "lower", 2, "espnet", "f0", wrong_voicing, MEAN_ONCE,
            "as ESPnet's evaluate_vuv.py: frames of the warped F0 whose voicing differs, mean over "
            "utterances"),
    Measure("truth_lf0_rmse_cents", "F0 RMSE", "cents", "lower", 1, "truth", "f0", f0_cents, RMS,
            "F0 of the wav against the F0 that the virtual singer intended, over frames voiced in both"),
    Measure("truth_onset_mae_ms", "Onset", "ms", "lower", 1, "truth", "onset", abs_ms, MEAN,
            "onset error against the times that the virtual singer intended"),
    Measure("truth_vowel_onset_mae_ms", "Vowel onset", "ms", "lower", 1, "truth", "nucleus", abs_ms, MEAN,
            "the same for the start of each note's nucleus"),
    Measure("truth_phone_duration_mae_ms", "Phone duration", "ms", "lower", 1, "truth", "phone", abs_ms, MEAN,
            "duration error against the times that the virtual singer intended"),
    Measure("slow_f0_rmse_cents", "Slow F0 contour", "cents", "lower", 1, "life", "contour", life.known_error,
            RMS,
            "root mean square of the difference of log F0 below 3 Hz, over frames voiced in both, "
            "those of stretches under 50 ms, and under 0.25 s where F0 leaps faster than a voice, left out"),
    Measure("f0_movement_cents", "F0 movement, 4.5–7 Hz", "cents", "natural", 1, "life", "f0_modulation",
            life.movement, RMS_OF_SUMS,
            "RMS of F0 in that band, within the vowels of notes of at least 0.3 s (as labelled), less 50 "
            "ms at each end"),
    Measure("f0_modulation_db", "F0 modulation, distance", "dB", "lower", 1, "life", "f0_modulation",
            life.both_sums, F0_MODULATION,
            "RMS difference of the log modulation spectra of F0 there, in bands of 1 Hz from 1 to 12 Hz, "
            "all notes pooled first"),
    Measure("vibrato_coverage", "Vibrato coverage", "%", "natural", 0, "life", "vibrato", life.coverage,
            RATIO,
            "share of the vowel time of notes of at least 0.3 s that has vibrato: turns of F0 as far apart "
            "as at 4 to 8.5 Hz, with an extent of at least 15 cents"),
    Measure("vibrato_rate_hz", "Vibrato rate", "Hz", "natural", 2, "life", "vibrato", life.median_of(2),
            MEDIAN,
            "median over these notes, where they have vibrato"),
    Measure("vibrato_extent_cents", "Vibrato extent", "cents", "natural", 0, "life", "vibrato",
            life.median_of(3), MEDIAN,
            "the same of its amplitude, half of what lies between peak and trough"),
    Measure("vibrato_delay_s", "Vibrato delay", "s", "natural", 2, "life", "vibrato", life.median_of(4),
            MEDIAN,
            "the same of the time from the start of the vowel to the start of its vibrato"),
    Measure("vibrato_coverage_distance", "Coverage, distance", "%", "lower", 0, "life", "vibrato",
            life.coverages, COVERAGE_DISTANCE,
            "how far the coverage is from the recording's"),
    Measure("vibrato_rate_distance", "Rate, distance", "Hz", "lower", 2, "life", "vibrato",
            life.distributions(2), WASSERSTEIN,
            "Wasserstein distance from the recording's distribution over notes with vibrato: by how much "
            "values must move on average for the two to be the same"),
    Measure("vibrato_extent_distance", "Extent, distance", "cents", "lower", 0, "life", "vibrato",
            life.distributions(3, 0.0), WASSERSTEIN,
            "the same of the extent, over all notes of at least 0.3 s: 0 cents where there is no vibrato"),
    Measure("vibrato_delay_distance", "Delay, distance", "s", "lower", 2, "life", "vibrato",
            life.distributions(4), WASSERSTEIN,
            "the same of the delay, over notes with vibrato"),
    *(Measure(f"{key}_c{low}_{high}", f"{label}, c{low}–{high}", "", "natural", 2, "life", of,
              life.variances(low, high), VARIANCE_RATIO,
              f"variance of mel-cepstra {where}, system to recording, mean over c{low}–{high}")
      for key, label, of, where in life.VARIANCES for low, high in life.GROUPS),
    Measure("mgc_modulation_db", "Spectral modulation, distance", "dB", "lower", 2, "life", "mgc_modulation",
            life.known_error, RMS,
            "RMS difference of the log modulation spectra of mel-cepstra, by phrase, coefficient (c0 left "
            "out) and octave from 0.5 to 32 Hz"),
    Measure("level_rmse_db", "Loudness contour", "dB", "lower", 2, "life", "level", life.level_error, RMS,
            "root mean square of the difference of frame levels (the mean of the WORLD power spectrum), "
            "each less its mean, same frames as MCD; what is more than 50 dB under the loudest frame "
            "counts as that"),
    Measure("level_spread", "Loudness spread", "", "natural", 2, "life", "level", life.level_spread,
            RMS_OF_SUMS,
            "standard deviation of the level within utterances, system to recording"),
    *(Measure(f"vuv_error_{name}", f"V/UV error, {label}", "%", "lower", 1, "life", "voicing",
              life.voicing_errors(name), MEAN,
              f"voicing that differs from the recording's in its {label}; each phone is stretched to the "
              "recording's, so that timing does not count")
      for name, label in life.VOICING_LABELS.items()),
    Measure("distillmos", "DistillMOS", "", "higher", 2, "life", "opinions", lambda ref, est: est[:1], MEAN,
            "opinion, 1 to 5, as DistillMOS predicts it, mean over utterances; made for speech"),
    Measure("dnsmos", "DNSMOS", "", "higher", 2, "life", "opinions", lambda ref, est: est[1:], MEAN,
            "the same by DNSMOS P.835, overall"),
)
"""One entry a measure, in the order of the tables."""
# fmt: on

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
