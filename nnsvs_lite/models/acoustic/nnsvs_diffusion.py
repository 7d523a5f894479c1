"""The diffusion system of NNSVS' later recipes: F0 is autoregressive, spectra come from noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.diffusion import NoisyStream, Path, WaveNet
from nnsvs_lite.models.layers.ffconvlstm import FFConvLSTM
from nnsvs_lite.models.layers.flow import AnySampler, PathKind, way_of
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.streams import StreamNet, StreamSize
from nnsvs_lite.models.neural import NeuralAcoustic, Streams
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight


@dataclass(frozen=True)
class DiffusionSize:
    """Of one stream that is made from noise.

    Attributes:
        embed, ff, conv, lstm, lstm_layers: of the encoder, an :class:`FFConvLSTM`.
        cond: of its output. channels, layers, cycle: of the denoiser.
    """

    embed: Depth = 256
    ff: Size = 512
    conv: Size = 256
    lstm: Size = 128
    lstm_layers: Size = 2
    cond: Size = 256
    channels: Size = 256
    layers: Size = 20
    cycle: Annotated[int, Within(1, 16)] = 4


class DiffusionNet(nn.Module):
    """Frame vectors to a stream of ``dim``: an encoder, and a denoiser conditioned on it."""

    def __init__(self, inputs: int, dim: int, s: DiffusionSize, path: Path, *noisy: Any):
        super().__init__()
        self.encoder = FFConvLSTM(inputs, s.ff, s.conv, s.lstm, s.lstm_layers, embed=s.embed)
        self.out = nn.Linear(self.encoder.size, s.cond)
        net = WaveNet(dim, s.cond, s.channels, s.layers, s.cycle)
        self.stream = NoisyStream(path, net, dim, *noisy)

    def forward(
        self, x: Tensor, mask: Tensor, true: Tensor | None, seeds: Sequence[int], temperature: float
    ) -> tuple[Tensor | None, Tensor]:
        """The loss, if there are true numbers, and numbers (B, T, dim): in sight, or sung."""
        cond = self.out(self.encoder(x, mask))
        if true is None:
            return None, self.stream.sing(cond, mask, seeds, temperature)
        return self.stream.learn(true, cond, mask, seeds)


class NnsvsDiffusion(NeuralAcoustic):
    """``p(F0|C)``, then mel-cepstra and aperiodicity by diffusion given F0, then voicing given both.

    The condition is the true value in training, the predicted one in inference. The streams'
    own errors are reported, of the data that the denoiser has in sight, but only the error
    in the noise is minimised.

    Args:
        lf0, vuv: sizes of these streams' networks, which are those of ``nnsvs_world``;
            ``vuv`` may be conditioned on streams.
        diffused: sizes of the streams that are made from noise: all others of the dump.
        path: ``diffusion``, or ``flow``, rectified flow.
        steps, beta_end: of the :class:`~nnsvs_lite.models.layers.diffusion.Schedule` of ``diffusion``.
        scale, sampling_steps, temperature, linear, power: see :class:`NoisyStream`.
        sampler: ``ddpm``, ``ddim``, ``plms`` are for diffusion, ``euler``, ``midpoint`` for flow, ``dpm`` for
            both.
        options: see :class:`AcousticOptions`.
    """

    def __init__(
        self,
        spec: Spec,
        lf0: StreamSize,
        vuv: StreamSize,
        diffused: dict[str, DiffusionSize],
        path: PathKind = "diffusion",
        steps: Annotated[int, Within(1, 10_000)] = 100,
        beta_end: Rate = 0.06,
        scale: Positive = 10.0,
        sampler: AnySampler = "ddpm",
        sampling_steps: Annotated[int, Within(1, 10_000)] = 100,
        temperature: Weight = 1.0,
        linear: bool = False,
        power: Literal[1, 2] = 1,
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, options, weights=dict.fromkeys(diffused, 0.0))
        if set(diffused) != set(spec.streams) - {"lf0", "vuv"}:
            raise DataError(f"the dump's streams are {', '.join(spec.streams)}", "diffused")
        self.diffused = tuple(diffused)
        self.features = LinguisticFeatures(spec, self.options.context_dropout)
        inner = self.features.size
        self.conditions = Conditions(spec, self.options, inner)
        self.lf0 = StreamNet(inner, 1, lf0, late=1)
        way, sample = way_of(path, sampler, steps, beta_end)
        shared = (scale, sample, sampling_steps, temperature, linear, 1.0, power)
        self.nets = nn.ModuleDict()
        for name, size in diffused.items():
            self.nets[name] = DiffusionNet(inner + 1, spec.streams[name], size, way, *shared)
        self._conditioned_on = vuv.conditioned_on
        self.vuv = StreamNet(inner + 1 + sum(spec.streams[n] for n in self._conditioned_on), 1, vuv)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        mask, seed = batch.frame_mask, batch.seed
        x = self.features(batch, phone) + self.conditions(batch)
        score = self.space.standard_lf0(self.space.floor.steps.score_lf0(batch, phone))
        numbers = {"lf0": self.lf0(x, mask, true.get("lf0"), seed, late=score)[1]}
        sung = self.space.decode(numbers, base)["lf0"]
        x = torch.cat([x, self.space.standard_lf0(batch.streams["lf0"] if true else sung)], dim=-1)
        losses = {}
        for name, net in self.nets.items():
            losses[f"loss_noise_{name}"], numbers[name] = net(
                x, mask, true.get(name), batch.seeds, batch.temperature
            )
        known = true or numbers
        x = torch.cat([x, *(known[n] for n in self._conditioned_on)], dim=-1)
        numbers["vuv"] = self.vuv(x, mask, None, seed)[1]
        return self.space.decode(numbers, base) | {n: v for n, v in losses.items() if v is not None}
