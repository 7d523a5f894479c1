"""What of an input is not used as it stands: counted in a warning, or refused where ``--strict`` is on."""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from nnsvs_lite.io.errors import DataError

log = logging.getLogger(__name__)
STRICT = ContextVar("strict", default=False)
_FILE: ContextVar[str | os.PathLike | None] = ContextVar("file", default=None)
_LISTENERS: ContextVar[tuple[list[str], ...]] = ContextVar("listeners", default=())


@contextlib.contextmanager
def _held(variable: ContextVar, value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def strictly(on: bool = True) -> contextlib.AbstractContextManager[None]:
    """Refuses what would be left out while this context lasts; ``on=False`` leaves things as they are."""
    return _held(STRICT, on or STRICT.get())


def reading(path: str | os.PathLike) -> contextlib.AbstractContextManager[None]:
    """Lets warnings name the file that is read while this context lasts."""
    return _held(_FILE, path)


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Gives a list that takes what :func:`left_out` warns of, without files, while this context lasts."""
    said: list[str] = []
    with _held(_LISTENERS, (*_LISTENERS.get(), said)):
        yield said


def warn(said: str) -> None:
    """Warns of what is read otherwise than one may expect, in the file that is being read."""
    log.warning(str(DataError(said, _FILE.get())))


def left_out(what: str, places: Sequence[object]) -> None:
    """Warns once for all ``places``: ``what`` became of them, how many they are, and the first of them.

    Raises DataError instead inside :func:`strictly`. Nothing happens where there are no places.
    """
    if places:
        leave_out(f"{what}: {len(places)}, the first at {places[0]}")


def leave_out(said: str) -> None:
    """Warns, or raises, as :func:`left_out`, of what has no place."""
    if STRICT.get():
        raise DataError(f"{said}; such a score is refused, since strict reading was asked for")
    warn(said)
    for listener in _LISTENERS.get():
        listener.append(said)
