"""Blocks of ConvNeXt over time."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvNextBlock(nn.Module):
    """A depthwise convolution and two layers on each frame (Liu et al. 2022, arXiv:2201.03545, fig. 4).
    (B, C, T).
    """

    def __init__(self, channels: int, hidden: int, scale: float, kernel: int = 7):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.wide = nn.Linear(channels, hidden)
        self.narrow = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x).transpose(1, 2))
        return x + (self.scale * self.narrow(F.gelu(self.wide(y)))).transpose(1, 2)
