"""Spectral distances at transforms drawn by chance."""

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.wave_losses import heard, magnitudes, masked_mean


class RandomScaleLoss(nn.Module):
    """Random-scale spectral loss, as in DDSP-SVC: spectral convergence, with the norm of the sum in the
    denominator, and the difference of natural logarithms, as means over transforms without overlap.

    Args:
        transforms: of each step; sizes are drawn from ``least`` to ``most`` samples, in tests spread evenly.
    """

    def __init__(self, transforms: int = 4, least: int = 256, most: int = 2048):
        super().__init__()
        self.transforms, self.least, self.most = transforms, least, most

    def forward(self, wav: Tensor, real: Tensor, lengths: Tensor, random: bool) -> Tensor:
        """``wav``, ``real``: (B, S), zero on padding. ``lengths``: (B,) samples."""
        if random:
            sizes = torch.randint(self.least, self.most, (self.transforms,)).tolist()
        else:
            sizes = torch.linspace(self.least, self.most, self.transforms).long().tolist()
        total = wav.new_zeros(())
        for size in sizes:
            made, true = (magnitudes(x, size, size, size) for x in (wav, real))
            convergence = (true - made).norm() / (true + made).norm()
            mask = heard(lengths, size, true.shape[1])
            total = total + convergence + masked_mean((true.log() - made.log()).abs(), mask)
        return total / self.transforms
