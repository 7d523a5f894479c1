"""What is drawn over a score: pitch, loudness and other curves, as editors have them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.timeline import Timeline

STEP = 0.005
"""Seconds from one number of a curve to the next; the first is of time 0."""
MAX_POINTS = 5_000_000
"""Of all curves of a file, as often as they are placed."""
LOOSE = 0.25
"""Seconds by which pitch may be drawn beyond a note without a word about it."""


@dataclass(frozen=True)
class Drawn:
    """Curves over a whole score, one number each :data:`STEP`.

    Attributes:
        pitch: (T,) MIDI numbers with fractions, NaN where the voice sings its own; or None.
        curves: (T,) dB by name: ``loudness``, ``breathiness``, ``voicing`` and ``tension`` say what is to be,
            and with ``_change`` behind the name by how much it is moved.
    """

    pitch: np.ndarray | None = None
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)

    def changed(self, transpose: float, tempo: float) -> Drawn:
        """So many semitones higher, and so many times as fast."""
        pitch = None if self.pitch is None else _faster(self.pitch, tempo) + transpose
        return replace(self, pitch=pitch, curves={n: _faster(v, tempo) for n, v in self.curves.items()})


def _faster(curve: np.ndarray, tempo: float) -> np.ndarray:
    if tempo == 1:
        return curve
    size = max(round((len(curve) - 1) / tempo), 0) + 1
    return np.interp(np.arange(size) * tempo, np.arange(len(curve)), curve)


class Canvas:
    """Where the curves of a file are laid out: the times of all numbers, and notes to begin with.

    Args:
        timeline: of the score. seconds: that it lasts.

    Attributes:
        time, at: (T,) seconds and quarter notes of each number.
        notes: (T,) MIDI number of the note that sounds, NaN in rests; see :meth:`note`.
        bend: (T,) semitones that the pitch is off from that. bent: (T,) bool, where it counts.
        curves: those of :class:`Drawn`.
    """

    def __init__(self, timeline: Timeline, seconds: float):
        self.timeline = timeline
        self.time = np.arange(math.ceil(seconds / STEP - 1e-6) + 1) * STEP
        self.at = positions(timeline, self.time)
        self.notes = np.full(len(self.time), np.nan)
        self.bend = np.zeros(len(self.time))
        self.bent = np.zeros(len(self.time), bool)
        self.curves: dict[str, np.ndarray] = {}
        self._points = 0
        self._outside: list[str] = []

    def span(self, start: float, end: float) -> slice:
        """Numbers from one time on to before another, in seconds."""
        first, last = (min(max(math.ceil(t / STEP - 1e-6), 0), len(self.time)) for t in (start, end))
        return slice(first, max(first, last))

    def note(self, start: float, end: float, pitch: float) -> slice:
        """Lays a note from one position to another, in quarter notes; returns where it lies."""
        span = self.span(*self.seconds(start, end))
        self.notes[span] = pitch
        return span

    def seconds(self, *at: float) -> list[float]:
        """Times of positions."""
        return [self.timeline.seconds(one) for one in at]

    def line(
        self, at: np.ndarray, values: np.ndarray, way: str = "linear", outside: float | None = None
    ) -> tuple[slice, np.ndarray]:
        """Where a curve of points lies, and its values there.

        Args:
            at: (P,) positions in quarter notes. values: (P,).
            way: ``linear``, ``cosine`` or ``cubic`` from point to point, or ``steps``.
            outside: value before the first and after the last point; that of these points if None.

        Raises DataError where there are more than :data:`MAX_POINTS` on the canvas.
        """
        self._points += len(at)
        if self._points > MAX_POINTS:
            raise DataError(f"refused: its curves have more than {MAX_POINTS} points")
        order = np.argsort(at, kind="stable")
        at, values = at[order], values[order]
        if way != "steps":
            # Of several points at one place the last one counts.
            kept = np.append(np.diff(at) > 0, True)[: len(at)]
            at, values = at[kept], values[kept]
        if not len(at):
            return slice(0, 0), np.zeros(0)
        if far := values[(at > self.at[-1] + 1) & (values != (outside or 0))].size:
            self._outside += ["the end"] * far
        whole = outside is None
        span = slice(0, len(self.at)) if whole else slice(*np.searchsorted(self.at, [at[0], at[-1]]))
        inside = self.at[span]
        if way == "steps":
            return span, values[np.maximum(np.searchsorted(at, inside + 1e-9, side="right") - 1, 0)]
        if way == "cubic" and len(at) > 2:
            from scipy.interpolate import PchipInterpolator

            return span, PchipInterpolator(at, values)(inside.clip(at[0], at[-1]))
        if way == "cosine" and len(at) > 1:
            i = np.searchsorted(at, inside, side="right").clip(1, len(at) - 1)
            part = ((inside - at[i - 1]) / (at[i] - at[i - 1])).clip(0, 1)
            return span, values[i - 1] + (values[i] - values[i - 1]) * SHAPES["io"](part)
        return span, np.interp(inside, at, values)

    def move(self, name: str, span: slice, values: np.ndarray) -> None:
        """Adds to a curve."""
        self.curves.setdefault(name, np.zeros(len(self.time)))[span] += values

    def slide(self, begin: float, end: float, step: float, height: float) -> None:
        """Replaces the notes' step at a time, so many semitones high, by a slope from a time to another."""
        span = self.span(begin, end)
        time = self.time[span]
        part = (time - begin) / max(end - begin, 1e-9)
        self.bend[span] += height * (SHAPES["io"](part) - (time >= step - 1e-9))

    def drawn(self) -> Drawn | None:
        """What was laid out, None where it is nothing; says what lies where nothing is sung."""
        loose = (self.bend != 0) & np.isnan(self.notes)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], loose.view(np.int8), [0]])))
        runs = edges[::2][edges[1::2] - edges[::2] > LOOSE / STEP]
        places = [self.timeline.place(float(self.at[first])) for first in runs]
        left_out("drawn curves where there is no note are not sung", places + self._outside)
        bent = self.bent & np.isfinite(self.notes)
        pitch = np.where(bent, self.notes + self.bend, np.nan) if bent.any() else None
        curves = {name: curve for name, curve in self.curves.items() if curve.any()}
        return Drawn(pitch, curves) if pitch is not None or curves else None


def _tempi(timeline: Timeline) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each tempo begins, in quarter notes and in seconds, and quarter notes a second."""
    starts = np.array([float(at) for at, _ in timeline.tempi])
    speeds = np.array([bpm / 60 for _, bpm in timeline.tempi])
    return starts, np.concatenate([[0.0], np.cumsum(np.diff(starts) / speeds[:-1])]), speeds


def positions(timeline: Timeline, seconds: np.ndarray) -> np.ndarray:
    """Quarter notes from the beginning at times in seconds; as ``Timeline.position``, of many at once."""
    starts, begins, speeds = _tempi(timeline)
    i = np.maximum(np.searchsorted(begins, seconds, side="right") - 1, 0)
    return starts[i] + (seconds - begins[i]) * speeds[i]


def times(timeline: Timeline, at: np.ndarray) -> np.ndarray:
    """Seconds at positions in quarter notes; as ``Timeline.seconds``, of many at once."""
    starts, begins, speeds = _tempi(timeline)
    i = np.maximum(np.searchsorted(starts, at, side="right") - 1, 0)
    return begins[i] + (at - starts[i]) / speeds[i]


Shape = Callable[[np.ndarray], np.ndarray]

SHAPES: dict[str, Shape] = {
    "l": lambda t: t,
    "io": lambda t: (1 - np.cos(np.pi * t)) / 2,
    "i": lambda t: 1 - np.cos(np.pi * t / 2),
    "o": lambda t: np.sin(np.pi * t / 2),
}
"""How one goes from a point to the next, 0 to 1, by OpenUtau's names: straight, slow at both ends, at the
beginning, at the end."""
