"""What pitch alone does to mel spectra: low bands tell harmonics apart, and rise and fall with them."""

import functools
import math

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.mel import analysis_window, filterbank, mel_edges
from nnsvs_lite.features.spec import Spec

LOWEST, HIGHEST, STEPS = 40.0, 1600.0, 16
"""Hz between which pitches are told apart, and how many of them to a semitone."""
BREATH = (-40.0, -4.0, 7000.0)
"""Decibels of noise under a voice of the same density, at 0 Hz and from so many Hz on, straight between: the
rule's bands up to 4 kHz then have the least error on the demo corpus at 24 kHz, and nearly so at 44.1. With
more, harmonics rise less than recorded ones do, and what is sung of them is too quiet.
"""
FULL, NONE = 4000.0, 6000.0
"""Hz up to which bands are of harmonics, and from which on of breath: there the comb fades out."""
OVERSAMPLED = 64


def breath(hz: np.ndarray) -> np.ndarray:
    """Decibels of a voice's noise, as :data:`BREATH` says."""
    low, high, at = BREATH
    return low + (high - low) * np.minimum(np.asarray(hz) / at, 1.0)


@functools.lru_cache
def combs(config: FeatureConfig) -> np.ndarray:
    """(pitches, bands): log spectra of tones of equal harmonics, the pitch rising by 1 / ``STEPS`` semitones.

    Powers of neighbouring harmonics, and of the noise between, add up, as they do on average over phases.
    """
    options, rate = config.mel, config.sample_rate
    window = analysis_window(options)
    shape = np.abs(np.fft.rfft(window, OVERSAMPLED * options.fft_size)) / window.sum()
    bins = np.arange(options.fft_size // 2 + 1) * (rate / options.fft_size)
    count = round(12 * STEPS * math.log2(HIGHEST / LOWEST)) + 1
    f0 = LOWEST * 2.0 ** (np.arange(count) / (12 * STEPS))[:, None]
    # White noise as dense as harmonics of power 1, to the peak of one.
    dense = rate / f0 * np.sum(window**2) / window.sum() ** 2
    below, power = np.floor(bins / f0), 10 ** (breath(bins) / 10) * dense
    for near in (-1, 0, 1, 2):
        away = np.abs(bins - (below + near) * f0) * (OVERSAMPLED * options.fft_size / rate)
        gain = shape[np.minimum(np.round(away).astype(np.int64), len(shape) - 1)]
        power += np.where(below + near >= 1, gain, 0.0) ** 2
    mel = power ** (options.power / 2) @ filterbank(rate, options).T
    log = np.log if options.log == "natural" else np.log10
    return log(np.maximum(mel, options.log_floor))


class HarmonicComb(nn.Module):
    """How far a pitch takes each band from its mean over the pitches of training."""

    def __init__(self, spec: Spec):
        super().__init__()
        config = spec.feature_config
        table, moments = combs(config), spec.stats.streams["lf0"]
        lf0 = math.log(LOWEST) + np.arange(len(table)) * (math.log(2.0) / (12 * STEPS))
        weights = np.exp(-0.5 * ((lf0 - moments.mean[0]) / max(moments.std[0], 0.03)) ** 2)
        centres = mel_edges(config.mel.bins, config.mel.fmin, config.mel.fmax, config.mel.scale)[1:-1]
        share = np.clip((NONE - centres) / (NONE - FULL), 0.0, 1.0)
        table = (table - weights @ table / max(weights.sum(), 1e-9)) * share
        self.register_buffer("table", torch.tensor(table, dtype=torch.float32), persistent=False)

    def forward(self, lf0: Tensor) -> Tensor:
        """``lf0`` (B, T, 1) to (B, T, bands), to be added to log spectra of voiced frames."""
        place = (lf0[..., 0] - math.log(LOWEST)) * (12 * STEPS / math.log(2.0))
        place = place.clamp(0, len(self.table) - 1.001)
        below = place.long()
        return torch.lerp(self.table[below], self.table[below + 1], (place - below)[..., None])
