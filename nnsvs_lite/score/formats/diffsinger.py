"""DiffSinger segments (``.ds``, JSON) to a score that imposes its phones.

Format after the files that OpenUtau and the DiffSinger tools write: a list of
segments (or one), each with ``offset`` in seconds and, separated by blanks,

- ``ph_seq`` phones; ``ph_num`` how many of them each word has, a word beginning with
  its vowel and ending with the consonants before the next one;
- ``note_seq`` pitches (``C4``, ``C#4/Db4``, ``A3+12`` with cents, ``rest``),
  ``note_dur`` seconds, ``note_slur`` 1 where a note carries its word on;
- ``text``, kept as lyrics where it has one word for each note.

Files of the older kind, with one note for each phone (``note_dur_seq``,
``is_slur_seq``), are read as well. Consonants go to the note of the vowel after them,
those before a rest to the note before it. ``SP`` is a pause and ``AP`` a breath. Phones may
have a language before them (``ja/k``). ``ph_dur``, ``f0_seq`` and the curves are left out.

Such a file has no bars and no tempo: beats are counted at the tempo asked for, or at 120.
"""

import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import DEFAULT_TEMPO, carried
from nnsvs_lite.score.formats.htslabel import pitch_number
from nnsvs_lite.score.formats.limits import (
    MAX_NOTES,
    MAX_SECONDS,
    MAX_TEXT_BYTES,
    checked_length,
    checked_pitch,
    checked_tempo,
)
from nnsvs_lite.score.formats.rawfile import get_number, get_rows, get_text, naming, parse_json, read_bytes
from nnsvs_lite.score.languages import Language, get_language, language_codes
from nnsvs_lite.score.languages.base import CLASS_NAMES
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import REST, Note, Score

_SILENT = ("pau", "br")
_CLOSURE = CLASS_NAMES.index("closure")
_OVERLAP = 1.0
"""Seconds by which a segment's closing rest may run into the next segment."""


@dataclass
class _Row:
    """A note of one segment; ``start`` in seconds of the song."""

    start: float
    end: float
    pitch: int
    slur: bool
    phones: list[str] = field(default_factory=list)
    lyric: str = ""
    place: str = ""


def read_ds(path: str | os.PathLike, *, lang: str = "ja", tempo: float | None = None) -> Score:
    """All segments of a DiffSinger file in one score, with phones.

    Args:
        path: ``.ds``.
        lang: language whose phones these are.
        tempo: quarter notes a minute, to count beats by.

    Raises:
        DataError: where the file is not such a list of segments, or its sequences do
            not fit together; names the segment.
    """
    with naming(path):
        bpm = DEFAULT_TEMPO if tempo is None else checked_tempo(tempo, "the tempo asked for")
        value = parse_json(read_bytes(path, MAX_TEXT_BYTES))
        segments = get_rows([value] if isinstance(value, dict) else value, "a DiffSinger file")
        language = get_language(lang) if lang in language_codes() else None
        rows: list[_Row] = []
        for number, segment in sorted(enumerate(segments, 1), key=lambda item: _offset(*item)):
            rows = _joined(rows, _segment(segment, f"segment {number}", language))
            if len(rows) > MAX_NOTES:
                raise DataError(f"it has more than {MAX_NOTES} notes")
        if all(row.pitch == REST for row in rows):
            raise DataError("the score is empty: it has no notes")
        checked_length(rows[-1].end)
        return Score(tuple(_notes(rows, bpm)), lang, timeline=Timeline(((0.0, bpm),)))


def _offset(number: int, segment: dict[str, Any]) -> float:
    return get_number(segment.get("offset", 0), f"segment {number}: offset", 0, MAX_SECONDS)


def _words(segment: dict[str, Any], name: str) -> list[str]:
    return get_text(segment.get(name)).split()


def _segment(segment: dict[str, Any], place: str, language: Language | None) -> list[_Row]:
    for name in ("ph_seq", "note_seq"):
        if not isinstance(segment.get(name), str) or not segment[name].split():
            raise DataError(f"{place}: it has no {name}, so its notes or phones are unknown")
    phones = [_phone(word, language) for word in _words(segment, "ph_seq")]
    pitches = _words(segment, "note_seq")
    by_phone = "ph_num" not in segment and len(pitches) == len(phones)
    durations = _words(segment, "note_dur") or _words(segment, "note_dur_seq")
    slurs = _words(segment, "note_slur") or _words(segment, "is_slur_seq") or ["0"] * len(pitches)
    if not len(durations) == len(pitches) == len(slurs):
        raise DataError(
            f"{place}: {len(pitches)} notes in note_seq, {len(durations)} lengths and {len(slurs)} slurs"
        )
    start = get_number(segment.get("offset", 0), f"{place}: offset", 0, MAX_SECONDS)
    rows: list[_Row] = []
    groups: list[list[str]] = []
    for i, (pitch, duration, slur) in enumerate(zip(pitches, durations, slurs)):
        where = f"{place}, note {i + 1}"
        seconds = get_number(duration, f"{where}: length", 0, MAX_SECONDS)
        try:
            number = pitch_number(pitch)
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None
        if pitch.lower() != "rest":
            checked_pitch(number, where)
        again = by_phone and slur != "1" and i and (pitch, duration) == (pitches[i - 1], durations[i - 1])
        if again and _same_note(phones[i - 1], phones[i], language):
            groups[-1].append(phones[i])
            continue
        if seconds <= 0:
            raise DataError(f"{where}: a note of no length")
        rows.append(_Row(start, start + seconds, number, slur == "1", place=where))
        groups.append([phones[i]] if by_phone else [])
        start += seconds
    if by_phone:
        for row, group in zip(rows, groups):
            row.phones = group
    else:
        _share(rows, phones, _words(segment, "ph_num"), place, language)
    _add_text(rows, _words(segment, "text"))
    return rows


def _phone(word: str, language: Language | None) -> str:
    """A phone without its language's name, called as the language calls it."""
    word = word.rpartition("/")[2] or word
    return language.normal(word) if language is not None else word


def _same_note(before: str, phone: str, language: Language | None) -> bool:
    """Whether a phone goes on with the note of the phone before it (older files)."""
    if before in _SILENT or phone in _SILENT:
        return False
    return language is None or before not in language.nuclei


def _share(
    rows: list[_Row], phones: list[str], counts: list[str], place: str, language: Language | None
) -> None:
    """Gives words' phones to notes, and moves consonants to the note of the vowel after them."""
    numbers = [int(get_number(word, f"{place}: ph_num", 0, 1000)) for word in counts]
    heads = [row for row in rows if not row.slur]
    if rows and rows[0].slur:
        raise DataError(f"{rows[0].place}: a slur without a note before it")
    if len(numbers) != len(heads) or sum(numbers) != len(phones):
        raise DataError(
            f"{place}: ph_num has {len(numbers)} words of {sum(numbers)} phones; "
            f"there are {len(heads)} notes without slur and {len(phones)} phones"
        )
    position = 0
    waiting: list[str] = []
    for row, count in zip(heads, numbers):
        word = phones[position : position + count]
        position += count
        row.phones, waiting = waiting + word, []
        if word and position < len(phones) and phones[position] not in _SILENT:
            # Behind its first phone a word holds the consonants of the next one.
            keep = max((i for i, p in enumerate(word) if _stays(p, i, language)), default=0) + 1
            row.phones, waiting = row.phones[: len(row.phones) - len(word) + keep], word[keep:]
    for before, row in pairwise(rows):
        if row.slur:
            if not before.phones:
                raise DataError(f"{before.place}: a note without phones")
            before.phones, row.phones = carried(before.phones, language)


def _stays(phone: str, index: int, language: Language | None) -> bool:
    """Whether a word keeps a phone: its first one, what can be held, and closures."""
    if index == 0 or language is None or phone not in language:
        return index == 0
    return phone in language.nuclei or phone in language.vowels or language.classes(phone)[_CLOSURE] > 0


def _add_text(rows: list[_Row], words: list[str]) -> None:
    """Lyrics from the text where it has a word for each note that begins one, else from phones."""
    heads = [row for row in rows if not row.slur]
    sung = [row for row in heads if row.pitch != REST]
    spoken = [word for word in words if word not in ("SP", "AP")]
    for row, word in zip(sung, spoken if len(spoken) == len(sung) else ["".join(r.phones) for r in sung]):
        row.lyric = get_text(word)


def _joined(rows: list[_Row], more: list[_Row]) -> list[_Row]:
    """Notes of the song so far and of its next segment; rests give way where they overlap."""
    if not rows:
        return ([_Row(0.0, more[0].start, REST, False)] if more[0].start > 1e-6 else []) + more
    gap = more[0].start - rows[-1].end
    if gap > 1e-6:
        return [*rows, _Row(rows[-1].end, more[0].start, REST, False), *more]
    for row, edge in ((rows[-1], 1), (more[0], 0)):
        if gap >= -1e-6:
            break
        if row.pitch == REST and row.end - row.start + gap > 1e-3 and -gap < _OVERLAP:
            row.start, row.end = (row.start, row.end + gap) if edge else (row.start - gap, row.end)
            gap = 0.0
    if gap < -1e-6:
        raise DataError(f"{more[0].place}: it begins before the segment before it ends")
    more[0].start = rows[-1].end
    return rows + more


def _notes(rows: list[_Row], bpm: float) -> list[Note]:
    notes: list[Note] = []
    for row in rows:
        silent = [phone for phone in row.phones if phone in _SILENT]
        start = notes[-1].end if notes else round(row.start, 7)
        end = round(row.end, 7)
        quarter = start * bpm / 60
        if end <= start:
            raise DataError(f"{row.place}: a note of no length")
        if row.pitch != REST and silent:
            row = _Row(row.start, row.end, REST, False, silent)
        if row.pitch == REST:
            if set(row.phones) - set(_SILENT):
                raise DataError(f"{row.place}: phones {' '.join(row.phones)} on a rest")
            phones = ("br",) if "br" in silent else ("pau",)
        elif not row.phones:
            raise DataError(f"{row.place}: a note without phones")
        else:
            phones = tuple(row.phones)
        if phones == ("pau",) and notes and notes[-1].phones == phones:
            start = notes.pop().start
            quarter = start * bpm / 60
        notes.append(
            Note(
                start,
                end,
                row.pitch,
                lyric=row.lyric if row.pitch != REST else "br" if phones == ("br",) else "",
                phones=phones,
                slur=row.slur and row.pitch != REST,
                tempo=bpm,
                beats=(end - start) * bpm / 60,
                measure=int(quarter // 4) + 1,
                beat=quarter % 4,
            )
        )
    return notes
