"""Programs that end with the one that started them (on Linux)."""

import ctypes
from contextlib import suppress


def end_with_parent(number: int) -> None:
    """Has the kernel send this signal when the parent is gone, however it ended."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG
