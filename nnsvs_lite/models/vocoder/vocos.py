"""Vocos (Siuzdak 2023, arXiv:2306.00814): magnitudes and phases of frames, and an inverse transform."""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.convnext import ConvNextBlock
from nnsvs_lite.models.layers.istft import InverseStft
from nnsvs_lite.models.options import Size
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions

LOUDEST = 100.0
"""Magnitude that no bin exceeds, for the first steps."""


class Vocos(NeuralVocoder):
    """Args:
    channels, hidden: of the blocks. layers: blocks. fft: samples of a frame, at least two hops.
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 512,
        hidden: Size = 1536,
        layers: Size = 8,
        fft: Size = 1024,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        super().__init__(spec, conditioned_on, options)
        if fft % 2 or fft < 2 * self.hop:
            raise DataError(f"fft {fft} must be even, and two hops of {self.hop} samples at least")
        self.enter = nn.Conv1d(self.size, channels, 7, padding=3)
        self.first_norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.ModuleList(ConvNextBlock(channels, hidden, 1 / layers) for _ in range(layers))
        self.last_norm = nn.LayerNorm(channels, eps=1e-6)
        self.head = nn.Linear(channels, fft + 2)
        self.inverse = InverseStft(fft, self.hop)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.reach = 3 * (layers + 1) + self.frames_of(self.inverse.half_width)

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        x = self.first_norm(self.enter(x).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.waveform(*self.head(self.last_norm(x.transpose(1, 2))).chunk(2, dim=-1))

    def waveform(self, log_magnitude: Tensor, phase: Tensor) -> Tensor:
        """(B, T, fft / 2 + 1) each, phase in radians, to (B, T * hop)."""
        magnitude = log_magnitude.float().exp().clamp(max=LOUDEST)
        return self.inverse(torch.polar(magnitude, phase.float()))
