"""The scores that come with the toolkit: etudes to train on, and songs in the public domain to test on.

The etudes' words mean nothing: they were chosen so that every phone is sung at least fifteen times in
the sixty. The songs were written down from how they are commonly sung, with rests where one breathes;
no printed edition was copied. Each file's ``rights`` say who wrote it and since when it is free, by the
terms of Japan, where a work was free fifty years after its author's death if that was before 1968.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

FOLDER = Path(__file__).parent / "scores"
"""``{train,dev,eval}/<name>.musicxml``: etudes in train, songs in dev and eval."""


@dataclass(frozen=True)
class Sheet:
    """One of the MusicXML files.

    Attributes:
        path: the file; its stem is the name, its folder the part of the corpus. title: for people.
        rights: authors and years, one sentence.
    """

    path: Path
    title: str
    rights: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def part(self) -> str:
        return self.path.parent.name


def _sheets(*parts: str) -> Iterator[Sheet]:
    for part in parts:
        for path in sorted((FOLDER / part).glob("*.musicxml")):
            root = ElementTree.parse(path).getroot()
            title, rights = (root.findtext(p, "") for p in ("work/work-title", "identification/rights"))
            yield Sheet(path, title, rights)


@functools.cache
def etudes() -> tuple[Sheet, ...]:
    """All etudes, in order."""
    return tuple(_sheets("train"))


@functools.cache
def songs() -> tuple[Sheet, ...]:
    """All songs, those of dev first."""
    return tuple(_sheets("dev", "eval"))
