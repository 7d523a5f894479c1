"""A voice's source at any pitch: all harmonics at once, each exactly where F0 puts it."""

import math

import torch
from torch import Tensor


def comb(phase: Tensor, f0: Tensor, rate: int) -> Tensor:
    """Cosines of all harmonics below half the rate, of one amplitude: float32, of the shape of ``phase``.

    A pulse train, band-limited, in closed form (the Dirichlet kernel): its cost does not depend on the number
    of harmonics. The uppermost fades in over one F0, so that none clicks as a glide carries it over the edge.
    A harmonic has the amplitude 2 sqrt(f0 / rate): the density of power is that of white noise of variance 1,
    whatever F0.

    Args:
        phase: in turns, float64. f0: Hz, of the same shape. rate: Hz.
    """
    half = math.pi * (phase - phase.round())
    count = (rate / 2 / f0 - 1).clamp(min=0)
    whole = count.floor()
    below = torch.sin(half)
    near = below.abs() < 1e-9
    kernel = torch.sin((2 * whole + 1) * half) / torch.where(near, 1.0, below)
    kernel = torch.where(near, 2 * whole + 1, kernel)
    cosines = (kernel - 1) / 2 + (count - whole) * torch.cos(2 * (whole + 1) * half)
    return (2 * (f0 / rate).sqrt() * cosines).float()
