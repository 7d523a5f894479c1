"""MCD, log-F0 RMSE, semitone accuracy and V/UV error as ESPnet and Muskits compute them.

Under names of their own, for comparison with published figures only. Three things differ from
:mod:`nnsvs_lite.evaluation.metrics`: frames are paired by dynamic time warping, so
wrong timing costs nothing; c0 counts, so a change of level does; and the cepstra of
MCD come from SPTK's mel-cepstral analysis of short frames instead of WORLD. Settings
are those of ``egs2/TEMPLATE/svs1/pyscripts/utils/evaluate_{mcd,f0,semitone,vuv}.py``: samples on a
16-bit scale, 1,024 of them each 256, order and warping by sampling rate. There the path
is found by fastdtw, an approximation; here it is exact, so a figure can differ slightly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnsvs_lite.evaluation.metrics import frame_distortion, semitone_accuracy, vuv_error

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


@dataclass(frozen=True)
class Analysis:
    """What the metrics compare of one waveform.

    Attributes:
        cepstra: of SPTK, ``(frames, order + 1)``; those of MCD.
        f0: Hz by Harvest, 0 where unvoiced, ``(frames',)``.
        envelope: mel-cepstra of CheapTrick's spectra, ``(frames', order + 1)``, by which F0 is paired.
    """

    cepstra: np.ndarray
    f0: np.ndarray
    envelope: np.ndarray


def analyse(wave: np.ndarray, sample_rate: int, floor: float = 40.0, ceiling: float = 800.0) -> Analysis:
    """Analyses one waveform.

    The ceiling of 800 Hz is ESPnet's default: a note above it (G5) is taken for silence,
    or for whatever is found below. Raise it for anything but a comparison.

    Args:
        wave: ``(samples,)``, -1..1.
        sample_rate: Hz, one of ``SETTINGS``.
        floor, ceiling: of F0, Hz.

    Raises:
        ValueError: as :func:`mel_cepstra`.
    """
    from nnsvs_lite.features.world import pyworld, spectrum_to_mgc

    cepstra = mel_cepstra(wave, sample_rate)
    scaled = np.asarray(wave, np.float64) * 32768.0
    period = 1000.0 * SHIFT / sample_rate
    f0, times = pyworld.harvest(scaled, sample_rate, f0_floor=floor, f0_ceil=ceiling, frame_period=period)
    spectrum = pyworld.cheaptrick(scaled, f0, times, sample_rate, fft_size=FRAME)
    return Analysis(cepstra, f0, spectrum_to_mgc(spectrum, *SETTINGS[sample_rate]))


def mcd(ref: Analysis, est: Analysis) -> float:
    """Mel-cepstral distortion in dB after time warping, c0 included (``evaluate_mcd.py``)."""
    i, j = warp(ref.cepstra, est.cepstra)
    return float(frame_distortion(ref.cepstra[i], est.cepstra[j]).mean())


def warped_f0(ref: Analysis, est: Analysis) -> tuple[np.ndarray, np.ndarray]:
    """F0 of both in Hz, paired by warping their envelopes, ``(path length,)``."""
    i, j = warp(ref.envelope, est.envelope)
    return ref.f0[i], est.f0[j]


def log_f0_rmse(ref: np.ndarray, est: np.ndarray) -> float:
    """RMSE of natural-log F0 over frames voiced in both (``evaluate_f0.py``); NaN where there is none.

    Args:
        ref, est: Hz, 0 where unvoiced, paired by :func:`warped_f0`.
    """
    both = (ref > 0) & (est > 0)
    if not both.any():
        return float("nan")
    return float(np.sqrt(np.mean((np.log(est[both]) - np.log(ref[both])) ** 2)))


def scores(ref: Analysis, est: Analysis) -> dict[str, float]:
    """All four numbers of one utterance, by their keys in ``results.json``.

    ``espnet_mcd_db`` in dB, ``espnet_log_f0_rmse`` in natural-log Hz (NaN where no frame is
    voiced in both), ``espnet_semitone_accuracy`` (``evaluate_semitone.py``) and
    ``espnet_vuv_error`` (``evaluate_vuv.py``) as shares. ESPnet's figure for a set is the
    mean of these over its utterances, whatever their length.
    """
    a, b = warped_f0(ref, est)
    return {
        "espnet_mcd_db": mcd(ref, est),
        "espnet_log_f0_rmse": log_f0_rmse(a, b),
        "espnet_semitone_accuracy": semitone_accuracy(a, b, voiced_only=False),
        "espnet_vuv_error": vuv_error(a, b),
    }
