"""JSUT-song: songs of NIT-SONG070 by another woman; full-context labels with sung times, and no scores."""

from dataclasses import replace

from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.corpus.kana import add_lyrics
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.htslabel import phone_of, read_full, read_lab


def read(corpus: Gathering) -> None:
    """Adds all songs.

    Phones and times are those of the corpus' labels; their notes are numbers of an unknown scale, so scores
    are those of NIT-SONG070's full-context labels for the same song.
    """
    for found in corpus.songs():
        with corpus.song(found.name) as remarks:
            label = found.files["label"]
            rows = [Segment(a, b, phone_of(context)) for a, b, context in read_lab(label)]
            if not all(row.label for row in rows):
                number = next(i for i, row in enumerate(rows, 1) if not row.label)
                raise DataError("not a full-context label", f"{label}:{number}")
            full = read_full(found.files["score"])
            remarks += full.remarks
            score = replace(add_lyrics(full.score), title=found.song)
            corpus.add(found, found.files["wav"], score, corpus.checked(rows, found, remarks, "ja"), remarks)
