"""What is known of a public corpus: ``conf/corpus/<name>.yaml`` and its splits, ``conf/split/<name>.yaml``.

Licence, where to get it, the tree of its files, its units and its known faults are data, which readers,
documentation and ``nnsvs-lite corpus`` share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.settings import config_names, find_config, read_settings

UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "100ns": 1e-7}
"""Units of label times, in seconds."""


@dataclass(frozen=True)
class Licence:
    """Attributes: name: of the licence, or what the terms are. commercial: whether they allow commercial use.
    credit: what they ask to be named. terms: what else binds who trains or shares a voice. url: their text.
    """

    name: str
    commercial: Literal["yes", "no", "ask"]
    credit: str = ""
    terms: str = ""
    url: str = ""


@dataclass(frozen=True)
class Get:
    """Attributes: where: page of the corpus. how: what to do there. urls: files that may be fetched by a
    program, unpacked into the corpus' folder.
    """

    where: str
    how: str = ""
    urls: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Quirk:
    """One known fault of a corpus.

    Attributes:
        song: its name in the tree.
        what: what is wrong, for people.
        source: who says so.
        labels: phones where the fault is, silences not counted; ``score``: lyrics of notes there, ``R`` for
            a rest.
        make: what they become. Phones or lyrics before and after that stay keep their times.
        nth: which of several such places, from 1; only one is expected if not given.
        pitch: MIDI number of the notes made.
        tempo: quarter notes a minute of a score that has none.
        begin: number of the label from 1 that the song begins with; what is before is cut off.
        drop: the song is left out.
    """

    song: str
    what: str
    source: str
    labels: str = ""
    score: str = ""
    make: str = ""
    nth: int = 0
    pitch: int = 0
    tempo: float = 0.0
    begin: int = 0
    drop: bool = False


@dataclass(frozen=True)
class Facts:
    """All that is known of one corpus.

    Attributes:
        name: of its YAML, and of its recipe.
        title: for people. languages: codes, or names of what has no code here. singers, size: for people.
        licence, get: see there.
        reader: module of :mod:`nnsvs_lite.corpora` that reads it to sing from. truth: one that reads pitch to
            score trackers by. Where both are empty, ``unsure`` says why.
        folder: name of its top folder; ``--db-root`` is that, or the folder it lies in.
        tree: of each kind of file (``wav``, ``label``, ``score``) its path in that folder, with ``{song}``,
            and perhaps ``{singer}`` and ``{part}``.
        optional: kinds of files that may be missing. elsewhere: kinds that are of another corpus, which may
            have more songs. song: regular expression of songs' names.
        unit: of label times.
        offsets: song to milliseconds by which labels are late against the score.
        readings: lyrics whose phones in the labels differ from the language's usual ones.
        phones: label names that mean another phone here; none for what is no phone, whose time goes to the
            one after it.
        quirks: known faults. unsure: what is not known of its form, for people. notes: for people.
        cite: the paper. features: the analysis that its recipe uses.
    """

    name: str
    title: str
    languages: list[str]
    singers: str
    size: str
    licence: Licence
    get: Get
    reader: str = ""
    truth: str = ""
    folder: str = ""
    tree: dict[str, str] = field(default_factory=dict)
    optional: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    song: str = r"[^/]+"
    unit: Literal["seconds", "milliseconds", "100ns"] = "100ns"
    offsets: dict[str, int] = field(default_factory=dict)
    readings: dict[str, str] = field(default_factory=dict)
    phones: dict[str, str | None] = field(default_factory=dict)
    quirks: list[Quirk] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cite: str = ""
    features: str = "world_48k"

    @property
    def recipe(self) -> str:
        """The kind of its recipe: ``svs1`` sings, ``pitch1`` scores trackers; empty where it has none."""
        return "svs1" if self.reader else "pitch1" if self.truth else ""

    @property
    def notice(self) -> str:
        """The text that goes with data and voices: licence, credit, limits."""
        use = {
            "yes": "Commercial use: allowed under these terms.",
            "no": "Commercial use: NOT allowed.",
            "ask": "Commercial use: only with the owners' consent.",
        }[self.licence.commercial]
        rows = [f"Corpus: {self.title}", f"Licence: {self.licence.name} {self.licence.url}".rstrip(), use]
        rows += [f"Credit: {self.licence.credit}"] if self.licence.credit else []
        rows += [f"Terms: {self.licence.terms}"] if self.licence.terms else []
        rows += [f"Source: {self.get.where}"]
        rows += [f"Please cite: {self.cite}"] if self.cite else []
        return "".join(f"{' '.join(row.split())}\n" for row in rows)

    @property
    def expected(self) -> str:
        """The exact tree, on one line, for messages."""
        top = f"{self.folder}/" if self.folder else ""
        return ", ".join(f"{top}{path}" for path in self.tree.values())


def read_facts(name: str | Path) -> Facts:
    """The facts of a corpus by its name, or from a YAML file.

    Raises DataError for an unknown corpus, and for a YAML that is wrong.
    """
    path = find_config("corpus", name)
    settings = read_settings(path)
    facts = settings.build(Facts, {"name": path.stem, **settings.value})
    if not (facts.recipe or facts.unsure):
        what = "reader is missing (hts reads whole songs with labels and scores); where there is none, unsure"
        raise settings.fault(f"{what} says why")
    return facts


def known_corpora(recipe: str = "svs1") -> list[str]:
    """Names of the corpora that have a YAML and a recipe of this kind; of an empty one, those without."""
    return [name for name in config_names("corpus") if read_facts(name).recipe == recipe]


@dataclass(frozen=True)
class Split:
    """Songs of dev and eval, by name; all others are for training.

    Attributes:
        source: whose split it is. dev_phrases: where it names no dev songs, how many of the last phrases of
            training are dev. every: where no songs are named, the first of every so many by singer and name
            is for eval, the second for dev.
    """

    source: str
    eval: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    dev_phrases: int | None = None
    every: int = 0


@dataclass(frozen=True)
class Splits:
    """Named splits of a corpus; ``default`` is used where none is asked for."""

    default: str
    splits: dict[str, Split]


def read_split(corpus: str, name: str | None = None) -> tuple[str, Split]:
    """A named split of a corpus, or its default one, with its name.

    Raises DataError where there is none of that name.
    """
    path: Any = find_config("split", corpus)
    splits = read_settings(path).build(Splits)
    name = splits.default if name is None else name
    if name not in splits.splits:
        known = ", ".join(splits.splits)
        raise DataError(f"no split {name!r}{nearest(name, splits.splits)}; there are {known}", path)
    return name, splits.splits[name]
