"""The sines of neural source-filter vocoders (Wang, Takaki and Yamagishi 2019, arXiv:1904.12088, eq. 3-4)."""

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.noise import running_noise, uniform


class SineSource(nn.Module):
    """A sine at F0 and its overtones, with noise beside it, and noise alone where nothing is voiced.

    F0 runs straight from frame to frame, so that phase is a parabola in each and needs no sum over samples.
    Overtones above half the sampling rate are silent. Those of one call start at phases drawn by chance, F0
    itself at 0.

    Args:
        sample_rate: Hz. frame_shift: seconds. harmonics: beside F0.
        amplitude: of each sine; a third of it is the deviation of the noise where nothing is voiced.
        noise: deviation where voiced.
    """

    def __init__(
        self,
        sample_rate: int,
        frame_shift: float,
        harmonics: int = 8,
        amplitude: float = 0.1,
        noise: float = 0.003,
    ):
        super().__init__()
        self.sample_rate, self.frame_shift, self.harmonics = sample_rate, frame_shift, harmonics
        self.amplitude, self.noise = amplitude, noise

    def turns(self, lf0: Tensor) -> Tensor:
        """Phase of F0 at the start of each frame, (B, T, 1) float64, in turns, 0 to 1; 0 at the first."""
        f0 = lf0.double().exp()
        steps = 0.5 * (f0[:, :-1] + f0[:, 1:]) * self.frame_shift
        return torch.cat([torch.zeros_like(f0[:, :1]), steps.cumsum(1)], 1) % 1.0

    def phase(self, lf0: Tensor, turns: Tensor, lengths: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Phase in turns, 0 to 1, and F0 in Hz, of samples: (B, size, 1) float64 each.

        After a row's last frame F0 stays what it was there. Arguments: see :meth:`forward`.
        """
        hop = self.sample_rate * self.frame_shift
        frame, share = self.places(lengths, size)
        f0 = lf0.double().exp()
        last = lengths[:, None, None] - 1
        here = f0.gather(1, frame)
        rise = f0.gather(1, (frame + 1).minimum(last)) - here
        seconds = share * (hop / self.sample_rate)
        phase = turns.double().gather(1, frame) + seconds * (here + 0.5 * rise * share)
        return phase % 1.0, here + rise * share

    def places(self, lengths: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """(B, size, 1) each: the frame in which a sample lies, and how far from its start, in frames."""
        place = torch.arange(size, device=lengths.device, dtype=torch.float64)
        place = (place / (self.sample_rate * self.frame_shift))[None, :, None]
        # A hop that is not whole, in binary, can fall a hair short of a frame's first sample.
        frame = (place + 1e-9).floor().long().minimum(lengths[:, None, None] - 1)
        return frame, place - frame

    def harmonic_sum(
        self, lf0: Tensor, turns: Tensor, lengths: Tensor, size: int, amplitudes: Tensor
    ) -> Tensor:
        """(B, size): harmonics of F0 with ``amplitudes`` (B, T, count), which run straight from frame to
        frame, none above half the rate. Other arguments: see :meth:`forward`.
        """
        phase, f0 = self.phase(lf0, turns, lengths, size)
        frame, share = self.places(lengths, size)
        after = (frame + 1).minimum(lengths[:, None, None] - 1)
        count = amplitudes.shape[-1]
        here, there = (amplitudes.gather(1, i.expand(-1, -1, count)) for i in (frame, after))
        number = torch.arange(1.0, count + 1, device=phase.device)
        # Of turns below 1 single precision has enough.
        sines = torch.sin(2 * math.pi * ((phase.float() * number) % 1.0))
        heard = f0.float() * number < self.sample_rate / 2
        return (sines * torch.lerp(here, there, share.float()) * heard).sum(-1)

    def forward(
        self,
        lf0: Tensor,
        vuv: Tensor,
        turns: Tensor,
        lengths: Tensor,
        size: int,
        first: int = 0,
        seed: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Sines (B, size, 1 + harmonics) and voicing (B, size, 1), 0 or 1.

        Args:
            lf0, vuv, turns: (B, T, 1); what follows a row's ``lengths`` (B,) frames is not read.
            size: samples; they may go on after the last frame, whose F0 and voicing they then have.
            first: number of the first sample in its utterance. seed: of the noise, in inference.
        """
        phase, f0 = self.phase(lf0, turns, lengths, size)
        frame, _ = self.places(lengths, size)
        voiced = (vuv > 0.5).gather(1, frame)
        number = torch.arange(1.0, self.harmonics + 2, device=lf0.device)
        starts = self._starts(len(lf0), seed).to(lf0.device)
        # Single precision from here on, of which turns below 1 have enough: double costs several times more.
        sines = torch.sin(2 * math.pi * ((phase.float() * number + starts) % 1.0))
        heard = voiced & (f0.float() * number < self.sample_rate / 2)
        if self.training:
            noise = torch.randn(sines.shape, device=lf0.device)
        else:
            full = torch.full_like(lengths, size)
            noise = running_noise(first, full, size, self.harmonics + 1, seed)
        level = torch.where(voiced, self.noise, self.amplitude / 3)
        return self.amplitude * sines * heard + level * noise, voiced.float()

    def _starts(self, rows: int, seed: int) -> Tensor:
        """(B, 1, 1 + harmonics) turns; in inference those of the seed, which all rows share."""
        if self.training:
            starts = torch.rand(rows, 1, self.harmonics + 1)
        else:
            starts = uniform(self.harmonics + 1, seed)
        return starts * (torch.arange(self.harmonics + 1) > 0)
