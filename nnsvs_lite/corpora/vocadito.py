"""vocadito: forty recordings with F0 and the notes of two annotators."""

import csv
import io
from pathlib import Path

from nnsvs_lite.corpus.tree import Found
from nnsvs_lite.corpus.truth import KnownPitch, columns, notes_of, track_of
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError

_NAMES = ("singer_id", "language")


def read_truth(found: Found, root: Path) -> KnownPitch:
    """F0 in Hz by seconds; notes as onset, Hz, seconds of length; results are grouped by language."""
    table = found.files["singers"]
    reader = csv.DictReader(io.StringIO(read_text(table).lstrip("\ufeff")))
    rows = {row.get("track_id"): row for row in reader}
    row = rows.get(found.song, {})
    if not all(row.get(name) for name in _NAMES):
        raise DataError(f"track {found.song!r} has no line with {' and '.join(_NAMES)}", table)
    notes = {}
    for name in ("A1", "A2"):
        path = found.files[f"notes{name}"]
        onsets, hz, seconds = columns(path, 3, ",").T
        notes[name] = notes_of(onsets, seconds, hz, path)
    path = found.files["f0"]
    return KnownPitch(row["singer_id"], row["language"], track_of(*columns(path, 2, ",").T, path), notes)
