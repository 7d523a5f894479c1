"""The acoustic rule: the score's pitch and each phone's mean spectrum, mel bands with the pitch's harmonics.

It is the floor that systems are compared with and, smoothed, the point from which trained models start.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import VOICING_CELLS, Spec
from nnsvs_lite.features.voicing import LIMIT, edge_cell, kinds
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import gaussian_kernel, smooth
from nnsvs_lite.models.layers.expand import note_column, sum_by_note
from nnsvs_lite.models.layers.harmonics import HarmonicComb
from nnsvs_lite.models.melody import LEAP, LEAP_SHARE, SCORE_PITCH

PRIOR = 20.0
"""Frames at the overall mean that are added to each phone's own."""
DEVIATION = 0.012
"""Seconds, of the Gaussian that rounds off spectra."""


def midi_to_lf0(midi: Tensor) -> Tensor:
    """Natural logarithm of the frequency in Hz of a MIDI number."""
    return math.log(440.0) + (midi - 69.0) * (math.log(2.0) / 12.0)


def lf0_to_midi(lf0: Tensor) -> Tensor:
    """The inverse of :func:`midi_to_lf0`."""
    return 69.0 + (lf0 - math.log(440.0)) * (12.0 / math.log(2.0))


def smooth_pitch(batch: Batch, phone: Tensor, column: int, frame_shift: float) -> Tensor:
    """(B, T, 1): log F0 of the score, held through rests, each leap between two sung notes rounded off.

    ``phone`` from ``phone_of_frame``, ``column`` that of :data:`SCORE_PITCH`. A leap takes so little of its
    notes (see :data:`LEAP_SHARE`) that a frame hears of those at its own note's ends alone.
    """
    lengths = sum_by_note(batch.score.duration, batch)
    pitch = midi_to_lf0(batch.score.note_context[..., column])
    shorter = torch.minimum(lengths[:, 1:], lengths[:, :-1])
    leap = torch.where(shorter > 0, pitch[:, 1:] - pitch[:, :-1], 0.0)  # None to the padding.
    width = (shorter * LEAP_SHARE).clamp(min=LEAP_SHARE, max=LEAP / frame_shift)
    place = lengths.cumsum(1)[:, :-1].to(pitch.dtype) - 0.5
    time = torch.arange(batch.max_frames, device=pitch.device, dtype=pitch.dtype)
    note = batch.score.note_index.gather(1, phone)

    def passed(sides: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The leap at one end of each frame's note, and the part of it that is past."""
        size, centre, deviation = (F.pad(x, sides, value=v).gather(1, note) for x, v in known)
        return size, 0.5 + 0.5 * torch.erf((time - centre) / (deviation * math.sqrt(2.0)))

    known = ((leap, 0.0), (place, 0.0), (width, 1.0))
    (entry, entered), (exit_, left) = passed((1, 0)), passed((0, 1))
    return (pitch.gather(1, note) - entry * (1 - entered) + exit_ * left)[..., None]


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
        rates = torch.tensor(spec.phone_stat("vuv_mean", 0.5)).logit(eps=1e-3)
        effects = torch.tensor(spec.stats.voicing or [*rates.tolist(), *[0.0] * (2 * VOICING_CELLS)])
        sizes = [len(rates), VOICING_CELLS, VOICING_CELLS]
        for name, effect in zip(("of_phone", "before", "after"), effects.split(sizes)):
            self.register_buffer(f"voicing_{name}", effect, persistent=False)
        self.register_buffer("kind", torch.tensor(kinds(spec)), persistent=False)
        self._shift = spec.frame_shift
        self.comb = HarmonicComb(spec) if "mel" in spec.streams else None

    def score_lf0(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, 1): log F0 of the score; through rests that of a neighbouring note."""
        return midi_to_lf0(note_column(batch, self._pitch, phone))

    def voiced(self, ids: Tensor, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, 1): probability of voicing, phones having ``ids`` (B, P); see ``features/voicing.py``."""
        length = batch.score.duration
        time = torch.arange(batch.max_frames, device=phone.device) + 0.5
        left = length.cumsum(1).gather(1, phone) - time
        passed = length.gather(1, phone) - left
        kind = self.kind[F.pad(ids, (1, 1))]  # Outside, as on padding, is silence.
        own = kind.gather(1, phone + 1)
        logit = self.voicing_of_phone[ids.gather(1, phone)]
        logit = logit + self.voicing_before[edge_cell(own, kind.gather(1, phone), passed * self._shift)]
        logit = logit + self.voicing_after[edge_cell(own, kind.gather(1, phone + 2), left * self._shift)]
        return torch.sigmoid(logit.clamp(-LIMIT, LIMIT))[..., None]

    def sung(self, streams: dict[str, Tensor], before: Tensor | None = None) -> dict[str, Tensor]:
        """The streams, mel spectra with the harmonics of ``lf0``, as far as it is voiced, in place of those
        of another pitch ``before``; None where they have none yet. WORLD's envelopes stay as they are.
        """
        if self.comb is None:
            return streams
        comb = self.comb(streams["lf0"]) - (0.0 if before is None else self.comb(before))
        return streams | {"mel": streams["mel"] + streams["vuv"] * comb}

    def forward(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """Streams (B, T, D), all but voicing as steps; ``phone`` (B, T) from ``phone_of_frame``."""
        return self.sung(self.plain(batch, phone))

    def plain(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """The same, with mel spectra of no pitch."""
        ids = batch.score.phone_context[..., self._id].long().clamp(0, len(self.kind) - 1)
        streams = {"lf0": self.score_lf0(batch, phone), "vuv": self.voiced(ids, batch, phone)}
        ids = ids.gather(1, phone)
        return streams | {name: getattr(self, f"mean_{name}")[ids] for name in self.names}


class SmoothFloor(nn.Module):
    """:class:`AcousticFloor` with its steps rounded off, as a voice would."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.steps, self._shift = AcousticFloor(spec), spec.frame_shift
        self._pitch = spec.column("note", SCORE_PITCH)
        self.register_buffer("spectrum", gaussian_kernel(DEVIATION, spec.frame_shift), persistent=False)

    def pitch_of(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, 1): see :func:`smooth_pitch`."""
        return smooth_pitch(batch, phone, self._pitch, self._shift)

    def forward(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        return self.steps.sung(self.plain(batch, phone) | {"lf0": self.pitch_of(batch, phone)})

    def plain(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """The same, with F0 as steps and mel spectra of no pitch."""
        steps, mask = self.steps.plain(batch, phone), batch.frame_mask
        return steps | {name: smooth(steps[name], mask, self.spectrum) for name in self.steps.names}
