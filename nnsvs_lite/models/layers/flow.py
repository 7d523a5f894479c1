"""Rectified flow: from noise to data along straight lines (Liu et al. 2022, arXiv:2209.03003).

Samplers are those of :mod:`nnsvs_lite.models.layers.diffusion`, here with a velocity in place of the noise.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.diffusion import Model, Noise, WaveNet, ddim, pairs

FlowSampler = Literal["euler", "midpoint"]


class Straight:
    """The path ``share * data + (1 - share) * noise``, times 0 to 1, with a constant velocity.

    Args:
        data_at: 1 where time goes from noise to data (Liu et al.; DiffSinger), 0 where it goes from data to
            noise (ACE-Step). The velocity is always the slope along time: data - noise, or noise - data.
    """

    def __init__(self, data_at: Literal[0, 1] = 1):
        self.clean, self.noisy = float(data_at), float(1 - data_at)

    def times(self, count: int) -> list[float]:
        """``count`` even steps from noise, the last one before clean data."""
        return [self.noisy + (self.clean - self.noisy) * i / count for i in range(count)]

    def velocity(self, x0: Tensor, noise: Tensor) -> Tensor:
        """Of the way between them."""
        return (x0 - noise) * (self.clean - self.noisy)

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Where that way is at ``t`` (B,)."""
        return noise + (t - self.noisy).abs()[:, None, None] * (x0 - noise)

    def transfer(self, x: Tensor, velocity: Tensor, t: Tensor, to: Tensor) -> Tensor:
        """From time ``t`` to another along the same velocity."""
        return x + (to - t)[:, None, None] * velocity

    def data_in(self, x: Tensor, t: Tensor, velocity: Tensor) -> Tensor:
        """Where a velocity leads to."""
        return self.transfer(x, velocity, t, torch.full_like(t, self.clean))


def midpoint(
    path: Straight, model: Model, x: Tensor, steps: Sequence[float], noise: Noise | None = None
) -> Tensor:
    """The midpoint method, two evaluations a step; ``noise`` is not used."""
    for t, to in pairs(path, steps, x):
        half = (t + to) / 2
        x = path.transfer(x, model(path.transfer(x, model(x, t), t, half), half), t, to)
    return x


SAMPLERS = {"euler": ddim, "midpoint": midpoint}


class FlowStream(nn.Module):
    """Frames made from noise under a condition, in numbers of about unit size, by rectified flow.

    The network tells the data in sight; their distance over the time left is the velocity. An untrained one
    ends at 0, and one with fewer channels than the data has dimensions need not pass the noise through.

    Args:
        dim, cond, channels, layers, cycle: see :class:`~nnsvs_lite.models.layers.diffusion.WaveNet`.
        sampler, sampling_steps: how to sing.
    """

    def __init__(
        self,
        dim: int,
        cond: int,
        channels: int,
        layers: int,
        cycle: int,
        sampler: FlowSampler = "midpoint",
        sampling_steps: int = 4,
    ):
        super().__init__()
        self.path, self.sampler, self.sampling_steps = Straight(), sampler, sampling_steps
        self.net = WaveNet(dim, cond, channels, layers, cycle)

    def in_sight(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """The mean of the data that may have become ``x`` (B, T, dim) at times ``t`` (B,)."""
        return self.net(x, t * 1000, cond, mask)

    def learn(self, data: Tensor, noise: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """Mean square error of the data in sight. Times are even over rows; in testing always the same."""
        rows = len(data)
        place = torch.arange(rows, device=data.device) + 0.5
        if self.training:
            place = torch.randperm(rows, device=data.device) + torch.rand(rows, device=data.device)
        t = place / rows
        found = self.in_sight(self.path.q_sample(data, t, noise), t, cond, mask)
        # Half precision would lose the small differences that are left late in training.
        error = ((found.float() - data).square() * mask[..., None]).sum()
        return error / (mask.sum() * data.shape[-1]).clamp(min=1)

    def sing(self, noise: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """From ``noise`` (B, T, dim) to data."""

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            return (self.in_sight(x, t, cond, mask) - x) / (1 - t)[:, None, None]

        return SAMPLERS[self.sampler](self.path, velocity, noise, self.path.times(self.sampling_steps))
