"""Which notes of a part are sung: tempo, dynamics and bars of its measures, and the voice of each verse."""

import bisect
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.formats.assemble import tempo_without_marks
from nnsvs_lite.score.formats.limits import checked_pitch
from nnsvs_lite.score.formats.musicxml_written import UNMARKED, WrittenMeasure, WrittenNote, WrittenPart
from nnsvs_lite.score.types import REST


def sung_measures(
    parts: Sequence[WrittenPart], part: WrittenPart, staff: int, tempo: float | None
) -> list[WrittenMeasure]:
    """All measures of a part with the lengths, marks and tempi that every part gives them.

    ``staff`` is one of the part's staves or 0 for all; ``tempo`` is taken where the score has none.
    """
    rows = [[p.measures[i] for p in parts if i < len(p.measures)] for i in range(len(part.measures))]
    # Of marks at one place the last counts, what is played before what is only printed.
    tempi = [
        sorted([t for m in row for t in m.printed] + [t for m in row for t in m.tempi], key=lambda t: t[0])
        for row in rows
    ]
    doubled = [
        measure.place(a[0])
        for measure, marks in zip(part.measures, tempi)
        for a, b in zip(marks, marks[1:])
        if a[0] == b[0] and a[1] != b[1]
    ]
    left_out("tempo marks stand where another does; the last one counts", doubled)
    left_out("tempi that nobody can sing are passed over", [place for p in parts for place in p.absurd])
    # The mark after an upbeat holds from the beginning.
    first = next((dict(marks)[marks[0][0]] for marks in tempi[:2] if marks), None)
    current = tempo_without_marks(tempo) if first is None else first
    before, velocity = None, UNMARKED
    for measure, row, marks in zip(part.measures, rows, tempi):
        if staff:
            measure.notes = [note for note in measure.notes if note.staff in (0, staff)]
        measure.marks = [mark for m in row for mark in m.marks]
        measure.tempi = sorted(({Fraction(0): current} | dict(marks)).items())
        current = measure.tempi[-1][1]
        measure.length = max(m.length for m in row) or measure.bar
        missing = measure.bar - measure.length
        # A short measure is a pick-up, or the rest of a split bar.
        if missing > 0 and before in (None, missing):
            measure.pickup = missing
        before = measure.length
        dynamics = sorted((at, loud) for at, where, loud in measure.dynamics if where in (0, staff or where))
        for note in measure.notes:
            held = bisect.bisect_right(dynamics, note.offset, key=lambda mark: mark[0])
            note.velocity = dynamics[held - 1][1] if held else velocity
        velocity = dynamics[-1][1] if dynamics else velocity
    return part.measures


def part_of(measure: WrittenMeasure, start: Fraction, end: Fraction) -> WrittenMeasure:
    """What lies between two offsets of a measure; a note from before goes on as if it were tied."""
    if start == 0 and end == measure.length:
        return measure
    notes = []
    for note in measure.notes:
        if (note.offset < end or end == measure.length) and (note.end > start or note.offset >= start):
            begins = note.offset >= start
            first = max(note.offset, start)
            notes.append(
                replace(
                    note,
                    offset=first - start,
                    beats=min(note.end, end) - first,
                    tied=note.tied or not begins,
                    lyrics=note.lyrics if begins else {},
                )
            )
    held = [(Fraction(0), tempo) for at, tempo in measure.tempi if at <= start][-1:]
    tempi = held + [(at - start, tempo) for at, tempo in measure.tempi if start < at < end]
    return replace(measure, length=end - start, pickup=measure.pickup + start, notes=notes, tempi=tempi)


class Voices:
    """Chooses one voice where several sound together, and keeps count of what is not sung.

    Args:
        measures: of the part. voice: the one to sing; None for the one that has the lyrics.

    Raises DataError where no note is of the voice asked for.
    """

    def __init__(self, measures: Sequence[WrittenMeasure], voice: str | None):
        self.forced = voice
        rows = [[note for note in measure.notes if note.pitch != REST] for measure in measures]
        names = {note.voice for row in rows for note in row}
        if voice is not None and voice not in names:
            raise DataError(f"no voice {voice!r}; there are: {', '.join(sorted(names))}")
        split = [note for row in rows if len({note.voice for note in row}) > 1 for note in row]
        # Small notes are another reading of the large ones beside them.
        self.weight = Counter(note.voice for note in split if note.lyrics and not note.small)
        self.places: dict[int, str] = {}
        self.sung: dict[int, WrittenNote] = {}

    def choose(self, measure: WrittenMeasure, verses: Sequence[int]) -> list[WrittenNote]:
        """Notes of a measure in order, gaps for rests; ``verses`` begin with the wanted one.

        What has its words is sung, then what the same voice sings beside them, then voices that take turns.

        Raises DataError where a note has no pitch or no length.
        """
        events = _events(measure.notes)
        names = list(dict.fromkeys(event.voice for event in events if event.pitched))
        if self.forced is not None and len(names) > 1:
            names = [name for name in names if name == self.forced]
            events = [event for event in events if event.voice in names]
        given = set[int]().union(*(event.verses for event in events if event.pitched))
        wanted = set([verse for verse in verses if verse in given][:1]) or given
        singing = [event.voice for event in events if event.pitched and event.verses & wanted] or names
        lead = max(singing, key=self.weight.__getitem__, default="")
        kept = _Row()
        worded = [event for event in events if event.verses & wanted or not event.pitched]
        for event in sorted(worded, key=lambda event: event.voice != lead):
            kept.add(event)
        beside = [event for event in events if event.pitched and not event.verses & wanted]
        for event in beside:
            if event.voice == lead:
                kept.add(event)
        for name in names:
            row = [event for event in beside if event.voice == name != lead]
            if name in singing:
                for event in row:
                    if kept.ends.get(event.start) == name:
                        kept.add(event)
            elif any(event.verses & set(verses) for event in row) and all(map(kept.fits, row)):
                for event in row:
                    kept.add(event)
        for event in events:
            if event.pitched and (not event.verses or event.verses & wanted):
                self.places[id(event.note)] = measure.place(event.start)
        self.sung |= {id(event.note): event.note for event in kept.events}
        return [_checked(note, measure) for event in kept.events for note in event.notes]

    def tell(self) -> None:
        """Warns of what was not sung in any verse that was chosen."""
        chords = [place for key, place in self.places.items() if key in self.sung and self.sung[key].chord]
        left_out("chords are sung on their highest note", chords)
        silent = [place for key, place in self.places.items() if key not in self.sung]
        left_out("notes that sound together with those of the voice sung are left out", silent)


class _Event(NamedTuple):
    """A note or rest with the grace notes that belong to it, in ``notes``."""

    note: WrittenNote
    notes: list[WrittenNote]

    @property
    def start(self) -> Fraction:
        return self.note.offset

    @property
    def voice(self) -> str:
        return self.note.voice

    @property
    def pitched(self) -> bool:
        return self.note.pitch != REST

    @property
    def verses(self) -> set[int]:
        return set().union(*(note.lyrics for note in self.notes))


def _events(notes: Sequence[WrittenNote]) -> list[_Event]:
    """Notes, and rests that carry words; grace notes that lead to nothing go with the note before them."""
    events: list[_Event] = []
    waiting: dict[str, list[WrittenNote]] = {}
    last: dict[str, _Event] = {}
    for note in notes:
        if note.grace and note.pitch != REST:
            waiting.setdefault(note.voice, []).append(note)
        elif note.pitch != REST:
            last[note.voice] = _Event(note, [*waiting.pop(note.voice, []), note])
            events.append(last[note.voice])
        elif note.lyrics and not note.grace:
            events.append(_Event(note, [note]))
    for voice, graces in waiting.items():
        if voice in last:
            last[voice].notes.extend(graces)
    return events


class _Row:
    """Events in order of time, none during another."""

    def __init__(self) -> None:
        self.events: list[_Event] = []
        self.ends: dict[Fraction, str] = {}
        self._starts: list[Fraction] = []

    def fits(self, event: _Event) -> bool:
        i = bisect.bisect_right(self._starts, event.start)
        before = self.events[i - 1].note if i else None
        free = before is None or (before.end <= event.start and before.offset < event.start)
        return free and (i == len(self._starts) or event.note.end <= self._starts[i])

    def add(self, event: _Event) -> None:
        """Adds an event where there is room for it."""
        if self.fits(event):
            i = bisect.bisect_right(self._starts, event.start)
            self._starts.insert(i, event.start)
            self.events.insert(i, event)
            self.ends[event.note.end] = event.voice


def _checked(note: WrittenNote, measure: WrittenMeasure) -> WrittenNote:
    place = measure.place(note.offset)
    if note.pitch == REST:
        return note
    if math.isnan(note.pitch):
        raise DataError(f"{place}: a note without pitch cannot be sung")
    if note.beats <= 0 and not note.grace:
        raise DataError(f"{place}: a note of no length")
    return replace(note, pitch=checked_pitch(note.pitch, place))
