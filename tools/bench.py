"""How long each stage of a recipe takes: wall and processor time, and both per second of audio.

Runs the demo recipe stage by stage in a new folder under bench/, prints a table and keeps it as JSON. The
acoustic model trains for fewer epochs than the recipe has: they would be four fifths of all.
Timings count only on a machine that does nothing else. Elsewhere than on Linux, processor time lacks that of
parallel workers.
"""

import argparse
import ctypes
import os
import platform
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.atomic import write_json
from nnsvs_lite.io.stagelog import versions

ROOT = Path(__file__).parents[1]
STAGES = {
    0: "data",
    1: "alignment",
    2: "features",
    3: "time-lag model",
    4: "duration model",
    5: "acoustic model, inference",
    6: "vocoding, scoring, page",
}


def run_stage(stage: int, folder: Path, options: list[str]) -> dict[str, float]:
    """Runs one stage; returns its ``wall`` and ``cpu`` time in seconds."""
    places = {
        name: os.fspath(folder / name) for name in ("datadir", "dumpdir", "expdir", "logdir", "db-root")
    }
    places["results-md"] = os.fspath(folder / "RESULTS.md")
    command = [ROOT / "egs" / "demo" / "svs1" / "run.sh", "--stage", str(stage), "--stop-stage", str(stage)]
    for name, place in places.items():
        command += [f"--{name}", place]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (folder / f"stage{stage}.log").open("w") as log:
        status = subprocess.run(
            [*command, *options], stdout=log, stderr=subprocess.STDOUT, check=False
        ).returncode
    # What a stage leaves behind, such as the server that starts its workers, is counted when it has ended.
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status:
        sys.exit(f"bench: stage {stage} failed; see {log.name}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": time.monotonic() - start, "cpu": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "bench", help="folder of the results")
    parser.add_argument("--nj", type=int, default=2, help="parallel jobs")
    parser.add_argument("--epochs", type=int, default=4, help="of the acoustic model; the recipe has 20")
    args, more = parser.parse_known_args()
    if sys.platform == "linux":
        # Orphans below this program become its children.
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    folder = args.out.resolve() / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    times = {}
    audio = 0.0
    more = ["--nj", str(args.nj), "--acoustic-args", f"--training.epochs {args.epochs}", *more]
    print(f"{'stage':<30} {'wall s':>8} {'cpu s':>8} {'cpu / audio s':>14}")
    for stage, name in STAGES.items():
        times[name] = run_stage(stage, folder, more)
        if stage == 0:
            sets = [DataDir.read(folder / "datadir" / part) for part in ("train", "dev", "eval")]
            audio = sum(data.duration(utt) for data in sets for utt in data.utts)
        wall, cpu = times[name]["wall"], times[name]["cpu"]
        print(f"{stage} {name:<28} {wall:8.1f} {cpu:8.1f} {cpu / audio:14.3f}", flush=True)
    total = sum(one["wall"] for one in times.values())
    print(f"all stages {total:.1f} s for {audio:.0f} s of audio; logs in {folder}")
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_json(
        folder / "bench.json",
        {"audio_seconds": audio, "stages": times, "machine": machine, "versions": versions()},
    )


if __name__ == "__main__":
    main()
