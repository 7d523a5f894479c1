"""From the notes of a track or file to a score: bars, seconds, rests, one voice.

What all formats without engraved bars (MIDI and those of singing editors) share:

- Positions are quarters from the beginning of bar 1. What stands before the first
  note, between notes and after the last one up to the barline are rests.
- A gap shorter than a 32nd note is closed: the note before it is held on. Players and
  editors shorten notes by a little; nobody pauses for so long.
- A note that runs into the next by less than a 32nd note, and by less than half of
  its own length, ends where the next one starts. Notes that start and end together
  are a chord, sung on its highest note, unless they have different lyrics. Both are
  counted in a warning. Other overlaps are refused, since it cannot be known which voice
  is meant.
- A note without lyric, or with a sign such as ``-``, carries on the syllable before
  it and has ``slur`` set; after a rest it stays without (as in MusicXML).
- A lyric ``br`` makes its note a breath.
"""

import dataclasses
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.formats.limits import checked_count, checked_length, checked_pitch, checked_tempo
from nnsvs_lite.score.languages import Language
from nnsvs_lite.score.phonemize import is_breath, is_continuation
from nnsvs_lite.score.timeline import Metre, Timeline
from nnsvs_lite.score.types import REST, Note, Score

log = logging.getLogger(__name__)

DEFAULT_TEMPO = 120.0
UNSPACED = frozenset({"ja", "zh", "yue"})
"""Languages whose words are not spelt syllable by syllable with hyphens."""

SHORT = Fraction(1, 8)
"""Gaps and overlaps shorter than this, in quarters (a 32nd note), are put right."""

NEXT_SYLLABLE = "+"
"""Lyric of a note that sings the next syllable of the word before it; left on its note in
languages that space words, where :mod:`nnsvs_lite.score.phonemize` minds it."""

MAX_QUARTERS = 1_000_000
_BEAT_TYPES = frozenset(2**power for power in range(11))


@dataclass(frozen=True)
class Sung:
    """A note as a file has it.

    Attributes:
        start: quarters from the beginning of the score.
        beats: length in quarters.
        pitch: MIDI number.
        lyric: text, a sign for holding on, or empty.
        velocity: dynamics, 0..1.
        place: what else names the note in messages, such as a line of the file.
    """

    start: Fraction
    beats: Fraction
    pitch: float
    lyric: str = ""
    velocity: float = 0.5
    place: str = ""

    @property
    def end(self) -> Fraction:
        return self.start + self.beats


def timeline_of(
    tempi: Iterable[tuple[Fraction, float]] = (),
    signatures: Iterable[tuple[Fraction, int, int]] = (),
    keys: Iterable[tuple[Fraction, int]] = (),
) -> Timeline:
    """The timeline of a file, in exact positions.

    Args:
        tempi: (position, quarter notes a minute) in any order; before the first of
            them its tempo holds already. None at all means ``DEFAULT_TEMPO``.
        signatures: (position, numerator, denominator) of time signatures; 4/4 before and
            without. One within a bar begins a new bar.
        keys: (position, sharps), flats negative.

    Raises:
        DataError: where a tempo or a time signature is absurd.
    """
    held = _in_order(tempi) or [(Fraction(0), DEFAULT_TEMPO)]
    for position, bpm in held:
        checked_tempo(bpm, _quarter(position))
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


def _in_order(rows: Iterable[tuple[Fraction, Any]]) -> list[tuple[Fraction, Any]]:
    """By position; the last one at a position counts, and what stands before 0 holds from 0 on."""
    changes = {max(Fraction(at), Fraction(0)): value for at, value in sorted(rows, key=lambda row: row[0])}
    return sorted(changes.items(), key=lambda row: row[0])


def _quarter(position: Fraction) -> str:
    return f"quarter {float(position) + 1:g}"


def tempo_without_marks(tempo: float | None) -> float:
    """The tempo of a score that has none: the one asked for, or ``DEFAULT_TEMPO`` with a warning."""
    if tempo is not None:
        return checked_tempo(tempo, "the tempo asked for")
    log.warning("the score has no tempo; %g quarter notes a minute are taken", DEFAULT_TEMPO)
    return DEFAULT_TEMPO


def bar_positions(signatures: Iterable[tuple[int, int, int]]) -> list[tuple[Fraction, int, int]]:
    """Time signatures by (bar from 0, numerator, denominator) as :func:`timeline_of` takes them."""
    placed: list[tuple[Fraction, int, int]] = []
    last = 0
    for bar, numerator, denominator in sorted(signatures, key=lambda s: s[0]):
        if denominator < 1:
            raise DataError(f"bar {bar + 1}: a time signature of {numerator}/{denominator} cannot be read")
        length = Fraction(4 * placed[-1][1], placed[-1][2]) if placed else Fraction(4)
        start = (placed[-1][0] if placed else Fraction(0)) + (bar - last) * length
        placed.append((start, numerator, denominator))
        last = bar
    return placed


def assemble(notes: Iterable[Sung], timeline: Timeline, *, lang: str, title: str = "") -> Score:
    """A contiguous score of one voice from 0 on; phones are attached later.

    Raises:
        DataError: where there are no notes or no lyrics at all, notes overlap, have no
            length, begin before the score does, or pitch, number or length are beyond
            :mod:`nnsvs_lite.score.formats.limits`.
    """
    sung = sorted(notes, key=lambda n: (n.start, -n.end, n.pitch))
    checked_count(len(sung))
    if not sung:
        raise DataError("the score is empty: it has no notes")
    for note in sung:
        _check(note, timeline)
    if not any(note.lyric for note in sung):
        raise DataError(f"notes without lyrics: all {len(sung)}, the first at {_place(sung[0], timeline)}")
    checked_length(timeline.seconds(sung[-1].end))
    sung = _one_voice(sung, timeline)
    rows = _with_rests(sung, timeline)
    times = [round(timeline.seconds(row.start), 7) for row in rows]
    times.append(round(timeline.seconds(rows[-1].end), 7))
    result: list[Note] = []
    for row, start, end in zip(rows, times, times[1:]):
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
        return dataclasses.replace(note, pitch=REST, lyric="br")
    carries = not lyric or is_continuation(lyric)
    if not carries:
        return dataclasses.replace(note, lyric=lyric)
    if before is None or before.is_rest:
        return note
    if lyric == NEXT_SYLLABLE and lang not in UNSPACED:
        return dataclasses.replace(note, lyric=lyric)
    return dataclasses.replace(note, slur=True)


def carried(phones: Sequence[str], language: Language | None) -> tuple[list[str], list[str]]:
    """Phones of a syllable shared by a note and one that carries it on: ``k i cl`` becomes
    ``k i`` and ``i cl``. Without a language the last phone is held."""
    held = [i for i, phone in enumerate(phones) if language is not None and phone in language.vowels]
    at = held[-1] if held else len(phones) - 1
    return list(phones[: at + 1]), list(phones[at:])


def _place(note: Sung, timeline: Timeline) -> str:
    where = timeline.place(max(note.start, Fraction(0)))
    return f"{where} ({note.place})" if note.place else where


def _check(note: Sung, timeline: Timeline) -> None:
    if note.start < 0:
        raise DataError(f"{note.place or 'a note'}: it begins {float(-note.start):g} quarters before bar 1")
    if note.end > MAX_QUARTERS:
        raise DataError(f"{note.place or 'a note'}: it ends at quarter {float(note.end):g}, too far away")
    if note.beats <= 0:
        raise DataError(f"{_place(note, timeline)}: a note of no length")
    checked_pitch(note.pitch, _place(note, timeline))


def _one_voice(notes: Sequence[Sung], timeline: Timeline) -> list[Sung]:
    """Notes without overlaps, of whole pitches, small gaps closed."""
    voice: list[Sung] = []
    chords = cut = 0
    for note in notes:
        note = dataclasses.replace(note, pitch=checked_pitch(note.pitch, ""))
        last = voice[-1] if voice else None
        if last is None or note.start >= last.end:
            if last is not None and note.start - last.end < SHORT:
                voice[-1] = dataclasses.replace(last, beats=note.start - last.start)
            voice.append(note)
        elif _is_chord(last, note):
            lyric = last.lyric or note.lyric
            voice[-1] = dataclasses.replace(last, pitch=max(last.pitch, note.pitch), lyric=lyric)
            chords += 1
        elif last.end - note.start < min(SHORT, last.beats / 2):
            voice[-1] = dataclasses.replace(last, beats=note.start - last.start)
            voice.append(note)
            cut += 1
        else:
            raise DataError(
                f"{_place(note, timeline)}: notes overlap: pitch {last.pitch:g} {last.lyric!r} lasts until "
                f"{timeline.place(last.end)}; one voice is needed: choose another part or move the notes"
            )
    if chords:
        log.warning("%d chords are sung on their highest note", chords)
    if cut:
        log.warning("%d notes that ran into the next were shortened", cut)
    return voice


def _is_chord(last: Sung, note: Sung) -> bool:
    """Whether two notes sound together all along and one of them sings for both."""
    together = max(abs(note.start - last.start), abs(note.end - last.end)) < SHORT / 4
    return together and (not note.lyric or not last.lyric or note.lyric == last.lyric)


def _with_rests(notes: Sequence[Sung], timeline: Timeline) -> list[Sung]:
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
    """Index of the part asked for by number from 1 or by name; the first with lyrics if none is.

    Args:
        part: what was asked for.
        names: names of the parts with notes.
        lyrics: how many lyrics each of them has.

    Raises:
        DataError: where there is no such part; names those there are.
    """
    if not names:
        raise DataError("the score is empty: it has no notes")
    if part is None:
        return next((i for i, count in enumerate(lyrics) if count), 0)
    text = str(part).strip()
    if text.isdecimal() and 1 <= int(text[:9]) <= len(names):
        return int(text[:9]) - 1
    if text in names:
        return names.index(text)
    known = ", ".join(f"{i} {name}".strip() for i, name in enumerate(names[:20], 1))
    raise DataError(f"no part {text!r}{nearest(text, names)}; there are: {known}")
