"""Training runs: resumed exactly, repeatable, and not done twice."""

import json
from pathlib import Path

import pytest
import torch
from killing import check_same, killed_at
from models_common import CONFIGS, ENDTOEND, ROOT, TRAINED, batch_key, name_of, wants_mel

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load, load_model
from nnsvs_lite.training import run as run_module
from nnsvs_lite.training.keep import Keeper, State
from nnsvs_lite.training.loop import Loop
from nnsvs_lite.training.tasks.base import Task
from nnsvs_lite.training.update import Updater

DURATION = ROOT / "conf" / "duration" / "mdn.yaml"
OPTIONS = ["--training.epochs", "4", "--training.min_steps=0", "--training.patience", "0"]
_STEMS = ("mdn", "rule", "hmm", "resf0_conv", "tacotron_singing_tiny", "nnsvs_diffusion_world_tiny")
KINDS = [path for path in CONFIGS if path.stem in _STEMS]
"""Of each family and way of training one: by frames, step by step, by diffusion, by fitting."""
FAMILY_BUDGET = {"timelag": 60, "duration": 60, "acoustic": 1500}


def train(path: Path, dump: Path, out: Path, *more: str, **options) -> bool:
    """Trains for four epochs in small batches."""
    budget = f"--training.{batch_key(path)}={FAMILY_BUDGET[path.parent.name]}"
    words = OPTIONS + [budget, *more] if path in TRAINED else list(more)
    return run_module.train(path, dump, "train", "dev", out, overrides=words, **options)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load(out / "model.pt")["weights"]


@pytest.fixture(scope="module")
def whole(toy_dump, tmp_path_factory):
    """Uninterrupted runs, made once for each configuration."""
    made: dict[Path, Path] = {}

    def get(path: Path) -> Path:
        if path not in made:
            made[path] = tmp_path_factory.mktemp(path.parent.name) / "exp"
            assert train(path, toy_dump, made[path])
        return made[path]

    return get


POINTS = [
    (Loop, "_load", 2, False),
    (Loop, "_evaluate", 1, True),
    (Loop, "_train", 2, False),
    (Loop, "_train", 3, True),
    (Keeper, "write", 2, True),
    (Loop, "_record", 3, True),
    (State, "save", 2, False),
    (State, "save", 3, True),
    (State, "save", 5, True),
    (Updater, "step", 6, True),
]


@pytest.mark.parametrize("point", POINTS, ids=lambda p: f"{p[1]}-{p[2]}-{'after' if p[3] else 'before'}")
def test_a_killed_run_goes_on_as_if_nothing_had_been(point, toy_dump, whole, tmp_path):
    with killed_at(*point):
        train(DURATION, toy_dump, tmp_path / "exp")
    assert train(DURATION, toy_dump, tmp_path / "exp")
    check_same(tmp_path / "exp", whole(DURATION))


@pytest.mark.parametrize("path", [p for p in KINDS if p in TRAINED and p != DURATION], ids=name_of)
def test_every_kind_is_killed_thrice_and_ends_the_same(path, toy_dump, whole, tmp_path):
    out = tmp_path / "exp"
    for point in (
        (Loop, "_evaluate", 2, False),
        (Loop, "_record", 2, True),
        (Updater, "step", 2, True),
    ):
        with killed_at(*point):
            train(path, toy_dump, out)
    assert train(path, toy_dump, out)
    check_same(out, whole(path))


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in TRAINED if p not in (*KINDS, *ENDTOEND)], ids=name_of)
def test_every_system_goes_on_with_the_same_bytes(path, toy_dump, toy_mel_dump, tmp_path):
    dump, options = toy_mel_dump if wants_mel(path) else toy_dump, {}
    if path.stem == "diffsinger_fewstep_tiny":
        options["init"] = tmp_path / "teacher"
        teacher = path.with_name("diffsinger_rectified_flow_tiny.yaml")
        train(teacher, dump, options["init"], "--training.epochs=1")
    train(path, dump, tmp_path / "whole", "--training.epochs=2", **options)
    with killed_at(State, "save", 2, after=True):
        train(path, dump, tmp_path / "killed", "--training.epochs=2", **options)
    train(path, dump, tmp_path / "killed", "--training.epochs=2", **options)
    check_same(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize("path", KINDS, ids=name_of)
def test_exp_dir_holds_a_model_a_history_and_the_configuration(path, toy_dump, whole):
    out = whole(path)
    rows = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(5 if path in TRAINED else 1))
    assert all("loss" in row["dev"] for row in rows)
    assert load_model(out).family == path.parent.name
    # Two dev phrases choose nothing.
    kept = load(out / "model.pt")
    assert (kept["epoch"], kept["dev_loss"]) == (len(rows) - 1, rows[-1]["dev"]["loss"])


def test_a_finished_run_is_not_done_again_unless_something_changed(toy_dump, whole, tmp_path):
    out = tmp_path / "exp"
    assert train(DURATION, toy_dump, out)
    before = (out / "model.pt").stat().st_mtime_ns
    assert train(DURATION, toy_dump, out) is False
    assert (out / "model.pt").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="another experiment stands here"):
        train(DURATION, toy_dump, out, "--training.lr=1e-3")
    assert train(DURATION, toy_dump, out, "--training.lr=1e-3", overwrite=True) is True
    assert len((out / "losses.jsonl").read_text().splitlines()) == 5, "the history starts anew"
    (out / "model.pt").unlink()
    assert train(DURATION, toy_dump, out, "--training.lr=1e-3") is True
    assert (out / "model.pt").exists(), "a finished run without its model trains again"


def test_options_that_came_later_are_at_their_defaults(toy_dump, tmp_path):
    """They make no other experiment of one whose configuration does not name them yet."""
    out = tmp_path / "exp"
    assert train(DURATION, toy_dump, out)
    written = out / "config.yaml"
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(line for line in lines if "compile:" not in line))
    assert written.read_text() != "".join(lines)
    (out / ".done.train").unlink()
    assert train(DURATION, toy_dump, out) is True
    assert written.read_text() == "".join(lines)


def test_another_seed_gives_another_model(toy_dump, whole, tmp_path):
    train(DURATION, toy_dump, tmp_path / "exp", seed=1)
    assert (tmp_path / "exp" / "losses.jsonl").read_bytes() != (whole(DURATION) / "losses.jsonl").read_bytes()


def test_the_written_configuration_repeats_the_run(toy_dump, whole, tmp_path):
    run_module.train(whole(DURATION) / "config.yaml", toy_dump, "train", "dev", tmp_path / "exp")
    check_same(tmp_path / "exp", whole(DURATION))


def test_patience_ends_a_run_that_learns_nothing(toy_dump, tmp_path):
    train(DURATION, toy_dump, tmp_path, "--training.patience=2", "--training.lr=1e-30", "--training.epochs=9")
    assert len((tmp_path / "losses.jsonl").read_text().splitlines()) == 3


def test_little_data_is_seen_more_often(toy_dump, tmp_path):
    train(
        DURATION,
        toy_dump,
        tmp_path,
        "--training.epochs=1",
        "--training.min_steps=3",
        "--training.batch_phones=9999",
    )
    assert len((tmp_path / "losses.jsonl").read_text().splitlines()) == 4


def test_half_precision_trains(toy_dump, tmp_path):
    train(DURATION, toy_dump, tmp_path, "--training.precision=bf16-mixed", "--training.epochs=1")
    assert {v.dtype for v in weights(tmp_path).values()} <= {torch.float32, torch.int64}


def test_a_loss_that_is_not_finite_is_an_error_of_the_configuration(toy_dump, tmp_path, monkeypatch):
    monkeypatch.setattr(Loop, "_evaluate", lambda self: {"loss": float("nan")})
    with pytest.raises(DataError, match="not finite in epoch 0, .* lower training.lr"):
        train(DURATION, toy_dump, tmp_path)
    assert not (tmp_path / "model.pt").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("step", [1, 9])
def test_the_batch_at_which_a_loss_diverged_is_named(toy_dump, tmp_path, monkeypatch, value, step):
    batches, real = [], Task.step

    def diverge(self, batch, update):
        batches.append(batch.utts)
        losses = real(self, batch, update)
        return losses | {"loss": losses["loss"] * value} if len(batches) >= step else losses

    monkeypatch.setattr(Task, "step", diverge)
    with pytest.raises(DataError, match=r"not finite in epoch [15], first in the batch of toy_") as error:
        train(DURATION, toy_dump, tmp_path, "--training.epochs=20")
    assert f"of {', '.join(batches[step - 1][:3])}" in str(error.value)
    # What was kept before is still a model; one that has learnt nothing was not kept.
    if step == 1:
        assert not (tmp_path / "model.pt").exists()
    else:
        assert load_model(tmp_path, "duration")


def test_a_missing_set_is_named(toy_dump, tmp_path):
    with pytest.raises(DataError, match="nowhere: no such file or folder; run stage 2 first"):
        run_module.train(DURATION, toy_dump, "nowhere", "dev", tmp_path)


def test_a_damaged_state_is_said_to_be_so(toy_dump, tmp_path):
    with killed_at(State, "save", 2, True):
        train(DURATION, toy_dump, tmp_path)
    (tmp_path / "last.pt").write_bytes((tmp_path / "last.pt").read_bytes()[:-500])
    with pytest.raises(DataError, match="last.pt: damaged checkpoint"):
        train(DURATION, toy_dump, tmp_path)
