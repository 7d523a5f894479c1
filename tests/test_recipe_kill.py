"""A whole recipe that is killed again and again, or moved, ends with the same bytes as one left in peace."""

import contextlib
import copy
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from slurm_local import ROOT

KILLS = [
    (0, 0.3),
    (2, 1.2),
    (2, 3.0),
    (3, 0.5),
    (4, 2.0),
    (5, 2.5),
    (5, 6.0),
    (6, 3.0),
]
"""The stage in which to kill, and how many seconds after it began, at most."""


class Recipe:
    """The real recipe on four etudes, all of it in a folder of its own."""

    def __init__(self, folder: Path, corpus: Path):
        self.folder = folder
        self.output = folder / "output"
        (folder / "local").mkdir(parents=True)
        for name in ("svs.sh", "path.sh", "cmd.sh"):
            (folder / name).symlink_to(ROOT / "egs" / "TEMPLATE" / "svs1" / name)
        for name in ("utils", "conf"):
            (folder / name).symlink_to(ROOT / name)
        script = folder / "local" / "data.sh"
        script.write_text('#!/bin/sh\nexec nnsvs-lite prepare demo "$@"\n')
        script.chmod(0o755)
        shutil.copytree(corpus, folder / "downloads")
        self.command = ["./svs.sh", "--stage", "0", "--threads", "1"]
        self.command += ["--features-config", "conf/features/world_24k.yaml"]
        for family, words in (
            ("timelag", "--training.epochs 4 --training.min_steps 0"),
            ("duration", "--training.epochs 4 --training.min_steps 0"),
            ("acoustic", "--model.hidden 16 --training.epochs 4"),
        ):
            self.command += [f"--{family}-args", words]

    def start(self) -> subprocess.Popen:
        environment = os.environ | {"VIRTUAL_ENV": sys.prefix}
        environment["PATH"] = f"{sys.prefix}/bin:{environment['PATH']}"
        with self.output.open("w") as output:
            return subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run_whole(self) -> list[str]:
        """The lines that it prints."""
        status = self.start().wait(timeout=600)
        assert status == 0, self.output.read_text()[-3000:]
        return self.output.read_text().splitlines()

    def run_and_kill(self, stage: int, delay: float, number: int = signal.SIGKILL) -> bool:
        """Whether the run could be ended, by a signal, before it ended."""
        process = self.start()
        while process.poll() is None and f"=== stage {stage}:" not in self.output.read_text():
            time.sleep(0.02)
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        status = process.wait(timeout=60)
        assert status in (0, -number, 128 + number), self.output.read_text()[-3000:]
        return status != 0

    def digest(self) -> dict[str, str]:
        """Hashes of all results; measured times and logs are left out."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if not path.is_file() or not name.startswith(("data/", "dump/", "exp/")):
                continue
            if path.name.startswith(".done") or "tensorboard" in path.parts:
                continue
            if path.name in ("timing.json", "train.log") or path.suffix == ".html":
                continue
            content = path.read_bytes()
            if path.name == "results.json":
                content = json.dumps(without_times(json.loads(content))).encode()
            found[name] = hashlib.sha256(content).hexdigest()
        return found


def without_times(value):
    """A JSON value without its real-time factors."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if "rtf" not in key}
    return [without_times(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nnsvs_lite.virtual.demo import make_demo_corpus

    folder = tmp_path_factory.mktemp("corpus")
    make_demo_corpus(folder, etudes=4, jobs=1)
    (folder / "parts").write_text("etude01 train\netude02 train\netude03 dev\netude04 eval\n")
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Recipe:
    recipe = Recipe(tmp_path_factory.mktemp("left") / "in_peace", corpus)
    recipe.run_whole()
    return recipe


def written(recipe: Recipe) -> dict[str, int]:
    """When each file of the recipe's results was written."""
    paths = [p for name in ("data", "dump", "exp") for p in (recipe.folder / name).rglob("*") if p.is_file()]
    return {p.relative_to(recipe.folder).as_posix(): p.stat().st_mtime_ns for p in paths}


@pytest.mark.slow
def test_a_moved_recipe_is_up_to_date(tmp_path: Path, reference: Recipe) -> None:
    recipe = copy.copy(reference)
    recipe.folder = tmp_path / "elsewhere" / "and with blanks"
    # With the times of its files; nothing may be read where it was.
    shutil.copytree(reference.folder, recipe.folder, symlinks=True)
    hidden = reference.folder.rename(tmp_path / "hidden")
    recipe.output = recipe.folder / "output"
    before = written(recipe)
    try:
        said = recipe.run_whole()
        assert written(recipe) == before
        assert sum("up to date" in line for line in said) >= 18
        # One changed option makes anew what hangs on it, and that alone.
        at = recipe.command.index("--acoustic-args") + 1
        options = recipe.command[at].replace("epochs 4", "epochs 5")
        recipe.command = [*recipe.command[:at], options, *recipe.command[at + 1 :], "--overwrite", "true"]
        recipe.run_whole()
    finally:
        hidden.rename(reference.folder)
    changed = {name for name, time in written(recipe).items() if before.get(name) != time}
    model = "exp/acoustic_resf0_conv_world_24k/"
    assert {name for name in changed if not name.startswith(model)} == set()
    again = {
        "model.pt",
        "losses.jsonl",
        "decode_ridge_ridge/eval/lf0.ark",
        "decode_ridge_ridge/eval/results.json",
    }
    again |= {"decode_ridge_ridge/dev/lf0.ark", "decode_ridge_ridge/eval/wav.scp"}
    assert {model + name for name in again} <= changed


@pytest.mark.slow
def test_killed_runs_end_with_the_same_bytes(tmp_path: Path, corpus: Path, reference: Recipe) -> None:
    expected = reference.digest()
    assert any(name.endswith("losses.jsonl") for name in expected)
    assert any(name.endswith("results.json") for name in expected)

    chance = random.Random(0)
    killed = Recipe(tmp_path / "killed", corpus)
    kills = sum(killed.run_and_kill(stage, delay * chance.uniform(0.5, 1)) for stage, delay in KILLS)
    assert kills >= 6
    killed.run_whole()
    actual = killed.digest()
    assert set(actual) == set(expected)
    assert [name for name in expected if actual[name] != expected[name]] == []


@pytest.mark.slow
def test_on_a_cluster_it_ends_with_the_bytes_of_a_local_run(
    tmp_path: Path, corpus: Path, reference: Recipe, cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster["SLURM_CONF"])
    recipe = Recipe(tmp_path / "cluster", corpus)
    recipe.command += ["--cmd", "utils/slurm.sh", "--nj", "3"]
    # Stopped in the midst of the features, and again, without a chance to cancel its jobs, of training.
    assert recipe.run_and_kill(2, 2.0, signal.SIGTERM) and recipe.run_and_kill(5, 2.0)
    recipe.run_whole()
    log = recipe.folder / "log" / "train_acoustic_resf0_conv_world_24k.log"
    assert "Slurm job " in log.read_text()
    expected, found = reference.digest(), recipe.digest()
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
