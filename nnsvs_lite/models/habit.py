"""Vibrato as a habit: what is drawn for each note, and the chance of single notes. It needs no torch."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.vibrato import RATES, sing_vibrato
from nnsvs_lite.models.example import Example, ScoreExample, note_seeds
from nnsvs_lite.models.melody import SCORE_PITCH

SHORTEST = 0.15
"""Seconds; a shorter vowel has no vibrato."""
WIDEST = 250.0
"""Cents, the largest extent that is sung."""
USUAL = {"delay": 0.1, "rate": np.log(6.0), "extent": np.log(60.0), "fade_in": 0.2, "fade_out": 0.1}
"""Of a vibrato on a note of middle length; seconds, and logarithms of Hz and cents (Prame, 1994 and 1997)."""
TOLD = 5
"""Numbers that tell of a note, beside its vowel."""


class HeldVowel(NamedTuple):
    """The part of a sung note that is held, its vowels; ``end`` is one past its last frame."""

    note: int
    start: int
    end: int
    phone: int
    """Id of the first of them."""


def held_vowels(score: ScoreExample, spec: Spec) -> list[HeldVowel]:
    """Of each sung note that has any; ``score`` with durations."""
    ids = score.phone_context[:, spec.column("phone", "phone")].astype(np.int64).clip(0, len(spec.phones))
    held = np.array(spec.sustaining)[ids]
    rest = score.note_context[:, spec.column("note", "is_rest")] > 0.5
    edges = np.append(0, np.cumsum(score.duration))
    rows = ((n, np.flatnonzero((score.note_index == n) & held)) for n in np.flatnonzero(~rest))
    return [
        HeldVowel(int(n), int(edges[p[0]]), int(edges[p[-1] + 1]), int(ids[p[0]])) for n, p in rows if len(p)
    ]


def note_chance(score: ScoreExample, spec: Spec) -> Iterator[tuple[HeldVowel, np.random.Generator]]:
    """Held vowels, each with chance of its own, by its note's seed: whatever is sung beside it."""
    seeds = note_seeds(0, len(score.note_context)) if score.note_seed is None else score.note_seed
    for vowel in held_vowels(score, spec):
        yield vowel, np.random.default_rng(int(seeds[vowel.note]))


class Habit(NamedTuple):
    """What is drawn from, of each singer, for what is told of a note (``size``): weights of the logit of
    presence (singers, size), and of each of :data:`USUAL` (singers, size, 5); a factor of the covariance of
    these, (singers, 5, 5).
    """

    presence: np.ndarray
    habit: np.ndarray
    spread: np.ndarray

    def check_fits(self, spec: Spec) -> None:
        """Raises ValueError where it is not of ``spec``'s singers and phones."""
        singers, size, drawn = max(len(spec.speakers), 1), TOLD + len(spec.phones) + 1, len(USUAL)
        if [w.shape for w in self] != [(singers, size), (singers, size, drawn), (singers, drawn, drawn)]:
            raise ValueError("its habit is not of its singers and phones")

    def wave(self, example: Example, spec: Spec, temperature: float) -> np.ndarray:
        """The vibrato to add to log F0, (T,); drawn with the seeds of its notes."""
        score = example.score
        wave = np.zeros(int(score.duration.sum()))
        presence, habit, spread = (w[min(example.singer, len(w) - 1)] for w in self)
        for vowel, rng in note_chance(score, spec):
            told, frames = told_of(vowel, score, spec), vowel.end - vowel.start
            # At temperature 0 whatever is likelier.
            chance = 0.5 + min(temperature, 1.0) * (rng.random() - 0.5)
            likely = chance < 1 / (1 + np.exp(-told @ presence))
            if likely and frames >= SHORTEST / spec.frame_shift:
                drawn = sing_habit(frames, spec.frame_shift, told @ habit, spread * temperature, rng)
                wave[vowel.start : vowel.end] = drawn
        return wave


def told_of(vowel: HeldVowel, score: ScoreExample, spec: Spec) -> np.ndarray:
    """What of a note its vibrato hangs on: (``TOLD`` + phones + 1,)."""
    note = score.note_context[vowel.note].astype(np.float64)
    length = (vowel.end - vowel.start) * spec.frame_shift
    pitch = spec.column("note", SCORE_PITCH)
    told = np.zeros(TOLD + len(spec.phones) + 1)
    told[:TOLD] = (
        1.0,
        # Once there is room for it, vibrato need not grow with the note: two slopes.
        2 * np.log(np.clip(length, SHORTEST, 0.7) / 0.4),
        np.log(np.clip(length, 0.7, 3.0) / 0.7),
        (note[pitch] - spec.stats.note_context.mean[pitch]) / 6,
        note[spec.column("note", "next_rest")] > 0.5,
    )
    told[TOLD + vowel.phone] = 1.0
    return told


def sing_habit(
    frames: int, frame_shift: float, usual: np.ndarray, spread: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One note's vibrato (frames,), within what can be sung."""
    drawn = dict(zip(USUAL, usual + spread @ rng.standard_normal(len(USUAL)).clip(-2, 2)))
    return sing_vibrato(
        frames,
        frame_shift,
        rate=float(np.exp(drawn["rate"]).clip(*RATES)),
        extent=float(min(np.exp(drawn["extent"]), WIDEST)),
        delay=min(drawn["delay"], 0.6 * frames * frame_shift),
        fade_in=max(0.0, drawn["fade_in"]),
        fade_out=max(0.0, drawn["fade_out"]),
        rng=rng,
    )
