"""Acoustic models of the refinement: a Gaussian for each phone's beginning, middle and end.

Small on purpose: they are learnt from the very recordings that are aligned, which may be a minute. Rare
states lean on their phone, rare phones on their manner, those on all of the data (maximum a posteriori
estimates: Gauvain and Lee, 1994).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnsvs_lite.align.segmental import edges
from nnsvs_lite.align.slots import Slot

LEAN = 10.0
"""Frames' worth of belief in the broader estimate."""
FLOOR = 0.1
"""Least variance, as a share of that of all frames."""
POOLED = 0.7
"""Weight of the variance within all states against a state's own. With its own alone, a
narrow vowel leaves all frames of a transition to the broad consonant beside it; with
one variance for all, a boundary lies midway between two phones."""


class Sums(dict[tuple[str, str, int], np.ndarray]):
    """Count, sums and sums of squares (1 + 2 * D,) of frames by ``(group, key, state)``."""

    def add(self, slots: Sequence[Slot], onsets: np.ndarray, features: np.ndarray) -> None:
        """Adds an utterance's frames (T, D) as its onsets (slots + 1,) divide them."""
        for slot, start, end in zip(slots, onsets, onsets[1:]):
            edge = edges(max(end - start, 0))
            parts = ((start, start + edge), (start + edge, end - edge), (end - edge, end))
            for state, (a, b) in enumerate(parts):
                if b > a:
                    x = features[a:b].astype(np.float64)
                    row = np.concatenate([[len(x)], x.sum(axis=0), (x * x).sum(axis=0)])
                    self.merge({(slot.group, slot.key, state): row})

    def merge(self, other: Mapping[tuple[str, str, int], np.ndarray]) -> None:
        """Adds another's sums."""
        for key, row in other.items():
            self[key] = self.get(key, 0.0) + row


@dataclass(frozen=True)
class Models:
    """Means and variances: by phone key, each (3, D)."""

    means: Mapping[str, np.ndarray]
    variances: Mapping[str, np.ndarray]

    def frames(self, keys: Iterable[str], features: np.ndarray) -> dict[str, np.ndarray]:
        """Log-likelihoods (3, T) of frames (T, D) for each of ``keys``, constants left out."""
        found = {}
        square = features * features
        for key in keys:
            precision = 1.0 / self.variances[key]
            linear = features @ (self.means[key] * precision).T
            quadratic = square @ precision.T
            constant = (self.means[key] ** 2 * precision - np.log(precision)).sum(axis=1)
            found[key] = (linear - 0.5 * quadratic - 0.5 * constant).T
        return found


def _lean(
    rows: Iterable[np.ndarray], mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of all rows of sums, leaning on broader ones."""
    width = len(mean)
    count, total, square = np.split(sum(rows, np.zeros(1 + 2 * width)), [1, 1 + width])
    new = (total + LEAN * mean) / (count + LEAN)
    second = (square + LEAN * (variance + mean**2)) / (count + LEAN)
    return new, np.maximum(second - new**2, 1e-6)


def estimate(sums: Sums, known: Mapping[str, str]) -> Models:
    """Models of all phones; ``known``: group by phone key, for every phone that may be asked for."""
    width = len(next(iter(sums.values()))) // 2
    everything = _lean(sums.values(), np.zeros(width), np.ones(width))
    floor = FLOOR * everything[1]
    groups = {
        group: _lean((row for key, row in sums.items() if key[0] == group), *everything)
        for group in sorted(set(known.values()))
    }
    means, variances, within = {}, {}, np.zeros(width)
    for key, group in sorted(known.items()):
        phone = _lean((row for name, row in sums.items() if name[1] == key), *groups[group])
        rows = [sums.get((group, key, k), np.zeros(1 + 2 * width)) for k in range(3)]
        states = [_lean([row], *phone) for row in rows]
        means[key] = np.stack([mean for mean, _ in states])
        variances[key] = np.stack([np.maximum(variance, floor) for _, variance in states])
        within += sum(row[0] * variance for row, (_, variance) in zip(rows, states))
    within /= sum(row[0] for row in sums.values())
    # Geometric mean of a state's own variance and that within all states.
    shared = {key: own ** (1.0 - POOLED) * within**POOLED for key, own in variances.items()}
    return Models(means, shared)
