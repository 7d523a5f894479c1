"""A whole recipe that is killed again and again ends with the same bytes as one that was left in peace."""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
    """The real recipe on four etudes, in a folder of its own."""

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
        self.command = ["./svs.sh", "--stage", "0", "--db-root", os.fspath(corpus), "--threads", "1"]
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

    def run_whole(self) -> None:
        status = self.start().wait(timeout=600)
        assert status == 0, self.output.read_text()[-3000:]

    def run_and_kill(self, stage: int, delay: float) -> bool:
        """Whether the run could be killed before it ended."""
        process = self.start()
        while process.poll() is None and f"=== stage {stage}:" not in self.output.read_text():
            time.sleep(0.02)
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait(timeout=60)
        assert status in (0, -signal.SIGKILL), self.output.read_text()[-3000:]
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


@pytest.mark.slow
def test_killed_runs_end_with_the_same_bytes(tmp_path: Path, corpus: Path) -> None:
    reference = Recipe(tmp_path / "left_in_peace", corpus)
    reference.run_whole()
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
