"""What acoustic models share that end in linear heads and a postnet."""

from abc import abstractmethod

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import hiding
from nnsvs_lite.models.layers.losses import StreamLoss
from nnsvs_lite.models.layers.outputs import StreamHeads
from nnsvs_lite.models.layers.postnet import SpectraPostnet
from nnsvs_lite.models.layers.score_embedding import ScoreEmbedding
from nnsvs_lite.models.neural import NeuralAcoustic, Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions


class PostnetAcoustic(NeuralAcoustic):
    """Pitch is the score's plus a number; spectra are learnt before and after a postnet.

    Args:
        embedded: sizes of the parts of :class:`ScoreEmbedding`; systems take their names as ``inputs``.
        postnet_layers: 0 for none. postnet_channels: of its convolutions.
        dim: of the frame vectors that :class:`StreamHeads` of all streams take; None where there are none.

    Systems take ``places`` for :class:`~nnsvs_lite.models.layers.score_embedding.ToFrames`.
    """

    def __init__(
        self,
        spec: Spec,
        options: AcousticOptions | None,
        embedded: dict[str, int],
        postnet_layers: int,
        postnet_channels: int,
        weights: StreamWeights | None = None,
        dim: int | None = None,
    ):
        super().__init__(spec, options, "residual", weights)
        sizes = dict(spec.streams)
        self.postnet = SpectraPostnet(sizes, postnet_layers, postnet_channels) if postnet_layers else None
        # Pitch and voicing do not pass the postnet: they count once.
        self.before_loss = StreamLoss(spec, {**(weights or {}), "lf0": 0.0, "vuv": 0.0})
        if dim is not None:
            self.heads = StreamHeads(sizes, dim)
        self.embedding = ScoreEmbedding(spec, embedded, hiding(self.options.context_dropout, spec))

    def refined(self, values: Streams, base: Streams, mask: Tensor) -> Streams:
        """Physical streams of a network's numbers, and ``before_<stream>`` for the loss."""
        if self.postnet is None:
            return self.space.decode(values, base)
        out = self.space.decode(self.postnet(values, mask), base)
        before = self.space.decode({name: values[name] for name in self.postnet.spectra}, base)
        return out | {f"before_{name}": value for name, value in before.items()}


class RefinedAcoustic(PostnetAcoustic):
    """From frame vectors to all streams in one step; systems give ``dim``, and :meth:`frames`."""

    @abstractmethod
    def frames(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, dim); ``phone`` (B, T) from ``phone_of_frame``."""

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        return self.refined(self.heads(self.frames(batch, phone)), base, batch.frame_mask)
