"""Corpora of whole songs with phone labels (HTS ``.lab``) and a score file each.

Their trees, units and known faults are in ``conf/corpus/*.yaml``; a corpus of this kind needs no module.
"""

import os

from nnsvs_lite.corpus.check_audio import audio_info
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.corpus.gather import Gathering
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
    """Writes ``out/{train,dev,eval}`` and ``out/reconciled.txt``.

    Args:
        facts: of the corpus; its tree has ``wav``, ``label`` and ``score``.
        split, bad_songs, options: as for :class:`Gathering` and its ``finish``.

    Raises DataError where ``db_root`` is not this corpus, and where songs of it cannot be used.
    """
    corpus = Gathering(facts, db_root, out, bad_songs)
    lang = facts.languages[0]
    for found in corpus.songs():
        wav, label = found.files["wav"], found.files["label"]
        with corpus.song(found.name) as remarks:
            info = audio_info(wav)
            if info.fault:
                raise DataError(f"audio: {info.fault}", wav)
            rows = corpus.labels(found, remarks, lang, info.seconds)
            score = corpus.score(found.files["score"], found.song, remarks, lang)
            corpus.add(found, wav, score, rows, remarks, where=label)
    return corpus.finish(split=split, **options)
