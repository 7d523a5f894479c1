"""VOCALOID 5 and 6 sequences (``.vpr``, a zip with ``Project/sequence.json``) to a score.

- *parts* are tracks: all parts of a track together. Audio tracks are none.
- *lyrics*: as in :mod:`nnsvs_lite.score.formats.vsqx`.
- phonemes typed by hand, velocity, controllers, vibrato and styles are left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import Sung, assemble, bar_positions, choose_part, timeline_of
from nnsvs_lite.score.formats.limits import checked_count
from nnsvs_lite.score.formats.rawfile import (
    get_dict,
    get_number,
    get_rows,
    get_text,
    naming,
    parse_json,
    read_bytes,
)
from nnsvs_lite.score.formats.xmlfile import unpack
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Score

TICKS = 480


def read_vpr(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a VOCALOID 5 or 6 sequence; phones are attached later.

    Args:
        path: ``.vpr``.
        lang: language of the lyrics, kept in the score.
        part: number from 1 or name of the track; the first with lyrics if not given.

    Raises:
        DataError: where the file is not a score that can be sung; names file, track
            and note.
    """
    with naming(path):
        data = read_bytes(path)
        if data[:2] != b"PK":
            raise DataError("not a VOCALOID sequence (.vpr): it is not a zip file")
        value = get_dict(parse_json(unpack(data, Path(path), _sequence)), "the sequence")
        timeline = _timeline(get_dict(value.get("masterTrack"), "masterTrack"))
        names, tracks = [], []
        for number, row in enumerate(get_rows(value.get("tracks"), "tracks"), 1):
            notes = _track(row, f"track {number}")
            if notes:
                names.append(get_text(row.get("name")))
                tracks.append(notes)
        counts = [sum(bool(note.lyric) for note in notes) for notes in tracks]
        index = choose_part(part, names, counts)
        return assemble(tracks[index], timeline, lang=lang, title=get_text(value.get("title")))


def _sequence(names: list[str], _read: Callable[[str], bytes]) -> str:
    """The project in the zip; VOCALOID on Windows writes backslashes."""
    for name in names:
        if name.replace("\\", "/") == "Project/sequence.json":
            return name
    raise DataError("not a VOCALOID sequence: the zip file holds no Project/sequence.json")


def _timeline(master: dict[str, Any]) -> Timeline:
    tempo = get_dict(master.get("tempo", {}), "masterTrack.tempo")
    tempi = [
        (
            Fraction(get_number(row.get("pos", 0), "a tempo's pos", 0, 1e12)) / TICKS,
            get_number(row.get("value"), "a tempo's value") / 100,
        )
        for row in get_rows(tempo.get("events"), "masterTrack.tempo.events")
    ]
    whole = tempo.get("global")
    if isinstance(whole, dict) and (whole.get("isEnabled") is True or not tempi) and "value" in whole:
        tempi = [(Fraction(0), get_number(whole["value"], "the global tempo") / 100)]
    metre = get_dict(master.get("timeSig", {}), "masterTrack.timeSig")
    metres = [
        (
            int(get_number(row.get("bar", 0), "a time signature's bar", 0, 1e6)),
            int(get_number(row.get("numer"), "a time signature's numer", 0, 1e6)),
            int(get_number(row.get("denom"), "a time signature's denom", 0, 1e6)),
        )
        for row in get_rows(metre.get("events"), "masterTrack.timeSig.events")
    ]
    return timeline_of(tempi, bar_positions(metres))


def _track(track: dict[str, Any], place: str) -> list[Sung]:
    notes: list[Sung] = []
    for part in get_rows(track.get("parts"), f"{place}: parts"):
        offset = get_number(part.get("pos", 0), f"{place}: a part's pos", 0, 1e12)
        rows = get_rows(part.get("notes"), f"{place}: notes")
        checked_count(len(notes) + len(rows))
        for row in rows:
            where = f"{place}, note {len(notes) + 1}"
            start = get_number(row.get("pos"), f"{where}: pos", -1e12, 1e12)
            length = get_number(row.get("duration"), f"{where}: duration", -1e12, 1e12)
            pitch = get_number(row.get("number"), f"{where}: number", -1e4, 1e4)
            lyric = get_text(row.get("lyric"))
            lyric = "br" if lyric.lower() == "asp" else lyric
            notes.append(
                Sung(Fraction(offset + start) / TICKS, Fraction(length) / TICKS, pitch, lyric, place=where)
            )
    return notes
