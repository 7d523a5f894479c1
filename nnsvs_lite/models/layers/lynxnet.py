"""Networks of depthwise convolutions, as the openvpi branch of DiffSinger has them (read in its code)."""

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.convnext import ConvNextBlock
from nnsvs_lite.models.layers.diffusion import step_embedding


class DepthwiseConv1d(MaskedConv1d):
    """Each of ``dim`` channels by itself."""

    def __init__(self, dim: int, kernel: int):
        super().__init__(dim, dim, kernel, groups=dim)


class LynxBlock(nn.Module):
    """LayerNorm, a depthwise convolution, and linear layers gated twice by an arc tangent; added to its
    input.
    """

    def __init__(self, dim: int, kernel: int, dropout: float):
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(dim), DepthwiseConv1d(dim, kernel)
        self.gates = nn.ModuleList(nn.Linear(dim, 2 * dim) for _ in range(2))
        self.out, self.dropout = nn.Linear(dim, dim), nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``mask`` (B, T)."""
        y = self.conv(self.norm(x), mask)
        for layer in self.gates:
            value, gate = layer(y).chunk(2, dim=-1)
            y = value * torch.atan(gate)
        return x + self.dropout(self.out(y))


class LynxNet2(nn.Module):
    """A denoiser, or a velocity field, without dilations or skips: condition and step enter once, at the
    bottom.

    The last layer starts at zero. Arguments as of :class:`~nnsvs_lite.models.layers.diffusion.WaveNet`.
    """

    def __init__(
        self, dim: int, cond: int, channels: int, layers: int, kernel: int = 31, dropout: float = 0.0
    ):
        super().__init__()
        self.channels = channels
        self.entry, self.cond = nn.Linear(dim, channels), nn.Linear(cond, channels)
        self.step = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )
        self.blocks = nn.ModuleList(LynxBlock(channels, kernel, dropout) for _ in range(layers))
        self.norm, self.exit = nn.LayerNorm(channels), nn.Linear(channels, dim)
        for layer in (self.entry, self.cond):
            nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``t`` (B,) steps, ``cond`` (B, T, cond), ``mask`` (B, T): (B, T, dim)."""
        step = self.step(step_embedding(t, self.channels).to(x.dtype))
        x = self.entry(x) + self.cond(cond) + step[:, None]
        for block in self.blocks:
            x = block(x, mask)
        return self.exit(self.norm(x))


class ConvNext(nn.Module):
    """A convolution to ``channels`` and blocks of ConvNeXt, scaled by learnt numbers that start at 1e-6."""

    def __init__(self, inputs: int, channels: int, layers: int, kernel: int):
        super().__init__()
        self.entry = MaskedConv1d(inputs, channels, kernel)
        self.blocks = nn.ModuleList(
            ConvNextBlock(channels, 4 * channels, 1e-6, kernel) for _ in range(layers)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, inputs), ``mask`` (B, T): (B, T, channels)."""
        x, heard = self.entry(x, mask).transpose(1, 2), mask[:, None]
        for block in self.blocks:
            x = block(x * heard)
        return x.transpose(1, 2)
