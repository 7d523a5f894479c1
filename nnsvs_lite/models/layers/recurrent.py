"""LSTMs over padded batches in which padding is never read."""

import torch
from torch import Tensor, nn


def reverse_rows(x: Tensor, mask: Tensor) -> Tensor:
    """Each utterance of ``x`` (B, L, D) back to front, its padding, false in ``mask``, left behind it."""
    places = torch.arange(x.shape[1], device=x.device)
    back = torch.where(mask, mask.sum(1, keepdim=True) - 1 - places, places)
    return x.gather(1, back[..., None].expand(-1, -1, x.shape[2]))


def over_steps(lstm: nn.LSTM, x: Tensor) -> Tensor:
    """What an LSTM gives for ``x`` (B, L, inputs), on a CPU in single precision: in half precision the
    backward pass of oneDNN 3.12 takes twice as long.
    """
    with torch.autocast("cpu", enabled=False):
        return lstm(x.float() if x.device.type == "cpu" else x)[0]


class BiLSTM(nn.Module):
    """A stack of LSTM layers in both directions.

    The backward direction runs over each utterance reversed within its length, so padding comes last in
    both and cannot reach valid rows. Nothing is packed, so lengths stay on the device. ``hidden`` is the size
    of each direction; dropout is between layers, not after the last.
    """

    def __init__(self, inputs: int, hidden: int, layers: int = 1, dropout: float = 0.0):
        super().__init__()
        self.size = 2 * hidden
        sizes = [inputs] + [self.size] * (layers - 1)
        self.forwards, self.backwards = (
            nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for size in sizes) for _ in range(2)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, inputs), ``mask`` (B, L) bool: (B, L, size); rows of padding mean nothing."""
        for i, (ahead, back) in enumerate(zip(self.forwards, self.backwards)):
            x = self.dropout(x) if i else x
            turned = reverse_rows(over_steps(back, reverse_rows(x, mask)), mask)
            x = torch.cat([over_steps(ahead, x), turned], dim=-1)
        return x
