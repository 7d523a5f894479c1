"""What stage 1 aligns: the data dirs of a run, each table read once."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnsvs_lite.align.draft import unplaced
from nnsvs_lite.corpus.datadir import DataDir, sort_ids
from nnsvs_lite.io.atomic import atomic_dir
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Score

GIVEN = "given"
"""Folder of a data dir with its tables as stage 0 left them, where stage 1 has changed them."""


@dataclass
class AlignCorpus:
    """All data dirs of a run; utterances are unique across them."""

    dirs: dict[Path, DataDir] = field(default_factory=dict)  # by path
    of: dict[str, DataDir] = field(default_factory=dict)  # data dir by utterance
    scores: dict[str, Score] = field(default_factory=dict)  # by utterance
    drafts: set[Path] = field(default_factory=set)  # data dirs of lyrics alone: their scores are drafts
    faults: dict[str, str] = field(default_factory=dict)  # by utterance: why its lyrics cannot be read
    given: dict[str, list[Segment]] = field(default_factory=dict)  # labels that came with the corpus
    durations: dict[str, float] = field(default_factory=dict)  # seconds of audio by utterance
    utts: list[str] = field(default_factory=list)  # in order


def read_corpus(paths: Sequence[Path]) -> AlignCorpus:
    """Reads data dirs as stage 0 left them: an ``align.ctm`` of an earlier run is not looked at.

    Raises DataError where one cannot be read or an utterance stands in two of them.
    """
    corpus = AlignCorpus()
    for path in paths:
        data = DataDir.read(given_tables(path))
        corpus.dirs[path] = data
        corpus.given.update(data.labels if data.label_name == "label.ctm" else data.given)
        for utt in data.utts:
            if utt in corpus.of:
                raise DataError(f"{utt} stands in {corpus.of[utt].path} too", path)
            corpus.of[utt] = data
            corpus.durations[utt] = data.duration(utt)
        if not data.scores and data.text:
            corpus.drafts.add(path)
            for utt in data.utts:
                try:
                    if utt not in data.text or utt not in data.utt2lang:
                        raise DataError("has no score, and no line in text or in utt2lang")
                    data.scores[utt] = unplaced(data.text[utt], data.utt2lang[utt], utt)
                except DataError as error:
                    corpus.faults[utt] = error.what
        corpus.scores.update(data.scores)
    corpus.utts = sort_ids(corpus.of)
    return corpus


def given_tables(path: Path) -> Path:
    """The folder of a data dir's tables as stage 0 left them."""
    return path / GIVEN if (path / GIVEN).is_dir() else path


def write_back(path: Path, data: DataDir) -> None:
    """Writes a data dir's tables in place of those that stage 0 left, which are kept."""
    if not (path / GIVEN).exists():
        with atomic_dir(path / GIVEN) as kept:
            for table in sorted(p for p in path.iterdir() if p.is_file() and p.name != "align.ctm"):
                shutil.copy2(table, kept / table.name)
    made = data.write(path / ".made").path
    for table in sorted(made.iterdir(), reverse=True):  # align.ctm last: without it the stage is not done
        table.replace(path / table.name)
    made.rmdir()


def restore(path: Path) -> None:
    """Undoes :func:`write_back`."""
    if (path / GIVEN).is_dir():
        for table in sorted((path / GIVEN).iterdir()):
            table.replace(path / table.name)
        (path / GIVEN).rmdir()
