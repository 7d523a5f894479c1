"""Songs without labels: the score moved to where it is sung."""

import dataclasses

import numpy as np
import pytest
import soundfile
from align_corpus import RATE, make_corpus, random_score, sing
from scorexml import contiguous

from nnsvs_lite.align.sync import Sync, move_score, move_scores
from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.errors import DataError


def test_times_rests_and_tempo_follow():
    score = random_score(np.random.default_rng(0), notes=3)
    moved = move_score(score, Sync(offset=1.0, stretch=1.02), 6.0)
    assert contiguous(moved.notes) and moved.notes[0].start == 0.0 and moved.notes[-1].end == 6.0
    assert moved.notes[1].start == pytest.approx(1.0 + 1.02 * score.notes[1].start)
    assert moved.notes[1].tempo == pytest.approx(score.notes[1].tempo / 1.02, abs=1e-3)
    assert moved.phones == score.phones
    with pytest.raises(DataError, match="moved by -1.00 s, is sung from -0.60"):
        move_score(score, Sync(offset=-1.0), 6.0)


def test_a_song_that_begins_later_than_its_score(tmp_path, capsys):
    data = make_corpus(tmp_path / "data", 1, notes=14)
    audio, _ = sing(data.scores["toy_000"], np.random.default_rng(1))
    soundfile.write(data.wavs["toy_000"], np.concatenate([np.zeros(round(1.5 * RATE)), audio]), RATE)
    with pytest.raises(DataError, match="has labels"):
        move_scores(data)
    data = dataclasses.replace(data, labels={}).write(tmp_path / "plain")
    assert main(["data", "sync", str(tmp_path / "plain"), str(tmp_path / "moved")]) == 0
    assert float(capsys.readouterr().out.split()[1]) == pytest.approx(1.5, abs=0.06)
    before, after = data.scores["toy_000"], DataDir.read(tmp_path / "moved").scores["toy_000"]
    assert after.notes[1].start - before.notes[1].start == pytest.approx(1.5, abs=0.06)


def test_another_song_is_refused(tmp_path):
    data = make_corpus(tmp_path / "data", 1, notes=10)
    rng = np.random.default_rng(2)
    soundfile.write(data.wavs["toy_000"], 0.1 * rng.standard_normal(5 * RATE), RATE)
    with pytest.raises(DataError, match="does not sound like the score"):
        move_scores(dataclasses.replace(data, labels={}))
