"""Phrases that were sung, kept by all that their sound depends on: what has not changed is not sung again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nnsvs_lite.models.example import Example
from nnsvs_lite.synthesis.plan import Plan

MOST = 1 << 30
"""Bytes of arrays that are kept: about an hour of singing."""
SAME_TIME = 1e-6
"""Seconds by which times may differ and be the same: a phrase that has moved is still itself."""


class Kept:
    """What was made, by keys; the longest unused goes where there is no more room."""

    def __init__(self, most: int = MOST):
        self.most, self.size = most, 0
        self._rows: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def get(self, key: str, make: Callable[[], Any], size: Callable[[Any], int] = lambda value: 0) -> Any:
        """What is kept under a key, else what ``make`` gives, kept from now on; ``size`` is its bytes."""
        if key not in self._rows:
            value = make()
            self._rows[key] = value, size(value)
            self.size += self._rows[key][1]
            while self.size > self.most and len(self._rows) > 1:
                self.size -= self._rows.popitem(last=False)[1][1]
        self._rows.move_to_end(key)
        return self._rows[key][0]

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def under(self, name: str) -> Kept:
        """The same store for keys of its own: what one voice sang is not what another sings."""
        return _Under(self, name)


class _Under(Kept):
    def __init__(self, kept: Kept, name: str):
        self.kept, self.name = kept, name

    def get(self, key: str, make: Callable[[], Any], size: Callable[[Any], int] = lambda value: 0) -> Any:
        return self.kept.get(f"{self.name} {key}", make, size)

    def __contains__(self, key: str) -> bool:
        return f"{self.name} {key}" in self.kept


def timing_key(example: Example, strength: float) -> str:
    """A key of an utterance's times: of what timing models are told of it."""
    return _digest("timing", strength, *_told(example))


def phrase_key(plan: Plan, number: int) -> str:
    """A key of the sound of a planned phrase, wherever in the song it stands."""
    phrase, example = plan.phrases[number], plan.ready[number]
    first, count = phrase.first_note, len(phrase.score.notes)
    notes = np.arange(first, first + count)
    takes = [(one.seed, np.isin(notes, one.notes)) for one in plan.takes[1:]]
    takes = [item for take in takes if take[1].any() for item in take]
    chance = (plan.takes[0].seed, plan.temperature, plan.numbers[notes])
    hand = plan.by_hand.of_notes(first, count)
    formed = plan.by_hand.factors(phrase.start, example.frames, plan.config.frame_shift)
    drawn = [item for pair in sorted(_laid(plan, number).items()) for item in pair]
    told = (*_told(example), example.score.duration)
    return _digest("phrase", *told, *chance, *takes, repr(plan.style), repr(hand), formed, *drawn)


def as_drawn(plan: Plan, number: int) -> Plan:
    """The plan with those curves alone that say something about a phrase."""
    if plan.curves is None:
        return plan
    names = _laid(plan, number).keys()
    values = {name: value for name, value in plan.curves.values.items() if name in names}
    return plan._replace(curves=replace(plan.curves, values=values) if values else None)


def _laid(plan: Plan, number: int) -> dict[str, np.ndarray]:
    """Curves (T,) of a phrase, without those that leave it as it is."""
    if plan.curves is None:
        return {}
    config, start, frames = plan.config, plan.phrases[number].start, plan.ready[number].frames
    laid = plan.curves.of_phrase(frames, start, config).values
    laid = {name: value for name, value in laid.items() if not name.endswith("_change") or value.any()}
    pitch = plan.curves.pitch(frames, start, config)
    return laid if pitch is None or np.isnan(pitch).all() else laid | {"f0": pitch}


def _told(example: Example) -> tuple[Any, ...]:
    score = example.score
    times = np.round(score.note_time / SAME_TIME).astype(np.int64)
    who = (example.singer, example.language)
    return (score.note_context, score.phone_context, score.note_index, times, *who)


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        is_array = isinstance(part, np.ndarray)
        digest.update(repr((part.dtype.str, part.shape) if is_array else part).encode())
        digest.update(np.ascontiguousarray(part).tobytes() if is_array else b"")
    return digest.hexdigest()
