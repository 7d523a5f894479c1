"""What end-to-end systems share: from the score to latents, and a vocoder of the zoo that is told these.

A system's ``infer`` gives F0, voicing and latents; ``own_vocoder`` makes waveforms of them, whole or in
pieces, as of any acoustic model's streams. Both are trained together, the vocoder on pieces of phrases.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.features.spec import LATENT, Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.fft_singer import FftSinger, PhoneEncoderSize, PitchSize
from nnsvs_lite.models.batch import Batch, length_mask
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame, sum_by_note
from nnsvs_lite.models.layers.latents import Flow, PosteriorEncoder, divergence
from nnsvs_lite.models.layers.losses import StreamLoss
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.noise import note_noise
from nnsvs_lite.models.layers.outputs import OutputSpace, zeroed
from nnsvs_lite.models.layers.wave_losses import MelDistance, magnitudes
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.options import AcousticOptions, Depth, Size
from nnsvs_lite.models.vocoder.hifigan import HifiGan
from nnsvs_lite.models.vocoder.neural import NeuralVocoder, VocoderOptions

PIECE = 256
"""Frames of each phrase that a test makes the waveform of, in its middle: more than a rest there has, since
spectral convergence weighs what is wrong in a silence without end.
"""
CENTRE, SPREAD = -5.0, 2.5
"""About the mean and the deviation of natural logarithms of magnitudes: what networks get is of unit size."""
UNFIT = ("style_tokens", "perceptual", "retrieval", "gv", "movement")
"""Options that are of spectra."""


class Decoding(Protocol):
    """Builds the vocoder at the end of a system, from the system's spec and the losses of waveforms."""

    def build(self, spec: Spec, options: VocoderOptions | None) -> NeuralVocoder: ...


@dataclass(frozen=True)
class HifiGanSize:
    """Of a :class:`~nnsvs_lite.models.vocoder.hifigan.HifiGan`; see there."""

    channels: Size = 512
    rates: tuple[Size, ...] = (8, 8, 2, 2)
    up_kernels: tuple[Size, ...] = (16, 16, 4, 4)
    kernels: tuple[Size, ...] = (3, 7, 11)
    dilations: tuple[tuple[Size, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    source: Literal["none", "harmonics", "dsp"] = "none"
    harmonics: Depth = 8
    bands: Size = 65
    direct: bool = False

    def build(self, spec: Spec, options: VocoderOptions | None) -> HifiGan:
        return HifiGan(spec, **asdict(self), conditioned_on=LATENT, options=options)


class LogSpectra(nn.Module):
    """Recordings (B, S) to log spectra (B, T, bins) of about unit size, one for each frame of features.

    Args:
        kind: ``mel``, of 80 bands up to half the rate, or ``linear``. fft: samples of the window.
        hop: samples a frame.
    """

    def __init__(self, rate: int, hop: int, kind: Literal["mel", "linear"], fft: int):
        super().__init__()
        self.fft, self.hop = fft, hop
        self.mel = MelDistance(rate, MelConfig(80, fft, fft, fmax=rate / 2), hop) if kind == "mel" else None
        self.bins = 80 if kind == "mel" else fft // 2 + 1

    @torch.no_grad()
    def forward(self, wav: Tensor, frames: int) -> Tensor:
        if self.mel is not None:
            log = self.mel.spectra(wav)
        else:
            log = magnitudes(wav, self.fft, self.hop, self.fft, least=1e-10).log()
        return (log[:, :frames] - CENTRE) / SPREAD


class MelHead(nn.Module):
    """Spectra that frames tell, which training alone asks for: so what they tell is soon of use."""

    def __init__(self, dim: int, bins: int):
        super().__init__()
        self.linear = zeroed(nn.Linear(dim, bins))

    def forward(self, x: Tensor, spectra: Tensor, mask: Tensor) -> Tensor:
        """Mean absolute difference of what ``x`` (B, T, dim) tells from ``spectra`` (B, T, bins)."""
        return masked_mean((self.linear(x).float() - spectra).abs().mean(-1), mask)


class EndToEnd(FftSinger):
    """Base of the systems: an encoder over phones, F0 and voicing, and frames told of both
    (:class:`FftSinger`). A system gives :meth:`learnt` and :meth:`outputs`.

    Durations are those of stage 4, in training the recording's. Of a dump ``lf0`` and ``vuv`` are read alone.

    Args:
        size: latents a frame. decoder: builds the vocoder. losses: of waveforms, and discriminators.
        encoder, pitch, inputs, places, options: see :class:`FftSinger`.
    """

    task = "endtoend"
    diffused = (LATENT,)

    def __init__(
        self,
        spec: Spec,
        size: int,
        decoder: Decoding,
        losses: VocoderOptions | None,
        encoder: PhoneEncoderSize,
        pitch: PitchSize,
        inputs: Sequence[str],
        places: bool,
        options: AcousticOptions | None,
    ):
        spec = spec.with_latents(size)
        parts = (encoder, None, pitch, inputs, "explicit", "deviation", places)
        super().__init__(spec, *parts, options=options)
        if unfit := [name for name in UNFIT if getattr(self.options, name)]:
            raise DataError(f"{unfit[0]} is of spectra, and an end-to-end system has none", "options")
        pitched = replace(spec, streams={"lf0": 1, "vuv": 1})
        self.space = OutputSpace(pitched, self.options.residual_to_rule)
        self.stream_loss = self.before_loss = StreamLoss(pitched)
        self.vocoder = decoder.build(spec, losses)
        self.adversarial_from = self.vocoder.adversarial_from

    def own_vocoder(self) -> NeuralVocoder:
        return self.vocoder

    @abstractmethod
    def learnt(self, batch: Batch, wav: Tensor) -> tuple[Tensor, Streams, Streams]:
        """Latents (B, T, size) that the recording ``wav`` (B, S) is to be made of, predicted F0 and voicing,
        and terms of the loss, already weighted. The batch's streams are the true F0 and voicing.
        """

    def framed(self, batch: Batch) -> tuple[Tensor, Streams, Streams]:
        """The last arguments of :meth:`told`, for training."""
        phone = phone_of_frame(batch)
        base = self.space.base(batch, phone)
        return phone, base, self.space.encode(batch.streams, base)

    def learn(self, batch: Batch, frames: int) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Made and recorded waveforms (B, S) of a piece of so many frames of each phrase, drawn by chance in
        training, and the losses of all but the discriminators.
        """
        known = replace(batch, streams={name: batch.streams[name] for name in ("lf0", "vuv")})
        wav = batch.streams["wav"].squeeze(-1)
        wav = wav * length_mask(self.vocoder.samples(batch), wav.shape[1])
        latents, predicted, terms = self.learnt(known, wav)
        losses = self.stream_loss(predicted, known)
        if self.pitch_flow is not None:
            terms["pitch_flow"] = self.pitch_flow.learn(known, self._sung_lf0(known))
        piece = self.piece(known, latents, wav, frames)
        made, real = self.vocoder.pair(piece)
        distances = self.vocoder.distance(made, real, piece)
        total = losses["loss"] + sum(terms.values()) + distances.pop("loss")
        reported = {name: value.detach() for name, value in (terms | distances).items()}
        return made, real, losses | reported | {"loss": total}

    def piece(self, batch: Batch, latents: Tensor, wav: Tensor, frames: int) -> Batch:
        """Streams, latents and recordings (B, S) of ``frames`` frames of each row, for the vocoder."""
        lengths, size = batch.frame_lengths, min(frames, batch.max_frames)
        room = (lengths - size).clamp(min=0)
        share = torch.rand(len(lengths), device=lengths.device) if self.training else 0.5
        first = (share * (room + 1)).long().minimum(room)[:, None]
        places = first + torch.arange(size, device=lengths.device)
        hop = self.vocoder.hop
        samples = first * hop + torch.arange(size * hop, device=lengths.device)
        streams = {name: gather_rows(values, places) for name, values in batch.streams.items()}
        streams |= {LATENT: gather_rows(latents, places), "wav": gather_rows(wav[..., None], samples)}
        return Batch(batch.utts, lengths.clamp(max=size), size, batch.singer, batch.language, streams)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return self.learn(batch, PIECE)[2]

    def discriminator(self) -> nn.Module | None:
        return self.vocoder.discriminator()

    def discriminator_loss(self, real: list, fake: list) -> Tensor:
        return self.vocoder.discriminator_loss(real, fake)

    def generator_loss(self, real: list, fake: list) -> dict[str, Tensor]:
        return self.vocoder.generator_loss(real, fake)


@dataclass(frozen=True)
class PosteriorSize:
    """Of what hears recordings.

    Attributes:
        spectra: what it hears, see :class:`LogSpectra`. fft: samples of their window.
        dim, layers, kernel: of its gated convolutions.
    """

    spectra: Literal["mel", "linear"] = "linear"
    fft: Size = 1024
    dim: Size = 192
    layers: Size = 16
    kernel: Size = 5


@dataclass(frozen=True)
class FlowSize:
    """Of the flow between latents and prior: couplings (0 for none), and their gated convolutions."""

    couplings: Depth = 4
    dim: Size = 192
    layers: Size = 4
    kernel: Size = 5


class Variational(EndToEnd):
    """Base of those that learn their latents from recordings, and the score's distribution of them: a
    posterior, a prior, perhaps a flow between them, and their divergence (VITS, arXiv:2106.06103). A system
    gives :meth:`prior`.

    Args:
        posterior, flow: sizes. kl: weight of the divergence, which is summed over latents.
        noise: factor of the prior's deviations in singing. Others: see :class:`EndToEnd`.
    """

    def __init__(
        self, spec: Spec, size: int, posterior: PosteriorSize, flow: FlowSize, kl: float, noise: float, *parts
    ):
        super().__init__(spec, size, *parts)
        self.kl, self.noise = kl, noise
        self.spectra = LogSpectra(spec.sample_rate, self.vocoder.hop, posterior.spectra, posterior.fft)
        self.posterior = PosteriorEncoder(
            self.spectra.bins, posterior.dim, posterior.layers, posterior.kernel, size
        )
        self.posterior_conditions = Conditions(spec, self.options, posterior.dim)
        self.flow = None
        if flow.couplings:
            self.flow = Flow(size, flow.couplings, flow.dim, flow.layers, flow.kernel)
            self.flow_conditions = Conditions(spec, self.options, flow.dim)

    @abstractmethod
    def prior(
        self, batch: Batch, phone: Tensor, base: Streams, true: Streams
    ) -> tuple[tuple[Tensor, Tensor], Tensor, Streams]:
        """Means and log deviations (B, T, size), the frames (B, T, dim) they are of, and F0 and voicing;
        arguments as of :meth:`told`.
        """

    def aligned(self, batch: Batch, heard: Tensor) -> Batch:
        """The batch with the durations to learn from; ``heard``: latents (B, T, size) where the prior is."""
        return batch

    def more(self, frames: Tensor, spectra: Tensor, mask: Tensor) -> Streams:
        """Further terms of the loss."""
        return {}

    def learnt(self, batch: Batch, wav: Tensor) -> tuple[Tensor, Streams, Streams]:
        mask = batch.frame_mask
        spectra = self.spectra(wav, batch.max_frames)
        posterior = self.posterior(spectra, self.posterior_conditions(batch), mask)
        latents = posterior[0]
        if self.training:
            latents = latents + torch.randn_like(latents) * posterior[1].exp()
        through = latents if self.flow is None else self.flow(latents, self.flow_conditions(batch), mask)
        batch = self.aligned(batch, through)
        prior, frames, predicted = self.prior(batch, *self.framed(batch))
        if self.flow is None:
            found = divergence(posterior, prior)
        elif self.training:
            found = divergence(posterior, prior, through)
        else:
            # Tests draw nothing: of the mean's way, with the deviations that it had.
            found = divergence((through, self.flow.reordered(posterior[1])), prior)
        return (
            latents,
            predicted,
            {"kl": self.kl * masked_mean(found, mask)} | self.more(frames, spectra, mask),
        )

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        (mean, log_deviation), _, out = self.prior(batch, phone, base, true)
        lengths = sum_by_note(batch.score.duration, batch)
        drawn = note_noise(batch.score.note_seed, lengths, batch.max_frames, mean.shape[-1])
        latents = mean + drawn * log_deviation.exp() * (self.noise * batch.temperature)
        if self.flow is not None:
            latents = self.flow.back(latents, self.flow_conditions(batch), batch.frame_mask)
        return out | {LATENT: latents * batch.frame_mask[..., None]}
