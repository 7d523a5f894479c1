"""Harmonics and noise through filters of a small network at the frame rate: our own vocoder for CPUs."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.convnext import ConvNextBlock
from nnsvs_lite.models.layers.energy_distance import EnergyDistance
from nnsvs_lite.models.layers.envelope import MelEnvelope, WorldEnvelope
from nnsvs_lite.models.layers.spectral_filter import Bands
from nnsvs_lite.models.options import Depth, Size
from nnsvs_lite.models.vocoder.harmonic_noise import Conditions, HarmonicNoise


class Hn(HarmonicNoise):
    """The source is exact: a band-limited pulse train at F0, and noise. Features alone give both a filter. It
    has nothing to learn.

    Args: conditioned_on: see :class:`HarmonicNoise`. bands: in which filters are corrected, even in mel.
    """

    trains = False

    def __init__(
        self,
        spec: Spec,
        conditioned_on: Conditions | None = None,
        bands: Annotated[int, Within(2, 1000)] = 80,
        reach: Depth = 0,
    ):
        super().__init__(spec, conditioned_on, reach)
        self.bands = Bands(bands, spec.sample_rate, self.filter.bins)
        envelope = MelEnvelope if "mel" in self.inputs else WorldEnvelope
        self.envelope = envelope(spec, self.bands, self.filter.bins)
        self.reach += self.frames_of(self.envelope.reach)

    def corrections(self, batch: Batch, streams: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Log gains of harmonics and of noise, and phases in radians, (B, T, bands) each."""
        nothing = streams["lf0"].new_zeros(*streams["lf0"].shape[:2], self.bands.count)
        return nothing, nothing, nothing

    def parts(self, batch: Batch) -> tuple[Tensor, Tensor]:
        streams = self.streams(batch)
        pulses = self.pulses(batch, streams)
        magnitude, phase, noise = self.gains(batch, streams, pulses)
        return self.filter.spectra(pulses) * torch.polar(magnitude.float(), phase.float()), noise

    def gains(
        self, batch: Batch, streams: dict[str, Tensor], pulses: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, K, bins) each: magnitudes and phases of the harmonics' filters, magnitudes of the noise's."""
        learnt, learnt_noise, turned = self.corrections(batch, streams)
        own, own_noise, share, share_noise = self.envelope(streams, pulses)
        voiced = (streams["vuv"] > 0.5).float()
        numbers = [own, share + learnt, turned, voiced, own_noise, share_noise + learnt_noise]
        count = own.shape[-1] + self.bands.count
        sizes = [count, self.bands.count, 1, count]
        between = self.filter.between(torch.cat(numbers, -1), batch.frame_lengths)
        harmonics, turned, voiced, noise = between.split(sizes, -1)
        lines = torch.cat([self.envelope.lines, self.bands.lines])
        phases = torch.cat([self.envelope.phases, self.bands.phases, self.bands.lines])
        phase = torch.cat([harmonics, turned], -1) @ phases
        return voiced * (harmonics @ lines).exp(), phase, (noise @ lines).exp()


class HnIstft(Hn):
    """:class:`Hn`, whose filters a network corrects, frame by frame and band by band: the magnitude and phase
    of the harmonics' filter and the magnitude of the noise's. So it sings as WORLD does before it has learnt
    anything.

    Args: conditioned_on, bands: see :class:`Hn`. dim, inner, layers: of the network.
    """

    trains = True

    def __init__(
        self,
        spec: Spec,
        conditioned_on: Conditions | None = None,
        dim: Size = 192,
        inner: Size = 384,
        layers: Size = 6,
        bands: Annotated[int, Within(2, 1000)] = 80,
    ):
        super().__init__(spec, conditioned_on, bands, reach=3 * (layers + 1))
        self.enter, self.norm = nn.Conv1d(self.size, dim, 7, padding=3), nn.LayerNorm(dim)
        self.blocks = nn.ModuleList(ConvNextBlock(dim, inner, 1 / layers) for _ in range(layers))
        self.leave = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 3 * bands))
        nn.init.zeros_(self.leave[1].weight)
        nn.init.zeros_(self.leave[1].bias)
        self.distances = EnergyDistance(spec.sample_rate)

    def corrections(self, batch: Batch, streams: dict[str, Tensor]) -> tuple[Tensor, ...]:
        mask = batch.frame_mask[:, None]
        x = self.enter(self.numbers(streams).transpose(1, 2) * mask)
        x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x * mask)
        return self.leave(x.transpose(1, 2)).chunk(3, dim=-1)

    def distance(self, wav: Tensor, real: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.distances(real, wav, wav, self.samples(batch))}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        real, lengths = batch.streams["wav"].squeeze(-1), self.samples(batch)
        distance = self.distances(real, *self.versions(batch, 2), lengths)
        return {"loss": distance, "weight": batch.frame_lengths.sum()}
