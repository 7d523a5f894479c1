"""Generative pitch: how F0 moves about what is expected of it, drawn by rectified flow."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.acoustic_floor import smooth_pitch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv import gaussian_kernel, smooth
from nnsvs_lite.models.layers.expand import phone_of_frame, sum_by_note
from nnsvs_lite.models.layers.flow import FlowStream
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.losses import LF0_UNIT
from nnsvs_lite.models.layers.noise import note_noise
from nnsvs_lite.models.melody import SCORE_PITCH
from nnsvs_lite.models.options import AcousticOptions

UNIT = 0.6 * LF0_UNIT
"""Of the network's numbers: about what a singer's F0 moves, RMS, when vibrato is 60 cents wide."""
SLOW = 0.075
"""Seconds, of the Gaussian that, applied twice, tells slow from fast: 1.5 Hz passes 5 %, 5.5 Hz 93 %."""
FINE = 0.0166
"""Seconds, of the Gaussian that rounds off noise: half the power at 8 Hz. Faster is jitter, not singing."""
SMOOTH = 0.01
"""Seconds, of the Gaussian that takes jitter from what is sung: 5.5 Hz keeps 94 %, 20 Hz 45 %."""
REACH = 1.2
"""Seconds that the network sees around a frame, at least: some waves of vibrato."""
WIDEST = 4.0
"""Units: what moves farther is an error of analysis or a note sung wrong."""
CHANNELS = 32
DRAWS = 4
"""Times and noises of each utterance in a training step: the network is small, and so are data sets."""


class PitchFlow(nn.Module):
    """What F0 does faster than about 2 Hz about a system's own prediction: vibrato, and what no score tells.

    A regression gives the mean of all ways to sing a note, in which they cancel. Here one is drawn. The
    slow contour stays the system's own; the flow is of what is left about it, high-passed, and sets out from
    smooth noise of the same band, not from white noise, so that it has little to learn and nothing jitters.
    What is upside down is as likely: this doubles the data. An untrained network sings the mean.
    """

    def __init__(self, spec: Spec, options: AcousticOptions):
        super().__init__()
        self._shift, self._pitch = spec.frame_shift, spec.column("note", SCORE_PITCH)
        self.features = LinguisticFeatures(spec, options.context_dropout)
        self.enter = nn.Linear(self.features.size + 2, CHANNELS)
        self.conditions = Conditions(spec, options, CHANNELS)
        layers = math.ceil(math.log2(REACH / 2 / spec.frame_shift + 1))
        self.stream = FlowStream(1, CHANNELS, CHANNELS, layers, layers)
        for name, seconds in (("slow", SLOW), ("fine", FINE), ("smoothing", SMOOTH)):
            self.register_buffer(name, gaussian_kernel(seconds, spec.frame_shift), persistent=False)
        impulse = torch.zeros(1, 4 * len(self.slow) + 1, 1)
        impulse[:, 2 * len(self.slow)] = 1
        response = self._band(impulse, torch.ones(impulse.shape[:2], dtype=torch.bool))
        self.register_buffer("power", response.square().sum().sqrt(), persistent=False)

    def _fast(self, x: Tensor, mask: Tensor) -> Tensor:
        for _ in range(2):
            x = x - smooth(x, mask, self.slow)
        return x

    def _band(self, noise: Tensor, mask: Tensor) -> Tensor:
        return self._fast(smooth(noise, mask, self.fine), mask)

    def _condition(self, batch: Batch, mean: Tensor) -> Tensor:
        """(B, T, channels): the score, and where F0 is expected in it."""
        phone = phone_of_frame(batch)
        score = smooth_pitch(batch, phone, self._pitch, self._shift)
        slope = F.pad(score.diff(dim=1), (0, 0, 1, 0)) / self._shift
        told = torch.cat([self.features(batch, phone), (mean - score) / LF0_UNIT, slope], dim=-1)
        return self.enter(told) + self.conditions(batch)

    def learn(self, batch: Batch, mean: Tensor) -> Tensor:
        """The loss, given the system's own log F0 (B, T, 1), without its gradient."""
        mask, voiced = batch.frame_mask, batch.streams["vuv"][..., 0] > 0.5
        data = self._fast(batch.streams["lf0"] - mean, voiced & mask) * voiced[..., None] / UNIT
        data = data.clamp(-WIDEST, WIDEST)
        cond = self._condition(batch, mean)
        data, mask, cond = (value.repeat_interleave(DRAWS, 0) for value in (data, mask, cond))
        seeds = batch.score.note_seed.repeat_interleave(DRAWS, 0)
        if self.training:
            seeds = torch.randint(1 << 62, seeds.shape)
        place = torch.arange(DRAWS, device=seeds.device).repeat(len(voiced))
        frames = sum_by_note(batch.score.duration, batch).repeat_interleave(DRAWS, 0)
        noise = self._noise(seeds.to(mask.device) + place[:, None], frames, mask)
        return self.stream.learn(data * (1 - place % 2 * 2)[:, None, None], noise, cond, mask)

    def forward(self, batch: Batch, mean: Tensor) -> Tensor:
        """Log F0 to be added to ``mean``, (B, T, 1)."""
        mask, frames = batch.frame_mask, sum_by_note(batch.score.duration, batch)
        noise = self._noise(batch.score.note_seed, frames, mask) * batch.temperature
        sung = self.stream.sing(noise, self._condition(batch, mean), mask)
        return smooth(self._fast(sung, mask), mask, self.smoothing) * UNIT

    def _noise(self, seeds: Tensor, frames: Tensor, mask: Tensor) -> Tensor:
        """(B, T, 1) of unit variance in the band of ``_fast``; a note's, ``frames`` (B, N), from its seed."""
        return self._band(note_noise(seeds, frames, mask.shape[1], 1), mask) / self.power
