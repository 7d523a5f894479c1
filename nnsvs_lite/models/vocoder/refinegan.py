"""RefineGAN (Xu, Zhao and Guo 2021, arXiv:2111.00962): a pitch-guided template, refined by a U-Net."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.comb import comb
from nnsvs_lite.models.layers.noise import running_noise
from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.layers.upsampling import conv
from nnsvs_lite.models.layers.wave_losses import envelope_distance
from nnsvs_lite.models.options import Size, Weight
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions

SLOPE = 0.2
DILATIONS = (1, 3, 5)


class TwiceDilated(nn.Module):
    """Residual steps of two convolutions of one dilation each; the first may widen. (B, C, L)."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        sizes = [inputs] + [outputs] * (len(DILATIONS) - 1)
        self.first = nn.ModuleList(conv(n, outputs, kernel, d) for n, d in zip(sizes, DILATIONS))
        self.second = nn.ModuleList(conv(outputs, outputs, kernel, d) for d in DILATIONS)

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.first, self.second):
            y = second(F.leaky_relu(first(F.leaky_relu(x, SLOPE)), SLOPE))
            x = x + y if x.shape == y.shape else y
        return x


class NoisyFusion(nn.Module):
    """The mean of residual blocks of several kernels, with noise before and after each. (B, C, L)."""

    def __init__(self, inputs: int, outputs: int, kernels: tuple[int, ...]):
        super().__init__()
        self.enter = nn.Conv1d(inputs, outputs, 7, padding=3)
        self.blocks = nn.ModuleList(TwiceDilated(outputs, outputs, kernel) for kernel in kernels)
        self.level = nn.Parameter(torch.ones(len(kernels), 2, outputs, 1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """``noise`` (B, kernels, 2, outputs, L)."""
        x, noise, total = self.enter(x), noise * self.level, 0.0
        for i, block in enumerate(self.blocks):
            y = block(F.leaky_relu(x + noise[:, i, 0], SLOPE))
            total = total + F.leaky_relu(y + noise[:, i, 1], SLOPE)
        return total / len(self.blocks)


class RefineGan(NeuralVocoder):
    """Args:
    channels: of the template; each downsampling doubles them. rates: of upsampling; downsampling has them in
        the other order. kernels: of the blocks after upsampling.
    envelope: weight of the distance of the waveforms' upper and lower edges.
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 16,
        rates: tuple[Size, ...] = (8, 8, 2, 2),
        kernels: tuple[Size, ...] = (3, 7, 11),
        envelope: Weight = 1.0,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        source = SineSource(spec.sample_rate, spec.frame_shift, harmonics=0)
        super().__init__(spec, conditioned_on, options, source)
        self.check_rates(rates)
        self.rates, self.kernels, self.envelope = rates, kernels, envelope
        sizes = [channels * 2**i for i in range(len(rates) + 1)]
        self.enter_template = conv(1, channels, 7)
        self.downs = nn.ModuleList(TwiceDilated(a, b, 7) for a, b in zip(sizes, sizes[1:]))
        self.enter = conv(self.size, sizes[-1], 7)
        wide, step = 2 * sizes[-1], math.prod(rates[1:])
        self.guide = nn.Conv1d(1, wide, 2 * step, step, (step + 1) // 2)
        self.sizes = [wide // 2**i for i in range(1, len(rates) + 1)]
        self.ups = nn.ModuleList(NoisyFusion(2 * n + n // 2, n, kernels) for n in self.sizes)
        self.leave = conv(self.sizes[-1], 1, 7)
        scales = [math.prod(rates[i:]) for i in range(len(rates) + 1)]
        deep = 2 * sum(DILATIONS)
        down = sum((3 * deep + 1) * scale for scale in scales[:-1])
        up = sum((3 + max(kernels) // 2 * deep + 1) * scale for scale in scales[1:])
        self.reach = self.frames_of(6 + down + up) + 4

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        template = self.pulses(batch)
        y, passed = self.enter_template(template), []
        for down, rate in zip(self.downs, self.rates[::-1]):
            y = F.leaky_relu(y, SLOPE)
            passed.append(y)
            y = down(F.interpolate(y, size=y.shape[-1] // rate, mode="linear"))
        y = torch.cat([y, self.enter(x)], 1)
        for i, (up, rate) in enumerate(zip(self.ups, self.rates)):
            y = F.interpolate(F.leaky_relu(y, SLOPE), size=y.shape[-1] * rate, mode="linear")
            y = y if i else y + self.guide(template)
            y = up(torch.cat([y, passed[-1 - i]], 1), self.grain(batch, i))
        return torch.tanh(self.leave(F.leaky_relu(y, SLOPE))).squeeze(1)

    def pulses(self, batch: Batch) -> Tensor:
        """The template (B, 1, S): a pulse a period where voiced, of the rate's whole band, and noise."""
        source, streams = self.source, batch.streams
        size = batch.max_frames * self.hop
        phase, f0 = source.phase(streams["lf0"], streams["turns"], batch.frame_lengths, size)
        pulses = comb(phase, f0, self.spec.sample_rate) * (f0 / self.spec.sample_rate).sqrt().float()
        frame, _ = source.places(batch.frame_lengths, size)
        voiced = (streams["vuv"] > 0.5).gather(1, frame).transpose(1, 2)
        level = torch.where(voiced, source.noise, source.amplitude / 3)
        return source.amplitude * pulses.transpose(1, 2) * voiced + level * self.noise(batch)

    def grain(self, batch: Batch, stage: int) -> Tensor:
        """Noise (B, kernels, 2, channels, L) of a stage."""
        rate, channels = math.prod(self.rates[: stage + 1]), self.sizes[stage]
        shape, size = (len(self.kernels), 2, channels), batch.max_frames * rate
        if self.training:
            return torch.randn(len(batch.frame_lengths), *shape, size, device=batch.frame_lengths.device)
        everywhere = torch.full_like(batch.frame_lengths, size)
        made = running_noise(batch.first_frame * rate, everywhere, size, math.prod(shape), batch.seed)
        return made.transpose(1, 2).unflatten(1, shape)

    def distance(self, wav: Tensor, real: Tensor, batch: Batch) -> dict[str, Tensor]:
        losses = super().distance(wav, real, batch)
        if not self.envelope:
            return losses
        term = self.envelope * envelope_distance(wav, real, self.samples(batch))
        return losses | {"envelope": term, "loss": losses["loss"] + term}
