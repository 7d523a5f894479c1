"""Parameter generation with dynamic features (:func:`nnsvs_lite.virtual.mlpg.mlpg`) for padded batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnsvs_lite.virtual.mlpg import mlpg

_COEFFICIENTS = [np.array([1.0]), np.array([-0.5, 0.0, 0.5]), np.array([1.0, -2.0, 1.0])]
WINDOWS = len(_COEFFICIENTS)
"""Static, delta, delta-delta."""


def dynamics(x: Tensor) -> Tensor:
    """(..., T, D) to (..., T, 3 D): static, delta, delta-delta; the ends repeat."""
    padded = torch.cat([x[..., :1, :], x, x[..., -1:, :]], dim=-2)
    before, after = padded[..., :-2, :], padded[..., 2:, :]
    return torch.cat([x, (after - before) / 2, before - 2 * x + after], dim=-1)


def generate(means: Tensor, precisions: Tensor, mask: Tensor) -> Tensor:
    """The most likely static trajectories; solved on the CPU, one utterance after the other.

    Args:
        means: (B, T, 3 D) of :func:`dynamics`. precisions: likewise, inverse variances.
        mask: (B, T) bool. Windows that reach over an end of an utterance count for nothing.

    Returns:
        (B, T, D), without a gradient; on padding 0.
    """
    out = means.new_zeros(*means.shape[:2], means.shape[2] // WINDOWS)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        shape = (length, WINDOWS, -1)
        mean, precision = (x[row, :length].detach().cpu().double() for x in (means, precisions))
        made = mlpg(mean.reshape(shape).numpy(), precision.reciprocal().reshape(shape).numpy(), _COEFFICIENTS)
        out[row, :length] = torch.from_numpy(made).to(out)
    return out
