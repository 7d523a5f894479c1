"""The line of F0 about the score, by ridge regression: scoops, falls, glides, a singer's own pitch."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.context import FEW_PHONES
from nnsvs_lite.models.layers.context_ridge import ContextRidge
from nnsvs_lite.models.layers.counted import Counted
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame, running_max, sum_by_note
from nnsvs_lite.models.layers.linguistic import one_hot
from nnsvs_lite.models.layers.losses import LF0_UNIT
from nnsvs_lite.models.melody import SCORE_PITCH

ALIKE = 0.1
"""Seconds over which frames tell the same."""
FARTHEST = 4.0
"""Semitones from the smoothed score beyond which F0 counts as if it were that far."""
EDGE = 0.03
"""Seconds in which a scoop or a fall at the ends of what is voiced comes to a third; likewise below."""
GLIDES = (0.04, 0.1, 0.25)
DIP = 0.04
"""Seconds, deviation of the Gaussian that a dip of F0 is, where a note changes and where its vowel begins."""
LATE = 0.03
"""The same of one that grows with a leap upwards, and how long after it that lies: so leaps may come late."""
ROOM = 5.0
"""Factor of dips, and of what goes with them: the prior lets them grow so much larger. Chosen on the demo
corpus, 25 s of it to learn from; 3 to 12 are alike."""
HALF = {"glides": FEW_PHONES, "dips": 1000}
"""Phones of a training set that halve the line's share: of one of 2,400, a quarter to a half is best."""
NOTE = (0.1, 0.3)
NEIGHBOUR = 0.03
CONSONANTS = ("plosive", "fricative", "nasal", "liquid", "glide")
WIDEST = 12.0
"""Semitones; a wider interval counts as that."""
OCTAVE_PART = 4.0
"""Semitones that count as 1."""
PITCH = 6.0
"""The same of pitch itself."""

Leaps = Literal["glides", "dips"]


def dips(rise: Tensor, time: Tensor, vowel: Tensor) -> list[Tensor]:
    """What a change of note tells of a frame: 6 of (B, T).

    Args:
        rise: semitones, (B, T); 0 where voice sets in or ends.
        time: seconds since the change, negative before it. vowel: since the first vowel after it.
    """

    def dip(away: Tensor, deviation: float) -> Tensor:
        return torch.exp(-0.5 * (away / deviation) ** 2)

    out = [rise.clamp(min=0) * dip(time - LATE, LATE), rise.clamp(max=0) * dip(time, DIP)]
    for up in (rise > 0, rise < 0):
        out += [up.to(rise.dtype) * dip(time, DIP), up.to(rise.dtype) * dip(vowel, DIP)]
    return out


class Contour(Counted):
    """Log F0 by a line through what the score tells of a frame: how far it is from where voice sets in or
    ends, and whether a silence or a consonant is there; which voiced consonant is near; how near the note's
    start and end are, and which intervals lie there; the vowel; with ``glides`` the note's length and pitch.

    Each is a curve that dies away, so that half a minute of singing shows it; a network has to find out.
    ``fit`` is :class:`ContextRidge`'s: without anything to learn from it is the smoothed score.

    Args:
        share: of it in what is sung, for a training set of no size; ``HALF`` phones halve it.
        leaps: how changes of note are told. ``glides``: by intervals that die away to both sides.
            ``dips``: by what F0 does between two notes, see :func:`dips`.
    """

    def __init__(self, spec: Spec, share: float, leaps: Leaps = "glides"):
        super().__init__()
        self.leaps = leaps
        self.share = share * HALF[leaps] / (HALF[leaps] + spec.phone_count)
        self._shift, self._singers = spec.frame_shift, max(1, len(spec.speakers))
        self._phone = spec.column("phone", "phone")
        self._vowel, self._voiced, self._silence = (
            spec.column("phone", name) for name in ("is_vowel", "class_voiced", "is_silence")
        )
        self._classes = [spec.column("phone", f"class_{name}") for name in CONSONANTS]
        names = (SCORE_PITCH, "interval_prev", "interval_next", "prev_rest", "next_rest")
        self._note = [spec.column("note", name) for name in names]
        self._mean = spec.stats.note_context.mean[self._note[0]]
        self.floor, self._phones = SmoothFloor(spec), len(spec.phones) + 1
        self._onset = spec.column("phone", "is_onset")
        changes = 4 * len(GLIDES) + 6 if leaps == "glides" else 6
        size = 4 + 3 * len(CONSONANTS) + changes + 4 * len(NOTE) + self._phones
        self.line = ContextRidge(self._singers, size, (1,), ALIKE / spec.frame_shift)

    def _voice(self, batch: Batch, phone: Tensor, time: Tensor) -> list[Tensor]:
        """What dies away from the start, and grows to the end, of what is voiced, beside silences and beside
        consonants; of a phone without voice, which F0 may reach into, what was there before it.
        """
        score, length = batch.score, batch.score.duration.to(time.dtype)
        ends = length.cumsum(1)
        silence = (score.phone_context[..., self._silence] > 0.5) | ~score.phone_mask
        voiced = (score.phone_context[..., self._voiced] > 0.5) & ~silence
        # Outside of the utterance is silence.
        before, after = F.pad(voiced, (1, 0))[:, :-1], F.pad(voiced, (0, 1))[:, 1:]
        still_before, still_after = F.pad(silence, (1, 0), value=True), F.pad(silence, (0, 1), value=True)
        number = torch.arange(length.shape[1], device=time.device).expand(voiced.shape)
        first = running_max(torch.where(voiced & ~before, number, 0))
        last = -running_max(-torch.where(voiced & ~after, number, length.shape[1] - 1).flip(1)).flip(1)
        last = torch.where(voiced, last, number)
        begins = (ends - length).gather(1, first)
        stops = torch.where(voiced, ends.gather(1, last), ends - length)
        follows = still_after[:, 1:].gather(1, last)
        quiet = (still_before.gather(1, first), (voiced & follows) | (~voiced & silence))
        passed = ((time - begins.gather(1, phone)) * self._shift).clamp(min=0)
        left = ((stops.gather(1, phone) - time) * self._shift).clamp(min=0)
        out = []
        for near, still in ((torch.exp(-passed / EDGE), quiet[0]), (torch.exp(-left / EDGE), quiet[1])):
            still = still.gather(1, phone).to(time.dtype)
            out += [near * still, near * (1 - still)]
        return out

    def _consonants(self, batch: Batch, phone: Tensor, time: Tensor) -> list[Tensor]:
        """Of voiced ones: a bump over each, and how near one is after and before a frame."""
        score, length = batch.score, batch.score.duration.to(time.dtype)
        ends = length.cumsum(1)
        context = score.phone_context
        voiced = (context[..., self._voiced] > 0.5) & (context[..., self._vowel] < 0.5)
        kinds = (context[..., self._classes] > 0.5) & voiced[..., None]
        kinds = kinds.to(time.dtype) * score.phone_mask[..., None]
        left = (ends.gather(1, phone) - time).clamp(min=0)
        passed = (length.gather(1, phone) - left).clamp(min=0)
        bump = torch.sin(torch.pi * (passed / length.gather(1, phone).clamp(min=1)).clamp(max=1))
        own, after, before = (
            gather_rows(x, phone)
            for x in (kinds, F.pad(kinds, (0, 0, 0, 1))[:, 1:], F.pad(kinds, (0, 0, 1, 0))[:, :-1])
        )
        near = [torch.exp(-x * (self._shift / NEIGHBOUR)) for x in (left, passed)]
        return [own * bump[..., None], after * near[0][..., None], before * near[1][..., None]]

    @staticmethod
    def _glides(rise: Tensor, next_rise: Tensor, passed: Tensor, left: Tensor) -> list[Tensor]:
        """The interval at either end of a note, upwards and downwards, as it dies away."""
        near = [(leap, torch.exp(-x / s)) for s in GLIDES for leap, x in ((rise, passed), (next_rise, left))]
        return [side * x for leap, x in near for side in (leap.clamp(min=0), leap.clamp(max=0))]

    def _rows(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, singers + size)."""
        score = batch.score
        time = torch.arange(batch.max_frames, device=phone.device, dtype=torch.float32) + 0.5
        time = time.expand(phone.shape)
        note = score.note_index.gather(1, phone)
        lengths = sum_by_note(score.duration.to(time.dtype), batch)
        ends = lengths.cumsum(1)
        length = lengths.gather(1, note) * self._shift
        left = ((ends.gather(1, note) - time) * self._shift).clamp(min=0)
        passed = (length - left).clamp(min=0)
        pitch, rise, next_rise, first, last = gather_rows(score.note_context[..., self._note], note).unbind(
            -1
        )
        rise, next_rise = (
            x.clamp(-WIDEST, WIDEST) * (1 - rest) for x, rest in ((rise, first), (next_rise, last))
        )
        told = self._voice(batch, phone, time)
        if self.leaps == "dips":
            onset = score.duration * score.phone_context[..., self._onset]
            onset = F.pad(sum_by_note(onset, batch) * self._shift, (0, 1))
            entry = dips(rise, passed, passed - onset.gather(1, note))
            leave = dips(next_rise, -left, -left - onset.gather(1, note + 1))
            told = [x * ROOM for x in (*told, *(a + b for a, b in zip(entry, leave)))]
        else:
            told += self._glides(rise / OCTAVE_PART, next_rise / OCTAVE_PART, passed, left)
            told += [(pitch - self._mean) / PITCH, first, last, rise / OCTAVE_PART, next_rise / OCTAVE_PART]
            told += [torch.log(length.clamp(min=0.05) / 0.4)]
        for seconds in NOTE:
            for near, end in ((passed, first), (left, last)):
                near = torch.exp(-near / seconds)
                told += [near, near * end]
        ids = gather_rows(score.phone_context, phone)[..., [self._phone, self._vowel]]
        vowel = one_hot(ids[..., 0].long().clamp(0, self._phones - 1), self._phones) * ids[..., 1:]
        singer = one_hot(batch.singer, self._singers)[:, None].expand(*phone.shape, -1)
        return torch.cat(
            [singer, torch.stack(told, dim=-1), *self._consonants(batch, phone, time), vowel], dim=-1
        )

    def fit(self, examples: Sequence[Example]) -> None:
        self.line.fit(self._learnt(examples))

    def _learnt(self, examples: Sequence[Example]) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of voiced frames, and their semitones above the smoothed score."""
        for example in examples:
            batch = collate([example], self._shift)
            phone = phone_of_frame(batch)
            voiced = batch.streams["vuv"][0, :, 0] > 0.5
            above = (batch.streams["lf0"] - self.floor.pitch_of(batch, phone)) / LF0_UNIT
            yield self._rows(batch, phone)[0, voiced], above[0, voiced].clamp(-FARTHEST, FARTHEST)

    def line_of(self, batch: Batch, phone: Tensor) -> Tensor:
        """Log F0 (B, T, 1) of the line alone; ``phone`` (B, T) from ``phone_of_frame``."""
        above = self.line(self._rows(batch, phone)).clamp(-FARTHEST, FARTHEST)
        return self.floor.pitch_of(batch, phone) + above * LF0_UNIT

    def forward(self, lf0: Tensor, batch: Batch, phone: Tensor) -> Tensor:
        """Log F0 (B, T, 1), moved towards the line by ``share``."""
        return torch.lerp(lf0, self.line_of(batch, phone), self.share)
