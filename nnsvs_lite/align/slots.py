"""Where each phone of a score may begin: the score as a row of slots for the search."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnsvs_lite.align.config import RefineConfig
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.languages.base import Language
from nnsvs_lite.score.types import Score

BREATH = "br"
UNSUNG = -1.0
"""The ``pitch`` of a breath that the score lacks."""
RESTED = -2.0
"""The ``pitch`` of a rest."""
_MANNERS = (
    # (features of the phone, name, seconds, spread of the logarithm). Lengths are those of sung
    # consonants in general, rounded: they hold the first rounds together, then the data speak.
    ({"breath"}, "breath", 0.25, 0.5),
    ({"silence"}, "silence", None, None),
    ({"vowel"}, "vowel", None, None),
    ({"closure"}, "closure", 0.09, 0.5),
    ({"affricate", "voiced"}, "voiced affricate", 0.08, 0.4),
    ({"affricate"}, "affricate", 0.11, 0.4),
    ({"plosive", "voiced"}, "voiced plosive", 0.06, 0.4),
    ({"plosive"}, "plosive", 0.09, 0.4),
    ({"fricative", "voiced"}, "voiced fricative", 0.08, 0.4),
    ({"fricative", "glottal"}, "glottal", 0.08, 0.4),
    ({"fricative"}, "fricative", 0.12, 0.4),
    ({"nasal"}, "nasal", 0.075, 0.4),
    ({"liquid"}, "liquid", 0.055, 0.4),
    ({"glide"}, "glide", 0.08, 0.4),
)
_OTHER = ("other", 0.08, 0.5)


@dataclass(frozen=True)
class Item:
    """One utterance to refine."""

    utt: str
    speaker: str  # whose frames are normalised together
    score: Score
    cache: Path  # file of its evidence, see :func:`nnsvs_lite.align.frames.save_frames`
    frames: int  # how many there are
    offset: float = 0.0  # seconds by which the recording is later than the score
    stretch: float = 1.0  # the recording's seconds for one of the score
    transposition: float = 0.0  # semitones by which the singing is above the score
    breaths: bool = True  # whether its score may lack breaths
    floor: float = -100.0  # level of its quietest frames, dB below its loudest
    drafted: bool = False  # whether its score was made of what is heard
    first: tuple[float, ...] = ()  # seconds at which an aligner has its phones begin, if that is the start


@dataclass(frozen=True)
class Slot:
    """One phone to be placed."""

    phone: str
    key: str  # ``language:phone``, by which its acoustic model is found
    group: str  # ``language:manner``, by which models and priors are shared
    note: int  # index of its note
    low: int  # first frame at which it may begin
    high: int  # last frame
    # The frame at which its note begins, for a note's nucleus and the first phone of a rest; else NaN.
    expected: float
    # Which onset prior holds: ``rest``, or the manner of the note's first phone; empty: none.
    kind: str
    pitch: float  # MIDI number of a voiced phone's note, ``UNSUNG``, ``RESTED`` or NaN
    vowel: bool  # whether it can be held
    silence: bool  # whether it is a pause or a breath
    optional: bool  # whether it is a breath that the score lacks


def manner(language: Language, phone: str) -> tuple[str, float | None, float | None]:
    """A phone's manner with the general length (seconds) and log-spread of such phones."""
    features = {name for name, on in zip(language.class_names, language.classes(phone)) if on}
    for needed, name, length, spread in _MANNERS:
        if needed <= features:
            return name, length, spread
    return _OTHER


def slots_of(item: Item, config: RefineConfig) -> list[Slot]:
    """The slots of an utterance, in order; a breath may stand before any note that follows a note."""
    score, shift = item.score, config.frame_shift
    language = get_language(score.lang)
    half = config.window / shift
    reach = half + 0.3 / shift  # consonants come before their vowel, by their own length
    breaths = config.breaths and item.breaths
    found: list[Slot] = []

    def add(phone, note, low, high, pitch=np.nan, expected=np.nan, kind="", optional=False) -> None:
        key, group = f"{score.lang}:{phone}", f"{score.lang}:{manner(language, phone)[0]}"
        place = note, int(max(low, 0)), int(high), expected, kind, pitch
        sort = phone in language.vowels, phone in language.silences
        found.append(Slot(phone, key, group, *place, *sort, optional))

    for n, note in enumerate(score.notes):
        begin, end = ((item.offset + time * item.stretch) / shift for time in (note.start, note.end))
        if n and breaths and not (note.is_rest or score.notes[n - 1].is_rest or note.slur):
            add(BREATH, n, begin - reach - 0.2 / shift, begin + half, UNSUNG, optional=True)
        onset = language.onset_count(note.phones)
        for k, phone in enumerate(note.phones):
            pitch = float(note.pitch) if language.is_voiced(phone) else np.nan
            if note.is_rest:
                prior = (begin, "rest") if k == 0 and n else ()
                add(phone, n, begin - 2 * half, max(begin + 2 * half, end), RESTED, *prior)
            elif k < onset:
                add(phone, n, begin - reach, begin + half, pitch)
            elif k == onset:
                kind = f"{score.lang}:{manner(language, note.phones[0])[0]}"
                add(phone, n, begin - half, begin + half, pitch, begin, kind)
            else:
                add(phone, n, begin - half, end + half, pitch)
    return _feasible(found, item.frames)


def _feasible(slots: list[Slot], frames: int, least: int = 3) -> list[Slot]:
    """Windows in which every needed phone can have ``least`` frames."""
    lows, highs = [s.low for s in slots], [s.high for s in slots]
    lows[0] = highs[0] = 0
    for i in range(1, len(slots)):
        lows[i] = max(lows[i], lows[i - 1] + (0 if slots[i - 1].optional else least))
    limit = frames
    for i in range(len(slots) - 1, 0, -1):
        limit -= 0 if slots[i].optional else least
        highs[i] = limit = min(max(highs[i], lows[i]), limit)
        lows[i] = max(min(lows[i], highs[i]), 0)
    return [dataclasses.replace(s, low=a, high=b) for s, a, b in zip(slots, lows, highs)]
