"""Faults of a data set, and text tables read so that all their faults are found."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nnsvs_lite.io.atomic import check_regular
from nnsvs_lite.io.errors import DataError, printable
from nnsvs_lite.io.tables import bad_id, split_line

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_BOM = b"\xef\xbb\xbf"


class DataFault(NamedTuple):
    """One fault: the file, its line (0 for the whole file), and what is wrong."""

    path: str
    line: int
    what: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class TableRow(NamedTuple):
    """One line of a text table."""

    line: int
    key: str
    value: str


class Faults(list[DataFault]):
    """Collects faults."""

    def add(self, path: str | os.PathLike, line: int, what: object) -> None:
        """Notes one fault; ``what`` is brought to one line."""
        self.append(DataFault(os.fspath(path), line, printable(" ".join(str(what).split()))))

    def sorted(self) -> list[DataFault]:
        """Without repetition, by file and line."""
        return sorted(set(self))


def read_rows(path: Path, faults: Faults, *, repeats: bool = False) -> list[TableRow]:
    """All of :func:`rows_of`."""
    return list(rows_of(path, faults, repeats=repeats))


def rows_of(path: Path, faults: Faults, *, repeats: bool = False) -> Iterator[TableRow]:
    """All readable lines of a table, one after the other; every fault of its form is noted.

    Faults: no file, a byte order mark, text that is not UTF-8, CRLF and CR line ends (once for the file),
    control characters, which are left out of the rows, an empty line, an id without a value, ids out of
    order, duplicate ids, and what is no id.

    Args:
        repeats: whether an id may have several lines, one after the other.
    """
    seen: set[str] = set()
    last = ""
    for number, raw in enumerate(_lines_of(path, faults), start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.add(path, number, f"not UTF-8 text (byte {error.start + 1} of the line)")
            continue
        if control := _CONTROL.search(line):
            faults.add(
                path, number, f"holds the control character U+{ord(control[0]):04X}; nnsvs-lite data fix"
            )
            line = _CONTROL.sub("", line)
        key, value = split_line(line)
        if not value:
            faults.add(
                path,
                number,
                f"malformed line: {key!r} stands alone, a value is needed" if key else "empty line",
            )
            continue
        if not (key == last and repeats):
            # The order of code points is that of UTF-8's bytes.
            if key < last:
                faults.add(path, number, f"not sorted: {key!r} comes after {last!r} (LC_ALL=C sort)")
            if key in seen and not repeats:
                faults.add(path, number, f"duplicate id {key!r}")
                continue
            if what := "" if key in seen else bad_id(key):
                faults.add(path, number, what)
            last = max(last, key)
            seen.add(key)
        yield TableRow(number, sys.intern(key), value)


def _lines_of(path: Path, faults: Faults) -> Iterator[bytes]:
    """Lines without their ends, of whatever kind these are."""
    returns, first = 0, 0
    try:
        check_regular(path)
        file = path.open("rb")
    except (OSError, DataError) as error:
        faults.add(path, 0, f"cannot be read: {getattr(error, 'strerror', None) or error.what}")
        return
    with file:
        for number, raw in enumerate(file, start=1):
            if number == 1 and raw.startswith(_BOM):
                faults.add(path, 1, "begins with a byte order mark; nnsvs-lite data fix")
                raw = raw.removeprefix(_BOM)
            if count := raw.count(b"\r"):
                returns, first = returns + count, first or number
                raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            yield from raw.removesuffix(b"\n").split(b"\n") if raw else ()
    if returns:
        faults.add(path, first, f"CRLF or CR line ends, in {returns} lines from here on; nnsvs-lite data fix")
