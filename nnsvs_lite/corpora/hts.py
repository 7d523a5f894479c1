"""Corpora of whole songs with phone labels (HTS ``.lab``) and a score file each.

Their trees, units and known faults are in ``conf/corpus/*.yaml``; a corpus of this kind needs no module.
"""

from nnsvs_lite.corpus.check_audio import audio_info
from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.io.errors import DataError


def read(corpus: Gathering) -> None:
    """Adds all songs; the tree has ``wav``, ``label`` and ``score``."""
    lang = corpus.facts.languages[0]
    for found in corpus.songs():
        wav, label = found.files["wav"], found.files["label"]
        with corpus.song(found.name) as remarks:
            info = audio_info(wav)
            if info.fault:
                raise DataError(f"audio: {info.fault}", wav)
            rows = corpus.labels(found, remarks, lang, info.seconds)
            score = corpus.score(found.files["score"], found.song, remarks, lang)
            corpus.add(found, wav, score, rows, remarks, where=label)
