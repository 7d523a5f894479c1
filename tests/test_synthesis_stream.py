"""Singing that is heard while it is made is the singing."""

import io
import sys

import numpy as np
import pytest
import soundfile
from contributing import installed
from models_common import shaken
from scorexml import song as song_xml
from scorexml import write

from nnsvs_lite.bin.main import main
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.joining import FADE, Sounding, join, joined
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.streaming import write_stream

RATE = 8000


def cut(x: np.ndarray, *places: int):
    """The parts of a waveform between places."""
    yield from np.split(x, places)


@pytest.mark.parametrize("length", [40, 2000, 9000, 30000])
def test_phrases_in_parts_are_the_song(length):
    rng = np.random.default_rng(0)

    def phrase(n: int) -> np.ndarray:
        envelope = np.clip(np.minimum(np.arange(n), n - np.arange(n)) / (0.2 * RATE) - 1, 1e-4, 1)
        return rng.normal(0, 0.1, n) * envelope

    waves = [(0.25, phrase(length)), (0.25 + length / RATE - 0.02, phrase(5000)), (9.0, phrase(777))]
    whole = join(waves, RATE, duration=11.0)
    for step in (1500, 7, 123456)[:: 1 if length < 3000 else 2]:
        parts = [Sounding(at, len(x), cut(x, *range(step, len(x), step))) for at, x in waves]
        made = [*joined(parts, RATE, 11.0)]
        np.testing.assert_array_equal(np.concatenate(made), whole)
    assert all(len(part) for part in made)


def test_the_first_part_is_given_away_before_the_last_is_made():
    asked = []

    def parts():
        for k in range(10):
            asked.append(k)
            yield np.full(RATE, 0.1)

    stream = joined([Sounding(0.0, 10 * RATE, parts())], RATE)
    first = next(stream)
    # A second and 0.4 s are looked at for a rest, 0.3 s may be the last ones.
    assert len(first) >= RATE and asked[-1] <= 2
    assert first[: round(FADE * RATE)].max() < 0.1 and first[-1] == 0.1
    assert len(first) + sum(map(len, stream)) == 10 * RATE


def song() -> Score:
    """Two phrases with a long rest between."""
    notes, at = [Note(0.0, 0.5, 0, beats=1.0)], 0.5
    for k in range(8):
        notes.append(Note(at, at + 0.5, 60 + k, "さくらの"[k % 4], beats=1.0))
        at += 0.5
        if k == 3:
            notes.append(Note(at, at + 1.5, 0, beats=3.0))
            at += 1.5
    return attach_phones(Score((*notes, Note(at, at + 0.5, 0, beats=1.0))))


@pytest.fixture(scope="module")
def singer(toy_voice):
    voice = Singer.load(toy_voice)
    with installed("A vocoder") as module:
        vocoder = shaken(module.SineFilter(voice.spec, channels=4).eval(), 0.3)
        yield Singer(voice.timelag, voice.duration, voice.acoustic, vocoder)


def test_a_stream_is_the_song(singer):
    options = {"seed": 4, "transpose": -2, "vibrato": 1.5, "retake": [((2, 3), 7)]}
    whole = singer.sing(song(), **options).waveform
    size, parts = singer.stream(song(), seconds=0.2, **options)
    parts = [*parts]
    made = np.concatenate(parts)
    assert size == len(whole) == len(made) and len(parts) > 8
    assert np.abs(made - whole).max() < 1e-3 * np.abs(whole).max()


def test_a_stream_with_noise_in_it_is_the_song(toy_voice):
    voice = Singer.load(toy_voice, vocoder="hn")
    assert voice.vocoder.reach is not None
    whole = voice.sing(song(), seed=4).waveform
    _, parts = voice.stream(song(), seed=4, seconds=0.2)
    assert np.abs(np.concatenate([*parts]) - whole).max() < 1e-3 * np.abs(whole).max()


def test_phrases_are_sung_when_they_are_due(singer, monkeypatch):
    sung = []
    real = Singer.phrases
    monkeypatch.setattr(
        Singer, "phrases", lambda self, plan, n, *a: sung.append(n) or real(self, plan, n, *a)
    )
    _, parts = singer.stream(song(), seconds=0.2)
    assert sung == []
    next(parts)
    next(parts)
    assert sung == [[0]]
    assert sum(map(len, parts)) > 0 and sung == [[0], [1]]


class Stdout:
    """Standard output, as bytes."""

    def __init__(self):
        self.buffer = io.BytesIO()

    def flush(self):
        pass


@pytest.mark.parametrize("name", ["a.wav", "a.raw", "-"])
def test_the_command_writes_while_it_sings(toy_voice, tmp_path, name, monkeypatch, capsys):
    score = write(tmp_path, song_xml("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2"))
    out = tmp_path / name if name != "-" else name
    stdout = Stdout()
    if name == "-":
        monkeypatch.setattr(sys, "stdout", stdout)
    words = ["sing", str(score), "--model", str(toy_voice), "-o", str(out), "--stream"]
    assert main(words) == 0
    monkeypatch.undo()
    data = stdout.buffer.getvalue() if name == "-" else out.read_bytes()
    if name == "a.raw":
        made = np.frombuffer(data, "<i2")
        rate = 24000
    else:
        made, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    whole = Singer.load(toy_voice).sing(score).waveform
    assert rate == 24000
    np.testing.assert_array_equal(made, np.round(np.clip(whole, -1, 1) * 32767).astype(np.int16))
    captured = capsys.readouterr()
    assert f"{out}: " in (captured.err if name == "-" else captured.out)


def test_what_is_too_loud_is_clipped_and_told(tmp_path):
    parts = [np.array([0.0, 0.5]), np.array([1.5, -2.0, -1.0])]
    assert write_stream(tmp_path / "a.wav", 5, iter(parts), 16000) == 2
    x, rate = soundfile.read(str(tmp_path / "a.wav"), dtype="int16")
    assert rate == 16000 and x.tolist() == [0, 16384, 32767, -32767, -32767]


def test_what_cannot_be_streamed_is_refused(tmp_path, capfd):
    with pytest.raises(DataError, match=r"a.flac: a stream is written to \*.wav, \*.raw or -"):
        write_stream(tmp_path / "a.flac", 1, [], 16000)
    words = ["sing", "song.ust", "--model", "voice", "-o", str(tmp_path / "a.wav"), "--stream"]
    assert main([*words, "--tables", str(tmp_path)]) == 1
    assert "--tables and --write are of a whole song" in capfd.readouterr().err
