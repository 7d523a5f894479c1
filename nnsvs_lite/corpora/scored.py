"""Corpora of whole songs with a score file each and no phone times: stage 1 aligns."""

from nnsvs_lite.corpus.gather import Gathering


def read(corpus: Gathering) -> None:
    """Adds all songs, without labels."""
    for found in corpus.songs():
        with corpus.song(found.name) as remarks:
            score = corpus.score(found.files["score"], found.song, remarks, corpus.facts.languages[0])
            corpus.add(found, found.files["wav"], score, [], remarks)
