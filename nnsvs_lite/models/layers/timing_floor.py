"""The timing rule, as layers: vowels on the beat, consonants of mean length before it.

It is both the floor that systems are compared with and the point from which the
trained models start.
"""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.expand import sum_by_note


def _median(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted median: one phone that a song draws out does not move it."""
    order = values.argsort()
    passed = weights[order].cumsum(0)
    return values[order[torch.searchsorted(passed, passed[-1:] / 2).clamp(max=len(values) - 1)]]


def first_phones(batch: Batch) -> Tensor:
    """(B, N) long: the place of each note's first phone, 0 on padding."""
    index = batch.score.note_index
    begins = torch.cat([index[:, :1] == 0, index[:, 1:] != index[:, :-1]], dim=1) & batch.score.phone_mask
    places = torch.arange(index.shape[1], device=index.device) * begins
    return index.new_zeros(batch.score.note_context.shape[:2]).scatter_add(1, index, places)


class TimingFloor(nn.Module):
    """Rule time lags and durations from the training set's mean phone lengths.

    Args:
        spec: statistics of phone durations.
        prior: counts added to every phone's own, at the median of its kind (consonant or
            vowel), so that a phone seen once does not get a wild mean.
    """

    def __init__(self, spec: Spec, prior: float = 3.0):
        super().__init__()
        self._id = spec.column("phone", "phone")
        self._onset = spec.column("phone", "is_onset")
        mean = torch.tensor(spec.phone_stat("duration_mean", 0.0))
        std = torch.tensor(spec.phone_stat("duration_std", 0.0))
        count = torch.tensor(spec.phone_stat("count", 0.0))
        sustains = torch.tensor(spec.sustaining)
        for kind in (sustains, ~sustains):
            centre, spread = _median(mean, count * kind), _median(std, count * kind)
            mean = torch.where(kind, (mean * count + centre * prior) / (count + prior), mean)
            std = torch.where(kind, (std * count + spread * prior) / (count + prior), std)
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
        following = torch.cat([-lag[:, 1:], torch.zeros_like(lag[:, :1])], dim=1)
        following = following * torch.cat(
            [batch.score.note_mask[:, 1:], batch.score.note_mask[:, :1] & False], dim=1
        )
        length = batch.score.note_frames[..., 1] - batch.score.note_frames[..., 0]
        left = (length - fixed - following).clamp(min=1.0)
        vowels = sum_by_note(vowel.to(mean.dtype), batch).clamp(min=1.0)
        share = (left / vowels).gather(1, batch.score.note_index)
        return lag, torch.where(vowel, share, mean).clamp(min=1.0) * mask, std


def note_conditions(batch: Batch, phone_vectors: Tensor) -> Tensor:
    """Mean of a note's phone vectors: (B, P, C) to (B, N, C)."""
    b, n = batch.score.note_context.shape[:2]
    mask = batch.score.phone_mask[..., None].to(phone_vectors.dtype)
    index = batch.score.note_index[..., None].expand_as(phone_vectors)
    total = phone_vectors.new_zeros(b, n, phone_vectors.shape[-1])
    total = total.scatter_add(1, index, phone_vectors * mask)
    count = sum_by_note(mask[..., 0], batch)[..., None].clamp(min=1)
    return total / count
