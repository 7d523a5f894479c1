"""From the notes of a track or file to a score: bars, seconds, rests, one voice.

What all formats without engraved bars (MIDI and those of singing editors) share. Positions are quarters from
the beginning of bar 1. ``docs/scores.md`` ("Lyrics", "One voice") says what becomes of gaps, overlaps, chords
and notes without lyrics.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import left_out, warn
from nnsvs_lite.score.formats.limits import (
    MAX_QUARTERS,
    checked_count,
    checked_length,
    checked_pitch,
    checked_tempo,
)
from nnsvs_lite.score.formats.rawfile import get_number
from nnsvs_lite.score.lyrics import is_breath, is_continuation, is_next_syllable
from nnsvs_lite.score.timeline import Metre, Timeline
from nnsvs_lite.score.types import REST, Note, Score

DEFAULT_TEMPO = 120.0
UNSPACED = frozenset({"ja", "zh", "yue"})
"""Languages whose words are not spelt syllable by syllable with hyphens."""

SHORT = Fraction(1, 8)
"""Gaps shorter than this, in quarters (a 32nd note), are closed: players shorten notes a little."""

_BEAT_TYPES = frozenset(2**power for power in range(11))


@dataclass(frozen=True)
class Sung:
    """A note as a file has it."""

    start: Fraction  # quarters from the beginning of the score
    beats: Fraction  # length in quarters
    pitch: float  # MIDI number
    lyric: str = ""  # text, a sign for holding on, or empty
    velocity: float = 0.5  # dynamics, 0..1
    place: str = ""  # what else names the note in messages, such as a line of the file

    @property
    def end(self) -> Fraction:
        return self.start + self.beats


def timeline_of(
    tempi: Iterable[tuple[Fraction, Any]] = (),
    signatures: Iterable[tuple[Fraction, int, int]] = (),
    keys: Iterable[tuple[Fraction, int]] = (),
    tempo_unit: float = 1.0,
) -> Timeline:
    """The timeline of a file, in exact positions; all rows may come in any order.

    Args:
        tempi: (position, quarter notes a minute as a number or text); before the first of them its
            tempo holds already. None at all means ``DEFAULT_TEMPO``. Absurd ones are passed over.
        signatures: (position, numerator, denominator) of time signatures; 4/4 before and
            without. One within a bar begins a new bar.
        keys: (position, sharps), flats negative.
        tempo_unit: what tempi are multiplied with.

    Raises DataError where all tempi or a time signature are absurd.
    """
    held = _in_order(_sensible(tempi, tempo_unit)) or [(Fraction(0), DEFAULT_TEMPO)]
    metres = [Metre(Fraction(0), 1, Fraction(4), Fraction(0), 4)]
    for position, numerator, denominator in sorted(signatures, key=lambda row: row[0]):
        if not 1 <= numerator <= 1000 or denominator not in _BEAT_TYPES:
            raise DataError(
                f"{_quarter(position)}: a time signature of {numerator:g}/{denominator:g} cannot be read"
            )
        position = max(Fraction(position), Fraction(0))
        last = metres[-1]
        number = last.number - int((last.at - position) // last.length)
        metre = Metre(position, number, Fraction(4 * numerator, denominator), Fraction(0), denominator)
        metres[-1 if position == last.at else len(metres) :] = [metre]
    sharps = _in_order(keys)
    if not sharps or sharps[0][0] > 0:
        sharps.insert(0, (Fraction(0), 0))
    return Timeline(((Fraction(0), held[0][1]), *held[1:]), tuple(metres), tuple(sharps))


def _sensible(tempi: Iterable[tuple[Fraction, Any]], unit: float) -> list[tuple[Fraction, float]]:
    """The tempi that can be sung; where there is none, the first one's fault is raised."""
    kept: dict[Fraction, float] = {}
    faults: list[DataError] = []
    doubled: list[str] = []
    for position, value in tempi:
        try:
            bpm = get_number(value, f"{_quarter(position)}: a tempo") * unit
            bpm = checked_tempo(bpm, _quarter(position))
        except DataError as fault:
            faults.append(fault)
            continue
        if kept.get(position, bpm) != bpm:
            doubled.append(_quarter(position))
        kept[position] = bpm
    if faults and not kept:
        raise faults[0]
    left_out("tempi are passed over", faults)
    left_out("tempo marks stand where another does; the last one counts", doubled)
    return list(kept.items())


def _in_order(rows: Iterable[tuple[Fraction, Any]]) -> list[tuple[Fraction, Any]]:
    """By position; the last one at a position counts, and what stands before 0 holds from 0 on."""
    changes = {max(Fraction(at), Fraction(0)): value for at, value in sorted(rows, key=lambda row: row[0])}
    return sorted(changes.items(), key=lambda row: row[0])


def _quarter(position: Fraction) -> str:
    return f"quarter {max(float(position), 0.0) + 1:g}"


def tempo_without_marks(tempo: float | None) -> float:
    """The tempo of a score that has none: the one asked for, or ``DEFAULT_TEMPO`` with a warning."""
    if tempo is not None:
        return checked_tempo(tempo, "the tempo asked for")
    warn(f"the score has no tempo to begin with; {DEFAULT_TEMPO:g} quarter notes a minute are taken")
    return DEFAULT_TEMPO


def bar_positions(signatures: Iterable[Sequence[int]]) -> list[tuple[Fraction, int, int]]:
    """Time signatures by (bar from 0, numerator, denominator) as :func:`timeline_of` takes them."""
    placed: list[tuple[Fraction, int, int]] = []
    last, start, length = 0, Fraction(0), Fraction(4)
    for bar, numerator, denominator in sorted(signatures, key=lambda s: s[0]):
        if denominator < 1:
            raise DataError(f"bar {bar + 1}: a time signature of {numerator}/{denominator} cannot be read")
        start += (bar - last) * length
        placed.append((start, numerator, denominator))
        last, length = bar, Fraction(4 * numerator, denominator)
    return placed


class NoLyrics(DataError):
    """There are notes, and no lyrics."""


def assemble(
    notes: Iterable[Sung], timeline: Timeline, *, lang: str, title: str = "", bare: bool = False
) -> Score:
    """A contiguous score of one voice from 0 on; phones are attached later.

    ``bare`` takes notes without any lyrics.

    Raises DataError where there are no notes or no lyrics at all, notes overlap, have no length, begin before
    the score does, or pitch, number or length are beyond :mod:`nnsvs_lite.score.formats.limits`.
    """
    sung = sorted(notes, key=lambda n: (n.start, -n.end, n.pitch))
    checked_count(len(sung))
    if not sung:
        raise DataError("the score is empty: it has no notes")
    sung = [_checked(note, timeline) for note in sung]
    if not bare and not any(note.lyric for note in sung):
        raise NoLyrics(f"notes without lyrics: all {len(sung)}, the first at {_place(sung[0], timeline)}")
    checked_length(timeline.seconds(sung[-1].end))
    result: list[Note] = []
    for row in _with_rests(_one_voice(sung, timeline), timeline):
        start = result[-1].end if result else 0.0
        end = round(timeline.seconds(row.end), 7)
        number, beat, length = timeline.bar(row.start)
        if end <= start:
            raise DataError(f"{_place(row, timeline)}: a note of no length")
        note = Note(
            start,
            end,
            int(row.pitch),
            tempo=timeline.tempo(row.start),
            beats=float(row.beats),
            measure=number,
            beat=float(beat),
            measure_beats=float(length),
            key=timeline.key(row.start),
            velocity=row.velocity,
        )
        result.append(with_lyric(note, row.lyric, result[-1] if result else None, lang))
    return Score(tuple(result), lang, title, timeline.floats())


def with_lyric(note: Note, lyric: str, before: Note | None, lang: str) -> Note:
    """The note with its lyric, as a breath, or as one that carries on the note before it."""
    lyric = unicodedata.normalize("NFC", lyric)
    if note.is_rest:
        return note
    if is_breath(lyric):
        return replace(note, pitch=REST, lyric="br")
    if lyric and not is_continuation(lyric):
        return replace(note, lyric=lyric)
    if before is None or before.is_rest:
        return note
    if is_next_syllable(lyric) and lang not in UNSPACED:
        return replace(note, lyric="+")
    return replace(note, slur=True)


def _place(note: Sung, timeline: Timeline) -> str:
    where = timeline.place(max(note.start, Fraction(0)))
    return f"{where} ({note.place})" if note.place else where


def _checked(note: Sung, timeline: Timeline) -> Sung:
    """The note with a whole pitch; a DataError where it cannot be sung."""
    if note.start < 0:
        raise DataError(f"{note.place or 'a note'}: it begins {float(-note.start):g} quarters before bar 1")
    if note.end > MAX_QUARTERS:
        raise DataError(f"{note.place or 'a note'}: it ends at quarter {float(note.end):g}, too far away")
    if note.beats <= 0:
        raise DataError(f"{_place(note, timeline)}: a note of no length")
    return replace(note, pitch=checked_pitch(note.pitch, _place(note, timeline)))


def _one_voice(notes: Sequence[Sung], timeline: Timeline) -> list[Sung]:
    """Notes without overlaps, small gaps closed."""
    voice: list[Sung] = []
    chords: list[str] = []
    cut: list[str] = []
    for note in notes:
        last = voice[-1] if voice else None
        gap = note.start - last.end if last is not None else SHORT
        if gap < 0 and _is_chord(last, note):
            lyric = last.lyric or note.lyric
            voice[-1] = replace(last, pitch=max(last.pitch, note.pitch), lyric=lyric)
            chords.append(_place(note, timeline))
            continue
        if gap < 0 and (-gap > max(SHORT, last.beats / 2) or last.beats + gap < SHORT / 4):
            raise DataError(
                f"{_place(note, timeline)}: notes overlap: pitch {last.pitch:g} {last.lyric!r} lasts until "
                f"{timeline.place(last.end)}; one voice is needed: choose another part or move the notes"
            )
        if gap < 0:
            cut.append(_place(note, timeline))
        if gap < SHORT:
            voice[-1] = replace(last, beats=note.start - last.start)
        voice.append(note)
    left_out("chords are sung on their highest note", chords)
    left_out("notes that ran into the next were shortened", cut)
    return voice


def _is_chord(last: Sung, note: Sung) -> bool:
    """Whether two notes sound together all along and one of them sings for both."""
    together = max(abs(note.start - last.start), abs(note.end - last.end)) < SHORT / 4
    return together and (not note.lyric or not last.lyric or note.lyric == last.lyric)


def _with_rests(notes: Iterable[Sung], timeline: Timeline) -> list[Sung]:
    """The notes with rests before them, between them, and after them up to the barline."""
    rows: list[Sung] = []
    position = Fraction(0)
    for note in notes:
        if note.start > position:
            rows.append(Sung(position, note.start - position, REST))
        rows.append(note)
        position = note.end
    _, beat, length = timeline.bar(position)
    if beat > 0:
        rows.append(Sung(position, length - beat, REST))
    return rows


def choose_part(part: int | str | None, names: Sequence[str], lyrics: Sequence[int]) -> int:
    """Index of the part asked for by number from 1 or name; else the first with a quarter of the most lyrics.

    ``names`` are those of the parts with notes, ``lyrics`` how many lyrics each of them has.
    Raises DataError where there is no such part; names those there are.
    """
    if not names:
        raise DataError("the score is empty: it has no notes")
    if part is None:
        # An ossia or a few words of a choir are not the song.
        return next(i for i, count in enumerate(lyrics) if 4 * count >= max(lyrics))
    text = str(part).strip()
    if text.isdecimal() and 1 <= int(text[:9]) <= len(names):
        return int(text[:9]) - 1
    if text in names and not isinstance(part, int):
        return names.index(text)
    known = ", ".join(f"{i} {name}".strip() for i, name in enumerate(names[:20], 1))
    raise DataError(f"no part {text!r}{nearest(text, names)}; there are: {known}")
