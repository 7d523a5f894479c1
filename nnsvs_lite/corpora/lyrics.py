"""Corpora of phrases with their lyrics as text, and no scores: stage 1 aligns them and drafts the scores."""

from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError


def read(corpus: Gathering) -> None:
    """Adds the corpus' own phrases, without scores and labels."""
    for found in corpus.songs():
        with corpus.song(found.name):
            text = " ".join(read_text(found.files["text"]).lstrip("\ufeff").split())
            if not text:
                raise DataError("holds no lyrics", found.files["text"])
            corpus.add_text(found, found.files["wav"], text, corpus.facts.languages[0])
