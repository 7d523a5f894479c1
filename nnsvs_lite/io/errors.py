"""The one exception that stands for a fault in what the user gave."""

import difflib
import os
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
        self.what = " ".join(str(what).split())
        self.where = None if where is None else os.fspath(where)
        super().__init__(str(self))

    def __reduce__(self) -> tuple:
        # By its parts, so that it crosses from a worker process as it was raised.
        return type(self), (self.what, self.where)

    def __str__(self) -> str:
        return self.what if self.where is None else f"{self.where}: {self.what}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint `` (did you mean X?)`` for a misspelt name, or an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""
