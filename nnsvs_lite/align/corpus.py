"""What stage 1 aligns: the data dirs of a run, each table read once."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir, sort_ids
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import read_table
from nnsvs_lite.score.types import Score

GIVEN = "score.given"
"""The score table as it was before breaths were carved into it."""


@dataclass
class AlignCorpus:
    """All data dirs of a run; utterances are unique across them."""

    dirs: dict[Path, DataDir] = field(default_factory=dict)  # by path
    of: dict[str, DataDir] = field(default_factory=dict)  # data dir by utterance
    scores: dict[str, Score] = field(default_factory=dict)  # by utterance, as stage 0 gave them
    given: dict[str, list[Segment]] = field(default_factory=dict)  # labels that came with the corpus
    durations: dict[str, float] = field(default_factory=dict)  # seconds of audio by utterance
    utts: list[str] = field(default_factory=list)  # in order


def read_corpus(paths: Sequence[Path]) -> AlignCorpus:
    """Reads data dirs as stage 0 left them: an ``align.ctm`` of an earlier run is not looked at.

    Raises DataError where one cannot be read or an utterance stands in two of them.
    """
    corpus = AlignCorpus()
    for path in paths:
        data = DataDir.read(path)
        if (path / GIVEN).exists():
            rows = read_table(path / GIVEN).items()
            given = {utt: Score.from_json(line, f"{path / GIVEN}: {utt}") for utt, line in rows}
            data = dataclasses.replace(data, scores={**data.scores, **given})
        corpus.dirs[path] = data
        if data.label_name == "label.ctm":
            corpus.given.update(data.labels)
        elif (path / "label.ctm").exists():
            corpus.given.update(read_ctm(path / "label.ctm"))
        for utt in data.utts:
            if utt in corpus.of:
                raise DataError(f"{utt} stands in {corpus.of[utt].path} too", path)
            corpus.of[utt] = data
            corpus.durations[utt] = data.duration(utt)
        corpus.scores.update(data.scores)
    corpus.utts = sort_ids(corpus.of)
    return corpus
