"""Differentiable signal processing: a network that sets the controls of a synthesizer (Engel et al. 2020,
arXiv:2001.04643), in the forms of DDSP-SVC.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.spectral_loss import RandomScaleLoss
from nnsvs_lite.models.options import Depth, Size
from nnsvs_lite.models.vocoder.harmonic_noise import Conditions, HarmonicNoise


class ConvLayer(nn.Module):
    """The convolution of a conformer layer: pointwise, GLU, depthwise, SiLU, pointwise."""

    def __init__(self, dim: int, kernel: int):
        super().__init__()
        self.enter = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GLU(dim=-1))
        self.conv = MaskedConv1d(2 * dim, 2 * dim, kernel, groups=2 * dim)
        self.leave = nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x + self.leave(F.silu(self.conv(self.enter(x), mask)))


class Ddsp(HarmonicNoise):
    """The network hears features, F0, and the phase that F0 has reached.

    Args:
        conditioned_on: see :class:`HarmonicNoise`.
        synthesiser: ``sins``: harmonics one by one, an all-pass filter and noise; ``comb``: all harmonics at
            once, through a filter of free magnitude and phase, and noise.
        harmonics: of ``sins``. bands: of filters, even in hertz. dim, layers, kernel: of the network.
    """

    def __init__(
        self,
        spec: Spec,
        conditioned_on: Conditions | None = None,
        synthesiser: Literal["sins", "comb"] = "comb",
        harmonics: Size = 128,
        bands: Size = 256,
        dim: Size = 256,
        layers: Depth = 3,
        kernel: Size = 31,
    ):
        super().__init__(spec, conditioned_on, reach=2 + layers * (kernel // 2))
        self.synthesiser, self.harmonics = synthesiser, harmonics
        self.enter, self.second = MaskedConv1d(self.size, dim, 3), MaskedConv1d(dim, dim, 3)
        self.norm = nn.LayerNorm(dim)
        self.pitch, self.turned = nn.Linear(1, dim), nn.Linear(1, dim)
        self.layers = nn.ModuleList(ConvLayer(dim, kernel) for _ in range(layers))
        self.sizes = [harmonics, bands, bands] if synthesiser == "sins" else [bands, bands, bands]
        self.leave = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, sum(self.sizes)))
        nn.utils.parametrizations.weight_norm(self.leave[1])
        ends = np.linspace(0, 1, bands)
        lines = [np.interp(np.linspace(0, 1, self.filter.bins), ends, row) for row in np.eye(bands)]
        lines = torch.tensor(np.array(lines), dtype=torch.float32)
        self.register_buffer("lines", lines, persistent=False)
        self.distances = RandomScaleLoss()

    def controls_of(self, batch: Batch, streams: dict[str, Tensor]) -> list[Tensor]:
        """The network's numbers, (B, T, size) for each of ``sizes``."""
        mask, f0 = batch.frame_mask, streams["lf0"].exp()
        x = F.leaky_relu(self.norm(self.enter(self.numbers(streams), mask)))
        turns = 2 * (streams["turns"] - streams["turns"].round()).float()
        x = self.second(x, mask) + self.pitch(torch.log1p(f0 / 700)) + self.turned(turns)
        for layer in self.layers:
            x = layer(x, mask)
        return list(self.leave(x).split(self.sizes, -1))

    def parts(self, batch: Batch) -> tuple[Tensor, Tensor]:
        streams = self.streams(batch)
        first, second, noise = self.controls_of(batch, streams)
        voiced = (streams["vuv"] > 0.5).float()

        def between(x: Tensor) -> Tensor:
            return self.filter.between(x, batch.frame_lengths)

        if self.synthesiser == "sins":
            place = (batch.frame_lengths, round(batch.max_frames * self.hop))
            amplitudes = first.exp() / self.harmonics * voiced
            source = self.source.harmonic_sum(streams["lf0"], streams["turns"], *place, amplitudes)
            source = source * self.sample_mask(batch)
            magnitude = torch.ones_like(self.lines[0])
            phase = between(torch.cumsum(math.pi * torch.tanh(second), -1)) @ self.lines
        else:
            source = self.pulses(batch, streams)
            magnitude = (between(first) @ self.lines).exp() * between(voiced)
            phase = math.pi * between(second) @ self.lines
        noise = (between(noise) @ self.lines).exp() / 128
        return self.filter.spectra(source) * torch.polar(
            magnitude.expand_as(phase).float(), phase.float()
        ), noise

    def distance(self, wav: Tensor, real: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.distances(wav, real, self.samples(batch), self.training)}
