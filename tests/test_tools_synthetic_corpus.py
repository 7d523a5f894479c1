"""The corpus of repeated recordings is a corpus: its scores, labels and sound agree, whatever its size."""

import sys

import numpy as np
from models_common import ROOT

from nnsvs_lite.corpora import demo
from nnsvs_lite.corpus.check_sound import listen
from nnsvs_lite.corpus.validate import validate

sys.path.insert(0, str(ROOT / "tools"))
import synthetic_corpus


def test_many_songs_of_few_recordings_are_prepared_and_sung_as_written(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_corpus, "KEYS", range(2))
    synthetic_corpus.write_corpus(tmp_path / "corpus", 10)
    wavs = sorted((tmp_path / "corpus" / "wav").iterdir())
    assert len(wavs) == 10 and len({wav.stat().st_ino for wav in wavs}) == 2
    sets = demo.prepare(tmp_path / "corpus", tmp_path / "data")
    assert {name: len(data.utts) for name, data in sets.items()} == {"train": 16, "dev": 2, "eval": 2}
    for data in sets.values():
        assert not validate(data.path)
    # Heard in tune with its own score and not with that of the other key.
    train = sets["train"]
    low, high = train.utts[0], train.utts[2]
    assert not listen(train, low).faults and not listen(train, high).faults
    pitch = [np.array([n.pitch for n in train.scores[utt].notes if not n.is_rest]) for utt in (low, high)]
    assert (pitch[1] - pitch[0] == 1).all()
    train.scores[low] = train.scores[high]
    assert listen(train, low).faults == {"another pitch": "sung -1.0 semitones from the score"}
