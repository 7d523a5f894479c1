"""FastSpeech 2 (Ren et al., 2021, arXiv:2006.04558) on scores: pitch and energy come first."""

from collections.abc import Sequence

from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv import MaskedConv1d, VariancePredictor
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.outputs import StreamHeads, zeroed
from nnsvs_lite.models.layers.score_embedding import ToFrames
from nnsvs_lite.models.layers.transformer import Transformer
from nnsvs_lite.models.neural import Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Rate, Size, Weight
from nnsvs_lite.models.refined import PostnetAcoustic


class Variance(nn.Module):
    """Predicts a number a frame, and takes it, or the true one, back in through a convolution."""

    def __init__(self, dim: int, hidden: int, layers: int, kernel: int, dropout: float, embed_kernel: int):
        super().__init__()
        self.predictor = VariancePredictor(dim, hidden, layers, kernel, dropout)
        self.head = zeroed(nn.Linear(hidden, 1))
        self.embed = MaskedConv1d(1, dim, embed_kernel)

    def forward(self, x: Tensor, mask: Tensor, true: Tensor | None) -> tuple[Tensor, Tensor]:
        """``x`` (B, T, dim), ``true`` (B, T, 1) or None: ``x`` told the number, and the predicted one."""
        value = self.head(self.predictor(x, mask))
        return x + self.embed(value if true is None else true, mask), value


def energy_of(numbers: Streams) -> Tensor:
    """(B, T, 1): the first mel-cepstral coefficient, or the mean of the mel bands, in deviations."""
    return numbers["mgc"][..., :1] if "mgc" in numbers else numbers["mel"].mean(-1, keepdim=True)


class FastSpeech2Singing(PostnetAcoustic):
    """Transformers over phones and frames, a variance adaptor for pitch and energy between.

    ``lf0`` is what the adaptor predicts for pitch, in semitones from the score; energy is
    :func:`energy_of`. Training feeds the true ones on, singing the predicted.

    Args:
        dim: channels. encoder_layers: blocks over phones. decoder_layers: over frames.
        heads, filters, kernels, dropout, attention_dropout: see :class:`Transformer`.
        variance_hidden, variance_layers, variance_kernel, variance_dropout: of the predictors.
        embed_kernel: width of the convolution that takes pitch and energy back in.
        energy_weight: of the squared error of energy in the loss.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 256,
        encoder_layers: Size = 4,
        decoder_layers: Size = 4,
        heads: Size = 2,
        filters: Size = 1024,
        kernels: Sequence[Size] = (9, 1),
        dropout: Rate = 0.1,
        attention_dropout: Rate = 0.1,
        variance_hidden: Size = 256,
        variance_layers: Size = 2,
        variance_kernel: Size = 3,
        variance_dropout: Rate = 0.5,
        embed_kernel: Size = 9,
        energy_weight: Weight = 1.0,
        weights: StreamWeights | None = None,
        places: bool = False,
        postnet_layers: Depth = 0,
        postnet_channels: Size = 512,
        options: AcousticOptions | None = None,
    ):
        sizes = dict.fromkeys(inputs, dim)
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, weights)
        self.energy_weight = energy_weight
        shape = (heads, filters, kernels, dropout, attention_dropout)
        variance = (variance_hidden, variance_layers, variance_kernel, variance_dropout, embed_kernel)
        self.encoder = Transformer(dim, encoder_layers, *shape)
        self.conditions = Conditions(spec, self.options, dim)
        self.to_frames = ToFrames(spec, dim, places)
        self.pitch = Variance(dim, *variance)
        self.energy = Variance(dim, *variance)
        self.decoder = Transformer(dim, decoder_layers, *shape)
        self.heads = StreamHeads({n: d for n, d in spec.streams.items() if n != "lf0"}, dim)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        mask, energy = batch.frame_mask, energy_of(true) if true else None
        phones = self.encoder(self.embedding(batch), batch.score.phone_mask) + self.conditions(batch)
        x = self.to_frames(phones, batch, phone)
        x, lf0 = self.pitch(x, mask, true.get("lf0"))
        x, predicted = self.energy(x, mask, energy)
        values = {**self.heads(self.decoder(x, mask)), "lf0": lf0}
        out = self.refined(values, base, mask)
        if energy is not None:
            error = (predicted - energy).float().square()[..., 0]
            out["loss_energy"] = self.energy_weight * masked_mean(error, mask)
        return out
