"""Vibrato in a log F0 curve: found, described by a sine, and sung."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.conv import gaussian_kernel, smooth
from nnsvs_lite.models.layers.expand import running_max

CENT = math.log(2) / 1200
"""One cent in log F0."""
RATES = (3.0, 8.0)
"""Hz, slowest and fastest vibrato (NNSVS)."""
EXTENTS = (30.0, 150.0)
"""Cents, narrowest and widest amplitude (NNSVS, after Sinsy)."""
LEVEL = 0.066
"""Seconds: deviation of the Gaussian that takes vibrato away. It keeps half of what moves at 2.8 Hz
and 7 % of what moves at 5.5 Hz."""
THRESHOLD = 0.08
"""Of the likelihood. NNSVS has 0.12 and five crossings, which flag an eighth of the frames of nit_song070's
long vowels, of which four in five have vibrato; these flag half, and still no straight note."""
CROSSINGS = 3
"""Fewest of a run: a cycle."""


class Vibrato(NamedTuple):
    """What was found, (B, T, 1) each."""

    level: Tensor
    """Log F0 with its oscillation taken away."""
    flag: Tensor
    """Bool, frames with vibrato."""
    amplitude: Tensor
    """Cents; 0 elsewhere, as is the rate, in Hz."""
    rate: Tensor


def before(x: Tensor) -> Tensor:
    """The value of the frame before, 0 at the start: (B, T)."""
    return F.pad(x[:, :-1], (1, 0))


class VibratoAnalysis(nn.Module):
    """Finds vibrato as Nakano et al. (2006) do, by facts of NNSVS' reading of them.

    A frame may have vibrato where the spectrum of the slope of F0, over 0.32 s, has its power
    within 3-8 Hz and is peaked there (likelihood over a threshold). A run of such frames counts
    if F0 crosses its level at least three times with a mean amplitude of 30-150 cents; it goes from
    the first upward crossing to the last crossing, so that a sine that starts at 0 fits it.
    """

    def __init__(self, frame_shift: float):
        super().__init__()
        self.shift = frame_shift
        self.size = 2 * round(0.64 / frame_shift)
        frequencies = torch.fft.rfftfreq(self.size, frame_shift)
        band = (frequencies >= RATES[0]) & (frequencies <= RATES[1])
        for name, value in (
            ("window", torch.hann_window(2 * round(0.16 / frame_shift) + 1, periodic=False)),
            ("band", band.float()),
            ("level", gaussian_kernel(LEVEL, frame_shift)),
            ("fine", gaussian_kernel(0.0166, frame_shift)),  # Passes half the power at 8 Hz.
            ("local", gaussian_kernel(0.1, frame_shift)),
        ):
            self.register_buffer(f"_{name}", value, persistent=False)

    def likelihood(self, lf0: Tensor, voiced: Tensor) -> Tensor:
        """(B, T): flux times share of 3-8 Hz of the slope's spectrum, a local mean.

        The mean is not NNSVS': what a window of 0.32 s gives rises and falls with a slow vibrato's swings.
        """
        fine = smooth(lf0, voiced, self._fine)[..., 0]
        both = voiced & before(voiced.to(fine.dtype)).bool()
        slope = torch.where(both, fine - before(fine), 0.0)
        reach = len(self._window) // 2
        rows = F.pad(slope, (reach, reach)).unfold(1, len(self._window), 1) * self._window
        spectrum = torch.fft.rfft(rows / CENT, n=self.size).abs()
        spectrum = spectrum / (spectrum.sum(-1, keepdim=True) + 1e-3)
        likelihood = spectrum.diff(dim=-1).abs().sum(-1) * (spectrum * self._band).sum(-1)
        return smooth(likelihood[..., None], voiced, self._local)[..., 0]

    def forward(self, lf0: Tensor, score: Tensor, voiced: Tensor) -> Vibrato:
        """``lf0`` (B, T, 1), ``score`` (B, T, 1) with its steps rounded off, ``voiced`` (B, T) bool."""
        # Without oscillation F0 is the score and what slowly departs from it.
        level = score + smooth(lf0 - score, voiced, self._level)
        wave = torch.where(voiced, (lf0 - level)[..., 0] / CENT, 0.0)
        inside = voiced & (self.likelihood(lf0, voiced) > THRESHOLD)
        earlier = before(inside.float()).bool()
        run = (inside & ~earlier).cumsum(1) * inside  # 0: in none.
        upward = inside & earlier & (wave > 0) & (before(wave) <= 0)
        crossing = upward | (inside & earlier & (wave <= 0) & (before(wave) > 0))

        def total(values: Tensor) -> Tensor:
            """Sums over runs, back on their frames."""
            values = values.to(wave.dtype)
            return torch.zeros_like(F.pad(values, (0, 1))).scatter_add(1, run, values).gather(1, run)

        def earliest(where: Tensor, frames: Tensor) -> Tensor:
            """The least of ``frames`` of a run at which ``where`` holds."""
            values = torch.where(where, frames, torch.inf)
            start = F.pad(torch.full_like(values, torch.inf), (0, 1))
            return start.scatter_reduce(1, run, values, "amin").gather(1, run)

        frames = torch.arange(wave.shape[1], device=wave.device, dtype=wave.dtype).expand_as(wave)
        first, last = earliest(crossing, frames), -earliest(crossing, -frames)
        count = total(crossing)
        seconds = ((last - first) * self.shift).clamp(min=self.shift)
        rate = torch.where(count > 1, (count - 1) / (2 * seconds), 0.0).clamp(*RATES)
        # What the level has kept of the oscillation is missing in the wave.
        kept = torch.exp(-2 * (math.pi * LEVEL * rate) ** 2)
        power = smooth((wave**2)[..., None], inside, self._local)[..., 0]
        amplitude = torch.sqrt(2 * power) / (1 - kept)
        extent = total(amplitude) / total(inside).clamp(min=1)
        wide = (extent >= EXTENTS[0]) & (extent <= EXTENTS[1])
        begin = earliest(upward, frames)
        within = inside & (frames >= begin) & (frames <= last)
        flag = (within & (count >= CROSSINGS) & wide)[..., None]
        amplitude = torch.where(flag, amplitude[..., None].clamp(*EXTENTS), 0.0)
        return Vibrato(level, flag, amplitude, torch.where(flag, rate[..., None], 0.0))


def sing_vibrato(amplitude: Tensor, rate: Tensor, flag: Tensor, frame_shift: float) -> Tensor:
    """A sine, in log F0, that starts anew with each run of flagged frames.

    The phase is the integral of the rate: NNSVS' ``m_a sin(2 pi m_f t)`` where that is constant.
    Amplitudes in cents and rates in Hz, (B, T, 1), are held within what :class:`VibratoAnalysis` finds.
    """
    on = flag[..., 0]
    cycles = torch.where(on, rate[..., 0].clamp(*RATES) * frame_shift, 0.0)
    passed = cycles.cumsum(1) - cycles
    start = on & ~before(on.to(cycles.dtype)).bool()
    begun = running_max(torch.where(start, passed, 0.0))
    wave = torch.sin(2 * math.pi * (passed - begun)) * on
    return (amplitude[..., 0].clamp(*EXTENTS) * CENT * wave)[..., None]
