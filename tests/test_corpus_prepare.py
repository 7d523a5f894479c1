"""Songs become sets of phrases in little memory."""

import tracemalloc

import numpy as np
import soundfile

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.prepare import finish
from nnsvs_lite.io import packed
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.packed import Packed
from nnsvs_lite.score.types import Note, Score


def peak(folder, count: int) -> int:
    """Bytes that are held at once at most where so many songs are read and made to phrases, two of each."""
    places = [0.0, 0.3, 3.0, 3.6, 6.0, 6.3]
    phones = ["pau", "a", "pau", "a", "pau"]
    notes = [
        Note(start, end, 0 if phone == "pau" else 60, "" if phone == "pau" else phone, (phone,))
        for start, end, phone in zip(places, places[1:], phones)
    ]
    labels = [Segment(*row) for row in zip(places, places[1:], phones)]
    tracemalloc.start()
    songs = DataDir(path=folder, wavs=Packed(), utt2spk={})
    for number in range(count):
        utt = f"singer_{number:05d}"
        songs.wavs[utt] = folder / "song.wav"
        songs.put(utt, "singer", Score(tuple(notes)), labels)
    made = finish(songs, folder / str(count), eval_songs=["singer_00000"], dev_songs=["singer_00001"])
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for name, phrases in (("train", 2 * count - 4), ("dev", 2), ("eval", 2)):
        written = DataDir.read(folder / str(count) / name)
        assert len(made[name].utts) == len(written.labels) == phrases
        assert made[name].wavs == written.wavs and len(written.wavs) == phrases // 2
    return held


def test_an_utterance_takes_few_bytes_while_songs_become_sets(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "ROOM", 1 << 10)
    soundfile.write(tmp_path / "song.wav", np.zeros(6300), 1000)
    few, many = (peak(tmp_path, count) for count in (100, 500))
    # Of ids, their places in tables, and no more: notes and labels of one are some kilobytes.
    assert (many - few) / 800 < 750
