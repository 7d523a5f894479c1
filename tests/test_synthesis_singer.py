"""The call in Python as it is documented, its phone times and tables, and the engine behind it."""

import doctest
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scorexml import song, write
from toy import make_dump

import nnsvs_lite.synthesis.singer
from nnsvs_lite.bin.main import main
from nnsvs_lite.io.ctm import read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.score import Note, Score
from nnsvs_lite.synthesis.decode import decode
from nnsvs_lite.synthesis.impose import read_labels, write_lab
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocode import vocode

ROOT = Path(__file__).parents[1]
STREAMS = ("lf0", "vuv", "mgc", "bap")
SAKURA = song("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2")
LONG = song(*["C4 1 さ, D4 1 く, E4 1 ら, D4 1 ー", "G4 2 は, r 2"] * 6)


@pytest.fixture(scope="module")
def singer(toy_voice) -> Singer:
    return Singer.load(toy_voice)


@pytest.fixture
def long_score(tmp_path) -> Path:
    return write(tmp_path, LONG)


@pytest.mark.parametrize("where", ["the module", "the page"])
def test_the_documented_lines_do_what_they_say(where, toy_voice, tmp_path, monkeypatch):
    write(tmp_path, SAKURA).rename(tmp_path / "song.musicxml")
    monkeypatch.chdir(tmp_path)
    names = {"voice": toy_voice}
    if where == "the module":
        failed, tried = doctest.testmod(nnsvs_lite.synthesis.singer, extraglobs=names)
    else:
        page = str(ROOT / "docs" / "singing.md")
        failed, tried = doctest.testfile(page, module_relative=False, globs=names)
    assert tried >= 5 and not failed
    assert (tmp_path / "song.wav").stat().st_size > 100_000


def test_recipe_and_singer_give_the_same_bits(toy_exps, tmp_path):
    """Stages 5 and 6 on one phrase against one call: features equal bit by bit, and the sound."""
    dump = make_dump(tmp_path / "dump", {"train": 3, "eval": 1}, seed=4)
    exps = {name: shutil.copytree(path, tmp_path / name) for name, path in toy_exps.items()}
    out = tmp_path / "decode"
    assert decode(dump, "eval", out, **exps) and vocode(out)
    ((utt, line),) = read_table(out / "score").items()
    performance = Singer.load(exps["acoustic"]).sing(Score.from_json(line, utt))
    (phrase,) = performance.phrases
    for name in ("time_lag", "duration"):
        expected = FeatureReader(out / f"{name}.scp")[utt][:, 0]
        np.testing.assert_array_equal(getattr(phrase, name).astype(np.float32), expected)
    for name in STREAMS:
        np.testing.assert_array_equal(phrase.streams[name], FeatureReader(out / f"{name}.scp")[utt])
    performance.write(tmp_path / "song.wav")
    made, _ = soundfile.read(out / "wav" / f"{utt}.wav", dtype="int16")
    sung, _ = soundfile.read(tmp_path / "song.wav", dtype="int16")
    # Songs fade at their ends, phrases of a recipe do not.
    np.testing.assert_array_equal(made[240:-240], sung[240 : len(made) - 240])


def test_phone_times_hold_every_syllable_of_every_note(singer, long_score):
    performance = singer.sing(long_score)
    assert len(performance.phrases) > 2
    phones = performance.phones
    assert [p.symbol for p in phones] == performance.score.phones
    assert [p.note for p in phones] == performance.score.note_index
    assert phones[0].start == 0 and all(
        a.end == b.start and b.end > b.start for a, b in zip(phones, phones[1:])
    )
    assert phones[-1].end == pytest.approx(performance.score.duration, abs=0.006)
    for number, note in enumerate(performance.score.notes):
        assert tuple(p.symbol for p in phones if p.note == number) == note.phones
    assert sum(bool(n.lyric) for n in performance.score.notes) == 6 * 4


def test_f0_covers_the_whole_song_and_is_silent_in_rests(singer, long_score):
    performance = singer.sing(long_score)
    assert len(performance.f0) == int(np.ceil(performance.duration / 0.005))
    assert performance.duration == pytest.approx(48.0 / 2, abs=0.01)
    # A held vowel is sung at its note: C4 lies at 261.6 Hz, less than a semitone away.
    vowels = [
        p for p in performance.phones if p.symbol == "a" and performance.score.notes[p.note].pitch == 60
    ]
    for phone in vowels:
        middle = performance.f0[round((phone.start + phone.end) / 2 / 0.005)]
        assert abs(1200 * np.log2(middle / 261.63)) < 100


def test_tables_are_a_decode_dir_that_vocodes_to_the_same_song(singer, long_score, tmp_path):
    performance = singer.sing(long_score, vibrato=0.5)
    tables = tmp_path / "tables"
    performance.write_tables(tables)
    labels = read_ctm(tables / "pred.ctm")
    assert len(labels) == len(performance.phrases)
    assert [s.label for s in labels["toy_song_001"]] == performance.phrases[0].score.phones
    assert set(read_table(tables / "utt2spk").values()) == {"toy"}
    lf0 = FeatureReader(tables / "lf0.scp")
    for utt, phrase in zip(lf0, performance.phrases):
        np.testing.assert_array_equal(lf0[utt], phrase.streams["lf0"])
    assert vocode(tables)
    # This voice is so loud that files scale it, phrase by phrase: the shape is the same.
    again, rate = soundfile.read(tables / "songs" / "toy_song.wav")
    assert rate == performance.sample_rate and 0 <= len(performance.waveform) - len(again) < rate
    for phrase in performance.phrases:
        first = round(phrase.start * rate)
        part = slice(first + 400, first + round(phrase.duration.sum() * 0.005 * rate) - 400)
        assert np.corrcoef(again[part], performance.waveform[part])[0, 1] > 0.9999


def test_the_command_writes_times_that_can_be_changed_and_sung(toy_voice, long_score, tmp_path, capfd):
    common = ["sing", str(long_score), "--model", str(toy_voice), "-o"]
    assert main([*common, str(tmp_path / "a.wav"), "--tables", str(tmp_path / "a")]) == 0
    labels = read_labels(tmp_path / "a" / "song.lab")
    # The second phone, a consonant, begins 30 ms later.
    labels[1] = labels[1]._replace(start=labels[1].start + 0.03)
    labels[0] = labels[0]._replace(end=labels[1].start)
    write_lab(tmp_path / "moved.lab", labels)
    more = ["--label", str(tmp_path / "moved.lab"), "--tables", str(tmp_path / "b")]
    assert main([*common, str(tmp_path / "b.flac"), *more]) == 0
    sung = read_labels(tmp_path / "b" / "song.lab")
    assert [s.label for s in sung] == [s.label for s in labels]
    for a, b in zip(sung, labels, strict=True):
        assert a.start == pytest.approx(b.start, abs=0.0051)
    assert capfd.readouterr().out.count("24.0 s") == 2


def test_progress_rises_to_its_end(singer, long_score):
    seen: list[float] = []
    singer.sing(long_score, progress=seen.append)
    assert seen == sorted(seen) and 0 < seen[0] <= 0.5 and seen[-1] == 1


def test_flac_holds_the_samples_of_wav(singer, tmp_path):
    performance = singer.sing(write(tmp_path, SAKURA))
    for name in ("a.wav", "b.flac", "c.FLAC", "d.flac"):
        performance.write(tmp_path / name)
    wav, flac = (soundfile.read(tmp_path / n, dtype="int16") for n in ("a.wav", "b.flac"))
    np.testing.assert_array_equal(wav[0], flac[0])
    assert (tmp_path / "b.flac").read_bytes() == (tmp_path / "d.flac").read_bytes()
    assert (tmp_path / "b.flac").read_bytes()[:4] == b"fLaC"
    assert soundfile.info(tmp_path / "c.FLAC").format == "FLAC"
    with pytest.raises(DataError, match=r"no audio format named \*\.ogg; known: \.wav, \.flac"):
        performance.write(tmp_path / "e.ogg")


def test_singers_go_by_name_or_number(singer):
    assert singer.find_singer(None) == singer.find_singer("toy") == singer.find_singer("0") == (0, "toy")
    for wrong in ("1", 1, -1, "tay"):
        with pytest.raises(DataError, match="in this voice.*it knows: toy"):
            singer.find_singer(wrong)


def test_the_singer_reaches_the_models(singer, monkeypatch):
    seen = []
    whole = nnsvs_lite.synthesis.singer.predict_acoustic

    def spy(examples, *args, **options):
        seen.extend(e.singer for e in examples)
        return whole(examples, *args, **options)

    monkeypatch.setattr(singer, "singers", ["toy", "other"])
    monkeypatch.setattr(nnsvs_lite.synthesis.singer, "predict_acoustic", spy)
    score = Score((Note(0, 0.5, 0), Note(0.5, 1.5, 60, "ら"), Note(1.5, 2, 0)))
    assert singer.sing(score, singer="other").singer == "other"
    assert seen == [1]


@pytest.mark.parametrize("length", [0.05, 0.0625, 0.075, 0.1])
def test_short_notes_have_a_voiced_vowel_at_their_pitch(length, singer):
    """Leaps of an octave, a consonant before each vowel; grace notes are as short."""
    pitches, lyrics = [60, 72, 60, 67, 59, 71], ["か", "し", "つ", "だ", "ざ", "ま"]
    notes = [Note(0.0, 0.4, 0)]
    for pitch, lyric in zip(pitches * 2, lyrics * 2):
        notes.append(Note(notes[-1].end, notes[-1].end + length, pitch, lyric))
    end = notes[-1].end
    notes += [Note(end, end + 0.6, 64, "ら"), Note(end + 0.6, end + 1.0, 0)]
    song = singer.sing(Score(tuple(notes)), pitch_deviation=0)
    vowels = {p.note: p for p in song.phones if p.symbol in "aiueo"}
    for index, note in enumerate(song.score.notes):
        if not note.is_rest:
            vowel = vowels[index]
            share = (vowel.end - vowel.start) / note.duration
            assert share > 1 / 3, f"{note.lyric} at {note.start:.3f} s: {share:.2f} of {length} s"
            f0 = song.f0[round(vowel.start / song.frame_shift) : round(vowel.end / song.frame_shift)]
            assert (f0 > 0).all(), f"{note.lyric} at {note.start:.3f} s"
            wrong = 1200 * np.log2(f0 / 440) - 100 * (note.pitch - 69)
            # An end or two of a few frames are in the leap.
            assert np.median(np.abs(wrong)) < 50
