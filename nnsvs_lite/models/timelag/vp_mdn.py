"""NNSVS' time-lag model: the variance predictor with a mixture density output."""

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import VariancePredictor
from nnsvs_lite.models.layers.expand import gather_rows
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.mdn import MixtureHead
from nnsvs_lite.models.layers.timing_floor import first_phones
from nnsvs_lite.models.timing import NeuralTimeLag, Prediction


class VpMdnTimeLag(NeuralTimeLag):
    """Convolutions over notes, each given by the context of its first phone.

    Args:
        hidden: channels. layers: blocks. kernel: notes each sees. dropout: probability.
        components: Gaussians of the mixture.
        residual_to_rule: whether lags are predicted from the rule's, and not from the mean lag.
        prior: see :class:`NeuralTimeLag`. context_dropout: as in
            :class:`~nnsvs_lite.models.options.AcousticOptions`.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 32,
        layers: int = 3,
        kernel: int = 3,
        dropout: float = 0.5,
        components: int = 4,
        residual_to_rule: bool = False,
        prior: float = 0.0,
        context_dropout: float = 0.0,
    ):
        super().__init__(spec, residual_to_rule, prior, reach=5.0)
        self.features = LinguisticFeatures(spec, context_dropout)
        self.stack = VariancePredictor(self.features.phone_size, hidden, layers, kernel, dropout)
        self.head = MixtureHead(hidden, components)

    def predict(self, batch: Batch) -> Prediction:
        notes = gather_rows(self.features.phones(batch), first_phones(batch))
        return self.head(self.stack(notes, batch.score.note_mask))
