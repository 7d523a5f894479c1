"""Jobs on a cluster: how they are submitted, and what fails or is lost."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from killing import until
from slurm_local import ROOT
from test_recipe_svs import FAKE, Recipe
from test_report_compare import row

from nnsvs_lite.bin.main import main

RUNNER = ROOT / "utils" / "slurm.sh"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    shutil.copy(ROOT / "conf" / "slurm.conf", tmp_path / "conf")
    return tmp_path


def run(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess:
    command = [RUNNER, *words]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=120)


def started(folder: Path, environment: dict[str, str], *words: str) -> subprocess.Popen:
    return subprocess.Popen([RUNNER, *words], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def test_without_slurm_one_line_says_what_to_do(folder: Path) -> None:
    for name in ("bash", "dirname", "readlink", "mkdir"):
        (folder / name).symlink_to(shutil.which(name))
    done = run(folder, {"PATH": str(folder)}, "x.log", "true")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert (
        "sbatch is not here: run this where jobs of the cluster are submitted, or give --cmd utils/run.sh"
        in line
    )


@pytest.fixture
def told(folder: Path) -> dict[str, str]:
    """An environment whose ``sbatch`` says what it was called with, and refuses."""
    for name in ("sbatch", "squeue", "scancel"):
        (folder / name).write_text('#!/bin/sh\necho "sbatch: error: asked for $*" >&2\nexit 1\n')
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}


def asked(folder: Path, environment: dict[str, str], *words: str) -> str:
    done = run(folder, environment, *words, "log/x.JOB.log", "true")
    assert done.returncode == 1 and not (folder / "log" / ".slurm").exists()
    (line,) = done.stderr.splitlines()
    return line


def test_options_become_those_of_the_configuration(folder: Path, told: dict[str, str]) -> None:
    line = asked(folder, told, "JOB=1:4")
    assert "sbatch did not take the job: asked for " in line and "see conf/slurm.conf" in line
    for word in ("--time=2-00:00:00", "--mem-per-cpu=4G", "--cpus-per-task=1", "--array=1-4", "--no-requeue"):
        assert f" {word} " in line
    assert "--gres" not in line and "--nodes" not in line
    line = asked(
        folder, told, "--mem", "1G", "--num-threads", "3", "--gpu", "1", "--max-jobs-run", "2", "JOB=3:9"
    )
    for word in ("--mem-per-cpu=1G", "--cpus-per-task=3", "--gres=gpu:1", "--array=3-9%2"):
        assert f" {word} " in line
    line = asked(folder, told, "--gpu", "2", "--num-nodes", "3")
    for word in ("--gres=gpu:2", "--nodes=3", "--ntasks-per-node=2"):
        assert f" {word} " in line
    assert "has no option colour=* for --colour red" in asked(folder, told, "--colour", "red")
    (folder / "mine.conf").write_text(
        "command sbatch --export=PATH  # as ESPnet's\n"
        "option gpu=* -p gpu --gres=gpu:$0 -c $0\noption gpu=0 -p cpu"
    )
    line = asked(folder, told, "--config", "mine.conf", "--gpu", "2")
    assert "--export=PATH -p gpu --gres=gpu:2 -c 2 " in line
    assert "--export=PATH -p cpu --parsable" in asked(folder, told, "--config", "mine.conf", "--gpu", "0")
    (folder / "mine.conf").write_text("option gpu=0\n$(touch here) x\n")
    assert "is no word of it" in asked(folder, told, "--config", "mine.conf")
    assert not (folder / "here").exists()
    assert "no such file" in asked(folder, told, "--config", "none.conf")


def test_a_runner_is_told_what_jobs_need(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    # Writes down its options, then the log's name and the threads, and runs the command.
    runner = """#!/bin/bash
    while [[ $1 == --* ]]; do
        [ "$1" = --show ] || { printf "%s %s " "$1" "$2" >>told; shift; }
        shift
    done
    [[ $1 != JOB* ]] || { printf "%s" "$1" >>told; shift; }
    echo " $(basename "$1") ${OMP_NUM_THREADS}" >>told
    shift
    "${@//JOB/1}"
    """
    recipe._program(recipe.folder / "runner", runner)
    options = ("--nj", "3", "--ngpu", "2", "--num-nodes", "4", "--threads", "2")
    done = recipe.run("--cmd", "./runner --mine 1", *options)
    assert done.returncode == 0, done.stderr
    told = (recipe.folder / "told").read_text().splitlines()
    assert "--mine 1 --num-threads 3  validate.log 1" in told
    assert "--mine 1 JOB=1:3 extract_train.JOB.log 1" in told
    train = (
        "--mine 1 --mem 16G --gpu 2 --num-nodes 4 --num-threads 2  train_acoustic_resf0_conv_world_48k.log 2"
    )
    assert train in told
    assert "--mine 1 --mem 16G --gpu 1 --num-threads 2  decode_model_eval.log 2" in told
    assert "--mine 1 --num-threads 3  vocode_model.log 1" in told


@pytest.mark.slow
def test_a_failed_task_is_submitted_once_more_and_named(folder: Path, cluster: dict[str, str]) -> None:
    script = 'echo "try of $0"; [ $0 != 2 ] || [ -e here ] || { touch here; exit 3; }; [ $0 != 3 ] || exit 4'
    done = run(folder, cluster, "JOB=1:3", "x.JOB.log", "bash", "-c", script, "JOB")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    again = [line for line in lines if "submitted once more" in line]
    assert sorted(line.split(": ", 1)[1] for line in again) == [
        "job 2 ended with status 3 (x.2.log): submitted once more",
        "job 3 ended with status 4 (x.3.log): submitted once more",
    ]
    assert "1 of 3 jobs failed; the end of x.3.log:" in done.stderr
    tries = [(folder / f"x.{job}.log").read_text().count("\ntry of ") for job in (1, 2, 3)]
    assert tries == [1, 2, 2]


@pytest.mark.slow
def test_what_a_cluster_does_to_jobs_is_told_in_a_line(folder: Path, cluster: dict[str, str]) -> None:
    done = run(folder, cluster, "--partition", "none", "p.log", "true")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "sbatch did not take the job: " in line and "Invalid partition name" in line

    # Of one job that failed by itself there is no second try.
    done = run(folder, cluster, "f.log", "bash", "-c", "echo once; exit 5")
    assert done.returncode == 1 and "submitted" not in done.stderr
    assert "# ended with status 5" in (folder / "f.log").read_text()

    eat = "import time; x = bytearray(400 << 20); x[::4096] = bytes(len(x[::4096])); time.sleep(60)"
    done = run(folder, cluster, "--mem", "200M", "m.log", "python3", "-c", eat)
    assert done.returncode == 1
    first = done.stderr.splitlines()[0]
    assert "job 1 took more memory than it had: raise --mem or default mem in conf/slurm.conf" in first

    with started(folder, cluster, "c.log", "sleep", "60") as waits:
        until(lambda: (folder / "c.log").exists() and "# started" in (folder / "c.log").read_text())
        subprocess.run(["scancel", "--me"], env=cluster, check=True)
        assert waits.wait(timeout=60) == 1
        assert "job 1 was cancelled (c.log)" in waits.stderr.readline()

    script = "[ -e there ] || { touch there; sleep 60; }"
    with started(folder, cluster, "n.log", "bash", "-c", script) as waits:
        until((folder / "there").exists)
        down = ["scontrol", "update", "nodename=node1", "state=down", "reason=test"]
        subprocess.run(down, env=cluster, check=True)
        assert waits.wait(timeout=60) == 0
        assert "job 1 was lost (NODE_FAIL) (n.log): submitted once more" in waits.stderr.read()


@pytest.mark.slow
def test_a_sweep_is_jobs_of_the_cluster(
    tmp_path: Path, cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(tmp_path)
    shutil.copy(ROOT / "conf" / "slurm.conf", recipe.folder / "conf")
    scored = 'evaluate) cp "${FIGURES}" "${out}";'
    recipe._program(tmp_path / ".venv" / "bin" / "nnsvs-lite", FAKE.replace("evaluate)", scored))
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({"model": row({"a": 20.0}), "rule": row({"a": 50.0})}))
    for name, value in (recipe.environment | cluster | {"FIGURES": str(figures)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    words = ["sweep", "resf0_conv", "--seeds", "3,4", "--jobs", "2", "--recipe", str(recipe.folder)]
    assert main([*words, "-o", str(tmp_path / "out"), "--cmd", "utils/slurm.sh", "--nj", "1"]) == 0
    assert "resf0_conv,lf0_rmse_cents,cents,20,0,,,2,1" in (tmp_path / "out" / "toy.csv").read_text()
    logs = (tmp_path / "out" / "log" / "toy").rglob("train_acoustic_resf0_conv*.log")
    assert ["Slurm job" in path.read_text() for path in logs] == [True, True]
