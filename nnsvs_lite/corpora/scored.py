"""Corpora of whole songs with a score file each and no phone times: stage 1 aligns."""

import os

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.corpus.gather import Gathering


def prepare(
    db_root: str | os.PathLike,
    out: str | os.PathLike,
    *,
    facts: Facts,
    split: str | None = None,
    bad_songs: str | None = None,
    **options,
) -> dict[str, DataDir]:
    """Writes ``out/{train,dev,eval}`` of whole songs without labels. Raises as :class:`Gathering`."""
    corpus = Gathering(facts, db_root, out, bad_songs)
    for found in corpus.songs():
        with corpus.song(found.name) as remarks:
            score = corpus.score(found.files["score"], found.song, remarks, facts.languages[0])
            corpus.add(found, found.files["wav"], score, [], remarks)
    return corpus.finish(split=split, **options)
