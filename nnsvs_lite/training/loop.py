"""The one training loop: every family, any number of devices, resumable at any epoch.

Randomness is drawn afresh from ``(seed, epoch)`` at the start of every epoch, and the
state after each epoch is kept whole, so that a run that was killed and started again
has the losses, digit by digit (on a CPU), of one that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models import checkpoint
from nnsvs_lite.models.base import SvsModel
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.config import Config, TrainingOptions
from nnsvs_lite.score.types import Score
from nnsvs_lite.training.augment import Augmented, read_scores
from nnsvs_lite.training.data import DumpDataset, balanced, epoch_batches, pack


def learning_rate(options: TrainingOptions, step: int, progress: float) -> float:
    """Linear warm-up, then half a cosine down to a hundredth; ``progress`` in 0..1."""
    warm = min(1.0, (step + 1) / max(1, options.warmup))
    return options.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def running_mean(decay: float):
    """The update of a running mean of weights that forgets its first, untrained ones soon."""

    def update(mean: torch.Tensor, value: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        keep = torch.clamp((1 + count) / (10 + count), max=decay)
        return mean * keep + value * (1 - keep)

    return update


class Trainer:
    """Trains one model on one dump.

    Args:
        config: the experiment. dump: dump dir. train_set, dev_set: sets in it.
        out: the exp dir.
        fabric: gives devices, precision and ranks; already launched.
    """

    def __init__(
        self,
        config: Config,
        dump: str | os.PathLike,
        train_set: str,
        dev_set: str,
        out: str | os.PathLike,
        fabric: Fabric,
    ):
        self.config, self.options, self.fabric = config, config.training, fabric
        self.out = Path(out)
        spec = Spec.read(dump)
        torch.manual_seed(self.options.seed)
        self.raw: SvsModel = config.build(spec)
        acoustic = self.raw.family == "acoustic"
        self.train_data = DumpDataset(dump, train_set, spec, streams=acoustic)
        self.dev_data = DumpDataset(dump, dev_set, spec, streams=acoustic)
        lengths = self._lengths(self.train_data)
        singers = [self.train_data.singers[utt] for utt in self.train_data.utts]
        self.items = balanced(singers, lengths, self.options.balance)
        self.item_lengths = [lengths[i] for i in self.items]
        self.scores: dict[str, Score] = {}
        if self.options.transpose or self.options.stretch:
            if not acoustic:
                # A phrase sung slower has not all its consonants longer: there is nothing to learn from.
                raise DataError("training.transpose and training.stretch are for acoustic models")
            self.scores = read_scores(self.train_data)
        self.spec = spec
        self.history: list[dict[str, Any]] = []
        self.best = math.inf
        self.stale = 0
        self.step = 0
        # A state is taken up again only by the run that wrote it.
        identity = json.dumps([config.to_dict(), spec.to_dict(), self.train_data.utts], sort_keys=True)
        self.identity = hashlib.sha256(identity.encode()).hexdigest()

    # -- data ---------------------------------------------------------------------------

    def _lengths(self, data: DumpDataset) -> list[int]:
        if self.raw.family == "acoustic":
            return data.frames
        return [len(data[i].score.phone_context) for i in range(len(data))]

    def _versions(self, epoch: int) -> Sequence[Example]:
        """The training set as one epoch sees it."""
        options = self.options
        if not self.scores:
            return self.train_data
        change = (options.transpose, options.stretch)
        return Augmented(self.train_data, self.scores, *change, options.seed, epoch)

    def _load(self, data: Sequence[Example], batches: list[list[int]]) -> Iterator[Batch]:
        shift = self.spec.frame_shift
        loader = DataLoader(
            data,  # type: ignore[arg-type]
            batch_sampler=batches,
            collate_fn=lambda examples: collate(examples, shift),
            generator=torch.Generator().manual_seed(0),
        )
        for batch in loader:
            yield batch.to(self.fabric.device)

    def _count_epochs(self) -> int:
        lengths, world = self.item_lengths, self.fabric.world_size
        steps = sum(
            1 for _ in epoch_batches(lengths, self.options.batch_length(self.raw.family), 0, 1, 0, world)
        )
        return max(self.options.epochs, math.ceil(self.options.min_steps / steps))

    # -- one epoch ----------------------------------------------------------------------

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        fabric, options = self.fabric, self.options
        # Weights are drawn under the seed itself, epochs (and ranks) under others.
        torch.manual_seed(options.seed * 1_000_003 + epoch * 1009 + fabric.global_rank + 1)
        self.model.train()
        plan = list(
            epoch_batches(
                self.item_lengths,
                options.batch_length(self.raw.family),
                options.seed,
                epoch,
                fabric.global_rank,
                fabric.world_size,
            )
        )
        sums: dict[str, float] = {}
        batches = self._load(self._versions(epoch), [[self.items[i] for i in indices] for indices, _ in plan])
        for i, ((_, share), batch) in enumerate(zip(plan, batches)):
            rate = learning_rate(options, self.step, (epoch - 1 + i / len(plan)) / self.epochs)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses = self.model(batch)
            weight = losses["weight"].to(torch.float32) * share
            total = fabric.all_reduce(weight, reduce_op="sum")
            # DDP takes the plain mean of gradients over ranks; this makes it a mean over units.
            factor = weight * fabric.world_size / total.clamp(min=1)
            fabric.backward(losses["loss"] * factor)
            if options.clip:
                fabric.clip_gradients(self.raw, self.optimizer, max_norm=options.clip)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step += 1
            if self.average is not None:
                self.average.update_parameters(self.raw)
            for name, value in losses.items():
                if name != "weight":
                    sums[name] = sums.get(name, 0.0) + float(value.detach() * weight)
            sums["weight"] = sums.get("weight", 0.0) + float(weight)
        return self._reduce(sums)

    def _reduce(self, sums: dict[str, float]) -> dict[str, float]:
        names = sorted(sums)
        values = torch.tensor([sums[n] for n in names], dtype=torch.float64)
        values = self.fabric.all_reduce(values, reduce_op="sum").tolist()
        out = dict(zip(names, values))
        weight = max(out.pop("weight", 0.0), 1e-9)
        return {name: value / weight for name, value in out.items()}

    @torch.no_grad()
    def _evaluate(self) -> dict[str, float]:
        """Mean losses over the dev set of the weights that would be kept."""
        # The module itself: a DDP wrapper would wait for ranks that have no batch left.
        module = self.raw if self.average is None else self.average.module
        module.eval()
        batches = pack(self._lengths(self.dev_data), self.options.batch_length(self.raw.family))
        mine = batches[self.fabric.global_rank :: self.fabric.world_size]
        # A rank that has none must still know the names of losses: it takes one at weight 0.
        share = 1.0 if mine else 0.0
        sums: dict[str, float] = {}
        for batch in self._load(self.dev_data, mine or batches[:1]):
            with self.fabric.autocast():
                losses = module.loss(batch)
            weight = float(losses["weight"]) * share
            for name, value in losses.items():
                scale = share if name == "weight" else weight
                sums[name] = sums.get(name, 0.0) + float(value) * scale
        return self._reduce(sums)

    # -- state --------------------------------------------------------------------------

    def _save_last(self, epoch: int) -> None:
        state = {
            "identity": self.identity,
            "epoch": epoch,
            "step": self.step,
            "best": self.best,
            "stale": self.stale,
            "history": json.dumps(self.history),
            "weights": self.raw.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        checkpoint.save(self.out / "last.pt", state)

    def _resume(self) -> int:
        """Takes up the state of the last finished epoch; returns the next epoch's number."""
        path = self.out / "last.pt"
        if not path.exists():
            return 0
        state = checkpoint.load(path)
        if state.get("identity") != self.identity:
            print(f"{path} is of another configuration or other data: training starts anew", flush=True)
            return 0
        if not (self.out / "model.pt").exists():
            print(f"{self.out / 'model.pt'} is gone: training starts anew", flush=True)
            return 0
        self.raw.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.step, self.best, self.stale = state["step"], state["best"], state["stale"]
        self.history = json.loads(state["history"])
        print(f"resuming after epoch {state['epoch']}", flush=True)
        return state["epoch"] + 1

    def _record(self, row: dict[str, Any]) -> None:
        self.history.append(row)
        lines = "".join(json.dumps(r) + "\n" for r in self.history)
        write_text(self.out / "losses.jsonl", lines)

    def _keep(self, epoch: int, loss: float) -> None:
        module = self.raw if self.average is None else self.average.module
        checkpoint.save_model(self.out / "model.pt", module, self.config, {"epoch": epoch, "dev_loss": loss})

    # -- the run ------------------------------------------------------------------------

    def run(self) -> None:
        """Trains to the end, from the start or from where a run was cut off."""
        options, fabric = self.options, self.fabric
        parameters = sum(p.numel() for p in self.raw.parameters())
        print(
            f"{type(self.raw).__name__}: {parameters:,} parameters; {len(self.train_data)} utterances, "
            f"{sum(self.train_data.frames):,} frames to train on, {len(self.dev_data)} to test on",
            flush=True,
        )
        self.average = None
        if not self.raw.trains:
            if self.raw.fits:
                self.raw.fit(self._versions(0))
            losses = self._evaluate()
            if fabric.is_global_zero:
                self._record({"epoch": 0, "train": {}, "dev": losses})
                self._keep(0, losses["loss"])
            return
        optimizer = torch.optim.AdamW(self.raw.parameters(), lr=options.lr, weight_decay=options.weight_decay)
        self.model, self.optimizer = fabric.setup(self.raw, optimizer)
        if options.ema_decay:
            self.average = AveragedModel(self.raw, avg_fn=running_mean(options.ema_decay))
        self.epochs = self._count_epochs()
        start = self._resume()
        writer = self._tensorboard(start) if fabric.is_global_zero else None
        for epoch in tqdm(range(start, self.epochs + 1), disable=None, unit="epoch"):
            if options.patience and self.stale >= options.patience:
                break
            began = time.monotonic()
            # Epoch 0 only tests: the model that has learnt nothing may be the best one.
            train = self._train_epoch(epoch) if epoch else {}
            dev = self._evaluate()
            if not math.isfinite(dev["loss"]) or not math.isfinite(train.get("loss", 0.0)):
                raise DataError(f"the loss is not finite in epoch {epoch}; lower training.lr", self.out)
            improved = dev["loss"] < self.best
            self.stale = 0 if improved else self.stale + 1
            self.best = min(self.best, dev["loss"])
            if fabric.is_global_zero:
                if improved:
                    self._keep(epoch, dev["loss"])
                self._record({"epoch": epoch, "train": train, "dev": dev})
                self._save_last(epoch)
                parts = " ".join(f"{k}={v:.4f}" for k, v in dev.items() if k != "loss")
                tqdm.write(
                    f"epoch {epoch}: train {train.get('loss', math.nan):.4f} dev {dev['loss']:.4f} {parts} "
                    f"{time.monotonic() - began:.1f}s{' *' if improved else ''}"
                )
                for name, value in dev.items():
                    writer.add_scalar(f"dev/{name}", value, epoch)
                for name, value in train.items():
                    writer.add_scalar(f"train/{name}", value, epoch)
            fabric.barrier()
        if writer is not None:
            writer.close()

    def _tensorboard(self, epoch: int):
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.out / "tensorboard"), purge_step=epoch)
