"""End-to-end systems: whole phrases, of which the vocoder part makes pieces, and perhaps a discriminator."""

import os

from torch import Tensor

from nnsvs_lite.models.acoustic.endtoend import EndToEnd
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.recordings import recorded
from nnsvs_lite.training.tasks.acoustic import AcousticTask
from nnsvs_lite.training.tasks.base import Update, compete


class EndToEndTask(AcousticTask):
    """As acoustic models, with recordings; ``training.crop_frames`` is the pieces' length."""

    model: EndToEnd

    only = ("crop_frames",)
    draw = None

    def read(self, dump: str | os.PathLike, subset: str, data: str | os.PathLike | None) -> DumpDataset:
        needs = {"streams": ("lf0", "vuv"), "recordings": recorded(data, subset)}
        return DumpDataset(dump, subset, self.spec, **needs)

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        made, real, losses = self.model.learn(batch, self.options.crop_frames or batch.max_frames)
        if self.discriminator is None or self.updates < self.model.adversarial_from:
            update("model", losses["loss"], losses["weight"])
            return losses
        return compete("model", self.model, self.discriminator, made, real, losses, update)
