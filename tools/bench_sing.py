"""How fast ``nnsvs-lite sing`` sings a song of three minutes, from the command's start to its exit.

Makes the score (a song of the demo corpus, again and again), runs the command a few times, and prints wall
and processor time, how many times faster than real time that is, and where one run spends its time.
Timings count only on a machine that does nothing else; processor time suffers less.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nnsvs_lite.io.atomic import read_text, write_json, write_text
from nnsvs_lite.io.stagelog import versions
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.virtual.sheets import songs

ROOT = Path(__file__).parents[1]
VOICE = ROOT / "egs" / "demo" / "svs1" / "exp" / "acoustic_resf0_conv_world_24k"

PARTS = """
import sys, time
began = time.perf_counter()
def lap(name):
    global began
    now = time.perf_counter()
    print(f"  {name:<34} {now - began:6.2f} s")
    began = now
import torch
lap("importing torch")
from nnsvs_lite.synthesis import singer
lap("importing the rest")
voice = singer.Singer.load(sys.argv[2])
lap("loading the voice")
score = singer.read_score(sys.argv[1], lang=voice.spec.codes[0])
lap("reading the score: singing begins")
make = singer.waveforms_in_turn
spent = [0.0]
def timed(*args):
    start = time.perf_counter()
    waves = list(make(*args))
    spent[0] += time.perf_counter() - start
    return waves
singer.waveforms_in_turn = timed
song = voice.sing(score)
began += spent[0]
lap("times and features")
print(f"  {'vocoder':<34} {spent[0]:6.2f} s")
song.write(sys.argv[3])
lap("writing")
"""


def long_score(path: Path, seconds: float) -> float:
    """Writes a score of at least ``seconds``; returns its length."""
    song = songs()[0].path
    times = int(-(-seconds // read_score(song).duration))
    head, measures, tail = re.split(r'(?<=<part id="P1">)|(?=</part>)', read_text(song))
    write_text(path, head + measures * times + tail)
    return read_score(path).duration


def timed(command: list[str]) -> tuple[float, float]:
    """Runs a command; its wall and processor time in seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit(f"bench_sing: failed: {' '.join(command)}")
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=VOICE, help="exp dir or packed voice")
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the song")
    parser.add_argument("--runs", type=int, default=3, help="how often to sing it")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    args = parser.parse_args()
    if not args.model.exists():
        sys.exit(f"bench_sing: {args.model}: no such voice; run 'make demo', or give another with --model")
    program = os.fspath(Path(sys.executable).with_name("nnsvs-lite"))
    with tempfile.TemporaryDirectory() as folder:
        score, wav = (os.fspath(Path(folder) / name) for name in ("song.musicxml", "song.wav"))
        length = long_score(Path(score), args.seconds)
        sing = [program, "sing", score, "--model", os.fspath(args.model), "-o", wav]
        runs = [timed(sing) for _ in range(args.runs)]
        for wall, cpu in runs:
            print(
                f"sing, {length:.0f} s: wall {wall:.2f} s ({length / wall:.1f} x real time), cpu {cpu:.2f} s"
            )
        helps = [timed([program, "--help"])[0] for _ in range(args.runs)]
        print(f"--help: {statistics.median(helps):.2f} s")
        print("one run, part by part:", flush=True)
        subprocess.run([sys.executable, "-c", PARTS, score, os.fspath(args.model), wav], check=True)
    if args.out:
        rows = [{"wall": wall, "cpu": cpu, "times_real_time": length / wall} for wall, cpu in runs]
        cores = len(os.sched_getaffinity(0))
        write_json(
            args.out,
            {"audio_seconds": length, "sing": rows, "help": helps, "cores": cores, "versions": versions()},
        )


if __name__ == "__main__":
    main()
