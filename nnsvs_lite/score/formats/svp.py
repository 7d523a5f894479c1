"""Synthesizer V Studio projects (``.svp``, JSON) to a score.

Format after the files that Synthesizer V Studio 1 and 2 write: times in blicks
(705,600,000 a quarter), ``tracks`` with a ``mainGroup`` and references to groups of
notes in the ``library``.

- *parts* are tracks: the notes of its main group and of all groups placed on it, each
  moved by the reference's ``blickOffset`` and ``pitchOffset``. Instrumental references
  are left out.
- *lyrics*: ``-`` holds on, ``+`` sings the next syllable of the word (kept as lyric in
  languages that space words, holding on in others), ``br`` is a breath.
- phonemes typed by hand, parameter curves, vibrato and takes are left out.
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import Sung, assemble, bar_positions, choose_part, timeline_of
from nnsvs_lite.score.formats.limits import MAX_TEXT_BYTES, checked_count
from nnsvs_lite.score.formats.rawfile import (
    get_dict,
    get_number,
    get_rows,
    get_text,
    naming,
    parse_json,
    read_bytes,
)
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Score

BLICKS = 705_600_000


def read_svp(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a Synthesizer V project; phones are attached later.

    Args:
        path: ``.svp``.
        lang: language of the lyrics, kept in the score.
        part: number from 1 or name of the track; the first with lyrics if not given.

    Raises:
        DataError: where the file is not a score that can be sung; names file, track
            and note.
    """
    with naming(path):
        value = parse_json(read_bytes(path, MAX_TEXT_BYTES))
        if not isinstance(value, dict) or "tracks" not in value:
            raise DataError("not a Synthesizer V project: it has no tracks")
        timeline = _timeline(get_dict(value.get("time"), "time"))
        library = {
            str(group.get("uuid")): group.get("notes") for group in get_rows(value.get("library"), "library")
        }
        names, tracks = [], []
        for number, row in enumerate(get_rows(value["tracks"], "tracks"), 1):
            notes = _track(row, library, f"track {number}")
            if notes:
                names.append(get_text(row.get("name")))
                tracks.append(notes)
        counts = [sum(bool(note.lyric) for note in notes) for notes in tracks]
        return assemble(tracks[choose_part(part, names, counts)], timeline, lang=lang)


def _timeline(time: dict[str, Any]) -> Timeline:
    tempi = [
        (_quarters(row.get("position", 0), "a tempo's position"), get_number(row.get("bpm"), "a tempo's bpm"))
        for row in get_rows(time.get("tempo"), "time.tempo")
    ]
    metres = [
        (
            int(get_number(row.get("index", 0), "a time signature's index", 0, 1e6)),
            int(get_number(row.get("numerator"), "a time signature's numerator", 0, 1e6)),
            int(get_number(row.get("denominator"), "a time signature's denominator", 0, 1e6)),
        )
        for row in get_rows(time.get("meter"), "time.meter")
    ]
    return timeline_of(tempi, bar_positions(metres))


def _quarters(value: Any, what: str) -> Fraction:
    # Positions past 2**53 blicks lie beyond any score; floats come from scripts.
    return Fraction(round(get_number(value, what, -1e15, 1e15))) / BLICKS


def _track(track: dict[str, Any], library: dict[str, Any], place: str) -> list[Sung]:
    """Notes of all groups on a track."""
    placed = []
    if isinstance(track.get("mainGroup"), dict):
        # Some converters give the main group another name than its reference.
        placed.append((track["mainGroup"].get("notes"), track.get("mainRef") or {}))
    for reference in get_rows(track.get("groups"), f"{place}: groups"):
        name = str(reference.get("groupID"))
        if name not in library:
            raise DataError(f"{place}: it refers to a group {name[:40]!r} that the file does not hold")
        placed.append((library[name], reference))
    notes: list[Sung] = []
    for group, reference in placed:
        reference = get_dict(reference, f"{place}: a group's reference")
        if reference.get("isInstrumental") is True:
            continue
        offset = _quarters(reference.get("blickOffset", 0), f"{place}: blickOffset")
        pitch = get_number(reference.get("pitchOffset", 0), f"{place}: pitchOffset", -200, 200)
        rows = get_rows(group, f"{place}: notes")
        # A file can place one group many thousand times.
        checked_count(len(notes) + len(rows))
        notes += [_note(row, offset, pitch, f"{place}, note {i}") for i, row in enumerate(rows, 1)]
    return notes


def _note(row: dict[str, Any], offset: Fraction, pitch: float, place: str) -> Sung:
    return Sung(
        offset + _quarters(row.get("onset"), f"{place}: onset"),
        _quarters(row.get("duration"), f"{place}: duration"),
        pitch + get_number(row.get("pitch"), f"{place}: pitch", -1e4, 1e4),
        get_text(row.get("lyrics")),
        place=place,
    )
