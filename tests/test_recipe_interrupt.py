"""Programs killed as they put a file in place, and started again, end with the same bytes.

Every file appears by a rename. Each stage is killed (SIGKILL) at its first, a middle and its
last rename, before or after it, so no chance decides what is tested.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from features_corpus import make_corpus
from models_common import ROOT

DRIVER = '''
"""Runs commands in forked children, so that torch is imported once; kills them where asked."""
import json, os, signal, sys, traceback

import scipy.signal, soundfile, torch
import nnsvs_lite.features.world, nnsvs_lite.synthesis.singer, nnsvs_lite.training.loop
from nnsvs_lite.bin.main import main

torch.set_num_threads(1)


def child(words, kill_at, after, log):
    real, seen = os.replace, 0

    def replace(source, target):
        nonlocal seen
        seen += 1
        if seen == kill_at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        real(source, target)
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1), os.dup2(out, 2)
    status = 1
    try:
        status = main(words)
    except BaseException:
        traceback.print_exc()
    os.write(out, f"replaced {seen}\\n".encode())
    os._exit(status)


for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        child(**job)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
'''

KILLED = -9


class Programs:
    """Runs commands in a folder through the driver."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.log = folder.parent / f"{folder.name}.log"
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run(self, words: list[str], kill_at: int = 0, after: bool = False) -> int:
        """Exit status of a command; -9 when it was killed."""
        job = {"words": words, "kill_at": kill_at, "after": after, "log": str(self.log)}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    @property
    def replaced(self) -> int:
        """Files that the last command put in place."""
        return int(self.log.read_text().rsplit("replaced ", 1)[1])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def stages(data: Path) -> list[list[str]]:
    """Command lines from features to waveforms; folders are relative, alike in both runs."""
    features = str(ROOT / "conf" / "features" / "world_24k.yaml")
    dump = ["--dump", "dump"]
    commands = [
        ["extract", "--data", str(data), "--out", "dump/train", "--config", features],
        ["stats", *dump, "--train-set", "train"],
    ]
    for family, name in (("timelag", "mdn"), ("duration", "mdn"), ("acoustic", "resf0_conv")):
        conf = str(ROOT / "conf" / family / f"{name}.yaml")
        words = ["--dev-set", "train", "--training.epochs", "3", "--training.min_steps=0"]
        commands.append(["train", "--config", conf, *dump, "--out", f"exp/{family}", *words])
    models = [word for f in ("timelag", "duration", "acoustic") for word in (f"--{f}", f"exp/{f}")]
    commands.append(["decode", *dump, "--set", "train", "--out", "exp/decode", *models])
    commands.append(["vocode", "--decode-dir", "exp/decode"])
    return commands


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those that hold times of day or of computing."""
    names = {os.fspath(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
    return {
        name: b"" if path.name == "timing.json" else path.read_bytes()
        for name, path in names.items()
        if "tensorboard" not in name
    }


@pytest.mark.slow
def test_killed_programs_end_with_the_same_bytes(tmp_path):
    data = make_corpus(tmp_path / "corpus", n_utts=10).path
    whole, broken = Programs(tmp_path / "whole"), Programs(tmp_path / "broken")
    kills = 0
    for words in stages(data):
        assert whole.run(words) == 0, whole.log.read_text()[-2000:]
        last = whole.replaced
        assert last > 0
        for turn, place in enumerate(dict.fromkeys((1, (last + 1) // 2, last))):
            # What an earlier turn finished is kept, so a later one may have fewer files to go.
            status = broken.run(words, kill_at=place, after=turn % 2 == 1)
            assert status in (0, KILLED), broken.log.read_text()[-2000:]
            kills += status == KILLED
        assert broken.run(words) == 0, broken.log.read_text()[-2000:]
        assert whole.run(words) == 0 and whole.replaced == 0, "a finished stage writes nothing"
    whole.close()
    broken.close()
    expected, found = contents(tmp_path / "whole"), contents(tmp_path / "broken")
    assert sorted(found) == sorted(expected), "nothing is missing and nothing is left over"
    assert [name for name in expected if found[name] != expected[name]] == []
    kinds = {Path(name).suffix for name in expected}
    assert {".scp", ".ark", ".ctm", ".jsonl", ".wav", ".pt", ".json"} <= kinds
    assert kills >= 14
