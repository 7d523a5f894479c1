"""Where the beats of a score lie: tempo, metre and key by position, and the times of positions.

A position is a number of quarter notes from the score's beginning. Readers count in exact
fractions; what a :class:`~nnsvs_lite.score.types.Score` keeps are floats.
"""

from __future__ import annotations

import bisect
import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from nnsvs_lite.io.errors import DataError

NEAR = 1e-4
"""Quarters; positions closer than this are the same."""

Position = float | Fraction

_NAMES = ("tempi", "bars", "keys")
_MAX_ROWS = 200_000


class Metre(NamedTuple):
    """A time signature, and the bar that is counted on from where it begins to hold.

    Attributes:
        at: position.
        number: of the bar there.
        length: quarters of that bar and those that follow.
        into: quarters from that bar's beginning to ``at``; not 0 at a pick-up.
        beat_type: the signature's lower number.
    """

    at: Position
    number: int = 1
    length: Position = 4.0
    into: Position = 0.0
    beat_type: int = 4

    @property
    def signature(self) -> tuple[int, int]:
        """The time signature's numbers, such as (6, 8)."""
        exact = Fraction(self.length).limit_denominator(256) / 4
        lower = max(self.beat_type, exact.denominator)
        if lower % exact.denominator or lower & (lower - 1):
            return max(1, round(self.length)), 4
        return int(exact * lower), lower


@dataclass(frozen=True)
class Timeline:
    """Tempo, metre and key of a score.

    Attributes:
        tempi: (position, quarter notes a minute) in order, the first at 0.
        metres: in order, the first at 0; another wherever counting on would be wrong.
        keys: (position, sharps; flats negative) in order, the first at 0.
    """

    tempi: tuple[tuple[Position, float], ...] = ((0.0, 120.0),)
    metres: tuple[Metre, ...] = (Metre(0.0),)
    keys: tuple[tuple[Position, int], ...] = ((0.0, 0),)

    @cached_property
    def _times(self) -> list[float]:
        """Seconds at which each tempo begins."""
        times = [0.0]
        for (a, bpm), (b, _) in zip(self.tempi, self.tempi[1:]):
            times.append(times[-1] + float(b - a) * 60 / bpm)
        return times

    def seconds(self, at: Position) -> float:
        """Time of a position from the beginning."""
        i = max(bisect.bisect_right(self.tempi, at, key=_start) - 1, 0)
        start, bpm = self.tempi[i]
        return self._times[i] + float(at - start) * 60 / bpm

    def position(self, seconds: float) -> float:
        """The position at a time; before 0 the first tempo holds."""
        i = max(bisect.bisect_right(self._times, seconds) - 1, 0)
        start, bpm = self.tempi[i]
        return float(start) + (seconds - self._times[i]) * bpm / 60

    def tempo(self, at: Position) -> float:
        """Quarter notes a minute at a position."""
        return self.tempi[_last(self.tempi, at)][1]

    def key(self, at: Position) -> int:
        """Sharps at a position, flats negative."""
        return self.keys[_last(self.keys, at)][1]

    def metre(self, at: Position) -> Metre:
        """The metre in force at a position."""
        return self.metres[_last(self.metres, at)]

    def bar(self, at: Position) -> tuple[int, Position, Position]:
        """Bar number, quarters from the bar's beginning, and the bar's length in quarters."""
        metre = self.metre(at)
        beat = max(metre.into, at - metre.at + metre.into)
        passed = math.floor((beat + NEAR) / metre.length)
        return metre.number + passed, max(0, beat - passed * metre.length), metre.length

    def place(self, at: Position) -> str:
        """Where a position stands, for messages: ``measure 3, beat 2.5``, beats from 1."""
        number, beat, _ = self.bar(at)
        return f"measure {number}, beat {float(beat) + 1:g}"

    def bar_lines(self, end: Position) -> list[Position]:
        """Positions before ``end`` where a bar begins, 0 among them even within a bar."""
        lines: list[Position] = []
        for metre, after in zip(self.metres, [*(m.at for m in self.metres[1:]), end]):
            line = metre.at
            while line < min(after, end) - NEAR:
                lines.append(line)
                line += metre.length - (metre.into if line == metre.at else 0)
        return lines

    def floats(self) -> Timeline:
        """The same with floats for fractions."""
        metres = (m._replace(at=float(m.at), length=float(m.length), into=float(m.into)) for m in self.metres)
        tempi = tuple((float(at), float(bpm)) for at, bpm in self.tempi)
        return Timeline(tempi, tuple(metres), tuple((float(at), key) for at, key in self.keys))

    def faster(self, factor: float) -> Timeline:
        """With every tempo times a factor."""
        return replace(self, tempi=tuple((at, bpm * factor) for at, bpm in self.tempi))

    def moved(self, offset: float, stretch: float = 1.0) -> Timeline:
        """With what was at time ``t`` at ``offset + stretch * t`` seconds; what falls before 0 is cut off.

        A gap at the beginning takes the first tempo; bars are counted backwards into it.
        """
        slower = self if stretch == 1.0 else self.faster(1 / stretch)
        start = slower.position(-offset)
        if start < 0:
            first = slower.metres[0]
            bars = max(math.ceil((-start - first.into - NEAR) / first.length), 0)
            into = max(first.into + start + bars * first.length, 0.0)
            head = Metre(start, first.number - bars, first.length, into, first.beat_type)
        else:
            held = slower.metre(start)
            number, beat, _ = slower.bar(start)
            head = held._replace(at=start, number=number, into=round(float(beat), 6))
        return Timeline(
            _shifted(slower.tempi, start, (start, slower.tempo(start))),
            _shifted(slower.metres, start, head),
            _shifted(slower.keys, start, (start, slower.key(start))),
        )

    def until(self, seconds: float) -> Timeline:
        """Without what begins at or after a time."""
        end = self.position(seconds) - NEAR
        tempi, metres, keys = (
            rows[:1] + tuple(row for row in rows[1:] if row[0] < end)
            for rows in (self.tempi, self.metres, self.keys)
        )
        return Timeline(tempi, metres, keys)

    def to_rows(self) -> dict[str, list[list[float]]]:
        """Lists for JSON: ``tempi``, ``bars`` (the metres) and ``keys``."""
        return {name: [list(row) for row in rows] for name, rows in zip(_NAMES, vars(self.floats()).values())}

    @staticmethod
    def from_rows(
        value: Any,
        what: str,
        *,
        most: int = _MAX_ROWS,
        end: float = 1e6,
        tempo: tuple[float, float] = (0.1, 1e5),
        length: tuple[float, float] = (1e-3, 4000.0),
    ) -> Timeline:
        """Reads what :meth:`to_rows` gave, and bars without the signature's lower number.

        ``what`` is its name in messages; the others are the most rows of a list, the last position, and the
        lowest and highest tempo and length of a bar in quarters.

        Raises DataError where a field is missing, of the wrong kind or out of range, or rows out of order.
        """

        def rows(name: str, *sizes: int) -> list[list[Any]]:
            found = checked_list(value, name, what, most)
            if not found or any(not isinstance(row, list) or len(row) not in sizes for row in found):
                raise DataError(f"{what}: {name} must be a list of lists of {sizes[-1]}, not empty")
            at = [checked_number(row[0], f"a position in {name}", 0, end) for row in found]
            if at[0] != 0 or at != sorted(at):
                raise DataError(f"{what}: its {name} must stand in order, the first at beat 0")
            return [[start, *row[1:]] for start, row in zip(at, found)]

        return Timeline(
            tuple((at, checked_number(bpm, "tempo", *tempo)) for at, bpm in rows("tempi", 2)),
            tuple(
                Metre(
                    at,
                    checked_whole(number, "number of a bar", -1_000_000, 1_000_000),
                    checked_number(beats, "length of a bar", *length),
                    checked_number(into, "place in a bar", 0, length[1]),
                    *(checked_whole(unit, "lower number of a time signature", 1, 1024) for unit in more),
                )
                for at, number, beats, into, *more in rows("bars", 4, 5)
            ),
            tuple((at, checked_whole(sharps, "key", -7, 7)) for at, sharps in rows("keys", 2)),
        )

    @staticmethod
    def of_notes(notes: Iterable[Any]) -> Timeline:
        """What the notes of a score say themselves (``beats``, ``measure``, ``beat`` and so on).

        A tempo that changes within a note becomes the one that gives the note its length.
        """
        tempi: list[tuple[float, float]] = []
        metres: list[Metre] = []
        keys: list[tuple[float, int]] = []
        at = before = 0.0
        for note in notes:
            at = round(at, 6)
            tempo = 60.0 * note.beats / note.duration if note.duration > 0 else note.tempo
            tempo = note.tempo if abs(tempo - note.tempo) <= 1e-4 * note.tempo else round(tempo, 6)
            if not tempi or abs(tempi[-1][1] - tempo) > 1e-9 * tempo:
                tempi.append((at, tempo))
            if not keys or keys[-1][1] != note.key:
                keys.append((at, note.key))
            number, beat, length = Timeline(metres=tuple(metres[-1:])).bar(at) if metres else (None, 0, 0)
            if (number, length) != (note.measure, note.measure_beats) or abs(beat - note.beat) >= NEAR:
                # Where the bar began, unless the note before stands in another bar after that.
                start = round(at - note.beat, 6)
                late = bool(metres) and start > before + NEAR
                place = (start, note.measure, note.measure_beats, 0.0)
                metres.append(Metre(*place if late else (at, *place[1:3], note.beat)))
            before, at = at, at + note.beats
        return Timeline(tuple(tempi), tuple(metres), tuple(keys)) if tempi else Timeline()


_start = operator.itemgetter(0)


def _last(rows: Sequence[tuple[Any, ...]], at: Position) -> int:
    """Index of the row in force at a position."""
    return max(bisect.bisect_right(rows, at + NEAR, key=_start) - 1, 0)


def _shifted(rows: Sequence[Any], start: float, head: Any) -> tuple[Any, ...]:
    """``head``, then the rows after it, all moved so that ``start`` becomes 0."""
    later = [row for row in rows[1:] if row[0] > start + NEAR]
    moved = [(round(float(row[0] - start), 9), *row[1:]) for row in (head, *later)]
    return tuple(Metre(*row) for row in moved) if isinstance(head, Metre) else tuple(moved)


def checked_number(value: Any, what: str, low: float, high: float) -> float:
    """A number of JSON within limits; otherwise a DataError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise DataError(f"{what} must be a number in {low:g}..{high:g}")
    return float(value)


def checked_whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number of JSON within limits; otherwise a DataError."""
    number = checked_number(value, what, low, high)
    if number != int(number):
        raise DataError(f"{what} must be a whole number")
    return int(number)


def checked_list(value: Any, name: str, what: str, most: int) -> list[Any]:
    """The list called ``name`` in a table of JSON, of at most ``most`` items; otherwise a DataError."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise DataError(f"{what}: {name} must be a list")
    if len(found) > most:
        raise DataError(f"{what} has {len(found)} {name}; there may be at most {most}")
    return found
