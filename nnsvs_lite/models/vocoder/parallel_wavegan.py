"""Parallel WaveGAN (Yamamoto, Song and Kim 2020, arXiv:1910.11480)."""

from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.upsampling import conv
from nnsvs_lite.models.layers.wavenet import GatedStack, StretchUpsample, cycled_dilations
from nnsvs_lite.models.options import Depth, Size
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions


class ParallelWaveGan(NeuralVocoder):
    """Args:
    channels, gate_channels, skip_channels: of the gated convolutions. layers: of them.
    cycles: how often dilations start again at 1. kernel: odd.
    rates: samples that one becomes. context: frames on each side that a frame is seen with.
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
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        super().__init__(spec, conditioned_on, options)
        self.check_rates(rates)
        self.up = StretchUpsample(self.size, rates, context)
        self.enter = conv(1, channels, 1)
        dilations = cycled_dilations(layers, cycles)
        self.stack = GatedStack(channels, gate_channels, skip_channels, self.size, kernel, dilations)
        self.leave = nn.Sequential(
            nn.ReLU(), conv(skip_channels, skip_channels, 1), nn.ReLU(), conv(skip_channels, 1, 1)
        )
        self.reach = self.frames_of(self.up.half_width + kernel // 2 * sum(dilations))

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        return self.leave(self.stack(self.enter(self.noise(batch)), self.up(x))).squeeze(1)
