"""FastSpeech 2s (Ren et al. 2021, arXiv:2006.04558, 2.4) on scores: from its frames to waves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from torch import Tensor, nn

from nnsvs_lite.features.spec import LATENT, Spec
from nnsvs_lite.models.acoustic.endtoend import EndToEnd, LogSpectra, MelHead
from nnsvs_lite.models.acoustic.fastspeech2_singing import Variance
from nnsvs_lite.models.acoustic.fft_singer import PhoneEncoderSize, PitchSize
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.options import AcousticOptions, Depth, Rate, Size, Weight
from nnsvs_lite.models.vocoder.neural import VocoderOptions
from nnsvs_lite.models.vocoder.parallel_wavegan import ParallelWaveGan


@dataclass(frozen=True)
class WaveGanSize:
    """Of a :class:`~nnsvs_lite.models.vocoder.parallel_wavegan.ParallelWaveGan`; see there."""

    channels: Size = 64
    gate_channels: Size = 128
    skip_channels: Size = 64
    layers: Size = 30
    cycles: Size = 3
    kernel: Size = 3
    rates: tuple[Size, ...] = (4, 4, 4, 4)
    context: Depth = 2
    harmonics: Depth = 0

    def build(self, spec: Spec, options: VocoderOptions | None) -> ParallelWaveGan:
        return ParallelWaveGan(spec, **asdict(self), conditioned_on=LATENT, options=options)


@dataclass(frozen=True)
class EnergySize:
    """Of what predicts energy, the mean of log mel bands, and takes it back in by a convolution."""

    hidden: Size = 256
    layers: Size = 2
    kernel: Size = 3
    dropout: Rate = 0.5
    embed_kernel: Size = 9
    weight: Weight = 1.0


class Fastspeech2sSinging(EndToEnd):
    """Latents are what a linear layer makes of frames told of score, F0 and energy: nothing is drawn, and no
    recording is encoded.

    A transformer over all frames of a phrase, from which mel spectra are told, learns beside the waveform
    decoder, and is not used in singing.

    Args:
        latents: numbers a frame. energy: see :class:`EnergySize`.
        frame_layers: blocks of that transformer, of the encoder's size.
        mel: weight of the absolute error of its spectra. fft: samples of their window.
        Others: see :class:`EndToEnd`.
    """

    def __init__(
        self,
        spec: Spec,
        latents: Size,
        encoder: PhoneEncoderSize,
        pitch: PitchSize,
        energy: EnergySize,
        decoder: WaveGanSize,
        frame_layers: Size = 4,
        mel: Weight = 1.0,
        fft: Size = 1024,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        places: bool = False,
        losses: VocoderOptions | None = None,
        options: AcousticOptions | None = None,
    ):
        parts = (latents, decoder, losses, encoder, pitch, inputs, places, options)
        super().__init__(spec, *parts)
        self.spectra = LogSpectra(spec.sample_rate, self.vocoder.hop, "mel", fft)
        shape = (energy.hidden, energy.layers, energy.kernel, energy.dropout, energy.embed_kernel)
        self.energy, self.energy_weight = Variance(encoder.dim, *shape), energy.weight
        self.leave = nn.Linear(encoder.dim, latents)
        self.mel_frames = replace(encoder, layers=frame_layers).build()
        self.mel, self.mel_head = mel, MelHead(encoder.dim, self.spectra.bins)

    def learnt(self, batch: Batch, wav: Tensor) -> tuple[Tensor, Streams, Streams]:
        mask, spectra = batch.frame_mask, self.spectra(wav, batch.max_frames)
        x, predicted = self.told(batch, *self.framed(batch))
        energy = spectra.mean(-1, keepdim=True)
        x, found = self.energy(x, mask, energy)
        terms = {"energy": self.energy_weight * masked_mean((found - energy).float().square()[..., 0], mask)}
        terms["mel_told"] = self.mel * self.mel_head(self.mel_frames(x, mask), spectra, mask)
        return self.leave(x), predicted, terms

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        x, out = self.told(batch, phone, base, true)
        x, _ = self.energy(x, batch.frame_mask, None)
        return out | {LATENT: self.leave(x) * batch.frame_mask[..., None]}
