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

FAST = 10.0
"""Factor of the means of kinds: with it they are found before the network starts to fit noise."""

KINDS = 5
"""Kinds of notes that have a mean lag of their own."""


class MdnTimeLag(TimeLagModel):
    """Predicts how far a note's lag is from the rule's.

    The phones of each note are encoded and averaged, then convolved over notes; the
    mixture is over the lag's distance from :class:`TimingFloor` and a mean for each kind of
    note, so that an untrained model sings the rule, and little data moves it little.

    Args:
        hidden: channels. layers: convolution blocks over notes. kernel: notes each sees.
        dropout: probability. components: Gaussians of the mixture.
        prior: how far, in units of 20 ms (rests 100 ms), lags are expected to differ from
            the rule's for reasons that the context tells.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 32,
        layers: int = 2,
        kernel: int = 3,
        dropout: float = 0.3,
        components: int = 2,
        prior: float = 0.3,
    ):
        super().__init__(spec)
        self.floor = TimingFloor(spec)
        self.encoder = ContextEncoder(spec, ("phone", "note"), hidden)
        self.stack = ConvStack(hidden, layers, kernel, dropout)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.prior = prior
        self.dropout = nn.Dropout(dropout)
        self.head = MixtureHead(hidden, components)
        self.offsets = nn.Embedding(KINDS, 1)
        nn.init.zeros_(self.offsets.weight)
        self._rest = spec.column("note", "is_rest")
        self._slur = spec.column("note", "slur")
        self._after_rest = spec.column("note", "prev_rest")
        self._breath = spec.phones.index("br") + 1

    def _kind(self, batch: Batch) -> Tensor:
        """(B, N) long: within a phrase, its first note, carried on, rest, breath."""
        rest = batch.note_context[..., self._rest] > 0.5
        slur = batch.note_context[..., self._slur] > 0.5
        first = batch.note_context[..., self._after_rest] > 0.5
        breath = self.floor.first_phone(batch) == self._breath
        kind = torch.where(first, 1, torch.where(slur, 2, 0))
        return torch.where(rest, torch.where(breath, 4, 3), kind)

    def _unit(self, batch: Batch) -> Tensor:
        """(B, N) frames: singers leave notes far more freely than they begin them."""
        rest = batch.note_context[..., self._rest] > 0.5
        return torch.where(rest, 0.1, 0.02) / self.spec.frame_shift

    def _limit(self, batch: Batch) -> Tensor:
        """Largest lag of each note in frames; farther ones are faults of the labels."""
        rest = batch.note_context[..., self._rest] > 0.5
        seconds = torch.where(rest, MAX_LAG_REST, MAX_LAG)
        return seconds / self.spec.frame_shift

    def _predict(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        phones = self.encoder(full_phone_context(batch))
        notes = self.dropout(note_conditions(batch, phones))
        hidden = self.norm(self.stack(notes, batch.note_mask))
        log_weights, means, log_sigma = self.head(hidden)
        return self.floor(batch)[0], (log_weights, means + FAST * self.offsets(self._kind(batch)), log_sigma)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Negative log likelihood of the lags around the rule's, in units of 20 ms, for
        rests 100 ms.

        The first note of an utterance, whose lag is 0 by definition, and lags beyond
        the limit are left out.
        """
        floor, mixture = self._predict(batch)
        unit = self._unit(batch)
        target = (batch.time_lag - floor) / unit
        mask = batch.note_mask & (batch.time_lag.abs() <= self._limit(batch))
        mask = torch.cat([mask[:, :1] & False, mask[:, 1:]], dim=1)
        nll = masked_mean(mixture_nll(target, *mixture), mask)
        penalty = self.head.penalty(self.prior, self.spec.note_count)
        error = masked_mean((mixture_peak(*mixture)[0] - target).abs() * unit, mask)
        parts = {"nll": nll.detach(), "mae_frames": error.detach()}
        return {"loss": nll + penalty, **parts, "weight": mask.sum()}

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        floor, mixture = self._predict(batch)
        lag = floor + mixture_peak(*mixture)[0] * self._unit(batch)
        limit = self._limit(batch)
        return {"time_lag": torch.minimum(torch.maximum(lag, -limit), limit)}
