"""BigVGAN (Lee et al. 2023, arXiv:2206.04658): HiFi-GAN with periodic activations that have no aliases."""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.snake import HALF_WIDTH, AntiAliased, Snake
from nnsvs_lite.models.layers.upsampling import Fusion, check_stages, conv, half_widths, upsample
from nnsvs_lite.models.options import Size
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions


class BigVgan(NeuralVocoder):
    """Args:
    channels: before the first upsampling; each halves them. rates: samples that one becomes.
    up_kernels: of the upsampling. kernels, dilations: of the residual blocks after each.
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 1536,
        rates: tuple[Size, ...] = (4, 4, 2, 2, 2, 2),
        up_kernels: tuple[Size, ...] = (8, 8, 4, 4, 4, 4),
        kernels: tuple[Size, ...] = (3, 7, 11),
        dilations: tuple[tuple[Size, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        super().__init__(spec, conditioned_on, options)
        self.check_rates(rates)
        check_stages(channels, rates, up_kernels, kernels, dilations)
        sizes = [channels // 2**i for i in range(len(rates) + 1)]
        self.enter = conv(self.size, channels, 7)
        self.ups = nn.ModuleList(map(upsample, sizes, sizes[1:], up_kernels, rates))
        self.blocks = nn.ModuleList(
            Fusion(size, kernels, dilations, activation=activation) for size in sizes[1:]
        )
        self.leave = nn.Sequential(activation(sizes[-1]), conv(sizes[-1], 1, 7))
        samples = 3 + HALF_WIDTH + half_widths(rates, up_kernels, kernels, dilations, more=HALF_WIDTH)
        self.reach = self.frames_of(samples) + 3

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        x = self.enter(x)
        for up, block in zip(self.ups, self.blocks):
            x = block(up(x))
        return torch.tanh(self.leave(x)).squeeze(1)


def activation(channels: int) -> nn.Module:
    return AntiAliased(Snake(channels))
