"""From a score to phone times, as a singer would time them."""

from collections.abc import Sequence

import numpy as np

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Note, Phone, Score
from nnsvs_lite.virtual.style import FRAME, SingingStyle

SHORTEST_PHONE = 5
LONGEST_CONSONANT = 18
_SHORTEST_VOWEL = 8
# Lengthening of consonants from speech to singing (after Saitou et al. 2007).
_SPEECH_TO_SINGING = {"fricative": 1.58, "affricate": 1.3, "plosive": 1.13, "nasal": 1.77, "liquid": 1.3}


def segments(phones: Sequence[Phone]) -> list[Segment]:
    """The phone times as labels."""
    return [Segment(p.start, p.end, p.symbol) for p in phones]


def speech_lengthening(symbol: str, lang: str = "ja") -> float:
    """How much longer than in speech a consonant is sung."""
    language = get_language(lang)
    if symbol in ("y", "w"):
        return 1.13 if symbol == "y" else 2.07
    names = {n for n, v in zip(language.class_names, language.classes(symbol)) if v}
    return next((factor for name, factor in _SPEECH_TO_SINGING.items() if name in names), 1.0)


def note_lag(note: Note, previous: Note, style: SingingStyle) -> float:
    """The part of a note's lag that is a rule: seconds from its beat to its vowel."""
    if previous.is_rest:
        return style.phrase_lag
    lag = style.leap_lag * min(max(note.pitch - previous.pitch - 2, 0), 4)
    return lag - style.short_lead * (note.duration < 0.25)


def place_phones(
    score: Score, natural: Sequence[float], style: SingingStyle, rng: np.random.Generator
) -> list[Phone]:
    """Phone times of a performance, on whole frames, contiguous from 0 to the score's end.

    ``natural`` is each phone's length in frames as the voice's models have it; the number of draws from
    ``rng`` depends on the score alone.

    Raises DataError where a note has more phones than fit into it, or the score does not begin with a rest.
    """
    notes = score.notes
    if not notes or not notes[0].is_rest:
        raise DataError("a score to be performed must begin with a rest")
    language = get_language(score.lang)
    lengths = _phone_lengths(score, natural, style, rng)
    onsets = [0 if n.is_rest else language.onset_count(n.phones) for n in notes]
    noise = np.clip(rng.standard_normal(len(notes)), -2.5, 2.5) * style.onset_sigma
    total = round(score.duration / FRAME)

    beats = [0]
    for before, note, chance in zip(notes, notes[1:], noise[1:]):
        # The last vowel before a rest rings on into it.
        lag = style.release if note.is_rest else note_lag(note, before, style)
        beats.append(round((note.start + lag + chance * (0.5 if note.slur else 1.0)) / FRAME))
    beats.append(total)
    for i in range(1, len(beats)):
        beats[i] = min(max(beats[i], beats[i - 1] + SHORTEST_PHONE), total)

    # The consonants of a note take at most half of what lies between the two beats.
    starts = list(beats)
    for i in range(1, len(notes)):
        room = beats[i] - beats[i - 1]
        if onsets[i]:
            wanted = lengths[i][: onsets[i]]
            lengths[i][: onsets[i]] = _shrink(wanted, max(room // 2, 3 * onsets[i]))
            starts[i] = beats[i] - sum(lengths[i][: onsets[i]])
    phones: list[Phone] = []
    for i, note in enumerate(notes):
        head, tail = lengths[i][: onsets[i]], lengths[i][onsets[i] :]
        body = starts[i + 1] - beats[i]
        if body < 2 * len(tail):
            raise DataError(f"the note is too short to sing {' '.join(note.phones)}", note.place)
        at = starts[i]
        for symbol, length in zip(note.phones, head + _share(note.phones[onsets[i] :], tail, body, language)):
            phones.append(Phone(symbol, at * FRAME, (at + length) * FRAME, i))
            at += length
    return [Phone(p.symbol, round(p.start, 7), round(p.end, 7), p.note) for p in phones]


def _phone_lengths(
    score: Score, natural: Sequence[float], style: SingingStyle, rng: np.random.Generator
) -> list[list[int]]:
    """For each note the lengths of its phones in frames, before they meet the beats."""
    noise = np.exp(style.consonant_sigma * np.clip(rng.standard_normal(len(natural)), -2.5, 2.5))
    lengths, at = [], 0
    for note in score.notes:
        stress = 0.75 + 0.5 * min(note.duration / 0.8, 1.0)
        own = slice(at, at + len(note.phones))
        frames = (round(n * style.consonant_scale * stress * x) for n, x in zip(natural[own], noise[own]))
        lengths.append([int(min(max(n, SHORTEST_PHONE), LONGEST_CONSONANT)) for n in frames])
        at = own.stop
    return lengths


def _shrink(lengths: list[int], limit: int) -> list[int]:
    """Shortens lengths in proportion so that they sum to at most ``limit``."""
    total = sum(lengths)
    return lengths if total <= limit else [max(2, int(length * limit / total)) for length in lengths]


def _share(phones: Sequence[str], lengths: list[int], body: int, language) -> list[int]:
    """What follows the beat fills the note: vowels share what consonants leave, the first doubly."""
    held = [p in language.vowels or language.is_silence(p) for p in phones]
    if not any(held):
        held[-1] = True
    fixed = sum(length for length, h in zip(lengths, held) if not h)
    room = body - _SHORTEST_VOWEL * sum(held)
    if fixed > room:
        shorter = _shrink([n for n, h in zip(lengths, held) if not h], max(room, 2))
        parts = iter(shorter)
        lengths = [n if h else next(parts) for n, h in zip(lengths, held)]
        fixed = sum(shorter)
    weights = [0.0 if not h else (2.0 if i == held.index(True) else 1.0) for i, h in enumerate(held)]
    edges = np.round(np.cumsum(weights) / sum(weights) * (body - fixed)).astype(int)
    shares = np.diff(np.concatenate([[0], edges]))
    return [int(share) if h else length for length, share, h in zip(lengths, shares, held)]
