"""From frames to samples as HiFi-GAN goes (Kong et al. 2020, arXiv:2010.05646, 2.2): transposed convolutions
and, after each, residual blocks of several kernels. All of it (B, C, L).
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from nnsvs_lite.io.errors import DataError

SLOPE = 0.1
Activation = Callable[[int], nn.Module]
"""Of so many channels."""


def leaky(channels: int) -> nn.Module:
    return nn.LeakyReLU(SLOPE)


def conv(inputs: int, outputs: int, kernel: int, dilation: int = 1, bias: bool = True) -> nn.Module:
    """A length-keeping convolution with weight norm. Raises DataError for an even kernel."""
    if kernel % 2 == 0:
        raise DataError(f"kernel {kernel} is even; only odd ones keep lengths")
    padding = kernel // 2 * dilation
    return weight_norm(nn.Conv1d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=bias))


def upsample(inputs: int, outputs: int, kernel: int, rate: int) -> nn.Module:
    """A transposed convolution with weight norm from L to ``L * rate``, which begins as a straight line from
    value to value: kernels of any shape would make a tone of the frames' rate, which is learnt sooner than F0
    (Pons et al. 2021, arXiv:2010.14356). Raises DataError where ``kernel < rate``.
    """
    if kernel < rate:
        raise DataError(f"kernel {kernel} does not reach over the {rate} samples that it makes of one")
    more = (kernel - rate) % 2
    sizes = {"stride": rate, "padding": (kernel - rate + more) // 2, "output_padding": more}
    layer = nn.ConvTranspose1d(inputs, outputs, kernel, **sizes)
    place = (torch.arange(kernel) - (kernel - 1) / 2).abs()
    line = (1 - place / rate).clamp(min=0)
    with torch.no_grad():
        layer.weight.copy_(layer.weight[..., :1] * line * (kernel**0.5 / line.norm()))
    return weight_norm(layer)


class DilatedResidual(nn.Module):
    """A residual step for each dilation: activation and dilated convolution, both again without dilation
    where it is ``paired``.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        dilations: Sequence[int],
        paired: bool = True,
        activation: Activation = leaky,
    ):
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Sequential(
                activation(channels),
                conv(channels, channels, kernel, dilation),
                *((activation(channels), conv(channels, channels, kernel)) if paired else ()),
            )
            for dilation in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = x + step(x)
        return x


class Fusion(nn.Module):
    """HiFi-GAN's multi-receptive field fusion: the mean of residual blocks of several kernels."""

    def __init__(
        self, channels: int, kernels: Sequence[int], dilations: Sequence[Sequence[int]], *block, **options
    ):
        super().__init__()
        self.blocks = nn.ModuleList(
            DilatedResidual(channels, kernel, steps, *block, **options)
            for kernel, steps in zip(kernels, dilations)
        )

    def forward(self, x: Tensor) -> Tensor:
        return sum(block(x) for block in self.blocks) / len(self.blocks)


def check_stages(
    channels: int,
    rates: Sequence[int],
    up_kernels: Sequence[int],
    kernels: Sequence[int],
    dilations: Sequence[Sequence[int]],
) -> None:
    """Raises DataError where lists that go together are not of one length, ``channels`` too few to halve."""
    for names, one, other in (
        ("rates and up_kernels", rates, up_kernels),
        ("kernels and dilations", kernels, dilations),
    ):
        if len(one) != len(other):
            raise DataError(f"{names} must be of one length, not {len(one)} and {len(other)}")
    if not kernels or channels < 2 ** len(rates):
        raise DataError(f"{len(rates)} rates need {2 ** len(rates)} channels at least, and one kernel")


def half_widths(
    rates: Sequence[int],
    up_kernels: Sequence[int],
    kernels: Sequence[int],
    dilations: Sequence[Sequence[int]],
    paired: bool = True,
    more: int = 0,
) -> int:
    """Samples, before and after its own, that a sample hears through all stages; each activation hears
    ``more``.
    """
    scale, out = math.prod(rates), 0
    for rate, kernel in zip(rates, up_kernels):
        scale //= rate
        widest = max(
            sum(k // 2 * (d + paired) + more * (1 + paired) for d in steps)
            for k, steps in zip(kernels, dilations)
        )
        out += ((kernel + rate) // 2 + widest) * scale
    return out
