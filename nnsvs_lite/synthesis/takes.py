"""Takes: notes of a song sung anew, and all others left as they were."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.example import Example

JOIN = 0.06
"""Seconds, of the end of a retaken span, in which it comes from what was there before."""


class Retake(NamedTuple):
    """Notes, by their index in the song's score as ``Performance.phones`` has it, and a seed for them."""

    notes: Sequence[int]
    seed: int


def read_retake(words: str) -> Retake:
    """Notes and their seed, written ``3,7-9@42``. Raises DataError."""
    if not re.fullmatch(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*@\d{1,19}", words):
        raise DataError(f"a retake is notes and a seed, such as 3,7-9@42, and not {words[:60]!r}")
    spans, _, seed = words.partition("@")
    ends = [[int(n) for n in span.split("-")] for span in spans.split(",")]
    return Retake([n for span in ends for n in range(span[0], span[-1] + 1)], int(seed))


def share_of_new(example: Example, chosen: np.ndarray, frame_shift: float) -> np.ndarray:
    """(T, 1) float32: 1 in the chosen notes, rising and falling smoothly inside of their ends, elsewhere 0.

    ``chosen`` (N,) bool; notes beside each other are one span. ``example`` has durations.
    """
    score = example.score
    frames = np.repeat(chosen[score.note_index], score.duration)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], frames, [0]])))
    share = np.zeros(len(frames), np.float32)
    for start, end in zip(edges[::2], edges[1::2]):
        place = np.arange(end - start)
        from_end = np.minimum(place, place[::-1]) + 1
        length = min(JOIN / frame_shift, (end - start) / 3)
        share[start:end] = 0.5 - 0.5 * np.cos(np.pi * np.minimum(from_end / (length + 1), 1))
    return share[:, None]


def join_takes(
    old: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray], share: np.ndarray
) -> dict[str, np.ndarray]:
    """Streams (T, D) of two takes of a phrase; where ``share`` (T, 1) is 0 those of ``old``, to the bit."""
    return {
        name: np.where(share > 0, value + share * (new[name] - value), value) for name, value in old.items()
    }


def with_seeds(example: Example, seeds: np.ndarray) -> Example:
    """The example with a seed (N,) for each of its notes."""
    return replace(example, score=replace(example.score, note_seed=seeds))
