"""Perceptual entropy: how much of a spectrum an ear can tell, as a loss (arXiv:2010.12024)."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError

BARK_HZ = (
    *(0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150),
    *(3700, 4400, 5300, 6400, 7700, 9500, 12000, 15500, 20500),
)
"""Edges of the critical bands (Zwicker)."""
FULL_SCALE_DB = 96.0
"""Sound pressure level of a sine of amplitude 1: 16 bits above the threshold. The paper gives none."""


def threshold_in_quiet(hz: np.ndarray) -> np.ndarray:
    """The absolute threshold in dB SPL (Terhardt, 1979)."""
    k = np.maximum(hz, 20.0) / 1000
    return 3.64 * k**-0.8 - 6.5 * np.exp(-0.6 * (k - 3.3) ** 2) + 1e-3 * k**4


def spreading(bands: int) -> np.ndarray:
    """How much energy of band ``j`` masks in band ``i``: (bands, bands), linear (Schroeder, 1979)."""
    d = np.arange(bands)[:, None] - np.arange(bands)[None] + 0.474
    return 10 ** ((15.81 + 7.5 * d - 17.5 * np.sqrt(1 + d**2)) / 10)


class PerceptualEntropy(nn.Module):
    """Bits a frame of a spectrum takes if noise is kept under what the spectrum masks.

    Mel-cepstra are turned to a power spectrum by a fixed matrix. Bands are spread over their
    neighbours; the masking threshold lies 5.5 dB below noise and 14.5 dB and more below tones, as
    the flatness of the spectrum tells, and nowhere below the threshold in quiet (Johnston, 1988).
    The loss is ``1 / (1 + PE)``: spectra that are smeared in time or frequency hold less.

    The paper has a spectrum with the target's phase; cepstra have no phase, so the power is
    shared evenly between real and imaginary part. Its weight in the sum is not published.

    Raises DataError without it; a mel filter bank cannot be undone.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        if "mgc" not in spec.streams:
            raise DataError("the perceptual-entropy loss needs the stream mgc", "options.perceptual")
        from nnsvs_lite.features.world import alpha_of, fft_size_of, mgc_to_spectrum

        config = spec.feature_config
        size = fft_size_of(config)
        # The logarithm of the spectrum is linear in the cepstra: that of each alone tells all.
        log_spectra = np.log(mgc_to_spectrum(np.eye(spec.streams["mgc"]), alpha_of(config), size))
        hz = np.arange(size // 2 + 1) * config.sample_rate / size
        bands = int(np.searchsorted(BARK_HZ, config.sample_rate / 2))
        band = np.clip(np.searchsorted(BARK_HZ, hz, side="right") - 1, 0, bands - 1)
        member = band[None] == np.arange(bands)[:, None]
        spread = spreading(bands)
        # WORLD's spectra are densities: their mean over all bins is the variance, 1/2 for a sine of 1.
        self.level = FULL_SCALE_DB / 10 * math.log(10) + math.log(2.0 * 2 / size)
        quiet = [10 ** (threshold_in_quiet(hz[row]).min() / 10) for row in member]
        for name, value in (
            ("log_spectra", log_spectra),
            ("member", member / member.sum(1, keepdims=True)),
            ("bins", member.sum(1)),
            ("spread", spread),
            ("gain", spread.sum(1)),
            ("quiet", quiet),
            ("offset", np.arange(1, bands + 1) + 14.5),
        ):
            self.register_buffer(name, torch.tensor(np.asarray(value), dtype=torch.float32), persistent=False)

    def power(self, mgc: Tensor) -> Tensor:
        """(..., D) mel-cepstra to the power of each bin, 1 being 0 dB SPL: (..., fft/2 + 1)."""
        return torch.exp((mgc.float() @ self.log_spectra + self.level).clamp(-30, 50))

    def entropy(self, power: Tensor) -> Tensor:
        """(..., fft/2 + 1) to bits, the sum over bands of the mean over their bins: (...)."""
        energy = power @ self.member.T * self.bins
        flat = 10 / math.log(10) * (power.log().mean(-1) - power.mean(-1).log())
        tonality = (flat / -60).clamp(max=1.0)[..., None]
        offset = tonality * self.offset + (1 - tonality) * 5.5
        threshold = (energy @ self.spread.T) / self.gain * 10 ** (-offset / 10)
        threshold = torch.maximum(threshold, self.quiet)
        # Of each bin: its band's step of quantisation.
        step = (6 * threshold / self.bins).sqrt() @ (self.member > 0).to(power.dtype)
        bits = 2 * torch.log2(1 + 2 * (power / 2).sqrt() / step)
        return bits @ self.member.T @ torch.ones_like(self.bins)

    def forward(self, mgc: Tensor, mask: Tensor) -> Tensor:
        """``mgc`` (B, T, D), ``mask`` (B, T): the mean of ``1 / (1 + PE)``."""
        # Half precision would take logarithms of powers over 16 decades in three digits.
        with torch.autocast("cpu" if mgc.is_meta else mgc.device.type, enabled=False):
            term = 1 / (1 + self.entropy(self.power(mgc)))
        return (term * mask).sum() / mask.sum().clamp(min=1)
