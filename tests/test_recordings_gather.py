"""Stage 0 of a folder of recordings: what is made of good ones, and what is said of others."""

import dataclasses
import json
import re

import numpy as np
import pytest
import soundfile
from align_corpus import RATE
from recordings_common import make_song, ust_of, write_song

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.check_sets import check_sets
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.labels import merge_silences
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.features.audio import resample
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import write_textgrid
from nnsvs_lite.recordings.gather import RATE as KEPT
from nnsvs_lite.recordings.gather import gather
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.formats.write_musicxml import musicxml
from nnsvs_lite.score.song import Song
from nnsvs_lite.synthesis.impose import write_lab

SONG, OTHER = make_song(1, phrases=3), make_song(2, phrases=3)


def heard(folder, out, **options):
    """What became of each recording, by file."""
    rows = gather(folder, out, **{"lang": "ja"} | options)
    return {row.file: row for row in rows}


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """One song in many forms, gathered: (data dir of songs with scores, what became of each)."""
    folder, x = tmp_path_factory.mktemp("forms") / "in", SONG.audio
    at_44k = resample(x, RATE, 44100)
    write_song(folder, "plain", SONG)
    write_song(folder, "late", SONG, audio=np.r_[np.zeros(round(1.7 * RATE)), x])
    write_song(folder, "very late", SONG, audio=np.r_[1e-5 * np.ones(9 * RATE), x])
    write_song(folder, "stereo", SONG, suffix=".flac", audio=np.c_[0.9 * x, 0.5 * x])
    write_song(folder, "out of phase", SONG, audio=np.c_[x, -x])
    write_song(folder, "one side", SONG, audio=np.c_[0 * x, x])
    write_song(folder, "phone", SONG, suffix=".mp3", audio=0.9 * np.c_[at_44k, at_44k], rate=44100)
    write_song(folder, "ogg", SONG, suffix=".OGG", audio=0.9 * at_44k, rate=44100)
    write_song(folder, "octave low", SONG, ust=ust_of(SONG.score, 12))
    write_song(folder, "clipped", SONG, audio=np.clip(4 * x, -0.5, 0.5))
    rows = heard(folder, folder.parent / "data")
    return DataDir.read(folder.parent / "data" / "songs" / "scored"), rows


def test_every_form_is_used(forms):
    data, rows = forms
    assert all(row.kind == "scored" for row in rows.values()), {r.file: r.why for r in rows.values()}
    assert len(data.utts) == len(rows) == 10 and validate(data.path) == []
    for utt in data.utts:
        x, rate = data.audio(utt)
        assert rate == KEPT and 0.05 < np.abs(x).max() <= 1.0


def starts(score):
    return np.array([note.start for note in score.notes if not note.is_rest])


def test_scores_lie_where_they_are_sung(forms):
    data, _ = forms
    true = starts(SONG.score)
    offsets = {"late": 1.7, "very_late": 9.0}
    for utt in data.utts:
        late = starts(data.scores[utt]) - true - offsets.get(utt.removeprefix("me_"), 0.0)
        # The toy singer is 20 ms late, and an mp3 some thousandths of a second.
        assert np.abs(late).max() < 0.06, utt
        pitches = [note.pitch for note in data.scores[utt].notes]
        assert pitches == [note.pitch for note in SONG.score.notes], utt


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("late.wav", r"sung \+1\.7\d s from its score, which was moved"),
        ("very late.wav", r"sung \+9\.0\d s from its score"),
        ("stereo.flac", "2 channels, mixed to one"),
        ("out of phase.wav", "2 channels that cancel each other; one was taken"),
        ("one side.wav", "the loudest was taken, another is as good as silent"),
        ("phone.mp3", "resampled from 44100 to 48000 Hz"),
        ("octave low.wav", "sung -12 semitones from its score, which was transposed"),
        ("clipped.wav", r"clipped: \d"),
    ],
)
def test_what_was_done_is_said(forms, file, said):
    assert re.search(said, "; ".join(forms[1][file].remarks)), forms[1][file].remarks


def test_a_plain_song_gives_no_remark_but_its_rate(forms):
    assert forms[1]["plain.wav"].remarks == ["resampled from 16000 to 48000 Hz"]


def write_tune(folder, name):
    """The song with its notes and without its words; gives these."""
    path = write_song(folder, name, SONG).with_suffix(".ust")
    score = read_score(path, phones=False)
    path.unlink()
    text = musicxml(Song.of(score)).decode()
    path.with_suffix(".musicxml").write_text(re.sub("<lyric.*?</lyric>", "", text, flags=re.DOTALL))
    return " ".join("-" if note.slur else f"[{note.lyric}]" for note in score.notes if not note.is_rest)


def test_a_tune_takes_the_words_beside_it(tmp_path):
    folder = tmp_path / "in"
    write_song(folder, "with words", SONG)
    (folder / "tune.txt").write_text(write_tune(folder, "tune"))
    rows = heard(folder, tmp_path / "data")
    assert "tune.txt has the words of the score, which has none" in rows["tune.wav"].remarks
    data = DataDir.read(tmp_path / "data" / "songs" / "scored")
    own, given = (data.scores[f"me_{name}"].notes for name in ("with_words", "tune"))
    assert [(n.pitch, n.phones) for n in own] == [(n.pitch, n.phones) for n in given]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A folder with one good song and many that cannot be used: (folder, what became of each)."""
    folder, x = tmp_path_factory.mktemp("faulty") / "in", SONG.audio
    write_song(folder, "good", SONG)
    write_song(folder, "another song", OTHER, ust=ust_of(SONG.score))
    write_song(folder, "silent", SONG, audio=0 * x)
    write_song(folder, "noise", SONG, audio=0.1 * np.random.default_rng(0).standard_normal(len(x)))
    write_song(folder, "short", SONG, audio=x[:1000])
    write_song(folder, "half", SONG, audio=x[: len(x) // 2])
    write_song(folder, "no score", SONG, score=False)
    write_song(folder, "bad lyric", SONG, ust=ust_of(SONG.score).replace(b"Lyric=", b"Lyric=qq"))
    write_song(folder, "bad score", SONG, ust=b"<xml>")
    write_song(folder, "nan", SONG).unlink()
    soundfile.write(folder / "nan.wav", np.r_[x, np.nan].astype(np.float32), RATE, subtype="FLOAT")
    write_song(folder, "empty", SONG).write_bytes(b"")
    write_song(folder, "no samples", SONG, audio=x[:0])
    cut = write_song(folder, "cut off", SONG)
    head = bytearray(cut.read_bytes())
    at = head.index(b"data")
    head[at + 4 : at + 8] = bytes(4)
    cut.write_bytes(head)
    write_tune(folder, "no words")
    write_tune(folder, "few words")
    (folder / "few words.txt").write_text("か き")
    write_song(folder, "not audio", SONG).write_bytes(b"RIFF, or so it says")
    write_song(folder, "odd words", SONG, score=False)
    (folder / "odd words.txt").write_text("xyzzy は")
    return folder, heard(folder, folder.parent / "data")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("another song.wav", "does not sound like its score"),
        ("silent.wav", "is silent"),
        ("noise.wav", "no voice is heard|does not sound like its score"),
        ("short.wav", "lasts 0.06 s"),
        ("half.wav", "does not sound like its score|the recording has"),
        ("no score.wav", "neither a score nor lyrics are beside it: add no score.musicxml .* no score.txt"),
        ("bad lyric.wav", "bad lyric.ust: .*qq"),
        ("bad score.wav", "bad score.ust: "),
        ("nan.wav", "NaN or infinite"),
        ("empty.wav", "an empty file"),
        ("no samples.wav", "holds no samples$"),
        (
            "cut off.wav",
            r"holds no samples by its header, .* by: ffmpeg -i 'cut off.wav' 'cut off-mended.wav'",
        ),
        (
            "no words.wav",
            "no words.musicxml: notes without lyrics: .* beside it as no words.txt, a syllable for",
        ),
        ("few words.wav", "few words.musicxml: lyrics that are given are fewer than the notes"),
        ("not audio.wav", "cannot be read as audio"),
        ("odd words.wav", "odd words.txt: cannot read 'xyzzy'"),
    ],
)
def test_what_cannot_be_used_is_named(faulty, file, why):
    row = faulty[1][file]
    assert row.kind == "" and re.search(why, row.why), row.why
    assert "\n" not in row.why and "Traceback" not in row.why


def test_the_good_one_is_used_alone(faulty):
    folder, rows = faulty
    out = folder.parent / "data"
    assert [row.file for row in rows.values() if row.kind] == ["good.wav"]
    assert DataDir.read(out / "songs" / "scored").utts == ["me_good"]
    assert sorted(p.name for p in out.iterdir()) == [".done.gather", "recordings.json", "songs", "wav"]
    assert [p.name for p in (out / "wav").iterdir()] == ["me_good.wav"]
    assert len(read_json(out / "recordings.json")["takes"]) == len(rows)


def test_where_nothing_can_be_used_nothing_is_written(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "data"
    write_song(folder, "alone", SONG, score=False)
    command = [
        "gather",
        "--db-root",
        str(folder),
        "--out",
        str(out),
        "--lang",
        "ja",
        "--drafts",
        str(tmp_path / "d"),
    ]
    assert main(command) == 1
    err = capsys.readouterr().err
    assert "no recording can be used: alone.wav: neither a score nor lyrics" in err and err.count("\n") == 1
    assert [p for p in out.rglob("*") if p.name != ".lock"] == [] if out.exists() else True


def test_an_empty_folder_and_unknown_words(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError, match="no recording is here"):
        gather(tmp_path / "x", tmp_path / "data", lang="ja")
    with pytest.raises(DataError, match="no language|unknown language"):
        gather(tmp_path / "x", tmp_path / "data", lang="xx")
    with pytest.raises(DataError, match="is no id"):
        gather(tmp_path / "x", tmp_path / "data", lang="ja", speaker="ほ")


def test_labels_are_used_where_they_fit(tmp_path):
    folder = tmp_path / "in"
    write_song(folder, "hts", SONG)
    write_lab(folder / "hts.lab", SONG.labels)
    write_song(folder, "seconds", SONG)
    (folder / "seconds.lab").write_text("".join(f"{a:.4f} {b:.4f} {p}\n" for a, b, p in SONG.labels))
    write_song(folder, "praat", SONG)
    write_textgrid(folder / "praat.TextGrid", {"phones": SONG.labels}, SONG.labels[-1].end)
    write_song(folder, "wrong", SONG)
    write_lab(folder / "wrong.lab", OTHER.labels)
    rows = heard(folder, tmp_path / "data", speaker="mei")
    assert {row.file: row.kind for row in rows.values()} == {
        "hts.wav": "labelled",
        "seconds.wav": "labelled",
        "praat.wav": "labelled",
        "wrong.wav": "scored",
    }
    (said,) = [r for r in rows["wrong.wav"].remarks if "labels" in r]
    assert said.startswith("aligned by its score, since its labels cannot be used: wrong.lab: phone")
    data = DataDir.read(tmp_path / "data" / "songs" / "labelled")
    assert validate(data.path) == [] and data.label_name == "label.ctm" and data.speakers == ["mei"]
    true = [s for s in SONG.labels if s.label != "pau"]
    for utt in data.utts:
        found = [s for s in data.labels[utt] if s.label != "pau"]
        assert max(abs(a.start - b.start) for a, b in zip(found, true, strict=True)) < 1e-3


def ds_of(song) -> str:
    """The song as DiffSinger has it, a row for each phone, with phone times."""
    rows = [(label, song.score.notes[i]) for label, i in zip(song.labels, song.score.note_index)]
    names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    value = {
        "offset": 0.0,
        "ph_seq": " ".join("SP" if label.label == "pau" else label.label for label, _ in rows),
        "ph_dur": " ".join(f"{label.end - label.start:.7f}" for label, _ in rows),
        "note_seq": " ".join(
            f"{names[n.pitch % 12]}{n.pitch // 12 - 1}" if n.pitch else "rest" for _, n in rows
        ),
        "note_dur": " ".join(f"{n.duration:.7f}" for _, n in rows),
        "note_slur": " ".join("0" for _ in rows),
    }
    return json.dumps([value])


def test_diffsinger_has_score_and_times(tmp_path):
    labels = merge_silences(SONG.labels, [])
    song = dataclasses.replace(SONG, labels=labels)
    write_song(tmp_path / "in", "x", SONG, score=False)
    (tmp_path / "in" / "x.ds").write_text(ds_of(song))
    (row,) = gather(tmp_path / "in", tmp_path / "data", lang="ja")
    assert row.kind == "labelled", row
    assert [s.label for s in row.labels] == [s.label for s in labels]
    assert max(abs(a.start - b.start) for a, b in zip(row.labels, labels)) < 1e-3


def test_lyrics_alone_become_a_data_dir_of_their_own(tmp_path):
    folder = tmp_path / "in"
    write_song(folder, "words", SONG, score=False)
    (folder / "words.txt").write_text("\n".join(SONG.score.lyrics.split()))
    write_song(folder, "さくら", SONG)
    rows = heard(folder, tmp_path / "data")
    assert {row.file: row.kind for row in rows.values()} == {"words.wav": "lyrics", "さくら.wav": "scored"}
    data = DataDir.read(tmp_path / "data" / "songs" / "lyrics")
    assert validate(data.path) == [] and data.text == {"me_words": SONG.score.lyrics} and not data.scores
    # What is said of a recording names its file: no id has the letters of that.
    (said,) = check_sets([tmp_path / "data" / "songs" / "scored", data.path])
    first = f"scored/{rows['さくら.wav'].id} (さくら.wav)"
    assert said.what == f"me_words (words.wav): sounds the same as {first}"


def test_another_tempo_is_found(tmp_path):
    """Sung at 0.8 of the score's tempo."""
    folder = tmp_path / "in"
    score = ust_of(SONG.score).replace(b"Tempo=120.00", b"Tempo=150.00")
    write_song(folder, "slow", SONG, ust=score)
    rows = heard(folder, tmp_path / "data")
    assert any("sung 0.80" in r and "times as fast" in r for r in rows["slow.wav"].remarks), rows["slow.wav"]
    data = DataDir.read(tmp_path / "data" / "songs" / "scored")
    assert np.abs(starts(data.scores["me_slow"]) - starts(SONG.score)).max() < 0.08


def test_what_is_done_is_not_done_again(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "data"
    write_song(folder, "one", SONG)
    assert gather(folder, out, lang="ja") and gather(folder, out, lang="ja") is None
    (folder / "one.ust").write_bytes(ust_of(SONG.score, 12))
    (row,) = gather(folder, out, lang="ja")
    assert any("-12 semitones" in remark for remark in row.remarks)


def test_what_is_made_does_not_lie_among_the_recordings(tmp_path):
    write_song(tmp_path / "in", "good", SONG)
    for inside in (
        {"out": tmp_path / "in" / "data"},
        {"out": tmp_path / "o", "drafts": tmp_path / "in" / "d"},
    ):
        with pytest.raises(DataError, match="lies in the folder of recordings"):
            gather(tmp_path / "in", lang="ja", **inside)
