"""Utterances as arrays, the chance of their notes, and batches of them by size: what needs no torch."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class ScoreExample:
    """What one utterance's score tells, as arrays; with times, where they are known.

    Attributes:
        note_context: (N, Cn) float32. phone_context: (P, Cp) float32.
        note_index: (P,) of each phone's note. note_time: (N, 2) score start and end, seconds.
        time_lag: (N,) frames, or None. duration: (P,) whole frames, or None.
        note_seed: (N,) int64, of chance, for each note; None where that comes from the batch's seed and
            the utterance's id.
    """

    note_context: np.ndarray
    phone_context: np.ndarray
    note_index: np.ndarray
    note_time: np.ndarray
    time_lag: np.ndarray | None = None
    duration: np.ndarray | None = None
    note_seed: np.ndarray | None = None


def note_seeds(seed: int, count: int, first: int = 0) -> np.ndarray:
    """(count,) int64, at least 0: for each note of a song, from ``first`` on, what ``seed`` means for it.

    The numbers of SplitMix64 (Steele et al. 2014, OOPSLA, fig. 14) from the state ``seed`` on, halved.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(first + 1, first + count + 1, dtype=np.uint64) * _GAMMA
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)


_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def utterance_seed(seed: int, utt: str) -> int:
    """What ``seed`` means for one utterance of a set: were it the same for all, each note of a number, or
    frame, would be drawn alike in every phrase, and what is drawn would not average out over the set.
    """
    return int(note_seeds(seed, 1, zlib.crc32(utt.encode()))[0])


@dataclass
class Example:
    """One utterance, as arrays. A score without times and streams is enough to sing.

    Attributes:
        utt: id. score: None where a model needs none. singer, language: indices in the spec.
        streams: name to (T, D) float32; all but those of the spec's other rates have one T.
        given: streams that singing is told, as far as the model takes them, and does not have to predict.
    """

    utt: str
    score: ScoreExample | None = None
    streams: dict[str, np.ndarray] = field(default_factory=dict)
    singer: int = 0
    language: int = 0
    given: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Length in frames: of the durations where there are any, else of the first stream."""
        if self.score is not None and self.score.duration is not None:
            return int(self.score.duration.sum())
        return len(next(iter(self.streams.values()), ()))

    def timed(self, duration: np.ndarray | None, time_lag: np.ndarray | None = None) -> Example:
        """The example with other times, and without streams; what is given stays."""
        score = dataclasses.replace(self.score, duration=duration, time_lag=time_lag)
        return dataclasses.replace(self, score=score, streams={})


def pack(lengths: Sequence[int], budget: int, order: Sequence[int] | None = None) -> list[list[int]]:
    """Groups indices so that no batch, padded to its longest member, exceeds ``budget``.

    An index longer than the budget makes a batch of its own.

    Args:
        lengths: of all items. budget: padded length of a batch in all.
        order: the order in which items are taken; by length if not given.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i)) if order is None else order
    batches: list[list[int]] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if batches and longest * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
            longest = lengths[index]
    return batches
