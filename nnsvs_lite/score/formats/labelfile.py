"""Phone times in any of the forms that they are kept in."""

import os
import re
from pathlib import Path

from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.diffsinger import read_ds_times
from nnsvs_lite.score.formats.htslabel import HUNDRED_NS, read_lab

SUFFIXES = (".lab", ".txt", ".ctm", ".textgrid", ".ds")
_FULL_CONTEXT = re.compile(r"^[^@]*@[^^]*\^[^-]*-([^+]*)\+|^[^-/]*-([^+/]*)\+.*/A:")


def read_times(path: str | os.PathLike) -> list[Segment]:
    """Phone times as a file has them, in seconds from the song's beginning; order and gaps are left alone.

    ``.lab`` and ``.txt`` hold ``start end phone`` lines: whole numbers are 100 ns, as in HTS, numbers with a
    decimal point seconds; of full-context labels the phone is taken. ``.ctm`` holds one utterance. Of a
    ``.TextGrid`` the tier ``phones`` is read, and an interval without text is a pause; of ``.ds`` ``ph_dur``.

    Raises DataError where the file cannot be read, has another suffix, or holds no labels.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"no reader for labels named *{path.suffix}; known: {', '.join(SUFFIXES)}", path)
    if suffix == ".ctm":
        table = read_ctm(path)
        if len(table) != 1:
            raise DataError(f"holds {len(table)} utterances, labels of one song are needed", path)
        (labels,) = map(list, table.values())
    elif suffix == ".textgrid":
        from nnsvs_lite.io.textgrid import read_textgrid

        labels = [s._replace(label=s.label or "pau") for s in read_textgrid(path)]
    elif suffix == ".ds":
        labels = read_ds_times(path)
    else:
        times = (word for line in read_text(path).splitlines() for word in line.split()[:2])
        seconds = any("." in word for word in times)
        rows = [(s, _FULL_CONTEXT.match(s.label)) for s in read_lab(path, 1.0 if seconds else HUNDRED_NS)]
        labels = [s._replace(label=full[1] or full[2]) if full else s for s, full in rows]
    if not labels:
        raise DataError("holds no labels", path)
    return labels
