"""Synthesizer V Studio projects (``.svp``, JSON) to a score: ``tracks`` with a ``mainGroup`` and references
to groups of notes in the ``library``, as Synthesizer V Studio 1 and 2 write them; times in blicks."""

import os
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_TEXT_BYTES
from nnsvs_lite.score.formats.projects import FORMS, Group, sing_project
from nnsvs_lite.score.formats.rawfile import get_dict, get_rows, parse_json, read_bytes
from nnsvs_lite.score.types import Score


def read_svp(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a Synthesizer V project; phones are attached later.

    Raises DataError where it is no score that can be sung; names track and note.
    """
    value = parse_json(read_bytes(path, MAX_TEXT_BYTES))
    if not isinstance(value, dict) or "tracks" not in value:
        raise DataError("not a Synthesizer V project: it has no tracks")
    time = get_dict(value.get("time"), "time")
    tempi, metres = (get_rows(time.get(name), f"time.{name}") for name in ("tempo", "meter"))
    library = {str(row.get("uuid")): row for row in get_rows(value.get("library"), "library")}
    tracks = [
        (row.get("name"), _groups(row, library, f"track {number}"))
        for number, row in enumerate(get_rows(value["tracks"], "tracks"), 1)
    ]
    return sing_project(FORMS["svp"], tempi, metres, tracks, part=part, lang=lang)


def _groups(track: dict[str, Any], library: dict[str, Any], place: str) -> list[Group]:
    """All groups placed on a track."""
    placed = []
    if isinstance(track.get("mainGroup"), dict):
        # Some converters give the main group another name than its reference.
        placed.append((track["mainGroup"], track.get("mainRef") or {}))
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
