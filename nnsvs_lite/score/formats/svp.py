"""Synthesizer V Studio projects (``.svp``, JSON) to a score: ``tracks`` with a ``mainGroup`` and references
to groups of notes in the ``library``, as Synthesizer V Studio 1 and 2 write them; times in blicks.

Pitch is drawn on notes that have a ``pitchDelta`` (cents), a detuning, or transitions or a vibrato of
their own: the note's pitch, slopes between notes that touch (of 0.07 s to either side, if the note says
no other), half of ``dF0Vbr`` semitones of vibrato to either side times ``vibratoEnv``, and the delta.
What Synthesizer V itself makes of notes that say nothing is not known. ``loudness`` is in dB.
"""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.drawn import Canvas
from nnsvs_lite.score.formats.limits import MAX_TEXT_BYTES
from nnsvs_lite.score.formats.projects import FORMS, Group, Laid, Project, read_project
from nnsvs_lite.score.formats.rawfile import (
    get_dict,
    get_number,
    get_numbers,
    get_rows,
    get_text,
    parse_json,
    read_bytes,
)
from nnsvs_lite.score.lyrics import clean_alias, is_breath, is_continuation, is_next_syllable, with_hint


def read_svp(path: str | os.PathLike, *, lang: str = "ja") -> Project:
    """The tracks of a Synthesizer V project.

    Raises DataError where it is none, or damaged; names track and note.
    """
    value = parse_json(read_bytes(path, MAX_TEXT_BYTES))
    if not isinstance(value, dict) or "tracks" not in value:
        raise DataError("not a Synthesizer V project: it has no tracks")
    time = get_dict(value.get("time"), "time")
    tempi, metres = (get_rows(time.get(name), f"time.{name}") for name in ("tempo", "meter"))
    library = {
        str(row.get("uuid")): _with_hints(row, lang) for row in get_rows(value.get("library"), "library")
    }
    tracks = [
        (row.get("name"), _groups(row, library, f"track {number}", lang))
        for number, row in enumerate(get_rows(value["tracks"], "tracks"), 1)
    ]
    return read_project(FORMS["svp"], tempi, metres, tracks, lang=lang, draw=_draw)


def _with_hints(group: dict[str, Any], lang: str) -> dict[str, Any]:
    """A group with the phones that a note is given behind its lyric; rests and breaths stay what they are."""

    def hinted(row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        lyric, phones = get_text(row.get("lyrics")), get_text(row.get("phonemes")).split()
        sign = clean_alias(lyric, lang, bank=False) or ""
        silent = is_breath(sign) or (lang == "ja" and sign == "R")
        alone = silent or is_continuation(lyric) or is_next_syllable(lyric)
        return row | {"lyrics": with_hint(lyric, phones, lang)} if phones and not alone else row

    notes = group.get("notes")
    return group | {"notes": list(map(hinted, notes))} if isinstance(notes, list) else group


def _groups(track: dict[str, Any], library: dict[str, Any], place: str, lang: str) -> list[Group]:
    """All groups placed on a track."""
    placed = []
    if isinstance(track.get("mainGroup"), dict):
        # Some converters give the main group another name than its reference.
        placed.append((_with_hints(track["mainGroup"], lang), track.get("mainRef") or {}))
    for reference in get_rows(track.get("groups"), f"{place}: groups"):
        name = str(reference.get("groupID"))
        if name not in library:
            raise DataError(f"{place}: it refers to a group {name[:40]!r} that the file does not hold")
        placed.append((library[name], reference))
    rows = [(group, get_dict(reference, f"{place}: a group's reference")) for group, reference in placed]
    return [
        Group(place, group, reference.get("blickOffset", 0), reference.get("pitchOffset", 0))
        for group, reference in rows
        if reference.get("isInstrumental") is not True
    ]


_USUAL = {"tF0Offset": 0.0, "tF0Left": 0.07, "tF0Right": 0.07, "tF0VbrStart": 0.25, "tF0VbrLeft": 0.2}
_USUAL |= {"tF0VbrRight": 0.2, "dF0Vbr": 1.0, "fF0Vbr": 5.5, "pF0Vbr": 0.0}
"""What a note is sung with where nothing says another value: seconds, semitones, Hz, radians."""


_MOST = {"pitchDelta": 12700.0, "loudness": 120.0, "vibratoEnv": 100.0}
"""Curves that are drawn, and how far they may go either way: cents, dB, a factor."""


def _draw(canvas: Canvas, laid: Sequence[Laid]) -> None:
    envelope, spans = np.ones(len(canvas.time)), []
    for part in laid:
        for name, curve in get_dict(part.group.source.get("parameters") or {}, "parameters").items():
            if name not in _MOST or not isinstance(curve, dict):
                continue
            points = get_numbers(curve.get("points"), f"{part.group.place}: {name}")
            if len(points) % 2:
                raise DataError(f"{part.group.place}: {name} has a place without a value")
            if not len(points):
                continue
            at = float(part.offset) + points[::2] / FORMS["svp"].ticks
            # Before its first point and after its last one a curve keeps their value; the group ends it.
            held = [x for sung, _ in part.notes for x in (float(sung.start), float(sung.end))] or [at[0]]
            at = np.concatenate([[min(*held, at[0])], at, [max(*held, at[-1])]])
            ys = np.concatenate([points[1:2], points[1::2], points[-1:]]).clip(-_MOST[name], _MOST[name])
            way = "linear" if curve.get("mode") not in ("cubic", "cosine") else curve["mode"]
            span, values = canvas.line(at, ys, way, outside=1.0 if name == "vibratoEnv" else 0.0)
            if name == "loudness":
                canvas.move("loudness_change", span, values)
            elif name == "vibratoEnv":
                envelope[span] = values
            else:
                canvas.bend[span] += values / 100
                canvas.bent[span] |= values != 0
    before: tuple[float, float, float] | None = None
    for sung, row in sorted((row for part in laid for row in part.notes), key=lambda row: row[0].start):
        start, end = canvas.seconds(sung.start, sung.end)
        given = get_dict(row.get("attributes") or {}, f"{sung.place}: attributes")
        told = {
            name: get_number(given[name], f"{sung.place}: {name}", -1e3, 1e3)
            for name in _USUAL
            if given.get(name) is not None
        }
        pitch = sung.pitch + get_number(row.get("detune") or 0, f"{sung.place}: detune", -1200, 1200) / 100
        span = canvas.note(sung.start, sung.end, pitch)
        value = _USUAL | told
        if any("Vbr" in name for name in told):
            canvas.bend[span] += _vibrato(canvas.time[span] - start, end - start, value) * envelope[span]
        canvas.bent[span] |= any(told.values()) or pitch != sung.pitch or canvas.bent[span].any()
        spans.append(span)
        if before is not None and abs(before[1] - start) < 1e-6 and before[2] != pitch:
            turn = start + value["tF0Offset"]
            first = min(max(turn - max(value["tF0Left"], 0.0), before[0]), end)
            last = min(max(turn + max(value["tF0Right"], 0.0), first), end)
            canvas.slide(first, last, start, pitch - before[2])
        before = (start, end, pitch)


def _vibrato(time: np.ndarray, length: float, value: Mapping[str, float]) -> np.ndarray:
    """Semitones at times from a note's start."""
    since = time - value["tF0VbrStart"]
    wave = value["dF0Vbr"] / 2 * np.sin(2 * math.pi * value["fF0Vbr"] * since + value["pF0Vbr"])
    rise, fall = since / max(value["tF0VbrLeft"], 1e-9), (length - time) / max(value["tF0VbrRight"], 1e-9)
    return np.where(since < 0, 0.0, wave * np.minimum(rise, fall).clip(0, 1))
