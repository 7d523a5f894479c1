"""Gated convolutions (Dauphin et al., 2017; Gehring et al., 2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import MaskedConv1d


class GluBlock(nn.Module):
    """A linear layer, then ``(x + a * sigmoid(b)) * sqrt(1/2)``; ``a``, ``b``: a convolution of ``x``.

    Args:
        dim: channels. kernel: width. dropout: before the convolution.
    """

    def __init__(self, dim: int, kernel: int, dropout: float):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.conv = MaskedConv1d(dim, 2 * dim, kernel)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        x = self.linear(x)
        values, gates = self.conv(self.dropout(x), mask).chunk(2, dim=-1)
        return (x + values * torch.sigmoid(gates)) * math.sqrt(0.5)
