"""Convolutions whose taps lie so far apart as the pitch says (QPPWG; Wu et al. 2021, arXiv:2005.08654, 2.2).
(B, C, L).
"""

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.upsampling import conv


class PitchDilated(nn.Module):
    """A convolution of three taps: the sample itself, and those a given distance before and after it."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.before, self.here, self.after = (conv(inputs, outputs, 1) for _ in range(3))

    def forward(self, x: Tensor, distance: Tensor) -> Tensor:
        """``distance`` (B, 1, L) whole samples; where there is no such sample, it is 0."""
        return self.here(x) + self.before(shifted(x, -distance)) + self.after(shifted(x, distance))


def shifted(x: Tensor, distance: Tensor) -> Tensor:
    """Of each sample of ``x`` (B, C, L) the one ``distance`` (B, 1, L) after it, or 0."""
    place = torch.arange(x.shape[-1], device=x.device) + distance
    inside = (place >= 0) & (place < x.shape[-1])
    return x.gather(2, place.clamp(0, x.shape[-1] - 1).expand(-1, x.shape[1], -1)) * inside


def distances(f0: Tensor, rate: float, dense: float, lowest: float) -> Tensor:
    """Samples at ``rate`` (Hz) between taps of which ``dense`` make a period of ``f0`` (B, 1, L), Hz.

    An F0 below ``lowest`` counts as that, so that no tap is endlessly far.
    """
    return rate / dense / f0.clamp(min=lowest)
