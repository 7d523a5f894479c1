"""A folder of recordings becomes a voice that sings in tune, by one command."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from models_common import ROOT
from recordings_common import make_song, ust_of, write_song

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.f0 import hz_to_midi, track
from nnsvs_lite.score.formats.readers import read_score

RUN = ROOT / "egs" / "myvoice" / "svs1" / "run.sh"
EXP = "acoustic_resf0_conv_world_24k"


def run(folder: Path, *options: str, here: Path = ROOT) -> subprocess.CompletedProcess:
    """The recipe with all that it writes in ``folder``."""
    places = [f"--{kind}dir={folder / kind}" for kind in ("data", "dump", "exp", "log")]
    drafts = f"--local-data-opts=--drafts {folder / 'drafts'}"
    words = ["--results-md", str(folder / "RESULTS.md"), "--nj", "1", drafts]
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    command = [RUN, *places, *words, *options]
    return subprocess.run(command, cwd=here, env=environment, text=True, capture_output=True, timeout=600)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--db-root", "nowhere"], "nowhere: no such folder; --db-root names one with your recordings"),
        (["--lang"], "option '--lang' needs a value"),
        (["--lang", "ja", "--speaker=a b"], "--speaker is made of letters"),
        (["--lang", "ja", "--stages", "0"], "unknown option '--stages'"),
    ],
)
def test_wrong_options_are_refused_in_a_line(tmp_path, options, said):
    done = run(tmp_path, *options)
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_songs_become_a_voice_that_sings_in_tune(tmp_path):
    """A folder named from where one stands, with a blank in it; one song late, stereo and an octave low."""
    folder = tmp_path / "my songs"
    one, two = make_song(21), make_song(22)
    write_song(folder, "one", one)
    late = np.r_[np.zeros(16000), two.audio]
    write_song(folder, "two", two, suffix=".flac", audio=np.c_[late, late], ust=ust_of(two.score, 12))
    (folder / "three.wav").write_bytes(b"")
    few = ["--features-config", "world_24k", "--acoustic-args", "--training.epochs 2 --model.hidden 16"]
    few += [
        f"--{family}-args=--training.epochs 2 --training.min_steps 0" for family in ("timelag", "duration")
    ]
    out = tmp_path / "out"
    done = run(out, "--db-root", "my songs", "--lang", "ja", "--speaker", "mei", *few, here=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "2 of 3 recordings can be used" in done.stdout and "three.wav: an empty file" in done.stdout
    assert "-12 semitones" in done.stdout and "s from its score, which was moved" in done.stdout
    for set_name in ("train", "dev", "eval"):
        assert (out / "data" / set_name / "align.ctm").stat().st_size
    assert (out / "RESULTS.md").is_file() and (out / "data" / "recordings.html").is_file()

    song = tmp_path / "new_song.ust"
    song.write_bytes(ust_of(make_song(23, phrases=2).score))
    voice, sung = str(out / "exp" / EXP), tmp_path / "new_song.wav"
    assert main(["sing", str(song), "--model", voice, "-o", str(sung)]) == 0
    x, rate = soundfile.read(sung)
    config = FeatureConfig(rate, 0.005)
    f0 = track(x, config, config.n_frames(len(x)), 70.0, 900.0)
    apart = []
    for note in read_score(song).notes:
        held = f0[round((note.start + 0.4 * note.duration) / 0.005) : round((note.end - 0.05) / 0.005)]
        if not note.is_rest and (held > 0).any():
            apart.append(abs(float(np.median(hz_to_midi(held[held > 0]))) - note.pitch))
    assert len(apart) >= 10 and np.median(apart) < 0.25, apart
    assert main(["card", voice]) == 0 and "mei" in (out / "exp" / EXP / "card.html").read_text()

    again = run(out, "--db-root", "my songs", "--lang", "ja", "--speaker", "mei", *few, here=tmp_path)
    assert again.returncode == 0, again.stderr
    # Stages that train say so; none does.
    assert "epoch 1 of" not in again.stdout and "up to date" in again.stdout
