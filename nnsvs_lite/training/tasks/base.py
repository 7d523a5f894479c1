"""The base of all tasks."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import Adversarial, SvsModel
from nnsvs_lite.models.batch import Batch, Example
from nnsvs_lite.models.checkpoint import load_model
from nnsvs_lite.models.config import UNHEARD, Config
from nnsvs_lite.training.data import Draw, DumpDataset, Versions, balanced, epoch_batches, pack
from nnsvs_lite.training.transfer import heir, transfer

Update = Callable[..., None]
"""``update(name, loss, weight=1.0)``: a step of the optimiser of that name, now, on a loss that is a
mean over ``weight`` units; with ``training.accumulate``, at the last of several batches."""


def compete(
    name: str,
    model: Adversarial,
    judge: Callable[[Any], Any],
    made: Any,
    real: Any,
    losses: dict[str, Tensor],
    update: Update,
) -> dict[str, Tensor]:
    """A step of the discriminator, then one of the model, called ``name``, against what it has become.

    Args:
        judge: the discriminator. made, real: what it judges: tensors, or dicts of them.
        losses: of the model alone, with their ``weight``.

    Returns the losses to report.
    """
    fixed = {k: v.detach() for k, v in made.items()} if isinstance(made, dict) else made.detach()
    loss = model.discriminator_loss(judge(real), judge(fixed))
    update("discriminator", loss, losses["weight"])
    with torch.no_grad():
        scores = judge(real)
    terms = model.generator_loss(scores, judge(made))
    losses = losses | terms | {"loss": losses["loss"] + sum(terms.values()), "discriminator": loss}
    update(name, losses["loss"], losses["weight"])
    return losses


class Task:
    """Data and networks of one model, and what a step is.

    A subclass says what of a dump it needs, and, where there is more to it than one loss and
    one optimiser, gives :meth:`start` and :meth:`step`.

    Args:
        config: the experiment. dump: dump dir. train_set, dev_set: its sets.
        data: folder of data dirs of the same names, for tasks that hear recordings.
        init: checkpoint of the voice to start from, and a hash of it; None to start afresh.
        features_from: folder of decode dirs of the sets, with the spectra to learn from.

    Attributes:
        units: what losses are means over. left_out: which of them are not learnt from.
        only: options that this task takes and others refuse.
        needs: options of :class:`DumpDataset`. model: what is kept. updates: made so far.
        draw: makes an epoch's version of an utterance by chance; None where all see the same.

    Raises DataError for data that is missing or damaged, and options that are another task's.
    """

    units: ClassVar[str]
    left_out: ClassVar[str] = ""
    only: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[dict[str, Any]] = {}
    draw: Draw | None = None
    updates: int = 0
    _OWNERS: ClassVar[dict[str, str]] = {
        "transpose": "acoustic models and vocoders",
        "stretch": "acoustic models",
        "crop_frames": "vocoders and end-to-end systems",
        "loudness": "vocoders",
    }

    def __init__(
        self,
        config: Config,
        dump: str | os.PathLike,
        train_set: str,
        dev_set: str,
        data: str | os.PathLike | None = None,
        init: tuple[Path, str] | None = None,
        features_from: str | os.PathLike | None = None,
    ):
        self.config, self.options, self.features_from = config, config.training, features_from
        if features_from is not None and "--features-from" not in self.only:
            raise DataError("--features-from is for vocoders")
        for name, owner in self._OWNERS.items():
            if getattr(self.options, name) and name not in self.only:
                raise DataError(f"training.{name} is for {owner}")
        self.spec, self._origin = Spec.read(dump), init and init[1]
        for subset in (train_set, dev_set):
            self.spec.check_set(Path(dump) / subset)
        if init is not None:
            base = load_model(init[0], config.model_class.family)
            self.spec = heir(self.spec, base.spec)
        torch.manual_seed(self.options.seed)
        self.model: SvsModel = config.build(self.spec)
        if init is not None:
            transfer(self.model, base, init[0])
        self.train_data = self.read(dump, train_set, data)
        self.dev_data = self.read(dump, dev_set, data)
        lengths = self.lengths(self.train_data)
        singers = [self.train_data.singers[utt] for utt in self.train_data.utts]
        self._items = balanced(singers, lengths, self.options.balance)
        self._size = self.options.batch_length(self.model.family)
        self._item_lengths = [lengths[i] for i in self._items]

    def read(self, dump: str | os.PathLike, subset: str, data: str | os.PathLike | None) -> DumpDataset:
        """One set, as much of it as this task needs."""
        return DumpDataset(dump, subset, self.spec, **self.needs)

    def lengths(self, data: DumpDataset) -> list[int]:
        """Of each utterance, in what ``training.batch_frames`` or ``batch_phones`` counts."""
        return data.frames

    def examples(self, epoch: int) -> Sequence[Example]:
        """The training set as one epoch sees it; drawn from the seed, the epoch and the utterance alone."""
        draw = self.draw
        return self.train_data if draw is None else Versions(self.train_data, draw, self.options.seed, epoch)

    def plan(self, epoch: int, rank: int, world: int) -> list[tuple[list[int], float]]:
        """Utterances of each batch of a rank in an epoch, and 1.0, or 0.0 where it only keeps step."""
        batches = epoch_batches(self._item_lengths, self._size, self.options.seed, epoch, rank, world)
        return [([self._items[i] for i in indices], share) for indices, share in batches]

    def dev_batches(self) -> list[list[int]]:
        """Utterances of each batch of a test."""
        return pack(self.lengths(self.dev_data), self._size)

    def start(self, optimise: Callable[..., None], register: Callable[[str, Any], None]) -> None:
        """Names the networks to train, by :meth:`Loop.optimise`, and other states to save."""
        optimise("model", self.model)

    def step(self, batch: Batch, update: Update) -> dict[str, Tensor]:
        """Trains on one batch.

        Returns:
            Losses to report: ``loss``, parts of it, and ``weight``, the units that they are means over.
        """
        losses = self.model.loss(batch)
        update("model", losses["loss"], losses["weight"])
        return losses

    @property
    def identity(self) -> Any:
        """Plain values: a state is taken up again only by a run that has the same."""
        config = self.config.to_dict()
        for name in UNHEARD:
            del config["training"][name]
        return [config, self.model.revision, self.spec.to_dict(), self.train_data.utts, self._origin]

    def describe(self) -> str:
        """What is trained on what, in a line."""
        parameters = sum(p.numel() for p in self.model.parameters())
        return (
            f"{type(self.model).__name__}: {parameters:,} parameters; {len(self.train_data)} utterances, "
            f"{sum(self.train_data.frames):,} frames to train on, {len(self.dev_data)} to test on"
        )
