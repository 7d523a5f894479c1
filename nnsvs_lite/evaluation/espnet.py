"""MCD and log-F0 RMSE as ESPnet and Muskits compute them, under names of their own.

For comparison with published figures only. Three things differ from
:mod:`nnsvs_lite.evaluation.metrics`: frames are paired by dynamic time warping, so
wrong timing costs nothing; c0 counts, so a change of level does; and the cepstra of
MCD come from SPTK's mel-cepstral analysis of short frames instead of WORLD. Settings
are those of ``egs2/TEMPLATE/svs1/pyscripts/utils/evaluate_{mcd,f0}.py``: samples on a
16-bit scale, 1,024 of them each 256, order and warping by sampling rate. There the path
is found by fastdtw, an approximation; here it is exact, so a figure can differ slightly.
"""

from __future__ import annotations

import numpy as np

from nnsvs_lite.evaluation.metrics import frame_distortion

FRAME, SHIFT = 1024, 256
SETTINGS = {16000: (23, 0.42), 22050: (34, 0.45), 24000: (34, 0.46), 44100: (39, 0.53), 48000: (39, 0.55)}
"""Sampling rate in Hz to order and warping."""


def mel_cepstra(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mel-cepstra of a waveform by SPTK, ``(frames, order + 1)``, on a 16-bit scale.

    Args:
        wave: ``(samples,)``, -1..1.
        sample_rate: one of ``SETTINGS``.

    Raises:
        ValueError: for another rate, or a waveform shorter than one frame.
    """
    if sample_rate not in SETTINGS:
        raise ValueError(f"no settings for {sample_rate} Hz; there are: {', '.join(map(str, SETTINGS))}")
    if len(wave) < FRAME:
        raise ValueError(f"{len(wave)} samples are fewer than one frame ({FRAME})")
    from nnsvs_lite.features.world import pysptk

    order, alpha = SETTINGS[sample_rate]
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(wave, np.float64) * 32768.0, FRAME)[::SHIFT]
    window = pysptk.sptk.hamming(FRAME)
    # eps keeps the logarithm of an empty frame finite (etype 1: added to the periodogram).
    return np.stack([pysptk.mcep(frame * window, order, alpha, etype=1, eps=1e-6) for frame in frames])


def warp(ref: np.ndarray, est: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest pairing of two sequences by Euclidean distance (Sakoe and Chiba, 1978).

    Steps (1, 0), (0, 1) and (1, 1) of equal weight, both ends fixed.

    Args:
        ref, est: ``(frames, columns)``; lengths may differ.

    Returns:
        Index arrays into both, ``(path length,)``.
    """
    from scipy.spatial.distance import cdist

    cost = cdist(ref, est)
    rows, columns = cost.shape
    # Diagonal by diagonal: all cells of one depend only on the two before it.
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        before = np.minimum(np.minimum(total[i, j + 1], total[i + 1, j]), total[i, j])
        total[i + 1, j + 1] = cost[i, j] + before
    path = [(rows - 1, columns - 1)]
    while path[-1] != (0, 0):
        i, j = path[-1]
        steps = [(total[i, j], (i - 1, j - 1)), (total[i, j + 1], (i - 1, j)), (total[i + 1, j], (i, j - 1))]
        path.append(min(steps, key=lambda step: step[0])[1])
    pairs = np.array(path[::-1])
    return pairs[:, 0], pairs[:, 1]


def espnet_mcd(ref: np.ndarray, est: np.ndarray, sample_rate: int) -> float:
    """Mel-cepstral distortion in dB after time warping, c0 included.

    Args:
        ref, est: waveforms, ``(samples,)``, -1..1.
        sample_rate: Hz, of both.

    Raises:
        ValueError: as :func:`mel_cepstra`.
    """
    ref_cepstra, est_cepstra = mel_cepstra(ref, sample_rate), mel_cepstra(est, sample_rate)
    i, j = warp(ref_cepstra, est_cepstra)
    return float(frame_distortion(ref_cepstra[i], est_cepstra[j]).mean())


def espnet_log_f0_rmse(
    ref: np.ndarray, est: np.ndarray, sample_rate: int, floor: float = 40.0, ceiling: float = 800.0
) -> float:
    """RMSE of natural-log F0 (Harvest) over both-voiced frames, paired by warping CheapTrick's cepstra.

    The ceiling of 800 Hz is ESPnet's default: a note above it (G5) is taken for silence
    and costs nothing. Raise it for anything but a comparison.

    Args:
        ref, est: waveforms, ``(samples,)``, -1..1.
        sample_rate: Hz, of both; one of ``SETTINGS``.
        floor, ceiling: Hz.

    Returns:
        Log Hz; NaN where no frame is voiced in both.

    Raises:
        ValueError: for another rate.
    """
    if sample_rate not in SETTINGS:
        raise ValueError(f"no settings for {sample_rate} Hz; there are: {', '.join(map(str, SETTINGS))}")
    (ref_f0, ref_cepstra), (est_f0, est_cepstra) = (
        _world(wave, sample_rate, floor, ceiling) for wave in (ref, est)
    )
    i, j = warp(ref_cepstra, est_cepstra)
    a, b = ref_f0[i], est_f0[j]
    both = (a > 0) & (b > 0)
    return float(np.sqrt(np.mean((np.log(b[both]) - np.log(a[both])) ** 2))) if both.any() else float("nan")


def _world(wave: np.ndarray, sample_rate: int, floor: float, ceiling: float) -> tuple[np.ndarray, np.ndarray]:
    """F0 in Hz, ``(frames,)``, and mel-cepstra of CheapTrick's spectra, ``(frames, order + 1)``."""
    from nnsvs_lite.features.world import pyworld, spectrum_to_mgc

    wave = np.asarray(wave, np.float64) * 32768.0
    period = 1000.0 * SHIFT / sample_rate
    f0, times = pyworld.harvest(wave, sample_rate, f0_floor=floor, f0_ceil=ceiling, frame_period=period)
    spectrum = pyworld.cheaptrick(wave, f0, times, sample_rate, fft_size=FRAME)
    return f0, spectrum_to_mgc(spectrum, *SETTINGS[sample_rate])
