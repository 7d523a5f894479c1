"""HTS labels: phone times (``.lab``), and scores inside full-context labels.

A full-context line of a singing database, of Sinsy, NNSVS or NEUTRINO reads ``start end context`` with times
in 100 ns, as sung. The context holds the phones around (``p``) and, between ``/E:`` and ``/F:``, the note of
the score: its pitch, key, beat, tempo, length and its place in the measure. The fields are those of Sinsy's
label format (HTS Working Group, "HTS-demo_NIT-SONG070", ``label_format``); positions and lengths in 96ths of
a whole note are the exact ones (a quarter is 24), those in seconds are rounded.
"""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out, warn
from nnsvs_lite.score.formats.limits import (
    MAX_SECONDS,
    MAX_TEXT_BYTES,
    checked_count,
    checked_length,
    checked_pitch,
)
from nnsvs_lite.score.formats.rawfile import read_bytes
from nnsvs_lite.score.languages import get_language, language_codes
from nnsvs_lite.score.phonemize import carried
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import REST, Note, Score, joined_rests

HUNDRED_NS = 1e-7

_SILENT_LABELS = frozenset({"pau", "sil", "br", "xx"})
_LINE = re.compile(r"\r\n|\r|\n")
_MAX_LINE = 4000  # characters of a label
_QUARTER = 24
_MOST_CENTISECONDS, _MOST_TEMPO = 499, 199
"""Sinsy's fields stop at these: what is longer or faster is written like this as well."""

_PHONE = re.compile(r"^[^@]*@[^^]*\^[^-]*-(?P<phone>[^+]*)\+")
_NOTE = re.compile(
    r"/E:(?P<pitch>[^\]]*)\][^^]*\^(?P<key>[^=]*)=(?P<beat>[^~]*)~(?P<tempo>[^!]*)![^@]*"
    r"@(?P<centiseconds>[^#]*)#(?P<length>[^+]*)\+[^\]]*\][^|]*"
    r"\|[^\[]*\[[^&]*&(?P<before>[^\]]*)\](?P<after>[^=]*)="
    r"[^\[]*\[[^|]*\|(?P<slur>[^\]]*)\](?P<slur_next>[^-]*)-(?P<dynamics>[^^]*)\^"
)
_PITCH = re.compile(r"([A-Ga-g])([#♯b♭]?)(-?\d)([#♯b♭]?)([+-]\d{1,3}(?:\.\d{1,4})?)?")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}

_DYNAMICS = {"pp": 0.25, "p": 0.35, "mp": 0.45, "mf": 0.55, "f": 0.7, "ff": 0.85}
"""Loudness of the usual marks, as music21 has it; a number after the mark is left out."""


def read_lab(path: str | os.PathLike, unit: float = HUNDRED_NS) -> list[Segment]:
    """Reads ``start end label`` lines; times in seconds afterwards.

    ``unit`` is seconds per unit of the file's times. Empty lines, CRLF and a missing last line end are
    accepted, since public corpora have them; order and overlaps are left as they are.
    Raises DataError at a malformed line, or where there is no label at all.
    """
    labels = []
    for number, line in enumerate(_LINE.split(read_text(path)), start=1):
        if not line.strip():
            continue
        fields = line.split(maxsplit=2)
        try:
            start, end = (round(float(field) * unit, 7) for field in fields[:2])
            labels.append(Segment(start, end, fields[2].strip()))
        except (ValueError, IndexError):
            raise DataError("malformed line, 'start end label' is needed", f"{path}:{number}") from None
    if not labels:
        raise DataError("holds no labels", path)
    return labels


def phone_of(context: str) -> str:
    """The phone of a full-context label; empty where it is none."""
    found = _PHONE.match(context)
    return found["phone"] if found else ""


def pitch_number(name: str) -> int:
    """MIDI number of a pitch name such as ``F#4``, ``D5b`` or ``A3+12`` (cents); 0 for ``xx`` and ``rest``.

    Of two names of one pitch, ``C#4/Db4``, the first is read; quarter tones are rounded up. Raises ValueError
    for anything else.
    """
    if name.lower() in ("xx", "rest"):
        return REST
    match = _PITCH.fullmatch(name.split("/")[0])
    if match is None:
        raise ValueError(f"no pitch: {name[:20]!r}")
    step, before, octave, after, cents = match.groups("")
    number = 12 * (int(octave) + 1) + _STEPS[step.upper()] + _ACCIDENTALS[before] + _ACCIDENTALS[after]
    return math.floor(number + float(cents or 0) / 100 + 0.5)


class FullLabel(NamedTuple):
    """What one full-context label file holds."""

    score: Score  # notes with phones, without lyrics; silences inside a sung note are no part of it
    labels: list[Segment]  # of phones, in seconds, as sung, silences included
    remarks: list[str]  # oddities that were put right, for people


_MONO = (
    "; a mono label: it has phones and times but no notes to sing; give the score (such as MusicXML), "
    "and this file as --label to impose its phone times"
)


def read_full(path: str | os.PathLike, lang: str = "ja") -> FullLabel:
    """Reads a full-context label file: the score in it, and the sung phones.

    Raises DataError at a line that is not a full-context label of a singing database.
    """
    labels: list[Segment] = []
    rows: list[tuple[dict[str, str], list[Segment]]] = []
    previous = None
    for number, (start, end, context) in enumerate(read_lab(path), start=1):
        if len(context) > _MAX_LINE:
            raise DataError(f"line {number}: longer than any label ({_MAX_LINE} characters)", path)
        phone, note = _PHONE.match(context), _NOTE.search(context)
        if phone is None or note is None:
            mono = "" if number > 1 or "/" in context else _MONO
            raise DataError(
                f"not a full-context label of a singing database (phone and /E: part are needed){mono}",
                f"{path}:{number}",
            )
        labels.append(Segment(start, end, phone["phone"]))
        # All phones of a note share the whole of its part of the context. Rests have
        # one phone, or that and a breath, and two in a row may read alike.
        part = context[context.index("/E:") : context.find("/F:")]
        breath = phone["phone"] == "br" or (rows and [row.label for row in rows[-1][1]] == ["br"])
        if part != previous or (note["pitch"] == "xx" and not breath):
            rows.append((note.groupdict(), []))
            previous = part
        rows[-1][1].append(labels[-1])
    remarks: list[str] = []
    try:
        notes = _notes(rows, remarks)
    except (ValueError, KeyError, ZeroDivisionError) as error:
        raise DataError(f"a note of its /E: part cannot be read: {error}", path) from None
    score = Score(tuple(notes), lang, Path(path).stem, Timeline.of_notes(notes))
    return FullLabel(score, labels, remarks)


def _notes(rows: Sequence[tuple[dict[str, str], list[Segment]]], remarks: list[str]) -> list[Note]:
    notes: list[Note] = []
    measure, now, expected = 1, 0.0, None
    full = 0
    for row, sung in rows:
        pitch = pitch_number(row["pitch"])
        tempo = float(row["tempo"])
        length, before, after = (int(row[name]) / _QUARTER for name in ("length", "before", "after"))
        if not (10 <= tempo <= 1000 and 0 < length < 1e4 and before >= 0 and 0 < before + after < 1e4):
            raise ValueError(f"a tempo of {tempo:g}, {length:g} quarters at {before:g} of {before + after:g}")
        seconds = length * 60 / tempo
        stated = int(row["centiseconds"]) / 100
        own = sung[-1].end - sung[0].start
        long = int(row["centiseconds"]) >= _MOST_CENTISECONDS
        fast = tempo >= _MOST_TEMPO and (abs(seconds - stated) > 0.006 or abs(own - stated) < 0.006)
        if (fast or long) and 0 < own < MAX_SECONDS:
            full += 1
            seconds = own if fast or abs(seconds - own) > 0.03 else seconds
        elif not long and abs(seconds - stated) > 0.03:
            # The tempo changes within the note: its length in seconds is all there is.
            seconds = stated
        if expected is not None:
            while expected >= notes[-1].measure_beats - 1e-6:
                expected -= notes[-1].measure_beats
                measure += 1
            if pitch != REST and abs(expected - before) > 0.03:
                remarks.append(
                    f"measure {measure}: a note stands at beat {before + 1:g},"
                    f" the one before it ends at beat {expected + 1:g}"
                )
        phones = [phone.label for phone in sung if phone.label not in _SILENT_LABELS]
        key = int(row["key"]) if row["key"] != "xx" else 0
        notes.append(
            Note(
                start=round(now, 7),
                end=round(now + seconds, 7),
                pitch=pitch,
                phones=("pau",) if pitch == REST else tuple(phones),
                slur=pitch != REST and row["slur"] == "1",
                tempo=tempo,
                beats=length,
                measure=measure,
                beat=before,
                measure_beats=before + after,
                key=key if key <= 6 else key - 12,
                velocity=_DYNAMICS.get(row["dynamics"].rstrip("0123456789"), 0.5),
            )
        )
        expected = before + length
        now += seconds
    if full:
        remarks.append(
            f"{full} notes last as the label's own times say: their length or tempo fields are full"
        )
    return notes


def read_label(path: str | os.PathLike, *, lang: str = "ja") -> Score:
    """The score in a full-context label file (``.lab`` or ``.full``), with the label's phones as they are.

    The score's times come from tempo and note lengths; those in the label are how a singer sang, or guesses,
    and count only where a note is too long or too fast for its fields.
    A note whose phone is ``xx`` (Sinsy's, for a note without lyric) carries on the one before it.
    Raises DataError where it is a mono label, or cannot be read as notes.
    """
    checked_count(read_bytes(path, MAX_TEXT_BYTES).count(b"\n") // 8)
    score, _, remarks = read_full(path, lang)
    for remark in remarks:
        warn(remark)
    checked_count(len(score.notes))
    checked_length(score.duration)
    language = get_language(lang) if lang in language_codes() else None
    notes: list[Note] = []
    bare: list[str] = []
    for note in score.notes:
        if note.end <= note.start:
            raise DataError(f"{note.place}: a note of no length")
        last = notes[-1] if notes else None
        if not note.is_rest:
            checked_pitch(note.pitch, note.place)
            phones, slur = note.phones, note.slur
            if not phones and (last is None or last.is_rest):
                bare.append(note.place)
                notes.append(replace(note, pitch=REST, phones=("pau",), slur=False))
                continue
            if not phones:
                before, phones = carried(last.phones, 2, language)
                notes[-1], slur = replace(last, phones=before), True
            if language is not None:
                phones = [language.normal(phone) for phone in phones]
            note = replace(note, phones=tuple(phones), slur=slur, lyric="" if slur else "".join(phones))
        notes.append(note)
    if all(note.is_rest for note in notes):
        raise DataError("the score is empty: it has no notes")
    left_out("notes without phones are left out as rests", bare)
    return replace(score, notes=tuple(joined_rests(notes)))
