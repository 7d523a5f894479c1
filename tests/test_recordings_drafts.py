"""Notes from recordings: tempo and bars, files that people mend, the command, and figures on real singing."""

import csv
import dataclasses

import numpy as np
import pytest
from align_corpus import RATE
from recordings_common import make_song, write_song

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.f0 import midi_to_hz
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.recordings.drafts import mended_drafts, write_drafts
from nnsvs_lite.recordings.engrave import engrave, find_tempo
from nnsvs_lite.recordings.gather import gather
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.formats.write_ust import ust
from nnsvs_lite.score.song import Song
from nnsvs_lite.score.timeline import Metre, Timeline
from nnsvs_lite.score.types import Note, Score
from nnsvs_lite.virtual.demo import make_demo_corpus

RHYTHM = [1, 1, 0.5, 0.5, 1, 1, 1, 2, 1, 0.5, 0.5, 1, 1, 1.5, 0.5, 2]


def song_at(tempo: float, late: float = 0.0, spread: float = 0.0, bars: int = 3) -> Score:
    """A tune of quarters and eighths, sung ``late`` seconds late with a spread of its onsets."""
    rng, at = np.random.default_rng(3), 0.0
    starts = []
    for beats in RHYTHM * bars:
        starts.append(at * 60 / tempo + late + float(rng.normal(0, spread)))
        at += beats
    starts.append(at * 60 / tempo + late)
    notes = [Note(0.0, round(starts[0], 4), 0, "", ("pau",))] if starts[0] > 0 else []
    for k, (a, b) in enumerate(zip(starts, starts[1:])):
        notes.append(Note(round(a, 4), round(b, 4), 60 + (k * 5) % 12, "ら", ("r", "a")))
    return Score(tuple(notes))


@pytest.mark.parametrize("tempo", [66.0, 84.0, 100.0, 133.0])
@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_tempo_and_beat_are_found(tempo, spread):
    score = song_at(tempo, late=0.37, spread=spread)
    onsets = [note.start for note in score.notes if not note.is_rest]
    found, beat = find_tempo(onsets)
    # Nothing tells eighths from quarters at twice the tempo.
    assert min(abs(found / tempo - factor) for factor in (1, 2)) < 0.01
    away = (beat - 0.37) * found / 60
    assert abs(away - round(away)) < 0.1


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_notes_have_the_lengths_that_were_written(spread):
    written = engrave(song_at(96.0, late=1.3, spread=spread))
    sung = [note for note in written.notes if not note.is_rest]
    assert [note.beats for note in sung] == RHYTHM * 3 and written.notes[0].tempo == 96.0
    assert [note.pitch for note in sung] == [n.pitch for n in song_at(96.0).notes if not n.is_rest]
    assert all(abs(a.end - b.start) < 1e-6 for a, b in zip(written.notes, written.notes[1:]))


def test_what_is_given_is_not_looked_for():
    written = engrave(song_at(96.0, late=0.2), tempo=48.0, key=-3)
    assert (written.notes[-1].tempo, written.notes[-1].key) == (48.0, -3)
    assert [n.beats for n in written.notes if not n.is_rest][:3] == [0.5, 0.5, 0.25]
    with pytest.raises(DataError, match="out of 20..400"):
        engrave(song_at(96.0), tempo=5.0)
    with pytest.raises(DataError, match="nothing is sung"):
        engrave(Score((Note(0.0, 1.0, 0, "", ("pau",)),)))


def test_free_singing_stays_where_it_is_sung():
    """No beat at all: each note still lies within half a sixteenth of its singing, and none is lost."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.3, 0.9, 40))
    notes = [Note(0.0, float(times[0]), 0, "", ("pau",))]
    notes += [Note(float(a), float(b), 60, "あ", ("a",)) for a, b in zip(times, times[1:])]
    written = engrave(Score(tuple(notes)))
    late = np.array([b.start - a.start for a, b in zip(notes[1:], written.notes[1:])])
    assert np.ptp(late) <= 60 / written.notes[0].tempo / 4 + 1e-3 and len(written.notes) == len(notes)


def sung(score: Score) -> list:
    return [(round(n.start, 3), round(n.end, 3), n.pitch, n.lyric) for n in score.notes if not n.is_rest]


def test_ust_comes_back(tmp_path):
    plain = engrave(song_at(96.0, late=1.0))
    slurred = [
        dataclasses.replace(n, slur=k == 5, lyric="" if k == 5 else n.lyric)
        for k, n in enumerate(plain.notes)
    ]
    timeline = Timeline(((0.0, 96.0), (8.0, 120.0)), (Metre(0.0, 1, 3.0), Metre(6.0, 3, 4.0)))
    for score, line in (
        (plain, plain.timeline),
        (dataclasses.replace(plain, notes=tuple(slurred)), plain.timeline),
    ):
        path = tmp_path / "x.ust"
        path.write_bytes(ust(Song.of(score)))
        back = read_score(path)
        assert sung(back) == sung(score) and back.timeline.tempi == line.tempi
        slurs = [[n.slur for n in s.notes if not n.is_rest] for s in (back, score)]
        assert slurs[0] == slurs[1]
    path.write_bytes(ust(dataclasses.replace(Song.of(plain), timeline=timeline)))
    assert [m.signature for m in read_score(path).timeline.metres] == [(3, 4), (4, 4)]
    assert [bpm for _, bpm in read_score(path).timeline.tempi] == [96.0, 120.0]


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    """A folder of two songs with words alone, through stages 0 and 1: (folder, songs)."""
    folder = tmp_path_factory.mktemp("words")
    songs = {"one": make_song(31, phrases=4), "two": make_song(32, phrases=4)}
    for name, song in songs.items():
        write_song(folder / "in", name, song, score=False)
        (folder / "in" / f"{name}.txt").write_text(song.score.lyrics)
    data, exp, drafts = (str(folder / name) for name in ("data", "exp", "drafts"))
    assert (
        main(["gather", "--db-root", str(folder / "in"), "--out", data, "--lang", "ja", "--drafts", drafts])
        == 0
    )
    assert main(["align", f"--data={data}/songs/lyrics", "--out", exp]) == 0
    assert main(["split", "--datadir", data, "--align", exp]) == 0
    return folder, songs


def test_words_alone_become_sets_and_files_to_mend(drafted):
    folder, songs = drafted
    assert all(len(DataDir.read(folder / "data" / name).utts) >= 1 for name in ("train", "dev", "eval"))
    assert sorted(p.name for p in (folder / "drafts").iterdir()) == [
        *(".drafted.json", "me_one.musicxml", "me_one.ust", "me_two.musicxml", "me_two.ust")
    ]
    text = (folder / "data" / "recordings.txt").read_text()
    assert "lyrics, its notes as they are heard" in text and mended_drafts(folder / "drafts") == {}
    for name, song in songs.items():
        true = [n for n in song.score.notes if not n.is_rest]
        for suffix in (".musicxml", ".ust"):
            back = [n for n in read_score(folder / "drafts" / f"me_{name}{suffix}").notes if not n.is_rest]
            assert [n.lyric for n in back] == [n.lyric for n in true]
            assert np.mean([a.pitch == b.pitch for a, b in zip(back, true)]) >= 0.95
            late = np.array([a.start - b.start for a, b in zip(back, true)])
            assert np.percentile(np.abs(late - np.median(late)), 90) < 0.1


def test_what_was_mended_counts_and_is_kept(drafted):
    folder, songs = drafted
    path = folder / "drafts" / "me_one.ust"
    mended = path.read_bytes().replace(b"Lyric=R", b"Lyric=R ")
    path.write_bytes(mended)
    rows = {
        row.file: row for row in gather(folder / "in", folder / "data2", lang="ja", drafts=folder / "drafts")
    }
    assert (rows["one.wav"].kind, rows["two.wav"].kind) == ("scored", "lyrics")
    assert any("the draft that was mended" in remark for remark in rows["one.wav"].remarks)
    true = np.array([n.start for n in songs["one"].score.notes if not n.is_rest])
    score = DataDir.read(folder / "data2" / "songs" / "scored").scores["me_one"]
    found = np.array([n.start for n in score.notes if not n.is_rest])
    assert np.abs(found - true).max() < 0.15
    made = write_drafts(DataDir.read(folder / "exp" / "draft" / "lyrics"), folder / "drafts")
    assert [p.name for p in made] == ["me_two.musicxml", "me_two.ust"] and path.read_bytes() == mended
    other = folder / "drafts" / "me_one.musicxml"
    other.write_bytes(other.read_bytes() + b"\n")
    with pytest.raises(DataError, match="was mended, and me_one.musicxml too: remove one of them"):
        mended_drafts(folder / "drafts")


def notes_of(path) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array([[float(x) for x in row] for row in csv.reader(path.open())])
    return np.c_[rows[:, 0], rows[:, 0] + rows[:, 2]], rows[:, 1]


def test_a_table_of_notes(tmp_path):
    song = make_song(41, phrases=2)
    path = write_song(tmp_path, "x", song, score=False)
    (tmp_path / "x.txt").write_text(song.score.lyrics)
    true = [n for n in song.score.notes if not n.is_rest]
    assert (
        main(["transcribe", str(path), "-o", str(tmp_path / "x.csv"), "--lyrics", str(tmp_path / "x.txt")])
        == 0
    )
    times, hertz = notes_of(tmp_path / "x.csv")
    assert len(times) == len(true) and np.abs(times[:, 0] - [n.start for n in true]).max() < 0.06
    assert np.allclose(hertz, midi_to_hz(np.array([n.pitch for n in true])), rtol=0.01)
    assert (
        main(["transcribe", str(path), "-o", str(tmp_path / "x.musicxml"), "--tempo", "100", "--key", "2"])
        == 0
    )
    back = read_score(tmp_path / "x.musicxml")
    assert {n.lyric for n in back.notes if not n.is_rest} == {"ら"} and back.timeline.tempi == ((0.0, 100.0),)
    assert back.timeline.keys == ((0.0, 2),)


@pytest.mark.parametrize(
    ("audio", "out", "said"),
    [
        ("x.wav", "x.doc", "notes are not written as"),
        ("s.wav", "s.ust", "is silent"),
        ("n.wav", "n.ust", "no note"),
    ],
)
def test_what_has_no_notes_is_said(tmp_path, capsys, audio, out, said):
    import soundfile

    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    for name, x in (("x", noise), ("n", noise), ("s", 0 * noise)):
        soundfile.write(tmp_path / f"{name}.wav", x, RATE)
    assert main(["transcribe", str(tmp_path / audio), "-o", str(tmp_path / out)]) == 1
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and not (tmp_path / out).exists()


def f1(path, reference) -> float:
    """Note F1 by mir_eval: onset within 50 ms, pitch within 50 cents, wherever notes end."""
    transcription = pytest.importorskip("mir_eval.transcription")
    return transcription.precision_recall_f1_overlap(
        *notes_of(reference), *notes_of(path), offset_ratio=None
    )[2]


def test_notes_of_a_vocadito_recording(shared_data, tmp_path):
    """Two people who annotated it agree by 0.86."""
    folder = shared_data / "vocadito"
    out = tmp_path / "v.csv"
    assert main(["transcribe", str(folder / "Audio" / "vocadito_1.wav"), "-o", str(out), "--lang", "en"]) == 0
    found = [f1(out, folder / "Annotations" / "Notes" / f"vocadito_1_notes{a}.csv") for a in ("A1", "A2")]
    assert found[0] > 0.8 and found[1] > 0.85, found


@pytest.mark.slow
def test_notes_of_the_demo_without_words(tmp_path):
    """Against the times at which the virtual singer's vowels began."""
    transcription = pytest.importorskip("mir_eval.transcription")
    make_demo_corpus(tmp_path / "demo", etudes=12)
    true: dict[str, list] = {}
    for line in (tmp_path / "demo" / "truth" / "onsets").read_text().splitlines():
        utt, _, pitch, *_, vowel = line.split()
        true.setdefault(utt, []).append((float(vowel), float(vowel) + 0.1, float(pitch)))
    matched = counted = 0
    for utt, rows in true.items():
        out = tmp_path / f"{utt}.csv"
        assert main(["transcribe", str(tmp_path / "demo" / "wav" / f"{utt}.wav"), "-o", str(out)]) == 0
        times, hertz = notes_of(out)
        a = np.array(rows)
        matched += len(
            transcription.match_notes(a[:, :2], midi_to_hz(a[:, 2]), times, hertz, offset_ratio=None)
        )
        counted += len(a) + len(times)
    assert len(true) == 18 and 2 * matched / counted > 0.95
