"""Runs that end in the middle of things."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 60.0


def until(condition, seconds: float = PATIENCE) -> None:
    """Waits until a condition holds; fails when it does not in a long time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


@contextlib.contextmanager
def killed_at(owner: type, method: str, call: int, after: bool) -> Iterator[None]:
    """Ends what runs inside at the n-th call of a method, before or after that does its work."""
    original, calls = getattr(owner, method), []

    def dying(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == call and not after:
            raise Killed
        result = original(self, *args, **kwargs)
        if len(calls) == call:
            raise Killed
        return result

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, method, dying)
        yield


def check_same(out: Path, reference: Path) -> None:
    """Two exp dirs hold the same history, model and state, byte for byte, and nothing half-written."""
    assert (out / "losses.jsonl").read_bytes() == (reference / "losses.jsonl").read_bytes()
    for name in ("model.pt", "last.pt"):
        if (reference / name).exists():
            assert (out / name).read_bytes() == (reference / name).read_bytes(), name
    assert not [p.name for p in out.iterdir() if ".tmp" in p.name]
