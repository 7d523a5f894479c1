"""Plots as SVG text: piano roll, spectrogram, training curves. Colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.mel import hz_to_mel
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.types import Score

LEFT, RIGHT = 56, 12
CHART = 365
"""Pixels in width of a chart; those of a phrase share a :class:`TimeAxis` instead."""
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


class TimeAxis(NamedTuple):
    """The horizontal axis that all plots of a phrase share; ``scale`` is pixels a second."""

    seconds: float
    scale: float

    @classmethod
    def of(cls, seconds: float) -> TimeAxis:
        """About 110 pixels a second, at least 600 and at most 3,600 in all, or what just fills the page."""
        seconds = max(seconds, 0.1)
        page = 1030.0 / seconds
        scale = page if 85.0 <= page < 110.0 else max(110.0, 600.0 / seconds)
        return cls(seconds, min(scale, 3600.0 / seconds))

    @property
    def width(self) -> int:
        """Pixels of the whole picture."""
        return round(LEFT + self.seconds * self.scale + RIGHT)

    def x(self, seconds: float) -> float:
        """Pixels from the left."""
        return LEFT + seconds * self.scale

    def draw(self, top: float, bottom: float) -> str:
        """Grid lines at round times, their numbers below ``bottom``, and the axis' name."""
        step = next(s for s in (0.5, 1, 2, 5, 10, 20, 60) if s * self.scale >= 50 or s == 60)
        times = [i * step for i in range(int(self.seconds / step) + 1)]
        name = _text("axis", self.width - RIGHT, bottom + 25, "time (s)", "end")
        return "".join([*_ticks_along(times, self.x, top, bottom, 13), name])


def _svg(width: float, height: float, label: str, *parts: str, kind: str = "plot") -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg class="{kind}" {size} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _vertical_name(text: str, middle: float) -> str:
    turn = f"translate(11 {middle:.0f}) rotate(-90)"
    return f'<text class="axis" transform="{turn}" text-anchor="middle">{escape(text)}</text>'


def note_name(midi: int) -> str:
    """``C4`` for 60."""
    return f"{_NAMES[midi % 12]}{midi // 12 - 1}"


def f0_path(f0: np.ndarray, frame_shift: float, axis: TimeAxis, y_of) -> str:
    """Path data of an F0 curve in Hz, broken where unvoiced, a point about every 10 ms."""
    parts, command = [], "M"
    for t in range(0, len(f0), max(1, round(0.01 / frame_shift))):
        if f0[t] > 0:
            y = y_of(float(hz_to_midi(f0[t])))
            parts.append(f"{command}{axis.x(t * frame_shift):.1f} {y:.1f}")
        command = "L" if f0[t] > 0 else "M"
    return "".join(parts)


def piano_roll(
    score: Score,
    curves: Mapping[str, np.ndarray],
    frame_shift: float,
    phones: Mapping[str, Sequence[Segment]],
    axis: TimeAxis,
) -> str:
    """The score's notes, F0 curves over them (``(frames,)`` Hz), and phone times below, a strip each."""
    pitches = [note.pitch for note in score.notes if not note.is_rest] or [60]
    low, high = min(pitches) - 3, max(pitches) + 3
    step = max(6.0, min(14.0, 170.0 / (high - low)))
    top, bottom = 6.0, 6.0 + (high - low) * step

    def y_of(midi: float) -> float:
        return min(max(bottom - (midi - low) * step, top), bottom)

    parts = []
    for midi in range(low, high + 1):
        y = y_of(midi)
        parts.append(_line("grid", LEFT, axis.width - RIGHT, y, y))
        if step >= 11 or midi % 12 in (0, 2, 4, 5, 7, 9, 11):
            parts.append(_text("tick", LEFT - 5, y + 3.5, note_name(midi), "end"))
    for note in (note for note in score.notes if not note.is_rest):
        x, width = axis.x(note.start), max(1.0, note.duration * axis.scale - 1)
        y = y_of(note.pitch + 0.5)
        title = f"{note_name(note.pitch)} {note.lyric}, {note.start:.2f}–{note.end:.2f} s, {note.place}"
        parts.append(
            f'<rect class="note" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{step:.1f}" rx="2">'
            f"<title>{escape(title)}</title></rect>"
        )
        if note.lyric:
            parts.append(_text("lyric", x + 2, y - 3, note.lyric))
    for name, f0 in curves.items():
        path = f0_path(f0, frame_shift, axis, y_of)
        parts.append(f'<path class="f0" data-sys="{escape(name)}" d="{path}"/>')
    strips = enumerate(phones.items())
    parts += [_phone_strip(name, found, axis, bottom + 4 + 17 * i) for i, (name, found) in strips]
    base = bottom + 4 + 17 * len(phones)
    parts.append(axis.draw(top, base))
    parts.append(_vertical_name("pitch (note)", (top + bottom) / 2))
    label = "Piano roll of the score with F0 curves and phone boundaries"
    return _svg(axis.width, base + 30, label, *parts, _line("playhead", LEFT, LEFT, top, base))


def _phone_strip(name: str, segments: Sequence[Segment], axis: TimeAxis, y: float) -> str:
    short = name if len(name) <= 8 else name[:7] + "…"
    parts = [_text("tick", LEFT - 5, y + 11, short, "end"), f'<g class="phones" data-sys="{escape(name)}">']
    for start, end, label in segments:
        x, width = axis.x(start), (end - start) * axis.scale
        parts.append(f'<path class="boundary" d="M{x:.1f} {y}V{y + 15}"/>')
        if width >= 7 * min(len(label), 2) - 1:
            parts.append(_text("phone", x + width / 2, y + 11, label, "middle"))
    parts.append("</g>")
    return "".join(parts)


def spectrogram(picture: str, frames: int, hop: float, high: float, axis: TimeAxis, name: str) -> str:
    """A mel spectrogram of the system ``name`` with axes.

    ``picture`` is a data URI, from 0 Hz at the bottom to ``high`` Hz at the top, of ``frames`` columns, each
    of ``hop`` seconds.
    """
    height = 110.0
    top, bottom = 4.0, 4.0 + height
    # Column t stands for t*hop - hop/2 to t*hop + hop/2; what lies before time 0 is cut off.
    clip = f'<svg x="{LEFT}" y="{top}" width="{axis.seconds * axis.scale:.1f}" height="{height}">'
    place = f'x="{-hop / 2 * axis.scale:.2f}" y="0" width="{frames * hop * axis.scale:.1f}" height="{height}"'
    parts = [f'{clip}<image href="{picture}" {place} preserveAspectRatio="none"/></svg>']
    for hertz in (500, 1000, 2000, 4000, 8000, 16000):
        if hertz < high:
            y = bottom - height * float(hz_to_mel(hertz) / hz_to_mel(high))
            parts.append(_line("mark", LEFT - 3, LEFT, y, y))
            parts.append(_text("tick", LEFT - 5, y + 3.5, f"{hertz / 1000:g}", "end"))
    parts.append(_vertical_name("kHz (mel)", (top + bottom) / 2))
    parts.append(_text("name", LEFT + 6, top + 14, name))
    parts.append(axis.draw(bottom, bottom))
    label = f"Mel spectrogram of {name}"
    return _svg(axis.width, bottom + 30, label, *parts, _line("playhead", LEFT, LEFT, top, bottom))


UNITS = {"frames": "frames", "cents": "cents", "hz": "Hz", "db": "dB", "ms": "ms", "nll": "nats"}
"""The end of a loss' name, and the unit that it stands for."""


def with_unit(name: str) -> str:
    """``mae (frames)`` for ``mae_frames``; a loss that names no unit is a weighted sum and has none."""
    head, _, last = name.rpartition("_")
    unit = UNITS.get(last.lower())
    if unit is None:
        return name
    return f"{head} ({unit})" if head and unit != "nats" else f"{name} ({unit})"


def loss_chart(name: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Curves of the loss ``name``: for each label a line of points ``(epoch, value)``, with a legend."""
    points = [p for line in lines.values() for p in line if math.isfinite(p[1])]
    if not points:
        return ""
    (x0, x1), (y0, y1) = ((min(values), max(values)) for values in zip(*points))
    if y1 - y0 < 1e-12:
        y0, y1 = y0 - 0.5, y1 + 0.5
    if x1 == x0:
        x0, x1 = x0 - 1, x1 + 1
    left, right, top, bottom = 62, CHART - 10, 26, 176
    sx, sy = (right - left) / (x1 - x0), (bottom - top) / (y1 - y0)
    parts = []
    for tick in _round_ticks(y0, y1):
        y = bottom - (tick - y0) * sy
        parts += [_line("grid", left, right, y, y), _text("tick", left - 5, y + 3.5, f"{tick:g}", "end")]
    parts += _ticks_along(_round_ticks(x0, x1), lambda x: left + (x - x0) * sx, top, bottom)
    for i, (label, line) in enumerate(lines.items()):
        places = [(left + (x - x0) * sx, bottom - (y - y0) * sy) for x, y in line if math.isfinite(y)]
        ends = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="curve c{i % 6}" points="{ends}"/>')
        x = left + i * 90
        parts += [_line(f"curve c{i % 6}", x, x + 18, 12, 12), _text("tick", x + 23, 15.5, label)]
    parts.append(_text("axis", right, bottom + 28, "epoch", "end"))
    parts.append(_vertical_name(with_unit(name), (top + bottom) / 2))
    return _svg(CHART, bottom + 34, f"Training curve of {name}", *parts, kind="plot chart")


def _ticks_along(
    ticks: Sequence[float], x_of: Callable[[float], float], top: float, bottom: float, below: float = 14
) -> list[str]:
    """Grid lines at some numbers of a horizontal axis, and the numbers below."""
    parts = []
    for tick, x in zip(ticks, map(x_of, ticks)):
        parts += [_line("grid", x, x, top, bottom), _text("tick", x, bottom + below, f"{tick:g}", "middle")]
    return parts


def _round_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, three to seven of them."""
    raw = (high - low) / 6
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def colour_bar(colours: np.ndarray, span: float) -> str:
    """What the ``colours`` of spectrograms, ``(levels, 3)`` of 0..255, mean in dB, down to ``-span``."""
    width = 240
    left, right, top, bottom = 14, width - 14, 4, 16
    step = (right - left) / len(colours)
    size = f'y="{top}" width="{step + 0.5:.1f}" height="{bottom - top}"'
    parts = [
        f'<rect x="{left + i * step:.1f}" {size} fill="rgb({r},{g},{b})"/>'
        for i, (r, g, b) in enumerate(colours.tolist())
    ]
    for share in (0.0, 0.5, 1.0):
        x = left + share * (right - left)
        parts.append(_text("tick", x, bottom + 13, f"{span * (share - 1):g}".replace("-", "−"), "middle"))
    parts.append(_text("axis", (left + right) / 2, bottom + 27, "level (dB)", "middle"))
    return _svg(width, bottom + 32, "Colours of the spectrograms", *parts)


def intervals(
    heading: str, rows: Sequence[tuple[str, float, tuple[float, float] | None]], baseline: str | None = None
) -> str:
    """A dot and a whisker for each system: a number, as it is shown, and its interval if there is one.

    ``heading`` names the horizontal axis, with its unit; ``baseline``'s number is marked through all rows.
    """
    numbers = [x for _, value, pair in rows for x in (value, *(pair or ()))]
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    margin = 0.06 * (high - low) or 0.5
    low, high = low - margin, high + margin
    left, right, top, row = 130, CHART - 12, 6, 22
    bottom = top + row * len(rows)

    def x_of(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    parts = _ticks_along(_round_ticks(low, high), x_of, top, bottom)
    for i, (name, value, pair) in enumerate(rows):
        y = top + row * (i + 0.5)
        if name == baseline:
            parts.append(_line("base", x_of(value), x_of(value), top, bottom))
        short = name if len(name) <= 19 else name[:18] + "…"
        parts.append(_text("label", left - 8, y + 4, short, "end"))
        whisker = "" if pair is None else _line("whisker", x_of(pair[0]), x_of(pair[1]), y, y)
        title = f"<title>{escape(name)}: {value:g}</title>"
        dot = f'<circle class="dot" cx="{x_of(value):.1f}" cy="{y:.1f}" r="4">{title}</circle>'
        parts.append(f'<g data-sys="{escape(name)}">{whisker}{dot}</g>')
    parts.append(_text("axis", (left + right) / 2, bottom + 30, heading, "middle"))
    label = f"{heading} of all systems, with 95 % intervals"
    return _svg(CHART, bottom + 38, label, *parts, kind="plot chart")


def coverage_map(rows: Mapping[str, Sequence[float]], pitches: Sequence[str]) -> str:
    """Seconds sung of each phone (rows) at each pitch (columns), darker where there are more; log scale."""
    most = max(max(row) for row in rows.values())
    side, top, left = 22, 22, 40
    parts = [_text("tick", left + side * (i + 0.5), top - 7, p, "middle") for i, p in enumerate(pitches)]
    for k, (phone, row) in enumerate(rows.items()):
        y = top + side * k + (6 if k else 0)  # What is of all phones stands apart.
        parts.append(_text("label", left - 8, y + 15, phone, "end"))
        for i, seconds in enumerate(row):
            share = math.log1p(20 * seconds) / math.log1p(20 * most) if seconds else 0.0
            title = f"<title>{escape(phone)} at {pitches[i]}: {seconds:.2f} s</title>"
            place = f'x="{left + side * i + 1}" y="{y + 1}" width="{side - 2}" height="{side - 2}" rx="2"'
            parts.append(f'<rect class="cell" {place} style="--share:{share:.2f}">{title}</rect>')
    width, height = left + side * len(pitches) + 6, top + side * len(rows) + 8
    return _svg(width, height, "Seconds of each phone at each pitch", *parts)
