"""Waveforms from log-mel spectra without a trained vocoder (Griffin and Lim, 1984).

In tune, but with the sound of phases that were guessed.
"""

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.mel import analysis_window, filterbank, frame_centres


def magnitude_of(log_mel: np.ndarray, config: FeatureConfig, iterations: int = 50) -> np.ndarray:
    """Magnitudes whose log-mel spectra come nearest to those given.

    Non-negative least squares by multiplicative updates (Lee and Seung, 2001) from the
    transposed filterbank. Bins outside all bands are 0.

    Args:
        log_mel: (T, bins) as :func:`nnsvs_lite.features.mel.log_mel` gives them.

    Returns:
        (T, fft/2 + 1) float64.
    """
    options = config.mel
    bank = filterbank(config.sample_rate, options)
    mel = np.exp(np.asarray(log_mel, np.float64) * (1.0 if options.log == "natural" else np.log(10.0)))
    numerator = mel @ bank
    x = numerator / np.maximum((bank @ bank.T).sum(0).mean(), 1e-30)
    gram = bank.T @ bank
    for _ in range(iterations):
        x *= numerator / np.maximum(x @ gram, 1e-30)
    return x ** (1.0 / options.power)


def starting_phase(
    lf0: np.ndarray, vuv: np.ndarray, config: FeatureConfig, rng: np.random.Generator
) -> np.ndarray:
    """Phases of a voice that sings ``lf0``: (T, fft/2 + 1) unit complex numbers.

    In voiced frames a bin takes the phase that the nearest harmonic has reached; elsewhere phases are drawn.
    So the iterations keep the pitch, which mel bands tell only roughly. Arguments: see :func:`griffin_lim`.
    """
    options, rate = config.mel, config.sample_rate
    f0 = np.exp(np.asarray(lf0, np.float64).reshape(-1))
    bins = np.arange(options.fft_size // 2 + 1)
    # The frame's middle is half a transform after its first sample: a turn of pi for each bin.
    angle = 2.0 * np.pi * rng.random((len(f0), len(bins)))
    cycles = np.cumsum(f0) * config.frame_shift
    harmonic = np.maximum(1.0, np.round(bins * (rate / options.fft_size) / f0[:, None]))
    sung = 2.0 * np.pi * harmonic * cycles[:, None] - np.pi * bins
    voiced = np.asarray(vuv).reshape(-1, 1) >= 0.5
    return np.exp(1j * np.where(voiced, sung, angle))


def griffin_lim(
    mel: np.ndarray,
    lf0: np.ndarray,
    vuv: np.ndarray,
    config: FeatureConfig,
    seed: int = 0,
    iterations: int = 32,
    momentum: float = 0.99,
) -> np.ndarray:
    """Fast Griffin-Lim (Perraudin, Balazs and Soendergaard, 2013) from log-mel spectra.

    Args:
        mel: (T, bins), logarithms. lf0: (T, 1) natural log of Hz. vuv: (T, 1), voiced at 0.5 or above.
        config: of the analysis.
        seed: of the phases of unvoiced frames. iterations: 0 keeps the starting phases.
        momentum: how far each step overshoots; 0 is the plain algorithm.

    Returns:
        float64 (samples,), ``round(T * frame_shift * sample_rate)`` of them.

    Raises ValueError where lengths differ or a value is not finite.
    """
    for name, value in {"mel": mel, "lf0": lf0, "vuv": vuv}.items():
        if len(value) != len(mel) or not np.isfinite(value).all():
            raise ValueError(f"{name} must be finite and have {len(mel)} frames, like mel")
    n_samples = config.n_samples(len(mel))
    if n_samples == 0:
        return np.zeros(0)
    transform = _Transform(len(mel), n_samples, config)
    magnitude = magnitude_of(mel, config)
    spectrum = magnitude * starting_phase(lf0, vuv, config, np.random.default_rng(seed))
    last = spectrum
    for _ in range(iterations):
        fitting = transform.analyse(transform.synthesise(spectrum))
        pushed = fitting + momentum * (fitting - last)
        last = fitting
        spectrum = magnitude * pushed / np.maximum(np.abs(pushed), 1e-12)
    return transform.synthesise(spectrum)


class _Transform:
    """The short-time Fourier transform of the mel analysis, and its least-squares inverse."""

    def __init__(self, n_frames: int, n_samples: int, config: FeatureConfig):
        self.size, self.n_samples = config.mel.fft_size, n_samples
        self.window = analysis_window(config.mel)
        self.starts = frame_centres(n_frames, config)
        # Half a transform of zeros before, and as much after as the last frame reaches.
        self.total = max(int(self.starts[-1]) + self.size, self.size // 2 + n_samples)
        self.norm = np.maximum(self._add(np.tile(self.window**2, (n_frames, 1))), 1e-8)

    def _add(self, frames: np.ndarray) -> np.ndarray:
        out = np.zeros(self.total)
        for start, frame in zip(self.starts, frames):
            out[start : start + self.size] += frame
        return out

    def synthesise(self, spectrum: np.ndarray) -> np.ndarray:
        """(T, fft/2 + 1) to (samples,)."""
        whole = self._add(np.fft.irfft(spectrum, self.size) * self.window) / self.norm
        return whole[self.size // 2 : self.size // 2 + self.n_samples]

    def analyse(self, x: np.ndarray) -> np.ndarray:
        """(samples,) to (T, fft/2 + 1)."""
        half = self.size // 2
        padded = np.pad(x, (half, self.total - half - len(x)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.size)[self.starts]
        return np.fft.rfft(frames * self.window)
