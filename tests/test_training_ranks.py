"""Two processes train as one: no waiting for ever, equal weights at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from contributing import blocks
from models_common import ROOT, batch_key
from toy import make_dump, make_recordings

from nnsvs_lite.models.checkpoint import load

SCRIPT = """
import os
import sys
import torch
from contributing import installed
from lightning_fabric import Fabric
from nnsvs_lite.models.config import Config
from nnsvs_lite.training.loop import Loop
from nnsvs_lite.training.tasks import TASKS

conf, dump, data, out, *words = sys.argv[1:]
module = installed("A vocoder")
module.__enter__()
fabric = Fabric(accelerator="cpu", devices=int(os.environ["RANKS"]), strategy="ddp")
fabric.launch()
torch.set_num_threads(1)
config = Config.read(conf, words)
task = TASKS[config.model_class.family](config, dump, "train", "dev", data)
loop = Loop(task, out, fabric)
loop.run()
networks = {name: network.state_dict() for name, network in loop.networks.items()}
torch.save({"networks": networks, "kept": loop.keeper.kept}, f"{out}/rank{fabric.global_rank}.pt")
"""


def train(tmp_path: Path, conf: Path, dump: Path, *words: str, ranks: int = 2) -> Path:
    """Trains on several ranks; a run that waits for ever is ended."""
    out = tmp_path / f"exp{ranks}"
    out.mkdir(exist_ok=True)
    (tmp_path / "ranks.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "ranks.py", conf, dump, dump.parent / "data", out]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RANKS": str(ranks), "PYTHONPATH": path}
    done = subprocess.run(
        [*map(str, command), *words], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def networks(out: Path, rank: int) -> dict[str, torch.Tensor]:
    """All weights of a rank at the end."""
    state = torch.load(out / f"rank{rank}.pt", weights_only=True)["networks"]
    return {f"{name}.{key}": value for name in state for key, value in state[name].items()}


def check(out: Path, epochs: int) -> None:
    ranks = [torch.load(out / f"rank{i}.pt", weights_only=True) for i in range(2)]
    for name, value in networks(out, 0).items():
        assert torch.equal(value, networks(out, 1)[name]), name
    assert ranks[0]["kept"] == ranks[1]["kept"]
    rows = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(epochs + 1))
    assert load(out / "model.pt")["dev_loss"] == rows[-1]["dev"]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("family, conf", [("duration", "mdn.yaml"), ("acoustic", "resf0_conv.yaml")])
def test_two_ranks_end_with_the_same_weights(family, conf, toy_dump, tmp_path):
    conf = ROOT / "conf" / family / conf
    words = ["--training.epochs=2", "--training.min_steps=0", f"--training.{batch_key(conf)}=60"]
    check(train(tmp_path, conf, toy_dump, *words), 2)


@pytest.mark.slow
def test_a_rank_without_batches_of_its_own_keeps_step(toy_dump, tmp_path):
    # One batch in training and one in testing: the second rank has none of either.
    words = ["--training.epochs=2", "--training.min_steps=0", "--training.batch_phones=100000"]
    check(train(tmp_path, ROOT / "conf" / "timelag" / "mdn.yaml", toy_dump, *words), 2)


@pytest.mark.slow
def test_a_rule_is_tested_on_two_ranks(toy_dump, tmp_path):
    check(train(tmp_path, ROOT / "conf" / "duration" / "rule.yaml", toy_dump), 0)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["duration", "vocoder"])
def test_two_ranks_learn_what_one_learns_from_all(family, tmp_path):
    # Two phrases: a batch of both on one rank, or one each. What they are means over differs.
    dump = make_dump(tmp_path / "dump", {"train": 2, "dev": 1}, seed=3, notes=(1, 3))
    make_recordings(dump, tmp_path / "data")
    conf, words = ROOT / "conf" / "duration" / "mdn.yaml", ["--model.dropout=0"]
    if family == "vocoder":
        # A crop is the same number of frames for both, since losses of spectra are means over a batch.
        conf, words = tmp_path / "conf.yaml", ["--training.updates=2", "--training.crop_frames=20"]
        conf.write_text(blocks("A vocoder")["yaml"])
    words += ["--training.epochs=2", "--training.min_steps=0", "--training.warmup=0", "--training.clip=0"]
    key = "batch_frames" if family == "vocoder" else "batch_phones"
    one = networks(train(tmp_path, conf, dump, *words, f"--training.{key}=9999", ranks=1), 0)
    out = train(tmp_path, conf, dump, *words, f"--training.{key}=1")
    for name, value in one.items():
        assert torch.equal(networks(out, 0)[name], networks(out, 1)[name]), name
        torch.testing.assert_close(networks(out, 0)[name], value, rtol=1e-3, atol=1e-5)
    assert len(one) > (10 if family == "vocoder" else 2)
