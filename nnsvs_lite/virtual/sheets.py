"""The scores that come with the toolkit: etudes to train on, and songs in the public domain to test on.

The etudes' words mean nothing: they were chosen so that every phone is sung at least fifteen times in
the sixty. The songs were written down from how they are commonly sung, with rests where one breathes;
no printed edition was copied. Each file's ``rights`` say who wrote it and since when it is free, by the
terms of Japan, where a work was free fifty years after its author's death if that was before 1968.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

FOLDER = Path(__file__).parent / "scores"
"""``{train,dev,eval}/<name>.musicxml``: etudes in train, songs in dev and eval."""


class Sheet(NamedTuple):
    """One of the MusicXML files; ``rights`` is a sentence with authors and years."""

    path: Path
    title: str
    rights: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def part(self) -> str:
        """Of the corpus: train, dev or eval."""
        return self.path.parent.name


def _sheets(*parts: str) -> Iterator[Sheet]:
    for path in (path for part in parts for path in sorted((FOLDER / part).glob("*.musicxml"))):
        root = ElementTree.parse(path).getroot()
        yield Sheet(path, *(root.findtext(p, "") for p in ("work/work-title", "identification/rights")))


@functools.cache
def etudes() -> tuple[Sheet, ...]:
    """All etudes, in order."""
    return tuple(_sheets("train"))


@functools.cache
def songs() -> tuple[Sheet, ...]:
    """All songs, those of dev first."""
    return tuple(_sheets("dev", "eval"))
