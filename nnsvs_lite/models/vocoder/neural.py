"""What neural vocoders share: conditions, losses, discriminators, and the ends of utterances."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.batch import Batch, length_mask
from nnsvs_lite.models.layers import wave_losses
from nnsvs_lite.models.layers.discriminators import (
    Dilated,
    Judgement,
    MultiLength,
    MultiPeriod,
    MultiResolution,
    MultiScale,
    Together,
)
from nnsvs_lite.models.layers.noise import running_noise
from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.options import Depth, Size, Weight
from nnsvs_lite.models.vocoder.conditioned import Conditioned

Conditions = Literal["mel", "mel_f0", "world", "latent"]


@dataclass(frozen=True)
class Discriminators:
    """Which ones judge a vocoder, together; see :mod:`nnsvs_lite.models.layers.discriminators`.

    Attributes:
        periods: of :class:`MultiPeriod`, in samples; none for no such network.
        period_channels: of its layers.
        scales: of :class:`MultiScale`. scale_channels: of its narrowest layer.
        resolutions: FFT size, hop and window of :class:`MultiResolution`, in samples.
        resolution_channels: of its layers. resolution_weight: of its losses, where others weigh 1.
        bands: its edges, as shares of the spectrum; none for magnitudes.
        lengths: of :class:`MultiLength`, in samples. dilated: layers of :class:`Dilated`, 0 for none.
        dilated_channels, dilated_kernel: of it, and of those of ``lengths``, of 10 layers.
    """

    periods: tuple[Size, ...] = ()
    period_channels: tuple[Size, ...] = (32, 128, 512, 1024, 1024)
    scales: Depth = 0
    scale_channels: Size = 128
    resolutions: tuple[tuple[Size, ...], ...] = ()
    resolution_channels: Size = 32
    resolution_weight: Weight = 1.0
    bands: tuple[Annotated[float, Within(above=0, below=1)], ...] = ()
    lengths: tuple[Annotated[int, Within(1, 1 << 22)], ...] = ()
    dilated: Depth = 0
    dilated_channels: Size = 64
    dilated_kernel: Size = 3

    @property
    def weights(self) -> list[float]:
        """Of the losses of each judgement."""
        before, after = len(self.periods) + self.scales, len(self.lengths) + (self.dilated > 0)
        return [1.0] * before + [self.resolution_weight] * len(self.resolutions) + [1.0] * after

    def build(self) -> Together | None:
        """New networks, or None where there are none."""
        made: list[nn.Module] = []
        if self.periods:
            made.append(MultiPeriod(self.periods, self.period_channels))
        if self.scales:
            made.append(MultiScale(self.scales, self.scale_channels))
        if self.resolutions:
            made.append(
                MultiResolution(list(map(three, self.resolutions)), self.resolution_channels, self.bands)
            )
        if self.dilated:
            made.append(Dilated(self.dilated, self.dilated_channels, self.dilated_kernel))
        if self.lengths:
            made.append(MultiLength(self.lengths, 10, self.dilated_channels, self.dilated_kernel))
        return Together(*made) if made else None


@dataclass(frozen=True)
class VocoderOptions:
    """What a neural vocoder is trained by. Weights are factors in the generator's loss, 0 for none.

    Attributes:
        mel: of :class:`~nnsvs_lite.models.layers.wave_losses.MelDistance`.
        mel_sizes: FFT size and hop of its transforms, in samples, and bands up to half the sampling rate; the
            mean of several.
        stft: of :class:`~nnsvs_lite.models.layers.wave_losses.StftDistance`, its two parts added.
        stft_sizes: FFT size, hop and window of its transforms, in samples.
        level: of :func:`~nnsvs_lite.models.layers.wave_losses.level_distance`.
        adversarial: of the discriminators' verdict. features: of the distance of their features.
        gan: which losses these are. adversarial_from: the update from which on there are discriminators.
        discriminators: which.
    """

    mel: Weight = 45.0
    mel_sizes: tuple[tuple[Size, ...], ...] = ((1024, 256, 80),)
    stft: Weight = 0.0
    stft_sizes: tuple[tuple[Size, ...], ...] = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
    level: Weight = 0.0
    adversarial: Weight = 1.0
    features: Weight = 2.0
    gan: wave_losses.Gan = "least_squares"
    adversarial_from: Annotated[int, Within(0)] = 0
    discriminators: Discriminators = Discriminators()


def three(sizes: Sequence[int]) -> tuple[int, ...]:
    """The three sizes of a transform. Raises DataError where there are more or fewer."""
    if len(sizes) != 3:
        raise DataError(f"a transform has three sizes, not {len(sizes)}: {list(sizes)}")
    return tuple(sizes)


class NeuralVocoder(Conditioned):
    """Base of networks from frames of numbers to samples: a system gives :meth:`generate` and ``reach``.

    A network may also make its excitation, which a distance of its own can then read.

    Chance makes no difference to those that call neither :meth:`sines` nor :meth:`noise`.

    Args:
        conditioned_on: the streams that enter the network: ``mel``, ``mel_f0`` (lf0, vuv and mel) or
            ``world`` (lf0, vuv, mgc and bap); null for mel where the features have it, else WORLD's;
            ``latent`` where it is the end of an end-to-end system.
        options: losses and discriminators.
        source: of sines at F0, which lf0 and vuv drive whatever enters the network; None for none.
        middle: a frame lies in the middle of the samples that the network makes of it, not at their start, as
            where spectra were analysed without padding for half a window.

    Attributes:
        hop: samples a frame.
    """

    def __init__(
        self,
        spec: Spec,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
        source: SineSource | None = None,
        middle: bool = False,
    ):
        spectra = conditioned_on or ("mel" if "mel" in spec.streams else "world")
        super().__init__(spec, spectra, ("lf0", "vuv") if source is not None else ())
        self.source, self.middle = source, middle
        self.options = options or VocoderOptions()
        self.adversarial_from = self.options.adversarial_from
        hop = spec.frame_shift * spec.sample_rate
        self.hop = round(hop)
        if abs(hop - self.hop) > 1e-6:
            raise DataError(f"a frame of {hop:g} samples: a neural vocoder needs a whole number")
        rate = spec.sample_rate
        self.mel_distances = nn.ModuleList(
            wave_losses.MelDistance(rate, MelConfig(bins, fft, fft, fmax=rate / 2), hop)
            for fft, hop, bins in map(three, self.options.mel_sizes)
        )
        self.stft_distance = wave_losses.StftDistance(list(map(three, self.options.stft_sizes)))

    def check_rates(self, rates: Sequence[int]) -> None:
        """Raises DataError where upsampling by ``rates`` does not make a frame's samples of a frame."""
        made = math.prod(rates)
        if made != self.hop:
            product = " * ".join(map(str, rates))
            raise DataError(f"rates {product} = {made} samples a frame, these features have {self.hop}")

    def running(self, batch: Batch) -> dict[str, Tensor]:
        return {} if self.source is None else {"turns": self.source.turns(self.pitch(batch))}

    def pitch(self, batch: Batch) -> Tensor:
        """lf0 where the first sample is that the network makes of a frame, (B, T, 1)."""
        lf0 = batch.streams["lf0"]
        return torch.cat([lf0[:, :1], (lf0[:, :-1] + lf0[:, 1:]) / 2], 1) if self.middle else lf0

    def sines(self, batch: Batch, everywhere: bool = False) -> tuple[Tensor, Tensor]:
        """Those of the source for a batch as :meth:`generate` has it, (B, D, S), and voicing, (B, 1, S);
        ``everywhere``: as if all of it were voiced.
        """
        streams, source = batch.streams, self.source
        hop = round(source.frame_shift * source.sample_rate)
        place = (batch.frame_lengths, batch.max_frames * hop, batch.first_frame * hop, batch.seed)
        vuv = torch.ones_like(streams["vuv"]) if everywhere else streams["vuv"]
        sines, voiced = source(self.pitch(batch), vuv, streams["turns"], *place)
        return sines.transpose(1, 2), voiced.transpose(1, 2)

    def noise(self, batch: Batch, dim: int = 1) -> Tensor:
        """Standard normal noise (B, dim, S) for a batch as :meth:`generate` has it."""
        lengths, size = batch.frame_lengths, batch.max_frames * self.hop
        if self.training:
            return torch.randn(len(lengths), dim, size, device=lengths.device)
        everywhere = torch.full_like(lengths, size)
        made = running_noise(self.first_sample(batch), everywhere, size, dim, batch.seed)
        return made.transpose(1, 2)

    def frames_of(self, samples: int) -> int:
        """Frames that reach as far as so many samples."""
        return -(-samples // self.hop)

    @abstractmethod
    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        """(B, T * hop) samples from numbers (B, size, T), or (B, 2, T * hop) with an excitation below them.

        ``batch`` has streams of as many frames as ``x``, continued after their ends, with the running ones
        among them.
        """

    def synthesize(self, batch: Batch) -> Tensor:
        return self._waves(batch)[:, 0]

    def pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As of the base; an excitation is put into ``batch.streams``, as ``excitation`` (B, S, 1)."""
        waves = self._waves(batch)
        if waves.shape[1] > 1:
            batch.streams["excitation"] = waves[:, 1, :, None]
        return waves[:, 0], batch.streams["wav"].squeeze(-1)

    def _waves(self, batch: Batch) -> Tensor:
        size = batch.max_frames * self.hop
        # The training's pieces have one length, and end where nothing ends.
        batch = self.continued(batch, int(self.middle) if self.training else self.reach or 0)
        made = self.generate(self.numbers(batch.streams).transpose(1, 2), batch)
        made = made[..., self.hop // 2 * self.middle :][..., :size]
        made = made[:, None] if made.dim() == 2 else made
        return made * length_mask(batch.frame_lengths * self.hop, size)[:, None]

    def continued(self, batch: Batch, more: int) -> Batch:
        """The batch with room for ``more`` frames, each row's last frame going on to the end.

        So convolutions see the same after an utterance's end, however long the others of its batch are.
        ``frame_lengths`` stay those of the utterances.
        """
        frames = torch.arange(batch.max_frames + more, device=batch.frame_lengths.device)
        index = frames[None].minimum(batch.frame_lengths[:, None] - 1)[..., None]
        streams = {
            name: values.gather(1, index.expand(-1, -1, values.shape[-1]))
            for name, values in self.streams(batch).items()
            if name != "wav"
        }
        return Batch(**{**vars(batch), "streams": streams, "max_frames": batch.max_frames + more})

    def distance(self, wav: Tensor, real: Tensor, batch: Batch) -> dict[str, Tensor]:
        options, lengths, losses = self.options, self.samples(batch), {}
        if options.mel:
            parts = [distance(wav, real, lengths) for distance in self.mel_distances]
            losses["mel"] = options.mel * sum(parts) / len(parts)
        if options.stft:
            losses["stft"] = options.stft * sum(self.stft_distance(wav, real, lengths))
        if options.level:
            losses["level"] = options.level * wave_losses.level_distance(wav, real, lengths)
        return {"loss": sum(losses.values(), wav.new_zeros(())), **losses}

    def discriminator(self) -> Together | None:
        return self.options.discriminators.build()

    def discriminator_loss(self, real: list[Judgement], fake: list[Judgement]) -> Tensor:
        weights = self.options.discriminators.weights
        return wave_losses.discriminator_loss(self.options.gan, real, fake, weights)

    def generator_loss(self, real: list[Judgement], fake: list[Judgement]) -> dict[str, Tensor]:
        options, weights = self.options, self.options.discriminators.weights
        verdict = wave_losses.generator_loss(options.gan, fake, weights)
        terms = {"adversarial": options.adversarial * verdict}
        if options.features:
            terms["features"] = options.features * wave_losses.feature_distance(real, fake, weights)
        return terms
