"""Time lags with uncertainty."""

import torch
from torch import Tensor

from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.timing_floor import note_conditions
from nnsvs_lite.models.timing import ContextMdn, NeuralTimeLag, Prediction, with_defaults

FAST = 10.0
"""Factor of the means of kinds: with it they are found before the network starts to fit noise."""


class MdnTimeLag(ContextMdn, NeuralTimeLag):
    """Predicts how far a note's lag is from the rule's, and from a mean for each kind of note.

    An untrained model sings the rule, and little data moves it little.
    """

    kinds = 5
    __init__ = with_defaults(ContextMdn.__init__, hidden=32, layers=2)

    def rows(self, phones: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """A note is the mean of its phones."""
        return note_conditions(batch, phones), batch.score.note_mask

    def _kind(self, batch: Batch) -> Tensor:
        """(B, N) long: within a phrase, its first note, carried on, rest, breath."""
        slur, first = (
            batch.score.note_context[..., self.spec.column("note", name)] > 0.5
            for name in ("slur", "prev_rest")
        )
        breath = self.floor.first_phone(batch) == self.spec.phones.index("br") + 1
        kind = torch.where(first, 1, torch.where(slur, 2, 0))
        return torch.where(self.is_rest(batch), torch.where(breath, 4, 3), kind)

    def predict(self, batch: Batch) -> Prediction:
        log_weights, means, log_sigma = super().predict(batch)
        return log_weights, means + FAST * self.offsets(self._kind(batch)), log_sigma
