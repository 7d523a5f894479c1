"""What features say of a voice's two parts, harmonics and noise, before anything is learnt."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.features.mel import analysis_window, filterbank, mel_edges
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.layers.harmonics import breath
from nnsvs_lite.models.layers.spectral_filter import Bands, hats, mel_cepstral_basis, minimum_phase

FINE = 8
"""How many times finer than the bins cepstra of band shapes are taken, so that they do not wrap around."""


class WorldEnvelope(nn.Module):
    """Mel-cepstra and band aperiodicity, as WORLD reads them (Morise, Yokomori and Ozawa 2016).

    Attributes:
        lines, phases: (n, bins): log magnitude and minimum phase that each of its n numbers stands for.
        reach: samples of the source, on either side of a frame, that its numbers depend on.
    """

    reach = 0

    def __init__(self, spec: Spec, bands: Bands, bins: int):
        super().__init__()
        from nnsvs_lite.features.world import alpha_of

        config = spec.feature_config
        lines, phases = mel_cepstral_basis(config.world.mgc_order, alpha_of(config), bins)
        keep(self, lines=lines, phases=phases)
        # Decibels at 0 Hz, each 3 kHz and half the rate, with straight lines between.
        count, half = config.streams["bap"], config.sample_rate / 2
        known = np.array([0.0, *(3000.0 * np.arange(1, count + 1)), half])
        rows = [np.interp(bands.hz, known, row) for row in np.eye(count + 2)]
        keep(self, coarse=np.array(rows[1:-1]), lowest=-60.0 * rows[0])

    def forward(self, streams: dict[str, Tensor], pulses: Tensor) -> tuple[Tensor, ...]:
        """Numbers (B, T, n) of harmonics and of noise, and what to add at the bands (B, T, bands) to each."""
        decibels = streams["bap"].clamp(max=0.0) @ self.coarse + self.lowest
        harmonics, noise = shares(decibels, streams["vuv"] > 0.5)
        return streams["mgc"], streams["mgc"], harmonics, noise


class MelEnvelope(nn.Module):
    """Log-mel spectra. The gain of a band is what the source lacks in it: the source is analysed as the
    recording was. Bands that tell harmonics apart are weighed together over ``WIDTH`` F0 on either side: over
    all of it formants are blurred (MCD 3.3 dB instead of 2.4 on a song of nit_song070), over .3 F0 suffers.

    How much is noise they do not tell: it is what :func:`breath` says. It has no harmonics: where there is a
    voice, it lies under the spectrum that is even over a whole F0.
    """

    WIDTH = 0.5
    PITCHES = np.linspace(6.0, 10.5, 10)
    """Octaves above 1 Hz for which weights are kept; between them they are mixed."""

    def __init__(self, spec: Spec, bands: Bands, bins: int):
        super().__init__()
        self.config, options = spec.feature_config, spec.feature_config.mel
        self.reach = options.fft_size
        rate = self.config.sample_rate
        centres = mel_edges(options.bins, options.fmin, options.fmax, options.scale)[1:-1]
        fine = np.linspace(0, rate / 2, (bins - 1) * FINE + 1)
        lines = hats(centres, fine)
        keep(self, lines=lines[:, ::FINE], phases=minimum_phase(lines)[:, ::FINE])
        bank, window = filterbank(rate, options), analysis_window(options)
        bank = bank + 1e-8
        power = np.sum(window**2)
        # The mean magnitude of complex normal numbers is sqrt(pi) / 2 of their deviation.
        white = bank.sum(1) * (power if options.power == 2 else math.sqrt(power * math.pi) / 2)
        keep(self, bank=bank.T, window=window, white=np.log(white) / options.power)
        apart = np.abs(centres[:, None] - centres)
        for name, share in (("near", self.WIDTH), ("wide", 1.0)):
            weights = [np.maximum(0.0, 1.0 - apart / (share * hz)) for hz in 2.0**self.PITCHES]
            keep(self, **{name: np.concatenate(weights, axis=1)})
        keep(self, pitches=self.PITCHES)
        keep(self, decibels=breath(bands.hz))

    def forward(self, streams: dict[str, Tensor], pulses: Tensor) -> tuple[Tensor, ...]:
        """See :class:`WorldEnvelope`. ``pulses`` (B, S): the source."""
        options = self.config.mel
        natural = 1.0 if options.log == "natural" else math.log(10.0)
        mel = streams["mel"] * natural
        own = self.analyse(pulses, mel.shape[1])
        log_f0 = (streams["lf0"] / math.log(2.0)).clamp(self.pitches[0], self.pitches[-1])
        mix = (1 - (log_f0 - self.pitches).abs() / (self.pitches[1] - self.pitches[0])).clamp(min=0)

        def weighed(x: Tensor, weights: Tensor) -> Tensor:
            x = (x @ weights).unflatten(-1, (len(self.pitches), -1))
            return (mix[..., None] * x).sum(-2).clamp(min=1e-8).log() / options.power

        voiced, magnitude = streams["vuv"] > 0.5, mel.exp()
        harmonics = weighed(magnitude, self.near) - weighed(own, self.near)
        white = (self.white * options.power).exp().expand_as(mel)
        smooth = weighed(magnitude, self.wide) - weighed(white, self.wide)
        noise = torch.where(voiced, smooth, mel / options.power - self.white)
        return harmonics, noise, *shares(self.decibels.expand(*mel.shape[:2], -1), voiced)

    def analyse(self, wav: Tensor, frames: int) -> Tensor:
        """Mel magnitudes (B, T, mel bins) of a waveform (B, S), at the middles of ``frames`` frames."""
        size = self.config.mel.fft_size
        hop = self.config.frame_shift * self.config.sample_rate
        centres = torch.round(torch.arange(frames, device=wav.device).double() * hop).long()
        padded = nn.functional.pad(wav, (size // 2, size))
        pieces = padded[:, centres[:, None] + torch.arange(size, device=wav.device)]
        spectra = torch.fft.rfft(pieces * self.window).abs()
        return (spectra**self.config.mel.power) @ self.bank


def shares(decibels: Tensor, voiced: Tensor) -> tuple[Tensor, Tensor]:
    """Log gains of harmonics and of noise whose powers add up to 1; noise alone where nothing is voiced."""
    noise = torch.where(voiced, decibels * (math.log(10.0) / 20), 0.0)
    harmonics = 0.5 * torch.log1p(-(2 * noise).exp().clamp(max=1 - 1e-4))
    return harmonics, noise


def keep(module: nn.Module, **arrays: np.ndarray) -> None:
    """Registers float32 buffers that checkpoints leave out."""
    for name, array in arrays.items():
        module.register_buffer(name, torch.tensor(array, dtype=torch.float32), persistent=False)
