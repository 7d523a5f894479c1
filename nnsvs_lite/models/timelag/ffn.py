"""NNSVS' first time-lag model: a feed-forward network, note by note."""

import torch
from torch import nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.options import Rate, Size
from nnsvs_lite.models.timing import NeuralTimeLag, Prediction, ValueHead


class FfnTimeLag(NeuralTimeLag):
    """The context of a note's first phone to its lag; squared error.

    Args:
        hidden: units. layers: hidden layers after the first. dropout: probability.
        residual_to_rule: whether lags are predicted from the rule's, and not from the mean lag.
        context_dropout: as in :class:`~nnsvs_lite.models.options.AcousticOptions`.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: Size = 128,
        layers: Size = 2,
        dropout: Rate = 0.5,
        residual_to_rule: bool = False,
        context_dropout: Rate = 0.0,
    ):
        super().__init__(spec, residual_to_rule)
        self.features = LinguisticFeatures(spec, context_dropout)
        self.first = nn.Linear(self.features.phone_size, hidden)
        self.layers = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.head = ValueHead(hidden)

    def predict(self, batch: Batch) -> Prediction:
        notes, _ = self.rows(self.features.phones(batch), batch)
        x = torch.relu(self.first(notes))
        for layer in self.layers:
            x = self.dropout(torch.relu(layer(x)))
        return self.head(x)
