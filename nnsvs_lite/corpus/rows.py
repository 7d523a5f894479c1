"""Phrases that come as one row a phone: name, length, note and whether the note carries a syllable on.

As Opencpop, ACE-Opencpop and M4Singer have them. Their notes were set on the recording, so there is no time
lag: a note begins where its vowel is sung, and the consonant before it lies in the time of the note before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.rawfile import read_bytes
from nnsvs_lite.score.formats.smf import parse_midi
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import REST, Note, Score

GLIDE = 0.08
"""Seconds that a glide gets of a final which is written with it, if that is not over a quarter of it."""
_APART = 0.1
DEFAULT_TEMPO = 120.0


@dataclass(frozen=True)
class PhoneRow:
    """One phone.

    ``pitch`` is a MIDI number, 0 in a pause; a ``slur`` carries on the syllable before it; ``last`` ends a
    word, where consonants stay with the vowel before them.
    """

    phone: str
    seconds: float
    pitch: int
    slur: bool = False
    last: bool = False


def song_of_rows(
    rows: Sequence[PhoneRow], lang: str, tempo: float, where: str, remarks: list[str]
) -> tuple[Score, list[Segment]]:
    """The score and the phone times of a phrase.

    Raises DataError where a phone is none of the language, a length is negative, or notes do not fit phones.
    """
    language = get_language(lang)
    rows = [replace(row, phone=language.normal(row.phone)) for row in rows]
    labels, now = [], 0.0
    for number, row in enumerate(rows, 1):
        if row.phone not in language:
            raise DataError(f"phone {number}: {row.phone!r} is no phone of {language.name}", where)
        if not 0 <= row.seconds < 100:
            raise DataError(f"phone {number} ({row.phone!r}) lasts {row.seconds:g} s", where)
        labels.append(Segment(round(now, 7), round(now + row.seconds, 7), row.phone))
        now += row.seconds
    notes: list[Note] = []
    for first, middle, last in _groups(rows, language, where):
        row = rows[middle]
        silent = language.is_silence(row.phone)
        if silent != (row.pitch == REST):
            what = f"has the pitch {row.pitch}" if silent else "is sung on a rest"
            raise DataError(f"phone {middle + 1} ({row.phone!r}) {what}", where)
        if any(rows[k].pitch != row.pitch for k in range(first, middle)):
            said = f"phone {first + 1}: {rows[first].phone} and {row.phone} of one syllable differ in pitch"
            remarks.append(said)
        start = labels[middle].start if notes and not silent else labels[first].start
        phones = tuple(rows[k].phone for k in range(first, last + 1))
        lyric = "" if silent or row.slur else "".join(phones)
        notes.append(Note(start, now, row.pitch, lyric, phones, slur=row.slur and not silent, tempo=tempo))
    score = Score(tuple(_placed(notes, now, tempo)), lang, timeline=Timeline(((0.0, tempo),)))
    return score, labels


def _groups(rows: Sequence[PhoneRow], language: Language, where: str) -> list[tuple[int, int, int]]:
    """First row, vowel and last row of each note: consonants go with the vowel that follows in their word."""
    groups: list[tuple[int, int, int]] = []
    first = None
    for k, row in enumerate(rows):
        if row.phone in language.nuclei or language.is_silence(row.phone):
            if first is not None and (language.is_silence(row.phone) or row.slur):
                raise DataError(f"phone {first + 1} ({rows[first].phone!r}) has no vowel after it", where)
            if row.slur and not groups:
                what = "carries on a syllable, and there is none before it"
                raise DataError(f"phone {k + 1} ({row.phone!r}) {what}", where)
            groups.append((k if first is None else first, k, k))
            first = None
            continue
        first = k if first is None else first
        before = groups[-1] if groups else None
        if row.last and before is not None and rows[before[1]].pitch and not rows[before[2]].last:
            groups[-1] = (*before[:2], k)
            first = None
    if first is not None:
        raise DataError(f"phone {first + 1} ({rows[first].phone!r}) has no vowel after it", where)
    return groups


def _placed(notes: Sequence[Note], end: float, tempo: float) -> list[Note]:
    """The notes up to one another, counted in bars of four from the beginning."""
    placed = []
    for note, after in zip(notes, [*notes[1:], None]):
        stop = round(end if after is None else after.start, 7)
        beats = (stop - note.start) * tempo / 60
        quarter = note.start * tempo / 60
        values = {**vars(note), "end": stop, "beats": round(beats, 6)}
        placed.append(Note(**{**values, "measure": int(quarter // 4) + 1, "beat": round(quarter % 4, 6)}))
    return placed


def with_glides(rows: Sequence[PhoneRow], finals: dict[str, str]) -> tuple[list[PhoneRow], int]:
    """Rows with finals that begin a syllable as a glide and a final (``iao`` as ``y ao``), and how many.

    ``finals`` says what each becomes; one behind a consonant or within a syllable stays.
    """
    result: list[PhoneRow] = []
    count, split = 0, False
    for before, row in zip([None, *rows], rows):
        parts = finals.get(row.phone, "").split()
        if row.slur:
            # What is held of a final that was split is its second part.
            result.append(replace(row, phone=parts[1]) if split and parts else row)
            continue
        split = bool(parts) and (before is None or before.pitch == REST or _is_final(before.phone))
        if not split:
            result.append(row)
            continue
        glide = min(GLIDE, row.seconds / 4)
        result.append(PhoneRow(parts[0], glide, row.pitch))
        result.append(replace(row, phone=parts[1], seconds=row.seconds - glide))
        count += 1
    return result, count


def _is_final(phone: str) -> bool:
    return phone[0] in "aeiouv" or phone == "ng"


def midi_tempo(path: Path | None, remarks: list[str]) -> float:
    """The tempo of a MIDI file, quarter notes a minute; without one, :data:`DEFAULT_TEMPO` and a remark."""
    tempi = (
        sorted({round(bpm, 3) for _, bpm in parse_midi(read_bytes(path)).tempi}) if path is not None else []
    )
    if len(tempi) != 1:
        said = "there is no MIDI file" if path is None else f"{path.name} has {len(tempi)} tempi"
        remarks.append(f"{said}; beats are counted at {tempi[0] if tempi else DEFAULT_TEMPO:g} a minute")
    return float(tempi[0]) if tempi else DEFAULT_TEMPO


def note_seconds(rows: Sequence[PhoneRow], lengths: Sequence[float], lang: str) -> tuple[float, float]:
    """How long notes last that have ``lengths``, one for each phone: where each phone of a note repeats its
    note's length, and where the phones of a note share it out.
    """
    language = get_language(lang)
    again = (
        length
        for row, length, after in zip(rows, lengths, rows[1:])
        if row.pitch and language.normal(row.phone) not in language.nuclei and not after.slur
    )
    return sum(lengths) - sum(again), sum(lengths)


def lasts(seconds: float, rows: Sequence[PhoneRow]) -> bool:
    """Whether notes of so many seconds are those of these phones."""
    sung = sum(row.seconds for row in rows)
    return abs(seconds - sung) <= _APART + 0.02 * sung
