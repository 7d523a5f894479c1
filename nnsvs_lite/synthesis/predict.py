"""Batched inference: score context to phone times, phone times to vocoder features."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.example import Example, pack
from nnsvs_lite.models.voice import Model
from nnsvs_lite.score.timing import LEAST_VOWEL, clip_lags, fill_notes, least_lengths, sung_boundaries

FRAMES, PHONES = 5_000, 500
"""Of a padded batch in inference; memory grows with it and not with the set."""


class Timing(NamedTuple):
    """Time lags (N,) of an utterance, and durations (P,): whole frames that fill its lag-adjusted notes."""

    time_lag: np.ndarray
    duration: np.ndarray


def predict_timing(
    examples: Sequence[Example],
    timelag: Model,
    duration: Model,
    budget: int = PHONES,
    strength: float = 1.0,
) -> list[Timing]:
    """Time lags and durations of utterances, in their order; of ``examples`` the context only is used.

    ``budget`` is phones of a padded batch; ``strength`` scales the lags: 0 starts every note at its place in
    the score.
    """
    shift = timelag.spec.frame_shift
    rest, vowel = timelag.spec.column("note", "is_rest"), timelag.spec.column("phone", "is_vowel")
    out: list[Timing | None] = [None] * len(examples)
    for indices in pack([len(e.score.phone_context) for e in examples], budget):
        members = [examples[i].timed(None) for i in indices]
        lags = timelag.compute(members)["time_lag"].astype(np.float32)
        lengths = {k: v.astype(np.float64) for k, v in duration.compute(members).items()}
        _check_finite(lags, *lengths.values())
        for row, (i, example) in enumerate(zip(indices, members)):
            n, p = len(example.score.note_context), len(example.score.phone_context)
            times, index = example.score.note_time, example.score.note_index
            rests = example.score.note_context[:, rest] > 0.5
            lag = clip_lags(lags[row, :n] * strength, rests, shift)
            lag[0] = 0.0
            least = least_lengths(times, rests, np.bincount(index, minlength=n), shift)
            bounds = sung_boundaries(times, lag, least, shift)
            variance = lengths["variance"][row, :p] if "variance" in lengths else None
            vowels = example.score.phone_context[:, vowel] > 0.5
            held = np.diff(times, axis=1)[:, 0] / shift * LEAST_VOWEL
            filled = fill_notes(lengths["mean"][row, :p], variance, index, bounds, vowels, held)
            out[i] = Timing(lag, filled)
    return out  # type: ignore[return-value]


class Performed(Sequence[Example]):
    """Utterances with F0 and voicing of their recordings given; of ``examples`` those streams are used."""

    def __init__(self, examples: Sequence[Example]):
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        example = self._examples[index]
        given = {name: example.streams[name] for name in ("lf0", "vuv")}
        return replace(example, given=given, streams={})


class TimedExamples(Sequence[Example]):
    """Utterances with the durations that were predicted for them, made when asked for."""

    def __init__(self, examples: Sequence[Example], timings: Sequence[Timing]):
        self._examples, self._timings = examples, timings

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        return self._examples[index].timed(self._timings[index].duration)


def predict_acoustic(
    examples: Sequence[Example],
    model: Model,
    budget: int = FRAMES,
    seed: int = 0,
    temperature: float = 1.0,
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Index and streams, (T, D) float32, of utterances with durations; shortest first, read as needed."""
    for indices in pack([e.frames for e in examples], budget):
        members = [e.timed(e.score.duration) for e in map(examples.__getitem__, indices)]
        sung = model.compute(members, seed, temperature)
        streams = {name: value.astype(np.float32) for name, value in sung.items()}
        _check_finite(*streams.values())
        for row, (i, example) in enumerate(zip(indices, members)):
            yield i, {name: value[row, : example.frames] for name, value in streams.items()}


def _check_finite(*values: np.ndarray) -> None:
    if not all(np.isfinite(value).all() for value in values):
        raise DataError("the model gives numbers that are not finite: it is damaged, train it again")
