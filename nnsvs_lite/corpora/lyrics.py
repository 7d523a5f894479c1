"""Corpora of phrases with their lyrics as text, and no scores: stage 1 aligns them and drafts the scores."""

import os

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError


def prepare(
    db_root: str | os.PathLike,
    out: str | os.PathLike,
    *,
    facts: Facts,
    split: str | None = None,
    bad_songs: str | None = None,
    **options,
) -> dict[str, DataDir]:
    """Writes ``out/{train,dev,eval}`` of the corpus' own phrases without scores and labels.

    Raises as :class:`Gathering`.
    """
    corpus = Gathering(facts, db_root, out, bad_songs)
    for found in corpus.songs():
        with corpus.song(found.name):
            text = " ".join(read_text(found.files["text"]).lstrip("\ufeff").split())
            if not text:
                raise DataError("holds no lyrics", found.files["text"])
            corpus.add_text(found, found.files["wav"], text, facts.languages[0])
    return corpus.finish(split=split, cut=False, **options)
