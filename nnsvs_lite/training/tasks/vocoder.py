"""Vocoders: streams and recordings, whole or in random pieces, and perhaps a discriminator."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.training.crops import cropped
from nnsvs_lite.training.data import Draw, DumpDataset
from nnsvs_lite.training.recordings import recorded
from nnsvs_lite.training.tasks.base import Task, Update, compete


class VocoderTask(Task):
    """A generator, and a discriminator where the model has one; batches are counted in frames."""

    units = "frames"
    only = ("crop_frames", "loudness", "transpose", "--features-from")
    model: VocoderModel

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.discriminator = self.model.discriminator()
        if self.options.crop_frames:
            self._item_lengths = [min(n, self.options.crop_frames) for n in self._item_lengths]

    def read(self, dump: str | os.PathLike, subset: str, data: str | os.PathLike | None) -> DumpDataset:
        # What is played faster has the F0 that it has by the dump.
        moved = ("lf0", "vuv") if self.options.transpose else ()
        given = {"streams": tuple(dict.fromkeys((*moved, *self.model.inputs)))}
        given |= {"recordings": recorded(data, subset)}
        if self.features_from is not None:
            if self.options.transpose:
                raise DataError(
                    "training.transpose analyses recordings anew: with --features-from set it to 0"
                )
            given["spectra_from"] = Path(self.features_from) / subset
        return DumpDataset(dump, subset, self.spec, score=False, **given)

    @property
    def draw(self) -> Draw | None:
        options = self.options
        drawn = options.crop_frames or options.loudness or options.transpose
        return partial(cropped, options=options) if drawn else None

    def start(self, optimise: Callable[..., None], register: Callable[[str, Any], None]) -> None:
        optimise("generator", self.model)
        if self.discriminator is not None:
            optimise("discriminator", self.discriminator)

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        model, judge = self.model, self.discriminator
        if judge is None or self.updates < model.adversarial_from:
            losses = model.loss(batch)
            update("generator", losses["loss"], losses["weight"])
            return losses
        wav, real = model.pair(batch)
        losses = model.distance(wav, real, batch) | {"weight": batch.frame_lengths.sum()}
        return compete("generator", model, judge, wav, real, losses, update)
