"""Runs that end in the middle of things."""

from __future__ import annotations


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


def kill_at(monkeypatch, owner: type, method: str, call: int, after: bool) -> None:
    """Makes the n-th call of a method end the run, before or after it does its work."""
    original, calls = getattr(owner, method), []

    def dying(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == call and not after:
            raise Killed
        result = original(self, *args, **kwargs)
        if len(calls) == call:
            raise Killed
        return result

    monkeypatch.setattr(owner, method, dying)
