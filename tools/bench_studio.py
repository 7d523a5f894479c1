"""How soon one changed note of a song of three minutes is heard in the studio, over HTTP.

Starts ``nnsvs-lite serve``, has a song sung, then changes one note after the other and counts the seconds
from the request until the new sound is there, whole. The page waits a quarter of a second more, for further
changes. What is outside the note's phrase must be as it was, to the bit. Timings count only on a machine that
does nothing else; their ratio suffers less.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from bench_sing import long_score

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.io.atomic import write_json
from nnsvs_lite.io.stagelog import versions
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_and_places
from nnsvs_lite.synthesis.phrases import split

POLL = 0.06
"""Seconds, as the page."""
EDGE = 0.1
"""Seconds by which a phrase may sound beyond itself."""


@contextlib.contextmanager
def studio(model: Path) -> Iterator[str]:
    """A running studio's address."""
    program = os.fspath(Path(sys.executable).with_name("nnsvs-lite"))
    command = [program, "serve", "--model", os.fspath(model), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        if "sings at" not in line:
            sys.exit("bench_studio: the studio did not start")
        try:
            yield next(word for word in line.split() if word.startswith("http"))
        finally:
            process.terminate()


def ask(url: str, body: bytes | None = None) -> bytes:
    """What an address answers; ``body`` is sent."""
    with urllib.request.urlopen(urllib.request.Request(url, body, {"X-Studio": "1"}), timeout=900) as answer:
        return answer.read()


def heard(url: str, song: dict[str, Any]) -> tuple[float, np.ndarray, int]:
    """Seconds until a song is there, sung; its samples and their rate."""
    start = time.perf_counter()
    job = json.loads(ask(f"{url}api/jobs", json.dumps({"song": song}).encode()))
    while job["state"] in ("waiting", "singing"):
        time.sleep(POLL)
        job = json.loads(ask(f"{url}api/jobs/{job['id']}"))
    if job["state"] != "done":
        sys.exit(f"bench_studio: {job['error']}")
    ask(f"{url}api/jobs/{job['id']}/result")
    sound = ask(f"{url}api/jobs/{job['id']}/audio")
    took = time.perf_counter() - start
    return took, *soundfile.read(io.BytesIO(sound), dtype="int16")


def phrase_around(song: dict[str, Any], number: int) -> tuple[float, float]:
    """Seconds between which the phrase lies that holds a note."""
    score, places = score_and_places(Song.from_json(song))
    for phrase in split(score):
        if 0 <= places[number] - phrase.first_note < len(phrase.score.notes):
            return phrase.start - EDGE, phrase.start + phrase.score.duration + EDGE
    raise AssertionError("every note is of a phrase")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BOXED_VOICE, help="exp dir or packed voice")
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the song")
    parser.add_argument("--changes", type=int, default=7, help="how many notes to change")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, studio(args.model) as url:
        score = Path(folder) / "song.musicxml"
        length = long_score(score, args.seconds)
        song = json.loads(ask(f"{url}api/score?name=song.musicxml", score.read_bytes()))["song"]
        first, before, rate = heard(url, song)
        print(f"a song of {length:.0f} s, {len(song['notes'])} notes: sung in {first:.2f} s", flush=True)
        sung = [i for i, note in enumerate(song["notes"]) if note["pitch"]]
        rows = []
        for k in range(args.changes):
            number = sung[len(sung) * (2 * k + 1) // (2 * args.changes)]
            song["notes"][number]["pitch"] += 1
            took, after, _ = heard(url, song)
            changed = np.flatnonzero(before != after) / rate
            low, high = phrase_around(song, number)
            if not len(changed) or changed[0] < low or changed[-1] > high:
                sys.exit(f"bench_studio: note {number + 1} changed what is not of its phrase, or nothing")
            rows.append(took)
            before = after
        middle = statistics.median(rows)
        print(
            f"one note changed: heard after {middle:.2f} s ({min(rows):.2f} to {max(rows):.2f}), "
            f"{first / middle:.0f} times sooner than the whole; all else the same bits"
        )
    if args.out:
        figures = {"audio_seconds": length, "whole": first, "changed": rows, "ratio": first / middle}
        write_json(args.out, figures | {"cores": len(os.sched_getaffinity(0)), "versions": versions()})


if __name__ == "__main__":
    main()
