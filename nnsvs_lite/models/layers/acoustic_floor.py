"""The acoustic rule: the score's pitch and each phone's mean spectrum.

It is the floor that systems are compared with and, smoothed, the point from which trained models start.
"""

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import gaussian_kernel, smooth
from nnsvs_lite.models.layers.expand import note_column

SCORE_PITCH = "pitch_held"
"""The note column that holds the score's pitch, held through rests."""
PRIOR = 20.0
"""Frames at the overall mean that are added to each phone's own."""
DEVIATIONS = {"spectrum": 0.012, "pitch": 0.025}
"""Seconds, of the Gaussians that round off spectra with voicing, and log F0."""


def midi_to_lf0(midi: Tensor) -> Tensor:
    """Natural logarithm of the frequency in Hz of a MIDI number."""
    return math.log(440.0) + (midi - 69.0) * (math.log(2.0) / 12.0)


class AcousticFloor(nn.Module):
    """Frame-level streams by rule."""

    def __init__(self, spec: Spec):
        super().__init__()
        self._id = spec.column("phone", "phone")
        self._pitch = spec.column("note", SCORE_PITCH)
        frames = torch.tensor(spec.phone_stat("frames", 0.0))[:, None]
        self.names = [n for n in spec.streams if n not in ("lf0", "vuv")]
        for name in self.names:
            mean = torch.tensor(spec.phone_mean(name))
            mean = (mean * frames + mean[0] * PRIOR) / (frames + PRIOR)
            self.register_buffer(f"mean_{name}", mean, persistent=False)
        voiced = torch.tensor(spec.phone_stat("vuv_mean", 0.5))[:, None]
        self.register_buffer("voiced", voiced.clamp(0.02, 0.98), persistent=False)

    def score_lf0(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, 1): log F0 of the score; through rests that of a neighbouring note."""
        return midi_to_lf0(note_column(batch, self._pitch, phone))

    def forward(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """Streams (B, T, D) as steps; ``phone`` (B, T) from ``phone_of_frame``."""
        ids = batch.score.phone_context[..., self._id].long().gather(1, phone)
        ids = ids.clamp(0, len(self.voiced) - 1)
        streams = {"lf0": self.score_lf0(batch, phone), "vuv": self.voiced[ids]}
        return streams | {name: getattr(self, f"mean_{name}")[ids] for name in self.names}


class SmoothFloor(nn.Module):
    """:class:`AcousticFloor` with its steps rounded off, as a voice would."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.steps = AcousticFloor(spec)
        for name, seconds in DEVIATIONS.items():
            self.register_buffer(name, gaussian_kernel(seconds, spec.frame_shift), persistent=False)

    def pitch_of(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, 1): log F0 of the score with its steps rounded off."""
        return smooth(self.steps.score_lf0(batch, phone), batch.frame_mask, self.pitch)

    def forward(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        return {
            name: smooth(value, batch.frame_mask, self.pitch if name == "lf0" else self.spectrum)
            for name, value in self.steps(batch, phone).items()
        }
