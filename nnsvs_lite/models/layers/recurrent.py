"""LSTMs over padded batches in which padding is never read."""

import torch
from torch import Tensor, nn


def reverse_rows(x: Tensor, mask: Tensor) -> Tensor:
    """Each utterance back to front, its padding left behind it.

    Args:
        x: (B, L, D). mask: (B, L) bool, true on the first rows of each utterance.
    """
    places = torch.arange(x.shape[1], device=x.device)
    back = torch.where(mask, mask.sum(1, keepdim=True) - 1 - places, places)
    return x.gather(1, back[..., None].expand(-1, -1, x.shape[2]))


class BiLSTM(nn.Module):
    """A stack of LSTM layers in both directions, or forward alone.

    The backward direction runs over each utterance reversed within its length, so padding
    comes last in both and cannot reach valid rows. Nothing is packed, so lengths stay
    on the device. Parameters are as many as those of ``nn.LSTM``.

    Args:
        inputs: size of the input. hidden: of each direction. layers: stacked.
        dropout: between layers, not after the last. both: directions; else forward alone.
    """

    def __init__(self, inputs: int, hidden: int, layers: int = 1, dropout: float = 0.0, both: bool = True):
        super().__init__()
        self.size = hidden * (2 if both else 1)
        sizes = [inputs] + [self.size] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(s, hidden, batch_first=True) for s in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(s, hidden, batch_first=True) for s in sizes if both)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, inputs), ``mask`` (B, L) bool: (B, L, size); rows of padding mean nothing."""
        for i, layer in enumerate(self.forwards):
            x = self.dropout(x) if i else x
            out = layer(x)[0]
            if self.backwards:
                back = self.backwards[i](reverse_rows(x, mask))[0]
                out = torch.cat([out, reverse_rows(back, mask)], dim=-1)
            x = out
        return x
