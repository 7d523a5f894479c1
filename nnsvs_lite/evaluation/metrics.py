"""Frame metrics: spectrum, F0, voicing. Pure functions of two equally long arrays.

Nothing here aligns: frame ``t`` of one array is compared with frame ``t`` of the
other (no DTW), so a sound at the wrong time is an error. F0 is in Hz, 0 where a
frame is unvoiced. A metric over no frame at all is NaN.

The same name is not the same number elsewhere: figures of ESPnet or Muskits come
after dynamic time warping and count c0 (see :mod:`nnsvs_lite.evaluation.espnet`).
"""

from __future__ import annotations

import numpy as np

TEN_OVER_LN10 = 10.0 / np.log(10.0)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if values.size else float("nan")


def _equal(ref: np.ndarray, est: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ref, est = np.asarray(ref, dtype=np.float64), np.asarray(est, dtype=np.float64)
    if ref.shape != est.shape:
        raise ValueError(f"shapes differ: reference {ref.shape}, estimate {est.shape}")
    return ref, est


def frame_distortion(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Distance of each pair of frames in dB: ``(10/ln 10) sqrt(2 sum_d (c_d - c^_d)^2)``.

    Kubichek (1993), "Mel-cepstral distance measure for objective speech quality
    assessment"; every column counts, so leave c0 out beforehand.

    Args:
        ref, est: ``(frames, columns)``, natural-log cepstra.

    Returns:
        ``(frames,)``, dB.

    Raises:
        ValueError: if shapes differ.
    """
    ref, est = _equal(ref, est)
    return TEN_OVER_LN10 * np.sqrt(2.0 * np.sum((ref - est) ** 2, axis=-1))


def mcd(ref: np.ndarray, est: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mel-cepstral distortion in dB, without c0, without DTW.

    ``mean_t (10/ln 10) sqrt(2 sum_{d>=1} (c_td - c^_td)^2)``. c0 is level, so a
    change of gain leaves it as it is. NNSVS logs the same number in training.

    Args:
        ref, est: mel-cepstra with c0 in column 0, ``(frames, order + 1)``.
        mask: frames that count, ``(frames,)`` booleans; all if not given.

    Raises:
        ValueError: if shapes differ.
    """
    distance = frame_distortion(np.asarray(ref)[:, 1:], np.asarray(est)[:, 1:])
    return _mean(distance if mask is None else distance[mask])


def bap_distortion(ref: np.ndarray, est: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Distortion of coded band aperiodicity in dB: the formula of MCD over all bands, divided by 10.

    As Merlin and NNSVS have it; the division is there because coded aperiodicity
    is in dB already.

    Args:
        ref, est: ``(frames, bands)``, dB.
        mask: frames that count, ``(frames,)`` booleans; all if not given.

    Raises:
        ValueError: if shapes differ.
    """
    distance = frame_distortion(ref, est) / 10.0
    return _mean(distance if mask is None else distance[mask])


def mel_distance(ref: np.ndarray, est: np.ndarray, log: str = "natural", power: float = 1.0) -> np.ndarray:
    """Mean absolute difference of two log-mel spectra in dB, for each pair of frames.

    ``mean_b |20 log10(m_b) - 20 log10(m^_b)|`` over bands ``b``, with ``m`` the amplitude in a band.
    The loss that mel models are trained with, in a unit that means something; a change
    of gain counts in full, unlike with MCD.

    Args:
        ref, est: ``(frames, bins)``, logarithms of mel spectra.
        log: ``natural`` or ``log10``, the logarithm that was taken.
        power: exponent of the magnitudes before the filterbank, 1 or 2.

    Returns:
        ``(frames,)``, dB.

    Raises:
        ValueError: if shapes differ.
    """
    ref, est = _equal(ref, est)
    decibel = 20.0 / power * (1.0 if log == "log10" else 1.0 / np.log(10.0))
    return decibel * np.mean(np.abs(ref - est), axis=-1)


def cents(est: np.ndarray | float, ref: np.ndarray | float) -> np.ndarray:
    """Interval from ``ref`` up to ``est``, ``1200 log2(est / ref)``; both in Hz and above 0."""
    return 1200.0 * np.log2(np.asarray(est, dtype=np.float64) / np.asarray(ref, dtype=np.float64))


def f0_error_cents(f0_ref: np.ndarray, f0_est: np.ndarray) -> np.ndarray:
    """Signed F0 error in cents at the frames that are voiced in both, ``(both-voiced frames,)``."""
    ref, est = _equal(f0_ref, f0_est)
    both = (ref > 0) & (est > 0)
    return cents(est[both], ref[both])


def f0_rmse_cents(f0_ref: np.ndarray, f0_est: np.ndarray) -> float:
    """Root mean square F0 error in cents over both-voiced frames.

    ``sqrt(mean (1200 log2(f^/f))^2)``: the RMSE of natural-log F0 times 1200/ln 2 = 1731.23.

    Raises:
        ValueError: if shapes differ.
    """
    return float(np.sqrt(_mean(f0_error_cents(f0_ref, f0_est) ** 2)))


def f0_correlation(f0_ref: np.ndarray, f0_est: np.ndarray) -> float:
    """Pearson correlation of F0 in Hz over both-voiced frames; NaN where either is constant.

    Raises:
        ValueError: if shapes differ.
    """
    return correlation_from_sums(f0_moments(f0_ref, f0_est))


def f0_moments(f0_ref: np.ndarray, f0_est: np.ndarray) -> np.ndarray:
    """Sums ``(n, x, y, xx, yy, xy)`` of F0 over both-voiced frames, to be added over utterances."""
    ref, est = _equal(f0_ref, f0_est)
    both = (ref > 0) & (est > 0)
    x, y = ref[both], est[both]
    return np.array([x.size, x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()])


def correlation_from_sums(sums: np.ndarray) -> float:
    """Pearson correlation from the sums of :func:`f0_moments`."""
    n, x, y, xx, yy, xy = sums
    if n < 2:
        return float("nan")
    var_x, var_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    # Relative to the mean square: what is left of a constant is rounding.
    if var_x <= 1e-12 * xx / n or var_y <= 1e-12 * yy / n:
        return float("nan")
    return float((xy / n - x * y / n**2) / np.sqrt(var_x * var_y))


def vuv_error(f0_ref: np.ndarray, f0_est: np.ndarray) -> float:
    """Share of all frames that are voiced in one and unvoiced in the other, 0..1.

    Also called VDE, voicing decision error (Nakatani et al., 2008).

    Raises:
        ValueError: if shapes differ.
    """
    ref, est = _equal(f0_ref, f0_est)
    return _mean((ref > 0) != (est > 0))


vde = vuv_error


def gross_errors(f0_ref: np.ndarray, f0_est: np.ndarray, threshold: float = 0.2) -> np.ndarray:
    """Frames voiced in both whose F0 is off by more than ``threshold`` (relative), ``(frames,)`` booleans."""
    ref, est = _equal(f0_ref, f0_est)
    both = (ref > 0) & (est > 0)
    ratio = np.divide(est, ref, out=np.ones_like(ref), where=both)
    return both & (np.abs(ratio - 1.0) > threshold)


def gpe(f0_ref: np.ndarray, f0_est: np.ndarray, threshold: float = 0.2) -> float:
    """Gross pitch error: both-voiced frames off by more than 20 % / both-voiced frames.

    Nakatani et al. (2008), "A method for fundamental frequency estimation and
    voicing decision"; as in fairseq ``examples/speech_synthesis``.

    Raises:
        ValueError: if shapes differ.
    """
    ref, est = _equal(f0_ref, f0_est)
    return _mean(gross_errors(ref, est, threshold)[(ref > 0) & (est > 0)])


def ffe(f0_ref: np.ndarray, f0_est: np.ndarray, threshold: float = 0.2) -> float:
    """F0 frame error: (gross pitch errors + voicing errors) / all frames.

    Chu and Alwan (2009), "Reducing F0 frame error of F0 tracking algorithms".

    Raises:
        ValueError: if shapes differ.
    """
    ref, est = _equal(f0_ref, f0_est)
    return _mean(gross_errors(ref, est, threshold) | ((ref > 0) != (est > 0)))


def pitch_hits(
    f0_ref: np.ndarray, f0_est: np.ndarray, tolerance: float = 50.0, fold_octaves: bool = False
) -> np.ndarray:
    """For each reference-voiced frame whether the estimate lies within ``tolerance`` cents.

    An estimate that is unvoiced there misses. ``fold_octaves`` forgives whole
    octaves. Returns ``(reference-voiced frames,)`` booleans.
    """
    ref, est = _equal(f0_ref, f0_est)
    voiced = ref > 0
    ref, est = ref[voiced], est[voiced]
    error = cents(np.where(est > 0, est, 1.0), ref)
    if fold_octaves:
        error = error - 1200.0 * np.floor(error / 1200.0 + 0.5)
    return (est > 0) & (np.abs(error) < tolerance)


def rpa(f0_ref: np.ndarray, f0_est: np.ndarray, tolerance: float = 50.0) -> float:
    """Raw pitch accuracy: share of reference-voiced frames within 50 cents.

    Salamon et al. (2014), "Melody extraction from polyphonic music signals"; as
    ``mir_eval.melody``, except that a frame called unvoiced has no pitch and misses.

    Raises:
        ValueError: if shapes differ.
    """
    return _mean(pitch_hits(f0_ref, f0_est, tolerance))


def rca(f0_ref: np.ndarray, f0_est: np.ndarray, tolerance: float = 50.0) -> float:
    """Raw chroma accuracy: :func:`rpa` with whole octaves forgiven (Salamon et al., 2014).

    Raises:
        ValueError: if shapes differ.
    """
    return _mean(pitch_hits(f0_ref, f0_est, tolerance, fold_octaves=True))


def semitones(f0: np.ndarray) -> np.ndarray:
    """Semitone number ``round(12 log2(f / C0))`` with C0 = 440 * 2^-4.75 Hz; -1000 where unvoiced."""
    f0 = np.asarray(f0, dtype=np.float64)
    c0 = 440.0 * 2.0**-4.75
    return np.where(f0 > 0, np.round(12.0 * np.log2(np.where(f0 > 0, f0, c0) / c0)), -1000.0)


def semitone_accuracy(f0_ref: np.ndarray, f0_est: np.ndarray, voiced_only: bool = True) -> float:
    """Share of frames whose F0 rounds to the same semitone as the reference's.

    Over all frames (``voiced_only=False``) unvoiced counts as a label of its own,
    as in Muskits and ESPnet, and rests then make a singer who is always wrong look
    half right; over reference-voiced frames a whole-tone error gives 0.

    Raises:
        ValueError: if shapes differ.
    """
    ref, est = _equal(f0_ref, f0_est)
    same = semitones(ref) == semitones(est)
    return _mean(same[ref > 0] if voiced_only else same)
