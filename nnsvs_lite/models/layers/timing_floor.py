"""The timing rule: vowels on the beat, consonants of mean length before it.

It is the floor that systems are compared with, and the point from which trained models start.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.expand import sum_by_note

PRIOR = 3.0
"""Counts added to every phone's own, at the median of its kind: a phone seen once gets no wild mean."""


def _median(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted median: one phone that a song draws out does not move it."""
    order = values.argsort()
    passed = weights[order].cumsum(0)
    return values[order[torch.searchsorted(passed, passed[-1:] / 2).clamp(max=len(values) - 1)]]


def first_phones(batch: Batch) -> Tensor:
    """(B, N) long: the place of each note's first phone, 0 on padding."""
    index = batch.score.note_index
    begins = (index != F.pad(index, (1, 0), value=-1)[:, :-1]) & batch.score.phone_mask
    return sum_by_note(torch.arange(index.shape[1], device=index.device) * begins, batch)


class TimingFloor(nn.Module):
    """Rule time lags and durations from the training set's mean phone lengths."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.spec = spec
        self._id = spec.column("phone", "phone")
        self._onset = spec.column("phone", "is_onset")
        names = ("duration_mean", "duration_std", "count")
        mean, std, count = (torch.tensor(spec.phone_stat(name, 0.0)) for name in names)
        sustains = torch.tensor(spec.sustaining)
        for kind in (sustains, ~sustains):
            centre, spread = _median(mean, count * kind), _median(std, count * kind)
            mean = torch.where(kind, (mean * count + centre * PRIOR) / (count + PRIOR), mean)
            std = torch.where(kind, (std * count + spread * PRIOR) / (count + PRIOR), std)
        self.register_buffer("sustains", sustains, persistent=False)
        self.register_buffer("mean", mean.clamp(min=1.0), persistent=False)
        self.register_buffer("std", std.clamp(min=0.5), persistent=False)

    def phone_ids(self, batch: Batch) -> Tensor:
        """(B, P) long: 1 + index in the phone set, 0 on padding."""
        return batch.score.phone_context[..., self._id].long().clamp(0, len(self.mean) - 1)

    def first_phone(self, batch: Batch) -> Tensor:
        """(B, N) long: phone id of each note's first phone, 0 on padding."""
        return self.phone_ids(batch).gather(1, first_phones(batch)) * batch.score.note_mask

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Time lags (B, N), mean durations (B, P) and deviations (B, P), in frames.

        Consonants before a note's nucleus get their mean length and make the note early
        by as much; the phones that sustain share what is left of the note's score length.
        """
        mask = batch.score.phone_mask
        ids = self.phone_ids(batch)
        mean, std = self.mean[ids] * mask, self.std[ids] * mask
        onset = (batch.score.phone_context[..., self._onset] > 0.5) & mask
        vowel = self.sustains[ids] & mask
        lag = -sum_by_note(mean * onset, batch)
        fixed = sum_by_note(mean * ~vowel * ~onset, batch)
        # The next note's consonants are taken from this note's end.
        following = F.pad((-lag * batch.score.note_mask)[:, 1:], (0, 1))
        length = batch.score.note_frames[..., 1] - batch.score.note_frames[..., 0]
        left = (length - fixed - following).clamp(min=1.0)
        vowels = sum_by_note(vowel.to(mean.dtype), batch).clamp(min=1.0)
        share = (left / vowels).gather(1, batch.score.note_index)
        return lag, torch.where(vowel, share, mean).clamp(min=1.0) * mask, std


def note_conditions(batch: Batch, phone_vectors: Tensor) -> Tensor:
    """Mean of a note's phone vectors: (B, P, C) to (B, N, C)."""
    mask = batch.score.phone_mask[..., None].to(phone_vectors.dtype)
    return sum_by_note(phone_vectors * mask, batch) / sum_by_note(mask, batch).clamp(min=1)
