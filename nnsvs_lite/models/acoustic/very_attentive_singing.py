"""Very Attentive Tacotron (Battenberg et al., 2024, arXiv:2410.22179) on scores: a place that only grows."""

from collections.abc import Sequence
from typing import Annotated

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.attending import AttendingAcoustic, PhoneTimes
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv import ConvStack
from nnsvs_lite.models.layers.hearing import Memory
from nnsvs_lite.models.layers.transformer import Transformer
from nnsvs_lite.models.layers.transformer_decoder import VeryAttentiveDecoder
from nnsvs_lite.models.neural import StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight


class VeryAttentiveSinging(AttendingAcoustic):
    """Convolutions and a transformer over phones, and a :class:`VeryAttentiveDecoder`.

    Args:
        dim: channels. conv_layers: residual convolutions before the encoder's blocks.
        encoder_layers, layers: blocks of encoder and decoder. heads, filters, dropout: of blocks.
        align: size of the alignment layer. window: steps of the past that the decoder hears.
        prenet, prenet_dropout: of its prenet. reduction: frames a step.
        sigma, guided_weight: see :class:`~nnsvs_lite.models.attending.AttendingAcoustic`.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 512,
        conv_layers: Size = 6,
        encoder_layers: Size = 3,
        layers: Size = 6,
        heads: Size = 8,
        filters: Size = 2048,
        dropout: Rate = 0.1,
        align: Size = 256,
        window: Annotated[int, Within(16, 1 << 14)] = 128,
        prenet: Size = 256,
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
        self.prenet = ConvStack(dim, conv_layers, 3, dropout)
        self.encoder = Transformer(dim, encoder_layers, heads, filters, (1, 1), dropout, dropout)
        self.times = PhoneTimes(dim)
        self.conditions = Conditions(spec, self.options, dim)
        shape = (dim, layers, heads, filters, dropout, align, window, prenet, prenet_dropout, reduction)
        self.decoder = VeryAttentiveDecoder(dim, self.space.size, *shape)

    def memory(self, batch: Batch) -> Memory:
        mask = batch.score.phone_mask
        phones = self.embedding(batch) + self.times(batch, self.decoder.reduction)
        vectors = self.encoder(self.prenet(phones, mask), mask) + self.conditions(batch)
        return self.decoder.remember(vectors, mask)
