"""What a model is told of a score: named columns for each note and each phone.

The set of columns follows what HMM- and DNN-based singing synthesisers ask of a score
(Oura et al., "Recent development of the HMM-based singing voice synthesis system -
Sinsy", SSW7, 2010), as numbers instead of questions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.types import Note, Score

MIN_SECONDS = 0.01
"""Floor under a logarithm of a length."""


@dataclass(frozen=True)
class Column:
    """One column of a context matrix."""

    name: str  # unique in its matrix
    kind: str  # ``categorical`` (small whole numbers, 0 = none or outside), ``numeric`` or ``flag`` (0/1)
    size: int = 1  # of a categorical column how many values there are, 0 included


_NOTE_NUMERIC = """
pitch pitch_held interval_prev interval_next length log_length length_beats prev_length next_length
log_prev_length log_next_length tempo beat_fraction measure_beats phrase_index phrase_left
phrase_elapsed phrase_remaining velocity phone_count onset_phones
"""
_NOTE_FLAGS = ("slur", "next_slur", "is_rest", "prev_rest", "next_rest", "breath", "prev_breath")


def note_columns(language: Language) -> list[Column]:
    """Columns of :func:`note_context`.

    ``pitch`` is 0 on a rest; ``pitch_held`` moves in a straight line through rests from
    the note before to the note after. Intervals are to the nearest sounding notes, past
    rests (0 where there is none). ``key`` is the number of sharps + 8; ``key_degree``
    is semitones above the major tonic + 1. The outside of an utterance counts as rest.
    A language with tones has a last column ``tone``. Pitches are in semitones, times in
    seconds (``log_``: their logarithm), beats in quarters, tempo in quarters a minute,
    ``beat_fraction`` in measures, places in a phrase in notes, counts in phones.
    """
    phones = len(language.phones) + 1
    columns = [Column(name, "numeric") for name in _NOTE_NUMERIC.split()]
    columns += [Column(name, "flag") for name in _NOTE_FLAGS]
    columns += [Column("key", "categorical", 16), Column("key_degree", "categorical", 13)]
    columns += [Column(name, "categorical", phones) for name in ("first_phone", "nucleus", "prev_last_phone")]
    if language.tones:
        columns.append(Column("tone", "categorical", len(language.tones) + 1))
    return columns


def phone_columns(language: Language) -> list[Column]:
    """Columns of :func:`phone_context`; categorical phones are numbers in ``language.phones`` plus 1."""
    phones = len(language.phones) + 1
    names = ("phone", "prev_phone", "next_phone", "prev2_phone", "next2_phone")
    columns = [Column(name, "categorical", phones) for name in names]
    columns += [Column(f"class_{name}", "flag") for name in language.class_names]
    columns += [Column("note_phone_index", "numeric"), Column("note_phone_left", "numeric")]
    columns += [Column(name, "flag") for name in ("is_vowel", "is_onset", "is_silence")]
    return columns


def note_context(score: Score, language: Language | None = None) -> np.ndarray:
    """Context of each note, rests included: (notes, columns) float32, columns as :func:`note_columns` says.

    ``language`` names the phones where it is not the score's language as it is now.
    Raises DataError where a note has no phones or one that its language lacks.
    """
    language = language or get_language(score.lang)
    notes = score.notes
    _check_phones(score, language)
    values: dict[str, Sequence[float]] = {
        "pitch": [n.pitch for n in notes],
        "tempo": [n.tempo for n in notes],
        "measure_beats": [n.measure_beats for n in notes],
        "beat_fraction": [n.beat / n.measure_beats if n.measure_beats > 0 else 0.0 for n in notes],
        "length_beats": [n.beats for n in notes],
        "velocity": [n.velocity for n in notes],
        "phone_count": [len(n.phones) for n in notes],
        "onset_phones": [language.onset_count(n.phones) for n in notes],
        "key": [min(max(n.key, -7), 7) + 8 for n in notes],
        "key_degree": [0 if n.is_rest else (n.pitch - 7 * n.key) % 12 + 1 for n in notes],
    }
    values |= _pitch_values(notes) | _length_values(notes) | _phrase_values(notes)
    for name in ("slur", "is_rest", "breath"):
        values[name] = [float(getattr(n, name)) for n in notes]
    values["next_slur"] = [*values["slur"][1:], 0.0]
    values["prev_rest"] = [1.0, *values["is_rest"][:-1]]
    values["next_rest"] = [*values["is_rest"][1:], 1.0]
    values["prev_breath"] = [0.0, *values["breath"][:-1]]
    values["first_phone"] = [language.index(n.phones[0]) + 1 for n in notes]
    values["nucleus"] = [language.index(n.phones[language.onset_count(n.phones)]) + 1 for n in notes]
    values["prev_last_phone"] = [0, *(language.index(n.phones[-1]) + 1 for n in notes[:-1])]
    if language.tones:
        values["tone"] = [min(max(n.tone, 0), len(language.tones)) for n in notes]
    columns = note_columns(language)
    return np.array([values[c.name] for c in columns], dtype=np.float32).T.reshape(len(notes), len(columns))


def phone_context(score: Score, language: Language | None = None) -> np.ndarray:
    """Context of each phone: (phones, columns) float32, columns as :func:`phone_columns` says.

    Takes and raises what :func:`note_context` does; phone i is in its row ``score.note_index[i]``.
    """
    language = language or get_language(score.lang)
    _check_phones(score, language)
    symbols = score.phones
    numbers = [language.index(symbol) + 1 for symbol in symbols]
    padded = np.array([0, 0, *numbers, 0, 0], dtype=np.float32)
    size = len(numbers)
    neighbours = np.stack([padded[2 + k : 2 + k + size] for k in (0, -1, 1, -2, 2)], axis=1)
    classes = np.array([language.classes(symbol) for symbol in symbols], dtype=np.float32)
    rest = []
    for note in score.notes:
        onset = language.onset_count(note.phones)
        for i, symbol in enumerate(note.phones):
            left = len(note.phones) - 1 - i
            rest.append((i, left, symbol in language.vowels, i < onset, language.is_silence(symbol)))
    return np.concatenate([neighbours, classes, np.array(rest, dtype=np.float32)], axis=1)


def _check_phones(score: Score, language: Language) -> None:
    if not score.notes:
        raise DataError("a score without notes has no context", score.title or None)
    for note in score.notes:
        if not note.phones:
            raise DataError(f"{note.place}: the note has no phones; attach them first", score.title or None)
        for phone in note.phones:
            if phone not in language:
                what = f"{note.place}: phone {phone!r} is not one of language {language.code!r}"
                raise DataError(what, score.title or None)


def _pitch_values(notes: Sequence[Note]) -> dict[str, Sequence[float]]:
    """Pitch held through rests, and intervals to the sounding notes around."""
    sounding = [i for i, n in enumerate(notes) if not n.is_rest]
    if not sounding:
        zeros = [0.0] * len(notes)
        return {"pitch_held": zeros, "interval_prev": zeros, "interval_next": zeros}
    middles = [(n.start + n.end) / 2 for n in notes]
    pitches = np.array([float(notes[i].pitch) for i in sounding])
    held = np.interp(middles, [middles[i] for i in sounding], pitches)
    before = np.searchsorted(sounding, np.arange(len(notes)), side="left") - 1
    after = np.searchsorted(sounding, np.arange(len(notes)), side="right")
    return {
        "pitch_held": held,
        "interval_prev": np.where(before >= 0, held - pitches[before], 0.0),
        "interval_next": np.where(after < len(sounding), pitches[after % len(sounding)] - held, 0.0),
    }


def _length_values(notes: Sequence[Note]) -> dict[str, Sequence[float]]:
    lengths = [n.duration for n in notes]
    logs = [math.log(max(length, MIN_SECONDS)) for length in lengths]
    floor = math.log(MIN_SECONDS)
    return {
        "length": lengths,
        "log_length": logs,
        "prev_length": [0.0, *lengths[:-1]],
        "next_length": [*lengths[1:], 0.0],
        "log_prev_length": [floor, *logs[:-1]],
        "log_next_length": [*logs[1:], floor],
    }


def _phrase_values(notes: Sequence[Note]) -> dict[str, Sequence[float]]:
    """Where each note stands between the rests around it, in notes and seconds."""
    names = ("phrase_index", "phrase_left", "phrase_elapsed", "phrase_remaining")
    values = {name: [0.0] * len(notes) for name in names}
    first = 0
    for last in range(1, len(notes) + 1):
        if last < len(notes) and notes[last].is_rest == notes[first].is_rest and not notes[last].is_rest:
            continue
        for i in range(first, last):
            values["phrase_index"][i] = i - first
            values["phrase_left"][i] = last - 1 - i
            values["phrase_elapsed"][i] = notes[i].start - notes[first].start
            values["phrase_remaining"][i] = notes[last - 1].end - notes[i].end
        first = last
    return values
