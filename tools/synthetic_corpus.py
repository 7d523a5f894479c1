"""Writes a corpus of very many recordings, to see how programs bear large ones.

    python tools/synthetic_corpus.py OUT --count 10000

One etude of the demo corpus is sung in a few keys; each song is one of these, under a name of its own, as a
hard link where the file system has them: 10,000 songs take the room of nine. Score, labels and sound of each
agree. The folder has the form of ``nnsvs-lite demo-corpus``, so that ``nnsvs-lite prepare demo --db-root OUT
--out data`` reads it: two phrases of each song. Nothing can be learnt from it that is not in the etude, and
``nnsvs-lite validate`` hears, rightly, that recordings stand in it many times (``--sound skip``).
"""

import argparse
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nnsvs_lite.features.audio import write_audio
from nnsvs_lite.io.atomic import write_bytes, write_json, write_text
from nnsvs_lite.io.tables import write_table
from nnsvs_lite.score.change import change
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.formats.write_musicxml import musicxml
from nnsvs_lite.score.song import Song
from nnsvs_lite.virtual.render import PEAK
from nnsvs_lite.virtual.sheets import etudes
from nnsvs_lite.virtual.voices import LICENSE, SOURCES, load_singer

KEYS = range(-4, 5)
"""Semitones by which the etude is moved."""
RATE = 24000


def sing(folder: Path, key: int) -> dict[str, Path]:
    """Sings the etude in one key; returns its score, recording and labels."""
    singer = load_singer(SOURCES[0].speaker)
    files = {kind: folder / f"{key}.{kind}" for kind in ("musicxml", "wav", "lab")}
    write_bytes(
        files["musicxml"], musicxml(Song.of(change(read_score(etudes()[0].path, lang="ja"), key, 1.0)))
    )
    sung = singer.perform(read_score(files["musicxml"], lang="ja"), np.random.default_rng(0))
    write_audio(files["wav"], singer.render(sung, RATE), RATE, PEAK)
    times = (f"{round(p.start * 1e7)} {round(p.end * 1e7)} {p.symbol}\n" for p in sung.phones)
    write_text(files["lab"], "".join(times))
    return files


def link(source: Path, target: Path) -> None:
    """A second name for a file, or a copy of it where there are none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_corpus(out: Path, count: int) -> None:
    """Writes ``count`` songs; every tenth is for testing, the one after it for dev."""
    singer = SOURCES[0]
    keys = [sing(out / "keys", key) for key in KEYS[:count]]
    parts = {}
    for number in range(count):
        name, files = f"s{number:06d}", keys[number % len(keys)]
        parts[name] = {0: "eval", 1: "dev"}.get(number % 10, "train")
        link(files["musicxml"], out / "musicxml" / f"{name}.musicxml")
        for kind in ("wav", "lab"):
            link(files[kind], out / kind / f"{singer.speaker}_{name}.{kind}")
    write_table(out / "parts", parts)
    write_text(out / "LICENSE", LICENSE.format(voices=f"- {singer.speaker}: {singer.attribution}", songs=""))
    write_json(out / "manifest.json", {"singers": [asdict(singer)], "sample_rate": RATE})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--count", type=int, default=10_000, help="songs, 3 at least")
    args = parser.parse_args()
    if args.count < 3:
        parser.error(f"--count: 3 at least are needed, for training, dev and eval, not {args.count}")
    write_corpus(args.out, args.count)
    print(f"{args.out}: {args.count} songs")


if __name__ == "__main__":
    main()
