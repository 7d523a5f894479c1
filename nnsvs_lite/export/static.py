"""Complex numbers in graphs, which know real ones alone: pairs, and Fourier transforms that make them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

import torch
from torch import Tensor

_rfft, _ifft, _given_shape = torch.fft.rfft, torch.fft.ifft, Tensor.shape


class Rfft(torch.autograd.Function):
    """Real (1, K, size) to (1, K, size / 2 + 1, 2): torch.fft has no form in ONNX, DFT is one of its own."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return torch.view_as_real(_rfft(x))

    @staticmethod
    def symbolic(g, x):
        axis = g.op("Constant", value_t=torch.tensor([-1]))
        return g.op("DFT", g.op("Unsqueeze", x, axis), axis_i=2, onesided_i=1)


class Irfft(torch.autograd.Function):
    """(1, K, size, 2) of a whole spectrum to its real (1, K, size)."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return _ifft(torch.view_as_complex(x.contiguous())).real

    @staticmethod
    def symbolic(g, x):
        whole = g.op("DFT", x, axis_i=2, inverse_i=1)
        index = g.op("Constant", value_t=torch.tensor(0))
        return g.op("Gather", whole, index, axis_i=3)


@dataclass(frozen=True)
class Pair:
    """Complex numbers, as far as networks count with them."""

    real: Tensor
    imag: Tensor

    def __add__(self, other: Pair) -> Pair:
        return Pair(self.real + other.real, self.imag + other.imag)

    def __mul__(self, other: Pair | Tensor) -> Pair:
        if isinstance(other, Tensor):
            return Pair(self.real * other, self.imag * other)
        real = self.real * other.real - self.imag * other.imag
        return Pair(real, self.real * other.imag + self.imag * other.real)

    def abs(self) -> Tensor:
        return (self.real.square() + self.imag.square()).sqrt()


def rfft(x: Tensor) -> Pair:
    """Of real (1, K, size), (1, K, size / 2 + 1)."""
    return Pair(*Rfft.apply(x).unbind(-1))


def irfft(x: Pair, size: int) -> Tensor:
    """The inverse; imaginary parts of the first and last number are not heard."""
    both = ((x.real, 1), (x.imag, -1))
    whole = [torch.cat([part, sign * part[..., 1:-1].flip(-1)], -1) for part, sign in both]
    return Irfft.apply(torch.stack(whole, -1))


def polar(magnitude: Tensor, angle: Tensor) -> Pair:
    """By length and angle in radians."""
    return Pair(magnitude * torch.cos(angle), magnitude * torch.sin(angle))


def _shape(x: Tensor) -> torch.Size:
    """In whole numbers, where a graph would work them out each time, and its writer not know them."""
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)
    try:
        return torch.Size(_given_shape.__get__(x))
    finally:
        torch._C._set_tracing_state(state)


def _repeat_interleave(x: Tensor, count: int, dim: int) -> Tensor:
    dim %= len(x.shape)
    shape = (*x.shape[: dim + 1], count, *x.shape[dim + 1 :])
    return x.unsqueeze(dim + 1).expand(shape).flatten(dim, dim + 1)


def _unfold(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    count = (x.shape[1] - size) // step + 1
    return x[:, torch.arange(count)[:, None] * step + torch.arange(size)]


def _sinc(x: Tensor) -> Tensor:
    angle = math.pi * x
    return torch.where(angle == 0, 1.0, torch.sin(angle) / torch.where(angle == 0, 1.0, angle))


@contextmanager
def static() -> Iterator[None]:
    """Within, what torch cannot write as a graph is done in other words, and all sizes are as they are: a
    network that is traced is one for tensors of these sizes.
    """
    words = {(torch.fft, "rfft"): rfft, (torch.fft, "irfft"): irfft, (torch, "polar"): polar}
    words |= {(torch, "sinc"): _sinc, (Tensor, "shape"): property(_shape)}
    words |= {(Tensor, "unfold"): _unfold, (Tensor, "repeat_interleave"): _repeat_interleave}
    with ExitStack() as stack:
        for (place, name), other in words.items():
            stack.enter_context(mock.patch.object(place, name, other))
        yield
