"""Which notes of a part are sung: tempo, dynamics and bars of its measures, and the voice of each verse."""

import bisect
import math
import operator
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

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
        names = list(dict.fromkeys(note.voice for note in measure.notes if note.pitch != REST))
        if self.forced is not None and len(names) > 1:
            names = [name for name in names if name == self.forced]
        notes = [n for n in measure.notes if n.voice in names and n.pitch != REST]
        given = set[int]().union(*(note.lyrics for note in notes))
        wanted = set([verse for verse in verses if verse in given][:1]) or given
        singing = {note.voice for note in notes if wanted & note.lyrics.keys()} or set(names)
        lead = max(names, key=lambda name: (name in singing, self.weight[name]), default="")
        kept = _Row()
        beside = [note for note in notes if not wanted & note.lyrics.keys()]
        worded = [note for note in notes if wanted & note.lyrics.keys()]
        for note in sorted(worded, key=lambda note: note.voice != lead):
            kept.add(note)
        for note in sorted(beside, key=lambda note: note.voice != lead):
            if note.voice == lead or (note.voice in singing and kept.ends.get(note.offset) == note.voice):
                kept.add(note)
        for name in names:
            row = [note for note in beside if note.voice == name and name not in singing]
            if any(note.lyrics.keys() & set(verses) for note in row) and all(map(kept.fits, row)):
                for note in row:
                    kept.add(note)
        for note in measure.notes:
            # A rest counts where words stand on it.
            if note.pitch == REST and note.lyrics:
                kept.add(note)
        for note in [*worded, *(note for note in beside if not note.lyrics)]:
            self.places[id(note)] = measure.place(note.offset)
        self.sung |= {id(note): note for note in kept.notes}
        return [_checked(note, measure) for note in kept.notes]

    def tell(self) -> None:
        """Warns of what was not sung in any verse that was chosen."""
        sung = [(self.sung[key], place) for key, place in self.places.items() if key in self.sung]
        left_out("chords are sung on their highest note", [place for note, place in sung if note.chord])
        between = [place for note, place in sung if note.pitch % 1]
        left_out(
            "pitches between two semitones are sung on the nearer one, quarter tones on the upper", between
        )
        silent = [place for key, place in self.places.items() if key not in self.sung]
        left_out("notes that sound together with those of the voice sung are left out", silent)


class _Row:
    """Notes in order of time, none during another."""

    def __init__(self) -> None:
        self.notes: list[WrittenNote] = []
        self.ends: dict[Fraction, str] = {}

    def fits(self, note: WrittenNote) -> bool:
        i = bisect.bisect_right(self.notes, note.offset, key=_offset)
        before = self.notes[i - 1] if i else None
        free = before is None or (before.end <= note.offset and before.offset < note.offset)
        return free and (i == len(self.notes) or note.end <= self.notes[i].offset)

    def add(self, note: WrittenNote) -> None:
        """Adds a note where there is room for it."""
        if self.fits(note):
            bisect.insort_right(self.notes, note, key=_offset)
            self.ends[note.end] = note.voice


_offset = operator.attrgetter("offset")


def _checked(note: WrittenNote, measure: WrittenMeasure) -> WrittenNote:
    place = measure.place(note.offset)
    if note.pitch == REST:
        return note
    if math.isnan(note.pitch):
        raise DataError(f"{place}: a note without pitch cannot be sung")
    if note.beats <= 0:
        raise DataError(f"{place}: a note of no length")
    return replace(note, pitch=checked_pitch(note.pitch, place))
