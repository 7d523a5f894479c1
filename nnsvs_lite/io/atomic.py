"""Files that appear whole or not at all.

Everything the toolkit writes goes to a temporary name beside its target and is
renamed when complete, so that a reader, a full disk or a killed process never
leaves half a file under a final name.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnsvs_lite.io.errors import DataError

_REASONS = {
    errno.ENOSPC: "the disk is full; nothing was written",
    errno.EDQUOT: "the disk quota is used up; nothing was written",
    errno.EACCES: "no permission to write here",
    errno.EROFS: "the file system is read-only",
}


def _raise_readable(error: OSError, path: Path) -> None:
    reason = _REASONS.get(error.errno or 0)
    if reason is not None:
        raise DataError(reason, path) from error
    raise error


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; renames it to ``path`` on success.

    The temporary keeps the suffix of ``path``, since writers choose a format by it.

    Raises:
        DataError: if the disk is full or may not be written.
    """
    path = Path(path)
    tmp = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield tmp
        os.replace(tmp, path)
    except OSError as error:
        _raise_readable(error, path)
    finally:
        tmp.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a new temporary folder; it replaces the folder ``path`` on success."""
    path = Path(path)
    tmp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        tmp.mkdir(parents=True)
        yield tmp
        if path.exists():
            os.replace(path, old)
        os.replace(tmp, path)
    except OSError as error:
        _raise_readable(error, path)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes ``data`` to ``path`` atomically."""
    with atomic_path(path) as tmp:
        tmp.write_bytes(data)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 ``text`` with Unix line ends to ``path`` atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike, value: Any, indent: int | None = 1) -> None:
    """Writes ``value`` as JSON atomically. NaN and infinity are refused (ValueError)."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")


def read_text(path: str | os.PathLike) -> str:
    """Reads a UTF-8 text file.

    Raises:
        DataError: where it is missing, is a folder, or is not UTF-8.
    """
    try:
        return Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise DataError("no such file", path) from None
    except IsADirectoryError:
        raise DataError("is a folder, a file is needed", path) from None
    except UnicodeDecodeError as error:
        line = Path(path).read_bytes()[: error.start].count(b"\n") + 1
        raise DataError("not UTF-8 text", f"{path}:{line}") from None


def read_json(path: str | os.PathLike) -> Any:
    """Reads a JSON file.

    Raises:
        DataError: where it is missing or is not JSON, with the line.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", f"{path}:{error.lineno}") from None
