"""Acoustic evidence for alignment: one feature row every few milliseconds.

The spectrum is described by mel cepstra over a short window, because a boundary
can only be placed as well as the window resolves it. Voicing is measured apart:
a sung vowel, a nasal and a voiced stop are periodic at the fundamental, an
unvoiced consonant, a closure and a breath are not.
"""

import os
from dataclasses import dataclass

import numpy as np

from nnsvs_lite.features.audio import resample
from nnsvs_lite.features.config import F0Config, FeatureConfig, MelConfig
from nnsvs_lite.features.f0 import track
from nnsvs_lite.features.mel import frame_centres, log_mel
from nnsvs_lite.io.atomic import atomic_path

FLOOR_DB = -70.0
"""Energy floor below the loudest frame: digital silence and dither look alike."""
QUIET = -60.0
"""dB below the loudest frame: nothing is sung there."""
LOW, HIGH = 70.0, 1100.0
"""Hz: where F0 is looked for."""
BANDS, CEPSTRA = 28, 14
"""Of the mel spectrum, and how many of its cepstra are kept: the first columns of the features."""


@dataclass(frozen=True)
class Frames:
    """Evidence of one utterance; frame ``t`` is centred at ``t * shift`` seconds."""

    features: np.ndarray  # (T, D) float32, not yet normalised
    level: np.ndarray  # (T,) dB below the loudest frame of the utterance
    voicing: np.ndarray  # (T,) normalised autocorrelation peak, 0..1
    flux: np.ndarray  # (T,) spectral change around each frame's beginning, in dB RMS
    f0: np.ndarray  # (T,) Hz, 0 where none was found
    shift: float  # seconds between frames

    def __len__(self) -> int:
        return len(self.features)


def save_frames(path: str | os.PathLike, frames: Frames) -> None:
    """Writes an utterance's evidence atomically, as arrays (never pickled objects)."""
    with atomic_path(path) as tmp, open(tmp, "wb") as file:
        np.savez(file, **vars(frames))


def load_frames(path: str | os.PathLike) -> Frames:
    """Reads what :func:`save_frames` wrote."""
    with np.load(path, allow_pickle=False) as values:
        return Frames(**{**values, "shift": float(values["shift"])})


def _voicing(audio: np.ndarray, rate: int, centres: np.ndarray) -> np.ndarray:
    """Normalised autocorrelation peak (T,) between 70 and 1,100 Hz over 25 ms (Boersma, 1993)."""
    size = int(0.025 * rate)
    nfft = 1 << (2 * size - 1).bit_length()
    window = np.hanning(size)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, nfft)) ** 2)
    first, last = max(2, int(rate / HIGH)), min(int(rate / LOW), int(size * 0.6))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(audio, (size // 2, 2 * size)), size)
    peak = np.empty(len(centres))
    for start in range(0, len(centres), 512):  # blocks bound the memory of a whole song
        block = windows[centres[start : start + 512]]
        block = (block - block.mean(axis=1, keepdims=True)) * window
        auto = np.fft.irfft(np.abs(np.fft.rfft(block, nfft)) ** 2)
        auto /= np.maximum(auto[:, :1], 1e-10)
        normal = auto[:, first:last] / (own[first:last] / own[0])
        peak[start : start + 512] = normal.max(axis=1)
    return np.clip(peak, 0.0, 1.0)


def analyse(audio: np.ndarray, sample_rate: int, shift: float = 0.005) -> Frames:
    """Measures an utterance (samples,), mono, -1..1, at ``sample_rate`` Hz every ``shift`` seconds.

    Gives ``floor(duration / shift) + 1`` frames. Columns: :data:`CEPSTRA` mel cepstra, their slopes over
    +-2 and +-4 frames (Furui, 1986, eq. 1), voicing and its slope.
    """
    from scipy.fft import dct
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import savgol_filter

    audio, rate = np.asarray(audio, dtype=np.float64), sample_rate
    if rate > 24000:
        # 8 kHz of band tells all phones apart, and voicing is measured faster.
        audio, rate = resample(audio, rate, 16000), 16000
    # A tiny seeded dither: digital silence has no spectrum to describe.
    audio = audio + 1e-5 * np.random.default_rng(0).standard_normal(len(audio))
    count = int(len(audio) / (shift * rate) + 1e-6) + 1
    size = int(0.020 * rate)
    fft_size, top = 1 << (size - 1).bit_length(), min(7600.0, 0.48 * rate)
    mel = MelConfig(BANDS, fft_size, size, 60.0, top, scale="htk", power=2.0, log_floor=1e-14)
    config = FeatureConfig(rate, shift, f0=F0Config(tracker="dio"), mel=mel)
    centres = np.minimum(frame_centres(count, config), len(audio) - 1)
    power = uniform_filter1d(audio**2, size, mode="constant")[centres]
    level = 10.0 * np.log10(np.maximum(power, 0.0) + 1e-12)
    level -= np.percentile(level, 99.0)
    emphasised = np.append(audio[:1], audio[1:] - 0.95 * audio[:-1])
    bands = np.exp(log_mel(emphasised, config, count))
    # Less the steady noise of each band (Boll, 1979), which is what it has in its quietest moments,
    # but no less than that: what lies beneath only looks like change where there is none.
    noise = np.percentile(uniform_filter1d(bands, 9, axis=0, mode="nearest"), 5.0, axis=0)
    decibel = 10.0 * np.log10(np.maximum(bands - noise, noise))
    decibel = np.maximum(decibel - np.percentile(decibel.max(axis=1), 99.0), FLOOR_DB)
    voicing = _voicing(audio, rate, centres)
    static = np.column_stack([dct(decibel, type=2, norm="ortho", axis=1)[:, :CEPSTRA], 20.0 * voicing])
    padded = np.pad(static, ((4, 4), (0, 0)), mode="edge")
    slopes = [savgol_filter(padded, width, 1, deriv=1, axis=0)[4:-4] for width in (5, 9)]
    smooth = np.pad(uniform_filter1d(decibel, 3, axis=0, mode="nearest"), ((2, 1), (0, 0)), mode="edge")
    flux = np.sqrt(((smooth[3:] - smooth[:-3]) ** 2).mean(axis=1))
    features = np.column_stack([static, *slopes]).astype(np.float32)
    return Frames(features, level, voicing, flux, track(audio, config, count, LOW, HIGH), shift)
