"""VISinger 2 (Zhang et al. 2022, arXiv:2211.02903): a variational system whose decoder hears
harmonics and noise that a signal model makes of latents and F0.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic.endtoend import FlowSize, HifiGanSize, MelHead, PosteriorSize, Variational
from nnsvs_lite.models.acoustic.fft_singer import PhoneEncoderSize, PitchSize
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.latents import Normal
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.options import AcousticOptions, Size, Weight
from nnsvs_lite.models.vocoder.neural import VocoderOptions


class Visinger2(Variational):
    """The prior is of frames: a transformer over them (VISinger's frame prior network), told of F0.

    Args:
        latents: numbers a frame. frame_layers: blocks of that transformer, of the encoder's size.
        mel: weight of the absolute error of mel spectra that its frames tell, in training alone.
        kl, noise, posterior, flow: see :class:`Variational`. Others: see :class:`EndToEnd`.
    """

    def __init__(
        self,
        spec: Spec,
        latents: Size,
        encoder: PhoneEncoderSize,
        pitch: PitchSize,
        posterior: PosteriorSize,
        flow: FlowSize,
        decoder: HifiGanSize,
        frame_layers: Size = 4,
        kl: Weight = 1.0,
        mel: Weight = 1.0,
        noise: Weight = 0.8,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        places: bool = False,
        losses: VocoderOptions | None = None,
        options: AcousticOptions | None = None,
    ):
        parts = (decoder, losses, encoder, pitch, inputs, places, options)
        super().__init__(spec, latents, posterior, flow, kl, noise, *parts)
        self.frame_prior = replace(encoder, layers=frame_layers).build()
        self.leave = Normal(encoder.dim, latents)
        self.mel, self.mel_head = mel, MelHead(encoder.dim, self.spectra.bins)

    def prior(
        self, batch: Batch, phone: Tensor, base: Streams, true: Streams
    ) -> tuple[tuple[Tensor, Tensor], Tensor, Streams]:
        x, out = self.told(batch, phone, base, true)
        frames = self.frame_prior(x, batch.frame_mask)
        return self.leave(frames), frames, out

    def more(self, frames: Tensor, spectra: Tensor, mask: Tensor) -> Streams:
        return {"mel_told": self.mel * self.mel_head(frames, spectra, mask)}
