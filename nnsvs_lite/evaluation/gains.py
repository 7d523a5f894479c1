"""By how much one system is better than another, and whether that could be chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nnsvs_lite.evaluation.intervals import Runs, difference, mean
from nnsvs_lite.evaluation.measures import Measure


def rounded(value: float | None) -> float | None:
    """As results are written: six decimals."""
    return None if value is None else round(value, 6)


def rounded_pair(pair: tuple[float, float] | None) -> list[float] | None:
    """An interval as results are written."""
    return None if pair is None else [round(end, 6) for end in pair]


@dataclass(frozen=True)
class Gain:
    """How much one system is better than another on one measure.

    Attributes:
        measure: which.
        value, floor: the two numbers.
        absolute: positive where ``value`` is the better one, in the measure's unit.
        relative: ``absolute / |floor|``; None where the floor is 0.
        interval: 95 % interval of ``absolute``, paired over utterances.
    """

    measure: Measure
    value: float
    floor: float
    absolute: float
    relative: float | None
    interval: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``equal`` (as shown); ``within chance`` where the interval holds 0."""
        if float(self.measure.show_signed(self.absolute)) == 0:
            return "equal"
        chance = self.interval is not None and self.interval[0] <= 0 <= self.interval[1]
        return ("better" if self.absolute > 0 else "worse") + (", within chance" if chance else "")

    def to_json(self) -> dict[str, Any]:
        """As in ``utterances.json``."""
        return {
            "key": self.measure.key,
            "value": rounded(self.value),
            "floor": rounded(self.floor),
            "absolute": rounded(self.absolute),
            "relative": rounded(self.relative),
            "interval": rounded_pair(self.interval),
            "verdict": self.verdict,
        }


def gain(measure: Measure, runs: Runs, against: Runs) -> Gain | None:
    """Compares two systems, each one run or several that differ in their seed.

    Args:
        measure: which number; not one whose best value is zero from both sides.
        runs, against: utterance to vector, see :mod:`nnsvs_lite.evaluation.intervals`.

    Returns:
        None where one of them lacks the measure.
    """
    value, other = mean(measure, runs), mean(measure, against)
    apart = difference(measure, runs, against)
    if value is None or other is None or apart is None:
        return None
    interval = apart.interval
    if interval is not None and measure.better == "lower":
        interval = (-interval[1], -interval[0])
    absolute = measure.gain(value, other)
    return Gain(measure, value, other, absolute, absolute / abs(other) if other else None, interval)
