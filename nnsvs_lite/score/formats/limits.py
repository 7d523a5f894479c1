"""What a score may be at most, in one place; beyond these limits every reader refuses it."""

import math

from nnsvs_lite.io.errors import DataError

MAX_BYTES = 64 * 2**20  # of a file, and of a text unpacked from one
MAX_TEXT_BYTES = 24 * 2**20  # of JSON or YAML, which in memory can grow to some thirty times its size
MAX_DEPTH = 100  # elements, lists or tables within one another
MAX_NODES = 1_000_000  # XML elements and attributes in one file
MAX_VALUES = 5_000_000  # of YAML, most of them numbers of curves
MAX_NOTES = 50_000  # of a file, or of what its repeats unfold to
MAX_MEASURES = 5_000  # of a MusicXML part, as written
MAX_LYRIC = 200  # characters on one note
MAX_QUARTERS = 1_000_000  # where the last note ends
MAX_SECONDS = 4 * 3600  # of the whole score
MIN_TEMPO, MAX_TEMPO = 10.0, 1000.0  # quarter notes a minute
MIN_PITCH, MAX_PITCH = 1, 127  # MIDI numbers of notes; 0 stands for a rest


def checked_tempo(tempo: float, place: str) -> float:
    """The tempo; raises DataError where it is not from ``MIN_TEMPO`` to ``MAX_TEMPO``."""
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise DataError(
            f"{place}: a tempo of {tempo:g} quarter notes a minute; "
            f"{MIN_TEMPO:g} to {MAX_TEMPO:g} can be sung"
        )
    return tempo


def checked_pitch(pitch: float, place: str) -> int:
    """The pitch as a whole MIDI number, quarter tones rounded up; raises DataError where out of range."""
    whole = math.floor(pitch + 0.5) if math.isfinite(pitch) else 0
    if not MIN_PITCH <= whole <= MAX_PITCH:
        raise DataError(f"{place}: pitch {pitch:g} is out of range ({MIN_PITCH} to {MAX_PITCH})")
    return whole


def checked_count(count: int) -> None:
    """Raises DataError where there are more than ``MAX_NOTES`` notes."""
    if count > MAX_NOTES:
        raise DataError(f"it has {count} notes; at most {MAX_NOTES} can be read")


def checked_length(seconds: float) -> None:
    """Raises DataError where a score is longer than ``MAX_SECONDS``."""
    if not seconds <= MAX_SECONDS:
        raise DataError(f"the score lasts more than {MAX_SECONDS // 3600} hours")
