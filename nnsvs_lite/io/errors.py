"""The one exception that stands for a fault in what the user gave."""

import difflib
import os
import unicodedata
from collections.abc import Iterable


class DataError(Exception):
    """A fault in the input: a file, an option, a configuration value.

    Programs print it as one line and exit with status 1; a traceback is kept
    for faults of the toolkit itself.

    Args:
        what: what is wrong, and what to do about it where that is not obvious.
        where: the place of the fault: a path, or ``path:line``, or a measure.
    """

    def __init__(self, what: str, where: str | os.PathLike | None = None):
        self.what = printable(" ".join(str(what).split())[:2000])
        self.where = None if where is None else os.fspath(where)
        super().__init__(str(self))

    def __reduce__(self) -> tuple:
        # By its parts, so that it crosses from a worker process as it was raised.
        return type(self), (self.what, self.where)

    def __str__(self) -> str:
        return self.what if self.where is None else f"{printable(self.where)}: {self.what}"


def printable(text: str, also: str = "") -> str:
    """Text that changes nothing where it is shown: control and format characters, and those of ``also``,
    are written like ``\\x1b``.
    """

    def shown(c: str) -> str:
        if c not in also and (c.isprintable() or unicodedata.category(c) == "Zs"):
            return c
        return f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}"

    return "".join(map(shown, text))


def nearest(word: str, known: Iterable[str], likeness: float = 0.5) -> str:
    """A hint `` (did you mean X?)`` for a misspelt name, or an empty string where none is so like it."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)
    return f" (did you mean {found[0]!r}?)" if found else ""
