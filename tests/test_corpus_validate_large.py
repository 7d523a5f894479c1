"""A large data dir is checked whole, and only by the headers of its audio."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

COUNT = 10_000
NOTES = 15


def phrase(random_: random.Random) -> tuple[Score, list[Segment]]:
    """Ten seconds of random kana and pitches, about 30 phones."""
    kana = (
        "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわんがぎぐげご"
    )
    notes = [Note(0, 0.5, 0)]
    for i in range(NOTES):
        start = 0.5 + 0.6 * i
        notes.append(Note(start, start + 0.6, random_.randrange(55, 80), lyric=random_.choice(kana)))
    notes.append(Note(notes[-1].end, 10.0, 0))
    score = attach_phones(Score(tuple(notes)))
    labels, start = [], 0.0
    for note in score.notes:
        for k, phone in enumerate(note.phones, start=1):
            end = note.start + note.duration * k / len(note.phones)
            labels.append(Segment(start, end, phone))
            start = end
    return score, labels


@pytest.mark.slow
def test_ten_thousand_utterances(tmp_path: Path, capsys):
    one = tmp_path / "one.wav"
    soundfile.write(one, np.zeros(480000), 48000)
    header, size = one.read_bytes()[:44], one.stat().st_size
    data = DataDir(path=tmp_path / "data", wavs={}, utt2spk={})
    random_ = random.Random(0)
    (tmp_path / "wav").mkdir()
    for i in range(COUNT):
        utt = f"spk_{i:05d}"
        data.wavs[utt] = tmp_path / "wav" / f"{utt}.wav"
        with open(data.wavs[utt], "wb") as file:
            file.write(header)
            file.truncate(size)  # a hole: it takes no room on the disk
        data.scores[utt], data.labels[utt] = phrase(random_)
        data.text[utt] = data.scores[utt].lyrics
        data.utt2spk[utt], data.utt2lang[utt] = "spk", "ja"
    data.write()
    started, computed = time.perf_counter(), time.process_time()
    assert validate(data.path) == []
    wall, cpu = time.perf_counter() - started, time.process_time() - computed
    with capsys.disabled():
        print(f"\n{COUNT} utterances of {NOTES + 2} notes: {wall:.1f} s, {cpu:.1f} s of one core")
    data.wavs["spk_09999"].unlink()
    (fault,) = validate(data.path)
    assert fault.line == COUNT and "no such file" in fault.what
