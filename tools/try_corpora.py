#!/usr/bin/env python3
"""Runs recipes of public corpora from stage 0 to 6 on tiny synthetic copies of them, trained for a moment.

python tools/try_corpora.py kiritan csd:english   # these, the second in English; all if none is named
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import corpora_trees  # noqa: E402

BRIEF = "--training.epochs 1 --training.min_steps 0"


def run(name: str, work: Path, stop: int = 6) -> subprocess.CompletedProcess:
    """Makes the tiny copy of a corpus, ``NAME`` or ``NAME:LANG``, in ``work`` and runs its recipe there."""
    name, _, lang = name.partition(":")
    root = corpora_trees.make(name, work / "db")
    folders = {"datadir": "data", "dumpdir": "dump", "expdir": "exp", "logdir": "log"}
    options = [word for option, folder in folders.items() for word in (f"--{option}", str(work / folder))]
    options += [
        "--db-root",
        str(root),
        "--stop-stage",
        str(stop),
        "--features-config",
        "world_24k",
        "--nj",
        "1",
    ]
    options += ["--results-md", str(work / "RESULTS.md")]
    options += ["--local-data-opts", f"--lang {lang}"] if lang else []
    for family in ("timelag", "duration", "acoustic"):
        options += [f"--{family}-args", BRIEF]
    script = next(iter(sorted((ROOT / "egs" / name).glob("svs1/run.sh"))))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [str(script), *options], env=environment, capture_output=True, text=True, check=False
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help="corpora; all if none is named")
    names = parser.parse_args().names or corpora_trees.made()
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as work:
            start, before = time.monotonic(), os.times()
            done = run(name, Path(work))
            cpu = sum(os.times()[2:4]) - sum(before[2:4])
            said = "sings" if done.returncode == 0 else f"failed:\n{done.stdout[-800:]}{done.stderr[-2000:]}"
            print(f"{name}: {said} ({time.monotonic() - start:.0f} s, {cpu:.0f} s of CPU)", flush=True)
            failed += done.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
