"""Acoustic models: scores, durations and streams, perhaps transposed and stretched."""

import os
from collections.abc import Sequence
from functools import cached_property, partial

from nnsvs_lite.models.batch import Example
from nnsvs_lite.score.types import Score
from nnsvs_lite.training.augment import read_scores, varied
from nnsvs_lite.training.data import DumpDataset, Versions
from nnsvs_lite.training.tasks.base import Task


class AcousticTask(Task):
    """Batches are counted in frames."""

    units = "frames"
    # A phrase sung slower has not all its consonants longer: timing has nothing to learn from it.
    only = ("transpose", "stretch")

    def read(self, dump: str | os.PathLike, subset: str, data: str | os.PathLike | None) -> DumpDataset:
        return DumpDataset(dump, subset, self.spec, streams=True)

    @cached_property
    def _scores(self) -> dict[str, Score]:
        return read_scores(self.train_data)

    def examples(self, epoch: int) -> Sequence[Example]:
        options = self.options
        if not (options.transpose or options.stretch):
            return self.train_data
        change = {"transpose": options.transpose, "stretch": options.stretch}
        draw = partial(varied, scores=self._scores, spec=self.spec, **change)
        return Versions(self.train_data, draw, options.seed, epoch)
