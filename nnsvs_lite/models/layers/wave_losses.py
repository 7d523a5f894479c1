"""Distances of waveforms, and the losses of adversarial training."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.features.mel import filterbank
from nnsvs_lite.models.batch import length_mask
from nnsvs_lite.models.layers.discriminators import Judgement

Gan = Literal["least_squares", "hinge"]


def magnitudes(wav: Tensor, fft: int, hop: int, win: int, least: float = 1e-7) -> Tensor:
    """(B, frames, fft / 2 + 1) magnitudes of waveforms (B, S); frame i has its middle at sample ``i * hop``,
    and zeros continue the waveform.

    ``least`` is the smallest power: the gradient of a magnitude of zero is none.
    """
    window = torch.hann_window(win, device=wav.device)
    # In mixed precision too: there is no transform of half numbers.
    x = torch.stft(wav.float(), fft, hop, win, window, pad_mode="constant", return_complex=True)
    return (x.real.square() + x.imag.square()).clamp(min=least).sqrt().transpose(1, 2)


def heard(lengths: Tensor, hop: int, frames: int) -> Tensor:
    """(B, frames, 1) bool: which frames have their middles within ``lengths`` (B,) samples."""
    return length_mask(-(-lengths // hop), frames)[..., None]


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``x`` (B, frames, D) over the frames of ``mask`` (B, frames, 1)."""
    return (x * mask).sum() / (mask.sum() * x.shape[2]).clamp(min=1)


class StftDistance(nn.Module):
    """Multi-resolution STFT loss (Yamamoto, Song and Kim 2020, arXiv:1910.11480, eq. 5-7).

    Args:
        sizes: FFT size, hop and window of each transform, in samples.
    """

    def __init__(
        self, sizes: Sequence[Sequence[int]] = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
    ):
        super().__init__()
        self.sizes = tuple(map(tuple, sizes))

    def forward(self, wav: Tensor, real: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Spectral convergence, and the difference of natural logarithms, as means over transforms.

        Args:
            wav, real: (B, S), zero on padding. lengths: (B,) samples.
        """
        convergence, difference = [], []
        for size in self.sizes:
            made, true = magnitudes(wav, *size), magnitudes(real, *size)
            mask = heard(lengths, size[1], made.shape[1])
            # Of all rows together: a silent row alone would weigh without end.
            convergence.append(((true - made) * mask).norm() / (true * mask).norm())
            difference.append(masked_mean((true.log() - made.log()).abs(), mask))
        return sum(convergence) / len(self.sizes), sum(difference) / len(self.sizes)


class MelDistance(nn.Module):
    """Mean absolute difference of log-mel spectra, natural logarithm (HiFi-GAN, arXiv:2010.05646, eq. 5).

    Args:
        sample_rate: Hz. mel: of the analysis; ``power``, ``log`` and ``log_floor`` are not read.
        hop: samples. floor: magnitudes of bands below it are raised to it.
    """

    def __init__(self, sample_rate: int, mel: MelConfig, hop: int, floor: float = 1e-5):
        super().__init__()
        self.fft, self.hop, self.win, self.floor = mel.fft_size, hop, mel.win_size, floor
        bank = torch.from_numpy(filterbank(sample_rate, mel).T.copy()).float()
        self.register_buffer("bank", bank, persistent=False)

    def spectra(self, wav: Tensor) -> Tensor:
        """(B, frames, bins) of waveforms (B, S)."""
        x = magnitudes(wav, self.fft, self.hop, self.win, least=1e-9) @ self.bank
        return x.clamp(min=self.floor).log()

    def forward(self, wav: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
        """``wav``, ``real``: (B, S), zero on padding. ``lengths``: (B,) samples."""
        difference = (self.spectra(wav) - self.spectra(real)).abs()
        return masked_mean(difference, heard(lengths, self.hop, difference.shape[1]))


def level_distance(wav: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
    """Mean absolute difference of levels, in units of 10 dB, each row counting by its length.

    Distances of logarithms are least where each band is at its median, whose power is below the mean one's: a
    network that cannot tell what differs between renditions learns to be too quiet by them.

    ``wav``, ``real``: (B, S), zero on padding. ``lengths``: (B,) samples.
    """
    made, true = ((x.float().square().sum(1) / lengths).clamp(min=1e-7).log10() for x in (wav, real))
    return ((made - true).abs() * lengths).sum() / lengths.sum()


def envelope_distance(wav: Tensor, real: Tensor, lengths: Tensor, width: int = 100) -> Tensor:
    """Mean absolute differences of the highest, and of the lowest, samples of windows of ``width`` that lie
    half of it apart, added (RefineGAN, arXiv:2111.00962, eq. 4; sizes of fish-diffusion).

    ``wav``, ``real``: (B, S), zero on padding. ``lengths``: (B,) samples.
    """
    step = width // 2
    difference = sum(
        (F.max_pool1d(sign * wav, width, step) - F.max_pool1d(sign * real, width, step)).abs()
        for sign in (1, -1)
    )[..., None]
    return masked_mean(difference, heard(lengths, step, difference.shape[1]))


def feature_distance(
    real: Sequence[Judgement], fake: Sequence[Judgement], weights: Sequence[float] | None = None
) -> Tensor:
    """Mean absolute differences of features, as a sum over all layers (MelGAN; Kumar et al. 2019,
    arXiv:1910.06711, eq. 3), those of each network times its weight.
    """
    total = fake[0][0].new_zeros(())
    for (_, true), (_, made), weight in zip(real, fake, weights or [1.0] * len(fake)):
        total = total + sum(weight * (b - a.detach()).abs().mean() for a, b in zip(true, made))
    return total


def discriminator_loss(
    kind: Gan, real: Sequence[Judgement], fake: Sequence[Judgement], weights: Sequence[float] | None = None
) -> Tensor:
    """Of scores that should be 1 for recordings and 0 for what is synthesized (``least_squares``: Mao et al.
    2017, eq. 9), or above 1 and below -1 (``hinge``: Lim and Ye 2017): a weighted sum over networks.
    """
    total = 0.0
    for (r, _), (f, _), weight in zip(real, fake, weights or [1.0] * len(fake)):
        if kind == "hinge":
            total = total + weight * ((1 - r).relu().mean() + (1 + f).relu().mean())
        else:
            total = total + weight * ((r - 1).square().mean() + f.square().mean())
    return total


def generator_loss(kind: Gan, fake: Sequence[Judgement], weights: Sequence[float] | None = None) -> Tensor:
    """What the generator is to make small against :func:`discriminator_loss`, weighted alike. Under ``hinge``
    it is cut at 1, as Vocos has it.
    """
    cut = torch.relu if kind == "hinge" else torch.square
    return sum(w * cut(1 - score).mean() for (score, _), w in zip(fake, weights or [1.0] * len(fake)))
