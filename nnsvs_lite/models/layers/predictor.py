"""The convolutional predictor of FastSpeech 2, over notes, phones or frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import MaskedConv1d


class VariancePredictor(nn.Module):
    """Blocks of convolution, ReLU, LayerNorm and dropout (Ren et al. 2021, arXiv:2006.04558).

    Args:
        inputs: size of the input. hidden: channels. layers: blocks.
        kernel: width, odd. dropout: probability.
    """

    def __init__(self, inputs: int, hidden: int, layers: int, kernel: int, dropout: float):
        super().__init__()
        sizes = [inputs] + [hidden] * (layers - 1)
        self.convs = nn.ModuleList(MaskedConv1d(size, hidden, kernel) for size in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, inputs), ``mask`` (B, L) bool: (B, L, hidden)."""
        for conv, norm in zip(self.convs, self.norms):
            x = self.dropout(norm(torch.relu(conv(x, mask))))
        return x
