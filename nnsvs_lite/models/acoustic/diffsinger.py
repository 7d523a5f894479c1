"""DiffSinger (Liu et al. 2022, arXiv:2105.02446) in all its pipelines, by diffusion or by rectified flow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
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
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.boundary import Pair, find_depth
from nnsvs_lite.models.layers.diffusion import NoisyStream, WaveNet
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.flow import AnySampler, PathKind, midpoint, way_of
from nnsvs_lite.models.layers.lynxnet import LynxNet2
from nnsvs_lite.models.layers.outputs import Scaling
from nnsvs_lite.models.layers.variance_curves import VarianceSize
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.options import AcousticOptions, Positive, Rate, Size, Weight

PIECE, PIECES = 200, 200
"""Frames of each piece that a boundary is found in, and how many pieces at most."""
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
        depth, scale, temperature, linear, tells_data, power: see :class:`NoisyStream`. The depth can be set
            after training (``model.stream.depth``), not beyond that of it.
        boundary: where not 0, the depth is not stated but found, by a boundary predictor that learns so many
            steps before this training (:mod:`nnsvs_lite.models.layers.boundary`): needs ``freeze``.
        sampler, sampling_steps: how to sing. ``ddpm``, ``ddim``, ``plms`` are for diffusion, ``euler``,
            ``midpoint`` for flow, ``dpm`` for both.
        weight: of the denoiser's loss.
        freeze: whether all but the denoiser keeps its weights.
        reflow: where not 0, the denoiser learns to get in ``sampling_steps`` to where it gets
            itself, before this training, in so many of the midpoint method: it must start from a trained one
            (``--init``).
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
        boundary: Annotated[int, Within(0, 100_000)] = 0,
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, encoder, decoder, pitch, inputs, f0, scaling, places, variance, options)
        way, sample = way_of(path, sampler, steps, beta_end)
        if depth < 1 and decoder is None:
            raise DataError("less than 1 needs a decoder, whose spectra to set out from", "depth")
        if reflow and (path != "flow" or not freeze):
            raise DataError("needs path: flow and freeze: true", "reflow")
        if boundary and (decoder is None or not freeze):
            raise DataError("needs a decoder and freeze: true", "boundary")
        net = denoiser.build(self.size, encoder.dim)
        options = (sample, sampling_steps, temperature, linear, depth, power, tells_data)
        self.stream = NoisyStream(way, net, self.size, scale, *options)
        self.diffused = tuple(self.spectra)
        self.weight, self.reflow, self.boundary = weight, reflow, boundary
        if boundary:
            self.stream.keep_depth()
        if freeze:
            self.requires_grad_(False)
            self.stream.requires_grad_(True)

    @property
    def fits(self) -> bool:
        return self.reflow > 0 or self.boundary > 0 or super().fits

    def fit(self, examples: Sequence[Example]) -> None:
        super().fit(examples)
        if self.boundary:
            if not self.head.weight.any():
                raise DataError("the depth is that of a trained FFT-Singer: name it (--init)", "boundary")
            self.stream.depth = self._find_depth(examples)
            print(f"shallow diffusion sets out from a depth of {self.stream.depth:.3f}", flush=True)
        if self.reflow:
            if not self.stream.net.exit.weight.any():
                raise DataError("a few-step model learns from a trained one: name it (--init)", "reflow")
            self.stream.shorten(midpoint, self.reflow)

    @torch.no_grad()
    def _pieces(self, examples: Sequence[Example]) -> Iterator[tuple[Tensor, Tensor]]:
        """True numbers and the decoder's, (PIECE, size), amid each utterance that is long enough."""
        for example in examples:
            batch = self.heard(collate([example], self.spec.frame_shift))
            phone = phone_of_frame(batch)
            base = self.space.base(batch, phone)
            true = self.space.encode(batch.streams, base)
            made = self.decoded(self.told(batch, phone, base, true)[0], batch.frame_mask)
            first = (batch.max_frames - PIECE) // 2
            if first >= 0:
                yield tuple(
                    x[0, first : first + PIECE] / self.stream.scale for x in (self.joined(true), made)
                )

    def _find_depth(self, examples: Sequence[Example]) -> float:
        training = self.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            chosen = torch.randperm(len(examples))[:PIECES].tolist()
            pieces = [*self.eval()._pieces([examples[i] for i in chosen])]
            self.train(training)
            if not pieces:
                raise DataError(
                    f"no utterance has the {PIECE} frames that a boundary is found in", "boundary"
                )
            true, made = map(torch.stack, zip(*pieces))
            mask = torch.ones(true.shape[:2], dtype=torch.bool)

            def draw(step: int) -> Pair:
                rows = torch.randint(len(true), (8,))
                return true[rows], made[rows], mask[rows]

            return find_depth(self.stream.path, draw, [(true, made, mask)], self.boundary, self.size)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        mask = batch.frame_mask
        x, out = self.told(batch, phone, base, true)
        start = None if self.decoder is None else self.decoded(x, mask)
        if true:
            data = self.joined(true)
            if start is not None:
                out |= self.errors(start, data, mask, base)
                start = start.detach()
            loss, numbers = self.stream.learn(data, x, mask, batch.seeds, start)
            out["loss_denoiser"] = self.weight * loss
        else:
            numbers = self.stream.sing(x, mask, batch.seeds, batch.temperature, start)
        return out | self.with_pitch(numbers, batch, phone, base, true)
