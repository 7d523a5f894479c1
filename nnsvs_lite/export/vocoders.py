"""Vocoders as the network that OpenUtau calls: log mel spectra and an F0 without gaps to a waveform.

Which frames are voiced is not told, so it is read from the spectra, by a logistic regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.export.static import Pair, irfft, polar, rfft
from nnsvs_lite.features.mel import conversion
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.comb import comb
from nnsvs_lite.models.layers.noise import running_noise
from nnsvs_lite.models.vocoder.hifigan import HifiGan
from nnsvs_lite.models.vocoder.hn_istft import Hn

NOISE = 1 << 17
"""Samples of noise in a graph, after which they begin anew: 3 s at 44.1 kHz."""


@dataclass(frozen=True)
class Voicing:
    """``weight`` (bins,) and ``bias`` of a logit of log mel spectra; ``right``: share of frames."""

    weight: np.ndarray
    bias: float
    right: float

    @staticmethod
    def fit(mel: np.ndarray, voiced: np.ndarray) -> Voicing:
        """From spectra (T, bins) and voicing (T,) bool of one voice."""
        from sklearn.linear_model import LogisticRegression

        if voiced.all() or not voiced.any():
            return Voicing(np.zeros(mel.shape[1]), 1.0 if voiced.all() else -1.0, 1.0)
        mean, std = mel.mean(0), np.maximum(mel.std(0), 1e-3)
        found = LogisticRegression(C=0.1, max_iter=500).fit((mel - mean) / std, voiced)
        weight = found.coef_[0] / std
        bias = float(found.intercept_[0] - weight @ mean)
        return Voicing(weight, bias, float(np.mean((mel @ weight + bias > 0) == voiced)))


class VocoderGraph(nn.Module):
    """Base: ``mel`` (1, T, bins) and ``f0`` (1, T) in Hz to ``waveform`` (1, S)."""

    inputs = {"mel": "1TB", "f0": "1T"}
    outputs = ("waveform",)

    def __init__(self, model: VocoderModel, voicing: Voicing):
        super().__init__()
        self.model, self.spec = model, model.spec
        self.register_buffer("weight", torch.tensor(voicing.weight, dtype=torch.float32))
        self.register_buffer("bias", torch.tensor(voicing.bias, dtype=torch.float32))
        self.hop = round(self.spec.frame_shift * self.spec.sample_rate)

    def forward(self, mel: Tensor, f0: Tensor) -> Tensor:
        # A logarithm of 32 bits is another one in each library, which phases of a song add up.
        fine = f0.double().clamp(min=40.0, max=self.spec.sample_rate / 4).log()[..., None]
        vuv = ((mel * self.weight).sum(-1, keepdim=True) + self.bias > 0).float()
        return self.waveform({"lf0": fine, "vuv": vuv, "mel": self._own(mel)})

    def _own(self, mel: Tensor) -> Tensor:
        """Spectra with the logarithm that the model knows."""
        own, given = self.spec.feature_config.mel, self.model.given and self.model.given.mel
        if given in (None, own):
            return mel
        factor, lowest = conversion(given, own)
        return (mel * factor).clamp(min=lowest)

    def waveform(self, streams: dict[str, Tensor]) -> Tensor:
        """(1, S) of ``lf0``, float64, ``vuv`` and ``mel``, (1, T, D) each."""
        raise NotImplementedError

    def batch(self, streams: dict[str, Tensor]) -> Batch:
        """What the model is told, with all that runs on."""
        self.fine, none = streams["lf0"], torch.zeros(1, dtype=torch.long)
        lengths = torch.ones_like(self.fine[..., 0]).long().sum(1)
        batch = Batch(["bank"], lengths, self.fine.shape[1], none, none, dict(streams))
        running = self.model.running(batch)
        batch.streams |= running | {name: x.float() for name, x in streams.items()}
        return batch

    def phase(self, batch: Batch, hop: int) -> tuple[Tensor, Tensor]:
        """Phase of F0 in turns, and F0, of samples, ``hop`` a frame: (1, S) float64 each."""
        lengths, size = batch.frame_lengths, batch.max_frames * hop
        found = self.model.source.phase(self.fine, batch.streams["turns"], lengths, size)
        return found[0][..., 0], found[1][..., 0]


class HarmonicNoiseGraph(VocoderGraph):
    """:class:`Hn` and :class:`HnIstft`, in real numbers."""

    def __init__(self, model: Hn, voicing: Voicing):
        super().__init__(model, voicing)
        noise = running_noise(0, torch.tensor([NOISE]), NOISE, 1, 0)
        self.register_buffer("noise", noise[0, :, 0])
        model.envelope.analyse = self._analyse

    def _analyse(self, wav: Tensor, frames: int) -> Tensor:
        envelope, size = self.model.envelope, self.spec.feature_config.mel.fft_size
        places = torch.arange(frames)[:, None] * self.hop + torch.arange(size)
        pieces = F.pad(wav, (size // 2, size))[:, places] * envelope.window
        return rfft(pieces).abs() ** self.spec.feature_config.mel.power @ envelope.bank

    def _spectra(self, wav: Tensor, count: Tensor | int) -> Pair:
        cut, room = self.model.filter, self.model.filter.size - 2 * self.model.filter.step
        places = torch.arange(count)[:, None] * cut.step + torch.arange(2 * cut.step)
        pieces = F.pad(wav, (cut.step, 2 * cut.step))[:, places] * cut.window
        return rfft(F.pad(pieces, (cut.before, room - cut.before)))

    def waveform(self, streams: dict[str, Tensor]) -> Tensor:
        model, cut = self.model, self.model.filter
        batch = self.batch(streams)
        streams, frames = batch.streams, batch.max_frames
        size, count = frames * self.hop, cut.steps(frames)
        pulses = comb(*self.phase(batch, self.hop), self.spec.sample_rate)
        magnitude, angle, noise = model.gains(batch, streams, pulses)
        white = self.noise[torch.arange(size) % NOISE][None]
        voice, breath = self._spectra(pulses, count), self._spectra(white, count)
        spectra = voice * polar(magnitude, angle) + breath * noise
        pieces = irfft(spectra, cut.size)
        last = (cut.size - 1) // cut.step
        steps = F.pad(pieces, (0, (last + 1) * cut.step - cut.size)).reshape(1, count, last + 1, cut.step)
        whole = sum(F.pad(steps[:, :, i], (0, 0, i, last - i)) for i in range(last + 1)).flatten(1)
        start = cut.before + cut.step
        return whole[:, start : start + size]


class HifiGanGraph(VocoderGraph):
    """:class:`HifiGan` that hears one sine, or none."""

    def waveform(self, streams: dict[str, Tensor]) -> Tensor:
        # The last frame goes on, as where it sings.
        model, size = self.model, streams["lf0"].shape[1] * self.hop
        rows = {n: torch.cat([x, x[:, -1:].repeat_interleave(model.reach, 1)], 1) for n, x in streams.items()}
        batch, sources = self.batch(rows), {}
        if model.source is not None:
            rate = round(model.source.sample_rate * model.source.frame_shift)
            sine = model.source.amplitude * torch.sin(2 * torch.pi * self.phase(batch, rate)[0]).float()
            sources = {1: model.excite[0](sine[:, None])}
        return model.through(model.numbers(batch.streams).transpose(1, 2), sources)[:, :size]


def vocoder_graph(model: VocoderModel, voicing: Voicing) -> VocoderGraph:
    """The graph of a vocoder. Raises DataError for one that has none."""
    if "mel" not in model.inputs:
        raise DataError(f"{type(model).__name__} does not read mel spectra, which are all a bank has")
    if isinstance(model, Hn):
        return HarmonicNoiseGraph(model, voicing)
    if isinstance(model, HifiGan) and not model.middle and model.source_kind in ("none", "sine"):
        return HifiGanGraph(model, voicing)
    known = "hn, hn_istft, or hifigan whose source is sine or none"
    raise DataError(f"{type(model).__name__} cannot be a bank's vocoder: give {known} by --vocoder")
