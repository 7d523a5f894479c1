"""Filters that change from frame to frame, given by their spectra."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.mel import hz_to_mel, mel_to_hz
from nnsvs_lite.io.errors import DataError

LONGEST, SHORTEST = 0.006, 0.002
"""Seconds between filters: frames that lie further apart get others between them."""
RESPONSE = 0.02
"""Seconds of impulse response, at least, that a filter has room for."""


class SpectralFilter(nn.Module):
    """Waveforms through filters at every ``step`` samples, the responses of neighbours cross-faded.

    The waveform is cut by Hann windows of two steps, which add up to 1, each piece is multiplied by its
    filter's spectrum, padded so that a response does not wrap around, and all are added: a linear
    time-variant filter, exactly, for spectra that are smooth enough. A quarter of the room is for responses
    before the pulse.

    Args:
        rate: Hz. hop: samples a frame, perhaps not whole.

    Attributes:
        step: samples. size: of the transform. bins: of a spectrum, ``size / 2 + 1``.
        reach: samples before and after one that it may depend on.
    """

    def __init__(self, rate: int, hop: float):
        super().__init__()
        self.hop = hop
        self.step = step_of(rate, hop)
        self.size = 2 ** math.ceil(math.log2(2 * self.step + RESPONSE * rate))
        self.bins = self.size // 2 + 1
        self.before = (self.size - 2 * self.step) // 4
        self.reach = self.size
        window = torch.hann_window(2 * self.step, periodic=True)
        self.register_buffer("window", window, persistent=False)

    def steps(self, frames: int) -> int:
        """Filters for so many frames: at samples 0, step, ..., the last at the end or beyond."""
        if float(self.hop).is_integer():
            return (frames * int(self.hop) + self.step - 1) // self.step + 1
        return math.ceil(round(frames * self.hop) / self.step) + 1

    def between(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Values of frames (B, T, D) at the filters' places (B, K, D), in straight lines."""
        count = self.steps(x.shape[1])
        place = torch.arange(count, device=x.device).double() * (self.step / self.hop)
        last = (lengths - 1)[:, None]
        first = torch.minimum(place.long()[None], last)
        if self.step == self.hop:
            return x.gather(1, first[..., None].expand(-1, -1, x.shape[2]))
        share = (place - place.floor()).to(x.dtype)[None, :, None]
        first, second = (
            i[..., None].expand(-1, -1, x.shape[2]) for i in (first, torch.minimum(first + 1, last))
        )
        return torch.lerp(x.gather(1, first), x.gather(1, second), share)

    def spectra(self, wav: Tensor) -> Tensor:
        """(B, S) to complex (B, K, bins)."""
        count = math.ceil(wav.shape[1] / self.step) + 1
        padded = F.pad(wav, (self.step, count * self.step - wav.shape[1]))
        halves = padded.reshape(len(wav), count + 1, self.step)
        pieces = torch.cat([halves[:, :-1], halves[:, 1:]], 2) * self.window
        return torch.fft.rfft(F.pad(pieces, (self.before, self.size - 2 * self.step - self.before)))

    def waveform(self, spectra: Tensor, size: int) -> Tensor:
        """Complex (B, K, bins), filtered, to (B, size)."""
        pieces = torch.fft.irfft(spectra, self.size)
        parts = math.ceil(self.size / self.step)
        pieces = F.pad(pieces, (0, parts * self.step - self.size))
        pieces = pieces.unflatten(2, (parts, self.step)).unbind(2)
        out = sum(F.pad(piece, (0, 0, part, parts - 1 - part)) for part, piece in enumerate(pieces))
        start = self.before + self.step
        return out.flatten(1)[:, start : start + size]


def step_of(rate: int, hop: float) -> int:
    """The most samples, up to ``LONGEST``, of which some whole number of frames is a multiple."""
    whole = Fraction(hop).limit_denominator(1000)
    if whole.denominator <= 16:
        for step in range(int(min(LONGEST * rate, whole.numerator)), math.ceil(SHORTEST * rate) - 1, -1):
            if whole.numerator % step == 0:
                return step
    raise DataError(
        f"frames of {hop:g} samples cannot be cut into steps of {SHORTEST * 1e3:g} to {LONGEST * 1e3:g} ms; "
        "choose another frame_shift or sample_rate"
    )


class Bands(nn.Module):
    """Straight lines over mel between ``count`` bands from 0 to half the rate; see :func:`band_edges`.

    Attributes:
        lines: (count, bins): what each band adds to values at the bins.
        phases: (count, bins): the phase that goes with a log magnitude, so that the response is causal and
            shortest (minimum phase: the negative Hilbert transform of the log magnitude).
    """

    def __init__(self, count: int, rate: int, bins: int):
        super().__init__()
        self.count, self.hz = count, band_hz(count, rate)
        lines = hats(self.hz, np.linspace(0, rate / 2, bins))
        self.register_buffer("lines", torch.tensor(lines, dtype=torch.float32), persistent=False)
        fine = 8
        phases = minimum_phase(hats(self.hz, np.linspace(0, rate / 2, (bins - 1) * fine + 1)))[:, ::fine]
        self.register_buffer("phases", torch.tensor(phases, dtype=torch.float32), persistent=False)


def band_hz(count: int, rate: int) -> np.ndarray:
    """(count,) Hz, even in mel."""
    return mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), count))


def hats(centres: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """(len(centres), len(hz)) weights of straight lines over mel, held beyond the outermost."""
    return np.array([np.interp(hz_to_mel(hz), hz_to_mel(centres), row) for row in np.eye(len(centres))])


def minimum_phase(log_magnitude: np.ndarray) -> np.ndarray:
    """Phases (..., bins) in radians of log magnitudes at bins from 0 to half the rate; linear in them.

    The cepstrum, folded to positive times (Oppenheim and Schafer, Discrete-Time Signal Processing, ch. 13).
    """
    cepstrum = np.fft.irfft(log_magnitude)
    size = cepstrum.shape[-1]
    folded = np.zeros_like(cepstrum)
    folded[..., 1 : size // 2] = 2 * cepstrum[..., 1 : size // 2]
    return np.fft.rfft(folded).imag


def mel_cepstral_basis(order: int, alpha: float, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Log magnitude and minimum phase that mel-cepstra stand for: two matrices (order + 1, bins).

    H(z) = exp sum c_m zz^-m with the all-pass zz^-1 = (z^-1 - alpha) / (1 - alpha z^-1) (Tokuda et al. 1994).
    """
    omega = np.linspace(0, np.pi, bins)
    warped = omega + 2 * np.arctan2(alpha * np.sin(omega), 1 - alpha * np.cos(omega))
    angles = np.arange(order + 1)[:, None] * warped
    return np.cos(angles), -np.sin(angles)
