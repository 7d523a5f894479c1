"""One door for every score format: the reader is picked by the file name's suffix."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Score

READERS = {
    ".musicxml": ("nnsvs_lite.score.musicxml", "read_musicxml"),
    ".xml": ("nnsvs_lite.score.musicxml", "read_musicxml"),
    ".mxl": ("nnsvs_lite.score.musicxml", "read_musicxml"),
}
"""For each suffix the module and function that reads it: ``read(path, *, lang, **options)``."""


def read_score(path: str | os.PathLike, *, lang: str = "ja", phones: bool = True, **options: Any) -> Score:
    """Reads a score of any known format, with phones.

    Args:
        path: score file.
        lang: language of the lyrics.
        phones: whether to turn lyrics into phones; without, any language can be read.
        options: what the format's reader takes, such as ``part`` and ``verse``.

    Raises:
        DataError: where the file cannot be read, its format is unknown, or a lyric
            cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        hint = nearest(path.suffix.lower(), READERS)
        raise DataError(
            f"no reader for score files named *{path.suffix}{hint}; known: {', '.join(READERS)}", path
        )
    module, function = READERS[path.suffix.lower()]
    reader = getattr(importlib.import_module(module), function)
    score = reader(path, lang=lang, **options)
    return attach_phones(score, where=path) if phones else score
