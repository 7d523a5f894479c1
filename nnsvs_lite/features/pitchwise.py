"""CheapTrick and D4C (Morise 2015 and 2016, both in Speech Communication) for many frames at once.

WORLD's programs take frame after frame; here frames of near F0 go through batched FFTs together, and what
features do not keep is not computed: of spectra no more than the cepstrum, of aperiodicity no more than the
coded bands. The numbers are WORLD's, but for the noise that its D4C adds to each window (1e-6) and for
rounding; silence, for which that noise is meant, counts as aperiodic.
"""

from collections.abc import Iterator

import numpy as np
from scipy import fft

LOWEST_D4C, LOWEST_LOVE = 47.0, 40.0
"""F0 in Hz that FFTs of D4C and of its decision on voicing, "love train", are made for."""
UNVOICED = 500.0
"""F0 in Hz as of which CheapTrick takes frames that have none."""
INTERVAL = 3000.0
"""Hz between bands of aperiodicity."""
Q1 = -0.15
"""CheapTrick's constant of spectral recovery."""
CHUNK = 64
"""Frames at once: so many fit a processor's cache."""
TINY = np.float32(1e-30)


def _by_pitch(f0: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of frames of near F0, whose windows are of near lengths, some at a time."""
    order = np.argsort(f0, kind="stable")
    return (order[at : at + CHUNK] for at in range(0, len(order), CHUNK))


def _fft_size(samples: float) -> int:
    """The power of two above."""
    return 2 ** (1 + int(np.log2(samples + 1)))


def _round(x: np.ndarray) -> np.ndarray:
    """Halves go up, and down below zero, as in WORLD."""
    return np.trunc(x + np.copysign(0.5, x)).astype(np.int64)


class Windows:
    """Pitch-synchronous windows on a waveform (samples,), whose first and last sample go on for ever.

    Args:
        reach: samples that the longest one takes to either side. dtype: of what is cut.
    """

    def __init__(self, x: np.ndarray, rate: int, reach: int, dtype: type):
        self.rate, self.reach = rate, reach
        self.x = np.pad(np.asarray(x, dtype), reach, mode="edge")

    def cut(
        self, f0: np.ndarray, times: np.ndarray, periods: float, blackman: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windowed waveforms without their mean, as rows (R, L); the windows; half their lengths in samples.

        Args:
            f0, times: (R,) Hz and seconds. periods: of each window. blackman: in place of Hann.
        """
        half, dtype = _round(periods * self.rate / f0 / 2.0), self.x.dtype
        widest = half.max()
        place = np.arange(-widest, widest + 1)
        views = np.lib.stride_tricks.sliding_window_view(self.x, len(place))
        rows = views[np.clip(_round(times * self.rate + 0.001) + self.reach - widest, 0, len(views) - 1)]
        cosine = np.cos(np.outer((2.0 * np.pi / periods / self.rate * f0).astype(dtype), place.astype(dtype)))
        window = (0.34 + (0.5 + 0.16 * cosine) * cosine) if blackman else (0.5 + 0.5 * cosine)
        narrow = widest - half.min()
        for side in (slice(0, narrow), slice(len(place) - narrow, None)):
            window[:, side] *= np.abs(place[side]) <= half[:, None]
        rows *= window
        rows -= window * (rows.sum(axis=1) / window.sum(axis=1))[:, None]
        return rows, window, half


def _power(spectrum: np.ndarray) -> np.ndarray:
    return spectrum.real**2 + spectrum.imag**2


def _mend_low(power: np.ndarray, bins: np.ndarray) -> None:
    """Adds to rows, below F0 at ``bins`` (R,), what lies as far below it as they lie above 0 Hz."""
    whole = bins.astype(np.int64)
    back = whole[:, None] - np.arange(whole.max() + 1)
    share = (bins - whole).astype(power.dtype)[:, None]
    low, high = (np.take_along_axis(power, np.maximum(back + n, 0), axis=1) for n in (0, 1))
    power[:, : back.shape[1]] += (low + share * (high - low)) * (back >= 0)


def _smooth(power: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Means of rows (R, K), mirrored at both ends, over ``width`` (R,) bins, which may be fractions."""
    around = int(width.max()) + 2
    mirrored = np.concatenate([power[:, around:0:-1], power, power[:, -2 : -2 - around : -1]], axis=1)
    # Differences of sums: single precision would lose what is faint.
    sums = np.cumsum(mirrored, axis=1, dtype=np.float64)
    row, ends = np.arange(len(power)), []
    sums, mirrored = (
        np.lib.stride_tricks.sliding_window_view(v, power.shape[1], axis=1) for v in (sums, mirrored)
    )
    for half in (width / 2, -width / 2):
        place = half + around - 0.5
        whole = place.astype(np.int64)
        share = (place - whole).astype(power.dtype)[:, None]
        ends.append((sums[row, whole], share * mirrored[row, whole + 1]))
    (high, more), (low, less) = ends
    high -= low
    return ((high + (more - less)) / width[:, None]).astype(power.dtype)


def _smooth_power(power: np.ndarray, width: np.ndarray) -> np.ndarray:
    """:func:`_smooth` of what is never negative, of which rounding may leave less than nothing."""
    least = power.dtype.type(1e-16 if power.dtype == np.float64 else 1e-13)
    return np.maximum(_smooth(power, width), least * power.mean(axis=1, keepdims=True))


def cepstra(x: np.ndarray, f0: np.ndarray, times: np.ndarray, rate: int, fft_size: int) -> np.ndarray:
    """Cepstra (T, fft_size / 2 + 1) of CheapTrick's power spectra, whose last smoothing is a lifter.

    Args:
        x: (samples,). f0, times: (T,) Hz, 0 where unvoiced, and seconds. rate: Hz.
    """
    f0 = np.where(f0 <= 3.0 * rate / (fft_size - 3.0), UNVOICED, f0)
    windows = Windows(x, rate, fft_size // 2 + 1, np.float64)
    quefrency = np.arange(1, fft_size // 2 + 1) * np.pi / rate
    made = np.empty((len(f0), len(quefrency) + 1))
    for rows in _by_pitch(f0):
        pitch = f0[rows]
        wave, window, _ = windows.cut(pitch, times[rows], 3.0)
        power = _power(fft.rfft(wave, fft_size)) / np.square(window).sum(axis=1, keepdims=True)
        bins = pitch * fft_size / rate
        _mend_low(power, bins)
        power = np.log(_smooth_power(power, bins * 2.0 / 3.0) + np.finfo(float).eps)
        cepstrum = fft.irfft(power)[:, : made.shape[1]]
        turns = np.outer(pitch, quefrency)
        sine = np.sin(turns)
        cepstrum[:, 1:] *= sine / turns * (1.0 - 4.0 * Q1 * sine**2)
        made[rows] = cepstrum
    return made


def bands(
    x: np.ndarray, f0: np.ndarray, times: np.ndarray, rate: int, n_bands: int, threshold: float
) -> np.ndarray:
    """D4C's aperiodicity in dB of bands (T, n_bands) around 3, 6, .. kHz, at most 0; 0 where unvoiced.

    Args:
        x: (samples,). f0, times: (T,) Hz, 0 where unvoiced, and seconds. rate: Hz.
        threshold: frames whose share of power below 4 kHz is no larger are unvoiced.
    """
    size = _fft_size(4.0 * rate / LOWEST_D4C)
    windows = Windows(x, rate, size, np.float32)
    found = np.zeros((len(f0), n_bands))
    voiced = np.flatnonzero(f0 > 0)
    voiced = voiced[_share_below(windows, f0[voiced], times[voiced]) > threshold]
    half = int(INTERVAL * size / rate)
    nuttall = _nuttall(2 * half + 1)
    kept = int(_round(size * 8.0 / np.float64(len(nuttall)))) + 1
    centres = [int(INTERVAL * (i + 1) * size / rate) for i in range(n_bands)]
    pitches = np.maximum(f0[voiced], LOWEST_D4C)
    for part in _by_pitch(pitches):
        pitch, time = pitches[part], times[voiced[part]]
        bins = pitch * size / rate
        centroid = sum(_centroid(windows, pitch, time + side / pitch, size) for side in (-0.25, 0.25))
        _mend_low(centroid, bins)
        power = _power(fft.rfft(windows.cut(pitch, time, 4.0)[0], size))
        _mend_low(power, bins)
        delay = _smooth(centroid / (_smooth_power(power, bins) + TINY), bins / 2.0)
        delay -= _smooth(delay, bins)
        cut = np.stack([delay[:, c - half : c + half + 1] for c in centres], axis=1)
        largest, rest = _largest(_power(fft.rfft(cut * nuttall, size)) + TINY, kept)
        # The largest are the periodic part.
        level = 10.0 * np.log10(rest / (rest + largest))
        level = np.where(np.isfinite(level), level + (pitch[:, None] - 100.0) / 50.0, 0.0)
        found[voiced[part]] = np.minimum(0.0, level)
    return found


def _largest(power: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Along the last axis, the sum of the ``kept`` largest numbers, and that of all others."""
    near = max(power.shape[-1] // 4, kept)
    parted = np.partition(power[..., :near], near - kept, axis=-1)
    far = power[..., near:]
    # Seldom does one of them lie beyond the quefrencies of a voice.
    if (far.max(axis=-1) > parted[..., -kept]).any():
        parted, far = np.partition(power, power.shape[-1] - kept, axis=-1), far[..., :0]
    return parted[..., -kept:].sum(axis=-1), parted[..., :-kept].sum(axis=-1) + far.sum(axis=-1)


def _centroid(windows: Windows, pitch: np.ndarray, time: np.ndarray, size: int) -> np.ndarray:
    wave, _, half = windows.cut(pitch, time, 4.0, blackman=True)
    energy = np.square(wave).sum(axis=1, keepdims=True) + TINY
    place = np.arange(wave.shape[1]) - (wave.shape[1] // 2 - half)[:, None] + 1
    one, two = fft.rfft(wave, size), fft.rfft(wave * place.astype(np.float32), size)
    return (one.real * two.real + one.imag * two.imag) / energy


def _share_below(windows: Windows, f0: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Of the power from 100 to 7900 Hz, the share below 4 kHz, (R,)."""
    rate = windows.rate
    size = _fft_size(3.0 * rate / LOWEST_LOVE)
    low, middle, high = (int(np.ceil(f * size / rate)) for f in (100.0, 4000.0, 7900.0))
    shares, f0 = np.empty(len(f0)), np.maximum(f0, LOWEST_LOVE)
    for rows in _by_pitch(f0):
        wave = windows.cut(f0[rows], times[rows], 3.0, blackman=True)[0]
        power = _power(fft.rfft(wave, size)[:, : high + 1])
        below, above = power[:, low + 1 : middle + 1].sum(axis=1), power[:, middle + 1 :].sum(axis=1)
        shares[rows] = below / (below + above + TINY)
    return shares


def _nuttall(size: int) -> np.ndarray:
    turns = 2 * np.pi * np.arange(size) / (size - 1)
    weights = (0.355768, -0.487396, 0.144232, -0.012604)
    return sum(w * np.cos(n * turns) for n, w in enumerate(weights)).astype(np.float32)
