"""A distance between what is random and one recording of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.wave_losses import heard, magnitudes, masked_mean


class EnergyDistance(nn.Module):
    """The generalised energy distance of spectra (Gritsenko et al. 2020, arXiv:2008.01160, eq. 5-6).

    A plain distance from one recording of noise is least for what is not random: a synthesizer that learns by
    it sings noise as a buzz. Here two versions y, y' that differ by chance alone are given, and
    d(x, y) + d(x, y') - d(y, y') is least, on average, only where y is as random as x.

    d is the mean over transforms of mean absolute differences of magnitudes and of their logarithms. Bins
    weigh half as in hertz, half as in mel.

    Args:
        sample_rate: Hz. seconds: windows of the transforms; FFT sizes are the powers of two above.
        linear: weight of plain magnitudes, as multiples of the recording's mean.
    """

    def __init__(
        self,
        sample_rate: int,
        seconds: tuple[float, ...] = (0.0027, 0.0053, 0.0107, 0.0213, 0.0427),
        linear: float = 0.2,
    ):
        super().__init__()
        self.linear = linear
        self.sizes = []
        for number, length in enumerate(seconds):
            win = round(length * sample_rate)
            fft = 2 ** (win - 1).bit_length()
            self.sizes.append((fft, max(1, win // 4), win))
            hz = torch.linspace(0, sample_rate / 2, fft // 2 + 1)
            mel = 1 / (700 + hz)
            self.register_buffer(f"weights{number}", 0.5 + 0.5 * mel / mel.mean(), persistent=False)

    def forward(self, real: Tensor, one: Tensor, other: Tensor, lengths: Tensor) -> Tensor:
        """``real``, ``one``, ``other``: (B, S), zero on padding. ``lengths``: (B,) samples."""
        total = real.new_zeros(())
        for number, (fft, hop, win) in enumerate(self.sizes):
            # A window's sum of squares, times the power of noise that lies 80 dB under full scale.
            least = 0.375 * win * 1e-8
            x, y, z = (magnitudes(wav, fft, hop, win, least) for wav in (real, one, other))
            mask = heard(lengths, hop, x.shape[1])
            scale = self.linear / masked_mean(x, mask)
            difference = scale * energy(x, y, z) + energy(x.log(), y.log(), z.log())
            total = total + masked_mean(difference * getattr(self, f"weights{number}"), mask)
        return total / len(self.sizes)


def energy(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Of a number and two versions of what stands for it: least, on average, where all are drawn alike."""
    return (x - y).abs() + (x - z).abs() - (y - z).abs()
