"""Durations with uncertainty: a mixture density network over phones (NNSVS, Sinsy 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.models.base import DurationModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import ContextEncoder
from nnsvs_lite.models.layers.conv import ConvStack
from nnsvs_lite.models.layers.expand import full_phone_context
from nnsvs_lite.models.layers.mdn import MixtureHead, masked_mean, mixture_nll, mixture_peak
from nnsvs_lite.models.layers.timing_floor import TimingFloor
from nnsvs_lite.models.spec import Spec


class MdnDuration(DurationModel):
    """Predicts the log-ratio of a phone's length to the rule's.

    In the log domain a duration cannot be negative, and a long vowel that is a tenth
    longer weighs as much as a short one. Back in frames a phone has mean ``m`` and
    deviation ``m * sigma``: long phones are the uncertain ones, so they take the slack when a
    note is filled.

    Args:
        hidden: channels. layers: convolution blocks over phones. kernel: phones each sees.
        dropout: probability. components: Gaussians of the mixture.
        prior: how far, in the logarithm, durations are expected to differ from the rule's
            for reasons that the context tells.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 64,
        layers: int = 3,
        kernel: int = 3,
        dropout: float = 0.3,
        components: int = 2,
        prior: float = 0.1,
    ):
        super().__init__(spec)
        self.floor = TimingFloor(spec)
        self.encoder = ContextEncoder(spec, ("phone", "note"), hidden)
        self.stack = ConvStack(hidden, layers, kernel, dropout)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.prior = prior
        self.dropout = nn.Dropout(dropout)
        self.head = MixtureHead(hidden, components, deviation=0.3)

    def _predict(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        phones = self.dropout(self.encoder(full_phone_context(batch)))
        hidden = self.norm(self.stack(phones, batch.phone_mask))
        return self.floor(batch)[1], self.head(hidden)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log likelihood of the log-ratio to the rule's duration."""
        floor, mixture = self._predict(batch)
        target = torch.log(batch.duration.clamp(min=1) / floor.clamp(min=1))
        mask = batch.phone_mask
        nll = masked_mean(mixture_nll(target, *mixture), mask)
        penalty = self.head.penalty(self.prior, self.spec.phone_count)
        guess = floor * torch.exp(mixture_peak(*mixture)[0])
        error = masked_mean((guess - batch.duration).abs(), mask)
        parts = {"nll": nll.detach(), "mae_frames": error.detach()}
        return {"loss": nll + penalty, **parts, "weight": mask.sum()}

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        floor, mixture = self._predict(batch)
        ratio, deviation = mixture_peak(*mixture)
        mean = floor * torch.exp(ratio.clamp(-2, 2))
        return {"mean": mean.clamp(min=0.5), "variance": (mean * deviation) ** 2}
