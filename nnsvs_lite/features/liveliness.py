"""How a voice moves, as far as numbers tell: what is taken from one rendition of an utterance.

A distance is least for the mean of all ways to sing a note, so a frozen voice has small errors. What is here
tells the other side: vibrato, the movement of F0 and of spectra, loudness.
"""

from collections.abc import Sequence

import numpy as np

from nnsvs_lite.features.f0 import runs
from nnsvs_lite.features.vibrato import CENTS, GAP, find_vibrato
from nnsvs_lite.score.languages.base import Language

SLOW = 3.0
"""Hz; the contour of F0 is what moves more slowly."""
BLIP = 0.05
"""Seconds; a shorter voiced stretch is noise that was taken for a pitch, and no part of the contour."""
LEAP, SLIP = 600.0, 0.25
"""Semitones a second: faster leaps of F0 are of its analysis, since an octave in 0.1 s moves by half of that.
What hangs together by voice but for breaks of ``GAP``, and lies beyond them for less than so many seconds, is
a slip of it, and no part of the contour."""
LONG = 0.3
"""Seconds, as labelled; vibrato is sought in notes of at least that."""
EDGE = 0.05
"""Seconds at each end of a long vowel that count as glides, not as movement within it."""
F0_BANDS = np.arange(1.0, 12.01, 0.5)
"""Hz, edges of the bands of F0's modulation."""
MGC_BANDS = np.array([0.5, 1, 2, 4, 8, 16, 32])
"""Hz, edges of the bands of spectral modulation."""
DEEPEST = 50.0
"""dB below the loudest frame; softer ones count as that."""
GROUPS = ((1, 24), (1, 6), (7, 12), (13, 24), (25, 39))
"""Mel-cepstral coefficients whose variances are told together."""
VARIANCES = (
    ("gv_ratio", "GV ratio", "gv", "over frames of sung phones"),
    ("gv_held_ratio", "GV ratio in vowels", "gv_held", "about the mean of each vowel"),
)
VOICING_LABELS = {
    "vowel": "vowels",
    "sonorant": "nasals, liquids and glides",
    "voiced_stop": "voiced stops",
    "voiced_fricative": "voiced fricatives",
    "stop": "unvoiced stops",
    "fricative": "unvoiced fricatives",
}
"""Classes of phones whose voicing is told apart; affricates are fricatives."""


def voicing_class(language: Language, phone: str) -> int:
    """Which of ``VOICING_LABELS`` a phone belongs to; -1 for silences and devoiced vowels."""
    names = set(language.features.get(phone, "").split())
    stop, fricative = names & {"plosive", "closure"}, names & {"fricative", "affricate"}
    kind = "vowel" if "vowel" in names else "stop" if stop else "fricative" if fricative else "sonorant"
    key = f"voiced_{kind}" if "voiced" in names and (stop or fricative) else kind
    known = "voiced" in names or stop or fricative
    return list(VOICING_LABELS).index(key) if known else -1


def contour(f0: np.ndarray, frame_shift: float) -> np.ndarray:
    """What of log F0 is slower than ``SLOW``, in cents, bridged where unvoiced; NaN there, and in a ``BLIP``
    and a ``SLIP``.

    Args: f0: ``(frames,)`` Hz, 0 where unvoiced.
    """
    from scipy.signal import butter, sosfiltfilt

    held = np.zeros(len(f0), bool)
    for start, end in runs(f0 > 0):
        held[start:end] = (end - start) * frame_shift >= BLIP - 1e-9
    held[_slipped(f0, frame_shift)] = False
    voiced = np.flatnonzero(held)
    if not len(voiced):
        return np.full(len(f0), np.nan)
    curve = np.interp(np.arange(len(f0)), voiced, CENTS * np.log(f0[voiced]))
    margin = round(1 / SLOW / frame_shift)
    low = butter(4, SLOW, fs=1 / frame_shift, output="sos")
    slow = sosfiltfilt(low, np.pad(curve, margin, mode="edge"), padlen=0)[margin:-margin]
    return np.where(held, slow, np.nan)


def _slipped(f0: np.ndarray, frame_shift: float) -> np.ndarray:
    """Frames in a ``SLIP``. Of what hangs together the longest piece stays, whatever its length."""
    on = np.flatnonzero(f0 > 0)
    passed, moved = np.diff(on) * frame_shift, np.abs(np.diff(12 * np.log2(f0[on])))
    slips = [on[:0]]
    for sung in np.split(np.arange(len(on)), np.flatnonzero(passed > GAP) + 1):
        leaps = moved[sung[:-1]] > LEAP * passed[sung[:-1]]
        *short, _ = sorted(np.split(on[sung], np.flatnonzero(leaps) + 1), key=len)
        slips += [piece for piece in short if len(piece) * frame_shift < SLIP]
    return np.concatenate(slips)


def vibratos(f0: np.ndarray, spans: Sequence[tuple[int, int]], frame_shift: float) -> np.ndarray:
    """``(spans, 5)``: seconds, seconds with vibrato, its rate, extent and delay; NaN where there is none.

    Args: spans: first and last+1 frame of each long vowel.
    """
    rows = []
    for start, end in spans:
        piece = f0[start:end]
        found = find_vibrato(np.log(np.maximum(piece, 1.0)), piece > 0, frame_shift)
        row = [(end - start) * frame_shift, 0.0, np.nan, np.nan, np.nan]
        if found:
            row[1:] = (
                (found.end - found.begin) * frame_shift,
                found.rate,
                found.extent,
                found.begin * frame_shift,
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def f0_modulation(f0: np.ndarray, spans: Sequence[tuple[int, int]], frame_shift: float) -> np.ndarray:
    """Frames, and the sum over frames of squared cents in each of ``F0_BANDS``, within long vowels.

    The longest voiced stretch of each less its ``EDGE``; a line is taken off, and the cosines (DCT-II) that
    fall into a band are added up.
    """
    from scipy.fft import dct
    from scipy.signal import detrend

    sums, margin = np.zeros(len(F0_BANDS)), round(EDGE / frame_shift)
    for start, end in spans:
        piece = f0[start:end]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], piece > 0, [0]])))
        pairs = edges.reshape(-1, 2) + (margin, -margin)
        first, last = max(pairs, key=lambda pair: pair[1] - pair[0], default=(0, 0))
        if (last - first) * frame_shift < LONG / 2:
            continue
        power = dct(detrend(CENTS * np.log(piece[first:last])), norm="ortho") ** 2
        hertz = np.arange(len(power)) / (2 * len(power) * frame_shift)
        sums[0] += len(power)
        sums[1:] += np.histogram(hertz, F0_BANDS, weights=power)[0]
    return sums


def spread(x: np.ndarray) -> np.ndarray:
    """``(columns + 1,)``: rows, and each column's sum of squares about its mean."""
    return np.append(len(x), np.sum((x - x.mean(axis=0)) ** 2, axis=0) if len(x) else np.zeros(x.shape[1]))


def variation(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """``(order + 1,)``: frames, and the sum of squares of c1, c2, ... about the mean of each piece of mgc."""
    return np.sum([spread(x[:, 1:]) for x in pieces if len(x)], axis=0)


def mgc_modulation(mgc: np.ndarray, frame_shift: float) -> np.ndarray:
    """Log modulation spectrum, ``(order, bands)`` dB, of c1, c2, ... in ``MGC_BANDS``.

    Takamichi et al. (2016), "Postfilters to modify the modulation spectrum for statistical parametric speech
    synthesis", with octaves instead of single bins. NaN for a band slower than the phrase.
    """
    track = mgc[:, 1:] - mgc[:, 1:].mean(axis=0)
    window = np.hanning(len(track) + 2)[1:-1, None]
    power = np.abs(np.fft.rfft(track * window, axis=0)) ** 2 / np.sum(window**2)
    hertz = np.fft.rfftfreq(len(track), frame_shift)
    bands = [power[(hertz >= low) & (hertz < high)] for low, high in zip(MGC_BANDS, MGC_BANDS[1:])]
    means = [band.mean(axis=0) if len(band) else np.full(power.shape[1], np.nan) for band in bands]
    return 10 * np.log10(np.stack(means, axis=1) + 1e-9)


def level(mgc: np.ndarray, alpha: float) -> np.ndarray:
    """Loudness of each frame: dB of the mean of its power spectrum, at most ``DEEPEST`` under the loudest."""
    from nnsvs_lite.features.world import mgc_to_spectrum

    decibel = 10 * np.log10(mgc_to_spectrum(mgc, alpha, 1024).mean(axis=1) + 1e-30)
    return np.maximum(decibel, decibel.max(initial=-np.inf) - DEEPEST)


# What follows makes values, or sums, of two renditions: the recording's and the system's.


def known_error(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Differences where both are known, as the contour is in frames voiced in both."""
    return (est - ref)[np.isfinite(ref) & np.isfinite(est)]


def movement(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """The sum of squared cents in 4.5 to 7 Hz, and frames; of the system alone."""
    inside = (F0_BANDS[:-1] >= 4.5) & (F0_BANDS[:-1] < 7)
    return np.array([est[1:][inside].sum(), est[0]])


def modulation_distance(sums: np.ndarray) -> float:
    """dB, RMS over bands of 1 Hz: of pooled :func:`f0_modulation` of both. A square cent is the least."""
    frames, power = sums.reshape(2, -1)[:, :1], sums.reshape(2, -1)[:, 1:].reshape(2, -1, 2).sum(axis=2)
    if not frames.all():
        return float("nan")
    return float(np.sqrt(np.mean(np.diff(10 * np.log10(power / frames + 1), axis=0) ** 2)))


def coverage(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Seconds with vibrato, and seconds."""
    return np.array([est[:, 1].sum(), est[:, 0].sum()])


def coverages(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """:func:`coverage` of both, the recording's first."""
    return np.concatenate([coverage(ref, ref), coverage(ref, est)])


def median_of(column: int):
    """Values of one column of :func:`vibratos`, of the system alone, in notes with vibrato."""
    return lambda ref, est: est[:, column][~np.isnan(est[:, column])]


def distributions(column: int, none: float = np.nan):
    """Values of one column of both, as ``(0 or 1, value)`` end to end; ``none`` where there is no vibrato."""

    def pairs(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
        both = [np.where(np.isnan(x[:, column]), none, x[:, column]) for x in (ref, est)]
        rows = [np.stack([np.full(len(x), float(i)), x], axis=1) for i, x in enumerate(both)]
        rows = np.concatenate(rows)
        return rows[~np.isnan(rows[:, 1])].ravel()

    return pairs


def wasserstein(pairs: np.ndarray) -> float:
    """The mean distance by which values must be moved to have the recording's distribution."""
    from scipy.stats import wasserstein_distance

    side, values = pairs.reshape(-1, 2).T
    ref, est = values[side == 0], values[side == 1]
    return float(wasserstein_distance(ref, est)) if len(ref) and len(est) else float("nan")


def both_sums(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Sums of the recording, then of the system."""
    return np.concatenate([ref.ravel(), est.ravel()])


def variances(low: int, high: int):
    """:func:`variation` of both, of the coefficients ``low`` to ``high``."""
    return lambda ref, est: both_sums(*(np.append(x[0], x[low : high + 1]) for x in (ref, est)))


def spreads(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """:func:`spread` of both, of all columns."""
    return both_sums(spread(ref), spread(est))


def variance_ratio(sums: np.ndarray) -> float:
    """The mean over coefficients of the system's variance to the recording's."""
    frames, squares = sums.reshape(2, -1)[:, :1], sums.reshape(2, -1)[:, 1:]
    if not (frames.all() and squares[0].all() and squares.size):
        return float("nan")
    return float(np.mean((squares[1] / frames[1]) / (squares[0] / frames[0])))


def level_error(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """dB, each less its own mean."""
    return (est - est.mean()) - (ref - ref.mean()) if len(ref) else ref


def level_spread(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Sums of squares about the mean, of the system and of the recording."""
    return np.array([np.sum((x - x.mean()) ** 2) if len(x) else 0.0 for x in (est, ref)])


def voicing_errors(name: str):
    """Wrong voicing in one class of phones."""
    number = list(VOICING_LABELS).index(name)
    return lambda ref, est: (ref[:, 1] != est[:, 1])[ref[:, 0] == number]
