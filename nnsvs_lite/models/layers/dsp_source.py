"""The differentiable synthesiser in VISinger 2 (Zhang et al. 2022, arXiv:2211.02903; after Engel et al. 2020,
arXiv:2001.04643): harmonics of F0 and filtered noise, whose amplitudes the frames tell.
"""

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.layers.spectral_filter import SpectralFilter

LEVEL, NOISE = 0.1, 1e-3
"""Amplitudes of the first harmonic, and of noise, where frames tell nothing; the k-th harmonic has 1 / k."""
LOUDEST = 5.0
"""Natural logarithm of the largest factor of either, for the first steps."""


class DspSource(nn.Module):
    """Frames to two waveforms: harmonics, where it is voiced, and noise.

    Args:
        size: numbers a frame. source: of phases, on which the harmonics stand. hop: samples a frame.
        harmonics: how many. bands: of the noise, even in hertz, with straight lines between them.

    Attributes:
        reach: samples before and after its own that one depends on.
    """

    def __init__(self, size: int, source: SineSource, hop: int, harmonics: int, bands: int):
        super().__init__()
        self.source, self.sizes = source, [harmonics, bands]
        self.filter = SpectralFilter(source.sample_rate, hop)
        self.amplitudes = nn.Conv1d(size, harmonics + bands, 3, padding=1)
        nn.init.normal_(self.amplitudes.weight, std=0.01)
        ends = np.linspace(0, 1, bands)
        lines = [np.interp(np.linspace(0, 1, self.filter.bins), ends, row) for row in np.eye(bands)]
        self.register_buffer("lines", torch.tensor(np.array(lines), dtype=torch.float32), persistent=False)
        fall = LEVEL / torch.arange(1, harmonics + 1, dtype=torch.float32)
        self.register_buffer("fall", fall, persistent=False)
        self.reach = self.filter.reach + 2 * hop

    def forward(self, x: Tensor, lf0: Tensor, vuv: Tensor, turns: Tensor, noise: Tensor) -> Tensor:
        """(B, 2, S).

        Args:
            x: (B, size, T). lf0, vuv, turns: (B, T, 1), turns as of :meth:`SineSource.turns`.
            noise: (B, S), white, of variance 1; S is T hops.
        """
        told = self.amplitudes(x).clamp(max=LOUDEST).transpose(1, 2)
        harmonics, bands = told.split(self.sizes, dim=-1)
        lengths = torch.full_like(turns[:, 0, 0], x.shape[2], dtype=torch.long)
        amplitudes = harmonics.exp() * self.fall * (vuv > 0.5)
        tone = self.source.harmonic_sum(lf0, turns, lengths, noise.shape[1], amplitudes)
        shape = NOISE * (self.filter.between(bands, lengths) @ self.lines).exp()
        breath = self.filter.waveform(self.filter.spectra(noise) * shape, noise.shape[1])
        return torch.stack([tone, breath], 1)
