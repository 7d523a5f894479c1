"""Vibrato as a habit of each singer: learnt note by note, and drawn for each note that is sung."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.vibrato import RATES, find_vibrato, sing_vibrato
from nnsvs_lite.models.batch import Batch, Example, ScoreExample, note_seeds
from nnsvs_lite.models.layers.acoustic_floor import SCORE_PITCH
from nnsvs_lite.models.layers.counted import Counted

SHORTEST = 0.15
"""Seconds; a shorter vowel has no vibrato."""
WIDEST = 250.0
"""Cents, the largest extent that is sung."""
NEVER = -20.0
"""The logit of vibrato where no note was heard."""
USUAL = {"delay": 0.1, "rate": np.log(6.0), "extent": np.log(60.0), "fade_in": 0.2, "fade_out": 0.1}
"""Of a vibrato on a note of middle length; seconds, and logarithms of Hz and cents (Prame, 1994 and 1997)."""
SPREAD = np.array([0.1, 0.08, 0.4, 0.1, 0.1])
"""Deviations of these from note to note."""
ROOTED = np.array([1.0, 1.0, 2.0, 5.0, 3.0])
"""How many notes each weight's prior counts for, and (``PHONES``) a phone's."""
PHONES = 8.0
SURE = 0.1
"""The same of the weights that tell whether there is vibrato, as a part of those."""
MOST, TAKES = 200, 2
"""Notes of a singer that are sung again to see how the analysis hears them, and how often each."""
STEPS = 4
"""Of correcting a habit by what the analysis hears of it."""
FARTHEST = 2.0
"""Logits, the same of presence."""
KNOWN = 5.0
"""Notes that ``SPREAD`` counts for."""


class HeldVowel(NamedTuple):
    """The part of a sung note that is held, its vowels; ``end`` is one past its last frame."""

    note: int
    start: int
    end: int
    phone: int
    """Id of the first of them."""


class Row(NamedTuple):
    """A vowel of the training set."""

    singer: int
    told: np.ndarray
    frames: int
    sung: np.ndarray | None = None
    """By the names in ``USUAL``; None where it has no vibrato."""
    covered: int = 0
    """Frames with vibrato."""


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


class VibratoHabit(Counted):
    """Whether, when, how fast and how wide a singer's held notes have vibrato.

    Presence is a logistic regression; delay, rate, extent and fades a linear one, whose residuals have one
    normal distribution. Both start from a prior, which a few notes move little and many far. Of several
    singers each starts from all of them. They are told each note's length and pitch, whether a rest follows,
    and its vowel. In singing each note's are drawn, and the wave is added to F0.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        self.spec = spec
        singers, size = max(len(spec.speakers), 1), len(ROOTED) + len(spec.phones) + 1
        self._rooted = np.append(ROOTED, np.full(size - len(ROOTED), PHONES))
        self.register_buffer("presence", torch.zeros(singers, size))
        self.register_buffer("habit", torch.zeros(singers, size, len(USUAL)))
        self.register_buffer("spread", torch.diag(torch.tensor(SPREAD)).float().repeat(singers, 1, 1))
        self.presence[:, 0] = NEVER
        self.habit[:, 0] = torch.tensor(list(USUAL.values()))

    def _told(self, vowel: HeldVowel, score: ScoreExample) -> np.ndarray:
        """What of a note its vibrato hangs on: (size,)."""
        note = score.note_context[vowel.note].astype(np.float64)
        length = (vowel.end - vowel.start) * self.spec.frame_shift
        pitch = self.spec.column("note", SCORE_PITCH)
        told = np.zeros(len(self._rooted))
        told[: len(ROOTED)] = (
            1.0,
            # Once there is room for it, vibrato need not grow with the note: two slopes.
            2 * np.log(np.clip(length, SHORTEST, 0.7) / 0.4),
            np.log(np.clip(length, 0.7, 3.0) / 0.7),
            (note[pitch] - self.spec.stats.note_context.mean[pitch]) / 6,
            note[self.spec.column("note", "next_rest")] > 0.5,
        )
        told[len(ROOTED) + vowel.phone] = 1.0
        return told

    def fit(self, examples: Sequence[Example]) -> None:
        rows: list[Row] = []
        for example in examples:
            lf0, voiced = example.streams["lf0"][:, 0], example.streams["vuv"][:, 0] > 0.5
            for vowel in held_vowels(example.score, self.spec):
                part = slice(vowel.start, vowel.end)
                if vowel.end - vowel.start >= SHORTEST / self.spec.frame_shift:
                    row = Row(example.singer, self._told(vowel, example.score), vowel.end - vowel.start)
                    rows.append(self._heard(row, lf0[part], voiced[part]))
        start = (np.zeros(len(self._rooted)), np.zeros(self.habit.shape[1:]))
        start[1][0] = list(USUAL.values())
        if len({row.singer for row in rows}) > 1:
            start = self._learn(rows, *start)[:2]
        learnt: dict[int | None, Sequence[np.ndarray]] = {}
        for singer in range(len(self.presence)) if rows else ():
            own = [row for row in rows if row.singer == singer]
            # Who was not heard, as a singer of the voice that this one starts from, is like all the others.
            key = singer if own else None
            learnt[key] = learnt.get(key) or self._corrected(own or rows, *self._learn(own or rows, *start))
            for buffer, value in zip((self.presence, self.habit, self.spread), learnt[key]):
                buffer[singer] = torch.tensor(value)

    def _corrected(self, rows, presence, habit, spread) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What was learnt from rows, so that what is sung is heard as they are.

        What is analysed is not what was sung: a fade-in begins before it is heard, the last cycles fade, a
        short wave is not found at all.
        """
        rows, habit = rows[:: math.ceil(len(rows) / MOST)], habit.copy()
        own = [row for row in rows if row.sung is not None]
        bare = sum(row.frames - row.covered for row in own)
        for _ in range(STEPS if own else 0):
            again = self._again(own, habit, spread)
            heard = [(row, one) for row, one in zip(own * TAKES, again) if one.sung is not None]
            if heard:
                habit[0, 1:] += np.mean([row.sung - one.sung for row, one in heard], axis=0)[1:]
            # A delay is what leaves a vowel without vibrato: it is to leave as much as there was.
            left = sum(row.frames - row.covered for row in again) / TAKES
            habit[0, 0] += (bare - left) / len(own) * self.spec.frame_shift
        # Where it is likely, so much of all vowels is to have it as has.
        covered = np.array([row.covered for row in self._again(rows, habit, spread)])
        told, shifts = np.array([row.told for row in rows]), np.linspace(-FARTHEST, FARTHEST, 81)
        chance = 1 / (1 + np.exp(-shifts[:, None] - told @ presence))
        sung = chance @ covered.reshape(TAKES, -1).mean(axis=0)
        presence = presence.copy()
        presence[0] += shifts[np.argmin(np.abs(sung - sum(row.covered for row in rows)))]
        return presence, habit, spread

    def _heard(self, row: Row, lf0: np.ndarray, voiced: np.ndarray) -> Row:
        """A vowel with its vibrato as ``lf0`` (frames,) has it, if it has any."""
        found, shift = find_vibrato(lf0, voiced, self.spec.frame_shift), self.spec.frame_shift
        if found is None:
            return row._replace(sung=None, covered=0)
        fade_out = (len(lf0) - found.end) * shift + found.fade_out
        sung = [found.begin * shift, np.log(found.rate), np.log(found.extent), found.fade_in, fade_out]
        return row._replace(sung=np.array(sung), covered=found.end - found.begin)

    def _again(self, rows: Sequence[Row], habit: np.ndarray, spread: np.ndarray) -> list[Row]:
        """The rows, ``TAKES`` times, as vibrato that is drawn for them is heard."""
        return [
            self._heard(
                row,
                self._sing(row.frames, row.told @ habit, spread, np.random.default_rng(i)),
                np.ones(row.frames, bool),
            )
            for i, row in enumerate([*rows] * TAKES)
        ]

    def _ridge(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Weights (size, columns) from what is told, (notes, size), to (notes, columns); a prior of 0."""
        return np.linalg.solve(x.T @ x + np.diag(self._rooted), x.T @ y)

    def _learn(
        self, rows: Sequence[Row], presence: np.ndarray, habit: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights of presence and habit, from priors of both, and a factor of the residuals' covariance."""
        told = np.array([row.told for row in rows])
        there = np.array([row.sung is not None for row in rows])
        held, prior = np.diag(self._rooted * SURE), presence
        for _ in range(20):  # Newton's steps; the penalty makes the loss convex.
            chance = 1 / (1 + np.exp(-told @ presence))
            slope = told.T @ (chance - there) + held @ (presence - prior)
            bend = (told * (chance * (1 - chance))[:, None]).T @ told + held
            presence = presence - np.linalg.solve(bend, slope).clip(-2, 2)
        x, sung = told[there], [row.sung for row in rows if row.sung is not None]
        y = np.array(sung).reshape(-1, len(USUAL))
        habit = habit + self._ridge(x, y - x @ habit)
        left = y - x @ habit
        covariance = (left.T @ left + KNOWN * np.diag(SPREAD**2)) / (len(left) + KNOWN)
        return presence, habit, np.linalg.cholesky(covariance)

    def forward(self, batch: Batch) -> Tensor:
        """The vibrato to add to log F0, (B, T, 1); drawn with its notes' seeds."""
        wave = batch.score.note_context.new_zeros(len(batch.utts), batch.max_frames, 1)
        if wave.device.type == "meta":
            return wave
        names = ("note_context", "phone_context", "note_index", "duration", "note_seed")
        arrays = [getattr(batch.score, name).cpu().numpy() for name in names]
        weights = [buffer.cpu().double().numpy() for buffer in (self.presence, self.habit, self.spread)]
        lengths = zip(batch.score.note_lengths.tolist(), batch.score.phone_lengths.tolist())
        for row, ((notes, phones), singer) in enumerate(zip(lengths, batch.singer.tolist())):
            sizes = (notes, phones, phones, phones, notes)
            context, *others = (a[row, :size] for a, size in zip(arrays, sizes))
            kind, index, duration, seeds = others
            # Times in the score play no part.
            score = ScoreExample(context, kind, index, context[:, :2], duration=duration, note_seed=seeds)
            presence, habit, spread = (w[min(singer, len(w) - 1)] for w in weights)
            for vowel, rng in note_chance(score, self.spec):
                told, frames = self._told(vowel, score), vowel.end - vowel.start
                # At temperature 0 whatever is likelier.
                chance = 0.5 + min(batch.temperature, 1.0) * (rng.random() - 0.5)
                likely = chance < 1 / (1 + np.exp(-told @ presence))
                if likely and frames >= SHORTEST / self.spec.frame_shift:
                    drawn = self._sing(frames, told @ habit, spread * batch.temperature, rng)
                    wave[row, vowel.start : vowel.end, 0] = torch.tensor(drawn).to(wave)
        return wave

    def _sing(
        self, frames: int, usual: np.ndarray, spread: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """One note's vibrato (frames,), within what can be sung."""
        drawn = dict(zip(USUAL, usual + spread @ rng.standard_normal(len(USUAL)).clip(-2, 2)))
        return sing_vibrato(
            frames,
            self.spec.frame_shift,
            rate=float(np.exp(drawn["rate"]).clip(*RATES)),
            extent=float(min(np.exp(drawn["extent"]), WIDEST)),
            delay=min(drawn["delay"], 0.6 * frames * self.spec.frame_shift),
            fade_in=max(0.0, drawn["fade_in"]),
            fade_out=max(0.0, drawn["fade_out"]),
            rng=rng,
        )
