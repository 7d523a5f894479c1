"""Done markers: a stage runs again when its inputs or options differ, or an output is missing."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nnsvs_lite.io.atomic import write_json

_WHOLE = 8 << 20


def stamp(path: str | os.PathLike) -> list[Any]:
    """A file by name, size and time of change, for what is too large to hash at every call."""
    try:
        status = Path(path).stat()
        return [os.fspath(path), status.st_size, status.st_mtime_ns]
    except OSError:
        return [os.fspath(path), "missing"]


def fingerprint(inputs: Iterable[str | os.PathLike], options: Mapping[str, Any]) -> str:
    """A hash over input files and options.

    Files up to 8 MiB count by content, larger ones by size and time of change.
    A folder counts as all files below it, hidden ones left out. A missing input
    counts as missing.
    """
    digest = hashlib.sha256(json.dumps(dict(options), sort_keys=True, default=str).encode())
    for root in map(Path, inputs):
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
        for file in files:
            if any(part.startswith(".") for part in file.relative_to(root).parts):
                continue
            mark = stamp(file)
            if mark[1] != "missing" and mark[1] <= _WHOLE:
                mark[1:] = [hashlib.sha256(file.read_bytes()).hexdigest()]
            digest.update(json.dumps(mark).encode())
    return digest.hexdigest()


class Done:
    """The marker ``<folder>/.done.<stage>``.

    Args:
        folder: where the stage writes.
        inputs: files and folders that the stage reads.
        options: options that change what it writes; keep job counts out.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        stage: str,
        inputs: Iterable[str | os.PathLike],
        options: Mapping[str, Any],
    ):
        self.path = Path(folder) / f".done.{stage}"
        self._inputs = list(inputs)
        self._options = dict(options)

    def is_current(self) -> bool:
        """Whether the stage finished with these inputs and its outputs are there."""
        try:
            mark = json.loads(self.path.read_text(encoding="utf-8"))
            outputs = [Path(name) for name in mark["outputs"]]
            recorded = mark["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if not all(path.exists() for path in outputs):
            return False
        return recorded == fingerprint(self._inputs, self._options)

    def clear(self) -> None:
        """Removes the marker: the stage's outputs are about to change."""
        self.path.unlink(missing_ok=True)

    def set(self, outputs: Iterable[str | os.PathLike]) -> None:
        """Marks the stage as finished; ``outputs`` must exist for it to stay so."""
        names = [os.fspath(path) for path in outputs]
        write_json(self.path, {"fingerprint": fingerprint(self._inputs, self._options), "outputs": names})
