"""Gated convolutions over samples, told what to sing: WaveNet without its past (van den Oord et al. 2016,
arXiv:1609.03499, 2.3-2.5, in the form of Parallel WaveGAN, arXiv:1910.11480). All of it (B, C, L).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from nnsvs_lite.models.layers.upsampling import conv


class GatedBlock(nn.Module):
    """A gated convolution: to what goes on, and to what is added up.

    Args:
        convolve: from ``channels`` to ``gate`` channels. cond: channels of what it is told.
        skip: channels of what is added up, 0 for none. last: nothing goes on.
    """

    def __init__(
        self, convolve: nn.Module, channels: int, gate: int, cond: int, skip: int = 0, last: bool = False
    ):
        super().__init__()
        self.convolve = convolve
        self.cond = conv(cond, gate, 1, bias=False)
        self.out = None if last else conv(gate // 2, channels, 1)
        self.skip = conv(gate // 2, skip, 1) if skip else None

    def forward(self, x: Tensor, cond: Tensor, *where: Tensor) -> tuple[Tensor, Tensor | None]:
        """``where``: further arguments of the convolution."""
        value, gate = (self.convolve(x, *where) + self.cond(cond)).chunk(2, dim=1)
        y = torch.tanh(value) * torch.sigmoid(gate)
        x = x if self.out is None else (self.out(y) + x) * math.sqrt(0.5)
        return x, None if self.skip is None else self.skip(y)


class GatedStack(nn.Module):
    """Gated convolutions, one after the other; the sum of what they skip, at the level of one of them."""

    def __init__(self, channels: int, gate: int, skip: int, cond: int, kernel: int, dilations: Sequence[int]):
        super().__init__()
        self.blocks = nn.ModuleList(
            GatedBlock(
                conv(channels, gate, kernel, dilation), channels, gate, cond, skip, i == len(dilations)
            )
            for i, dilation in enumerate(dilations, 1)
        )

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        """``x`` (B, channels, L), ``cond`` (B, cond, L): (B, skip, L)."""
        total = 0.0
        for block in self.blocks:
            x, skip = block(x, cond)
            total = total + skip
        return total * math.sqrt(1.0 / len(self.blocks))


def cycled_dilations(layers: int, count: int) -> list[int]:
    """Dilations 1, 2, 4, ... of so many layers, which start again ``count`` times."""
    return [2 ** (i % math.ceil(layers / count)) for i in range(layers)]


class StretchUpsample(nn.Module):
    """Frames to samples: values repeated and smoothed over time, stage by stage, alike for all channels.

    Args:
        channels: of the frames. rates: samples that one becomes.
        context: frames on each side that a frame is mixed with before, by a convolution without bias.

    Attributes:
        half_width: samples before and after its own that one is made of.
    """

    def __init__(self, channels: int, rates: Sequence[int], context: int = 0):
        super().__init__()
        self.rates = tuple(rates)
        self.mix = conv(channels, channels, 2 * context + 1, bias=False)
        self.smooth = nn.ModuleList(
            weight_norm(nn.Conv2d(1, 1, (1, 2 * rate + 1), padding=(0, rate), bias=False)) for rate in rates
        )
        for layer, rate in zip(self.smooth, rates):
            layer.weight = torch.full_like(layer.weight, 1 / (2 * rate + 1))
        scale, self.half_width = math.prod(rates), context * math.prod(rates)
        for rate in rates:
            scale //= rate
            self.half_width += (rate + rate - 1) * scale

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, T) to (B, channels, T * product of rates)."""
        x = self.mix(x)[:, None]
        for rate, smooth in zip(self.rates, self.smooth):
            x = smooth(x.repeat_interleave(rate, dim=-1))
        return x[:, 0]
