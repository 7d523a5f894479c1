"""Denoising diffusion: schedule, samplers, and a stream that is made by them.

Steps are numbered 0..K-1 from little noise to much; -1 is clean data. Samplers share one form, ``(path,
model, x, steps, noise)``: ``steps`` go towards the data, and ``x`` (B, T, D) is at ``steps[0]``; without
steps it is the data. A :class:`Path` says in ``clean`` which step the data is, and goes in ``transfer`` from
one step to another: a :class:`Schedule`, or :class:`~nnsvs_lite.models.layers.flow.Straight`, on which
``ddim`` is Euler's method.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.noise import frame_noise


def step_embedding(t: Tensor, dim: int) -> Tensor:
    """Sines and cosines of a step: (B,) to (B, dim); wave lengths up to ``10000 * 2 pi`` steps."""
    half = dim // 2
    rates = torch.exp(torch.arange(half, device=t.device) * (-math.log(10000.0) / max(half - 1, 1)))
    angles = t[:, None].to(rates.dtype) * rates
    return F.pad(torch.cat([angles.sin(), angles.cos()], dim=-1), (0, dim % 2))


class WaveNet(nn.Module):
    """The denoiser of DiffSinger (Liu et al. 2022, arXiv:2105.02446, after DiffWave), over frames.

    The last layer starts at zero: a new network says that there is no noise. Dilations double from one of the
    ``layers`` residual blocks to the next, and start again after ``cycle``.
    """

    def __init__(self, dim: int, cond: int, channels: int, layers: int, cycle: int = 1):
        super().__init__()
        self.channels = channels
        self.entry = nn.Linear(dim, channels)
        self.step = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.Mish(), nn.Linear(4 * channels, channels)
        )
        self.steps = nn.ModuleList(nn.Linear(channels, channels) for _ in range(layers))
        self.conds = nn.ModuleList(nn.Linear(cond, 2 * channels) for _ in range(layers))
        self.convs = nn.ModuleList(
            MaskedConv1d(channels, 2 * channels, 3, dilation=2 ** (i % cycle)) for i in range(layers)
        )
        self.outs = nn.ModuleList(nn.Linear(channels, 2 * channels) for _ in range(layers))
        self.skip = nn.Linear(channels, channels)
        self.exit = nn.Linear(channels, dim)
        for layer in [self.entry, self.skip, *self.conds, *self.outs, *(c.conv for c in self.convs)]:
            nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``t`` (B,) steps, ``cond`` (B, T, cond), ``mask`` (B, T): (B, T, dim)."""
        x = torch.relu(self.entry(x))
        step = self.step(step_embedding(t, self.channels))
        skips = torch.zeros_like(x)
        for parts in zip(self.steps, self.convs, self.conds, self.outs):
            x, skip = self.block(parts, x, step, cond, mask)
            skips = skips + skip
        return self.exit(F.relu(self.skip(skips / math.sqrt(len(self.convs)))))

    def block(
        self, parts: Sequence[nn.Module], x: Tensor, step: Tensor, cond: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One residual block: what goes on, and what is added up."""
        move, conv, told, out = parts
        gate, value = (conv(x + move(step)[:, None], mask) + told(cond)).chunk(2, dim=-1)
        rest, skip = out(torch.sigmoid(gate) * torch.tanh(value)).chunk(2, dim=-1)
        return (x + rest) / math.sqrt(2.0), skip


Model = Callable[[Tensor, Tensor], Tensor]
"""``(x (B, T, D), t (B,))`` to the noise in ``x``: (B, T, D)."""

Noise = Callable[[int], Tensor]
"""Standard normal noise for a step: (B, T, D)."""


class Path(Protocol):
    """Ways between data and noise: ``parts[0] * x0 + parts[1] * noise`` at a step."""

    clean: float

    def parts(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The factors of data and noise at steps ``t`` (B,): (B, 1, 1) each."""

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Data ``x0`` (B, T, D) with the noise of steps ``t`` (B,)."""

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        """What a network learns to tell: (B, T, D), the same all the way."""

    def data_in(self, x: Tensor, t: Tensor, found: Tensor) -> Tensor:
        """The data in ``x``, if what a network ``found`` is true."""

    def towards(self, x: Tensor, t: Tensor, data: Tensor) -> Tensor:
        """The target that would lead from ``x`` to ``data``: the inverse of :meth:`data_in`."""

    def transfer(self, x: Tensor, found: Tensor, t: Tensor, to: Tensor) -> Tensor:
        """``x`` at another step, along what a network ``found`` at ``t``."""

    def slope(self, t: Tensor, variance: float) -> Tensor:
        """(B, 1, 1): the target is best guessed from ``x`` alone by this, for data of that variance."""

    def times(self, count: int, depth: float = 1.0) -> list:
        """The ``count`` steps that a sampler visits, even from ``depth`` (1: noise alone, 0: data) down."""

    def draw(self, rows: int, depth: float, training: bool, device: torch.device) -> Tensor:
        """(rows,) steps below ``depth``: by chance in training, else the same every time."""

    def clock(self, t: Tensor) -> Tensor:
        """What a network is told of ``t``."""


class Schedule(nn.Module):
    """Variances rising in a straight line (Ho et al. 2020, arXiv:2006.11239).

    The first of K ``steps`` adds noise of variance 1e-4, the last of ``beta_end``.
    """

    clean = -1

    def __init__(self, steps: int = 100, beta_end: float = 0.06):
        super().__init__()
        self.steps = steps
        kept = torch.cumprod(1.0 - torch.linspace(1e-4, beta_end, steps, dtype=torch.float64), dim=0)
        # At index t + 1, so that step -1 is clean data.
        self.register_buffer("kept", F.pad(kept, (1, 0), value=1.0).float(), persistent=False)

    def alpha_bar(self, t: Tensor) -> Tensor:
        """The share of the data's variance that is left: (B,) to (B, 1, 1)."""
        return self.kept[t + 1][:, None, None]

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Data with the noise of step ``t`` (B,): ``sqrt(a) x0 + sqrt(1 - a) noise``."""
        a = self.alpha_bar(t)
        return a.sqrt() * x0 + (1 - a).sqrt() * noise

    def data_in(self, x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """The inverse of :meth:`q_sample`, for the same ``noise``."""
        a = self.alpha_bar(t)
        return (x - (1 - a).sqrt() * noise) / a.sqrt()

    def transfer(self, x: Tensor, noise: Tensor, t: Tensor, to: Tensor) -> Tensor:
        """From step ``t`` to an earlier one along the same noise (DDIM, eta 0)."""
        return self.q_sample(self.data_in(x, t, noise), to, noise)

    def parts(self, t: Tensor) -> tuple[Tensor, Tensor]:
        a = self.alpha_bar(t)
        return a.sqrt(), (1 - a).sqrt()

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        return noise

    def towards(self, x: Tensor, t: Tensor, data: Tensor) -> Tensor:
        a = self.alpha_bar(t)
        return (x - a.sqrt() * data) / (1 - a).sqrt()

    def slope(self, t: Tensor, variance: float) -> Tensor:
        a = self.alpha_bar(t)
        return (1 - a).sqrt() / (a * variance + 1 - a)

    def times(self, count: int, depth: float = 1.0) -> list[int]:
        return even_steps(round(depth * self.steps), count)

    def draw(self, rows: int, depth: float, training: bool, device: torch.device) -> Tensor:
        last = max(1, round(depth * self.steps))
        if training:
            return torch.randint(last, (rows,), device=device)
        return (2 * torch.arange(rows, device=device) + 1) * last // (2 * rows)

    def clock(self, t: Tensor) -> Tensor:
        return t


def even_steps(depth: int, count: int) -> list[int]:
    """``count`` steps, even from ``depth - 1`` down: the ones that a sampler visits."""
    count = min(count, depth)
    return [depth * (count - i) // count - 1 for i in range(count)]


def pairs(path: Path, steps: Sequence[float], x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each step and the next one, clean data at the end, for every member of a batch."""
    kind = torch.long if isinstance(path.clean, int) else torch.float32
    rows = [torch.full((len(x),), t, dtype=kind, device=x.device) for t in [*steps, path.clean]]
    return list(zip(rows, rows[1:]))


def ddpm(schedule: Schedule, model: Model, x: Tensor, steps: Sequence[int], noise: Noise) -> Tensor:
    """Ancestral sampling (Ho et al. 2020, algorithm 2); the data in sight is held within 1.

    Steps may be left out: it is DDIM with eta 1, which over all steps is the same.
    """
    for step, (t, to) in zip(steps, pairs(schedule, steps, x)):
        data = schedule.data_in(x, t, model(x, t)).clamp(-1.0, 1.0)
        a, b = schedule.alpha_bar(t), schedule.alpha_bar(to)
        left, share = 1 - a / b, (1 - b) / (1 - a)
        x = (b.sqrt() * left * data + (a / b).sqrt() * (1 - b) * x) / (1 - a)
        x = x + (left * share).sqrt() * noise(step)
    return x


def ddim(path: Path, model: Model, x: Tensor, steps: Sequence[float], noise: Noise | None = None) -> Tensor:
    """The deterministic sampler of Song et al. 2021 (arXiv:2010.02502); ``noise`` is not used."""
    for t, to in pairs(path, steps, x):
        x = path.transfer(x, model(x, t), t, to)
    return x


_PLMS = ((1.0,), (1.5, -0.5), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
"""Adams-Bashforth weights of this step's noise and those before, by how many there are."""


def plms(path: Path, model: Model, x: Tensor, steps: Sequence[float], noise: Noise | None = None) -> Tensor:
    """Pseudo linear multi-steps (Liu et al. 2022, arXiv:2202.09778); ``noise`` is not used.

    As in DiffSinger, the first step takes the mean of the noise here and where Euler's step leads.
    """
    seen: list[Tensor] = []
    for step, (t, to) in enumerate(pairs(path, steps, x)):
        seen = [model(x, t), *seen[:3]]
        guess = sum(w * e for w, e in zip(_PLMS[len(seen) - 1], seen))
        if step == 0 and len(steps) > 1:
            guess = (guess + model(path.transfer(x, guess, t, to), to)) / 2
        x = path.transfer(x, guess, t, to)
    return x


def dpm(path: Path, model: Model, x: Tensor, steps: Sequence[float], noise: Noise | None = None) -> Tensor:
    """DPM-Solver++ (2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2); ``noise`` is not used.

    A straight line is laid through the data in sight of this step and of the one before, over the logarithm
    of the ratio of data to noise. The first step and the last, to clean data, are those of ``ddim``.
    """
    last, apart = x, 0.0
    for step, (t, to) in enumerate(pairs(path, steps, x)):
        (data, noisy), (more, less) = path.parts(t), path.parts(to)
        seen = path.data_in(x, t, model(x, t))
        ahead = (more / less).log() - (data / noisy).log()
        guess = seen
        if 0 < step < len(steps) - 1:
            guess = seen + (seen - last) * (ahead / (2 * apart))
        x = x * (less / noisy) + guess * (more - data * less / noisy)
        last, apart = seen, ahead
    return x


SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "plms": plms, "dpm": dpm}


class NoisyStream(nn.Module):
    """Frames made from noise, or from frames of another system with noise on them, along a path.

    A trained network can learn to get in few steps to where it gets in many (:meth:`shorten`): distillation
    as in Liu et al. 2022 (arXiv:2209.03003, section 2.2), with gradients through all steps of the sampler.

    Args:
        net: ``(x, t, cond, mask)`` to the path's target, as :class:`WaveNet`. dim: of the frames.
        scale: numbers are divided by it, so that data lies within 1.
        depth: how far to the noise others' frames go (shallow diffusion, DiffSinger): K steps of all; 1 is
            noise alone, 0 leaves them as they are.
        sampler: how to sing, a function of this module's form, in ``sampling_steps`` steps.
        temperature: of the noise to sing from: 1 draws a sample, 0 takes the likeliest way.
        linear: let the network learn what is left of the target after the best linear guess from ``x``
            alone, for data of unit variance. No published system does; a network with fewer channels
            than the data has dimensions needs it, since it cannot pass the noise through.
        tells_data: let the network tell the data, as the distance from the frames to set out from where there
            are any, and learn by the error in it. Untrained it sings these frames, and with little training
            something smooth, where the published forms leave noise.
        power: of the error: 1 or 2.
    """

    def __init__(
        self,
        path: Path,
        net: nn.Module,
        dim: int,
        scale: float,
        sampler: Callable[..., Tensor],
        sampling_steps: int,
        temperature: float = 1.0,
        linear: bool = False,
        depth: float = 1.0,
        power: int = 1,
        tells_data: bool = False,
    ):
        super().__init__()
        self.tells_data = tells_data
        self.path, self.net, self.dim, self.scale = path, net, dim, scale
        self.sampler, self.sampling_steps, self.temperature = sampler, sampling_steps, temperature
        self.linear, self._depth, self.power = linear, depth, power
        self.register_buffer("found_depth", None)
        # In a list, so that it is no part of the weights: who takes up a training has the teacher's still.
        self._teacher: list[nn.Module] = []
        self._teacher_way: tuple[Callable[..., Tensor], int] = (sampler, 0)

    @property
    def depth(self) -> float:
        return self._depth if self.found_depth is None else float(self.found_depth)

    @depth.setter
    def depth(self, depth: float) -> None:
        self._depth = depth
        if self.found_depth is not None:
            self.found_depth.fill_(depth)

    def keep_depth(self) -> None:
        """Makes the depth a part of the weights: it is found, not stated."""
        self.found_depth = torch.tensor(self._depth)

    def shorten(self, sampler: Callable[..., Tensor], steps: int) -> None:
        """Learns from now on to lead each noise, in its own ``sampling_steps``, to where the network as it is
        leads it in so many ``steps`` of a ``sampler`` that draws nothing by chance.
        """
        self._teacher, self._teacher_way = (
            [copy.deepcopy(self.net).requires_grad_(False).eval()],
            (sampler, steps),
        )

    def _found(
        self, net: nn.Module, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor, start: Tensor | None = None
    ) -> Tensor:
        found = net(x, self.path.clock(t), cond, mask)
        if self.tells_data:
            return self.path.towards(x, t, found if start is None else found + start / self.scale)
        return found + x * self.path.slope(t, self.scale**-2) if self.linear else found

    def found(self, x: Tensor, t: Tensor, cond: Tensor, mask: Tensor, start: Tensor | None = None) -> Tensor:
        """The path's target, as the network sees it in ``x`` (B, T, dim) of steps ``t`` (B,)."""
        return self._found(self.net, x, t, cond, mask, start)

    def learn(
        self, data: Tensor, cond: Tensor, mask: Tensor, seeds: Sequence[int], start: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The error in the target, and the data in sight, (B, T, dim); ``seeds`` and ``start`` as in
        :meth:`sing`.

        In testing, steps and noise are the same every time, or losses could not be compared.
        """
        rows, size, _ = data.shape
        t = self.path.draw(rows, self.depth, self.training, data.device)
        noise = torch.randn_like(data) if self.training else frame_noise(mask.sum(1), size, self.dim, seeds)
        data = data / self.scale
        # Half precision would lose the small differences that are left late in training.
        if self._teacher:
            seen = self._led(self.net, noise, cond, mask, start, self.sampler, self.sampling_steps)
            with torch.no_grad():
                teacher = self._teacher[0].to(cond.device)
                data = self._led(teacher, noise, cond, mask, start, *self._teacher_way)
            error = seen.float() - data
        else:
            x = self.path.q_sample(data, t, noise)
            found = self.found(x, t, cond, mask, start)
            seen = self.path.data_in(x, t, found)
            error = seen.float() - data if self.tells_data else found.float() - self.path.target(data, noise)
        loss = (error.abs() ** self.power * mask[..., None]).sum() / (mask.sum() * self.dim).clamp(min=1)
        return loss, seen * self.scale

    def _steps(self, count: int) -> list:
        return self.path.times(count, self.depth)

    def _first(self, start: Tensor | None, noise: Tensor, count: int) -> Tensor:
        """Where a way of ``count`` steps begins."""
        if self.depth == 1:
            return noise
        t = pairs(self.path, self._steps(count), noise)
        return self.path.q_sample(start / self.scale, t[0][0], noise) if t else start / self.scale

    def _led(
        self,
        net: nn.Module,
        x: Tensor,
        cond: Tensor,
        mask: Tensor,
        start: Tensor | None,
        sampler: Callable[..., Tensor],
        count: int,
        noise: Noise | None = None,
    ) -> Tensor:
        """Where a network leads a noise ``x`` in ``count`` steps."""

        def model(x: Tensor, t: Tensor) -> Tensor:
            return self._found(net, x, t, cond, mask, start)

        return sampler(self.path, model, self._first(start, x, count), self._steps(count), noise)

    def sing(
        self,
        cond: Tensor,
        mask: Tensor,
        seeds: Sequence[int],
        temperature: float = 1.0,
        start: Tensor | None = None,
    ) -> Tensor:
        """Frames from noise: (B, T, dim); what a row gets depends on its own length and seed alone.

        ``temperature`` is one more factor of the noise. With a ``depth`` below 1, ``start`` (B, T, dim) are
        the frames to set out from.
        """
        lengths, size, temperature = mask.sum(1), mask.shape[1], temperature * self.temperature

        def noise(step: int) -> Tensor:
            return frame_noise(lengths, size, self.dim, seeds, step) * temperature

        way = (self.sampler, self.sampling_steps, noise)
        return self._led(self.net, noise(FIRST), cond, mask, start, *way) * self.scale


FIRST = -1
"""The number, among those of steps, of the noise to set out from."""
