"""VOCALOID 5 and 6 sequences (``.vpr``, a zip with ``Project/sequence.json``) to a score.

- *parts* are tracks: all parts of a track together. Audio tracks are none.
- *lyrics*: as in :mod:`nnsvs_lite.score.formats.vsqx`.
- phonemes typed by hand, velocity, controllers, vibrato and styles are left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.projects import Group, Names, breath, sing_project
from nnsvs_lite.score.formats.rawfile import get_dict, get_rows, naming, parse_json, read_bytes
from nnsvs_lite.score.formats.xmlfile import unpack
from nnsvs_lite.score.types import Score

_NAMES = Names(
    ("pos", "value"), ("bar", "numer", "denom"), ("pos", "duration", "number", "lyric"), tempo_unit=0.01
)


def read_vpr(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a VOCALOID 5 or 6 sequence; phones are attached later.

    ``part`` is the number from 1 or name of the track; the first with lyrics if not given.
    Raises DataError where it is no score that can be sung; names file, track and note.
    """
    with naming(path):
        data = read_bytes(path)
        if data[:2] != b"PK":
            raise DataError("not a VOCALOID sequence (.vpr): it is not a zip file")
        value = get_dict(parse_json(unpack(data, Path(path), _sequence)), "the sequence")
        master = get_dict(value.get("masterTrack"), "masterTrack")
        tempo, metre = (
            get_dict(master.get(name, {}), f"masterTrack.{name}") for name in ("tempo", "timeSig")
        )
        tempi = get_rows(tempo.get("events"), "masterTrack.tempo.events")
        whole = tempo.get("global")
        if isinstance(whole, dict) and (whole.get("isEnabled") is True or not tempi) and "value" in whole:
            tempi = [{"value": whole["value"]}]
        metres = get_rows(metre.get("events"), "masterTrack.timeSig.events")
        tracks = []
        for number, row in enumerate(get_rows(value.get("tracks"), "tracks"), 1):
            place = f"track {number}"
            parts = get_rows(row.get("parts"), f"{place}: parts")
            groups = [
                Group(place, get_rows(p.get("notes"), f"{place}: notes"), p.get("pos", 0)) for p in parts
            ]
            tracks.append((row.get("name"), groups))
        title = value.get("title")
        return sing_project(_NAMES, tempi, metres, tracks, part=part, lang=lang, title=title, lyric=breath)


def _sequence(names: list[str], _read: Callable[[str], bytes]) -> str:
    """The project in the zip; VOCALOID on Windows writes backslashes."""
    for name in names:
        if name.replace("\\", "/") == "Project/sequence.json":
            return name
    raise DataError("not a VOCALOID sequence: the zip file holds no Project/sequence.json")
