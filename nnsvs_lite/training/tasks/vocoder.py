"""Vocoders: streams and recordings, whole or in random pieces, and perhaps a discriminator."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch, Example
from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.tasks.base import Task, Update


class Crops(Sequence[Example]):
    """Random pieces of a set's streams and waveforms, one of each utterance.

    What is drawn depends on ``(seed, epoch, utterance)`` alone.

    Args:
        data: with streams of one rate and ``wav``. frames: of a piece; shorter utterances stay whole.
        hop: samples of a frame, which need not be whole. seed, epoch: of the draw.
    """

    def __init__(self, data: Sequence[Example], frames: int, hop: float, seed: int, epoch: int):
        self._data, self._frames, self._hop, self._key = data, frames, hop, (seed, epoch)

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> Example:
        example = self._data[index]
        spare = example.frames - self._frames
        if spare <= 0:
            return example
        first = int(np.random.default_rng([*self._key, index]).integers(spare + 1))
        streams = {name: values[first : first + self._frames] for name, values in example.streams.items()}
        sample = round(first * self._hop)
        streams["wav"] = example.streams["wav"][sample : sample + round(self._frames * self._hop)]
        return replace(example, streams=streams)


class VocoderTask(Task):
    """A generator, and a discriminator where the model has one; batches are counted in frames."""

    units = "frames"
    only = ("crop_frames",)
    model: VocoderModel

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        if not self.model.trains:
            raise DataError(f"{type(self.model).__name__} has nothing to learn: it needs no training")
        self.discriminator = self.model.discriminator()
        if self.options.crop_frames:
            self._item_lengths = [min(n, self.options.crop_frames) for n in self._item_lengths]

    def read(self, dump: str | os.PathLike, subset: str, data: str | os.PathLike | None) -> DumpDataset:
        if data is None:
            raise DataError("a vocoder learns from recordings: give --data, the folder of the data dirs")
        recordings = DataDir.read(Path(data) / subset)
        return DumpDataset(
            dump, subset, self.spec, streams=self.model.inputs, score=False, recordings=recordings
        )

    def examples(self, epoch: int) -> Sequence[Example]:
        options = self.options
        if not options.crop_frames:
            return self.train_data
        hop = self.spec.frame_shift * self.spec.sample_rate
        return Crops(self.train_data, options.crop_frames, hop, options.seed, epoch)

    def start(self, optimise: Callable[..., None], register: Callable[[str, Any], None]) -> None:
        optimise("generator", self.model)
        if self.discriminator is not None:
            optimise("discriminator", self.discriminator)

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        """The discriminator first, then the generator against what it has become."""
        model, judge = self.model, self.discriminator
        wav, real = model.pair(batch)
        weight = batch.frame_lengths.sum()
        losses = model.distance(wav, real, batch)
        if judge is not None:
            loss = model.discriminator_loss(judge(real), judge(wav.detach()))
            update("discriminator", loss, weight)
            with torch.no_grad():
                scores = judge(real)
            terms = model.generator_loss(scores, judge(wav))
            total = losses["loss"] + sum(terms.values())
            losses = losses | terms | {"loss": total, "discriminator": loss}
        update("generator", losses["loss"], weight)
        return losses | {"weight": weight}
