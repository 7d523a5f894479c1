"""The search against all possibilities, on a problem small enough to try them."""

import dataclasses
import itertools

import numpy as np

from nnsvs_lite.align.acoustic import Models, Sums, estimate
from nnsvs_lite.align.config import RefineConfig
from nnsvs_lite.align.segmental import Evidence, Priors, onset_score, search, segment_score
from nnsvs_lite.align.slots import Item, slots_of
from nnsvs_lite.score.types import Note, Score

SCORE = Score(
    (
        Note(0.0, 0.05, 0, "", ("pau",)),
        Note(0.05, 0.12, 60, "ka", ("k", "a")),
        Note(0.12, 0.2, 62, "i", ("i",)),
        Note(0.2, 0.25, 0, "", ("pau",)),
    )
)
FRAMES = 50


def slots_in(window, breaths=True):
    return slots_of(Item("u", "s", SCORE, None, FRAMES), RefineConfig(window=window, breaths=breaths))


def evidence(rng):
    states = {
        key: np.pad(np.cumsum(rng.standard_normal((3, FRAMES)), axis=1), ((0, 0), (1, 0)))
        for key in ("ja:pau", "ja:k", "ja:a", "ja:i", "ja:br")
    }
    pitch = {60.0: np.append(0.0, np.cumsum(rng.standard_normal(FRAMES))), 62.0: np.zeros(FRAMES + 1)}
    return Evidence(states, pitch, rng.standard_normal(FRAMES + 1))


def total(slots, onsets, found, priors):
    score = 0.0
    for i, slot in enumerate(slots):
        a, b = np.array([[onsets[i]]]), np.array([[onsets[i + 1]]])
        score += float(segment_score(slot, a, b, found, priors)[0, 0])
        if i:
            score += float(onset_score(slot, np.array([onsets[i]]), priors)[0])
            score += 0.0 if slots[i - 1].optional else float(found.boundary[onsets[i]])
    return score


def test_search_finds_the_best_of_all():
    priors = Priors({"rest": (1.0, 4.0)}, {"ja:k": (2.0, 0.4)}, breath=-1.0, default=3.0)
    for seed in range(4):
        found = evidence(np.random.default_rng(seed))
        slots = slots_in(0.02)
        slots = [dataclasses.replace(s, low=max(s.low, s.high - 6)) if i else s for i, s in enumerate(slots)]
        assert [s.phone for s in slots] == ["pau", "k", "a", "br", "i", "pau"]
        onsets, score = search(slots, FRAMES, found, priors)
        ranges = [range(s.low, s.high + 1) for s in slots]
        tried = {
            (*row, FRAMES): total(slots, (*row, FRAMES), found, priors)
            for row in itertools.product(*ranges)
            if all(a <= b for a, b in zip(row, row[1:]))
        }
        best = max(tried, key=tried.get)
        assert tuple(onsets) == best
        assert np.isclose(score, tried[best])


def test_windows_hold_the_least_length_of_every_phone():
    slots = slots_in(0.25)
    assert slots[0].low == slots[0].high == 0
    needed = [s for s in slots if not s.optional]
    assert all(b.low >= a.low + 3 and b.high >= a.high for a, b in zip(needed, needed[1:]))
    assert needed[-1].high <= FRAMES - 3


def test_models_of_rare_phones_lean_on_their_manner():
    rng = np.random.default_rng(0)
    slots = slots_in(0.05, breaths=False)
    x = rng.standard_normal((FRAMES, 3)) + 2.0
    sums = Sums()
    sums.add(slots, np.array([0, 10, 20, 30, 40, 50]), x)
    models = estimate(sums, {s.key: s.group for s in slots} | {"ja:t": "ja:plosive"})
    assert np.allclose(models.means["ja:t"][0], models.means["ja:t"][2])
    assert np.abs(models.means["ja:t"][0] - models.means["ja:k"].mean(axis=0)).max() < 0.5
    assert all((v > 0).all() for v in models.variances.values())


def test_frame_likelihoods_are_those_of_a_gaussian():
    rng = np.random.default_rng(1)
    mean, variance, x = rng.standard_normal((3, 4)), rng.uniform(0.5, 2, (3, 4)), rng.standard_normal((5, 4))
    found = Models({"p": mean}, {"p": variance}).frames(["p"], x)["p"]
    for state in range(3):
        z = (x - mean[state]) ** 2 / variance[state] + np.log(variance[state])
        assert np.allclose(found[state], -0.5 * z.sum(axis=1))
