"""XiaoiceSing (Lu et al., 2020, arXiv:2006.06261), and Muskits' model of that name."""

from collections.abc import Sequence

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.score_embedding import ToFrames
from nnsvs_lite.models.layers.transformer import Transformer
from nnsvs_lite.models.neural import StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Rate, Size
from nnsvs_lite.models.refined import RefinedAcoustic


class XiaoiceSing(RefinedAcoustic):
    """Feed-forward transformers over phones, then over frames; log F0 is added to the note's.

    Args:
        dim: channels. encoder_layers: blocks over phones. decoder_layers: over frames.
        heads, filters, kernels, dropout, attention_dropout, scaled: see :class:`Transformer`.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 384,
        encoder_layers: Size = 6,
        decoder_layers: Size = 6,
        heads: Size = 2,
        filters: Size = 1536,
        kernels: Sequence[Size] = (3, 1),
        dropout: Rate = 0.1,
        attention_dropout: Rate = 0.1,
        scaled: bool = False,
        places: bool = False,
        postnet_layers: Depth = 0,
        postnet_channels: Size = 512,
        weights: StreamWeights | None = None,
        options: AcousticOptions | None = None,
    ):
        sizes = dict.fromkeys(inputs, dim)
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, weights, dim)
        shape = (heads, filters, kernels, dropout, attention_dropout, scaled)
        self.encoder = Transformer(dim, encoder_layers, *shape)
        self.conditions = Conditions(spec, self.options, dim)
        self.to_frames = ToFrames(spec, dim, places)
        self.decoder = Transformer(dim, decoder_layers, *shape)

    def frames(self, batch: Batch, phone: Tensor) -> Tensor:
        phones = self.encoder(self.embedding(batch), batch.score.phone_mask) + self.conditions(batch)
        return self.decoder(self.to_frames(phones, batch, phone), batch.frame_mask)
