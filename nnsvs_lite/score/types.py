"""The score as the toolkit sees it: a single voice of notes and rests without gaps."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.timeline import Timeline

if TYPE_CHECKING:
    from nnsvs_lite.score.drawn import Drawn

REST = 0
"""The pitch of a rest."""

_MOST = 1e6
"""Of any number in a score, such as seconds."""


class Phone(NamedTuple):
    """One phone of a performance.

    Attributes:
        symbol: the phone's name in its language's set.
        start: seconds from the beginning of the utterance.
        end: seconds.
        note: index of the note it belongs to.
    """

    symbol: str
    start: float
    end: float
    note: int


@dataclass(frozen=True)
class Note:
    """One note or rest; times are score time.

    Attributes:
        start: seconds from the beginning of the utterance.
        end: seconds, the next note's start.
        pitch: MIDI number (69 = A4 = 440 Hz); 0 for a rest.
        lyric: the text sung; empty on a rest, and on a note that carries on the
            syllable before it (see ``slur``).
        phones: phones of this note, in order; ``("pau",)`` or ``("br",)`` on a rest.
            Empty until the language front end has run.
        slur: whether this note carries on the syllable of the note before (melisma).
        tempo: quarter notes a minute at the note's start.
        beats: length in quarter notes.
        measure: measure number as printed.
        beat: position in its measure, in quarter notes from 0.
        measure_beats: length of its measure in quarter notes.
        key: key signature as a count of sharps, flats negative (-7..7).
        velocity: dynamics, 0..1 (mf = 0.5 or so; music21's scale).
        breath: whether a breath mark follows the note.
        tone: lexical tone of its syllable, a number in the language's ``tones`` from 1;
            0 for none, and in languages without tones.
    """

    start: float
    end: float
    pitch: int
    lyric: str = ""
    phones: tuple[str, ...] = ()
    slur: bool = False
    tempo: float = 100.0
    beats: float = 1.0
    measure: int = 1
    beat: float = 0.0
    measure_beats: float = 4.0
    key: int = 0
    velocity: float = 0.5
    breath: bool = False
    tone: int = 0

    @property
    def is_rest(self) -> bool:
        return self.pitch == REST

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    @property
    def place(self) -> str:
        """Where the note stands, for messages: ``measure 3, beat 2.5``, beats from 1."""
        return f"measure {self.measure}, beat {self.beat + 1:g}"


def joined_rests(notes: Iterable[Note]) -> Iterator[Note]:
    """The notes, neighbouring rests without a lyric as one."""
    last: Note | None = None
    for note in notes:
        if last is not None and last.is_rest and note.is_rest and not last.lyric and not note.lyric:
            last = dataclasses.replace(last, end=note.end, beats=last.beats + note.beats)
            continue
        if last is not None:
            yield last
        last = note
    if last is not None:
        yield last


_DEFAULTS = {f.name: f.default for f in dataclasses.fields(Note)}


@dataclass(frozen=True)
class Score:
    """A melody with lyrics: notes and rests in order, contiguous in time.

    Attributes:
        notes: at least one note.
        lang: language code of the lyrics, such as ``ja``.
        title: for people.
        timeline: tempo, metre and key; None where nothing but the notes is known, as in
            corpora of labels alone.
        drawn: pitch and other curves that the score's file has; a data dir and a part of a score keep none.
    """

    notes: tuple[Note, ...]
    lang: str = "ja"
    title: str = field(default="", compare=False)
    timeline: Timeline | None = None
    drawn: Drawn | None = field(default=None, compare=False)

    @property
    def duration(self) -> float:
        """Seconds from 0 to the last note's end."""
        return self.notes[-1].end if self.notes else 0.0

    @property
    def phones(self) -> list[str]:
        """All phones in order."""
        return [phone for note in self.notes for phone in note.phones]

    @property
    def note_index(self) -> list[int]:
        """For each phone the index of its note."""
        return [i for i, note in enumerate(self.notes) for _ in note.phones]

    @property
    def lyrics(self) -> str:
        """The sung text, a space between notes."""
        return " ".join(note.lyric for note in self.notes if note.lyric)

    def slice(self, first: int, last: int, offset: float | None = None) -> Score:
        """Notes ``first`` to ``last`` (exclusive) moved so that ``offset`` becomes 0.

        ``offset`` in seconds; the first note's start if not given. The timeline moves along.
        """
        notes = self.notes[first:last]
        if offset is None:
            offset = notes[0].start
        moved = tuple(
            dataclasses.replace(n, start=round(n.start - offset, 7), end=round(n.end - offset, 7))
            for n in notes
        )
        timeline = self.timeline
        if timeline is not None and moved:
            timeline = timeline.moved(-offset).until(moved[-1].end)
        return dataclasses.replace(self, notes=moved, timeline=timeline, drawn=None)

    def to_json(self) -> str:
        """One line of JSON, as in a data dir's ``score`` table."""
        notes = []
        for note in self.notes:
            row = {k: v for k, v in vars(note).items() if v != _DEFAULTS[k]}
            row["start"], row["end"] = round(note.start, 7), round(note.end, 7)
            notes.append(row)
        value: dict[str, Any] = {"lang": self.lang, "notes": notes}
        if self.title:
            value["title"] = self.title
        if self.timeline is not None:
            value["timeline"] = self.timeline.to_rows()
        return json.dumps(value, ensure_ascii=False)

    @staticmethod
    def from_json(line: str, where: str = "score") -> Score:
        """Reads what :meth:`to_json` wrote.

        Raises DataError where it is not JSON, a note lacks a field, or a field is unknown, of the wrong kind
        or absurd, or the timeline is not in order.
        """
        try:
            value = json.loads(line)
            notes = tuple(_note_from_row(row, number) for number, row in enumerate(value["notes"], start=1))
            rows = value.get("timeline")
            timeline = None if rows is None else Timeline.from_rows(rows, "the timeline")
            return Score(notes, str(value.get("lang", "ja")), str(value.get("title", "")), timeline)
        except DataError as error:
            raise DataError(error.what, where) from None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise DataError(f"not a score in JSON: {error!r}", where) from None


def _note_from_row(row: dict[str, Any], number: int) -> Note:
    values: dict[str, Any] = {}
    for name, value in row.items():
        default = _DEFAULTS[name]
        if name in ("pitch", "measure", "key", "tone"):
            if int(value) != value:
                raise ValueError(f"{name} must be a whole number, not {value!r}")
            values[name] = int(value)
        elif name == "phones":
            values[name] = tuple(str(p) for p in value)
        elif isinstance(default, (bool, str)):
            if not isinstance(value, type(default)):
                raise ValueError(f"{name} must be {type(default).__name__}, not {value!r}")
            values[name] = value
        else:
            values[name] = float(value)
        if isinstance(values[name], (int, float)) and not abs(values[name]) <= _MOST:
            what = "too large" if math.isfinite(values[name]) else "not finite"
            raise DataError(f"note {number}: {name} is {what}")
    if not 0 <= values.get("pitch", 0) <= 127:
        raise DataError(f"note {number} has pitch {values['pitch']}, 0 to 127 is needed")
    return Note(**values)
