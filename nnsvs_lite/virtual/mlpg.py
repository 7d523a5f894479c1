"""Smooth trajectories from state distributions, and state durations.

MLPG is Tokuda et al. 2000, "Speech parameter generation algorithms for
HMM-based speech synthesis", case 1 (the state sequence is given).
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solveh_banded

_NO_PRECISION = 1e19


def mlpg(means: np.ndarray, variances: np.ndarray, windows: Sequence[np.ndarray]) -> np.ndarray:
    """The most likely static trajectory, (frames, size).

    Dynamic windows that reach over either end count for nothing there.

    Args:
        means: (frames, windows, size). variances: likewise; 0 counts as no knowledge.
        windows: coefficients of odd length, the static one first.
    """
    frames, _, size = means.shape
    reach = max(len(w) // 2 for w in windows)
    # The normal equations W'PW c = W'Pm have 2 reach off-diagonals; lower form.
    left = np.zeros((2 * reach + 1, frames, size))
    right = np.zeros((frames, size))
    precision = np.divide(1.0, variances, out=np.zeros_like(variances), where=variances > 1 / _NO_PRECISION)
    for i, window in enumerate(windows):
        half = len(window) // 2
        p = precision[:, i].copy()
        if half:
            p[:half] = 0.0
            p[frames - half :] = 0.0
        weighted = p * means[:, i]
        for a in range(-half, half + 1):
            # Row t of this window has coefficient window[half + a] in column t + a.
            rows = slice(max(0, -a), frames - max(0, a))
            columns = slice(max(0, a), frames - max(0, -a))
            right[columns] += window[half + a] * weighted[rows]
            for b in range(a, half + 1):
                rows = slice(max(0, -a, -b), frames - max(0, a, b))
                first = slice(rows.start + a, rows.stop + a)
                left[b - a, first] += window[half + a] * window[half + b] * p[rows]
    return np.stack([solveh_banded(left[:, :, d], right[:, d], lower=True) for d in range(size)], axis=1)


def fit_durations(means: np.ndarray, variances: np.ndarray, frames: int) -> np.ndarray:
    """State durations (states,) with the sum ``frames``, but each at least one frame.

    ``mean + rho * variance`` with one rho for all (Yoshimura et al. 1998), rounded, then corrected frame by
    frame where it costs least, as hts_engine does. ``means`` and ``variances`` are in frames, (states,).
    """
    if frames <= len(means):
        return np.ones(len(means), int)
    rho = (frames - means.sum()) / variances.sum()
    result = np.maximum(1, np.floor(means + rho * variances + 0.5).astype(int))
    while (excess := int(result.sum()) - frames) != 0:
        step = -1 if excess > 0 else 1
        cost = np.abs(rho - (result + step - means) / variances)
        if step < 0:
            cost[result <= 1] = np.inf
        result[np.argmin(cost)] += step
    return result


def natural_durations(means: np.ndarray) -> np.ndarray:
    """State durations at the voice's own pace: the means, rounded, at least one frame."""
    return np.maximum(1, np.floor(means + 0.5).astype(int))


def capped_durations(means: np.ndarray, variances: np.ndarray, frames: int, sustain: int) -> np.ndarray:
    """As :func:`fit_durations`, of a sustained sound: the state ``sustain`` carries what is long.

    The states at the edges of a vowel describe its rise and decay. Stretched with the note they turn into
    audible steps of level, so they keep to their own length.
    """
    natural = natural_durations(means)
    if frames <= natural.sum():
        return fit_durations(means, variances, frames)
    caps = np.full(len(means), 12)
    caps[1:-1] = 16
    caps[-1] = 8
    result = np.minimum(natural, caps)
    result[sustain] = frames - (result.sum() - result[sustain])
    return result
