"""Periodic activations without aliases (BigVGAN; Lee et al. 2023, arXiv:2206.04658, 3.1-3.2). (B, C, L)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TAPS = 12
"""Of the filter at the double rate."""
HALF_WIDTH = 6
"""Samples before and after its own that :class:`AntiAliased` hears."""


class Snake(nn.Module):
    """``x + sin^2(a x) / b``, ``a`` and ``b`` learnt for each channel as their logarithms (Ziyin, Hartwig and
    Ueda 2020, arXiv:2006.08195, eq. 3; with a size of its own, "SnakeBeta", in BigVGAN's code).
    """

    def __init__(self, channels: int):
        super().__init__()
        self.log_a = nn.Parameter(torch.zeros(channels, 1))
        self.log_b = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sin(self.log_a.exp() * x).square() * torch.exp(-self.log_b)


class AntiAliased(nn.Module):
    """An activation at twice the rate: what it makes above half the rate does not fold back."""

    def __init__(self, activation: nn.Module):
        super().__init__()
        self.activation = activation
        self.register_buffer("taps", half_band(TAPS), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        channels, side = x.shape[1], TAPS // 4
        taps = self.taps.expand(channels, 1, -1)
        x = F.pad(x, (side, side), "replicate")
        x = 2 * F.conv_transpose1d(x, taps, stride=2, groups=channels)
        # Of (L + 6) * 2 + 10 values the middle 2 L, sample n of old at 2 n + 1/2.
        cut = 2 * side + TAPS // 2 - 1
        x = self.activation(x[..., cut:-cut])
        x = F.pad(x, (TAPS // 2 - 1, TAPS // 2), "replicate")
        return F.conv1d(x, taps, stride=2, groups=channels)


def half_band(taps: int) -> Tensor:
    """A low-pass filter to half of half the rate: a sinc under a Kaiser window, sum 1.

    Its width and the window's shape are those of StyleGAN3's filters (Karras et al. 2021, arXiv:2106.12423,
    appendix C.1): a transition of 0.6 of the pass band on either side.
    """
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 4 * 0.3 + 7.95
    beta = 0.1102 * (attenuation - 8.7)
    if attenuation <= 50:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    at = torch.arange(taps) - (taps - 1) / 2
    values = torch.sinc(0.5 * at) * torch.kaiser_window(taps, False, beta)
    return values / values.sum()
