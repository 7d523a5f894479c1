"""Transformer-TTS (Li et al., 2019, arXiv:1809.08895) on scores: transformers that hear themselves."""

from collections.abc import Sequence

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic.tacotron_singing import ConvPrenet
from nnsvs_lite.models.attending import AttendingAcoustic, PhoneTimes
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.hearing import Memory
from nnsvs_lite.models.layers.transformer import Transformer
from nnsvs_lite.models.layers.transformer_decoder import TransformerDecoder
from nnsvs_lite.models.neural import StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight


class TransformerTtsSinging(AttendingAcoustic):
    """Convolutions and a transformer over phones, and a :class:`TransformerDecoder`.

    Args:
        dim: channels. conv_layers, conv_kernel, conv_dropout: of convolutions before the encoder.
        layers: blocks of the encoder, and of the decoder. heads, filters, dropout: of blocks.
        prenet, prenet_dropout: of the decoder's prenet. reduction: frames a step.
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
        conv_dropout: Rate = 0.5,
        layers: Size = 6,
        heads: Size = 8,
        filters: Size = 2048,
        dropout: Rate = 0.1,
        prenet: Size = 256,
        prenet_dropout: Rate = 0.5,
        reduction: Size = 2,
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
        self.prenet = ConvPrenet(dim, conv_layers, conv_kernel, conv_dropout)
        self.encoder = Transformer(dim, layers, heads, filters, (1, 1), dropout, dropout, scaled=True)
        self.times = PhoneTimes(dim)
        self.conditions = Conditions(spec, self.options, dim)
        shape = (dim, layers, heads, filters, dropout, prenet, prenet_dropout, reduction)
        self.decoder = TransformerDecoder(dim, self.space.size, *shape)

    def memory(self, batch: Batch) -> Memory:
        mask = batch.score.phone_mask
        phones = self.embedding(batch) + self.times(batch, self.decoder.reduction)
        vectors = self.encoder(self.prenet(phones, mask), mask) + self.conditions(batch)
        return self.decoder.remember(vectors, mask, self.middles(batch))
