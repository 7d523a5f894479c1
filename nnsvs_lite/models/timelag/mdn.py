"""Time lags with uncertainty."""

import torch
from torch import Tensor

from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.timing_floor import TimingFloor, note_conditions
from nnsvs_lite.models.timing import ContextMdn, NeuralTimeLag, Prediction, with_defaults

FAST = 10.0
"""Factor of the means of kinds: with it they are found before the network starts to fit noise."""
KINDS = 5
"""See :func:`kind_of`."""


def kind_of(batch: Batch, floor: TimingFloor) -> Tensor:
    """(B, N) long: within a phrase, its first note, carried on, rest, breath."""
    spec = floor.spec
    slur, first, rest = (
        batch.score.note_context[..., spec.column("note", name)] > 0.5
        for name in ("slur", "prev_rest", "is_rest")
    )
    breath = floor.first_phone(batch) == spec.phones.index("br") + 1
    return torch.where(rest, torch.where(breath, 4, 3), torch.where(first, 1, torch.where(slur, 2, 0)))


class MdnTimeLag(ContextMdn, NeuralTimeLag):
    """Predicts how far a note's lag is from the rule's, and from a mean for each kind of note.

    An untrained model sings the rule, and little data moves it little.
    """

    kinds = KINDS
    __init__ = with_defaults(ContextMdn.__init__, hidden=32, layers=2)

    def rows(self, phones: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """A note is the mean of its phones."""
        return note_conditions(batch, phones), batch.score.note_mask

    def predict(self, batch: Batch) -> Prediction:
        log_weights, means, log_sigma = super().predict(batch)
        return log_weights, means + FAST * self.offsets(kind_of(batch, self.floor)), log_sigma
