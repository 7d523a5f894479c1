"""Losses of acoustic streams in units of the training set's deviations."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.spec import Spec

LF0_UNIT = 0.0578
"""One semitone in log F0: the unit in which pitch errors count."""


def stream_losses(
    predicted: dict[str, Tensor], batch: Batch, spec: Spec, weights: dict[str, float] | None = None
) -> dict[str, Tensor]:
    """L1 of continuous streams and cross-entropy of voicing, means over valid frames.

    ``mgc`` and ``bap`` count in standard deviations of each coefficient, ``lf0`` in
    semitones over voiced frames (an unvoiced frame's F0 is interpolated, not sung).

    Args:
        predicted: streams (B, T, D) of the spec; ``vuv_logit`` in place of ``vuv``.
        batch: with ``streams`` and durations.
        weights: of each stream in the sum, 1 where not given.

    Returns:
        ``loss``, one entry for each stream, and ``weight`` (frames).
    """
    mask = batch.frame_mask[..., None]
    frames = mask.sum().clamp(min=1)
    parts: dict[str, Tensor] = {}
    for name in spec.streams:
        target = batch.streams[name]
        if name == "vuv":
            # Half precision overflows in the logarithm; losses are taken in single.
            logit = predicted["vuv_logit"].float()
            error = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
            parts[name] = (error * mask).sum() / frames
        elif name == "lf0":
            voiced = mask * batch.streams["vuv"]
            error = (predicted[name].float() - target).abs() / LF0_UNIT
            parts[name] = (error * voiced).sum() / voiced.sum().clamp(min=1)
        else:
            std = torch.tensor(spec.stats["streams"][name]["std"], device=target.device)
            error = (predicted[name].float() - target).abs() / std.clamp(min=1e-4)
            parts[name] = (error * mask).sum() / (frames * target.shape[-1])
    weights = weights or {}
    total = sum(weights.get(name, 1.0) * value for name, value in parts.items())
    return {"loss": total, **{k: v.detach() for k, v in parts.items()}, "weight": frames}
