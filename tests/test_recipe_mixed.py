"""Two corpora in two languages become one voice that sings both, by one command."""

import os
import subprocess
from pathlib import Path

import corpora_trees
import numpy as np
import pytest
import soundfile
from corpora_tunes import musicxml, sung
from formant_singer import sing
from models_common import ROOT

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.f0 import hz_to_midi, track
from nnsvs_lite.io.ctm import read_ctm
from nnsvs_lite.io.tables import read_table
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.types import Score

EXP = "exp/acoustic_resf0_conv_world_24k"
MIXTURE = """phones: shared
corpora:
  kiritan: {db_root: ja}
  opencpop: {db_root: zh, singer: ling}
"""
PITCHES = ["C4", "E4", "G4", "A4", "G4", "E4", "D4", "C4"]
WORDS = {"ja": "か い そ な は ま い ら", "zh": "jiu qi wo lan mei yao qi zhang"}


def copy_of_recipe(folder: Path) -> Path:
    """The recipe's folder, of which all that is written lies in ``folder``."""
    recipe = folder / "egs" / "mixed" / "svs1"
    recipe.mkdir(parents=True)
    for path in (ROOT / "egs" / "mixed" / "svs1").iterdir():
        if path.name in ("run.sh", "local", "svs.sh", "path.sh", "cmd.sh", "utils", "conf"):
            (recipe / path.name).symlink_to(path)
    # The script goes to its own folder, which is to be this one.
    (recipe / "run.sh").unlink()
    (recipe / "run.sh").write_text((ROOT / "egs" / "mixed" / "svs1" / "run.sh").read_text())
    (recipe / "run.sh").chmod(0o755)
    return recipe


def run(recipe: Path, *options: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    command = ["./run.sh", *options]
    return subprocess.run(command, cwd=recipe, env=environment, text=True, capture_output=True, timeout=900)


def test_without_a_mixture_it_says_what_is_needed(tmp_path):
    recipe = copy_of_recipe(tmp_path)
    done = run(recipe, "--stage", "0", "--stop-stage", "0")
    assert done.returncode == 1
    assert f"there is no {recipe}/mixture.yaml: write one (README.md shows how)" in done.stderr + done.stdout
    done = run(recipe, "--mixture")
    assert (done.returncode, done.stderr) == (1, "run.sh: error: option '--mixture' needs a value\n")


@pytest.mark.slow
def test_one_voice_sings_the_same_tune_in_both_languages(tmp_path, monkeypatch, capsys):
    def of_score(score: Score, rate: int, late: float = 0.02) -> np.ndarray:
        pitches = [score.notes[note].pitch for note in score.note_index]
        rows = [(r.label, r.start, r.end, pitch) for r, pitch in zip(sung(score, late), pitches)]
        return sing(rows, score.lang, rate, score.duration + 0.1)

    def of_rows(rows, rate: int, numbers) -> np.ndarray:
        ends = np.cumsum([row[1] for row in rows])
        told = [(row[0], end - row[1], end, numbers(row[2])) for row, end in zip(rows, ends)]
        return sing(told, "zh", rate, ends[-1] + 0.01)

    monkeypatch.setattr(corpora_trees, "audio", of_score)
    monkeypatch.setattr(corpora_trees, "tones_of", of_rows)
    corpora_trees.make("kiritan", tmp_path / "ja")
    corpora_trees.make("opencpop", tmp_path / "zh")
    (tmp_path / "two.yaml").write_text(MIXTURE)
    recipe = copy_of_recipe(tmp_path)
    brief = "--training.epochs 4 --training.min_steps 0"
    options = [f"--acoustic-args={brief}", "--results-md=RESULTS.md"]
    done = run(recipe, "--mixture", "../../../two.yaml", "--stop-stage", "6", *options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "opencpop: ling in zh: train 0.1 min" in done.stdout
    table = (recipe / "RESULTS.md").read_text()
    assert "| model | kiritan | ja |" in table and "| model | ling | zh |" in table

    scores = {}
    for lang, words in WORDS.items():
        notes = [(pitch, 1.0, word) for pitch, word in zip(PITCHES, words.split())]
        scores[lang] = tmp_path / f"{lang}.musicxml"
        scores[lang].write_text(musicxml([("r", 2.0, ""), *notes, ("r", 2.0, "")]))
    voice = str(tmp_path / "two.nnsvs")
    assert main(["pack", str(recipe / EXP), "-o", voice]) == 0
    assert main(["pack", "--show", voice]) == 0
    told = capsys.readouterr().out
    assert "ja, zh" in told and "kiritan, ling" in told
    for lang, path in scores.items():
        score = read_score(path, lang=lang)
        for singer in ("kiritan", "ling"):
            # Each of them never sang one of the languages.
            wav, tables = tmp_path / f"{lang}_{singer}.wav", tmp_path / f"{lang}_{singer}"
            words = ["--model", voice, "--lang", lang, "--singer", singer, "--tables", str(tables)]
            assert main(["sing", str(path), *words, "-o", str(wav)]) == 0
            (rows,) = read_ctm(tables / "pred.ctm").values()
            assert [row.label for row in rows] == score.phones
            assert set(read_table(tables / "utt2spk").values()) == {singer}
            check_sound(wav, score)
    for path, lang, said in (
        (scores["ja"], "zh", "cannot read lyric 'か'"),
        (scores["ja"], "en", "the score is in 'en', the voice sings 'ja', 'zh'"),
        (scores["ja"], "xx", "the score is in 'xx', the voice sings 'ja', 'zh'"),
    ):
        capsys.readouterr()
        assert main(["sing", str(path), "--model", voice, "--lang", lang, "-o", str(tmp_path / "x.wav")]) == 1
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert main(["card", str(recipe / EXP), "-o", str(tmp_path / "card.html")]) == 0
    assert main(["compare", str(recipe / EXP), "-o", str(tmp_path / "compare.html")]) == 0


def check_sound(wav: Path, score: Score) -> None:
    """In tune on every note; an i is bright and an o is dark, in either language."""
    x, rate = soundfile.read(wav)
    assert rate == 24000 and 0.05 < np.abs(x).max() < 1
    config = FeatureConfig.read(ROOT / "conf" / "features" / "world_24k.yaml")
    midi = hz_to_midi(track(x, config, config.n_frames(len(x)), 120, 600))
    for note in score.notes:
        if note.is_rest:
            continue
        middle = [round((note.start + part * note.duration) / config.frame_shift) for part in (0.3, 0.8)]
        off = np.median(midi[slice(*middle)]) - note.pitch
        assert abs(off) < 0.2, (wav.name, note.lyric, off)
        if note.phones[-1] in "io":
            first, last = (round(frame * config.frame_shift * rate) for frame in middle)
            power = np.abs(np.fft.rfft(x[first:last] * np.hanning(last - first))) ** 2
            hertz = np.fft.rfftfreq(last - first, 1 / rate)
            bright, dark = (power[(hertz > a) & (hertz < b)].sum() for a, b in ((1800, 2700), (550, 1200)))
            assert (bright > dark) == (note.phones[-1] == "i"), (wav.name, note.lyric, bright, dark)
