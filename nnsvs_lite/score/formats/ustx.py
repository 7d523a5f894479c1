"""OpenUtau projects (``.ustx``, YAML) to a score: ``voice_parts`` with notes in ticks, ``tracks``, ``tempos``
and ``time_signatures`` (``bpm``, ``beat_per_bar`` and ``beat_unit`` in older files), as OpenUtau 0.1 writes
them (``ustx_version`` 0.1 to 0.7). All voice parts of a track are read together.

Pitch is drawn as OpenUtau does it, from tone and tuning of a note, its vibrato, the points of its
``pitch`` (ms and tenths of a semitone; the first at the pitch of the note before, where ``snap_first``)
and the curve ``pitd`` (cents), on notes where any of them is not as OpenUtau puts it by itself. ``dyn``
counts tenths of a dB.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.drawn import SHAPES, Canvas
from nnsvs_lite.score.formats.limits import MAX_TEXT_BYTES
from nnsvs_lite.score.formats.projects import FORMS, Group, Laid, Project, read_project
from nnsvs_lite.score.formats.rawfile import (
    decode,
    get_dict,
    get_number,
    get_numbers,
    get_rows,
    parse_yaml,
    read_bytes,
)
from nnsvs_lite.score.lyrics import bank_lyric


def read_ustx(path: str | os.PathLike, *, lang: str = "ja") -> Project:
    """The tracks of an OpenUtau project.

    Raises DataError where it is none, or damaged; names track and note.
    """

    def sung(lyric: str) -> str | None:
        text = bank_lyric(lyric, lang) or ""
        return None if text == "R" else text

    value = parse_yaml(decode(read_bytes(path, MAX_TEXT_BYTES), lang))
    if not isinstance(value, dict) or "voice_parts" not in value:
        raise DataError("not an OpenUtau project: it has no voice_parts")
    ticks = int(get_number(value.get("resolution", 480), "resolution", 1, 1e6))
    tempi = get_rows(value.get("tempos"), "tempos") or ([{"bpm": value["bpm"]}] if "bpm" in value else [])
    metres = get_rows(value.get("time_signatures"), "time_signatures") or [value]
    metres = [{"beat_per_bar": 4, "beat_unit": 4} | row for row in metres]
    groups: dict[int, list[Group]] = {}
    for number, row in enumerate(get_rows(value["voice_parts"], "voice_parts"), 1):
        place = f"voice part {number}"
        track = int(get_number(row.get("track_no", 0), f"{place}: track_no", 0, 1e6))
        groups.setdefault(track, []).append(Group(place, row, row.get("position", 0)))
    names = [row.get("track_name") for row in get_rows(value.get("tracks"), "tracks")]
    tracks = [(names[i] if i < len(names) else "", found) for i, found in sorted(groups.items())]
    return read_project(
        FORMS["ustx"]._replace(ticks=ticks),
        tempi,
        metres,
        tracks,
        lang=lang,
        title=value.get("name"),
        lyric=sung,
        draw=lambda canvas, laid: _draw(canvas, laid, ticks),
    )


def _draw(canvas: Canvas, laid: Sequence[Laid], ticks: int) -> None:
    rows = sorted((row for part in laid for row in part.notes), key=lambda row: row[0].start)
    spans: list[slice] = []
    last_end, last_pitch = -1.0, 0.0
    for sung, row in rows:
        start, end = canvas.seconds(sung.start, sung.end)
        pitch = sung.pitch + get_number(row.get("tuning") or 0, f"{sung.place}: tuning", -1200, 1200) / 100
        span = canvas.note(sung.start, sung.end, pitch)
        wave = _vibrato(get_dict(row.get("vibrato") or {}, f"{sung.place}: vibrato"), sung.place)
        waves = wave(canvas.time[span] - start, end - start)
        canvas.bend[span] += waves
        # How far below this note the one before it is, where they touch.
        below = last_pitch - pitch if abs(last_end - start) < 1e-6 else None
        points = get_dict(row.get("pitch") or {}, f"{sung.place}: pitch")
        bent = _bend(canvas, points, start, end, below, sung.place)
        canvas.bent[span] |= bent or bool(waves.any()) or pitch != sung.pitch
        spans.append(span)
        last_end, last_pitch = end, pitch
    for part in laid:
        for row in get_rows(part.group.source.get("curves"), f"{part.group.place}: curves"):
            name = str(row.get("abbr"))
            if name not in FORMS["ustx"].taken:
                continue
            place = f"{part.group.place}: {name}"
            xs, ys = (get_numbers(row.get(key), f"{place}: {key}") for key in ("xs", "ys"))
            if len(xs) != len(ys):
                raise DataError(f"{place}: {len(xs)} xs and {len(ys)} ys")
            span, curve = canvas.line(float(part.offset) + xs / ticks, ys.clip(-1200, 1200), outside=0.0)
            if name == "dyn":
                canvas.move("loudness_change", span, curve / 10)
            else:
                canvas.bend[span] += curve / 100
                canvas.bent[span] |= curve != 0
    # A note is drawn as a whole or not at all.
    for span in spans:
        canvas.bent[span] |= canvas.bent[span].any()


def _bend(
    canvas: Canvas, pitch: dict[str, Any], start: float, end: float, below: float | None, place: str
) -> bool:
    """Lays the pitch points of a note, and says whether they are others than OpenUtau puts there by itself.

    ``below``: semitones from this note to the one before it, None where they do not touch.
    """
    points = [
        (
            start + get_number(row.get("x"), f"{place}: a pitch point's x", -1e6, 1e6) / 1000,
            get_number(row.get("y"), f"{place}: a pitch point's y", -1e4, 1e4) / 10,
            SHAPES.get(str(row.get("shape", "io")), SHAPES["io"]),
        )
        for row in get_rows(pitch.get("data"), f"{place}: pitch")
    ]
    if len(points) < 2:
        return False
    snaps = str(pitch.get("snap_first", True)).lower() != "false"
    drawn = any(y for _, y, _ in (points[1:] if snaps else points))
    if snaps:
        points[0] = (points[0][0], below or 0.0, points[0][2])
    points.sort(key=lambda point: point[0])
    straight = SHAPES["l"]
    points = [(min(points[0][0], start), points[0][1], straight), *points]
    points.append((max(points[-1][0], end), points[-1][1], straight))
    for (begin, low, shape), (stop, high, _) in zip(points, points[1:]):
        span = canvas.span(max(begin, start) if below is None else begin, stop)
        time = canvas.time[span]
        way = shape(((time - begin) / max(stop - begin, 1e-9)).clip(0, 1))
        canvas.bend[span] += low + (high - low) * way - np.where(time < start - 1e-9, below or 0.0, 0.0)
    if drawn:
        canvas.bent[canvas.span(start if below is None else points[0][0], start)] = True
    return drawn


def _vibrato(row: dict[str, Any], place: str) -> Callable[[np.ndarray, float], np.ndarray]:
    """Semitones at times from the note's start, given the note's length, in seconds."""
    limits = {"length": (0, 100), "period": (5, 500), "depth": (5, 200), "in": (0, 100), "out": (0, 100)}
    limits |= {"shift": (0, 100), "drift": (-100, 100)}
    usual = {"period": 175, "depth": 25, "in": 10, "out": 10}
    value = {
        name: min(max(get_number(row.get(name, usual.get(name, 0)), f"{place}: vibrato {name}"), low), high)
        for name, (low, high) in limits.items()
    }

    def semitones(time: np.ndarray, length: float) -> np.ndarray:
        lasts = length * value["length"] / 100
        if lasts <= 0:
            return np.zeros(len(time))
        since = time - (length - lasts)
        turns = since / (value["period"] / 1000) + value["shift"] / 100
        wave = value["depth"] * (np.sin(2 * np.pi * turns) + value["drift"] / 100)
        rise = since / max(lasts * value["in"] / 100, 1e-9)
        fall = (length - time) / max(lasts * value["out"] / 100, 1e-9)
        return np.where(since < 0, 0.0, wave * np.minimum(rise, fall).clip(0, 1)) / 100

    return semitones
