"""Vibrato as a habit of each singer: learnt note by note, and drawn for each note that is sung."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.vibrato import find_vibrato
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.example import Example, ScoreExample
from nnsvs_lite.models.habit import SHORTEST, TOLD, USUAL, Habit, held_vowels, sing_habit, told_of
from nnsvs_lite.models.layers.counted import Counted
from nnsvs_lite.models.layers.noise import told

NEVER = -20.0
"""The logit of vibrato where no note was heard."""
SPREAD = np.array([0.1, 0.08, 0.4, 0.1, 0.1])
"""Deviations of :data:`~nnsvs_lite.models.habit.USUAL` from note to note."""
ROOTED = np.array([1.0, 1.0, 2.0, 5.0, 3.0])
"""How many notes each weight's prior counts for, by what is told, and (``PHONES``) a phone's."""
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


class Row(NamedTuple):
    """A vowel of the training set."""

    singer: int
    told: np.ndarray
    frames: int
    sung: np.ndarray | None = None
    """By the names in ``USUAL``; None where it has no vibrato."""
    covered: int = 0
    """Frames with vibrato."""


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
        singers, size = max(len(spec.speakers), 1), TOLD + len(spec.phones) + 1
        self._rooted = np.append(ROOTED, np.full(size - TOLD, PHONES))
        self.register_buffer("presence", torch.zeros(singers, size))
        self.register_buffer("habit", torch.zeros(singers, size, len(USUAL)))
        self.register_buffer("spread", torch.diag(torch.tensor(SPREAD)).float().repeat(singers, 1, 1))
        self.presence[:, 0] = NEVER
        self.habit[:, 0] = torch.tensor(list(USUAL.values()))

    def fit(self, examples: Sequence[Example]) -> None:
        rows: list[Row] = []
        for example in examples:
            lf0, voiced = example.streams["lf0"][:, 0], example.streams["vuv"][:, 0] > 0.5
            for vowel in held_vowels(example.score, self.spec):
                part = slice(vowel.start, vowel.end)
                if vowel.end - vowel.start >= SHORTEST / self.spec.frame_shift:
                    row = Row(
                        example.singer, told_of(vowel, example.score, self.spec), vowel.end - vowel.start
                    )
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
        shift = self.spec.frame_shift
        return [
            self._heard(
                row,
                sing_habit(row.frames, shift, row.told @ habit, spread, np.random.default_rng(i)),
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

    @property
    def learnt(self) -> Habit:
        """What notes are drawn from."""
        return Habit(*(x.cpu().double().numpy() for x in (self.presence, self.habit, self.spread)))

    def forward(self, batch: Batch) -> Tensor:
        """The vibrato to add to log F0, (B, T, 1); drawn with its notes' seeds."""
        if (drawn := told("habit", 1)) is not None:
            return drawn
        wave = batch.score.note_context.new_zeros(len(batch.utts), batch.max_frames, 1)
        if wave.device.type == "meta":
            return wave
        names = ("note_context", "phone_context", "note_index", "duration", "note_seed")
        arrays = [getattr(batch.score, name).cpu().numpy() for name in names]
        habit = self.learnt
        lengths = zip(batch.score.note_lengths.tolist(), batch.score.phone_lengths.tolist())
        for row, ((notes, phones), singer) in enumerate(zip(lengths, batch.singer.tolist())):
            sizes = (notes, phones, phones, phones, notes)
            context, *others = (a[row, :size] for a, size in zip(arrays, sizes))
            kind, index, duration, seeds = others
            # Times in the score play no part.
            score = ScoreExample(context, kind, index, context[:, :2], duration=duration, note_seed=seeds)
            drawn = habit.wave(Example("", score, singer=singer), self.spec, batch.temperature)
            wave[row, : len(drawn), 0] = torch.from_numpy(drawn).to(wave)
        return wave
