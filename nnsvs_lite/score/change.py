"""A score at another pitch or tempo."""

import dataclasses

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Score

LOWEST, HIGHEST = 24, 108
"""MIDI numbers between which transposed notes must stay."""


def change(score: Score, transpose: int, tempo: float) -> Score:
    """Moves a score's pitches by semitones and its tempo by a factor.

    Raises DataError where a pitch leaves MIDI 24..108 or the factor 0.25..4.
    """
    if not 0.25 <= tempo <= 4:
        raise DataError(f"tempo factor {tempo:g} is out of 0.25..4")
    notes = []
    for note in score.notes:
        pitch = note.pitch if note.is_rest else note.pitch + transpose
        if not note.is_rest and not LOWEST <= pitch <= HIGHEST:
            what = f"transposed to MIDI {pitch}," if transpose else f"MIDI {pitch} is"
            raise DataError(f"{note.place}: {what} out of {LOWEST}..{HIGHEST}", score.title or None)
        times = {"start": note.start / tempo, "end": note.end / tempo, "tempo": note.tempo * tempo}
        notes.append(dataclasses.replace(note, pitch=pitch, key=_key(note.key, transpose), **times))
    timeline = score.timeline
    if timeline is not None:
        keys = tuple((at, _key(key, transpose)) for at, key in timeline.keys)
        timeline = dataclasses.replace(timeline.faster(tempo), keys=keys)
    drawn = None if score.drawn is None else score.drawn.changed(transpose, tempo)
    return dataclasses.replace(score, notes=tuple(notes), timeline=timeline, drawn=drawn)


def _key(key: int, transpose: int) -> int:
    """A key moves along the circle of fifths: seven for a semitone, folded to -6..6."""
    return (key + 7 * transpose + 6) % 12 - 6 if transpose else key
