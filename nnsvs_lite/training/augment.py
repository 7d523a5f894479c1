"""More data from the same: phrases transposed, and sung faster or slower.

The context is computed from a changed score, as in singing. Spectra and aperiodicity stay those of the
recording (the pitch-shifted pseudo-data of Sinsy, 2010); Muskits and DiffSinger shift recordings instead.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.tables import read_table
from nnsvs_lite.models.batch import Example
from nnsvs_lite.score.change import HIGHEST, LOWEST, change
from nnsvs_lite.score.types import Score
from nnsvs_lite.training.data import DumpDataset

SEMITONE = math.log(2.0) / 12.0


def changed(example: Example, score: Score, spec: Spec, transpose: int, stretch: float) -> Example:
    """An utterance as if sung at another pitch and pace.

    Args:
        example: with durations and streams. score: its own, with phones. spec: of the dump.
        transpose: semitones. stretch: factor of all lengths.

    Returns context and times of the changed score, every duration scaled, ``lf0`` moved, streams interpolated
    to the new number of frames (``vuv`` by nearest).
    """
    new = change(score, transpose, 1.0 / stretch)
    old_ends = np.cumsum(example.score.duration)
    ends = np.maximum(np.round(old_ends * stretch), np.arange(1, len(old_ends) + 1)).astype(np.int64)
    # A phone of one frame may round to none: every phone keeps at least one.
    ends = np.maximum.accumulate(ends - np.arange(len(ends))) + np.arange(len(ends))
    old_bounds, bounds = np.concatenate([[0], old_ends]), np.concatenate([[0], ends])
    centres = np.interp(np.arange(ends[-1]) + 0.5, bounds, old_bounds) - 0.5
    streams = {}
    for name, values in example.streams.items():
        if name == "vuv":
            streams[name] = values[np.clip(np.round(centres), 0, len(values) - 1).astype(int)]
            continue
        low = np.clip(np.floor(centres), 0, len(values) - 1).astype(int)
        high = np.minimum(low + 1, len(values) - 1)
        share = np.clip(centres - low, 0.0, 1.0)[:, None].astype(values.dtype)
        streams[name] = values[low] * (1 - share) + values[high] * share
        if name == "lf0":
            streams[name] = streams[name] + np.float32(transpose * SEMITONE)
    old = example.score
    score = replace(
        old,
        note_context=spec.context("note", new),
        note_time=np.array([[n.start, n.end] for n in new.notes], np.float64),
        time_lag=None if old.time_lag is None else old.time_lag * stretch,
        duration=np.diff(bounds),
    )
    return replace(example, score=score, streams=streams)


def varied(
    data: Sequence[Example],
    index: int,
    rng: np.random.Generator,
    scores: dict[str, Score],
    spec: Spec,
    transpose: int,
    stretch: float,
) -> Example:
    """A random version of an utterance; phrases stay within what can be sung.

    Args:
        scores: of the set. transpose: semitones, at most, either way.
        stretch: lengths are multiplied by a factor of at most ``1 + stretch``, at least its inverse.
    """
    example = data[index]
    score = scores[example.utt]
    pitches = [n.pitch for n in score.notes if not n.is_rest] or [60]
    low, high = max(-transpose, LOWEST - min(pitches)), min(transpose, HIGHEST - max(pitches))
    moved = int(rng.integers(min(low, 0), max(high, 0) + 1))
    return changed(example, score, spec, moved, math.exp(rng.uniform(-1, 1) * math.log1p(stretch)))


def read_scores(data: DumpDataset) -> dict[str, Score]:
    """The scores of a set's utterances; raises DataError where it has none, or one is not readable."""
    path = data.folder / "score"
    return {utt: Score.from_json(line, f"{path} ({utt})") for utt, line in read_table(path).items()}
