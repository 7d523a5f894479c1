"""Tacotron 2 (Shen et al., 2018, arXiv:1712.05884) on scores: attention that nothing leads."""

from collections.abc import Sequence

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic.tacotron_singing import TacotronEncoder
from nnsvs_lite.models.attending import AttendingAcoustic, PhoneTimes
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.hearing import Memory
from nnsvs_lite.models.layers.location import LocationDecoder
from nnsvs_lite.models.neural import StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight


class Tacotron2Singing(AttendingAcoustic):
    """Location-sensitive attention and a stop token.

    Args:
        dim: of embeddings and encoder. conv_layers, conv_kernel, dropout: of its convolutions.
        hidden: of the decoder's two LSTM layers. lstm_dropout: of them.
        prenet, prenet_dropout: of its prenet.
        attention: size in which queries and keys meet. reduction: frames a step.
        sigma, guided_weight: see :class:`~nnsvs_lite.models.attending.AttendingAcoustic`.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 512,
        conv_layers: Size = 3,
        conv_kernel: Size = 5,
        dropout: Rate = 0.5,
        hidden: Size = 1024,
        lstm_dropout: Rate = 0.1,
        prenet: Size = 256,
        prenet_dropout: Rate = 0.5,
        attention: Size = 128,
        reduction: Size = 1,
        sigma: Positive = 0.4,
        guided_weight: Weight = 1.0,
        weights: StreamWeights | None = None,
        postnet_layers: Depth = 5,
        postnet_channels: Size = 512,
        options: AcousticOptions | None = None,
    ):
        sizes = dict.fromkeys(inputs, dim)
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, weights)
        self.sigma, self.guided_weight = sigma, guided_weight
        self.encoder = TacotronEncoder(dim, conv_layers, conv_kernel, dropout)
        self.times = PhoneTimes(dim)
        self.conditions = Conditions(spec, self.options, dim)
        drops = (prenet_dropout, lstm_dropout)
        self.decoder = LocationDecoder(dim, self.space.size, hidden, prenet, *drops, attention, reduction)

    def memory(self, batch: Batch) -> Memory:
        mask = batch.score.phone_mask
        phones = self.embedding(batch) + self.times(batch, self.decoder.reduction)
        return self.decoder.remember(self.encoder(phones, mask) + self.conditions(batch), mask)
