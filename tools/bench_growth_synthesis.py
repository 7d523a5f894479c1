"""CPU time per utterance and peak memory of decoding and vocoding, on few and on many utterances.

    python tools/bench_growth_synthesis.py [decode vocode] [--few 100] [--many 4000]

Each stage is a function ``(folder, count)`` that makes its input in an empty folder and returns
what is then measured. Prints seconds of CPU per utterance and peak memory at both sizes, and their
ratios; ends with status 1 where memory, or vocode's time, grows by more than a tenth.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

ALLOWED = 1.1
"""Largest ratio of many to few."""


def _large_dump(folder: Path, count: int, notes: tuple[int, int]) -> Path:
    """A dump whose set ``eval`` names the same few phrases over and over."""
    from toy import make_dump

    dump = make_dump(folder / "dump", {"train": 6, "eval": 20}, notes=notes)
    for table in [
        *(dump / "eval").glob("*.scp"),
        *map((dump / "eval").joinpath, ("score", "utt2spk", "utt2lang")),
    ]:
        values = [line.split(" ", 1)[1] for line in table.read_text().splitlines()]
        table.write_text("".join(f"toy_{k:05d} {values[k % len(values)]}\n" for k in range(count)))
    return dump


def decode_stage(folder: Path, count: int) -> Callable[[], object]:
    """Stage 5 with the tiny models of the tests."""
    from models_common import build

    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.models.checkpoint import save_model
    from nnsvs_lite.models.config import Config
    from nnsvs_lite.synthesis.decode import decode

    dump = _large_dump(folder, count, (2, 3))
    exps = {}
    for family, name in (("timelag", "mdn"), ("duration", "mdn"), ("acoustic", "resf0_conv")):
        path = ROOT / "conf" / family / f"{name}.yaml"
        exps[family] = folder / family
        save_model(exps[family] / "model.pt", build(path, Spec.read(dump)), Config.read(path), {})
    return lambda: decode(dump, "eval", folder / "out", **exps)


def vocode_stage(folder: Path, count: int) -> Callable[[], object]:
    """Stage 6 with WORLD, on natural features."""
    from nnsvs_lite.synthesis.vocode import vocode

    dump = _large_dump(folder, count, (1, 1))
    shutil.copy(dump / "schema.json", dump / "eval")
    return lambda: vocode(dump / "eval")


STAGES = {"decode": decode_stage, "vocode": vocode_stage}


def measure(name: str, count: int) -> None:
    """Prints seconds of CPU and mebibytes of peak memory; run in a process of its own."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = STAGES[name](Path(folder), count)
        began = time.process_time()
        run()
        seconds = time.process_time() - began
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> int:
    """Runs the stages that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--many", type=int, default=4000)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.count:
        measure(args.stages[0], args.count)
        return 0
    grown = False
    for name in args.stages or STAGES:
        found = []
        for count in (args.few, args.many):
            command = [sys.executable, __file__, name, "--count", str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            seconds, memory = map(float, done.stdout.split()[-2:])
            found.append((1e3 * seconds / count, memory))
        (few, little), (many, much) = found
        grown |= much / little > ALLOWED or (name == "vocode" and many / few > ALLOWED)
        print(
            f"{name}: {few:.1f} ms of CPU an utterance at {args.few}, {many:.1f} at {args.many}, ratio "
            f"{many / few:.2f}; peak memory {little:.0f} and {much:.0f} MiB, ratio {much / little:.2f}",
            flush=True,
        )
    return grown


if __name__ == "__main__":
    sys.exit(main())
