"""VOCALOID 3 to 6 sequences to a score: ``.vsqx`` (XML; root ``vsq3``, or ``vsq4`` with short names) and
``.vpr`` (a zip with the JSON ``Project/sequence.json``). All musical parts of a track are read together.
Positions in VSQX count from the bars before the piece (``preMeasure``), which are left out."""

import os
from collections.abc import Callable
from pathlib import Path

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.projects import FORMS, Group, breath, sing_project, xml_rows
from nnsvs_lite.score.formats.rawfile import get_dict, get_number, get_rows, parse_json, read_bytes
from nnsvs_lite.score.formats.xmlfile import read_xml, unpack
from nnsvs_lite.score.types import Score


def read_vsqx(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a VOCALOID 3 or 4 sequence; phones are attached later.

    Raises DataError where it is no score that can be sung; names track and note.
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
    return sing_project(
        names._replace(ticks=ticks),
        xml_rows(master, "tempo"),
        xml_rows(master, "timeSig"),
        tracks,
        part=part,
        lang=lang,
        title=master.findtext("seqName"),
        lyric=breath,
        skipped=int(get_number(master.findtext("preMeasure", "0"), "preMeasure", 0, 1000)),
    )


def read_vpr(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a VOCALOID 5 or 6 sequence; as :func:`read_vsqx`."""
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
    return sing_project(FORMS["vpr"], tempi, metres, tracks, part=part, lang=lang, title=title, lyric=breath)


def _sequence(names: list[str], _read: Callable[[str], bytes]) -> str:
    """The project in the zip; VOCALOID on Windows writes backslashes."""
    for name in names:
        if name.replace("\\", "/") == "Project/sequence.json":
            return name
    raise DataError("not a VOCALOID sequence: the zip file holds no Project/sequence.json")
