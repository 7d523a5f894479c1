"""Vocoders: streams and recordings, whole or in random pieces, and perhaps a discriminator."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch, Example
from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.tasks.base import Task, Update, compete


def cropped(example: Example, rng: np.random.Generator, frames: int, hop: float) -> Example:
    """A random piece of an utterance's streams, all of one rate, and of its ``wav``.

    Args:
        frames: of the piece; shorter utterances stay whole. hop: samples a frame, perhaps not whole.
    """
    spare = example.frames - frames
    if spare <= 0:
        return example
    first = int(rng.integers(spare + 1))
    sample = round(first * hop)
    streams = {name: values[first : first + frames] for name, values in example.streams.items()}
    streams["wav"] = example.streams["wav"][sample : sample + round(frames * hop)]
    return replace(example, streams=streams)


class VocoderTask(Task):
    """A generator, and a discriminator where the model has one; batches are counted in frames."""

    units = "frames"
    only = ("crop_frames",)
    model: VocoderModel

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.discriminator = self.model.discriminator()
        if self.options.crop_frames:
            self._item_lengths = [min(n, self.options.crop_frames) for n in self._item_lengths]

    def read(self, dump: str | os.PathLike, subset: str, data: str | os.PathLike | None) -> DumpDataset:
        if data is None:
            raise DataError("a vocoder learns from recordings: give --data, the folder of the data dirs")
        given = {"streams": self.model.inputs, "recordings": DataDir.read(Path(data) / subset)}
        return DumpDataset(dump, subset, self.spec, score=False, **given)

    @property
    def draw(self) -> Callable[..., Example] | None:
        hop, frames = self.spec.frame_shift * self.spec.sample_rate, self.options.crop_frames
        return partial(cropped, frames=frames, hop=hop) if frames else None

    def start(self, optimise: Callable[..., None], register: Callable[[str, Any], None]) -> None:
        optimise("generator", self.model)
        if self.discriminator is not None:
            optimise("discriminator", self.discriminator)

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        model, judge = self.model, self.discriminator
        if judge is None:
            losses = model.loss(batch)
            update("generator", losses["loss"], losses["weight"])
            return losses
        wav, real = model.pair(batch)
        losses = model.distance(wav, real, batch) | {"weight": batch.frame_lengths.sum()}
        return compete("generator", model, judge, wav, real, losses, update)
