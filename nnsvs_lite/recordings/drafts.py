"""Drafted scores that people mend."""

import os
from pathlib import Path

from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.done import digest
from nnsvs_lite.io.errors import DataError

RECORD = ".drafted.json"
FORMS = (".musicxml", ".ust")
"""Suffixes of the forms that a draft is written in."""


def mended_drafts(folder: str | os.PathLike) -> dict[str, Path]:
    """The drafts in a folder that are no longer as they were written, by song.

    Raises DataError where both forms of one were changed.
    """
    folder = Path(folder)
    record = folder / RECORD
    ours = read_json(record) if record.exists() else {}
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*")):
        if path.suffix not in FORMS or path.name.startswith(".") or digest(path) in ours.get(path.name, []):
            continue
        if path.stem in found:
            raise DataError(f"was mended, and {found[path.stem].name} too: remove one of them", path)
        found[path.stem] = path
    return found
