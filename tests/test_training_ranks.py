"""Two processes train as one: no waiting for ever, equal weights at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from models_common import ROOT, batch_key

from nnsvs_lite.models.checkpoint import load

SCRIPT = """
import sys
import torch
from lightning_fabric import Fabric
from nnsvs_lite.models.config import Config
from nnsvs_lite.training.loop import Trainer

conf, dump, out, *words = sys.argv[1:]
fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
fabric.launch()
torch.set_num_threads(1)
trainer = Trainer(Config.read(conf, words), dump, "train", "dev", out, fabric)
trainer.run()
torch.save({"weights": trainer.raw.state_dict(), "best": trainer.best}, f"{out}/rank{fabric.global_rank}.pt")
"""


def train(tmp_path: Path, family: str, conf: str, dump: Path, *words: str) -> Path:
    """Trains on two ranks; a run that waits for ever is ended."""
    out = tmp_path / "exp"
    out.mkdir(exist_ok=True)
    (tmp_path / "two.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "two.py", ROOT / "conf" / family / conf, dump, out]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*map(str, command), *words], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def check(out: Path, epochs: int) -> None:
    ranks = [torch.load(out / f"rank{i}.pt", weights_only=True) for i in range(2)]
    for name, value in ranks[0]["weights"].items():
        assert torch.equal(value, ranks[1]["weights"][name]), name
    assert ranks[0]["best"] == ranks[1]["best"]
    rows = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(epochs + 1))
    assert load(out / "model.pt")["dev_loss"] == min(row["dev"]["loss"] for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("family, conf", [("duration", "mdn.yaml"), ("acoustic", "resf0_conv.yaml")])
def test_two_ranks_end_with_the_same_weights(family, conf, toy_dump, tmp_path):
    words = [
        "--training.epochs=2",
        "--training.min_steps=0",
        f"--training.{batch_key(Path(family, conf))}=60",
    ]
    check(train(tmp_path, family, conf, toy_dump, *words), 2)


@pytest.mark.slow
def test_a_rank_without_batches_of_its_own_keeps_step(toy_dump, tmp_path):
    # One batch in training and one in testing: the second rank has none of either.
    words = ["--training.epochs=2", "--training.min_steps=0", "--training.batch_phones=100000"]
    check(train(tmp_path, "timelag", "mdn.yaml", toy_dump, *words), 2)


@pytest.mark.slow
def test_a_rule_is_tested_on_two_ranks(toy_dump, tmp_path):
    check(train(tmp_path, "duration", "rule.yaml", toy_dump), 0)
