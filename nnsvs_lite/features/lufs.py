"""How loud a recording is: ITU-R BS.1770-4, one channel."""

from collections.abc import Iterable

import numpy as np

BLOCK, STEP = 0.4, 0.1
"""Seconds of a gating block, and between the beginnings of two (annex 1, 75 % overlap)."""
ABSOLUTE, RELATIVE = -70.0, -10.0
"""Gates, in LUFS and in LU below the loudness of what passes the first."""
_OFFSET = -0.691
_SHELF = (1681.974450955533, 3.999843853973347, 0.7071752369554196)
_HIGH_PASS = (38.13547087602444, 0.5003270373238773)
"""The filters of the K-weighting: corner in Hz, gain in dB of the first, quality. At 48 kHz they give the
coefficients of the standard, at other rates the same response."""


def _weighting(rate: int) -> np.ndarray:
    """The K-weighting at a rate in Hz, as second-order sections."""
    corner, gain, quality = _SHELF
    k, high = np.tan(np.pi * corner / rate), 10 ** (gain / 20)
    middle = high**0.4996667741545416
    norm = 1 + k / quality + k * k
    shelf = [high + middle * k / quality + k * k, 2 * (k * k - high), high - middle * k / quality + k * k]
    shelf = [*(b / norm for b in shelf), 1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm]
    corner, quality = _HIGH_PASS
    k = np.tan(np.pi * corner / rate)
    norm = 1 + k / quality + k * k
    return np.array([shelf, [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm]])


def block_powers(x: np.ndarray, rate: int) -> np.ndarray:
    """Mean squares of the gating blocks of samples (n,), K-weighted; one block where they are shorter."""
    from scipy.signal import sosfilt

    square = np.concatenate([[0.0], np.cumsum(sosfilt(_weighting(rate), x) ** 2)])
    size = min(round(BLOCK * rate), len(x))
    starts = np.arange(0, len(x) - size + 1, round(STEP * rate))
    return (square[starts + size] - square[starts]) / max(size, 1)


def loudness(powers: Iterable[np.ndarray]) -> float | None:
    """The integrated loudness of blocks of one or more recordings, LUFS; None where all are silent."""
    power = np.concatenate([np.zeros(0), *powers])

    def louder(than: float) -> np.ndarray:
        return power[power > 10 ** ((than - _OFFSET) / 10)]

    power = louder(ABSOLUTE)
    if not len(power):
        return None
    power = louder(_OFFSET + 10 * np.log10(power.mean()) + RELATIVE)
    return float(_OFFSET + 10 * np.log10(power.mean()))
