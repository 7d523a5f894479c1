"""Durations by ridge regression: what the score's context tells of consonants, beyond their means."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.context_ridge import ContextRidge
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.timing import NeuralDuration, Prediction

FARTHEST = 1.5
"""Ratio to the rule, less 1, beyond which a consonant counts as if it were that far."""
SHORTEST, LONGEST = 0.2, 3.0
"""Ratios to the rule that are predicted."""


class RidgeDuration(NeuralDuration):
    """The ratio of a consonant's length to the rule's, by a line through its context.

    What sustains fills the note, as by the rule. Fitted in one pass; with little data it stays by the rule.
    """

    trains = False
    fits = True

    def __init__(self, spec: Spec):
        super().__init__(spec, residual_to_rule=True)
        self.features = LinguisticFeatures(spec)
        self.ridge = ContextRidge(1, self.features.phone_size)
        self._silence = spec.column("phone", "is_silence")

    def _rows(self, batch: Batch) -> Tensor:
        """(B, P, 1 + size)."""
        told = self.features.phones(batch)
        return torch.cat([torch.ones_like(told[..., :1]), told], dim=-1)

    def _consonant(self, batch: Batch) -> Tensor:
        """(B, P) bool."""
        silent = batch.score.phone_context[..., self._silence] > 0.5
        return batch.score.phone_mask & ~silent & ~self.floor.sustains[self.floor.phone_ids(batch)]

    def fit(self, examples: Sequence[Example]) -> None:
        self.ridge.fit(map(self._learnt, examples))

    def _learnt(self, example: Example) -> tuple[Tensor, Tensor]:
        """Rows of consonants, and their ratios to the rule less 1."""
        batch = collate([example], self.spec.frame_shift)
        ratio, mask = batch.score.duration / self.floor(batch)[1].clamp(min=1), self._consonant(batch)
        return self._rows(batch)[mask], (ratio[mask] - 1).clamp(-FARTHEST, FARTHEST)

    def predict(self, batch: Batch) -> Prediction:
        ratio = (1 + self.ridge(self._rows(batch))).clamp(SHORTEST, LONGEST)
        return (torch.where(self._consonant(batch), ratio.log(), 0.0),)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        lengths = super().infer(batch)
        # A note without a sustained phone (a lone consonant) scales by its variances.
        sustains = self.floor.sustains[self.floor.phone_ids(batch)]
        return lengths | {"variance": sustains.to(lengths["mean"].dtype) + 1e-6}
