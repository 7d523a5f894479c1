"""The first and the last lines of a stage's log: what ran, with what, where, and for how long."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

_PACKAGES = ("nnsvs_lite", "torch", "numpy", "scipy", "pyworld", "pysptk", "kaldiio")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that results depend on; nothing is imported for it."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


class StageLog:
    """Prints the header of a stage on entry and its footer on exit.

    Under a job runner that has logged command, host and time already (it sets
    ``NNSVS_LITE_LOGGED``), only the versions are printed.

    Args:
        command: the command line, a word an item.
        stream: where to print; standard output unless given.

    ``status`` is the exit status that the footer reports; an exception counts as 1.
    """

    def __init__(self, command: Sequence[str], stream: TextIO | None = None):
        self._command = list(command)
        self._stream = stream
        self._started = 0.0
        self._logged = "NNSVS_LITE_LOGGED" in os.environ
        self.status = 0

    def _print_versions(self) -> None:
        self._print(" ".join(f"{name}={version}" for name, version in versions().items()))

    def _print(self, line: str) -> None:
        print(f"# {line}", file=self._stream or sys.stdout, flush=True)

    def __enter__(self) -> StageLog:
        self._started = time.monotonic()
        if self._logged:
            self._print_versions()
            return self
        self._print(shlex.join(self._command))
        self._print_versions()
        self._print(
            f"started {time.strftime('%Y-%m-%d %H:%M:%S %z')} on {platform.node()} ({platform.machine()})"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.status = 130 if isinstance(error, KeyboardInterrupt) else 1
        if self._logged:
            return
        elapsed = time.monotonic() - self._started
        self._print(
            f"ended {time.strftime('%Y-%m-%d %H:%M:%S %z')} after {elapsed:.1f} s, status {self.status}"
        )
