"""Networks in words that torch can write as graphs: complex numbers, which graphs have not, are pairs, and
sizes those of what is traced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

import torch
from torch import Tensor

_given_shape = Tensor.shape


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


def fft(real: Tensor, imag: Tensor | None = None) -> Pair:
    """(1, K, size), in two steps of matrices about as large as the root of the size (Cooley and Tukey, 1965):
    onnxruntime's own DFT takes longer.
    """
    size = int(real.shape[-1])
    first = max(n for n in range(1, math.isqrt(size) + 1) if size % n == 0)
    second = size // first

    def turned(count: int, other: int, of: int) -> Pair:
        angle = (torch.arange(count)[:, None] * torch.arange(other) % of) * (-2 * math.pi / of)
        return Pair(angle.cos(), angle.sin())

    def columns(part: Tensor) -> Tensor:
        return part.reshape(*part.shape[:-1], first, second).transpose(-1, -2)

    across, along = turned(first, first, first), turned(second, second, second)
    x = Pair(columns(real) @ across.real, columns(real) @ across.imag)
    if imag is not None:
        x += Pair(-(columns(imag) @ across.imag), columns(imag) @ across.real)
    x *= turned(second, first, size)
    rows = Pair(x.real.transpose(-1, -2), x.imag.transpose(-1, -2))
    real = rows.real @ along.real - rows.imag @ along.imag
    imag = rows.real @ along.imag + rows.imag @ along.real
    return Pair(real.transpose(-1, -2).flatten(-2), imag.transpose(-1, -2).flatten(-2))


def rfft(x: Tensor) -> Pair:
    """Of real (1, K, size), (1, K, size / 2 + 1)."""
    whole, half = fft(x), int(x.shape[-1]) // 2 + 1
    return Pair(whole.real[..., :half], whole.imag[..., :half])


def irfft(x: Pair, size: int) -> Tensor:
    """The inverse, of an even size; imaginary parts of the first and last number are not heard."""
    both = ((x.real, 1), (x.imag, -1))
    return fft(*(sign * torch.cat([p, sign * p[..., 1:-1].flip(-1)], -1) for p, sign in both)).real / size


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
