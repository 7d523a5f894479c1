"""SiFi-GAN (Yoneyama, Wu and Toda 2023, arXiv:2210.15533): HiFi-GAN as a source and a filter."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.pitch_dilated import PitchDilated
from nnsvs_lite.models.layers.upsampling import SLOPE, Fusion, check_stages, conv, half_widths, upsample
from nnsvs_lite.models.options import Positive, Size, Weight
from nnsvs_lite.models.vocoder.neural import Conditions, VocoderOptions
from nnsvs_lite.models.vocoder.source_filter import SourceFilter


class PitchResidual(nn.Module):
    """Residual steps: a pitch-dependent convolution for each dilation, and a plain one. (B, C, L)."""

    def __init__(self, channels: int, dilations: tuple[int, ...]):
        super().__init__()
        self.dilations = dilations
        self.pitched = nn.ModuleList(PitchDilated(channels, channels) for _ in dilations)
        self.plain = nn.ModuleList(conv(channels, channels, 3) for _ in dilations)

    def forward(self, x: Tensor, taps: Tensor) -> Tensor:
        for dilation, pitched, plain in zip(self.dilations, self.pitched, self.plain):
            y = pitched(F.leaky_relu(x, SLOPE), (taps * dilation).round().long())
            x = x + plain(F.leaky_relu(y, SLOPE))
        return x


class SifiGan(SourceFilter):
    """Args:
    channels: before the first upsampling; each halves them. rates: samples that one becomes.
    up_kernels: of the upsampling. kernels, dilations: of the filter's residual blocks.
    source_dilations: of the source's blocks, in taps. dense: taps of a period, stage by stage.
    source_weight: of the distance of the excitation.
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 512,
        rates: tuple[Size, ...] = (5, 4, 3, 2),
        up_kernels: tuple[Size, ...] = (10, 8, 6, 4),
        kernels: tuple[Size, ...] = (3, 5, 7),
        dilations: tuple[tuple[Size, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        source_dilations: tuple[tuple[Size, ...], ...] = ((1,), (1, 2), (1, 2, 4), (1, 2, 4, 8)),
        dense: tuple[Positive, ...] = (0.5, 1, 4, 8),
        source_weight: Weight = 1.0,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        super().__init__(spec, source_weight, conditioned_on, options)
        self.check_rates(rates)
        check_stages(channels, rates, up_kernels, kernels, dilations)
        if not len(rates) == len(source_dilations) == len(dense):
            raise DataError(
                f"source_dilations and dense must have {len(rates)} values, one for each of rates"
            )
        sizes = [channels // 2**i for i in range(len(rates) + 1)]
        self.dense, self.rates = dense, [math.prod(rates[: i + 1]) for i in range(len(rates))]
        self.enter = conv(self.size, channels, 7)
        self.embed = conv(1, sizes[-1], 7)
        self.downs = nn.ModuleList(
            weight_norm(nn.Conv1d(a, b, 2 * rate, rate, rate - 1))
            for a, b, rate in zip(sizes[:1:-1], sizes[-2:0:-1], rates[:0:-1])
        )
        self.source_ups = nn.ModuleList(map(upsample, sizes, sizes[1:], up_kernels, rates))
        self.source_blocks = nn.ModuleList(map(PitchResidual, sizes[1:], source_dilations))
        self.source_leave = conv(sizes[-1], 1, 7)
        self.ups = nn.ModuleList(map(upsample, sizes, sizes[1:], up_kernels, rates))
        self.blocks = nn.ModuleList(Fusion(size, kernels, dilations, False) for size in sizes[1:])
        self.leave = conv(sizes[-1], 1, 7)
        pitched = sum(
            sum(steps) * self.furthest(d, rate) + len(steps) / rate
            for d, rate, steps in zip(dense, self.rates, source_dilations)
        )
        plain = half_widths(rates, up_kernels, kernels, dilations, False)
        self.reach = math.ceil(pitched) + self.frames_of(3 + plain) + 4

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        x = source = self.enter(x)
        sine, _ = self.sines(batch, everywhere=True)
        embedded = [self.embed(sine)]
        for down in self.downs:
            embedded.append(F.leaky_relu(down(embedded[-1]), SLOPE))
        for i, (source_up, source_block, up, block) in enumerate(
            zip(self.source_ups, self.source_blocks, self.ups, self.blocks)
        ):
            source = source_up(F.leaky_relu(source, SLOPE)) + embedded[-1 - i]
            source = source_block(source, self.taps(batch, self.dense[i], self.rates[i]))
            x = block(up(F.leaky_relu(x, SLOPE)) + source)
        excitation = self.source_leave(F.leaky_relu(source))
        return torch.cat([torch.tanh(self.leave(F.leaky_relu(x))), excitation], 1)
