"""Normalisation over a padded batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy, 2015) whose statistics leave padding out.

    The running statistics are means over batches, of which later ones weigh more: they follow the
    fast changes of the first steps, and are of use after a few.

    Args:
        dim: channels. momentum: least weight of a new batch in the running statistics.
    """

    def __init__(self, dim: int, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        mean, var = self.running_mean, self.running_var
        if self.training:
            # Sums over thousands of rows overflow in half precision.
            values, weights = x.float(), mask[..., None].float()
            count = weights.sum().clamp(min=1)
            mean = (values * weights).sum((0, 1)) / count
            var = ((values - mean).square() * weights).sum((0, 1)) / count
            with torch.no_grad():
                self.batches += 1
                # Batch n of the first weighs as n (n + 1).
                share = (3 / (self.batches + 2)).clamp(min=self.momentum)
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(var * count / (count - 1).clamp(min=1), share)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return (x * scale + (self.bias - mean * scale)).to(x.dtype)
