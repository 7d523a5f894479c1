"""Time lags with uncertainty: a mixture density network over notes (NNSVS, Sinsy 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.models.base import TimeLagModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import ContextEncoder
from nnsvs_lite.models.layers.conv import ConvStack
from nnsvs_lite.models.layers.expand import full_phone_context
from nnsvs_lite.models.layers.mdn import MixtureHead, masked_mean, mixture_nll, mixture_peak
from nnsvs_lite.models.layers.timing_floor import TimingFloor, note_conditions
from nnsvs_lite.models.spec import Spec
from nnsvs_lite.score.timing import MAX_LAG, MAX_LAG_REST


class MdnTimeLag(TimeLagModel):
    """Predicts how far a note's lag is from the rule's.

    The phones of each note are encoded and averaged, then convolved over notes; the
    mixture is over the lag's distance from :class:`TimingFloor`, so that an untrained
    model sings the rule, and little data moves it little.

    Args:
        hidden: channels. layers: convolution blocks over notes. kernel: notes each sees.
        dropout: probability. components: Gaussians of the mixture.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 32,
        layers: int = 2,
        kernel: int = 3,
        dropout: float = 0.3,
        components: int = 2,
    ):
        super().__init__(spec)
        self.floor = TimingFloor(spec)
        self.encoder = ContextEncoder(spec, ("phone", "note"), hidden)
        self.stack = ConvStack(hidden, layers, kernel, dropout)
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)
        self.unit = 0.02 / spec.frame_shift
        self.head = MixtureHead(hidden, components)
        self._rest = spec.column("note", "is_rest")

    def _limit(self, batch: Batch) -> Tensor:
        """Largest lag of each note in frames; farther ones are faults of the labels."""
        rest = batch.note_context[..., self._rest] > 0.5
        seconds = torch.where(rest, MAX_LAG_REST, MAX_LAG)
        return seconds / self.spec.frame_shift

    def _predict(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        phones = self.encoder(full_phone_context(batch))
        notes = self.dropout(note_conditions(batch, phones))
        hidden = self.norm(self.stack(notes, batch.note_mask))
        return self.floor(batch)[0], self.head(hidden)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log likelihood of the lags, in units of 20 ms around the rule's.

        The first note of an utterance, whose lag is 0 by definition, and lags beyond
        the limit are left out.
        """
        floor, mixture = self._predict(batch)
        target = (batch.time_lag - floor) / self.unit
        mask = batch.note_mask & (batch.time_lag.abs() <= self._limit(batch))
        mask = torch.cat([mask[:, :1] & False, mask[:, 1:]], dim=1)
        nll = masked_mean(mixture_nll(target, *mixture), mask)
        error = masked_mean((mixture_peak(*mixture)[0] - target).abs() * self.unit, mask)
        return {"loss": nll, "mae_frames": error.detach(), "weight": mask.sum()}

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        floor, mixture = self._predict(batch)
        lag = floor + mixture_peak(*mixture)[0] * self.unit
        limit = self._limit(batch)
        return {"time_lag": torch.minimum(torch.maximum(lag, -limit), limit)}
