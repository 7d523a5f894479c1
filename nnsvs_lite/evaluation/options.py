"""Reading of ``NAME=DIR`` options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nnsvs_lite.io.errors import DataError


def named_paths(words: Iterable[str], option: str) -> dict[str, Path]:
    """``["model=exp/a", "rule=exp/b"]`` to a dict in that order.

    Raises:
        DataError: for a word of another form, or a name given twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        # A name becomes a folder and a row of a table.
        if not equals or not path or not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name):
            raise DataError(f"{word!r}: NAME=DIR is needed", option)
        if name in found:
            raise DataError(f"{name!r} is given twice", option)
        found[name] = Path(path)
    return found
