"""How fast ``nnsvs-lite sing`` sings a song of three minutes, from the command's start to its exit.

Makes the score (a song of the demo corpus, again and again), runs the command a few times with torch and with
onnxruntime, and prints wall and processor time, how many times faster than real time that is, peak memory,
and where one run spends its time. With --strict the exit status is how many of the two start more slowly than
their budget allows. Timings count only on a machine that does nothing else; processor time suffers less.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.io.atomic import read_text, write_json, write_text
from nnsvs_lite.io.stagelog import versions
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.virtual.sheets import songs

ENGINES = {"torch": "torch", "onnx": "onnxruntime"}
"""What computes, by ``--runtime``."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes that the system counts peak memory in."""
BUDGET = {"torch": 2.4, "onnx": 5.0}
"""Processor time from the command's start until singing begins, in that of importing the engine alone."""

PARTS = """
import sys, time
before = 0.0
def lap(name):
    global before
    now = time.process_time()
    print(f"  {name:<34} {now - before:6.2f} s of CPU")
    before = now
lap("starting Python")
from nnsvs_lite.synthesis import singer
lap("importing what all need")
__import__(sys.argv[5])
lap("importing " + sys.argv[5])
voice = singer.Singer.load(sys.argv[2], runtime=sys.argv[4])
lap("loading the voice")
score = singer.read_score(sys.argv[1], lang=voice.spec.codes[0])
lap("reading the score: singing begins")
print(f"  {'start-up in all':<34} {before:6.2f} s of CPU")
if len(sys.argv) > 6:
    sys.exit()
make = singer.waveforms_in_turn
spent = [0.0]
def timed(*args):
    start = time.process_time()
    waves = list(make(*args))
    spent[0] += time.process_time() - start
    return waves
singer.waveforms_in_turn = timed
song = voice.sing(score)
before += spent[0]
lap("times and features")
print(f"  {'vocoder':<34} {spent[0]:6.2f} s of CPU")
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


def timed(command: list[str], **options: object) -> tuple[float, float, float]:
    """Runs a command (``Popen``'s options); its wall and processor time in seconds, and peak memory in MB."""
    start, process = time.monotonic(), subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    _, process.returncode, used = os.wait4(process.pid, 0)
    if process.returncode:
        sys.exit(f"bench_sing: failed: {' '.join(command)}")
    return time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * RSS_UNIT / 1e6


def main() -> int:
    """Runs all; with ``--strict`` the number of engines whose start-up is over the budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, default=BOXED_VOICE, help="packed voice with graphs")
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the song")
    parser.add_argument("--runs", type=int, default=3, help="how often to sing it")
    parser.add_argument("--strict", action="store_true", help="fail where start-up is over the budget")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    args = parser.parse_args()
    program, model, over, figures = Path(sys.executable).with_name("nnsvs-lite"), os.fspath(args.model), 0, {}
    with tempfile.TemporaryDirectory() as folder:
        score, wav = (os.fspath(Path(folder) / name) for name in ("song.musicxml", "song.wav"))
        length = long_score(Path(score), args.seconds)
        for runtime, engine in ENGINES.items():
            sing = [os.fspath(program), "sing", score, "--model", model, "-o", wav, "--runtime", runtime]
            runs = [timed(sing) for _ in range(args.runs)]
            for wall, cpu, memory in runs:
                times = (
                    f"wall {wall:.2f} s ({length / wall:.1f} x real time), cpu {cpu:.2f} s, {memory:.0f} MB"
                )
                print(f"sing --runtime {runtime}, {length:.0f} s: {times}")
            parts = [score, model, wav, runtime, engine]
            print("one run, part by part:", flush=True)
            subprocess.run([sys.executable, "-c", PARTS, *parts], check=True)
            alone = min(timed([sys.executable, "-c", f"import {engine}"])[1] for _ in range(args.runs))
            start = min(timed([sys.executable, "-c", PARTS, *parts, "no"])[1] for _ in range(args.runs))
            told = f"{start / alone:.2f} times importing {engine} alone ({alone:.2f} s)"
            print(f"start-up {start:.2f} s of CPU, {told}; budget {BUDGET[runtime]}", flush=True)
            over += start / alone > BUDGET[runtime]
            names = ("wall", "cpu", "memory")
            rows = [dict(zip(names, run), times_real_time=length / run[0]) for run in runs]
            figures[runtime] = {"sing": rows, "start": start, "engine": alone}
        helps = [timed([os.fspath(program), "--help"])[0] for _ in range(args.runs)]
        print(f"--help: {statistics.median(helps):.2f} s")
    if args.out:
        more = {"help": helps, "cores": len(os.sched_getaffinity(0)), "versions": versions()}
        write_json(args.out, {"audio_seconds": length, **figures, **more})
    return over if args.strict else 0


if __name__ == "__main__":
    sys.exit(main())
