"""Deep Voice 3 (Ping et al., 2018, arXiv:1710.07654) on scores: convolutions alone, and attention."""

from collections.abc import Sequence

from torch import nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.attending import AttendingAcoustic
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.causal import HALF, GatedConvs
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv_decoder import ConvDecoder
from nnsvs_lite.models.layers.hearing import Memory
from nnsvs_lite.models.neural import StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight


class DeepVoice3Singing(AttendingAcoustic):
    """Gated convolutions over phones, and a :class:`ConvDecoder`.

    Args:
        dim: channels of the encoder. layers, kernel: of its convolutions. dropout: of all convolutions.
        decoder_dim, decoder_layers, decoder_kernel: of the decoder.
        prenet, prenet_dropout: of its prenet. reduction: frames a step.
        sigma, guided_weight: see :class:`~nnsvs_lite.models.attending.AttendingAcoustic`.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 256,
        layers: Size = 7,
        kernel: Size = 5,
        dropout: Rate = 0.05,
        decoder_dim: Size = 256,
        decoder_layers: Size = 4,
        decoder_kernel: Size = 5,
        prenet: Size = 128,
        prenet_dropout: Rate = 0.5,
        reduction: Size = 4,
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
        self.encoder = GatedConvs(dim, kernel, (1,) * layers, dropout=dropout)
        self.leave = nn.Linear(dim, dim)
        self.conditions = Conditions(spec, self.options, dim)
        shape = (decoder_dim, decoder_layers, decoder_kernel, dropout, prenet, prenet_dropout, reduction)
        self.decoder = ConvDecoder(dim, self.space.size, *shape)

    def memory(self, batch: Batch) -> Memory:
        mask, embedded = batch.score.phone_mask, self.embedding(batch)
        vectors = (self.leave(self.encoder(embedded, mask)) + embedded) * HALF + self.conditions(batch)
        return self.decoder.remember(vectors, mask, self.middles(batch))
