"""Means and 95 % intervals over utterances and over seeds, and paired differences of two systems.

What goes in is, for each run of a system (runs differ in their seed alone), utterance to its vector of sums
(:mod:`nnsvs_lite.evaluation.measures`). A run's number pools all its utterances' sums; several runs' is the
mean of theirs. Intervals are percentiles of bootstrap draws (Efron and Tibshirani, 1993, chapter 13) of both
seeds and utterances, which are crossed: one draw of utterances serves all seeds (Owen, 2007, "The pigeonhole
bootstrap"). With few seeds the spread between them is known badly: an interval from three of them is a hint.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nnsvs_lite.evaluation.measures import Measure

Runs = Sequence[Mapping[str, np.ndarray]]
"""Of each run: utterance to its vector of sums."""

DRAWS = 1000


class Estimate(NamedTuple):
    """A number and how sure it is, as stored."""

    value: float  # the mean over runs of the number pooled over utterances
    interval: tuple[float, float] | None  # 95 %; None for fewer than two utterances
    seeds: int
    utterances: int  # in all runs
    spread: float | None  # standard deviation between runs (n - 1); None for one run


class Gain(NamedTuple):
    """How much one system is better than another on one measure."""

    measure: Measure
    value: float
    floor: float
    absolute: float  # positive where ``value`` is the better one, in the measure's unit
    relative: float | None  # ``absolute / |floor|``; None where the floor is 0
    interval: tuple[float, float] | None  # of ``absolute``, 95 %, paired over utterances

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``equal`` (as shown); ``, within chance`` where the interval holds 0."""
        if float(self.measure.show_signed(self.absolute)) == 0:
            return "equal"
        word = "better" if self.absolute > 0 else "worse"
        holds_zero = self.interval is not None and self.interval[0] <= 0 <= self.interval[1]
        return f"{word}, within chance" if holds_zero else word

    @property
    def mood(self) -> str:
        """How pages colour it: ``good``, ``bad``, or ``chance`` (grey) where it may be nothing."""
        return {"better": "good", "worse": "bad"}.get(self.verdict, "chance")


def estimate(measure: Measure, runs: Runs, draws: int = DRAWS, seed: int = 0) -> Estimate | None:
    """The number of a system with its interval over utterances, and over seeds where there are several.

    Utterances that a run lacks are left out of all. ``draws`` and ``seed`` are of the bootstrap; the same
    seed gives the same interval. Returns None where nothing counts in some run.
    """
    utts = _common(runs)
    numbers = _numbers(measure, runs, utts)
    if numbers is None:
        return None
    spread = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
    interval = _interval(measure, [runs], utts, draws, seed)
    return Estimate(float(numbers.mean()), interval, len(runs), len(utts), spread)


def gain(measure: Measure, runs: Runs, against: Runs) -> Gain | None:
    """By how much ``runs`` are better than ``against``, both as in :func:`estimate`.

    The interval is paired: each draw takes the same utterances of both, so that how hard an utterance is
    cancels. Seeds of the two have nothing to do with each other and are drawn apart. No measure may be given
    whose best value is zero from both sides.

    Returns None where one of them lacks the measure, or they share nothing that counts.
    """
    shared = _common([*runs, *against])
    if any(_numbers(measure, side, shared) is None for side in (runs, against)):
        return None
    value, floor = (float(_numbers(measure, side, _common(side)).mean()) for side in (runs, against))
    sign = -1.0 if measure.better == "lower" else 1.0
    absolute = sign * (value - floor)
    interval = _interval(measure, [runs, against], shared, DRAWS, seed=0)
    interval = interval and tuple(sorted(sign * end for end in interval))
    return Gain(measure, value, floor, absolute, absolute / abs(floor) if floor else None, interval)


def _common(runs: Runs) -> list[str]:
    shared = set.intersection(*(set(run) for run in runs)) if runs else set()
    return sorted(shared, key=str.encode)


def _numbers(measure: Measure, runs: Runs, utts: Sequence[str]) -> np.ndarray | None:
    """The number of each run, ``(runs,)``."""
    values = [measure.pool([run[utt] for utt in utts]) for run in runs]
    return np.array(values, dtype=np.float64) if values and None not in values else None


def _interval(
    measure: Measure, sides: Sequence[Runs], utts: Sequence[str], draws: int, seed: int
) -> tuple[float, float] | None:
    """Of the number of one side, or of the first less the second; None for fewer than two utterances."""
    if len(utts) < 2:
        return None
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(utts), size=(draws, len(utts)))
    first, *second = (_drawn(measure, runs, utts, picks, rng) for runs in sides)
    values = first - second[0] if second else first
    finite = values[np.isfinite(values)]
    if len(finite) < len(values) // 2:
        return None
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


def _drawn(
    measure: Measure, runs: Runs, utts: Sequence[str], picks: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The number of each draw, ``(draws,)``; ``picks`` ``(draws, utts)`` are the utterances drawn."""
    numbers = np.stack([_resampled(measure, [run[utt] for utt in utts], picks) for run in runs])
    if len(runs) == 1:
        return numbers[0]
    seeds = rng.integers(len(runs), size=(len(picks), len(runs)))
    return np.take_along_axis(numbers.T, seeds, axis=1).mean(axis=1)


def _resampled(measure: Measure, parts: Sequence[np.ndarray], picks: np.ndarray) -> np.ndarray:
    """The number of each draw from one run, ``(draws,)``, NaN where nothing counts."""
    finish = measure.pooling.finish
    if measure.pooling.joined:
        return np.array([finish(np.concatenate([parts[i] for i in pick])) for pick in picks])
    counts = np.stack([np.bincount(pick, minlength=len(parts)) for pick in picks])
    return np.array([finish(sums) for sums in counts @ np.stack(parts)])
