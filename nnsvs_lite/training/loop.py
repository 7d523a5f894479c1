"""The one training loop: it knows no family, only a task's batches, networks and steps.

Randomness is drawn afresh from the seed after every test, and the state is kept whole then, so
that a run that was killed and started again has the losses, digit by digit (on a CPU), of one
that was not. What is saved is what was registered: everything with ``state_dict``.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch, Example
from nnsvs_lite.models.config import TrainingOptions
from nnsvs_lite.training import samples
from nnsvs_lite.training.blocks import prepare
from nnsvs_lite.training.data import DumpDataset, read_batch
from nnsvs_lite.training.keep import Keeper, State
from nnsvs_lite.training.tasks.base import Task
from nnsvs_lite.training.update import WARMEST, Means, Updater, running_mean

FEW_PHRASES = 10
"""Dev phrases below which their loss is more chance than choice: by one, 3 of 10 trainings kept epoch 0."""
LITTLE = 300.0
"""Seconds of training data below which a dev set, which is a tenth of it, is as little."""


def too_little(task: Task) -> str:
    """Why dev losses cannot tell which weights are best; empty where they can."""
    phrases, seconds = len(task.dev_data), sum(task.train_data.frames) * task.spec.frame_shift
    if phrases < FEW_PHRASES:
        return f"dev has {phrases} phrase{'s' if phrases > 1 else ''}, too few to choose by"
    return f"{seconds:.0f} s of training data are too little to choose by dev" if seconds < LITTLE else ""


class Loop:
    """Trains the networks of one task.

    A test follows every epoch, or, where ``training.updates`` is given, every ``eval_updates``. The weights
    kept, or their running mean, are those of the lowest dev loss; with little data, see :func:`too_little`,
    the last. Weights without a step are none of them: what is trained is not left untrained.

    Args:
        task: data, networks, and what a step is. out: the exp dir.
        fabric: gives devices, precision and ranks; already launched.
    """

    def __init__(self, task: Task, out: str | os.PathLike, fabric: Fabric):
        self.task, self.options, self.fabric = task, task.options, fabric
        self.out = Path(out)
        self.unit = "update" if self.options.updates else "epoch"
        self.doubt = too_little(task)
        self.keeper = Keeper(self.out, task.config, self.options.n_best, self.unit, bool(self.doubt))
        self.history: list[dict[str, Any]] = []
        self.tests = self.stale = self.step = self.batch = self.blocks = 0
        self.epoch, self.seen, self.lowest = 1, 0.0, math.inf
        # Of the batch at hand, as _batches sets them: its weight (0 where a rank only keeps step), the share
        # of the training that is over, whether a step ends with it.
        self._share, self._progress, self._is_last = 1.0, 0.0, False
        # Utterances and loss of each batch since the last test, to name those of a loss that is not finite.
        self._watched: list[tuple[Sequence[str], Tensor]] = []
        self.state = State(self.out / "last.pt", task.identity)
        self.networks: dict[str, nn.Module] = {}
        self.updaters: dict[str, Updater] = {}
        self.average: AveragedModel | None = None
        self.register = self.state.register
        self.register("loop", self)
        self.register("keeper", self.keeper)
        self.register("precision", fabric.strategy.precision)

    def optimise(self, name: str, network: nn.Module, options: TrainingOptions | None = None, **more) -> None:
        """Makes ``update(name, loss, weight)`` steps on a network's parameters.

        Args:
            options: of the learning; the run's if not given. more: see :class:`Updater`.
        """
        if self.updaters and self.options.accumulate > 1 and self.options.precision == "16-mixed":
            # The scale of losses would change between batches of one step.
            raise DataError("training.accumulate needs precision bf16-mixed or 32-true for this model")
        backend = "inductor" if self.options.compile else ""
        self.blocks += prepare(network, backend, self.options.recompute)
        self.networks[name] = network
        options = options or self.options
        options = replace(options, warmup=min(options.warmup, int(self.steps * WARMEST)))
        self.updaters[name] = Updater(self.fabric, network, options, **more)
        self.register(name, network)
        self.register(f"{name}.optimizer", self.updaters[name].optimizer)

    def _load(self, data: Sequence[Example], batches: list[list[int]]) -> Iterator[Batch]:
        loader = DataLoader(
            batches,
            batch_size=None,
            num_workers=self.options.workers,
            collate_fn=partial(read_batch, data=data, frame_shift=self.task.spec.frame_shift),
            generator=torch.Generator().manual_seed(0),
            pin_memory=self.fabric.device.type == "cuda",
        )
        for batch in loader:
            if isinstance(batch, DataError):
                raise batch
            yield batch.to(self.fabric.device)

    def _plan(self, epoch: int) -> list[tuple[list[int], float]]:
        return self.task.plan(epoch, self.fabric.global_rank, self.fabric.world_size)

    def _is_over(self) -> bool:
        if self.options.patience and self.stale >= self.options.patience:
            return True
        return self.step >= self.options.updates if self.options.updates else self.epoch > self.epochs

    def _batches(self) -> Iterator[Batch]:
        """Batches until the next test; sets ``_share``, ``_progress`` and ``_is_last`` for each."""
        options = self.options
        until = options.updates or math.inf
        if options.eval_updates:
            until = min(until, (self.step // options.eval_updates + 1) * options.eval_updates)
        while self.step < until:
            plan = self._plan(self.epoch)
            rest = plan[self.batch :]
            loaded = self._load(self.task.examples(self.epoch), [indices for indices, _ in rest])
            for (_, self._share), batch in zip(rest, loaded):
                first = self.batch - self.batch % options.accumulate
                self._progress = (self.epoch - 1 + first / len(plan)) / self.epochs
                if options.updates:
                    self._progress = self.step / options.updates
                self.batch += 1
                self._is_last = self.batch % options.accumulate == 0 or self.batch == len(plan)
                yield batch
                if self.step >= until:
                    return
            self.epoch, self.batch = self.epoch + 1, 0
            if not options.eval_updates:
                return

    def _train(self) -> dict[str, float]:
        """Trains until the next test; mean losses."""
        fabric = self.fabric
        # Weights are drawn under the seed itself, what follows (and ranks) under others.
        torch.manual_seed(self.options.seed * 1_000_003 + self.tests * 1009 + fabric.global_rank + 1)
        for network in self.networks.values():
            network.train()
        means, self._watched = Means(), []
        for batch in self._batches():
            self.task.updates = self.step
            with fabric.autocast():
                losses = self.task.step(batch, self._update)
            means.add(losses, self._share)
            self._watched.append((batch.utts, losses["loss"].detach()))
            if self._is_last:
                self.step += 1
                if self.average is not None:
                    self.average.update_parameters(self.task.model)
        losses, weight = means.reduce(fabric)
        self.seen += weight
        if self.epoch > 1:
            self._need(self.seen, self.task.train_data)
        return losses

    def _need(self, weight: float, data: DumpDataset) -> None:
        """Raises DataError where a set holds nothing that losses are of."""
        if not weight and self.updaters:
            # The untrained one of the first test must not be taken for a model.
            (self.out / "model.pt").unlink(missing_ok=True)
            raise DataError(f"holds no {self.task.units} to learn from{self.task.left_out}", data.folder)

    def _update(self, name: str, loss: Tensor, weight: Tensor | float = 1.0) -> None:
        weight = torch.as_tensor(weight, dtype=torch.float32, device=self.fabric.device) * self._share
        with torch.autocast(self.fabric.device.type, enabled=False):
            self.updaters[name].add(loss.float(), weight)
            if self._is_last:
                self.updaters[name].step(self.step, self._progress)
        # Autocast keeps copies of weights, which a step has changed.
        torch.clear_autocast_cache()

    @torch.no_grad()
    def _evaluate(self) -> dict[str, float]:
        """Mean losses over the dev set of the weights that would be kept."""
        model, fabric = self._kept(), self.fabric
        if fabric.world_size > 1:
            # Statistics that layers keep of their input (batch norm) are those of the first rank.
            for network in (model, *self.networks.values()):
                for buffer in network.buffers():
                    if buffer.is_floating_point():
                        torch.distributed.broadcast(buffer, 0)
        model.eval()
        batches = self.task.dev_batches()
        mine = batches[fabric.global_rank :: fabric.world_size]
        # A rank that has none must still know the names of losses: it takes one at weight 0.
        share = 1.0 if mine else 0.0
        means = Means()
        for batch in self._load(self.task.dev_data, mine or batches[:1]):
            with fabric.autocast():
                losses = model.loss(model.heard(batch))
            means.add(losses, share)
            self._watched.append((batch.utts, losses["loss"]))
        losses, weight = means.reduce(fabric)
        self._need(weight, self.task.dev_data)
        return losses

    def _kept(self):
        return self.task.model if self.average is None else self.average.module

    _COUNTS = ("tests", "stale", "step", "epoch", "batch", "seen", "lowest")

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._COUNTS} | {"history": json.dumps(self.history)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update({name: state[name] for name in self._COUNTS})
        self.history = json.loads(state["history"])

    def _resume(self) -> None:
        """Takes up the state of the last test, if there is one of this run."""
        states = self.state.read()
        if states is None:
            return
        self.keeper.load_state_dict(states["keeper"])
        if gone := self.keeper.missing():
            self.keeper.kept = []
            print(f"{gone[0]} is gone: training starts anew", flush=True)
            return
        self.state.take_up(states)
        self._record()
        print(f"resuming after {self.unit} {self._now()}", flush=True)

    def _record(self, *rows: dict[str, Any]) -> None:
        self.history.extend(rows)
        write_text(self.out / "losses.jsonl", "".join(json.dumps(r) + "\n" for r in self.history))

    def run(self) -> None:
        """Trains to the end, from the start or from where a run was cut off."""
        task, fabric = self.task, self.fabric
        print(task.describe(), flush=True)
        if task.model.fits:
            # Before weights are averaged or resumed: what is counted is in buffers, which both keep.
            task.model.fit(task.examples(0))
        if task.model.trains:
            steps = math.ceil(len(self._plan(1)) / self.options.accumulate)
            self.epochs = max(self.options.epochs, math.ceil(self.options.min_steps / steps))
            self.steps = self.options.updates or self.epochs * steps
            task.start(self.optimise, self.register)
            if (self.options.compile or self.options.recompute) and not self.blocks:
                what = f"{type(task.model).__name__} repeats no blocks"
                raise DataError(f"training.compile and training.recompute do nothing here: {what}")
            if self.options.ema_decay:
                self.average = AveragedModel(task.model, avg_fn=running_mean(self.options.ema_decay))
                self.register("average", self.average)
            self._resume()
            if self.doubt:
                print(f"warning: {self.doubt}: the last weights will be kept", flush=True)
        task.model.to(fabric.device)
        with contextlib.ExitStack() as stack:
            writer = None
            if fabric.is_global_zero and self.updaters:
                from torch.utils.tensorboard import SummaryWriter

                path = str(self.out / "tensorboard")
                writer = stack.enter_context(SummaryWriter(path, purge_step=self._now() + 1))
            if self.updaters:
                self.total = max(1, self.options.updates or self.epochs)
                self._shown = max(0, self._now())
                self.began = time.monotonic(), self._shown
            # The first test is of what has learnt nothing: it shows what the rest is worth.
            if not self.tests:
                self._test({}, time.monotonic(), writer)
            if self.updaters:
                hidden = None if fabric.is_global_zero else True
                bar = stack.enter_context(
                    tqdm(total=self.total, initial=self._now(), disable=hidden, unit=self.unit)
                )
                while not self._is_over():
                    began = time.monotonic()
                    losses = self._train()
                    self._test(losses, began, writer)
                    bar.update(self._now() - bar.n)
        if fabric.is_global_zero:
            self.keeper.finish()
            of = f"of {len(task.train_data):,} utterances"
            if self.updaters:
                self._need(self.seen, task.train_data)
                passes = self.epoch - 1 + self.batch / len(self._plan(self.epoch))
                each = f"{self.seen / passes:,.0f} {task.units} {of}"
                print(f"learnt from {each}, {self.seen:,.0f} in {self.step:,} updates", flush=True)
                print(f"kept {self._choice()}", flush=True)
            elif task.model.fits:
                print(f"learnt from {sum(task.train_data.frames):,} frames {of}", flush=True)
            else:
                print("learnt from nothing: it is a rule", flush=True)

    def _choice(self) -> str:
        """Which weights are kept, and why."""
        mean = "the running mean of the" if self.average is not None else "the"
        at = f"{self.unit} {', '.join(str(at) for _, at in self.keeper.kept)}"
        if self.doubt:
            return f"{mean} last weights, of {at}: {self.doubt}"
        return f"{mean} weights of {at}, which had the lowest dev loss"

    def _now(self) -> int:
        """What tests are told apart by: epochs or updates made."""
        return self.step if self.options.updates else self.tests - 1

    def _test(self, train: dict[str, float], began: float, writer) -> None:
        dev = self._evaluate()
        self.tests += 1
        now, loss = self._now(), dev["loss"]
        if not math.isfinite(loss) or not math.isfinite(train.get("loss", 0.0)):
            # Only now, since looking at each loss would wait for the device.
            utts = next((utts for utts, value in self._watched if not value.isfinite()), ["another rank"])
            some = f"{', '.join(utts[:3])}{f' and {len(utts) - 3} more' if len(utts) > 3 else ''}"
            raise DataError(
                f"the loss is not finite in {self.unit} {now}, first in the batch of {some}: lower "
                "training.lr or training.clip, or look for faults in these utterances; what was kept stays",
                self.out,
            )
        improved, self.lowest = loss < self.lowest, min(loss, self.lowest)
        self.stale = 0 if improved else self.stale + 1
        candidate = self.step > 0 or not self.updaters or self._is_over()
        if candidate:
            self.keeper.offer(loss, now)
        if self.fabric.is_global_zero:
            if candidate:
                self.keeper.write(self._kept(), loss, now)
            self._record({self.unit: now, "train": train, "dev": dev})
            if self.updaters:
                self.state.save()
                self.keeper.sweep()
                parts = " ".join(f"{k}={v:.4f}" for k, v in dev.items() if k != "loss")
                learnt = f"train {train['loss']:.4f} " if train else ""
                of = f"{self.unit} {now} of {self.total}"
                tqdm.write(
                    f"{of}: {learnt}dev {loss:.4f} {parts} {time.monotonic() - began:.1f}s"
                    f"{self._left(now)}{' *' if improved else ''}"
                )
                self._show(writer, {"dev": dev, "train": train}, now)
        self.fabric.barrier()

    def _left(self, now: int) -> str:
        """How long the rest takes, at the pace since this run began; empty at its start and its end."""
        start, first = self.began
        seconds = (time.monotonic() - start) / max(1, now - first) * (self.total - now)
        if now in (first, self.total):
            return ""
        return f", {seconds:.0f} s left" if seconds < 90 else f", {seconds / 60:.0f} min left"

    def _show(self, writer, losses: dict[str, dict[str, float]], now: int) -> None:
        """Writes for TensorBoard what there is to see at a test."""
        updaters = {f"optimiser {name}": updater.watched() for name, updater in self.updaters.items()}
        for name, values in (losses | updaters).items():
            for part, value in values.items():
                writer.add_scalar(f"{name}/{part}", value, now)
        if samples.is_due(now, self._shown, self.total) or (now and self._is_over()):
            samples.show(writer, self._kept(), self.task.dev_data[0], now)
        self._shown = now
