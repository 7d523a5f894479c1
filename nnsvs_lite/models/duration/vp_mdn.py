"""NNSVS' duration model: the variance predictor with a mixture density output."""

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import VariancePredictor
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.mdn import MixtureHead
from nnsvs_lite.models.timing import NeuralDuration, Prediction


class VpMdnDuration(NeuralDuration):
    """Convolutions over phones.

    Args:
        hidden: channels. layers: blocks. kernel: phones each sees. dropout: probability.
        components: Gaussians of the mixture.
        residual_to_rule: whether durations are predicted from the rule's, and not from the mean.
        prior: see :class:`NeuralDuration`. context_dropout: as in
            :class:`~nnsvs_lite.models.options.AcousticOptions`.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 256,
        layers: int = 5,
        kernel: int = 5,
        dropout: float = 0.5,
        components: int = 4,
        residual_to_rule: bool = False,
        prior: float = 0.0,
        context_dropout: float = 0.0,
    ):
        super().__init__(spec, residual_to_rule, prior, reach=5.0)
        self.features = LinguisticFeatures(spec, context_dropout)
        self.stack = VariancePredictor(self.features.phone_size, hidden, layers, kernel, dropout)
        self.head = MixtureHead(hidden, components, deviation=0.3 if residual_to_rule else 1.0)

    def predict(self, batch: Batch) -> Prediction:
        return self.head(self.stack(self.features.phones(batch), batch.score.phone_mask))
