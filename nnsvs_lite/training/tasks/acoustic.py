"""Acoustic models: scores, durations and streams, perhaps transposed and stretched."""

from collections.abc import Callable
from functools import cached_property, partial

from nnsvs_lite.models.batch import Example
from nnsvs_lite.training.augment import read_scores, varied
from nnsvs_lite.training.tasks.base import Task


class AcousticTask(Task):
    """Batches are counted in frames."""

    units = "frames"
    needs = {"streams": True}
    # A phrase sung slower has not all its consonants longer: timing has nothing to learn from it.
    only = ("transpose", "stretch")

    @cached_property
    def draw(self) -> Callable[..., Example] | None:
        change = {name: getattr(self.options, name) for name in self.only}
        if not any(change.values()):
            return None
        return partial(varied, scores=read_scores(self.train_data), spec=self.spec, **change)
