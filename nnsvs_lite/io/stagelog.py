"""The first and the last lines of a stage's log: what ran, with what, where, and for how long."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

_PACKAGES = ("nnsvs_lite", "torch", "numpy", "scipy", "pyworld-prebuilt", "pysptk", "kaldiio")
_TIME = "%Y-%m-%d %H:%M:%S %z"


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that results depend on; nothing is imported for it."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def git_commit() -> str:
    """Short commit of the repository around the working folder; empty where there is none.

    Where tracked or new files differ from the commit, documents (``.md``) and what git ignores left out, it
    says so: ``c2d8001 with uncommitted changes``.
    """

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", ":(top)", ":(top,exclude)*.md")
        return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def run_logged(command: Sequence[str], run: Callable[[], int], stream: TextIO | None = None) -> int:
    """Runs a stage between the header and the footer of its log; returns its exit status.

    Under a job runner that logs the rest (it sets ``NNSVS_LITE_LOGGED``), only versions are printed.

    Args:
        command: the command line, a word an item.
        run: the stage; gives its exit status. An exception counts as 1, Ctrl-C as 130.
        stream: where to print; standard output unless given.
    """

    def say(line: str) -> None:
        print(f"# {line}", file=stream or sys.stdout, flush=True)

    whole = "NNSVS_LITE_LOGGED" not in os.environ
    started = time.monotonic()
    if whole:
        say(shlex.join(command))
    say(" ".join(f"{name}={version}" for name, version in versions().items()))
    if whole:
        say(f"started {time.strftime(_TIME)} on {platform.node()} ({platform.machine()})")
    status = 1
    try:
        status = run()
        return status
    except KeyboardInterrupt:
        status = 130
        raise
    finally:
        if whole:
            elapsed = time.monotonic() - started
            say(f"ended {time.strftime(_TIME)} after {elapsed:.1f} s, status {status}")
