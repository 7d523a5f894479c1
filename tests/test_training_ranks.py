"""Two processes train as one: no waiting for ever, equal weights at the end."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from contributing import blocks
from killing import is_alive, until
from models_common import ROOT, batch_key
from toy import make_dump, make_recordings

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load
from nnsvs_lite.training.ranks import launch

SCRIPT = """
import os
import sys
import torch
from contributing import installed
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.config import Config
from nnsvs_lite.training.loop import Loop
from nnsvs_lite.training.ranks import launch, together
from nnsvs_lite.training.tasks import TASKS

conf, dump, data, out, *words = sys.argv[1:]
module = installed("A vocoder")
module.__enter__()
fabric = launch(0, 1, "32-true", int(os.environ["RANKS"]))
torch.set_num_threads(1)
config = Config.read(conf, words)
task = TASKS[config.model_class.family](config, dump, "train", "dev", data)
loop = Loop(task, out, fabric)
stop = int(os.environ.get("STOP", 0))
if stop:
    test = loop._test
    loop._test = lambda *args: (test(*args), loop.tests < stop or sys.exit(0))
lost = int(os.environ.get("LOST", -1))
if fabric.global_rank == lost:
    loop._train = lambda: os.kill(os.getpid(), 9)
try:
    with together():
        loop.run()
except DataError as error:
    sys.exit(str(error))
networks = {name: network.state_dict() for name, network in loop.networks.items()}
torch.save({"networks": networks, "kept": loop.keeper.kept}, f"{out}/rank{fabric.global_rank}.pt")
"""


def train(
    tmp_path: Path, conf: Path, dump: Path, *words: str, ranks: int = 2, out: str = "", **more: str
) -> Path:
    """Trains on several ranks; a run that waits for ever is ended."""
    out = tmp_path / (out or f"exp{ranks}")
    out.mkdir(exist_ok=True)
    (tmp_path / "ranks.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "ranks.py", conf, dump, dump.parent / "data", out]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RANKS": str(ranks), "PYTHONPATH": path, **more}
    done = subprocess.run(
        [*map(str, command), *words], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == ("LOST" in more), done.stderr[-3000:]
    if "LOST" in more:
        (out / "said").write_text(done.stderr)
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


def losses(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]


def check_losses(found: list[dict], expected: list[dict]) -> None:
    assert len(found) == len(expected) > 2
    for row, other in zip(found, expected):
        for part in ("train", "dev"):
            assert row[part] == pytest.approx(other[part], rel=1e-6, abs=1e-6)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Of a family: folder, configuration, dump and options whose training knows no chance but the order."""
    folder = tmp_path_factory.mktemp("ranks")
    dump = make_dump(folder / "dump", {"train": 5, "dev": 3}, seed=3, notes=(1, 3))
    make_recordings(dump, folder / "data")
    vocoder = folder / "conf.yaml"
    vocoder.write_text(blocks("A vocoder")["yaml"])
    options = ["--training.updates=4", "--training.eval_updates=2", "--training.crop_frames=20"]
    common = ["--training.min_steps=0", "--training.epochs=3"]
    duration = ROOT / "conf" / "duration" / "mdn.yaml"
    return folder, {
        "duration": (duration, dump, *common, "--model.dropout=0", "--training.batch_phones=60"),
        # Two crops a batch: losses of spectra are means over a batch.
        "vocoder": (vocoder, dump, *options, "--training.batch_frames=40"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("family", ["duration", "vocoder"])
def test_two_ranks_have_the_losses_of_one_and_either_goes_on_from_the_other(family, experiment):
    folder, of_family = experiment[0] / family, experiment[1]
    folder.mkdir()
    conf, dump, *words = of_family[family]
    one = train(folder, conf, dump, *words, ranks=1)
    two = train(folder, conf, dump, *words)
    check_losses(losses(two), losses(one))
    for name, value in networks(one, 0).items():
        assert torch.equal(networks(two, 0)[name], networks(two, 1)[name]), name
        torch.testing.assert_close(networks(two, 0)[name], value, rtol=1e-3, atol=1e-5)
    assert len(networks(one, 0)) > (10 if family == "vocoder" else 2)
    mixed = train(folder, conf, dump, *words, out="mixed", STOP="2")
    assert len(losses(mixed)) == 2
    train(folder, conf, dump, *words, ranks=1, out="mixed")
    check_losses(losses(mixed), losses(one))


@pytest.mark.slow
def test_a_killed_rank_ends_all_with_one_line(toy_dump, tmp_path):
    out = train(tmp_path, ROOT / "conf" / "duration" / "mdn.yaml", toy_dump, LOST="1")
    said = (out / "said").read_text()
    assert "Traceback" not in said
    assert [line for line in said.splitlines() if "rank 1" in line] == [
        "rank 1 was killed by signal 9, and all others with it; the same command goes on from the last "
        "test, with as many ranks as it likes"
    ]


FOLLOWER = """
import os, subprocess, sys, threading, time
from nnsvs_lite.training import ranks

ranks.PATIENCE = 0.1
if len(sys.argv) == 1:
    own = subprocess.Popen([sys.executable, __file__, str(os.getpid())], stdout=subprocess.PIPE)
    own.stdout.readline()
    print(own.pid, flush=True)
    os.kill(os.getpid(), 9)
threading.Thread(target=ranks._follow, args=(int(sys.argv[1]),), daemon=True).start()
print("", flush=True)
time.sleep(99)
"""


def test_a_rank_that_waits_ends_after_the_first(tmp_path):
    (tmp_path / "follower.py").write_text(FOLLOWER)
    first = subprocess.run([sys.executable, tmp_path / "follower.py"], capture_output=True, text=True)
    until(lambda: not is_alive(int(first.stdout)))


CLI = """
import sys
import torch
from nnsvs_lite.bin.main import main

torch.set_num_threads(1)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_two_machines_of_one_rank_have_the_losses_of_one(experiment):
    folder, of_family = experiment[0] / "nodes", experiment[1]
    folder.mkdir()
    conf, dump, *words = of_family["duration"]
    one = train(folder, conf, dump, *words, ranks=1)
    (folder / "cli.py").write_text(CLI)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = []
    for node in (0, 1):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", f"--node-rank={node}"]
        torchrun += ["--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}"]
        given = [
            "train",
            "--config",
            conf,
            "--dump",
            dump,
            "--out",
            folder / "exp",
            "--num-nodes",
            "2",
            *words,
        ]
        command = [*torchrun, folder / "cli.py", *given]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        nodes.append(subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE))
    for node in nodes:
        _, said = node.communicate(timeout=300)
        assert node.returncode == 0, said.decode()[-3000:]
    check_losses(losses(folder / "exp"), losses(one))


def test_what_was_not_started_is_refused(monkeypatch):
    with pytest.raises(DataError, match="--num-nodes 2: start it on each machine, by torchrun or srun"):
        launch(0, 2, "32-true")
    told = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_NNODES": "2"}
    for name, value in (told | {"SLURM_LOCALID": "0", "SLURM_NODEID": "0"}).items():
        monkeypatch.setenv(name, value)
    assert launch(0, 1, "32-true").world_size == 1  # A batch script, which srun has not started.
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    with pytest.raises(DataError, match="by --ntasks-per-node"):
        launch(0, 2, "32-true")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    with pytest.raises(DataError, match="--num-nodes 1: 4 processes on 2 machines were started"):
        launch(0, 1, "32-true")
