"""NNSVS' first duration model: a bidirectional LSTM over phones."""

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.recurrent import BiLSTM
from nnsvs_lite.models.options import Rate, Size
from nnsvs_lite.models.timing import NeuralDuration, Prediction, ValueHead


class LstmDuration(NeuralDuration):
    """Squared error; without deviations every phone of a note is stretched alike (Sinsy 2021, eq. 12).

    Args:
        hidden: units of each direction. layers: stacked. dropout: between them.
        residual_to_rule: whether durations are predicted from the rule's, and not from the mean.
        context_dropout: as in :class:`~nnsvs_lite.models.options.AcousticOptions`.
    """

    unit = 0.1

    def __init__(
        self,
        spec: Spec,
        hidden: Size = 64,
        layers: Size = 2,
        dropout: Rate = 0.5,
        residual_to_rule: bool = False,
        context_dropout: Rate = 0.0,
    ):
        super().__init__(spec, residual_to_rule)
        self.features = LinguisticFeatures(spec, context_dropout)
        self.lstm = BiLSTM(self.features.phone_size, hidden, layers, dropout)
        self.head = ValueHead(self.lstm.size)

    def predict(self, batch: Batch) -> Prediction:
        return self.head(self.lstm(self.features.phones(batch), batch.score.phone_mask))
