"""Losses of acoustic streams in units of the training set's deviations."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.variance import mel_unit
from nnsvs_lite.models.batch import Batch

LEVEL_WEIGHT = 0.3
"""Of 10 dB of loudness, where a deviation of all bands counts 1."""
LF0_UNIT = 0.0578
"""One semitone in log F0: the unit in which pitch errors count."""


class StreamLoss(nn.Module):
    """L1 of continuous streams and cross-entropy of voicing, means over valid frames.

    ``mgc``, ``bap`` and ``mel`` count in standard deviations of each coefficient, or in the mean of these
    where a coefficient moves less: high cepstra are mostly noise, and would otherwise outvote the few that
    make the spectrum. ``lf0`` counts in semitones over voiced frames (others are interpolated, not sung).
    In the sum streams have ``weights``, 1 where not given.

    Of ``mel`` the loudness of voiced frames counts too (:data:`LEVEL_WEIGHT` for 10 dB): a network that is
    only told to be near in each band sings the median of logarithms, whose power is below the mean one's.
    """

    def __init__(self, spec: Spec, weights: dict[str, float] | None = None):
        super().__init__()
        self.weights = weights or {}
        self.names = list(spec.streams)
        self.unit = mel_unit(spec.feature_config) if "mel" in self.names else None
        for name in self.names:
            std = torch.tensor(spec.stats.streams[name].std)
            scale = torch.maximum(std, std.mean()).clamp(min=1e-4)
            self.register_buffer(f"scale_{name}", scale, persistent=False)

    def forward(self, predicted: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """``loss``, one entry for each stream, and ``weight`` (frames).

        ``predicted`` has the spec's streams (B, T, D), with ``vuv_logit`` for ``vuv``.
        """
        mask = batch.frame_mask[..., None]
        frames = mask.sum().clamp(min=1)
        parts: dict[str, Tensor] = {}
        for name in self.names:
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
                error = (predicted[name].float() - target).abs() / getattr(self, f"scale_{name}")
                parts[name] = (error * mask).sum() / (frames * target.shape[-1])
            if name == "mel" and self.weights.get(name, 1.0):
                voiced = mask * batch.streams["vuv"]
                error = (self._level(predicted[name]) - self._level(target)).abs() / 10
                parts["level"] = LEVEL_WEIGHT * (error * voiced).sum() / voiced.sum().clamp(min=1)
        total = sum(self.weights.get(name, 1.0) * value for name, value in parts.items())
        return {"loss": total, **{k: v.detach() for k, v in parts.items()}, "weight": frames}

    def _level(self, mel: Tensor) -> Tensor:
        """(B, T, 1) dB of log-mel spectra; see :mod:`nnsvs_lite.features.variance`."""
        scale = math.log(10.0) / 10.0 / self.unit
        return torch.logsumexp(mel.float() * scale, dim=-1, keepdim=True) * (10.0 / math.log(10.0))
