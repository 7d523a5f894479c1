"""Options of the loop: updates, accumulation, workers, the mean of the best, several optimisers."""

import dataclasses
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from killing import check_same, killed_at
from lightning_fabric import Fabric
from models_common import ROOT, batch_of
from toy import make_dump

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter
from nnsvs_lite.models.checkpoint import load
from nnsvs_lite.models.config import Config
from nnsvs_lite.training import loop as loop_module
from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.keep import Keeper, State
from nnsvs_lite.training.loop import Loop
from nnsvs_lite.training.run import train
from nnsvs_lite.training.tasks.acoustic import AcousticTask
from nnsvs_lite.training.tasks.timing import DurationTask
from nnsvs_lite.training.update import Updater

DURATION = ROOT / "conf" / "duration" / "mdn.yaml"


def run(dump: Path, out: Path, *more: str) -> list[dict]:
    """Trains in small batches; the history."""
    words = ["--training.epochs=3", "--training.min_steps=0", "--training.patience=0"]
    words += ["--training.batch_phones=60"]
    assert train(DURATION, dump, "train", "dev", out, overrides=[*words, *more])
    return [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]


def weights(out: Path, name: str = "model.pt") -> dict[str, torch.Tensor]:
    return load(out / name)["weights"]


def test_updates_end_where_they_should_and_are_resumed_in_the_middle_of_an_epoch(toy_dump, tmp_path):
    words = ["--training.updates=7", "--training.eval_updates=3", "--training.ema_decay=0.5"]
    rows = run(toy_dump, tmp_path / "whole", *words)
    assert [row["update"] for row in rows] == [0, 3, 6, 7]
    loop = load(tmp_path / "whole" / "last.pt")["states"]["loop"]
    assert (loop["step"], loop["tests"]) == (7, 4)
    assert loop["epoch"] > 1, "there are too few batches for seven updates in one epoch"
    for point in ((State, "save", 2, True), (Updater, "step", 3, False)):
        with killed_at(*point):
            run(toy_dump, tmp_path / "killed", *words)
    run(toy_dump, tmp_path / "killed", *words)
    check_same(tmp_path / "killed", tmp_path / "whole")


def test_updates_without_a_number_for_tests_are_tested_each_epoch(toy_dump, tmp_path):
    steps = [row["update"] for row in run(toy_dump, tmp_path, "--training.updates=5")]
    assert steps[0] == 0 and steps[-1] == 5 and len(steps) >= 3


def test_where_tests_fall_changes_no_order_of_batches(toy_dump, tmp_path):
    # The model has no dropout: the same batches in the same order are all there is.
    words = ["--training.updates=6", "--training.lr=1e-3", "--model.dropout=0"]
    run(toy_dump, tmp_path / "one", *words, "--training.eval_updates=1")
    run(toy_dump, tmp_path / "six", *words, "--training.eval_updates=6")
    one, six = (load(tmp_path / name / "last.pt")["states"]["model"] for name in ("one", "six"))
    assert all(torch.equal(value, six[name]) for name, value in one.items())


def test_accumulated_batches_make_the_step_of_one_large_batch(tmp_path):
    dump = make_dump(tmp_path / "dump", {"train": 2, "dev": 1}, seed=3)
    words = ["--training.epochs=2", "--model.dropout=0", "--training.clip=0"]
    run(dump, tmp_path / "large", *words, "--training.batch_phones=9999")
    run(dump, tmp_path / "small", *words, "--training.batch_phones=1", "--training.accumulate=2")
    large, small = (load(tmp_path / name / "last.pt")["states"] for name in ("large", "small"))
    assert large["loop"]["step"] == small["loop"]["step"] == 2
    assert large["loop"]["seen"] == small["loop"]["seen"] > 0
    for name, value in large["model"].items():
        torch.testing.assert_close(small["model"][name], value, rtol=1e-5, atol=1e-6)


def test_the_fused_optimiser_makes_the_steps_of_the_formula(toy_dump, tmp_path, monkeypatch):
    made = []
    keep = lambda optimizer, *_: made.append(optimizer)  # noqa: E731
    monkeypatch.setattr(Updater, "watched", lambda self: keep(self.optimizer) or {})
    words = ["--training.updates=20", "--training.eval_updates=20", "--training.lr=1e-3", "--model.dropout=0"]
    run(toy_dump, tmp_path / "fused", *words)
    assert all(optimizer.param_groups[0]["fused"] for optimizer in made)
    plain = partial(torch.optim.AdamW, fused=False, foreach=False)
    monkeypatch.setattr(torch.optim, "AdamW", lambda *args, fused, **more: plain(*args, **more))
    run(toy_dump, tmp_path / "plain", *words)
    assert not made[-1].param_groups[0]["fused"]
    fused, formula = (load(tmp_path / name / "last.pt")["states"]["model"] for name in ("fused", "plain"))
    for name, value in formula.items():
        torch.testing.assert_close(fused[name], value, rtol=1e-4, atol=1e-5)


def test_half_precision_on_a_cpu_learns_and_keeps_whole_weights(toy_dump, tmp_path):
    words = ["--training.precision=bf16-mixed", "--training.epochs=4", "--training.ema_decay=0"]
    path = ROOT / "conf" / "acoustic" / "resf0_conv.yaml"
    train(path, toy_dump, "train", "dev", tmp_path, overrides=[*words, "--training.min_steps=0"])
    losses = [json.loads(line)["train"].get("loss") for line in (tmp_path / "losses.jsonl").open()][1:]
    assert losses[-1] < 0.98 * losses[0]
    for states in (weights(tmp_path), load(tmp_path / "last.pt")["states"]["model"]):
        matrices = [value for name, value in states.items() if name.endswith(".conv.weight")]
        assert matrices and {value.dtype for value in matrices} == {torch.float32}
        assert not any(torch.equal(value, value.bfloat16().float()) for value in matrices)


def test_batches_are_the_same_whatever_the_number_of_workers(toy_dump, tmp_path):
    words = ["--training.transpose=3", "--training.stretch=0.2", "--training.batch_frames=1500"]
    config = Config.read(ROOT / "conf" / "acoustic" / "resf0_conv.yaml", words)
    task = AcousticTask(config, toy_dump, "train", "dev")
    loop = Loop(task, tmp_path, Fabric(accelerator="cpu", devices=1))
    plan = [indices for indices, _ in task.plan(2, 0, 1)]
    read = []
    for task.options.workers in (0, 1, 2):
        read.append(list(loop._load(task.examples(2), plan)))
    assert len(plan) > 2 and [len(batches) for batches in read] == 3 * [len(plan)]
    for none, *some in zip(*read):
        for batch in some:
            assert batch.utts == none.utts
            parts = [(one.streams, vars(one.score)) for one in (batch, none)]
            torch.testing.assert_close(*parts, rtol=0, atol=0)


def test_batches_are_pinned_where_a_gpu_will_read_them(toy_dump, tmp_path, monkeypatch):
    task = DurationTask(Config.read(DURATION), toy_dump, "train", "dev")
    loop = Loop(task, tmp_path, Fabric(accelerator="cpu", devices=1))
    asked = []
    monkeypatch.setattr(
        loop_module, "DataLoader", lambda *_, pin_memory, **__: asked.append(pin_memory) or []
    )
    list(loop._load(task.train_data, [[0]]))
    loop.fabric = SimpleNamespace(device=torch.device("cuda"))
    list(loop._load(task.train_data, [[0]]))
    assert asked == [False, True]
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self + 1)
    batch = batch_of([task.train_data[0]], task.spec)
    pinned = batch.pin_memory()
    assert pinned.utts == batch.utts and pinned.max_frames == batch.max_frames
    assert torch.equal(pinned.frame_lengths, batch.frame_lengths + 1)
    assert torch.equal(pinned.score.note_context, batch.score.note_context + 1)


MEMORY = """
import sys
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.training.data import DumpDataset
data = DumpDataset(sys.argv[1], "train", Spec.read(sys.argv[1]), streams=True, cache=1 << 20)
def private():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
before = private()
for index in range(len(data)):
    data[index]
print(private() - before, sum(data.frames))
"""


def test_what_a_data_set_keeps_is_bounded(tmp_path):
    dump = make_dump(tmp_path / "dump", {"train": 60}, mgc=60)
    script = [sys.executable, "-c", MEMORY, str(dump)]
    told = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    grown, frames = map(int, told.split())
    held = frames * 62 * 4 / 1024
    assert held > 8 << 10 and grown < (1 << 10) + 0.25 * held


def test_the_mean_of_the_best_is_kept(toy_dump, tmp_path, monkeypatch):
    enough_data(monkeypatch)
    words = ["--training.n_best=3", "--training.epochs=5"]
    rows = run(toy_dump, tmp_path / "whole", *words)
    best = sorted((row["dev"]["loss"], row["epoch"]) for row in rows[1:])[:3]
    files = sorted(path.name for path in (tmp_path / "whole" / "best").iterdir())
    assert files == sorted(f"{epoch}.pt" for _, epoch in best)
    kept = load(tmp_path / "whole" / "model.pt")
    assert kept["mean_of"] == [epoch for _, epoch in best] and kept["dev_loss"] == best[0][0]
    singles = [weights(tmp_path / "whole", f"best/{epoch}.pt") for _, epoch in best]
    for name, value in kept["weights"].items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.stack([s[name] for s in singles]).mean(0))
    for point in ((Keeper, "write", 4, True), (Keeper, "sweep", 2, False), (Keeper, "finish", 1, True)):
        with killed_at(*point):
            run(toy_dump, tmp_path / "killed", *words)
    run(toy_dump, tmp_path / "killed", *words)
    check_same(tmp_path / "killed", tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "killed" / "best").iterdir()) == files


def enough_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a toy dump count as one whose dev set can choose."""
    monkeypatch.setattr(loop_module, "FEW_PHRASES", 1)
    monkeypatch.setattr(loop_module, "LITTLE", 0.0)


FAMILIES = {"timelag": "ffn_tiny", "duration": "lstm_tiny", "acoustic": "resf0_conv"}


def against_training(folder: Path, path: Path) -> Path:
    """A dump whose only dev phrase is sung just as the untrained model sings: whatever is learnt is worse."""
    dump = make_dump(folder / "dump", {"train": 6, "dev": 1})
    spec = Spec.read(dump)
    data = DumpDataset(dump, "dev", spec, streams=True)
    with torch.no_grad():
        sung = Config.read(path).build(spec).eval().infer(batch_of([data[0]], spec))
    if "mean" in sung:
        sung = {"duration": sung["mean"].round()}
    for name, rows in sung.items():
        rows = (rows > 0.5).float() if name == "vuv" else rows
        with FeatureWriter(dump / "dev", name) as writer:
            writer.write(data.utts[0], rows.reshape(rows.shape[1], -1).numpy())
    return dump


@pytest.mark.parametrize("enough", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_trains_is_never_left_untrained(family, enough, tmp_path, monkeypatch, capfd):
    if enough:
        enough_data(monkeypatch)
    words = ["--training.epochs=4", "--training.min_steps=0", "--training.lr=0.01"]
    path = ROOT / "conf" / family / f"{FAMILIES[family]}.yaml"
    dump = against_training(tmp_path, path)
    assert train(path, dump, "train", "dev", tmp_path, overrides=words)
    losses = [json.loads(line)["dev"]["loss"] for line in (tmp_path / "losses.jsonl").open()]
    assert losses[0] < min(losses[1:]), "the dev phrase speaks against all that is learnt"
    kept, said = load(tmp_path / "model.pt"), capfd.readouterr().out
    best = losses.index(min(losses[1:]))
    assert kept["epoch"] == (best if enough else 4) and kept["dev_loss"] > losses[0]
    torch.manual_seed(0)
    untrained = Config.read(path).build(Spec.read(dump)).state_dict()
    assert any(not torch.equal(value, untrained[name]) for name, value in kept["weights"].items())
    if enough:
        assert f"kept the running mean of the weights of epoch {best}, which had the lowest dev loss" in said
        assert "warning" not in said
    else:
        few = "dev has 1 phrase, too few to choose by"
        assert f"warning: {few}: the last weights will be kept" in said
        assert f"kept the running mean of the last weights, of epoch 4: {few}" in said


@pytest.mark.parametrize("phrases, seconds, latest", [(9, 999, True), (10, 299, True), (10, 300, False)])
def test_little_data_keeps_the_last_weights(phrases, seconds, latest):
    data = SimpleNamespace(frames=[100 * seconds, 100 * seconds])
    task = SimpleNamespace(dev_data=range(phrases), train_data=data, spec=SimpleNamespace(frame_shift=0.005))
    assert bool(loop_module.too_little(task)) is latest


def test_a_warm_up_is_at_most_half_of_all_steps(toy_dump, tmp_path):
    words = ["--training.epochs=1", "--training.min_steps=40", "--training.warmup=100", "--training.lr=0.5"]
    task = DurationTask(Config.read(DURATION, words), toy_dump, "train", "dev")
    loop = Loop(task, tmp_path, Fabric(accelerator="cpu", devices=1))
    loop.run()
    rate = loop.updaters["model"].schedule
    assert loop.step == 40
    assert [rate(step, 0.0) for step in (0, 1, 9, 19, 20)] == pytest.approx([0.025, 0.05, 0.25, 0.5, 0.5])


class TwoNetworks(DurationTask):
    """The model, and beside it one number that learns the mean duration at a pace of its own."""

    def start(self, optimise, register):
        self.number = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.number.weight)
        own = dataclasses.replace(self.options, lr=0.5, clip=0.0, weight_decay=0.0)
        optimise("model", self.model)
        sgd = partial(torch.optim.SGD, momentum=0.0)
        optimise("number", self.number, own, optimizer=sgd, schedule=lambda step, progress: 0.25)

    def step(self, batch, update):
        mask, duration = batch.score.phone_mask, batch.score.duration.float()
        guess = self.number(torch.ones(1, 1))
        update("number", (((guess - duration) * mask) ** 2).sum() / mask.sum(), mask.sum())
        losses = self.model.loss(batch)
        # A loss in which another network has a part moves only the one that is named.
        update("model", losses["loss"] + self.number.weight.sum(), losses["weight"])
        return losses


def test_each_optimiser_moves_its_own_network_by_its_own_rule(tmp_path):
    dump = make_dump(tmp_path / "dump", {"train": 2, "dev": 1})
    config = Config.read(
        DURATION, ["--training.epochs=1", "--training.min_steps=0", "--training.batch_phones=9999"]
    )
    task = TwoNetworks(config, dump, "train", "dev")
    loop = Loop(task, tmp_path, Fabric(accelerator="cpu", devices=1))
    with pytest.raises(ValueError, match="'loop' is registered already"):
        loop.register("loop", task.model)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    loop.run()
    batch = batch_of([task.train_data[i] for i in range(2)], task.spec)
    mean = float(batch.score.duration[batch.score.phone_mask].float().mean())
    # One step of gradient 2 (0 - mean), at a rate of 0.25.
    assert task.number.weight.item() == pytest.approx(0.5 * mean, rel=1e-5)
    assert any(not torch.equal(value, before[name]) for name, value in task.model.state_dict().items())
    assert {"model", "number", "model.optimizer", "number.optimizer"} < set(
        load(tmp_path / "last.pt")["states"]
    )


def test_what_was_learnt_from_is_said(toy_dump, tmp_path, capfd):
    table = FeatureReader(toy_dump / "train" / "phone_context.scp")
    phones = sum(len(table[utt]) for utt in table)
    each = f"learnt from {phones:,} phones of {len(table)} utterances, "
    run(toy_dump, tmp_path / "one", "--training.epochs=1")
    assert capfd.readouterr().out.splitlines()[-2].startswith(f"{each}{phones:,} in ")
    run(toy_dump, tmp_path / "three", "--training.epochs=3")
    assert capfd.readouterr().out.splitlines()[-2].startswith(f"{each}{3 * phones:,} in ")
    for family in ("timelag", "duration", "acoustic"):
        train(ROOT / "conf" / family / "rule.yaml", toy_dump, "train", "dev", tmp_path / family)
        assert capfd.readouterr().out.splitlines()[-1] == "learnt from nothing: it is a rule"


@pytest.mark.parametrize("subset, frames", [("train", 100), ("train", -25), ("dev", 100)])
def test_a_set_of_which_nothing_can_be_learnt_is_an_error(tmp_path, subset, frames):
    """All notes of a set are sung half a second from their place, or just over the limit before it."""
    dump = make_dump(tmp_path / "dump", {"train": 3, "dev": 1})
    lags = dict(FeatureReader(dump / subset / "time_lag.scp"))
    rest = dict(FeatureReader(dump / subset / "note_context.scp"))
    column = Spec.read(dump).column("note", "is_rest")
    with FeatureWriter(dump / subset, "time_lag") as writer:
        for utt in sorted(lags):
            writer.write(utt, np.where(rest[utt][:, [column]] > 0.5, 2.0, 1.0) * frames)
    words = ["--training.epochs=2", "--training.min_steps=0"]
    with pytest.raises(DataError, match=f"{subset}: holds no notes to learn from: all are sung over 0.1 s"):
        train(ROOT / "conf" / "timelag" / "mdn.yaml", dump, "train", "dev", tmp_path / "exp", words)
    assert not (tmp_path / "exp" / "model.pt").exists()
    train(ROOT / "conf" / "duration" / "mdn.yaml", dump, "train", "dev", tmp_path / "duration", words)


@pytest.mark.parametrize(
    "words, message",
    [
        ("--training.n_best=0", "n_best must be at least 1"),
        ("--training.accumulate=0", "accumulate must be at least 1"),
        ("--training.workers=-1", "workers must be at least 0"),
        ("--training.eval_updates=3", "eval_updates needs training.updates"),
        ("--training.precision=9-bit", "precision must be one of 32-true"),
    ],
)
def test_options_that_cannot_be_meant_are_errors(words, message):
    with pytest.raises(DataError, match=message):
        Config.read(DURATION, [words])
