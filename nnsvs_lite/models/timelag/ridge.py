"""Time lags by ridge regression: when, by its context, a vowel begins; its consonants come before it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.duration.ridge import RidgeDuration
from nnsvs_lite.models.layers.context_ridge import ContextRidge
from nnsvs_lite.models.layers.expand import gather_rows, sum_by_note
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures, one_hot
from nnsvs_lite.models.layers.timing_floor import first_phones, note_conditions
from nnsvs_lite.models.timelag.mdn import KINDS, kind_of
from nnsvs_lite.models.timing import NeuralTimeLag, Prediction

FARTHEST = 5.0
"""Units beyond which a vowel's distance from its place counts as if it were that far."""


class RidgeTimeLag(NeuralTimeLag):
    """How far a note's vowel begins from its place in the score, by a line through its context.

    The note begins earlier by as much as its consonants are expected to take, as :class:`RidgeDuration` has
    them: what is audible, the vowel's place, has the least error. Fitted in one pass.
    """

    trains = False
    fits = True

    def __init__(self, spec: Spec):
        super().__init__(spec, residual_to_rule=True)
        self.lengths = RidgeDuration(spec)
        self.features = LinguisticFeatures(spec)
        self.ridge = ContextRidge(KINDS, self.features.phone_size + len(spec.phones) + 1)
        self._onset = spec.column("phone", "is_onset")

    def _rows(self, batch: Batch) -> Tensor:
        """(B, N, KINDS + size): the note's kind, what its first phone has, and which phones it has."""
        told = self.features.phones(batch)
        first = gather_rows(told, first_phones(batch))
        phones = note_conditions(batch, told[..., : len(self.spec.phones) + 1])
        return torch.cat([one_hot(kind_of(batch, self.floor), KINDS), first, phones], dim=-1)

    def _before(self, length: Tensor, batch: Batch) -> Tensor:
        """(B, N): of lengths (B, P), those of the consonants before each note's vowel."""
        onset = (batch.score.phone_context[..., self._onset] > 0.5) & batch.score.phone_mask
        return sum_by_note(length * onset, batch)

    def fit(self, examples: Sequence[Example]) -> None:
        self.lengths.fit(examples)
        self.ridge.fit(map(self._learnt, examples))

    def _learnt(self, example: Example) -> tuple[Tensor, Tensor]:
        """Rows of notes, and the distances of their vowels in units."""
        batch = collate([example], self.spec.frame_shift)
        vowel = batch.score.time_lag + self._before(batch.score.duration.float(), batch)
        mask = self.learnt(batch)
        return self._rows(batch)[mask], (vowel / self.space(batch)[1])[mask].clamp(-FARTHEST, FARTHEST)

    def predict(self, batch: Batch) -> Prediction:
        base, unit = self.space(batch)
        before = self._before(self.lengths.infer(batch)["mean"], batch)
        return (self.ridge(self._rows(batch)) - (before + base) / unit,)
