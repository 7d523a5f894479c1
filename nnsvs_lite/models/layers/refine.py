"""A postnet over the spectra among streams."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.postnet import Postnet


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
