"""Rectified flow: from noise to data along straight lines (Liu et al. 2022, arXiv:2209.03003).

Samplers are those of :mod:`nnsvs_lite.models.layers.diffusion`, here with a velocity in place of the noise.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers import diffusion
from nnsvs_lite.models.layers.diffusion import Model, Noise, Schedule, WaveNet, ddim, dpm, pairs

FlowSampler = Literal["euler", "midpoint", "dpm"]


class Straight(nn.Module):
    """The path ``share * data + (1 - share) * noise``, times 0 to 1, with a constant velocity.

    Args:
        data_at: 1 where time goes from noise to data (Liu et al.; DiffSinger), 0 where it goes from data to
            noise (ACE-Step). The velocity is always the slope along time: data - noise, or noise - data.
    """

    def __init__(self, data_at: Literal[0, 1] = 1):
        super().__init__()
        self.clean, self.noisy = float(data_at), float(1 - data_at)

    def _at(self, depth: float | Tensor) -> float | Tensor:
        return self.clean + (self.noisy - self.clean) * depth

    def times(self, count: int, depth: float = 1.0) -> list[float]:
        """``count`` even steps from noise, or a part ``depth`` of the way to it; the last one before clean
        data.
        """
        return [self._at(depth * (1 - i / count)) for i in range(count if depth else 0)]

    def draw(self, rows: int, depth: float, training: bool, device: torch.device) -> Tensor:
        """Times (rows,), even over rows, in training each somewhere in its part."""
        place = torch.arange(rows, device=device) + 0.5
        if training:
            place = torch.randperm(rows, device=device) + torch.rand(rows, device=device)
        return self._at(depth * (1 - place / rows))

    def clock(self, t: Tensor) -> Tensor:
        return t * 1000

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        """The velocity of the way between them."""
        return (x0 - noise) * (self.clean - self.noisy)

    def towards(self, x: Tensor, t: Tensor, data: Tensor) -> Tensor:
        return (data - x) / (self.clean - t)[:, None, None]

    def parts(self, t: Tensor) -> tuple[Tensor, Tensor]:
        share = (t - self.noisy).abs()[:, None, None]
        return share, 1 - share

    def slope(self, t: Tensor, variance: float) -> Tensor:
        data, noise = self.parts(t)
        guess = (data * variance - noise) / (data**2 * variance + noise**2)
        return guess * (self.clean - self.noisy)

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


SAMPLERS = {"euler": ddim, "midpoint": midpoint, "dpm": dpm}

PathKind = Literal["diffusion", "flow"]
AnySampler = Literal["ddpm", "ddim", "plms", "dpm", "euler", "midpoint"]


def way_of(
    path: PathKind, sampler: AnySampler, steps: int, beta_end: float
) -> tuple[diffusion.Path, Callable]:
    """A path and a sampler on it. ``steps``, ``beta_end``: of the :class:`Schedule` of ``diffusion``.

    Raises DataError for a sampler of the other path alone.
    """
    known = diffusion.SAMPLERS if path == "diffusion" else SAMPLERS
    if sampler not in known:
        raise DataError(f"{sampler} is none for {path}; there are {', '.join(known)}", "sampler")
    return Schedule(steps, beta_end) if path == "diffusion" else Straight(), known[sampler]


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
        return self.net(x, self.path.clock(t), cond, mask)

    def learn(self, data: Tensor, noise: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """Mean square error of the data in sight. Times are even over rows; in testing always the same."""
        t = self.path.draw(len(data), 1.0, self.training, data.device)
        found = self.in_sight(self.path.q_sample(data, t, noise), t, cond, mask)
        # Half precision would lose the small differences that are left late in training.
        error = ((found.float() - data).square() * mask[..., None]).sum()
        return error / (mask.sum() * data.shape[-1]).clamp(min=1)

    def sing(self, noise: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """From ``noise`` (B, T, dim) to data."""

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            return self.path.towards(x, t, self.in_sight(x, t, cond, mask))

        return SAMPLERS[self.sampler](self.path, velocity, noise, self.path.times(self.sampling_steps))
