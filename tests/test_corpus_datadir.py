"""Data dirs: read, write, subset, split, audio."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nnsvs_lite.corpus.datadir import DataDir, song_of
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Score


def make(path: Path, songs=("spk_b", "spk_a")) -> DataDir:
    """Two-second songs: rest, ``la``, rest, at 8 kHz, a ramp for samples."""
    path.mkdir(parents=True, exist_ok=True)
    data = DataDir(path=path / "data", wavs={}, utt2spk={})
    for song in songs:
        wav = path / f"{song}.wav"
        soundfile.write(wav, np.arange(16000) / 16000, 8000, subtype="DOUBLE")
        data.wavs[song] = wav
        data.utt2spk[song] = "spk"
        data.utt2lang[song] = "ja"
        data.text[song] = "ら"
        data.scores[song] = Score(
            (
                Note(0.0, 0.5, 0, phones=("pau",)),
                Note(0.5, 1.5, 60, lyric="ら", phones=("r", "a")),
                Note(1.5, 2.0, 0, phones=("pau",)),
            )
        )
        data.labels[song] = [
            Segment(0.0, 0.45, "pau"),
            Segment(0.45, 0.52, "r"),
            Segment(0.52, 1.48, "a"),
            Segment(1.48, 2.0, "pau"),
        ]
    return data


def test_write_then_read_is_the_same_and_sorted(tmp_path):
    data = make(tmp_path).write()
    again = DataDir.read(data.path)
    assert again == data
    assert again.utts == ["spk_a", "spk_b"]
    assert again.spk2utt == {"spk": ["spk_a", "spk_b"]}
    assert (data.path / "spk2utt").read_text() == "spk spk_a spk_b\n"
    assert (data.path / "text").read_text() == "spk_a ら\nspk_b ら\n"
    before = {p.name: p.read_bytes() for p in data.path.iterdir()}
    again.write()
    assert {p.name: p.read_bytes() for p in data.path.iterdir()} == before


def test_align_ctm_goes_before_label_ctm(tmp_path):
    data = make(tmp_path).write()
    (data.path / "align.ctm").write_text("spk_a 1 0 2 pau\n")
    again = DataDir.read(data.path)
    assert again.label_name == "align.ctm"
    assert again.labels == {"spk_a": (Segment(0, 2, "pau"),)}


def test_audio_of_a_segment_is_its_samples(tmp_path):
    data = make(tmp_path)
    whole, rate = data.audio("spk_a")
    assert rate == 8000 and whole.shape == (16000,) and whole.dtype == np.float64
    assert data.duration("spk_a") == 2.0
    data.segments = {"spk_a": ("spk_b", 0.25, 1.0), "spk_b": ("spk_b", 1.0, 9.0)}
    part, _ = data.audio("spk_a")
    np.testing.assert_array_equal(part, np.arange(2000, 8000) / 16000)
    assert data.duration("spk_a") == 0.75
    with pytest.raises(DataError, match="1 to 9 s of it, it has 2.000 s"):
        data.audio("spk_b")


def test_audio_faults_name_the_file(tmp_path):
    data = make(tmp_path)
    soundfile.write(data.wavs["spk_a"], np.zeros((10, 2)), 8000)
    with pytest.raises(DataError, match=r"spk_a.wav: has 2 channels"):
        data.audio("spk_a")
    data.wavs["spk_a"].unlink()
    with pytest.raises(DataError, match=r"spk_a.wav: audio of spk_a cannot be read"):
        data.audio("spk_a")


def test_subset_split_and_take(tmp_path):
    data = make(tmp_path)
    part = data.subset(["spk_a"])
    assert part.utts == ["spk_a"] and list(part.wavs) == ["spk_a"] and list(part.labels) == ["spk_a"]
    parts = data.split({"train": ["spk_a"], "eval": ["spk_b"]})
    assert parts["eval"].utts == ["spk_b"]
    with pytest.raises(DataError, match="spk_a stands in both train and eval"):
        data.split({"train": ["spk_a"], "eval": ["spk_a", "spk_b"]})
    with pytest.raises(DataError, match="did you mean 'spk_a'"):
        data.subset(["spkk_a"])
    rest = data.subset(["spk_b"])
    taken = data.take(["spk_a"])
    assert taken == part and data == rest and data.utts == ["spk_b"]


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("wav.scp", "spk_a sox x.wav -t wav - |", "wav.scp:1: a shell pipe is not run"),
        ("wav.scp", "spk_a", "wav.scp:1: malformed line"),
        ("segments", "spk_a spk_a 0", "segments:1: malformed line"),
        ("score", "spk_a {]", "score: spk_a: not a score in JSON"),
        ("utt2spk", "spk_a spk\nspk_a spk", "utt2spk:2: duplicate id"),
        ("utt2spk", "spk_a spk\r", "utt2spk:1: CRLF"),
        ("utt2spk", "../spk_a spk", r"utt2spk:1: '\.\./spk_a' is no id"),
        ("utt2spk", "/tmp/a spk", "utt2spk:1: '/tmp/a' is no id"),
        ("utt2spk", "spk_a ../spk", r"utt2spk:1: spk_a: speaker '\.\./spk' is no id"),
        ("wav.scp", "../../x /tmp/x.wav", r"wav.scp:1: '\.\./\.\./x' is no id"),
        ("wav.scp", "spk_a /tmp/\0.wav", "wav.scp:1: NUL character"),
        ("segments", "spk_a /tmp/song 0 1", "segments:1: '/tmp/song' is no id"),
        ("segments", "spk_a spk_a 0 inf", "segments:1: malformed line"),
        ("score", 'spk_a {"notes": ' + "[" * 100_000, "score: spk_a: not a score in JSON"),
        ("score", 'spk_a {"notes": [{"start": 0, "end": 1, "pitch": 1e999}]}', "score: spk_a: not a score"),
        ("score", 'spk_a {"notes": [{"start": 0, "end": 1, "pitch": 1e99}]}', "note 1: pitch is too large"),
        ("score", 'spk_a {"notes": [{"start": 0, "end": NaN, "pitch": 60}]}', "note 1: end is not finite"),
        (
            "score",
            'spk_a {"notes": [{"start": 0, "end": 1, "pitch": 128}]}',
            "note 1 has pitch 128, 0 to 127",
        ),
    ],
)
def test_read_names_file_and_line(tmp_path, name, line, message):
    data = make(tmp_path).write()
    (data.path / name).write_bytes((line + "\n").encode())
    with pytest.raises(DataError, match=message):
        DataDir.read(data.path)


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "score", "label.ctm", "audio"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, name):
    data = make(tmp_path).write()
    path = data.wavs["spk_a"] if name == "audio" else data.path / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=f"{path.name}: .*is not a regular file"):
        read = DataDir.read(data.path)
        read.duration("spk_a")
    if name == "audio":
        with pytest.raises(DataError, match="spk_a.wav: is not a regular file"):
            read.audio("spk_a")
    assert any("not a regular file" in fault.what for fault in validate(data.path))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such data dir"):
        DataDir.read(tmp_path / "nowhere")


def test_song_of():
    assert song_of("spk_004_012") == "spk_004"


def test_a_recipe_may_be_moved(tmp_path, monkeypatch):
    here, there, elsewhere = (tmp_path / name for name in ("my recipe", "moved to", "corpora"))
    wavs = {"a": here / "downloads" / "a.wav", "b": elsewhere / "b.wav"}
    for path in wavs.values():
        path.parent.mkdir(parents=True)
        soundfile.write(str(path), np.full(800, 0.1), 8000)
    monkeypatch.chdir(here)
    DataDir(here / "data", wavs, dict.fromkeys(wavs, "x")).write()
    assert (here / "data" / "wav.scp").read_text() == f"a downloads/a.wav\nb {elsewhere / 'b.wav'}\n"
    here.rename(there)
    monkeypatch.chdir(there)
    data = DataDir.read("data")
    assert [len(data.audio(utt)[0]) for utt in "ab"] == [800, 800]
