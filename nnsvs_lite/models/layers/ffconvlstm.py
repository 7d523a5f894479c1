"""Sinsy's acoustic network as NNSVS has it: feed-forward, convolutions, then LSTMs."""

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import MaskedBatchNorm, MaskedConv1d
from nnsvs_lite.models.layers.recurrent import BiLSTM

LAYERS = 3
"""Feed-forward layers, and convolutions after them."""


class FFConvLSTM(nn.Module):
    """Frames to vectors (Hono et al., "Sinsy", 2021, as NNSVS' ``FFConvLSTM``).

    Three layers with ReLU, three convolutions of width 7 with batch normalisation and ReLU, LSTMs in both
    directions. NNSVS pads convolutions by reflection, here padding counts as zero.

    Args:
        ff, conv, lstm: sizes of the three parts. dropout: between LSTM layers.
        embed: size of a linear layer before all, or 0 for none.
        late: numbers a frame that enter before the convolutions.
    """

    def __init__(
        self,
        inputs: int,
        ff: int,
        conv: int,
        lstm: int,
        lstm_layers: int = 2,
        dropout: float = 0.0,
        embed: int = 0,
        late: int = 0,
    ):
        super().__init__()
        self.embed = nn.Linear(inputs, embed) if embed else None
        sizes = [embed or inputs] + [ff] * LAYERS
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        sizes = [ff + late] + [conv] * LAYERS
        self.convs = nn.ModuleList(MaskedConv1d(a, b, 7) for a, b in zip(sizes, sizes[1:]))
        self.norms = nn.ModuleList(MaskedBatchNorm(conv) for _ in range(LAYERS))
        self.lstm = BiLSTM(conv, lstm, lstm_layers, dropout)
        self.size = self.lstm.size
        for layer in [*self.layers, *(c.conv for c in self.convs)]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, mask: Tensor, late: Tensor | None = None) -> Tensor:
        """``x`` (B, T, inputs), ``mask`` (B, T), ``late`` (B, T, late): (B, T, size)."""
        if self.embed is not None:
            x = self.embed(x)
        for layer in self.layers:
            x = torch.relu(layer(x))
        if late is not None:
            x = torch.cat([x, late], dim=-1)
        for conv, norm in zip(self.convs, self.norms):
            x = torch.relu(norm(conv(x, mask), mask))
        return self.lstm(x, mask)
