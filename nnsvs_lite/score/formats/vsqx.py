"""VOCALOID 3 and 4 sequences (``.vsqx``, XML) to a score.

Format after the files of VOCALOID 3 (root ``vsq3``) and 4 (root ``vsq4``, the same
with short names). Positions count from the beginning of the bars before the piece
(``preMeasure``), which are left out.

- *parts* are tracks: all musical parts of a track together.
- *lyrics*: ``-`` and ``ー`` hold on; a word goes on after ``-`` at its end (``hel-``);
  ``br`` and ``Asp`` are breaths.
- phonemes typed by hand, velocity (the speed of consonants), controllers and styles
  are left out.
"""

from __future__ import annotations

import os
from typing import Any
from xml.etree.ElementTree import Element

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.projects import Group, Names, breath, sing_project
from nnsvs_lite.score.formats.rawfile import get_number, naming
from nnsvs_lite.score.formats.xmlfile import read_xml
from nnsvs_lite.score.types import Score

_VERSIONS = {
    "vsq3": (
        Names(("posTick", "bpm"), ("posMes", "nume", "denomi"), ("posTick", "durTick", "noteNum", "lyric")),
        ("trackName", "musicalPart", "posTick"),
    ),
    "vsq4": (Names(("t", "v"), ("m", "nu", "de"), ("t", "dur", "n", "y")), ("name", "vsPart", "t")),
}
"""For each root element the names of fields, and those of a track's name, its parts and their position."""


def read_vsqx(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a VOCALOID 3 or 4 sequence; phones are attached later.

    ``part`` is the number from 1 or name of the track; the first with lyrics if not given.
    Raises DataError where it is no score that can be sung; names file, track and note.
    """
    with naming(path):
        root = read_xml(path)
        for element in root.iter():
            if isinstance(element.tag, str):
                element.tag = element.tag.rpartition("}")[2]
        if root.tag not in _VERSIONS:
            raise DataError(f"not a VOCALOID sequence (vsq3 or vsq4): its root element is <{root.tag}>")
        names, (name, part_tag, offset) = _VERSIONS[root.tag]
        master = root.find("masterTrack")
        if master is None:
            raise DataError("not a VOCALOID sequence: it has no masterTrack")
        ticks = int(get_number(master.findtext("resolution", "480"), "resolution", 1, 1e6))
        tracks = [
            (
                track.findtext(name),
                [
                    Group(f"track {number}", _rows(item, "note"), item.findtext(offset))
                    for item in track.findall(part_tag)
                ],
            )
            for number, track in enumerate(root.findall("vsTrack"), 1)
        ]
        return sing_project(
            names._replace(ticks=ticks, tempo_unit=0.01),
            _rows(master, "tempo"),
            _rows(master, "timeSig"),
            tracks,
            part=part,
            lang=lang,
            title=master.findtext("seqName"),
            lyric=breath,
            skipped=int(get_number(master.findtext("preMeasure", "0"), "preMeasure", 0, 1000)),
        )


def _rows(parent: Element, tag: str) -> list[dict[str, Any]]:
    return [{child.tag: child.text or "" for child in item} for item in parent.findall(tag)]
