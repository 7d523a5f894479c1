"""DiffWave's network: gated dilated convolutions that hear a condition and a diffusion step."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.conv import MaskedConv1d


def step_embedding(t: Tensor, dim: int) -> Tensor:
    """Sines and cosines of a step: (B,) to (B, dim); wave lengths up to ``10000 * 2 pi`` steps."""
    half = dim // 2
    rates = torch.exp(torch.arange(half, device=t.device) * (-math.log(10000.0) / (half - 1)))
    angles = t[:, None].to(rates.dtype) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class WaveNet(nn.Module):
    """The denoiser of DiffSinger (Liu et al. 2022, arXiv:2105.02446, after DiffWave), over frames.

    The last layer starts at zero: a new network says that there is no noise.

    Args:
        dim: of a frame. cond: of a frame of the condition.
        channels: of the residual blocks. layers: blocks.
        cycle: dilations double, and start again after so many blocks.
    """

    def __init__(self, dim: int, cond: int, channels: int, layers: int, cycle: int = 1):
        super().__init__()
        self.channels = channels
        self.entry = nn.Linear(dim, channels)
        self.step = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.Mish(), nn.Linear(4 * channels, channels)
        )
        self.steps = nn.ModuleList(nn.Linear(channels, channels) for _ in range(layers))
        self.conds = nn.ModuleList(nn.Linear(cond, 2 * channels) for _ in range(layers))
        self.convs = nn.ModuleList(
            MaskedConv1d(channels, 2 * channels, 3, dilation=2 ** (i % cycle)) for i in range(layers)
        )
        self.outs = nn.ModuleList(nn.Linear(channels, 2 * channels) for _ in range(layers))
        self.skip = nn.Linear(channels, channels)
        self.exit = nn.Linear(channels, dim)
        for layer in [self.entry, self.skip, *self.conds, *self.outs, *(c.conv for c in self.convs)]:
            nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``t`` (B,) steps, ``cond`` (B, T, cond), ``mask`` (B, T): (B, T, dim)."""
        x = torch.relu(self.entry(x))
        step = self.step(step_embedding(t, self.channels))
        skips = torch.zeros_like(x)
        for i, conv in enumerate(self.convs):
            y = conv(x + self.steps[i](step)[:, None], mask) + self.conds[i](cond)
            gate, value = y.chunk(2, dim=-1)
            rest, skip = self.outs[i](torch.sigmoid(gate) * torch.tanh(value)).chunk(2, dim=-1)
            x = (x + rest) / math.sqrt(2.0)
            skips = skips + skip
        return self.exit(F.relu(self.skip(skips / math.sqrt(len(self.convs)))))
