"""What is set by hand for single notes, phones and moments of a song, in place of what the voice would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.vibrato import sing_vibrato
from nnsvs_lite.models.example import Example
from nnsvs_lite.models.habit import note_chance
from nnsvs_lite.models.melody import smooth_score
from nnsvs_lite.models.voice import Vocoder
from nnsvs_lite.synthesis.phrases import PhraseToSing
from nnsvs_lite.synthesis.predict import Timing
from nnsvs_lite.synthesis.style import (
    RANGES,
    USUAL,
    Style,
    check_control,
    check_range,
    formant_matrix,
    vibrato_of,
)

LEVELS = 100
"""Formants are moved by matrices of factors that are 1/100 apart, mixed between two of them."""


class NoteVibrato(NamedTuple):
    """A note's vibrato: cents to either side, Hz, and the part of its vowel that passes before it begins."""

    depth: float
    rate: float = USUAL["rate"]
    begin: float = 0.25


class PhoneStart(NamedTuple):
    """Where phone ``phone`` of a note begins, in seconds from the note's start in the score."""

    note: int
    phone: int
    seconds: float


@dataclass(frozen=True)
class ByHand:
    """What is set by hand; notes by their index in the song's score, rests counted.

    Attributes:
        starts: phones whose times are set; all others keep theirs as far as these leave them room.
        vibrati: notes that have this vibrato and no other.
        formants: (T,) factor of the formants' frequencies at each frame of the song, None for 1 throughout.

    Raises DataError where a value is out of the range of its :class:`Style` option.
    """

    starts: tuple[PhoneStart, ...] = ()
    vibrati: Mapping[int, NoteVibrato] = field(default_factory=dict)
    formants: np.ndarray | None = None

    def __post_init__(self) -> None:
        for vibrato in self.vibrati.values():
            check_range("vibrato depth", vibrato.depth, *RANGES["vibrato_depth"])
            check_range("vibrato rate", vibrato.rate, *RANGES["vibrato_rate"])
            check_range("the begin of a vibrato", vibrato.begin, 0, 1)
        if self.formants is not None:
            for value in (self.formants.min(), self.formants.max()):
                check_range("gender", value, *RANGES["gender"])

    def of_notes(self, first: int, count: int) -> tuple:
        """What concerns so many notes and is not in a phrase's times, with notes counted from the first."""
        return tuple((n - first, v) for n, v in sorted(self.vibrati.items()) if first <= n < first + count)

    def timed(self, timing: Timing, phrase: PhraseToSing, frame_shift: float) -> Timing:
        """A phrase's times with the phones that are set where they are to be, each a frame long at least."""
        first, notes = phrase.first_note, phrase.score.notes
        index = np.array(phrase.score.note_index)
        bounds = np.append(0, np.cumsum(timing.duration))
        fixed = {}
        for note, phone, seconds in self.starts:
            place = note - first
            own = np.flatnonzero(index == place)
            # The phrase itself begins where it does.
            if 0 <= place < len(notes) and phone < len(own) and own[phone] > 0:
                fixed[int(own[phone])] = round((notes[place].start + seconds) / frame_shift)
        if not fixed:
            return timing
        old = bounds.copy()
        for phone, frame in sorted(fixed.items()):
            before = max((k for k in fixed if k < phone), default=0)
            # As many frames as there are phones up to the last one that is set, and to the phrase's end.
            low, high = bounds[before] + phone - before, bounds[-1] - (len(index) - phone)
            bounds[phone] = min(max(frame, low), high)
            for k in range(phone - 1, before, -1):
                bounds[k] = min(bounds[k], bounds[k + 1] - 1)
            for k in range(phone + 1, len(index)):
                bounds[k] = max(bounds[k], bounds[k - 1] + 1)
        begin = np.searchsorted(index, np.arange(len(notes)))
        moved = bounds[begin] - old[begin]
        return Timing((timing.time_lag + moved).astype(np.float32), np.diff(bounds))

    def applied(
        self,
        styled: dict[str, np.ndarray],
        sung: Mapping[str, np.ndarray],
        example: Example,
        phrase: PhraseToSing,
        spec: Spec,
        vocoder: Vocoder,
        style: Style,
    ) -> dict[str, np.ndarray]:
        """Streams of a phrase; ``styled`` is what ``style`` made of what was ``sung``."""
        out, first = dict(styled), phrase.first_note
        if any(first <= note < first + len(phrase.score.notes) for note in self.vibrati):
            check_control(vocoder, "pitch")
            out["lf0"] = self._with_vibrato(styled, sung, example, first, spec, style)
        factors = self.factors(phrase.start, len(styled["lf0"]), spec.frame_shift)
        if factors is not None:
            check_control(vocoder, "gender")
            out["mgc"] = _formed(styled["mgc"], factors, spec.feature_config)
        return out

    def factors(self, start: float, frames: int, frame_shift: float) -> np.ndarray | None:
        """Those of the formants in so many frames of a phrase; None where they stay."""
        if self.formants is None:
            return None
        place = round(start / frame_shift) + np.arange(frames)
        factors = self.formants[place.clip(0, len(self.formants) - 1)]
        return factors if (factors != 1).any() else None

    def _with_vibrato(
        self,
        styled: Mapping[str, np.ndarray],
        sung: Mapping[str, np.ndarray],
        example: Example,
        first: int,
        spec: Spec,
        style: Style,
    ) -> np.ndarray:
        lf0 = styled["lf0"][:, 0].astype(np.float64)
        smooth = smooth_score(example, spec)
        own = None if style.told or "vibrato" not in sung else sung["vibrato"][:, 0]
        for vowel, rng in note_chance(example.score, spec):
            wanted = self.vibrati.get(first + vowel.note)
            if wanted is None:
                continue
            part, frames = slice(vowel.start, vowel.end), vowel.end - vowel.start
            if own is None:
                lf0[part] -= vibrato_of(lf0 - smooth, [vowel], spec.frame_shift)[part]
            else:
                lf0[part] -= style.vibrato * style.pitch_deviation * own[part]
            delay = wanted.begin * (frames - 1) * spec.frame_shift
            told = USUAL | {"rate": wanted.rate, "extent": wanted.depth, "delay": delay}
            if wanted.depth:
                lf0[part] += sing_vibrato(frames, spec.frame_shift, **told, rng=rng)
        return lf0[:, None].astype(np.float32)


@lru_cache(maxsize=2 * LEVELS)
def _matrix(columns: int, config: FeatureConfig, level: int) -> np.ndarray:
    return formant_matrix(columns, config, level / LEVELS)


def _formed(mgc: np.ndarray, factors: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Mel-cepstra (T, D) with formants moved by a factor (T,) each; where it is 1 they stay to the bit."""
    out, place = mgc.copy(), factors * LEVELS
    low = np.floor(place + 1e-9).astype(int)
    share = np.maximum(place - low, 0)[:, None]
    for level in np.unique(low[factors != 1]):
        rows = np.flatnonzero((low == level) & (factors != 1))
        below = mgc[rows] @ _matrix(mgc.shape[1], config, int(level))
        above = mgc[rows] @ _matrix(mgc.shape[1], config, int(level) + 1) if share[rows].any() else below
        out[rows] = (below + share[rows] * (above - below)).astype(mgc.dtype)
    return out
