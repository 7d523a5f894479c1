"""Stage 1 on recordings that lie elsewhere than their scores, and on whole songs; what people have edited."""

import dataclasses
import json

import numpy as np
import pytest
import soundfile
from align_corpus import RATE, make_corpus, random_score, sing

from nnsvs_lite.align.config import AlignConfig, RefineConfig
from nnsvs_lite.align.stage import align
from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.prepare import finish
from nnsvs_lite.corpus.segment import segment_at_rests
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import read_textgrid, write_textgrid
from nnsvs_lite.score.change import change
from nnsvs_lite.score.types import Score

CONFIG = AlignConfig(refine=RefineConfig(iterations=3))


def run(data, out, config=CONFIG, **options):
    lines: list[str] = []
    return align([data], config, out, say=lines.append, **options), lines


def song(folder, late=0.0, low=0):
    """A data dir of one song of 24 s; its truth in the recording's time.

    The singer is ``late`` seconds after the score's times, ``low`` semitones below its notes.
    """
    rng, notes = np.random.default_rng(3), []
    for _ in range(4):
        part = random_score(rng, notes=10)
        start = notes[-1].end if notes else 0.0
        notes += [dataclasses.replace(n, start=n.start + start, end=n.end + start) for n in part.notes]
    rests = [i for i in range(1, len(notes)) if notes[i].is_rest and notes[i - 1].is_rest]
    for i in reversed(rests):
        notes[i - 1 : i + 1] = [dataclasses.replace(notes[i - 1], end=notes[i].end)]
    score = Score(tuple(notes))
    audio, truth = sing(change(score, -low, 1.0) if low else score, rng)
    (folder / "wav").mkdir(parents=True)
    wav = folder / "wav" / "toy_song.wav"
    soundfile.write(wav, np.concatenate([1e-4 * rng.standard_normal(round(late * RATE)), audio]), RATE)
    data = DataDir(folder / "data", {"toy_song": wav}, {"toy_song": "toy"})
    data.put("toy_song", "toy", score, [])
    return data.write(), [Segment(a + late, b + late, phone) for a, b, phone in truth]


def found(data):
    """Labels of a recording's phrases in its own time, silences left out."""
    rows = []
    for utt, labels in sorted(data.labels.items()):
        start = data.place(utt)[1]
        rows += [(s.start + start, s.label) for s in labels if s.label not in ("pau", "br")]
    return rows


def right(data, truth):
    """Share of onsets within 20 ms; the phones must be the same."""
    truth = [(s.start, s.label) for s in truth if s.label != "pau"]
    made = found(data)
    assert [phone for _, phone in made] == [phone for _, phone in truth]
    return np.mean([abs(a - b) <= 0.02 for (a, _), (b, _) in zip(made, truth)])


@pytest.mark.parametrize(
    ("late", "low", "phrases"),
    [(0.0, 0, False), (1.7, 0, True), (0.0, 12, True), (0.4, 3, False), (1.7, 12, False)],
)
def test_a_singer_elsewhere_than_the_score(tmp_path, late, low, phrases):
    data, truth = song(tmp_path, late, low)
    if phrases:  # cut where the score has rests, which is elsewhere than the singer's
        segment_at_rests(data).write(tmp_path / "data")
    given = DataDir.read(tmp_path / "data")
    report, lines = run(tmp_path / "data", tmp_path / "exp")
    made = DataDir.read(tmp_path / "data")
    assert right(made, truth) >= 0.95 and len(made.utts) == 4
    assert validate(tmp_path / "data") == []
    for utt in made.utts:
        score = made.scores[utt]
        assert [s.label for s in made.labels[utt]] == score.phones
        vowels = [s.start for s in made.labels[utt] if s.label in "aiueo"]
        notes = [n.start for n in score.notes if not n.is_rest]
        assert np.median(np.array(vowels) - notes) == pytest.approx(0.02, abs=0.04)
    want = sorted(n.pitch - low for utt in given.utts for n in given.scores[utt].notes if n.pitch)
    assert sorted(n.pitch for utt in made.utts for n in made.scores[utt].notes if n.pitch) == want
    said = "\n".join(lines)
    assert (f"sung -{low} semitones" in said) == (low > 0) and ("which was moved" in said) == (late > 0)
    assert run(tmp_path / "data", tmp_path / "exp")[1] == ["alignment is up to date"]
    if late == 0.4:  # run again, from the tables as they were, with the same result
        (tmp_path / "data" / "align.ctm").unlink()
        run(tmp_path / "data", tmp_path / "exp")
        assert DataDir.read(tmp_path / "data").labels == made.labels


def test_one_phrase_that_is_off_is_no_song_that_is(tmp_path):
    data, _ = song(tmp_path)
    data = segment_at_rests(data)
    data.scores["toy_song_002"] = change(data.scores["toy_song_002"], 1, 1.0)
    data.write(tmp_path / "data")
    report, _ = run(tmp_path / "data", tmp_path / "exp")
    assert report["utterances"]["toy_song_002"]["rejected"].startswith("sung -1.0 semitones from the score")
    assert report["n_rejected"] == 1 and not (tmp_path / "data" / "given").exists()


def test_a_song_keeps_its_good_phrases(tmp_path):
    data, truth = song(tmp_path)
    audio, rate = data.audio("toy_song")
    notes = [n for n in data.scores["toy_song"].notes if not n.is_rest]
    for note in notes[12:18:2]:  # in the second phrase
        audio[round((note.start - 0.1) * rate) : round(note.end * rate)] *= 1e-3
    soundfile.write(data.wavs["toy_song"], audio, rate)
    report, _ = run(tmp_path / "data", tmp_path / "exp")
    made = DataDir.read(tmp_path / "data")
    assert report["n_rejected"] == 1 and not report["utterances"]["toy_song"]["whole"]
    assert sorted(set(made.utts) - set(made.labels)) == ["toy_song_002"]
    config = dataclasses.replace(CONFIG, cut=False)
    with pytest.raises(DataError, match="nothing is kept for training: all 1 utterances are out; toy_song: "):
        run(tmp_path / "data", tmp_path / "exp", config)
    assert not (tmp_path / "data" / "align.ctm").exists()
    assert "1 of 1 utterances are kept out" in (tmp_path / "exp" / "report.txt").read_text()


def test_where_nothing_is_kept_the_stage_fails(tmp_path, capsys):
    make_corpus(tmp_path / "data", 3, notes=4)
    (tmp_path / "data" / "align.ctm").write_text("toy_000 1 0.0 0.1 pau\n")
    (tmp_path / "c.yaml").write_text("quality: {min_confidence: 1.1}\nrefine: {iterations: 2}\n")
    words = ["align", "--data", str(tmp_path / "data"), "--config", str(tmp_path / "c.yaml")]
    assert main([*words, "--out", str(tmp_path / "exp"), "--realign", "true"]) == 1
    assert "all 3 utterances are out; toy_000: " in capsys.readouterr().err
    assert not (tmp_path / "data" / "align.ctm").exists()
    # One that is kept is enough.
    assert run(tmp_path / "data", tmp_path / "exp", realign=True)[0]["n_rejected"] < 3


def move(path, seconds, target=None):
    rows = [s for s in read_textgrid(path) if s.label]
    end = read_textgrid(path)[-1].end
    moved = [Segment(s.start + seconds, s.end + seconds, s.label) for s in rows]
    write_textgrid(target or path, {"phones": moved}, end)
    return moved


@pytest.mark.parametrize("name", ["toy_001.TextGrid", "toy_001.textgrid"])
def test_a_textgrid_edited_in_place_wins(tmp_path, name):
    make_corpus(tmp_path / "data", 4, notes=5)
    (tmp_path / "data" / "label.ctm").unlink()
    grids = tmp_path / "exp" / "textgrids"
    run(tmp_path / "data", tmp_path / "exp")
    assert run(tmp_path / "data", tmp_path / "exp")[1] == ["alignment is up to date"]
    rows = move(grids / "toy_001.TextGrid", 0.05, grids / name)
    for config in (CONFIG, dataclasses.replace(CONFIG, refine=RefineConfig(iterations=2))):
        edited = (grids / name).read_bytes()
        report, lines = run(tmp_path / "data", tmp_path / "exp", config)
        assert any(f"{name} was edited: it is kept" in line for line in lines)
        made = [s for s in read_ctm(tmp_path / "data" / "align.ctm")["toy_001"] if s.label != "pau"]
        assert [s.start for s in made] == pytest.approx([s.start for s in rows], abs=1e-6)
        assert (grids / name).read_bytes() == edited
        assert report["utterances"]["toy_001"]["remarks"] == ["mended by hand"]
    # A correction counts more, and what is edited stays nevertheless.
    (tmp_path / "corrections").mkdir()
    rows = move(grids / name, -0.03, tmp_path / "corrections" / "toy_001.TextGrid")
    run(tmp_path / "data", tmp_path / "exp", corrections=tmp_path / "corrections")
    made = [s for s in read_ctm(tmp_path / "data" / "align.ctm")["toy_001"] if s.label != "pau"]
    assert [s.start for s in made] == pytest.approx([s.start for s in rows], abs=1e-6)
    assert (grids / name).read_bytes() == edited


def test_textgrids_of_a_killed_run_do_not_pass_for_edited(tmp_path):
    make_corpus(tmp_path / "data", 2, notes=4)
    grid = tmp_path / "exp" / "textgrids" / "toy_001.TextGrid"
    config = dataclasses.replace(CONFIG, refine=RefineConfig(iterations=0))
    run(tmp_path / "data", tmp_path / "exp", config, realign=True)
    before = grid.read_bytes()
    run(tmp_path / "data", tmp_path / "exp", realign=True)
    after = grid.read_bytes()
    grid.write_bytes(before)  # killed before it was replaced
    _, lines = run(tmp_path / "data", tmp_path / "exp", realign=True)
    assert after != before and grid.read_bytes() == after
    assert not any("was edited" in line for line in lines)


def test_a_subset_keeps_the_labels_that_came_with_the_corpus(tmp_path):
    make_corpus(tmp_path / "data", 3, notes=4)
    run(tmp_path / "data", tmp_path / "exp", realign=True)
    words = ["data", "subset", str(tmp_path / "data"), str(tmp_path / "part"), "--first", "2"]
    assert main(words) == 0
    for name in ("label.ctm", "align.ctm"):
        whole = read_ctm(tmp_path / "data" / name)
        assert read_ctm(tmp_path / "part" / name) == {u: whole[u] for u in ("toy_000", "toy_001")}
    assert run(tmp_path / "part", tmp_path / "exp2", realign=True)[0]["refined"]["n_onsets"] > 0


def test_labels_used_as_they_are_undo_what_alignment_changed(tmp_path):
    data, truth = song(tmp_path, late=1.7)
    given = (tmp_path / "data" / "score").read_bytes()
    labels = {"toy_song": [truth[0]._replace(start=0.0), *truth[1:]]}
    dataclasses.replace(DataDir.read(tmp_path / "data"), labels=labels).write(tmp_path / "data")
    report, _ = run(tmp_path / "data", tmp_path / "exp", realign=True)
    assert report["used"]["within_20ms"] >= 0.95 and report["used"]["n_onsets"] == len(truth) - 1
    assert (tmp_path / "data" / "score").read_bytes() != given
    run(tmp_path / "data", tmp_path / "exp")
    assert (tmp_path / "data" / "score").read_bytes() == given
    assert not (tmp_path / "data" / "align.ctm").exists() and not (tmp_path / "data" / "given").exists()
    assert json.loads((tmp_path / "exp" / "report.json").read_text())["n_rejected"] == 0


def test_songs_without_labels_are_left_whole_for_the_alignment(tmp_path):
    data, truth = song(tmp_path)
    names = ("toy_a", "toy_b", "toy_c")
    songs = dataclasses.replace(data, wavs={name: data.wavs["toy_song"] for name in names}, utt2spk={})
    for labels, utts in (([], ["toy_a"]), (truth, [f"toy_a_00{k}" for k in range(1, 5)])):
        for name in names:
            songs.put(name, "toy", data.scores["toy_song"], labels)
        made = finish(dataclasses.replace(songs), tmp_path / "sets", eval_songs=["b"], dev_songs=["c"])
        assert made["train"].utts == utts and len(made["eval"].utts) == len(made["dev"].utts) == len(utts)
