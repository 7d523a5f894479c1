"""VOCALOID 3 to 6 sequences to a score: ``.vsqx`` (XML; root ``vsq3``, or ``vsq4`` with short names) and
``.vpr`` (a zip with the JSON ``Project/sequence.json``). All musical parts of a track are read together.
Positions in VSQX count from the bars before the piece (``preMeasure``), which are left out.

Pitch is drawn on notes where the pitch bend is not 0: the note's pitch, slopes of 0.07 s to either side
between notes that touch, and the bend, of whose 8192 steps the sensitivity says how many semitones they
are (2 without). Dynamics of 64 change no loudness; others are amplitudes in proportion.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.drawn import Canvas
from nnsvs_lite.score.formats.projects import FORMS, Group, Laid, Project, breath, read_project, xml_rows
from nnsvs_lite.score.formats.rawfile import get_dict, get_number, get_rows, parse_json, read_bytes
from nnsvs_lite.score.formats.xmlfile import read_xml, unpack


def read_vsqx(path: str | os.PathLike, *, lang: str = "ja") -> Project:
    """The tracks of a VOCALOID 3 or 4 sequence.

    Raises DataError where it is none, or damaged; names track and note.
    """
    root = read_xml(path)
    if root.tag not in ("vsq3", "vsq4"):
        raise DataError(f"not a VOCALOID sequence (vsq3 or vsq4): its root element is <{root.tag}>")
    names = FORMS[root.tag]
    name, part_tag, offset = names.track
    master = root.find("masterTrack")
    if master is None:
        raise DataError("not a VOCALOID sequence: it has no masterTrack")
    ticks = int(get_number(master.findtext("resolution", "480"), "resolution", 1, 1e6))
    tracks = []
    for number, track in enumerate(root.findall("vsTrack"), 1):
        parts = track.findall(part_tag)
        groups = [Group(f"track {number}", item, item.findtext(offset)) for item in parts]
        tracks.append((track.findtext(name), groups))
    return read_project(
        names._replace(ticks=ticks),
        xml_rows(master, "tempo"),
        xml_rows(master, "timeSig"),
        tracks,
        lang=lang,
        title=master.findtext("seqName"),
        lyric=breath,
        skipped=int(get_number(master.findtext("preMeasure", "0"), "preMeasure", 0, 1000)),
        draw=lambda canvas, laid: _draw(canvas, laid, ticks),
    )


def read_vpr(path: str | os.PathLike, *, lang: str = "ja") -> Project:
    """The tracks of a VOCALOID 5 or 6 sequence; as :func:`read_vsqx`."""
    data = read_bytes(path)
    if data[:2] != b"PK":
        raise DataError("not a VOCALOID sequence (.vpr): it is not a zip file")
    value = get_dict(parse_json(unpack(data, Path(path), _sequence)), "the sequence")
    master = get_dict(value.get("masterTrack"), "masterTrack")
    tempo, metre = (get_dict(master.get(name, {}), f"masterTrack.{name}") for name in ("tempo", "timeSig"))
    tempi = get_rows(tempo.get("events"), "masterTrack.tempo.events")
    whole = tempo.get("global")
    if isinstance(whole, dict) and (whole.get("isEnabled") is True or not tempi) and "value" in whole:
        tempi = [{"value": whole["value"]}]
    metres = get_rows(metre.get("events"), "masterTrack.timeSig.events")
    tracks = []
    for number, row in enumerate(get_rows(value.get("tracks"), "tracks"), 1):
        parts = get_rows(row.get("parts"), f"track {number}: parts")
        groups = [Group(f"track {number}", item, item.get("pos", 0)) for item in parts]
        tracks.append((row.get("name"), groups))
    title = value.get("title")
    return read_project(
        FORMS["vpr"],
        tempi,
        metres,
        tracks,
        lang=lang,
        title=title,
        lyric=breath,
        draw=lambda canvas, laid: _draw(canvas, laid, FORMS["vpr"].ticks),
    )


def _sequence(names: list[str], _read: Callable[[str], bytes]) -> str:
    """The project in the zip; VOCALOID on Windows writes backslashes."""
    for name in names:
        if name.replace("\\", "/") == "Project/sequence.json":
            return name
    raise DataError("not a VOCALOID sequence: the zip file holds no Project/sequence.json")


_BEND, _REACH, _LOUD = "pitch bend", "pitch bend sensitivity", "dynamics"
_CALLED = {"PIT": _BEND, "P": _BEND, "pitchBend": _BEND, "PBS": _REACH, "S": _REACH, "pitchBendSens": _REACH}
_CALLED |= {"DYN": _LOUD, "D": _LOUD, "dynamics": _LOUD}
_SLOPE = 0.07
_SOFTEST = 1e-3
"""Amplitude of dynamics of 0: -60 dB."""


def _draw(canvas: Canvas, laid: Sequence[Laid], ticks: int) -> None:
    for part in laid:
        if not part.notes:
            continue
        ends = [float(part.notes[0][0].start), *(float(sung.end) for sung, _ in part.notes)]
        curves: dict[str, tuple[slice, np.ndarray]] = {}
        events: dict[str, list[tuple[float, float]]] = {}
        for name, at, value in _events(part.group):
            events.setdefault(name, []).append((float(part.offset) + at / ticks, value))
        for name, usual in ((_BEND, 0.0), (_REACH, 2.0), (_LOUD, 64.0)):
            rows = sorted(events.get(name, []), key=lambda row: row[0])
            begin, end = min(ends[0], *(at for at, _ in rows[:1]), *ends), max(ends)
            rows = [(begin, usual), *rows]
            rows.append((max(end, rows[-1][0]), rows[-1][1]))
            curves[name] = canvas.line(*np.array(rows).T, "steps", outside=usual)
        span, loud = curves[_LOUD]
        canvas.move("loudness_change", span, 20 * np.log10(np.maximum(loud / 64, _SOFTEST)))
        bend, reach = np.zeros(len(canvas.time)), np.full(len(canvas.time), 2.0)
        bend[curves[_BEND][0]], reach[curves[_REACH][0]] = curves[_BEND][1], curves[_REACH][1]
        canvas.bend += bend / 8192 * reach
    before: tuple[float, float, float] | None = None
    for sung, _ in sorted((row for part in laid for row in part.notes), key=lambda row: row[0].start):
        start, end = canvas.seconds(sung.start, sung.end)
        span = canvas.note(sung.start, sung.end, sung.pitch)
        canvas.bent[span] |= (np.abs(canvas.bend[span]) > 0).any()
        if before is not None and abs(before[1] - start) < 1e-6 and before[2] != sung.pitch:
            sides = max(start - _SLOPE, before[0]), min(start + _SLOPE, end)
            canvas.slide(*sides, start, sung.pitch - before[2])
        before = (start, end, sung.pitch)


def _events(group: Group) -> Iterator[tuple[str, float, float]]:
    """Name, tick and value of each event of a part that can be drawn."""
    rows: list[tuple[Any, Any, Any]] = []
    if isinstance(group.source, Element):
        for event in (*group.source.iterfind("cc"), *group.source.iterfind("mCtrl")):
            at, told = (
                (event.findtext(tag) for tag in ("t", "posTick")),
                (event.find(t) for t in ("v", "attr")),
            )
            value = next((item for item in told if item is not None), None)
            if value is not None:
                rows.append((value.get("id"), next(filter(None, at), None), value.text))
    else:
        for controller in get_rows(group.source.get("controllers"), f"{group.place}: controllers"):
            for event in get_rows(controller.get("events"), f"{group.place}: controllers"):
                rows.append((controller.get("name"), event.get("pos"), event.get("value")))
    for name, at, value in rows:
        if called := _CALLED.get(str(name)):
            place = f"{group.place}: {called}"
            yield called, get_number(at, f"{place}: its place"), get_number(value, place, -8192, 8192)
