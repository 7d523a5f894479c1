"""What vocoders of filtered harmonics and noise share: inputs, source, frames of filters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, length_mask
from nnsvs_lite.models.layers.comb import comb
from nnsvs_lite.models.layers.noise import running_noise
from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.layers.spectral_filter import SpectralFilter
from nnsvs_lite.models.vocoder.conditioned import Conditioned

Conditions = Literal["mel_f0", "world"]


class HarmonicNoise(Conditioned):
    """Base of vocoders that sum a voice's two parts, of a source without parameters.

    Args:
        conditioned_on: the streams that it reads: ``mel_f0`` (lf0, vuv, mel) or ``world`` (lf0, vuv, mgc,
            bap); null for mel where the features have it. reach: frames that its network sees on either side.

    Attributes:
        hop: samples a frame, perhaps not whole.
    """

    def __init__(self, spec: Spec, conditioned_on: Conditions | None, reach: int):
        super().__init__(spec, conditioned_on or ("mel_f0" if "mel" in spec.streams else "world"), least=1e-3)
        self.hop = spec.frame_shift * spec.sample_rate
        self.source = SineSource(spec.sample_rate, spec.frame_shift, 0)
        self.filter = SpectralFilter(spec.sample_rate, self.hop)
        self.reach = reach + self.frames_of(self.filter.reach)

    def frames_of(self, samples: int) -> int:
        """Frames that reach so many samples away, and one between which F0 runs."""
        return -int(-samples // self.hop) + 1

    def running(self, batch: Batch) -> dict[str, Tensor]:
        return {"turns": self.source.turns(batch.streams["lf0"])}

    def phase(self, batch: Batch, streams: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Phase in turns and F0 in Hz of samples, (B, S) float64 each."""
        size = round(batch.max_frames * self.hop)
        phase, f0 = self.source.phase(streams["lf0"], streams["turns"], batch.frame_lengths, size)
        return phase.squeeze(-1), f0.squeeze(-1)

    def pulses(self, batch: Batch, streams: dict[str, Tensor]) -> Tensor:
        """All harmonics, (B, S), zero on padding."""
        phase, f0 = self.phase(batch, streams)
        return comb(phase, f0, self.spec.sample_rate) * self.sample_mask(batch)

    def sample_mask(self, batch: Batch) -> Tensor:
        """(B, S) bool, true on an utterance's samples."""
        return length_mask(self.samples(batch), round(batch.max_frames * self.hop))

    def whites(self, batch: Batch, versions: int) -> list[Tensor]:
        """White noise of variance 1, (B, S) each, zero on padding."""
        samples, size = self.samples(batch), round(batch.max_frames * self.hop)
        if self.training:
            drawn = [torch.randn(len(samples), size, device=samples.device) for _ in range(versions)]
            return [noise * length_mask(samples, size) for noise in drawn]
        first = self.first_sample(batch)
        seeds = range(batch.seed, batch.seed + versions)
        return [running_noise(first, samples, size, 1, seed).squeeze(-1) for seed in seeds]

    @abstractmethod
    def parts(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Spectra (B, K, bins) of the harmonics, filtered, and the filters of the noise."""

    def versions(self, batch: Batch, count: int) -> Sequence[Tensor]:
        """As many waveforms (B, S), alike but for chance in the noise."""
        harmonics, noise = self.parts(batch)
        size = round(batch.max_frames * self.hop)
        whites = self.whites(batch, count)
        return [
            self.filter.waveform(harmonics + self.filter.spectra(white) * noise, size)
            * self.sample_mask(batch)
            for white in whites
        ]

    def synthesize(self, batch: Batch) -> Tensor:
        return self.versions(batch, 1)[0]
