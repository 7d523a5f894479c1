"""The search: the best onsets of all phones, each within its window.

A phone's segment is scored as a whole, so that its length can be judged too (a segmental model: Ostendorf
and Roukos, 1989); its beginning and end are models of their own, since a boundary shows in them. With
running sums every segment costs a few look-ups, and the search is exact within the windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnsvs_lite.align.slots import Slot

EDGE = 4
"""Frames of a segment's beginning and of its end, at most a third of it each."""
LEAST = 3
"""Frames of the shortest segment."""
_BREATH = 12
_BRIEF = np.log(12.0)
_NEVER = -1e9


@dataclass
class Priors:
    """What is known of times before the audio is heard."""

    # By kind, (median, spread) in frames of a nucleus' onset after its note.
    onset: dict[str, tuple[float, float]] = field(default_factory=dict)
    # By phone key, (mean, spread) of the logarithm of its length in frames.
    length: dict[str, tuple[float, float]] = field(default_factory=dict)
    breath: float = -4.0  # log-odds of a breath that the score lacks against none
    rest: float = 0.0  # what speaks against a voiced frame in a rest
    default: float = 16.0  # spread of onsets whose kind is unknown


@dataclass(frozen=True)
class Evidence:
    """Running sums of one utterance."""

    states: Mapping[str, np.ndarray]  # log-likelihoods by phone key, (3, T + 1): beginning, middle, end
    pitch: Mapping[float, np.ndarray]  # agreement of F0 with a pitch by MIDI number, (T + 1,)
    boundary: np.ndarray  # (T + 1,), not summed: what speaks for a boundary at a frame's beginning


def running_sums(values: np.ndarray) -> np.ndarray:
    """Sums of (..., T) values before each frame and of all, (..., T + 1)."""
    return np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)


def edges(length: np.ndarray) -> np.ndarray:
    """Frames that count as beginning, and as end, of segments of these lengths."""
    return np.minimum(EDGE, length // 3)


def segment_score(
    slot: Slot, start: np.ndarray, end: np.ndarray, evidence: Evidence, priors: Priors
) -> np.ndarray:
    """Scores of a slot's segment for all starts (S, 1) and ends (1, E): (S, E)."""
    length = end - start
    edge = edges(np.maximum(length, 0))
    first, middle, last = evidence.states[slot.key]
    inner = np.minimum(start + edge, len(first) - 1)
    outer = np.maximum(end - edge, 0)
    score = first[inner] - first[start] + middle[outer] - middle[inner] + last[end] - last[outer]
    if slot.pitch in evidence.pitch:
        sums = evidence.pitch[slot.pitch]
        score = score + sums[end] - sums[start]
    prior = priors.length.get(slot.key)
    if prior is not None:
        logs = np.log(np.maximum(length, 1))
        score = score - 0.5 * ((logs - prior[0]) / prior[1]) ** 2 - np.log(prior[1])
    score = np.where(length < LEAST, _NEVER, score)
    if slot.optional:
        score = np.where(length < _BREATH, _NEVER, score + priors.breath)
        score = np.where(length == 0, 0.0, score)
    return score


def onset_score(slot: Slot, onset: np.ndarray, priors: Priors) -> np.ndarray:
    """Log-prior of a slot's onset in frames: Student's t with three degrees of freedom.

    Its heavy tails let a singer who is really late be late.
    """
    if np.isnan(slot.expected):
        return np.zeros(len(onset))
    median, spread = priors.onset.get(slot.kind, (0.0, priors.default))
    z = (onset - slot.expected - median) / spread
    return -2.0 * np.log1p(z * z / 3.0)


def first_onsets(
    slots: Sequence[Slot], frames: int, priors: Priors, given: Sequence[float] = ()
) -> np.ndarray:
    """Onsets (slots + 1,) in frames before anything is heard; the last is the end.

    Those ``given`` for the score's phones, if any. Else a nucleus begins with its note, or as late as its
    kind does; consonants before it by their length. Breaths that the score lacks have no length.
    """
    onsets, rest = np.full(len(slots) + 1, float(frames)), list(given)
    for i in range(len(slots) - 1, -1, -1):
        slot = slots[i]
        if slot.optional:
            onsets[i] = onsets[i + 1]
        elif rest:
            onsets[i] = rest.pop()
        elif not np.isnan(slot.expected):
            onsets[i] = slot.expected + priors.onset.get(slot.kind, (0.0, 0.0))[0]
        else:
            onsets[i] = onsets[i + 1] - np.exp(priors.length.get(slot.key, (_BRIEF,))[0])
    onsets[0] = 0.0
    return np.clip(np.maximum.accumulate(np.round(onsets)), 0, frames).astype(int)


def search(
    slots: Sequence[Slot], frames: int, evidence: Evidence, priors: Priors
) -> tuple[np.ndarray, float]:
    """The best onsets (slots + 1,) in frames, the end included, and their score.

    A breath that the score lacks has no length where it was not heard.
    """
    best = np.zeros(1)
    places = [np.array([0])]
    back: list[np.ndarray] = []
    for before, slot in zip(slots, slots[1:]):
        ends = np.arange(slot.low, slot.high + 1)
        total = best[:, None] + segment_score(before, places[-1][:, None], ends[None, :], evidence, priors)
        choice = total.argmax(axis=0)
        best = total[choice, np.arange(len(ends))]
        if not before.optional:  # counted once where a breath has no length
            best = best + evidence.boundary[ends]
        best = best + onset_score(slot, ends, priors)
        back.append(choice)
        places.append(ends)
    final = best + segment_score(slots[-1], places[-1][:, None], np.array([[frames]]), evidence, priors)[:, 0]
    k = int(final.argmax())
    onsets = [int(places[-1][k])]
    for choice, previous in zip(reversed(back), reversed(places[:-1])):
        k = int(choice[k])
        onsets.append(int(previous[k]))
    return np.array([*onsets[::-1], frames]), float(final.max())
