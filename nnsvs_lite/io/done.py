"""Done markers: a stage runs again when its inputs or options differ, or an output is missing or damaged."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from nnsvs_lite.io.atomic import write_json

StrPath = str | os.PathLike


def portable(path: StrPath) -> str:
    """A path that stays true where the working folder is moved: relative to it where it lies in it."""
    given = Path(path)
    return os.path.normpath(given.relative_to(Path.cwd()) if given.is_relative_to(Path.cwd()) else given)


def digest(path: StrPath) -> str:
    """A hash of a file's contents; of a folder, of all files below it by name, hidden ones left out.

    What is missing, or no file, is ``missing``.
    """
    root, found = Path(path), hashlib.sha256()
    if root.is_dir():
        for file in _files(root):
            found.update(os.fsencode(file.relative_to(root)) + b"\0" + digest(file).encode())
        return found.hexdigest()
    if not root.is_file():
        return "missing"
    with root.open("rb") as stream:
        while block := stream.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder in the order of their paths, hidden ones and links to folders left out."""
    with suppress(PermissionError):
        for name in sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")):
            path = folder / name
            if path.is_file():
                yield path
            elif path.is_dir() and not path.is_symlink():
                yield from _files(path)


def stamp(path: StrPath) -> list[str]:
    """A file by name and contents."""
    return [portable(path), digest(path)]


class Done:
    """The marker ``<folder>/.done.<stage>``, with hashes of all that was read and written.

    Args:
        folder: where the stage writes.
        inputs: files and folders that the stage reads.
        options: options that change what it writes; keep job counts out.

    Attributes:
        damaged: outputs that :meth:`is_current` found missing or changed, where all else is as it was.
    """

    def __init__(self, folder: StrPath, stage: str, inputs: Iterable[StrPath], options: Mapping[str, Any]):
        self.path = Path(folder) / f".done.{stage}"
        self._inputs, self._options = list(inputs), dict(options)
        self.damaged: list[str] = []

    @cached_property
    def hashes(self) -> dict[Path, str]:
        """Of each input, the hash of its contents as they were when it was first asked for."""
        return {path: digest(path) for path in map(Path, self._inputs)}

    @cached_property
    def _fingerprint(self) -> str:
        value = [[[portable(path), held] for path, held in self.hashes.items()], self._options]
        return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()

    def is_current(self) -> bool:
        """Whether the stage finished with these inputs, and its outputs are as it left them."""
        folder = self.path.parent
        try:
            mark = json.loads(self.path.read_text(encoding="utf-8"))
            if mark["fingerprint"] != self._fingerprint:
                return False
            for name, held in mark["outputs"].items():
                path = folder / name
                if not (digest(path) == held if held else path.exists()):
                    self.damaged.append(name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False
        if self.damaged:
            print(f"{folder / self.damaged[0]} is not as it was written: it is made again")
        return not self.damaged

    def clear(self) -> None:
        """Removes the marker: the stage's outputs are about to change. Inputs count as they are now."""
        _ = self._fingerprint
        self.path.unlink(missing_ok=True)

    def set(self, outputs: Iterable[StrPath], shared: Iterable[StrPath] = ()) -> None:
        """Marks the stage as finished.

        Args:
            outputs: what must stay as it is. shared: what other stages change, which need only be there.
        """
        held = {os.path.relpath(path, self.path.parent): digest(path) for path in outputs}
        held |= {os.path.relpath(path, self.path.parent): "" for path in shared}
        write_json(self.path, {"fingerprint": self._fingerprint, "outputs": held})
