"""``nnsvs-lite sing``, ``decode`` and ``vocode`` with input that cannot be used.

Always exit status 1, one line that says what and where, and no file half made.
"""

import os
import shutil
from pathlib import Path

import pytest
from scorexml import song, write

from nnsvs_lite.bin.main import main
from nnsvs_lite.models.pack import assemble

GOOD = song("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2")


@pytest.fixture
def voice(toy_exps, tmp_path) -> Path:
    """A folder that sings."""
    folder = shutil.copytree(toy_exps["acoustic"], tmp_path / "voice")
    assemble(folder, **{family: toy_exps[family] / "model.pt" for family in ("timelag", "duration")})
    return folder


@pytest.fixture
def score(tmp_path) -> Path:
    return write(tmp_path, GOOD)


def fails(capfd, *words: object) -> str:
    """Runs a command that must fail as failures should; returns what it said."""
    capfd.readouterr()
    assert main([str(word) for word in words]) == 1
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and said.endswith("\n"), said
    assert said.startswith(f"nnsvs-lite {words[0]}: error: ") and "Traceback" not in said
    return said


def sing_fails(capfd, tmp_path: Path, score: Path, voice: Path, *more: str) -> str:
    said = fails(capfd, "sing", score, "--model", voice, "-o", tmp_path / "out" / "song.wav", *more)
    out = tmp_path / "out"
    assert not out.exists() or not list(out.iterdir())
    return said


def test_a_good_score_sings(voice, score, tmp_path, capfd):
    assert main(["sing", str(score), "--model", str(voice), "-o", str(tmp_path / "a.wav")]) == 0
    assert main(["sing", str(score), "--model", str(voice), "-o", str(tmp_path / "b.wav")]) == 0
    said = capfd.readouterr()
    assert said.out.splitlines()[0] == f"{tmp_path / 'a.wav'}: 4.0 s"
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"not a score", b"<score-partwise/>", GOOD.encode()[:400], b"\xff\xfe\x00\x01" * 50],
    ids=["empty", "newline", "text", "no-parts", "truncated", "binary"],
)
def test_files_that_are_no_score(content, voice, tmp_path, capfd):
    path = tmp_path / "bad.musicxml"
    path.write_bytes(content)
    assert "bad.musicxml" in sing_fails(capfd, tmp_path, path, voice)


def test_paths_that_are_no_score(voice, tmp_path, capfd):
    assert "nowhere.musicxml: " in sing_fails(capfd, tmp_path, tmp_path / "nowhere.musicxml", voice)
    sing_fails(capfd, tmp_path, tmp_path, voice)
    (tmp_path / "song.txt").write_text("la la")
    assert "song.txt" in sing_fails(capfd, tmp_path, tmp_path / "song.txt", voice)


@pytest.mark.parametrize("lyric", ["Привет", "שלום", "さж"])
def test_lyrics_that_cannot_be_read_name_the_measure(lyric, voice, tmp_path, capfd):
    path = write(tmp_path, song("C4 2 さ, D4 2 く", f"E4 4 {lyric}"))
    said = sing_fails(capfd, tmp_path, path, voice)
    assert lyric in said and "measure 2" in said


def test_a_score_without_lyrics_or_without_notes(voice, tmp_path, capfd):
    sing_fails(capfd, tmp_path, write(tmp_path, song("C4 2, D4 2")), voice)
    sing_fails(capfd, tmp_path, write(tmp_path, song("r 4")), voice)


def test_folders_that_are_no_voice(score, voice, tmp_path, capfd):
    assert "no such folder" in sing_fails(capfd, tmp_path, score, tmp_path / "nowhere")
    assert "not a packed voice" in sing_fails(capfd, tmp_path, score, voice / "model.pt")
    assert "not a packed voice" in sing_fails(capfd, tmp_path, score, score)
    (tmp_path / "empty").mkdir()
    assert "run the recipe to stage 5" in sing_fails(capfd, tmp_path, score, tmp_path / "empty")


@pytest.mark.parametrize("name", ["model.pt", "timelag.pt", "duration.pt"])
@pytest.mark.parametrize("damage", ["empty", "text", "half"])
def test_corrupt_checkpoints_are_named(name, damage, score, voice, tmp_path, capfd):
    data = (voice / name).read_bytes()
    (voice / name).write_bytes({"empty": b"", "text": b"hello\n", "half": data[: len(data) // 2]}[damage])
    assert f"voice/{name}" in sing_fails(capfd, tmp_path, score, voice)


def test_checkpoints_in_the_wrong_place_are_named(score, voice, tmp_path, capfd):
    shutil.copy(voice / "duration.pt", voice / "timelag.pt")
    said = sing_fails(capfd, tmp_path, score, voice)
    assert "timelag.pt: holds a duration model, a timelag model is needed" in said


@pytest.mark.parametrize(
    "more, message",
    [
        (["--tempo", "0"], "tempo factor 0 is out of 0.25..4"),
        (["--tempo", "fast"], "invalid float value"),
        (["--transpose", "99"], "out of 24..108"),
        (["--part", "9"], "part"),
        (["--verse", "9"], "verse"),
        (["--timing", "nan"], "timing nan is out of 0..2"),
        (["--seed", "-1"], "must be a whole number within 0..4294967295"),
        (["--seed", "9" * 30], "must be a whole number within 0..4294967295"),
        (["--vibrato", "-1"], "vibrato -1 is out of 0..3"),
        (["--vibrato-depth", "-5"], "vibrato depth -5 is out of 0..200"),
        (["--vibrato-rate", "60"], "vibrato rate 60 is out of 4..8"),
        (["--vibrato-delay", "soon"], "invalid float value"),
        (["--pitch-deviation", "inf"], "pitch deviation inf is out of 0..2"),
        (["--breathiness", "99"], "breathiness 99 is out of -20..20"),
        (["--gender", "0"], "gender 0 is out of 0.7..1.4"),
        (["--singer", "tou"], "no singer 'tou' in this voice (did you mean 'toy'?); it knows: toy"),
        (["--singer", "1"], "no singer '1' in this voice"),
        (["--label", "nowhere.lab"], "nowhere.lab: no such file"),
        (["--label", "song.wav"], "no reader for labels named *.wav; known: .lab, .txt, .ctm, .textgrid"),
        (["--device", "gpu9"], "device"),
        (["--spead", "2"], "unknown option '--spead' (did you mean '--seed'?)"),
    ],
)
def test_options_that_cannot_be_meant(more, message, score, voice, tmp_path, capfd):
    assert message in sing_fails(capfd, tmp_path, score, voice, *more)


def test_a_full_disk_leaves_nothing(score, voice, tmp_path, capfd, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert "song.wav: the disk is full" in sing_fails(capfd, tmp_path, score, voice)

    def part(self, data):
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        full()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", part)
        assert "song.wav: the disk is full" in sing_fails(capfd, tmp_path, score, voice)


def test_places_where_nothing_can_be_written(score, voice, tmp_path, capfd):
    (tmp_path / "folder.wav").mkdir()
    assert "is a folder" in fails(capfd, "sing", score, "--model", voice, "-o", tmp_path / "folder.wav")
    assert not list((tmp_path / "folder.wav").iterdir())
    said = fails(capfd, "sing", score, "--model", voice, "-o", score / "song.wav")
    assert "a part of this path is a file" in said


def test_audio_formats_are_told_by_the_suffix(score, voice, tmp_path, capfd):
    said = fails(capfd, "sing", score, "--model", tmp_path / "nowhere", "-o", tmp_path / "song.mp3")
    assert "song.mp3: no audio format named *.mp3; known: .wav, .flac" in said
    said = fails(capfd, "sing", score, "--model", voice, "-o", tmp_path / "song")
    assert "song: no audio format without a suffix; known: .wav, .flac" in said


def test_an_old_waveform_stays_when_singing_fails(score, voice, tmp_path, capfd):
    (tmp_path / "song.wav").write_bytes(b"old")
    fails(capfd, "sing", score, "--model", voice, "-o", tmp_path / "song.wav", "--tempo", "9")
    assert (tmp_path / "song.wav").read_bytes() == b"old"


def test_decode_and_vocode_and_train_say_what_is_missing(toy_dump, toy_exps, tmp_path, capfd):
    # Stages print a header; what went wrong is still one line.
    out = tmp_path / "out"
    models = [word for family, path in toy_exps.items() for word in (f"--{family}", path)]
    said = fails(capfd, "decode", "--dump", toy_dump, "--set", "none", "--out", out, *models)
    assert "none" in said
    said = fails(capfd, "decode", "--dump", tmp_path, "--set", "eval", "--out", out, *models)
    assert "schema.json: no such file" in said
    assert "--timelag is needed" in fails(capfd, "decode", "--dump", toy_dump, "--set", "eval", "--out", out)
    assert "no such file" in fails(capfd, "vocode", "--decode-dir", tmp_path / "none")
    conf = Path(__file__).parents[1] / "conf" / "timelag" / "mdn.yaml"
    common = ["--dump", toy_dump, "--out", out]
    assert "none.yaml" in fails(capfd, "train", "--config", tmp_path / "none.yaml", *common)
    said = fails(capfd, "train", "--config", conf, *common, "--model.hiden", "3")
    assert "did you mean 'hidden'" in said
    said = fails(capfd, "train", "--config", conf, *common, "--model.kernel=4")
    assert "kernel" in said
    said = fails(capfd, "train", "--config", conf, *common, "--training.precision=9-bit")
    assert "precision" in said
    said = fails(capfd, "train", "--config", conf, *common, "--ngpu", "99")
    assert "--ngpu 99: there are" in said
    assert not out.exists()
