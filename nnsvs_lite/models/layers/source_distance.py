"""What the excitation of a source-filter network should be like (hn-uSFGAN; Yoneyama, Wu and Toda 2022,
arXiv:2205.06053, 2.3).
"""

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.features.mel import filterbank
from nnsvs_lite.models.layers.wave_losses import heard, magnitudes, masked_mean

UNVOICED = 500.0
"""Hz that CheapTrick takes where there is no F0."""
Q1 = -0.15
"""Of CheapTrick's compensation (Morise 2015)."""


class SourceDistance(nn.Module):
    """Mean absolute difference of log-mel spectra of an excitation from those of the recording without its
    spectral envelope, at the recording's level.

    The envelope is CheapTrick's (Morise 2015, Speech Communication 67): spectra under windows of three
    periods, smoothed over a width of F0 in the cepstrum.

    Args:
        sample_rate: Hz. hop: samples. lowest: Hz; a lower F0, or one of which ``fft`` samples hold less than
            three periods, counts as that. bins: mel bands up to half the sampling rate.
    """

    def __init__(self, sample_rate: int, hop: int, lowest: float, fft: int = 2048, bins: int = 80):
        super().__init__()
        self.sample_rate, self.hop, self.fft = sample_rate, hop, fft
        self.lowest = max(lowest, 3.0 * sample_rate / (fft - 2))
        bank = filterbank(sample_rate, MelConfig(bins, fft, fft, fmax=sample_rate / 2)).T
        self.register_buffer("bank", torch.from_numpy(bank.copy()).float(), persistent=False)

    def envelope(self, wav: Tensor, f0: Tensor) -> Tensor:
        """Natural logarithm of the envelope's magnitude, level taken out, (B, T, fft / 2 + 1).

        Args:
            wav: (B, S). f0: (B, T, 1) Hz, of frames whose middles are at samples ``t * hop``.
        """
        f0, half = f0.clamp(min=self.lowest), self.fft // 2
        frames = f0.shape[1]
        wav = torch.nn.functional.pad(wav, (half, max(0, frames * self.hop + half - wav.shape[1])))
        pieces = wav.unfold(1, self.fft, self.hop)[:, :frames]
        at = torch.arange(-half, half, device=wav.device) / self.sample_rate * f0 / 1.5
        window = torch.where(at.abs() <= 1, 0.5 + 0.5 * torch.cos(math.pi * at), 0.0)
        window = window / window.square().sum(-1, keepdim=True).sqrt()
        spectrum = torch.fft.rfft(pieces * window).abs().clamp(min=1e-7).log()
        cepstrum = torch.fft.irfft(spectrum, self.fft)
        quefrency = torch.fft.fftfreq(self.fft, 1 / self.fft, device=wav.device).abs() / self.sample_rate
        lifter = torch.sinc(f0 * quefrency) * (1 - 2 * Q1 + 2 * Q1 * torch.cos(2 * math.pi * f0 * quefrency))
        return torch.fft.rfft(cepstrum * lifter * (quefrency > 0)).real

    def target(self, real: Tensor, lf0: Tensor, vuv: Tensor) -> Tensor:
        """Log-mel spectra (B, T, bins) of recordings (B, S) without their envelopes."""
        f0 = torch.where(vuv > 0.5, lf0.exp(), UNVOICED)
        spectrum = magnitudes(real, self.fft, self.hop, self.fft)[:, : f0.shape[1]]
        flat = (spectrum.log() - self.envelope(real, f0)).exp()
        flat = flat * (spectrum.mean(-1, keepdim=True) / flat.mean(-1, keepdim=True))
        return (flat @ self.bank).clamp(min=1e-7).log()

    def forward(self, source: Tensor, real: Tensor, lf0: Tensor, vuv: Tensor, lengths: Tensor) -> Tensor:
        """``source``, ``real``: (B, S), zero on padding. ``lf0``, ``vuv``: (B, T, 1). ``lengths``: (B,)."""
        with torch.no_grad():
            target = self.target(real.float(), lf0, vuv)
        made = magnitudes(source, self.fft, self.hop, self.fft)[:, : target.shape[1]] @ self.bank
        difference = (made.clamp(min=1e-7).log() - target).abs()
        return masked_mean(difference, heard(lengths, self.hop, difference.shape[1]))
