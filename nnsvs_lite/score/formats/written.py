"""What the writers of formats that count ticks have in common: notes, bars and curves of a score in ticks."""

import itertools
import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nnsvs_lite.score.drawn import STEP, times
from nnsvs_lite.score.song import Song, SongNote
from nnsvs_lite.score.timeline import NEAR, Metre
from nnsvs_lite.score.types import Score


class Placed(NamedTuple):
    """A note from one tick to another."""

    start: int
    end: int
    note: SongNote


class Written:
    """A score for a file that counts so many ticks to a quarter note.

    Attributes:
        notes: that can be sung, and breaths; none shorter than a tick.
        tempi: (tick, quarter notes a minute).
        bars: (number of the bar from 0, its tick, the time signature's numbers), where the signature changes.
    """

    def __init__(self, score: Score, ticks: int):
        self.score, self.ticks, self.song = score, ticks, Song.of(score)
        notes = self.song.notes
        placed = [Placed(self.tick(n.at), self.tick(n.end), n) for n in notes]
        for i, (note, after) in enumerate(itertools.pairwise(notes)):
            if abs(note.end - after.at) < NEAR:
                # A tick can be finer than what a song rounds its positions to.
                placed[i] = placed[i]._replace(end=placed[i + 1].start)
        self.notes = [row for row in placed if row.start < row.end]
        self.tempi = [(self.tick(at), float(bpm)) for at, bpm in self.song.timeline.tempi]

    def tick(self, at: float) -> int:
        """The tick nearest to a position in quarter notes."""
        return round(at * self.ticks)

    @property
    def bars(self) -> list[tuple[int, int, tuple[int, int]]]:
        timeline, found = self.song.timeline, []
        lines = timeline.bar_lines(max(self.song.length, 1e-3))
        for number, (line, after) in enumerate(zip(lines, [*lines[1:], None])):
            metre = timeline.metre(line)
            # A pick-up, or a bar that another metre cuts short, is a bar of its own length.
            whole = after is None or abs(after - line - metre.length) < 1e-4
            signature = (metre if whole else Metre(line, 1, after - line, 0, metre.beat_type)).signature
            if not found or found[-1][2] != signature:
                found.append((number, self.tick(line), signature))
        return found

    @cached_property
    def _pitch(self) -> tuple[np.ndarray, np.ndarray]:
        """Times, and MIDI numbers, where a pitch is drawn."""
        drawn = None if self.score.drawn is None else self.score.drawn.pitch
        if drawn is None:
            return np.zeros(0), np.zeros(0)
        where = np.flatnonzero(np.isfinite(drawn))
        return where * STEP, drawn[where]

    def bends(self, step: int) -> Iterator[tuple[Placed, np.ndarray, np.ndarray]]:
        """Each note with ticks, ``step`` apart from its first to its last, and by how many cents the drawn
        pitch is off there; none where no pitch is drawn on the note."""
        time, pitch = self._pitch
        for row in self.notes:
            xs = np.unique(
                np.r_[row.start, np.arange(-(-row.start // step) * step, row.end, step), row.end - 1]
            )
            seconds = times(self.song.timeline, xs / self.ticks)
            # The note's own times alone: one of the next note says nothing of this one.
            end = times(self.song.timeline, np.array([row.end / self.ticks]))[0]
            first, last = np.searchsorted(time, np.array([seconds[0], end]) - STEP * 1e-3)
            if row.note.pitch and first < last:
                near = slice(max(first - 1, 0), last + 1)
                near_time, near_pitch = time[near], pitch[near]
                kept = (near_time > seconds[0] - 1.5 * STEP) & (near_time < seconds[-1] + 1.5 * STEP)
                yield row, xs, 100 * (np.interp(seconds, near_time[kept], near_pitch[kept]) - row.note.pitch)

    def pitch_curve(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Ticks in order, and cents that are drawn on the notes; 0 in rests and on notes without any."""
        bent = {row.start: (xs, cents) for row, xs, cents in self.bends(step)}
        if not bent:
            return np.zeros(0, int), np.zeros(0)
        flat = {row.start: (np.array([row.start, row.end - 1]), np.zeros(2)) for row in self.notes}
        rows = [bent.get(start, row) for start, row in flat.items()]
        # Where a note touches another, its side of the border counts.
        borders = np.array([tick for row in self.notes for tick in (row.start - 1, row.end)])
        rows.append((borders, np.zeros(len(borders))))
        xs, first = np.unique(np.concatenate([row[0] for row in rows]), return_index=True)
        return xs, np.concatenate([row[1] for row in rows])[first]

    def curve(self, name: str, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Ticks ``step`` apart, and a drawn curve of this name there; none where there is none."""
        drawn = {} if self.score.drawn is None else self.score.drawn.curves
        if name not in drawn:
            return np.zeros(0, int), np.zeros(0)
        xs = np.arange(0, self.tick(self.song.length) + step, step)
        value = drawn[name]
        ys = np.interp(times(self.song.timeline, xs / self.ticks), np.arange(len(value)) * STEP, value)
        return xs, ys


def thinned(xs: np.ndarray, ys: np.ndarray, off: float) -> tuple[list[int], list[float]]:
    """The points that lines between them need to pass all others within ``off``, and those at 0 exactly."""
    kept: list[tuple[int, float]] = []
    low, high = -math.inf, math.inf
    last: tuple[int, float] | None = None
    for x, y in zip(xs.tolist(), ys.tolist()):
        if last is None:
            kept.append((x, y))
        else:
            begin, level = kept[-1]
            if not low <= (y - level) / (x - begin) <= high:
                # The line to here would miss a point in between: it ends at the point before.
                kept.append(last)
                (begin, level), low, high = last, -math.inf, math.inf
            near = off if y else 0.0
            low = max(low, (y - near - level) / (x - begin))
            high = min(high, (y + near - level) / (x - begin))
        last = (x, y)
    if last is not None and last != kept[-1]:
        kept.append(last)
    return [x for x, _ in kept], [y for _, y in kept]
