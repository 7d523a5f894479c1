"""Log-mel spectra with a filterbank of our own.

The mel scale and its normalisation are those of Slaney's Auditory Toolbox (1998): linear below 1 kHz (3 mels
= 200 Hz), logarithmic above (27 mels to a factor of 6.4), triangles scaled to equal area. ``htk`` is 2595
log10(1 + f/700), unnormalised in HTK and normalised to equal area here too. ``linear`` is Hz themselves:
with a band for each bin of the transform the filters are the identity, but for a factor.
"""

import functools
import math

import numpy as np

from nnsvs_lite.features.config import FeatureConfig, MelConfig

_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27.0


def hz_to_mel(hz: np.ndarray | float, scale: str = "slaney") -> np.ndarray:
    """Hz to mel, element by element; ``scale`` is ``slaney``, ``htk`` or ``linear``."""
    hz = np.asarray(hz, np.float64)
    if scale == "linear":
        return hz
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def mel_to_hz(mel: np.ndarray | float, scale: str = "slaney") -> np.ndarray:
    """Mel to Hz, element by element; the inverse of :func:`hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if scale == "linear":
        return mel
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)


def mel_edges(bins: int, fmin: float, fmax: float, scale: str = "slaney") -> np.ndarray:
    """Lower edges, centres and upper edges of the bands: (bins + 2,) Hz, even in mel."""
    return mel_to_hz(np.linspace(hz_to_mel(fmin, scale), hz_to_mel(fmax, scale), bins + 2), scale)


@functools.lru_cache
def filterbank(sample_rate: int, config: MelConfig) -> np.ndarray:
    """Triangular filters (bins, fft/2 + 1) of area 1 over Hz; very narrow ones may be all zero."""
    hz = np.arange(config.fft_size // 2 + 1) * sample_rate / config.fft_size
    edges = mel_edges(config.bins, config.fmin, config.fmax, config.scale)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hz - low) / (centre - low), (high - hz) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)


def log_mel(x: np.ndarray, config: FeatureConfig, n_frames: int) -> np.ndarray:
    """Log-mel spectra (n_frames, bins) of ``x`` (samples,) at ``config.sample_rate``, both float64.

    Frame ``t`` is windowed around sample ``round(t * frame_shift * sample_rate)``; the waveform is continued
    with zeros at both ends.
    """
    options = config.mel
    size, half = options.fft_size, options.fft_size // 2
    centres = frame_centres(n_frames, config)
    after = max(0, int(centres[-1]) + size - len(x)) if n_frames else 0
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, (half, after + half)), size)
    bank = filterbank(config.sample_rate, options).T
    window = analysis_window(options)
    mel = np.empty((n_frames, options.bins))
    # In blocks, so that a long song does not hold all its frames at once.
    for a in range(0, n_frames, 512):
        magnitude = np.abs(np.fft.rfft(frames[centres[a : a + 512]] * window))
        mel[a : a + 512] = magnitude**options.power @ bank
    log = np.log if options.log == "natural" else np.log10
    return log(np.maximum(mel, options.log_floor))


def conversion(source: MelConfig, target: MelConfig) -> tuple[float, float]:
    """A factor, and a floor below the product, by which log mel spectra of the analysis ``source`` get the
    logarithm, its base and floor, of ``target``.

    What lay below a higher floor of ``source`` stays there.
    """
    base = {"natural": 1.0, "log10": math.log(10.0)}
    return base[source.log] / base[target.log], math.log(target.log_floor) / base[target.log]


def converted(mel: np.ndarray, source: MelConfig, target: MelConfig) -> np.ndarray:
    """Log mel spectra after :func:`conversion`."""
    factor, lowest = conversion(source, target)
    return np.maximum(np.asarray(mel, np.float64) * factor, lowest)


def frame_centres(n_frames: int, config: FeatureConfig) -> np.ndarray:
    """(n_frames,) whole samples at which frames have their middles."""
    return np.round(np.arange(n_frames) * config.frame_shift * config.sample_rate).astype(np.int64)


@functools.lru_cache
def analysis_window(options: MelConfig) -> np.ndarray:
    """A periodic Hann window of ``win_size`` in the middle of ``fft_size`` samples."""
    n = options.win_size
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)
    before = (options.fft_size - n) // 2
    return np.pad(window, (before, options.fft_size - n - before))
