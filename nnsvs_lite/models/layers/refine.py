"""Heads for all streams whose spectra pass a postnet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.outputs import StreamHeads
from nnsvs_lite.models.layers.postnet import Postnet


class PostnetHeads(nn.Module):
    """A linear layer for each stream, and a postnet that refines spectra.

    The postnet takes all streams but ``lf0`` and ``vuv``, one beside the other. Its part starts
    at zero (its last gain does), as the linear layers do.

    Args:
        sizes: stream to dimension. dim: of the input.
        layers: convolutions of the postnet, 0 for none. channels: of them.
    """

    def __init__(self, sizes: dict[str, int], dim: int, layers: int = 5, channels: int = 512):
        super().__init__()
        self.heads = StreamHeads(sizes, dim)
        self.spectra = {name: size for name, size in sizes.items() if name not in ("lf0", "vuv")}
        self.postnet = Postnet(sum(self.spectra.values()), layers, channels) if layers else None
        if self.postnet is not None:
            nn.init.zeros_(self.postnet.norms[-1].weight)

    def refine(self, before: dict[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
        """All streams, (B, T, D) each, spectra with the postnet's part; ``mask`` (B, T) bool."""
        if self.postnet is None:
            return before
        joined = torch.cat([before[name] for name in self.spectra], dim=-1)
        parts = self.postnet(joined, mask).split(list(self.spectra.values()), dim=-1)
        return {**before, **dict(zip(self.spectra, parts))}

    def forward(self, x: Tensor, mask: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """``x`` (B, T, dim), ``mask`` (B, T) bool: streams before and after the postnet."""
        before = self.heads(x)
        return before, self.refine(before, mask)
