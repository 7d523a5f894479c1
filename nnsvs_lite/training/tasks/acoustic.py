"""Acoustic models: scores, durations and streams, perhaps transposed and stretched, and a discriminator."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from torch import Tensor

from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.training.augment import read_scores, varied
from nnsvs_lite.training.data import Draw
from nnsvs_lite.training.tasks.base import Task, Update, compete


class AcousticTask(Task):
    """Batches are counted in frames."""

    model: AcousticModel

    units = "frames"
    needs = {"streams": True}
    # A phrase sung slower has not all its consonants longer: timing has nothing to learn from it.
    only = ("transpose", "stretch")

    @cached_property
    def draw(self) -> Draw | None:
        change = {name: getattr(self.options, name) for name in self.only}
        if not any(change.values()):
            return None
        return partial(varied, scores=read_scores(self.train_data), spec=self.spec, **change)

    def start(self, optimise: Callable[..., None], register: Callable[[str, Any], None]) -> None:
        super().start(optimise, register)
        self.discriminator = self.model.discriminator()
        if self.discriminator is not None:
            optimise("discriminator", self.discriminator)

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        if self.discriminator is None:
            return super().step(batch, update)
        judge = partial(self.discriminator, batch=batch)
        made, losses = self.model.taught(batch)
        return compete("model", self.model, judge, made, batch.streams, losses, update)
