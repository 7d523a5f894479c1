"""Convolutions that do not see padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.io.errors import DataError


class MaskedConv1d(nn.Module):
    """A length-keeping convolution over (B, L, C) in which padding counts as zero."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, dilation: int = 1, bias: bool = True, groups: int = 1
    ):
        super().__init__()
        if kernel % 2 == 0:
            raise DataError(f"kernel {kernel} is even; only odd ones keep lengths")
        padding = dilation * (kernel // 2)
        options = {"padding": padding, "dilation": dilation, "bias": bias, "groups": groups}
        self.conv = nn.Conv1d(inputs, outputs, kernel, **options)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, C), ``mask`` (B, L) bool."""
        x = x * mask[..., None]
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


class ConvStack(nn.Module):
    """Residual blocks of dilated convolution, LayerNorm, GELU and dropout.

    From block to block dilations double, and start again after ``cycle``.
    """

    def __init__(self, dim: int, layers: int, kernel: int, dropout: float, cycle: int = 1):
        super().__init__()
        self.convs = nn.ModuleList(
            MaskedConv1d(dim, dim, kernel, dilation=2 ** (i % cycle)) for i in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(layers))
        self.mixes = nn.ModuleList(nn.Linear(dim, dim) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        for conv, norm, mix in zip(self.convs, self.norms, self.mixes):
            x = x + self.dropout(mix(F.gelu(conv(norm(x), mask))))
        return x


def smooth(x: Tensor, mask: Tensor, kernel: Tensor) -> Tensor:
    """Moving mean of ``x`` (B, T, D), weighted by ``kernel`` (K,), odd, positive, over valid frames only."""
    x, weights = x.float(), mask[..., None].float()

    def convolve(v: Tensor) -> Tensor:
        b, t, d = v.shape
        rows = v.transpose(1, 2).reshape(b * d, 1, t)
        out = F.conv1d(rows, kernel[None, None], padding=len(kernel) // 2)
        return out.reshape(b, d, t).transpose(1, 2)

    # Mixed precision would round log F0 by a quarter of a tone. (The meta device knows no such thing.)
    with torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False):
        return convolve(x * weights) / convolve(weights).clamp(min=1e-8)


def gaussian_kernel(seconds: float, frame_shift: float) -> Tensor:
    """A Gaussian of standard deviation ``seconds``, cut at three deviations, sum 1."""
    deviation = max(seconds / frame_shift, 1e-3)
    reach = max(1, int(3 * deviation + 0.5))
    points = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (points / deviation) ** 2)
    return kernel / kernel.sum()


class MaskedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy, 2015) whose statistics leave padding out.

    The running statistics are means over batches, of which later ones weigh more, the newest at least
    ``momentum``: they follow the fast changes of the first steps, and are of use after a few.
    """

    def __init__(self, dim: int, momentum: float = 0.1):
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        mean, var = self.running_mean, self.running_var
        if self.training:
            # Sums over thousands of rows overflow in half precision.
            values, weights = x.float(), mask[..., None].float()
            count = weights.sum().clamp(min=1)
            mean = (values * weights).sum((0, 1)) / count
            var = ((values - mean).square() * weights).sum((0, 1)) / count
            with torch.no_grad():
                self.batches += 1
                # Batch n of the first weighs as n (n + 1).
                share = (3 / (self.batches + 2)).clamp(min=self.momentum)
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(var * count / (count - 1).clamp(min=1), share)
        scale = self.weight * torch.rsqrt(var + 1e-5)
        return (x * scale + (self.bias - mean * scale)).to(x.dtype)


def passed_on(x: Tensor, share: float) -> Tensor:
    """``x``, of whose gradient a share goes on."""
    return x * share + x.detach() * (1 - share)


class VariancePredictor(nn.Module):
    """``layers`` blocks of convolution, ReLU, LayerNorm and dropout (Ren et al. 2021, arXiv:2006.04558)."""

    def __init__(self, inputs: int, hidden: int, layers: int, kernel: int, dropout: float):
        super().__init__()
        sizes = [inputs] + [hidden] * (layers - 1)
        self.convs = nn.ModuleList(MaskedConv1d(size, hidden, kernel) for size in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, inputs), ``mask`` (B, L) bool: (B, L, hidden)."""
        for conv, norm in zip(self.convs, self.norms):
            x = self.dropout(norm(torch.relu(conv(x, mask))))
        return x
