"""Labels mended by hand: a TextGrid in ``corrections/`` wins over the automatic one."""

import os
from collections.abc import Iterable
from pathlib import Path

from nnsvs_lite.align.units import check_sung
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.done import digest
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.textgrid import read_textgrid
from nnsvs_lite.score.types import Score

_CLOSE = 0.02
_SILENT = {"": "pau", "sil": "pau", "sp": "pau"}


def find_corrections(folder: str | os.PathLike | None, utts: Iterable[str]) -> dict[str, Path]:
    """TextGrids by utterance.

    Raises DataError for a folder that is not there, or a TextGrid of no utterance.
    """
    if folder is None:
        return {}
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("no such folder of corrections", folder)
    utts = set(utts)
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() != ".textgrid":
            continue
        if path.stem not in utts:
            raise DataError(f"no utterance {path.stem!r}{nearest(path.stem, sorted(utts))}", path)
        if path.stem in found:
            raise DataError(f"{found[path.stem]} is of the same utterance; one of both is needed", path)
        found[path.stem] = path
    return found


def edited(folder: Path, record: Path) -> dict[str, Path]:
    """TextGrids of ``folder`` by utterance that are not as the stage wrote them, as ``record`` has it."""
    if not record.exists():
        return {}
    written = read_json(record)
    paths = (path for path in sorted(folder.glob("*")) if path.suffix.lower() == ".textgrid")
    return {path.stem: path for path in paths if digest(path) not in written.get(path.name, ())}


def read_correction(path: str | os.PathLike, score: Score, duration: float) -> list[Segment]:
    """Reads a mended TextGrid and checks it against the score.

    The phones must be those of the score, in order; silence may be an empty
    interval, and breaths may be added or taken away. The labels have no gaps from 0 to
    ``duration`` seconds; they are those of the tier ``phones``.

    Raises DataError where phones differ (which, and when), an interval has no length, or the TextGrid is not
    as long as the audio.
    """
    rows = [Segment(s.start, s.end, _SILENT.get(s.label, s.label)) for s in read_textgrid(path)]
    if not rows:
        raise DataError("the tier 'phones' is empty", path)
    if abs(rows[-1].end - duration) > _CLOSE:
        raise DataError(f"ends at {rows[-1].end:.3f} s, the audio at {duration:.3f} s", path)
    labels: list[Segment] = []
    for row in rows:
        if labels and row.label == "pau" and labels[-1].label in ("pau", "br"):
            labels[-1] = labels[-1]._replace(end=row.end)
        elif labels and row.start > labels[-1].end + 1e-6:
            raise DataError(f"unlabelled from {labels[-1].end:.3f} to {row.start:.3f} s", path)
        else:
            labels.append(row)
    labels[0] = labels[0]._replace(start=0.0)
    labels[-1] = labels[-1]._replace(end=round(duration, 7))
    check_sung([s for s in labels if s.label not in ("pau", "br")], score, path)
    return labels
