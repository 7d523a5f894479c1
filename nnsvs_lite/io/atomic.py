"""Files that appear whole or not at all: written beside their target and renamed when complete."""

import codecs
import errno
import json
import math
import os
import platform
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from nnsvs_lite.io.errors import DataError

_REASONS = {
    errno.ENOSPC: "the disk is full; nothing was written",
    errno.EDQUOT: "the disk quota is used up; nothing was written",
    errno.EFBIG: "a file may not grow so large here (ulimit -f, or the file system); nothing was written",
    errno.EACCES: "no permission to write here",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of this path is a file, a folder is needed",
    errno.EEXIST: "a part of this path is a file, a folder is needed",
    errno.EISDIR: "is a folder, a file is to be written here",
}


def _raise_readable(error: OSError, path: Path) -> None:
    reason = _REASONS.get(error.errno or 0)
    if reason is not None:
        raise DataError(reason, path) from error
    raise error


def _temporary(path: Path, kind: str) -> Path:
    """A name beside ``path`` that says who writes it; it keeps the suffix of ``path``."""
    return path.with_name(f".{path.stem}.{platform.node()}.{os.getpid()}.{kind}{path.suffix}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


_tidied: set[Path] = set()


def _remove_leftovers(path: Path, *mine: Path) -> None:
    """Removes ``mine``, and once for each folder the temporaries of killed processes of this machine."""
    for leftover in mine:
        _remove(leftover)
    folder = path.parent.absolute()
    if folder in _tidied:
        return
    _tidied.add(folder)
    pattern = re.compile(rf"\..+\.{re.escape(platform.node())}\.(\d+)\.(?:tmp|old)(?:\.[^.]*)?")
    for entry in folder.iterdir():
        match = pattern.fullmatch(entry.name)
        if match and not _is_alive(int(match[1])):
            _remove(entry)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, Path]]:
    """Two temporary names beside ``path``, removed at the end; faults of writing are said of ``path``."""
    tmp, old = _temporary(path, "tmp"), _temporary(path, "old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path, tmp, old)
        yield tmp, old
    except OSError as error:
        _raise_readable(error, path)
    finally:
        for leftover in (tmp, old):
            with suppress(OSError):
                _remove(leftover)


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; renames it to ``path`` on success.

    The temporary keeps the suffix of ``path``, since writers choose a format by it.
    What a killed process left beside ``path`` is removed.

    Raises DataError if the disk is full or may not be written.
    """
    with _beside(Path(path)) as (tmp, _):
        yield tmp
        os.replace(tmp, path)


@contextmanager
def atomic_dir(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a new temporary folder; it replaces the folder ``path`` on success.

    Raises DataError if the disk is full or may not be written, or ``path`` is a file.
    """
    path = Path(path)
    with _beside(path) as (tmp, old):
        if path.exists() and not path.is_dir():
            raise DataError("is a file, a folder is to be written here", path)
        tmp.mkdir()
        yield tmp
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(tmp, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes ``data`` to ``path`` atomically."""
    with atomic_path(path) as tmp:
        tmp.write_bytes(data)


def write_zip(path: str | os.PathLike, files: Iterable[tuple[str, bytes]], compressed: bool = False) -> None:
    """Writes a zip file atomically, whose bytes depend on nothing but the names and contents of its files."""
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with atomic_path(path) as tmp, zipfile.ZipFile(tmp, "w") as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data, kind)


def inside(folder: Path, name: str, archive: str | os.PathLike | None = None) -> Path:
    """Where an archive's member is unpacked. Raises DataError where that is not inside the folder."""
    place = PurePosixPath(name.replace("\\", "/"))
    if not place.parts or place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
        raise DataError(f"holds a file that would lie outside its folder: {name!r}", archive)
    return folder / place


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 ``text`` with Unix line ends to ``path`` atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_lines(path: str | os.PathLike, lines: Iterable[str]) -> None:
    """Writes lines, which bring their ends, as :func:`write_text` does, one after the other."""
    with atomic_path(path) as tmp, tmp.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def write_json(path: str | os.PathLike, value: Any, indent: int | None = 1) -> None:
    """Writes ``value`` as JSON atomically. NaN and infinity are refused (ValueError)."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")


def write_summed(path: str | os.PathLike, value: dict[str, Any], indent: int | None = 1) -> None:
    """Writes as :func:`write_json`, with a checksum of the values as one more, ``crc``."""
    write_json(path, value | {"crc": _crc(value)}, indent)


def read_summed(path: str | os.PathLike) -> Any:
    """What :func:`write_summed` was given; a file without a checksum is read as it is.

    Raises DataError where it is not as it was written, or as :func:`read_json`.
    """
    value = read_json(path)
    if isinstance(value, dict) and "crc" in value and value.pop("crc") != _crc(value):
        raise DataError("is not as it was written; remove it and run its stage again", path)
    return value


def _crc(value: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"


def check_regular(path: str | os.PathLike) -> None:
    """Raises DataError where something is there that is no file or folder: a FIFO would be waited for."""
    try:
        mode = Path(path).stat().st_mode
    except ValueError:
        raise DataError("no path: it holds a NUL character", repr(path)) from None
    except OSError:
        return  # opening it says why
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError("is not a regular file", path)


def check_stored(archive: zipfile.ZipFile, size: int, path: str | os.PathLike) -> None:
    """Raises DataError for a zip file of ``size`` bytes whose members are larger, or compressed."""
    members = archive.infolist()
    packed = any(m.compress_type != zipfile.ZIP_STORED for m in members)
    if packed or sum(m.file_size for m in members) > size:
        raise DataError("a zip file with compressed data is not read here", path)


def _opened(path: str | os.PathLike) -> BinaryIO:
    """A file to read, where it is one that may be read; else DataError."""
    check_regular(path)
    try:
        return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise DataError("no such file", path) from None
    except PermissionError:
        raise DataError("no permission to read it", path) from None
    except IsADirectoryError:
        raise DataError("is a folder, a file is needed", path) from None


def read_text(path: str | os.PathLike, limit: float = math.inf) -> str:
    """Reads a UTF-8 text file; a byte order mark is passed over.

    Raises DataError where it is missing, may not be read, is no regular file, has more than ``limit`` bytes,
    or is not UTF-8.
    """
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise DataError(f"larger than {limit} bytes, which no such file is", path)
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Its places are counted from behind a byte order mark.
        line = data.removeprefix(codecs.BOM_UTF8)[: error.start].count(b"\n") + 1
        raise DataError("not UTF-8 text", f"{path}:{line}") from None


def read_lines(path: str | os.PathLike) -> Iterator[str]:
    """The lines of :func:`read_text`, without their ends, one after the other: the file may be large."""
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            try:
                if line:
                    yield line.removesuffix(b"\n").decode("utf-8")
            except UnicodeDecodeError:
                raise DataError("not UTF-8 text", f"{path}:{number}") from None


def read_json(path: str | os.PathLike) -> Any:
    """Reads a JSON file. Raises DataError where it is missing or is not JSON, with the line."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", f"{path}:{error.lineno}") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"not JSON that can be read: {error}", path) from None
