"""One run at a time writes a folder; a lock is the process', and ends with it however it ends."""

import fcntl
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nnsvs_lite.io.errors import DataError

PATIENCE = 2.0
"""Seconds that a run waits for another one, which may be about to end."""


@contextmanager
def locked(folder: str | os.PathLike, command: Sequence[str], shared: bool = False) -> Iterator[None]:
    """Holds ``<folder>/.lock``, which is there meanwhile.

    Args:
        folder: made where it is missing, and removed again where it stays empty.
        command: what runs, for the message of another run.
        shared: whether others that share may write here too: jobs with a part of one work each.

    A run of the same command is waited for: experiments that run side by side share their references.
    Raises DataError where another run holds it. A folder that cannot be written to is not locked.
    """
    path, words = Path(folder) / ".lock", shlex.join(command)
    made = [parent for parent in (path.parent, *path.parent.parents) if not parent.exists()]
    file = None
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _take(path, shared, words)
        os.ftruncate(file, 0)
        told = f"pid {os.getpid()} on {platform.node()}: {words}"
        os.write(file, told.encode(errors="replace")[:4000])
    try:
        yield
    finally:
        if file is not None:
            with suppress(OSError):
                # The last one that shares it removes it.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            os.close(file)
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def _take(path: Path, shared: bool, words: str) -> int:
    """The locked file at ``path``, open."""
    end, said = time.monotonic() + PATIENCE, False
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            # Whoever held it may have removed it since it was opened.
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                return file
        except BlockingIOError:
            if time.monotonic() > end:
                holder = os.read(file, 4000).decode(errors="replace") or "it says not who"
                who, _, theirs = holder.partition(": ")
                if theirs != words:
                    os.close(file)
                    what = f"another run writes here ({holder})"
                    hint = "wait for it or end it, or choose another folder"
                    raise DataError(f"{what}: {hint}", path.parent) from None
                if not said:
                    print(f"{path.parent}: waiting for {who}, which runs the same command", file=sys.stderr)
                said = True
            time.sleep(0.05)
        except OSError:
            os.close(file)
            raise
        os.close(file)
