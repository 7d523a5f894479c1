"""HiFi-GAN (Kong, Kim and Bae 2020, arXiv:2010.05646)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.upsampling import SLOPE, Fusion, check_stages, conv, half_widths, upsample
from nnsvs_lite.models.options import Size
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions


class HifiGan(NeuralVocoder):
    """Args:
    channels: before the first upsampling; each halves them. rates: samples that one becomes.
    up_kernels: of the upsampling. kernels, dilations: of the residual blocks after each.
    paired: whether a dilated convolution is followed by another one (V1, V2; not V3).
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 512,
        rates: tuple[Size, ...] = (8, 8, 2, 2),
        up_kernels: tuple[Size, ...] = (16, 16, 4, 4),
        kernels: tuple[Size, ...] = (3, 7, 11),
        dilations: tuple[tuple[Size, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        paired: bool = True,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        super().__init__(spec, conditioned_on, options)
        self.check_rates(rates)
        check_stages(rates, up_kernels, kernels, dilations)
        sizes = [channels // 2**i for i in range(len(rates) + 1)]
        self.enter = conv(self.size, channels, 7)
        self.ups = nn.ModuleList(map(upsample, sizes, sizes[1:], up_kernels, rates))
        self.blocks = nn.ModuleList(Fusion(size, kernels, dilations, paired) for size in sizes[1:])
        self.leave = conv(sizes[-1], 1, 7)
        self.reach = self.frames_of(3 + half_widths(rates, up_kernels, kernels, dilations, paired)) + 3

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        x = self.enter(x)
        for up, block in zip(self.ups, self.blocks):
            x = block(up(F.leaky_relu(x, SLOPE)))
        # The published code has the usual slope here.
        return torch.tanh(self.leave(F.leaky_relu(x))).squeeze(1)
