"""Time lags with uncertainty: a mixture density network over notes (NNSVS, Sinsy 2021)."""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import ContextEncoder
from nnsvs_lite.models.layers.conv import ConvStack
from nnsvs_lite.models.layers.expand import full_phone_context
from nnsvs_lite.models.layers.mdn import MixtureHead
from nnsvs_lite.models.layers.timing_floor import note_conditions
from nnsvs_lite.models.timing import NeuralTimeLag, Prediction

FAST = 10.0
"""Factor of the means of kinds: with it they are found before the network starts to fit noise."""

KINDS = 5
"""Kinds of notes that have a mean lag of their own."""


class MdnTimeLag(NeuralTimeLag):
    """Predicts how far a note's lag is from the rule's.

    The phones of each note are encoded and averaged, then convolved over notes; the
    mixture is over the lag's distance from the rule and a mean for each kind of
    note, so that an untrained model sings the rule, and little data moves it little.

    Args:
        hidden: channels. layers: convolution blocks over notes. kernel: notes each sees.
        dropout: probability. components: Gaussians of the mixture.
        prior: see :class:`NeuralTimeLag`.
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
        super().__init__(spec, residual_to_rule=True, prior=prior)
        self.encoder = ContextEncoder(spec, ("phone", "note"), hidden)
        self.stack = ConvStack(hidden, layers, kernel, dropout)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.dropout = nn.Dropout(dropout)
        self.head = MixtureHead(hidden, components)
        self.offsets = nn.Embedding(KINDS, 1)
        nn.init.zeros_(self.offsets.weight)
        self._slur = spec.column("note", "slur")
        self._after_rest = spec.column("note", "prev_rest")
        self._breath = spec.phones.index("br") + 1

    def _kind(self, batch: Batch) -> Tensor:
        """(B, N) long: within a phrase, its first note, carried on, rest, breath."""
        slur = batch.score.note_context[..., self._slur] > 0.5
        first = batch.score.note_context[..., self._after_rest] > 0.5
        breath = self.floor.first_phone(batch) == self._breath
        kind = torch.where(first, 1, torch.where(slur, 2, 0))
        return torch.where(self.is_rest(batch), torch.where(breath, 4, 3), kind)

    def predict(self, batch: Batch) -> Prediction:
        phones = self.encoder(full_phone_context(batch))
        notes = self.dropout(note_conditions(batch, phones))
        hidden = self.norm(self.stack(notes, batch.score.note_mask))
        log_weights, means, log_sigma = self.head(hidden)
        return log_weights, means + FAST * self.offsets(self._kind(batch)), log_sigma
