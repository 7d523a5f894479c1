"""hn-uSFGAN (Yoneyama, Wu and Toda 2022, arXiv:2205.06053): one network as harmonic and noise sources and a
filter, in its parallel form.
"""

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.pitch_dilated import PitchDilated
from nnsvs_lite.models.layers.upsampling import conv
from nnsvs_lite.models.layers.wavenet import GatedBlock, StretchUpsample, cycled_dilations
from nnsvs_lite.models.options import Depth, Positive, Size, Weight
from nnsvs_lite.models.vocoder.neural import Conditions, VocoderOptions
from nnsvs_lite.models.vocoder.source_filter import SourceFilter


class HnUsfGan(SourceFilter):
    """Args:
    channels, gate_channels: of the gated convolutions.
    harmonic_layers, harmonic_cycles: of the pitch-dependent ones over a sine, whose dilations start again
        after each cycle. noise_layers: over noise, without dilation.
    filter_layers, filter_cycles: after both.
    dense: taps of a period. rates: samples that one becomes.
    context: frames on each side that a frame is seen with. source_weight: of the distance of the excitation.
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 64,
        gate_channels: Size = 128,
        harmonic_layers: Size = 20,
        harmonic_cycles: Size = 4,
        noise_layers: Size = 5,
        filter_layers: Size = 30,
        filter_cycles: Size = 3,
        dense: Positive = 4.0,
        rates: tuple[Size, ...] = (5, 4, 3, 2),
        context: Depth = 2,
        source_weight: Weight = 1.0,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        super().__init__(spec, source_weight, conditioned_on, options)
        self.check_rates(rates)
        self.dense = dense
        self.up = StretchUpsample(self.size, rates, context)

        def blocks(convolutions: list[nn.Module]) -> nn.ModuleList:
            return nn.ModuleList(GatedBlock(c, channels, gate_channels, self.size) for c in convolutions)

        self.dilations = cycled_dilations(harmonic_layers, harmonic_cycles)
        filters = cycled_dilations(filter_layers, filter_cycles)
        self.enter_sine, self.enter_noise = conv(1, channels, 1), conv(1, channels, 1)
        self.harmonic = blocks([PitchDilated(channels, gate_channels) for _ in self.dilations])
        self.noisy = blocks([conv(channels, gate_channels, 3) for _ in range(noise_layers)])
        self.filter = blocks([conv(channels, gate_channels, 3, d) for d in filters])
        sizes = [self.size, channels, channels]
        layers = [layer for size in sizes for layer in (conv(size, channels, 5), nn.ReLU())]
        self.periodicity = nn.Sequential(*layers[:-1], nn.Sigmoid())
        self.leave = nn.Sequential(nn.ReLU(), conv(channels, channels, 1), nn.ReLU(), conv(channels, 1, 1))
        pitched = sum(self.dilations) * self.furthest(dense, self.hop) + len(self.dilations) / self.hop
        plain = self.up.half_width + max(6, noise_layers) + sum(filters)
        self.reach = math.ceil(pitched) + self.frames_of(plain) + 1

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        cond, taps = self.up(x), self.taps(batch, self.dense, self.hop)
        sine, _ = self.sines(batch, everywhere=True)
        harmonic, noise = self.enter_sine(sine), self.enter_noise(self.noise(batch))
        for block, dilation in zip(self.harmonic, self.dilations):
            harmonic, _ = block(harmonic, cond, (taps * dilation).round().long())
        for block in self.noisy:
            noise, _ = block(noise, cond)
        share = self.periodicity(cond)
        source = y = share * harmonic + (1 - share) * noise
        for block in self.filter:
            y, _ = block(y, cond)
        return torch.cat([self.leave(y), self.leave(source)], 1)
