"""A correction of whole trajectories after they have been predicted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import MaskedBatchNorm, MaskedConv1d
from nnsvs_lite.models.layers.outputs import StreamHeads


class Postnet(nn.Module):
    """Tacotron 2's: convolutions with batch normalisation and tanh, added to what they read.

    Args:
        size: of a frame. layers: convolutions, two or more. channels: between them.
        kernel: width. dropout: probability, after each.
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


class PostnetHeads(nn.Module):
    """A linear layer for each stream, and a postnet over all streams but pitch and voicing.

    Args:
        sizes: stream to dimension. dim: of the input.
        layers: of the postnet, 0 for none. channels: of its convolutions.

    Attributes:
        spectra: names of the streams that pass the postnet.
    """

    def __init__(self, sizes: dict[str, int], dim: int, layers: int = 5, channels: int = 512):
        super().__init__()
        self.heads = StreamHeads(sizes, dim)
        self.spectra = [name for name in sizes if name not in ("lf0", "vuv")]
        self._sizes = [sizes[name] for name in self.spectra]
        self.postnet = Postnet(sum(self._sizes), layers, channels) if layers else None

    def forward(self, x: Tensor, mask: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """(B, T, dim) to each stream before the postnet, and after it."""
        before = self.heads(x)
        if self.postnet is None:
            return before, before
        spectra = self.postnet(torch.cat([before[n] for n in self.spectra], dim=-1), mask)
        return before, {**before, **dict(zip(self.spectra, spectra.split(self._sizes, dim=-1)))}


def spectra_of(sizes: dict[str, int]) -> dict[str, int]:
    """All streams but ``lf0`` and ``vuv``, with their sizes."""
    return {name: size for name, size in sizes.items() if name not in ("lf0", "vuv")}


class SpectraPostnet(nn.Module):
    """A postnet that takes spectra (all streams but ``lf0`` and ``vuv``) one beside the other.

    Its part starts at zero (its last gain does), as linear heads do here.

    Args:
        sizes: stream to dimension. layers: convolutions. channels: of them.
    """

    def __init__(self, sizes: dict[str, int], layers: int = 5, channels: int = 512):
        super().__init__()
        self.spectra = spectra_of(sizes)
        self.postnet = Postnet(sum(self.spectra.values()), layers, channels)
        nn.init.zeros_(self.postnet.norms[-1].weight)

    def forward(self, before: dict[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
        """All streams, (B, T, D) each, spectra with the postnet's part; ``mask`` (B, T) bool."""
        joined = torch.cat([before[name] for name in self.spectra], dim=-1)
        parts = self.postnet(joined, mask).split(list(self.spectra.values()), dim=-1)
        return {**before, **dict(zip(self.spectra, parts))}
