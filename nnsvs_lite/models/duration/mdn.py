"""Durations with uncertainty: a mixture density network over phones (NNSVS, Sinsy 2021)."""

from torch import nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import ContextEncoder
from nnsvs_lite.models.layers.conv import ConvStack
from nnsvs_lite.models.layers.expand import full_phone_context
from nnsvs_lite.models.layers.mdn import MixtureHead
from nnsvs_lite.models.timing import NeuralDuration, Prediction


class MdnDuration(NeuralDuration):
    """Predicts the log-ratio of a phone's length to the rule's.

    Args:
        hidden: channels. layers: convolution blocks over phones. kernel: phones each sees.
        dropout: probability. components: Gaussians of the mixture.
        prior: see :class:`NeuralDuration`.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 64,
        layers: int = 3,
        kernel: int = 3,
        dropout: float = 0.3,
        components: int = 2,
        prior: float = 0.1,
    ):
        super().__init__(spec, residual_to_rule=True, prior=prior)
        self.encoder = ContextEncoder(spec, ("phone", "note"), hidden)
        self.stack = ConvStack(hidden, layers, kernel, dropout)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.dropout = nn.Dropout(dropout)
        self.head = MixtureHead(hidden, components, deviation=0.3)

    def predict(self, batch: Batch) -> Prediction:
        phones = self.dropout(self.encoder(full_phone_context(batch)))
        return self.head(self.norm(self.stack(phones, batch.score.phone_mask)))
