"""Parallel WaveGAN (Yamamoto, Song and Kim 2020, arXiv:1910.11480)."""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.layers.upsampling import conv
from nnsvs_lite.models.layers.wavenet import GatedStack, StretchUpsample, cycled_dilations
from nnsvs_lite.models.options import Depth, Size
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions


class ParallelWaveGan(NeuralVocoder):
    """Args:
    channels, gate_channels, skip_channels: of the gated convolutions. layers: of them.
    cycles: how often dilations start again at 1. kernel: odd.
    rates: samples that one becomes. context: frames on each side that a frame is seen with.
    harmonics: of sines at F0 that enter beside the noise (Wang, Takaki and Yamagishi 2019, arXiv:1904.12088),
        0 for noise alone, as published: of that a network makes a tone only if it hears some periods at once.
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 64,
        gate_channels: Size = 128,
        skip_channels: Size = 64,
        layers: Size = 30,
        cycles: Size = 3,
        kernel: Size = 3,
        rates: tuple[Size, ...] = (4, 5, 3, 5),
        context: Depth = 2,
        harmonics: Depth = 0,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        made = None
        if harmonics:
            made = SineSource(spec.sample_rate, spec.frame_shift, harmonics - 1, amplitude=1.0)
        super().__init__(spec, conditioned_on, options, made)
        self.check_rates(rates)
        self.up = StretchUpsample(self.size, rates, context)
        self.enter = conv(1 + harmonics, channels, 1)
        dilations = cycled_dilations(layers, cycles)
        self.stack = GatedStack(channels, gate_channels, skip_channels, self.size, kernel, dilations)
        self.leave = nn.Sequential(
            nn.ReLU(), conv(skip_channels, skip_channels, 1), nn.ReLU(), conv(skip_channels, 1, 1)
        )
        self.reach = self.frames_of(self.up.half_width + kernel // 2 * sum(dilations))

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        heard = self.noise(batch)
        if self.source is not None:
            heard = torch.cat([heard, self.sines(batch)[0]], 1)
        return self.leave(self.stack(self.enter(heard), self.up(x))).squeeze(1)
