"""A correction of whole trajectories after they have been predicted."""

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import MaskedBatchNorm, MaskedConv1d


class Postnet(nn.Module):
    """Tacotron 2's: ``layers`` convolutions (two or more), each with batch normalisation and dropout, all but
    the last with tanh, added to what they read. ``channels`` are those between them.
    """

    def __init__(
        self, size: int, layers: int = 5, channels: int = 512, kernel: int = 5, dropout: float = 0.5
    ):
        super().__init__()
        sizes = [size] + [channels] * (layers - 1) + [size]
        self.convs = nn.ModuleList(MaskedConv1d(a, b, kernel, bias=False) for a, b in zip(sizes, sizes[1:]))
        self.norms = nn.ModuleList(MaskedBatchNorm(b) for b in sizes[1:])
        self.dropout = nn.Dropout(dropout)
        # Normalised, even the faint output of untrained layers would be as loud as what it corrects.
        nn.init.zeros_(self.norms[-1].weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, size), ``mask`` (B, T) bool: ``x`` corrected."""
        out = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            out = norm(conv(out, mask), mask)
            out = self.dropout(torch.tanh(out) if i < len(self.convs) - 1 else out)
        return x + out


class SpectraPostnet(nn.Module):
    """A postnet that takes the spectra of ``sizes`` (stream to dimension) one beside the other."""

    def __init__(self, sizes: dict[str, int], layers: int = 5, channels: int = 512):
        super().__init__()
        self.spectra = {name: size for name, size in sizes.items() if name not in ("lf0", "vuv")}
        self.postnet = Postnet(sum(self.spectra.values()), layers, channels)

    def forward(self, before: dict[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
        """All streams, (B, T, D) each, spectra with the postnet's part; ``mask`` (B, T) bool."""
        joined = torch.cat([before[name] for name in self.spectra], dim=-1)
        parts = self.postnet(joined, mask).split(list(self.spectra.values()), dim=-1)
        return {**before, **dict(zip(self.spectra, parts))}
