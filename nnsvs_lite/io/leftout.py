"""What of an input is not used as it stands: counted in a warning, or refused where ``--strict`` is on."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from nnsvs_lite.io.errors import DataError

log = logging.getLogger(__name__)
STRICT = ContextVar("strict", default=False)
_LISTENERS: ContextVar[tuple[list[str], ...]] = ContextVar("listeners", default=())


@contextlib.contextmanager
def strictly(on: bool = True) -> Iterator[None]:
    """Refuses what would be left out while this context lasts; ``on=False`` leaves things as they are."""
    token = STRICT.set(on or STRICT.get())
    try:
        yield
    finally:
        STRICT.reset(token)


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Gives a list that takes what :func:`left_out` warns of while this context lasts."""
    said: list[str] = []
    token = _LISTENERS.set((*_LISTENERS.get(), said))
    try:
        yield said
    finally:
        _LISTENERS.reset(token)


def left_out(what: str, places: Sequence[object]) -> None:
    """Warns once for all ``places``: ``what`` became of them, how many they are, and the first of them.

    Raises DataError instead inside :func:`strictly`. Nothing happens where there are no places.
    """
    if not places:
        return
    said = f"{what}: {len(places)}, the first at {places[0]}"
    if STRICT.get():
        raise DataError(f"{said}; such a score is refused, since strict reading was asked for")
    log.warning(said)
    for listener in _LISTENERS.get():
        listener.append(said)
