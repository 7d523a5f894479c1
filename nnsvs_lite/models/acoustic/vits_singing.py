"""VITS (Kim, Kong and Son 2021, arXiv:2106.06103) on scores: latents of recordings, which a flow brings to
one distribution a phone.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic.endtoend import FlowSize, HifiGanSize, PosteriorSize, Variational
from nnsvs_lite.models.acoustic.fft_singer import PhoneEncoderSize, PitchSize
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame
from nnsvs_lite.models.layers.latents import Normal
from nnsvs_lite.models.layers.monotonic import log_likelihoods, monotonic_durations
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.options import AcousticOptions, Size, Weight
from nnsvs_lite.models.vocoder.neural import VocoderOptions


class VitsSinging(Variational):
    """The prior is of phones: all frames of one have its means and deviations.

    Args:
        latents: numbers a frame.
        alignment: which durations training reads: ``labels``, those of the recording; ``search``, those that
            fit its latents best, found anew in each step (monotonic alignment search), so that no phone times
            are read; ``notes``, the same within the recording's notes.
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
        alignment: Literal["labels", "notes", "search"] = "labels",
        kl: Weight = 1.0,
        noise: Weight = 0.667,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        places: bool = False,
        losses: VocoderOptions | None = None,
        options: AcousticOptions | None = None,
    ):
        parts = (decoder, losses, encoder, pitch, inputs, places, options)
        super().__init__(spec, latents, posterior, flow, kl, noise, *parts)
        self.alignment, self.leave = alignment, Normal(encoder.dim, latents)
        self.pitch_embedding = None  # What is told of frames one by one, a phone's distribution cannot say.

    def prior(
        self, batch: Batch, phone: Tensor, base: Streams, true: Streams
    ) -> tuple[tuple[Tensor, Tensor], Tensor, Streams]:
        phones = self.phones(batch)
        x, out = self.told(batch, phone, base, true, phones)
        mean, log_deviation = (gather_rows(part, phone) for part in self.leave(phones))
        return (mean, log_deviation), x, out

    @torch.no_grad()
    def aligned(self, batch: Batch, heard: Tensor) -> Batch:
        if self.alignment == "labels":
            return batch
        score = batch.score
        scores = log_likelihoods(heard, *self.leave(self.phones(batch)))
        if self.alignment == "notes":
            sung = score.note_index.gather(1, phone_of_frame(batch))
            scores = scores.masked_fill(score.note_index[:, :, None] != sung[:, None], float("-inf"))
        duration = monotonic_durations(scores, score.phone_lengths, batch.frame_lengths)
        return replace(batch, score=replace(score, duration=duration))
