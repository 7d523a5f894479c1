"""Convolutions that hear the past alone, all steps at once or one by one; and gated ones."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.conv import MaskedConv1d

HALF = math.sqrt(0.5)


class CausalConv1d(nn.Module):
    """A convolution of a step and those before it alone, so that padding behind reaches nothing."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1):
        super().__init__()
        self.reach, self.dilation = (kernel - 1) * dilation, dilation
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L, inputs) to (B, L, outputs); the mask has no say."""
        return self.conv(F.pad(x, (0, 0, self.reach, 0)).transpose(1, 2)).transpose(1, 2)

    def start(self, like: Tensor) -> Tensor:
        """The past before the first step, for ``like`` (B, ...)."""
        return like.new_zeros(len(like), self.reach, self.conv.in_channels)

    def step(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """One step ``x`` (B, inputs): (B, outputs), and the past of the next."""
        past = torch.cat([past, x[:, None]], dim=1)
        taps = past[:, :: self.dilation].transpose(1, 2).flatten(1)
        return F.linear(taps, self.conv.weight.flatten(1), self.conv.bias), past[:, 1:]


class GatedConv(nn.Module):
    """A convolution to values ``a`` and gates ``b``, and what it read.

    Deep Voice 3's form (Ping et al., 2018, figure 2): ``(x + a * sigmoid(b)) * sqrt(1/2)``; the highway form
    (Tachibana et al., 2018, DCTTS): ``x + sigmoid(b) * (a - x)``.
    """

    def __init__(
        self,
        dim: int,
        kernel: int,
        dilation: int = 1,
        causal: bool = False,
        highway: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        kind = CausalConv1d if causal else MaskedConv1d
        self.conv = kind(dim, 2 * dim, kernel, dilation)
        self.highway, self.dropout = highway, nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor | float = 0.0) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool, ``condition`` of values and gates (B, L, 2 dim)."""
        return self.mix(x, self.conv(self.dropout(x), mask) + condition)

    def step(self, x: Tensor, past: Tensor, condition: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        """One step of a causal one, without dropout: (B, dim), and the past of the next."""
        out, past = self.conv.step(x, past)
        return self.mix(x, out + condition), past

    def mix(self, x: Tensor, both: Tensor) -> Tensor:
        values, gates = both.chunk(2, dim=-1)
        gates = torch.sigmoid(gates)
        return x + gates * (values - x) if self.highway else (x + values * gates) * HALF


class GatedConvs(nn.ModuleList):
    """Gated convolutions one after the other, of these dilations."""

    def __init__(self, dim: int, kernel: int, dilations: tuple[int, ...], **options):
        super().__init__(GatedConv(dim, kernel, dilation, **options) for dilation in dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        for layer in self:
            x = layer(x, mask)
        return x

    def start(self, like: Tensor) -> list[Tensor]:
        """The past of every layer before the first step."""
        return [layer.conv.start(like) for layer in self]

    def step(self, x: Tensor, past: list[Tensor]) -> Tensor:
        """One step ``x`` (B, dim); ``past`` becomes that of the next."""
        for i, layer in enumerate(self):
            x, past[i] = layer.step(x, past[i])
        return x
