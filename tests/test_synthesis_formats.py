"""A score in any format is sung in tune, and whole: measured in the waveform."""

import json
from pathlib import Path

import numpy as np
import pytest
from hummer import make_hummer
from scorefiles import tune, write_all

from nnsvs_lite.features.f0 import track
from nnsvs_lite.score.formats.readers import READERS, read_score
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.virtual.labels import SINGING, full_context

SONG = tune("60 1 さ, 62 1 く, 64 2 ら, 67 1 の, 65 1 は, 64 2 な, r 1, 62 1 が, 60 2 さく")
PHONES = ["s", "a", "k", "u", "r", "a", "n", "o", "h", "a", "n", "a", "pau", "g", "a", "s", "a", "k", "u"]


def as_ds(folder: Path) -> Path:
    """The first notes of the tune as DiffSinger has them, phones given."""
    segment = {
        "offset": 0.0,
        "text": "さ く ら",
        "ph_seq": "s a k u r a",
        "ph_dur": "0.06 0.44 0.06 0.44 0.05 0.95",
        "ph_num": "2 2 2",
        "note_seq": "C4 D4 E4",
        "note_dur": "0.5 0.5 1.0",
        "note_slur": "0 0 0",
    }
    path = folder / "song.ds"
    path.write_text(json.dumps([segment]), encoding="utf-8")
    return path


def as_labels(folder: Path) -> Path:
    """The tune as full-context labels."""
    lines = full_context(read_score(folder / "a.musicxml"), SINGING)
    path = folder / "song.lab"
    rows = [f"{i * 1000000} {(i + 1) * 1000000} {line}" for i, line in enumerate(lines)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def singer(toy_voice) -> Singer:
    return make_hummer(toy_voice)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scores")
    found = write_all(folder, SONG)
    return {**found, "ds": as_ds(folder), "label": as_labels(folder)}


def test_every_format_is_here(files):
    assert {path.suffix for path in files.values()} | {".xml", ".midi", ".full"} == set(READERS)


def check(singer: Singer, path: Path, phones: list[str]) -> None:
    song = singer.sing(path)
    sung = [phone.symbol for phone in song.phones]
    while sung[0] == "pau":
        sung.pop(0)
    while sung[-1] == "pau":
        sung.pop()
    assert sung == phones
    assert all(b.start == pytest.approx(a.end) for a, b in zip(song.phones, song.phones[1:]))

    frames = int(song.duration / song.frame_shift)
    f0 = track(song.waveform, singer.spec.feature_config, frames, 120.0, 800.0)
    off = []
    for note in song.score.notes:
        if note.is_rest:
            continue
        middle = slice(*(round((note.start + note.duration * x) / song.frame_shift) for x in (0.35, 0.65)))
        voiced = f0[middle][f0[middle] > 0]
        assert len(voiced), note.place
        off.append(abs(1200 * np.log2(np.median(voiced) / (440 * 2 ** ((note.pitch - 69) / 12)))))
    assert len(off) >= 3 and np.median(off) < 15, off


def test_sung_in_tune_and_whole(singer, files):
    for form, path in files.items():
        check(singer, path, PHONES[:6] if form == "ds" else PHONES)
