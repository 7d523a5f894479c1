"""FFT-Singer, the system beneath DiffSinger (Liu et al. 2022, arXiv:2105.02446): transformers from score to
spectra.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.context import hiding
from nnsvs_lite.models.layers.conv import VariancePredictor, passed_on
from nnsvs_lite.models.layers.lynxnet import ConvNext
from nnsvs_lite.models.layers.outputs import Scaling, zeroed
from nnsvs_lite.models.layers.pitch_embedding import PitchEmbedding, PitchExtractor
from nnsvs_lite.models.layers.score_embedding import ScoreEmbedding, ToFrames
from nnsvs_lite.models.layers.ssim import ssim
from nnsvs_lite.models.layers.transformer import Transformer
from nnsvs_lite.models.layers.variance_curves import VarianceCurves, VarianceSize
from nnsvs_lite.models.neural import NeuralAcoustic, Streams
from nnsvs_lite.models.options import AcousticOptions, Rate, Size, Weight

F0 = Literal["given", "explicit", "implicit"]


@dataclass(frozen=True)
class PhoneEncoderSize:
    """Of a :class:`~nnsvs_lite.models.layers.transformer.Transformer` over phones."""

    dim: Size = 256
    layers: Size = 4
    heads: Size = 2
    filters: Size = 1024
    kernels: Sequence[Size] = (9, 1)
    dropout: Rate = 0.1
    attention_dropout: Rate = 0.1
    rotary: bool = False

    def build(self) -> Transformer:
        shape = (self.heads, self.filters, self.kernels, self.dropout, self.attention_dropout)
        return Transformer(self.dim, self.layers, *shape, rotary=self.rotary)


@dataclass(frozen=True)
class SpectraDecoderSize:
    """Of the layers over frames that end in spectra.

    Attributes:
        kind: ``fft``, blocks of the encoder's size (``channels`` are its ``dim``), or ``convnext``, see
            :class:`~nnsvs_lite.models.layers.lynxnet.ConvNext`. layers: blocks. channels, kernel: of
            ``convnext``.
        l1, ssim: weights in the loss of the error of numbers, and of what is missing of their likeness.
        gradient: share of its loss's gradient that goes on into the encoder.
    """

    kind: Literal["fft", "convnext"] = "fft"
    layers: Size = 4
    channels: Size = 512
    kernel: Size = 7
    l1: Weight = 0.5
    ssim: Weight = 0.5
    gradient: Weight = 1.0


@dataclass(frozen=True)
class PitchSize:
    """Of what predicts F0 and voicing, from frames or from spectra.

    Attributes:
        hidden, layers, kernel, dropout: of its convolutions. gradient: share that goes on into the encoder.
        coarse: see :class:`~nnsvs_lite.models.layers.pitch_embedding.PitchEmbedding`.
    """

    hidden: Size = 256
    layers: Size = 5
    kernel: Size = 5
    dropout: Rate = 0.5
    gradient: Weight = 0.1
    coarse: bool = True


class FftSinger(NeuralAcoustic):
    """An encoder over phones; F0 by one of three ways; a decoder over frames that learns by L1 and SSIM.

    Durations are those of stage 4. Spectra are all streams of the dump but ``lf0`` and ``vuv``.

    Args:
        encoder, decoder, pitch: sizes.
        inputs: parts of the score that the encoder is told, see :class:`ScoreEmbedding`.
        f0: ``explicit``: a predictor tells F0 and voicing, of which the frames then have a vector.
            ``given``: the same vector, of F0 that the batch has been given, in training the recording's;
            where nothing is given, that is the score's. ``implicit``: the frames know no F0, and an extractor
            finds it in the spectra (from true ones in training).
        scaling: of spectra, see :class:`OutputSpace`.
        places: see :class:`~nnsvs_lite.models.layers.score_embedding.ToFrames`.
        variance: curves that are predicted before the spectra, which are told them.
        options: see :class:`AcousticOptions`.
    """

    def __init__(
        self,
        spec: Spec,
        encoder: PhoneEncoderSize,
        decoder: SpectraDecoderSize | None,
        pitch: PitchSize,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        f0: F0 = "explicit",
        scaling: Scaling = "range",
        places: bool = False,
        variance: VarianceSize | None = None,
        options: AcousticOptions | None = None,
    ):
        self.spectra = {n: d for n, d in spec.streams.items() if n not in ("lf0", "vuv")}
        # Their own losses are of numbers; errors of streams are reported.
        super().__init__(
            spec,
            options,
            "residual" if f0 == "given" else "bounded",
            dict.fromkeys(self.spectra, 0.0),
            scaling,
        )
        dim, self.size = encoder.dim, sum(self.spectra.values())
        self.f0, self.decoder, self.pitch_gradient = f0, decoder, pitch.gradient
        shape = (pitch.hidden, pitch.layers, pitch.kernel, pitch.dropout)
        self.embedding = ScoreEmbedding(
            spec, dict.fromkeys(inputs, dim), hiding(self.options.context_dropout, spec)
        )
        self.encoder = encoder.build()
        self.conditions = Conditions(spec, self.options, dim)
        self.to_frames = ToFrames(spec, dim, places)
        if f0 == "implicit":
            self.extractor = PitchExtractor(self.size, *shape)
        else:
            self.pitch_embedding = PitchEmbedding(dim, pitch.coarse)
        if f0 == "explicit":
            self.predictor = VariancePredictor(dim, *shape)
            self.pitch_head = zeroed(nn.Linear(pitch.hidden, 2))
        self.variance = VarianceCurves(spec, dim, variance) if variance and variance.names else None
        if decoder is not None:
            convnext = decoder.kind == "convnext"
            size = (decoder.channels, decoder.layers, decoder.kernel)
            self.frames = (
                ConvNext(dim, *size) if convnext else replace(encoder, layers=decoder.layers).build()
            )
            self.head = zeroed(nn.Linear(decoder.channels if convnext else dim, self.size))
        elif type(self) is FftSinger:
            raise DataError("there is no system without one", "decoder")

    def joined(self, numbers: Streams) -> Tensor:
        """(B, T, size): spectra one beside the other."""
        return torch.cat([numbers[name] for name in self.spectra], dim=-1)

    def parted(self, numbers: Tensor) -> Streams:
        """The inverse of :meth:`joined`."""
        return dict(zip(self.spectra, numbers.split(list(self.spectra.values()), dim=-1)))

    def phones(self, batch: Batch) -> Tensor:
        """Phone vectors (B, P, dim)."""
        return self.encoder(self.embedding(batch), batch.score.phone_mask) + self.conditions(batch)

    def told(
        self, batch: Batch, phone: Tensor, base: Streams, true: Streams, phones: Tensor | None = None
    ) -> tuple[Tensor, Streams]:
        """Frame vectors (B, T, dim), and the streams and curves that are known by then.

        ``phones`` are vectors that were made before. Without a ``pitch_embedding`` frames know no F0.
        """
        phones = self.phones(batch) if phones is None else phones
        x, out = self._pitched(self.to_frames(phones, batch, phone), batch, phone, base, true)
        if self.variance is None:
            return x, out
        x, curves = self.variance(x, batch, base, bool(true))
        return x, out | curves

    def _pitched(
        self, x: Tensor, batch: Batch, phone: Tensor, base: Streams, true: Streams
    ) -> tuple[Tensor, Streams]:
        out: Streams = {}
        if self.f0 == "implicit":
            return x, out
        known = batch.streams if true else {}
        if self.f0 == "explicit":
            found = self.predictor(passed_on(x, self.pitch_gradient), batch.frame_mask)
            lf0, vuv = self.pitch_head(found).split(1, dim=-1)
            out = self.space.decode({"lf0": lf0, "vuv": vuv}, base)
        else:
            known = known or batch.given
            rule = self.space.floor.pitch_of(batch, phone)
            voiced = known["vuv"].logit(eps=1e-3) if "vuv" in known else self._rule_voicing(batch, phone)
            out = {"lf0": known.get("lf0", rule), "vuv_logit": voiced}
        if self.pitch_embedding is None:
            return x, out
        voiced = known["vuv"] > 0.5 if "vuv" in known else out["vuv_logit"] > 0
        return x + self.pitch_embedding(known.get("lf0", out["lf0"]), voiced), out

    def _rule_voicing(self, batch: Batch, phone: Tensor) -> Tensor:
        return self.space.floor.steps(batch, phone)["vuv"].logit(eps=1e-3)

    def decoded(self, x: Tensor, mask: Tensor) -> Tensor:
        """Numbers of spectra (B, T, size)."""
        return self.head(self.frames(passed_on(x, self.decoder.gradient), mask))

    def errors(self, found: Tensor, true: Tensor, mask: Tensor, base: Streams) -> Streams:
        """The decoder's losses, weighted. SSIM is of whole spectra, above the least that training has, in the
        unit of numbers: of log10 magnitudes above -6 in the public code. Nothing is cut off there or here.
        """
        count = (mask.sum() * self.size).clamp(min=1)
        error = ((found.float() - true).abs() * mask[..., None]).sum() / count
        height = self.joined(self.space.above_least(base))
        alike = (ssim(found + height, true + height, mask) * mask[..., None]).sum() / count
        return {"loss_l1": self.decoder.l1 * error, "loss_ssim": self.decoder.ssim * (1 - alike)}

    def with_pitch(
        self, numbers: Tensor, batch: Batch, phone: Tensor, base: Streams, true: Streams
    ) -> Streams:
        """Streams of spectra (B, T, size), and their F0 where it is theirs to tell."""
        out = self.space.decode(self.parted(numbers), base)
        if self.f0 == "implicit":
            heard = self.joined(true) if true else numbers
            score = self.space.standard_lf0(self.space.floor.pitch_of(batch, phone))
            lf0, vuv = self.extractor(heard, score, batch.frame_mask)
            out |= self.space.decode({"lf0": lf0, "vuv": vuv}, base)
        return out

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        x, out = self.told(batch, phone, base, true)
        numbers = self.decoded(x, batch.frame_mask)
        if true:
            out |= self.errors(numbers, self.joined(true), batch.frame_mask, base)
        return out | self.with_pitch(numbers, batch, phone, base, true)
