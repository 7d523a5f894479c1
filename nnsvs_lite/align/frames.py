"""Acoustic evidence for alignment: one feature row every few milliseconds.

The spectrum is described by mel cepstra over a short window, because a boundary
can only be placed as well as the window resolves it. Voicing is measured apart:
a sung vowel, a nasal and a voiced stop are periodic at the fundamental, an
unvoiced consonant, a closure and a breath are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FLOOR_DB = -70.0
"""Energy floor below the loudest frame: digital silence and dither look alike."""


@dataclass(frozen=True)
class Frames:
    """Evidence of one utterance; frame ``t`` is centred at ``t * shift`` seconds.

    Attributes:
        features: (T, D) float32, not yet normalised.
        level: (T,) dB below the loudest frame of the utterance.
        voicing: (T,) normalised autocorrelation peak, 0..1.
        flux: (T,) spectral change around each frame's beginning, in dB RMS.
        f0: (T,) Hz, 0 where none was found.
        shift: seconds between frames.
    """

    features: np.ndarray
    level: np.ndarray
    voicing: np.ndarray
    flux: np.ndarray
    f0: np.ndarray
    shift: float

    def __len__(self) -> int:
        return len(self.features)


def mel_filters(bands: int, size: int, sample_rate: int, low: float, high: float) -> np.ndarray:
    """Triangular mel filters (bands, size // 2 + 1) of unit area.

    The scale is ``1127 ln(1 + f / 700)`` (O'Shaughnessy, 1987).
    """
    hertz = np.arange(size // 2 + 1) * sample_rate / size
    edges = 700.0 * (np.exp(np.linspace(np.log1p(low / 700.0), np.log1p(high / 700.0), bands + 2)) - 1.0)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
    filters = np.clip(np.minimum(rise, fall), 0.0, None)
    return filters / np.maximum(filters.sum(axis=1, keepdims=True), 1e-9)


def cut(audio: np.ndarray, window: int, shift: float, count: int) -> np.ndarray:
    """Windows (count, window) of ``audio``, window ``t`` centred at sample ``t * shift``."""
    padded = np.pad(audio, (window // 2, window + int(shift) + 1))
    starts = np.round(np.arange(count) * shift).astype(int)
    starts = np.minimum(starts, len(padded) - window)
    return np.lib.stride_tricks.sliding_window_view(padded, window)[starts]


def _slope(values: np.ndarray, reach: int) -> np.ndarray:
    """Regression slope over ``2 * reach + 1`` frames (Furui, 1986, eq. 1)."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    total = sum(
        k * (padded[reach + k : len(padded) - reach + k] - padded[reach - k : len(padded) - reach - k])
        for k in range(1, reach + 1)
    )
    return total / (2.0 * sum(k * k for k in range(1, reach + 1)))


def _voicing(audio: np.ndarray, sample_rate: int, shift: float, count: int) -> np.ndarray:
    """Normalised autocorrelation peak between 70 and 1,100 Hz over 25 ms (Boersma, 1993)."""
    size = int(0.025 * sample_rate)
    nfft = 1 << (2 * size - 1).bit_length()
    window = np.hanning(size)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, nfft)) ** 2)
    first, last = max(2, int(sample_rate / 1100)), min(int(sample_rate / 70), int(size * 0.6))
    peak = np.empty(count)
    for start in range(0, count, 512):  # blocks bound the memory of a whole song
        block = cut(audio, size, shift, count)[start : start + 512]
        block = (block - block.mean(axis=1, keepdims=True)) * window
        spectrum = np.abs(np.fft.rfft(block, nfft)) ** 2
        auto = np.fft.irfft(spectrum)
        auto /= np.maximum(auto[:, :1], 1e-10)
        normal = auto[:, first:last] / (own[first:last] / own[0])
        peak[start : start + 512] = normal.max(axis=1)
    return np.clip(peak, 0.0, 1.0)


def _denoise(mel: np.ndarray) -> np.ndarray:
    """Mel power (T, bands) less the steady noise of each band (Boll, 1979), but no less than that noise.

    The noise is what a band has in its quietest tenth of a second or so; what lies
    beneath it only looks like change where there is none.
    """
    smooth = np.apply_along_axis(np.convolve, 0, mel, np.ones(9) / 9, "same")
    noise = np.percentile(smooth[4:-4] if len(smooth) > 20 else smooth, 5.0, axis=0)
    return np.maximum(mel - noise, noise)


def _f0(audio: np.ndarray, sample_rate: int, shift: float, count: int) -> np.ndarray:
    """F0 (count,) in Hz by DIO with StoneMask (Morise et al., 2009)."""
    from nnsvs_lite.features.world import pyworld

    audio = np.ascontiguousarray(np.pad(audio, (0, int(2 * shift * sample_rate))))
    f0, times = pyworld.dio(audio, sample_rate, f0_floor=70.0, f0_ceil=1100.0, frame_period=1000.0 * shift)
    f0 = pyworld.stonemask(audio, f0, times, sample_rate)[:count]
    return np.pad(f0, (0, count - len(f0)))


def analyse(audio: np.ndarray, sample_rate: int, shift: float = 0.005) -> Frames:
    """Measures an utterance.

    Args:
        audio: (samples,) mono, -1..1.
        sample_rate: Hz.
        shift: seconds between frames.

    Returns:
        ``floor(duration / shift) + 1`` frames. Columns: 14 mel cepstra, their
        slopes over +-2 and +-4 frames, voicing and its slope.
    """
    from scipy.fft import dct
    from scipy.signal import resample_poly

    if sample_rate > 24000:
        # 8 kHz of band tells all phones apart, and voicing is measured faster.
        factor = int(round(sample_rate / 16000))
        audio, sample_rate = resample_poly(audio, 1, factor), sample_rate / factor
    rate = int(round(sample_rate))
    audio = np.asarray(audio, dtype=np.float64)
    # A tiny seeded dither: digital silence has no spectrum to describe.
    audio = audio + 1e-5 * np.random.default_rng(0).standard_normal(len(audio))
    step = shift * rate
    count = int(len(audio) / step + 1e-6) + 1
    size = int(0.020 * rate)
    nfft = 1 << (size - 1).bit_length()
    filters = mel_filters(28, nfft, rate, 60.0, min(7600.0, 0.48 * rate)).T
    emphasised = np.append(audio[:1], audio[1:] - 0.95 * audio[:-1])
    mel, level = np.empty((count, 28)), np.empty(count)
    for start in range(0, count, 512):
        block = cut(emphasised, size, step, count)[start : start + 512] * np.hanning(size)
        mel[start : start + 512] = (np.abs(np.fft.rfft(block, nfft)) ** 2) @ filters
        level[start : start + 512] = (cut(audio, size, step, count)[start : start + 512] ** 2).mean(axis=1)
    level = 10.0 * np.log10(level + 1e-12)
    level -= np.percentile(level, 99.0)
    decibel = 10.0 * np.log10(_denoise(mel) + 1e-12)
    decibel -= np.percentile(decibel.max(axis=1), 99.0)
    decibel = np.maximum(decibel, FLOOR_DB)
    cepstra = dct(decibel, type=2, norm="ortho", axis=1)[:, :14]
    voicing = _voicing(audio, rate, step, count)
    static = np.column_stack([cepstra, 20.0 * voicing])
    features = np.column_stack([static, _slope(static, 2), _slope(static, 4)])
    after = np.pad(decibel, ((0, 3), (0, 0)), mode="edge")
    before = np.pad(decibel, ((3, 0), (0, 0)), mode="edge")
    ahead = (after[:count] + after[1 : count + 1] + after[2 : count + 2]) / 3.0
    behind = (before[:count] + before[1 : count + 1] + before[2 : count + 2]) / 3.0
    flux = np.sqrt(((ahead - behind) ** 2).mean(axis=1))
    return Frames(features.astype(np.float32), level, voicing, flux, _f0(audio, rate, shift, count), shift)
