"""Faults of a data set, and text tables read so that all their faults are found."""

import os
from pathlib import Path
from typing import NamedTuple


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
        self.append(DataFault(os.fspath(path), line, " ".join(str(what).split())))

    def sorted(self) -> list[DataFault]:
        """Without repetition, by file and line."""
        return sorted(set(self))


def read_rows(path: Path, faults: Faults, *, repeats: bool = False) -> list[TableRow]:
    """All readable lines of a table; every fault of its form is noted.

    Faults: no file, text that is not UTF-8, CRLF line ends (once for the file), an
    empty line, an id without a value, ids out of order, and duplicate ids.

    Args:
        repeats: whether an id may have several lines, one after the other.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        faults.add(path, 0, f"cannot be read: {error.strerror}")
        return []
    rows: list[TableRow] = []
    seen: set[str] = set()
    crlf: list[int] = []
    last = ""
    for number, raw in enumerate(data.removesuffix(b"\n").split(b"\n") if data else (), start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.add(path, number, f"not UTF-8 text (byte {error.start + 1} of the line)")
            continue
        if line.endswith("\r"):
            crlf.append(number)
        fields = line.split(None, 1)
        if len(fields) < 2:
            what = (
                f"malformed line: {fields[0]!r} stands alone, a value is needed" if fields else "empty line"
            )
            faults.add(path, number, what)
            continue
        key = fields[0]
        if not (key == last and repeats):
            # The order of code points is that of UTF-8's bytes.
            if key < last:
                faults.add(path, number, f"not sorted: {key!r} comes after {last!r} (LC_ALL=C sort)")
            if key in seen and not repeats:
                faults.add(path, number, f"duplicate id {key!r}")
                continue
            last = max(last, key)
            seen.add(key)
        rows.append(TableRow(number, key, fields[1].rstrip()))
    if crlf:
        faults.add(path, crlf[0], f"CRLF line ends, in {len(crlf)} lines from here on; nnsvs-lite data fix")
    return rows
