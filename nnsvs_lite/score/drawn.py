"""What is drawn over a score: pitch, loudness and other curves, as editors have them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from nnsvs_lite.score.timeline import Timeline

STEP = 0.005
"""Seconds from one number of a curve to the next; the first is of time 0."""


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

    def span(self, start: float, end: float) -> slice:
        """Numbers from one time on to before another, in seconds."""
        first, last = (min(max(math.ceil(t / STEP - 1e-6), 0), len(self.time)) for t in (start, end))
        return slice(first, max(first, last))

    def note(self, start: float, end: float, pitch: float) -> slice:
        """Lays a note from one position to another, in quarter notes; returns where it lies."""
        span = self.span(self.timeline.seconds(start), self.timeline.seconds(end))
        self.notes[span] = pitch
        return span

    def drawn(self) -> Drawn | None:
        """What was laid out, None where it is nothing."""
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
