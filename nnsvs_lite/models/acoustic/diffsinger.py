"""DiffSinger (Liu et al. 2022, arXiv:2105.02446) in all its pipelines, by diffusion or by rectified flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.acoustic.fft_singer import (
    F0,
    FftSinger,
    PhoneEncoderSize,
    PitchSize,
    SpectraDecoderSize,
)
from nnsvs_lite.models.batch import Batch, Example
from nnsvs_lite.models.layers.diffusion import NoisyStream, WaveNet
from nnsvs_lite.models.layers.flow import AnySampler, PathKind, way_of
from nnsvs_lite.models.layers.lynxnet import LynxNet2
from nnsvs_lite.models.layers.outputs import Scaling
from nnsvs_lite.models.layers.variance_curves import VarianceSize
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.options import AcousticOptions, Positive, Rate, Size, Weight

Count = Annotated[int, Within(1, 10_000)]


@dataclass(frozen=True)
class DenoiserSize:
    """Of the network that tells noise, or velocity.

    Attributes:
        kind: ``wavenet`` or ``lynxnet2``. channels, layers: of both. cycle: of a
            :class:`~nnsvs_lite.models.layers.diffusion.WaveNet`. kernel, dropout: of a
            :class:`~nnsvs_lite.models.layers.lynxnet.LynxNet2`.
    """

    kind: Literal["wavenet", "lynxnet2"] = "wavenet"
    channels: Size = 256
    layers: Size = 20
    cycle: Annotated[int, Within(1, 16)] = 4
    kernel: Size = 31
    dropout: Rate = 0.0

    def build(self, dim: int, cond: int) -> nn.Module:
        """For frames of ``dim`` numbers under a condition of ``cond``."""
        if self.kind == "wavenet":
            return WaveNet(dim, cond, self.channels, self.layers, self.cycle)
        return LynxNet2(dim, cond, self.channels, self.layers, self.kernel, self.dropout)


class DiffSinger(FftSinger):
    """Spectra made from noise under the frame vectors of an :class:`FftSinger`.

    With a ``depth`` below 1 (shallow diffusion) they are made from its decoder's spectra with noise on them.
    Trained on top of a trained FFT-Singer (``--init``), ``freeze: true`` leaves that as it is, as published.

    Args:
        path: ``diffusion``, or ``flow``, rectified flow. denoiser: its network.
        steps, beta_end: of the :class:`~nnsvs_lite.models.layers.diffusion.Schedule` of ``diffusion``.
        depth, scale, temperature, linear, tells_data, power: see :class:`NoisyStream`. There is no boundary
            predictor: the depth is stated, and can be set after training (``model.stream.depth``), not beyond
            that of it.
        sampler, sampling_steps: how to sing. ``ddpm``, ``ddim``, ``plms`` are for diffusion, ``euler``,
            ``midpoint`` for flow, ``dpm`` for both.
        weight: of the denoiser's loss.
        freeze: whether all but the denoiser keeps its weights.
        reflow: where not 0, the denoiser learns where it leads itself in so many steps, before this
            training, and then needs few: it must start from a trained one (``--init``).
        Others: see :class:`FftSinger`; it needs no decoder where ``depth`` is 1.
    """

    def __init__(
        self,
        spec: Spec,
        encoder: PhoneEncoderSize,
        decoder: SpectraDecoderSize | None,
        pitch: PitchSize,
        denoiser: DenoiserSize,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        f0: F0 = "explicit",
        scaling: Scaling = "range",
        places: bool = False,
        variance: VarianceSize | None = None,
        path: PathKind = "diffusion",
        steps: Count = 100,
        beta_end: Rate = 0.06,
        depth: Annotated[float, Within(0, 1)] = 1.0,
        scale: Positive = 1.0,
        sampler: AnySampler = "ddpm",
        sampling_steps: Count = 100,
        temperature: Weight = 1.0,
        linear: bool = False,
        tells_data: bool = False,
        power: Literal[1, 2] = 1,
        weight: Weight = 1.0,
        freeze: bool = False,
        reflow: Annotated[int, Within(0, 10_000)] = 0,
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, encoder, decoder, pitch, inputs, f0, scaling, places, variance, options)
        way, sample = way_of(path, sampler, steps, beta_end)
        if depth < 1 and decoder is None:
            raise DataError("less than 1 needs a decoder, whose spectra to set out from", "depth")
        if reflow and (path != "flow" or not freeze):
            raise DataError("needs path: flow and freeze: true", "reflow")
        net = denoiser.build(self.size, encoder.dim)
        options = (sample, sampling_steps, temperature, linear, depth, power, tells_data)
        self.stream = NoisyStream(way, net, self.size, scale, *options)
        self.diffused = tuple(self.spectra)
        self.weight, self.reflow, self.frozen = weight, reflow, freeze
        if freeze:
            self.requires_grad_(False)
            self.stream.requires_grad_(True)

    @property
    def fits(self) -> bool:
        return self.reflow > 0 or super().fits

    def fit(self, examples: Sequence[Example]) -> None:
        super().fit(examples)
        if self.reflow:
            if not self.stream.net.exit.weight.any():
                raise DataError("a few-step model learns from a trained one: name it (--init)", "reflow")
            self.stream.straighten(self.reflow)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        mask = batch.frame_mask
        x, out = self.told(batch, phone, base, true)
        start = None if self.decoder is None else self.decoded(x, mask)
        if true:
            data = self.joined(true)
            if start is not None:
                out |= self.errors(start, data, mask)
                start = start.detach()
            loss, numbers = self.stream.learn(data, x, mask, batch.seeds, start)
            out["loss_denoiser"] = self.weight * loss
        else:
            numbers = self.stream.sing(x, mask, batch.seeds, batch.temperature, start)
        return out | self.with_pitch(numbers, batch, phone, base, true)
