"""Kaldi text tables (``key rest of line``) and scp/ark feature tables.

Beside an archive of ours lies a text table ``<name>.crc``: of each utterance, the CRC-32 of its id and matrix
as they stand in the archive. It is compared whenever a matrix is read; archives without one are read as well.
"""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import kaldiio
import numpy as np

from nnsvs_lite.io.atomic import atomic_path, check_regular, read_lines, write_lines
from nnsvs_lite.io.errors import DataError

V = TypeVar("V")

_DAMAGE = (ValueError, AssertionError, EOFError, OSError, MemoryError, TypeError, OverflowError, struct.error)
"""What kaldiio raises on damaged archives."""

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_BLANKS = re.compile(r"[ \t]+")

_REF = re.compile(r"^(?P<path>.+?):(?P<offset>\d+)$")


def bad_id(name: str) -> str:
    """What is wrong with the id of an utterance, recording or speaker, which names files; "" if nothing."""
    if _ID.fullmatch(name):
        return ""
    shown = repr(name if len(name) <= 40 else f"{name[:37]}...")
    return f"{shown} is no id: at most 200 of A-Z a-z 0-9 . _ - are needed, the first not . or -"


def split_line(line: str) -> tuple[str, str]:
    """Key and value of a table's line, apart by spaces or tabs and not by what else Unicode calls blank."""
    key, *value = _BLANKS.split(line.strip(" \t"), maxsplit=1)
    return key, "".join(value)


def table_lines(
    path: str | os.PathLike, repeats: bool = False, ids: bool = True
) -> Iterator[tuple[int, str, str]]:
    """Yields ``(line number, key, value)`` of a text table, line numbers from 1.

    Raises DataError at an empty line, CR or CRLF line ends, NUL, text that is not UTF-8, or, unless
    ``repeats``, a duplicate key; with ``ids``, at a key that is no id (:func:`bad_id`).
    """
    seen: set[str] = set()
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}:{number}"
        if "\r" in line or "\0" in line:
            what = "CRLF or CR line end" if "\r" in line else "NUL character"
            raise DataError(f"{what}; nnsvs-lite data fix mends it", where)
        key, value = split_line(line)
        if not key:
            raise DataError("empty line", where)
        if key in seen and not repeats:
            raise DataError(f"duplicate id {key!r}", where)
        if ids and key not in seen and (what := bad_id(key)):
            raise DataError(what, where)
        # The tables of a set name the same utterances.
        key = sys.intern(key)
        seen.add(key)
        yield number, key, value


def read_table(path: str | os.PathLike, ids: bool = True) -> dict[str, str]:
    """Reads a text table to ``{key: rest of line}`` in file order; options as :func:`table_lines`."""
    return {key: value for _, key, value in table_lines(path, ids=ids)}


def write_table(path: str | os.PathLike, table: Mapping[str, V], text: Callable[[V], str] = str) -> None:
    """Writes a text table sorted by key in C-locale (byte) order, atomically, of each value its ``text``."""
    keys = sorted(table, key=str.encode)
    write_lines(path, (f"{key} {text(table[key])}".rstrip() + "\n" for key in keys))


@dataclass(frozen=True)
class ArkRef:
    """A place in an archive: ``path:offset`` as written in an scp."""

    path: Path
    offset: int
    where: str

    def load(self, utt: str = "", crc: int | None = None) -> np.ndarray:
        """Reads the matrix (rows, columns) or vector that starts here, of an utterance with a checksum.

        Raises DataError where the archive is missing, ends early, has no Kaldi binary matrix here, or another
        than was written.
        """
        check_regular(self.path)
        try:
            size = self.path.stat().st_size
            if self.offset >= size:
                raise DataError(f"points to byte {self.offset} of {self.path}, which has {size}", self.where)
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                # Kaldi's binary mark and a float/double/compressed/int matrix or vector;
                # kaldiio would also unpack audio and other formats here.
                head = file.read(15)
                if not re.match(rb"\0B([FDC][MV]|CM|\x04)", head):
                    raise DataError(f"no Kaldi matrix at byte {self.offset} of {self.path}", self.where)
                _check_size(head, size - self.offset)
                file.seek(self.offset)
                value = kaldiio.matio.read_kaldi(file)
                if not np.isfinite(value).all():
                    bad = np.argwhere(~np.isfinite(value))
                    first = ", ".join(map(str, bad[0]))
                    raise ValueError(f"{len(bad)} values are NaN or infinite, the first at [{first}]")
                length = file.tell() - self.offset
                file.seek(self.offset)
                if crc is not None and _crc(utt, file.read(length)) != crc:
                    raise ValueError(f"{utt} is not as it was written")
        except FileNotFoundError:
            raise DataError(f"archive {self.path} does not exist", self.where) from None
        except _DAMAGE as error:
            what = f"archive {self.path} is truncated or damaged: {error}"
            raise DataError(f"{what}; remove it and run its stage again", self.where) from None
        return value


def _crc(utt: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(utt.encode()))


def read_sums(path: Path) -> dict[str, int]:
    """The checksums beside an archive, where there are any."""
    if not path.exists():
        return {}
    try:
        return {utt: int(crc, 16) for utt, crc in read_table(path).items()}
    except ValueError as error:
        raise DataError(f"is damaged: {error}; remove it and run its stage again", path) from None


def _check_size(head: bytes, there: int) -> None:
    """Raises ValueError where a float matrix or vector states more bytes than there are."""
    match = re.match(rb"\0B([FD])([MV]) \x04(.{4})(?:\x04(.{4}))?", head, re.DOTALL)
    if match is None:
        return
    rows, columns = (struct.unpack("<i", part)[0] if part else 1 for part in match.groups()[2:])
    columns = 1 if match[2] == b"V" else columns
    stated = rows * columns * (4 if match[1] == b"F" else 8)
    if rows < 0 or columns < 0 or stated > there:
        raise ValueError(f"{rows} x {columns} values are stated, {there} bytes are there")


def parse_ark_ref(value: str, where: str, folder: Path, known: dict[str, Path] | None = None) -> ArkRef:
    """Reads the right-hand side of an scp line.

    A relative path is taken from the working folder, as Kaldi does; if nothing is
    there, from the folder of the scp, so that a moved dump still opens. Where it was found is kept in
    ``known``: the lines of a table name few archives.

    Raises DataError for a shell pipe (``cmd |``), which is never run, or where it is not ``path:offset``.
    """
    if value.endswith("|") or value.startswith("|"):
        raise DataError("a shell pipe is not run here; write the features to an archive first", where)
    match = _REF.match(value)
    if match is None:
        raise DataError(f"malformed archive reference {value!r}, 'path:offset' is needed", where)
    known = {} if known is None else known
    if match["path"] not in known:
        path = Path(match["path"])
        moved = not path.exists() and (folder / path.name).exists()
        known[match["path"]] = folder / path.name if moved else path
    return ArkRef(known[match["path"]], int(match["offset"]), where)


class FeatureReader(Mapping[str, np.ndarray]):
    """A feature table opened by its scp: ``reader[utt]`` loads one matrix.

    Raises DataError on a malformed scp; and on access, as :meth:`ArkRef.load`.
    """

    def __init__(self, scp: str | os.PathLike):
        self.scp = Path(scp)
        # Archive, offset, line and checksum: little, since a set may have very many utterances.
        self._places: dict[str, tuple[Path, int, int, int | None]] = {}
        known: dict[str, Path] = {}
        sums: dict[Path, dict[str, int]] = {}
        for number, utt, value in table_lines(scp):
            ref = parse_ark_ref(value, f"{scp}:{number}", self.scp.parent, known)
            if ref.path not in sums:
                sums[ref.path] = read_sums(ref.path.with_suffix(".crc"))
            self._places[utt] = (ref.path, ref.offset, number, sums[ref.path].get(utt))

    def __getitem__(self, utt: str) -> np.ndarray:
        if utt not in self._places:
            raise DataError(f"no entry for {utt!r}", self.scp)
        ark, offset, number, crc = self._places[utt]
        return ArkRef(ark, offset, f"{self.scp}:{number}").load(utt, crc)

    def __contains__(self, utt: object) -> bool:
        return utt in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class FeatureWriter:
    """Writes ``<name>.ark``, ``.crc`` and ``.scp`` side by side, atomically, as a context.

    All appear under their names only when the context ends without an error.
    Matrices are stored as float32 (``FM``) unless they come as float64 (``DM``).
    The scp is sorted; ids must be written in sorted order, unless ``ordered`` is false.
    Its paths are ``folder/name.ark``, relative to the working folder if ``folder`` is.
    """

    def __init__(self, folder: str | os.PathLike, name: str, ordered: bool = True):
        self.ordered = ordered
        self.ark = Path(folder) / f"{name}.ark"
        self.scp = Path(folder) / f"{name}.scp"

    def __enter__(self) -> FeatureWriter:
        self._stack = ExitStack()
        # The scp is renamed last: while it is missing, the others are incomplete.
        self._scp_tmp = self._stack.enter_context(atomic_path(self.scp))
        self._crc_tmp = self._stack.enter_context(atomic_path(self.ark.with_suffix(".crc")))
        ark_tmp = self._stack.enter_context(atomic_path(self.ark))
        self._stack.push(self._finish)
        self._file = open(ark_tmp, "wb")
        self._stack.callback(self._file.close)
        self._places: dict[str, int] = {}
        self._sums: dict[str, int] = {}
        self._last = b""
        return self

    def write(self, utt: str, value: np.ndarray) -> None:
        """Appends one matrix (rows, columns).

        Raises ValueError if ids come unsorted or the value is not finite: faults of the program.
        """
        if self.ordered and utt.encode() <= self._last:
            raise ValueError(f"{utt} written out of order")
        value = np.asarray(value)
        if value.dtype != np.float64:
            value = value.astype(np.float32)
        if not np.isfinite(value).all():
            raise ValueError(f"{self.scp.stem} of {utt} holds NaN or infinity")
        self._last = utt.encode()
        self._file.write(utt.encode() + b" ")
        self._places[utt] = self._file.tell()
        kaldiio.matio.write_array(matrix := io.BytesIO(), value)
        self._file.write(matrix.getbuffer())
        self._sums[utt] = _crc(utt, matrix.getvalue())

    def __exit__(self, *exc) -> bool | None:
        return self._stack.__exit__(*exc)

    def _finish(self, kind: type[BaseException] | None, *_) -> None:
        """Writes the scp, where the archive was closed without an error."""
        if kind is None:
            write_table(self._crc_tmp, {utt: f"{crc:08x}" for utt, crc in self._sums.items()})
            write_table(self._scp_tmp, {utt: f"{self.ark}:{at}" for utt, at in self._places.items()})
            # An older scp must not be taken for that of the new archive.
            self.scp.unlink(missing_ok=True)


def write_features(
    folder: str | os.PathLike,
    names: Iterable[str],
    rows: Iterable[tuple[str, Mapping[str, np.ndarray]]],
    ordered: bool = True,
) -> list[Path]:
    """Writes several tables of the same utterances side by side, as ``rows`` come.

    Args:
        names: of the tables. rows: utterance and its value in each. ordered: see :class:`FeatureWriter`.

    Returns:
        The files.
    """
    writers = {name: FeatureWriter(folder, name, ordered) for name in names}
    with ExitStack() as stack:
        for writer in writers.values():
            stack.enter_context(writer)
        for utt, value in rows:
            for name, writer in writers.items():
                writer.write(utt, value[name])
    ends = (".scp", ".ark", ".crc")
    return [writer.ark.with_suffix(end) for writer in writers.values() for end in ends]
