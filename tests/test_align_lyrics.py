"""Recordings of which only the lyrics are known: aligned, and a score drafted from what is heard."""

import dataclasses

import numpy as np
import pytest
from align_corpus import make_corpus

from nnsvs_lite.align.config import AlignConfig, RefineConfig
from nnsvs_lite.align.draft import unplaced
from nnsvs_lite.align.report import figures, onset_errors
from nnsvs_lite.align.stage import align
from nnsvs_lite.bin.main import main
from nnsvs_lite.corpora.nit_song070 import prepare
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.extract import Extraction
from nnsvs_lite.features.notes import find_notes
from nnsvs_lite.io.ctm import read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import read_textgrid, write_textgrid

CONFIG = AlignConfig(refine=RefineConfig(iterations=5))


def run(data, out, config=CONFIG, **options):
    lines: list[str] = []
    return align([data], config, out, say=lines.append, **options), lines


def lyrics_only(data: DataDir) -> DataDir:
    """The data dir without its scores and labels, written in its place."""
    return dataclasses.replace(data, scores={}, labels={}).write()


def sung(score):
    return [note for note in score.notes if not note.is_rest]


@pytest.mark.parametrize(
    ("lang", "text", "lyrics", "phones"),
    [
        ("ja", "は と ぽっ", "は と ぽっ", "h a t o p o cl"),
        ("ja", "きょう、がっこう", "きょ う 、がっ こ う", "ky o u g a cl k o u"),
        ("ja", "1. さくらー", "さ く ら ー", "s a k u r a a"),
        ("ja", "鳩よ", "[h a] [t o] [y o]", "h a t o y o"),
        ("ja", "hap- py さ", "hap- py さ", "h a cl p i i s a"),
        ("ja", "ev- ery さ", "[e] [b u] [r i i] さ", "e b u r i i s a"),
        ("ja", "eve- ry", "[e] [b u] [r i i]", "e b u r i i"),
        ("ja", "th- e さ", "th- e さ", "z a a s a"),
        ("ja", "は\u200b \u200bと", "は と", "h a t o"),
        ("en", "row gently !", "row gently +", "r ow jh eh n t l iy"),
    ],
)
def test_lyrics_become_a_note_a_syllable(lang, text, lyrics, phones):
    score = unplaced(text, lang, "x")
    assert score.lyrics == lyrics and score.phones == ["pau", *phones.split(), "pau"]
    assert score.duration == 0.0 and [n.is_rest for n in score.notes].count(True) == 2


def steps(midi):
    """Frames of 10 ms at which pitches begin, as a draft divides a syllable."""
    return [(round(100 * note.start), round(note.pitch)) for note in find_notes(midi, starts=[0])]


def test_a_pitch_is_a_step_and_vibrato_is_none():
    time = np.arange(0.0, 0.6, 0.01)
    wave = np.sin(2 * np.pi * 6 * time)
    assert steps(60.1 + 0.8 * wave) == [(0, 60)]
    assert steps(np.r_[60.1 + 0.3 * wave, 62.0 + 0.3 * wave]) == [(0, 60), (60, 62)]
    # A slide into a note from two semitones below, and frames without voice, are no notes.
    assert steps(np.r_[np.linspace(58, 60, 10), 60 + 0 * time]) == [(0, 60)]
    assert steps(np.r_[np.full(20, np.nan), 64 + 0 * time]) == [(20, 64)]
    assert steps(np.full(40, np.nan)) == []


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """(data dir as it was, folder, report, lines) of a corpus of lyrics alone."""
    folder = tmp_path_factory.mktemp("lyrics")
    truth = make_corpus(folder / "data", 8, seed=5)
    lyrics_only(truth)
    report, lines = run(folder / "data", folder / "exp")
    return truth, folder, report, lines


def test_phones_are_found_without_a_score(aligned):
    truth, folder, report, lines = aligned
    made = read_ctm(folder / "data" / "align.ctm")
    assert len(made) == 8 and report["n_drafts"] == 8 and report["sync"] is None
    errors = [e for utt in made for e in onset_errors(made[utt], truth.labels[utt])]
    assert len(errors) == sum(len(rows) - 1 for rows in truth.labels.values())
    assert figures(errors)["within_20ms"] >= 0.95 and figures(errors)["median_ms"] <= 6
    grid = read_textgrid(folder / "exp" / "textgrids" / "toy_002.TextGrid", "words")
    assert [s.label for s in grid if s.label] == truth.text["toy_002"].split()
    assert any("8 utterances have lyrics alone" in line for line in lines)
    assert not (folder / "data" / "score").exists() and not (folder / "data" / "given").exists()


def test_a_draft_has_the_melody(aligned):
    truth, folder, _, _ = aligned
    drafts = DataDir.read(folder / "exp" / "draft" / "data")
    assert validate(drafts.path) == [] and drafts.utts == truth.utts and drafts.text == truth.text
    right = []
    for utt, score in drafts.scores.items():
        assert [s.label for s in drafts.labels[utt]] == score.phones
        found, true = sung(score), sung(truth.scores[utt])
        right += [a.pitch == b.pitch for a, b in zip(found, true, strict=True)]
        # The singer is 20 ms late, and a draft has the notes where they are sung.
        late = [a.start - b.start for a, b in zip(found, true)]
        assert abs(np.median(late) - 0.02) < 0.03
    assert np.mean(right) >= 0.95


def test_what_follows_says_that_a_score_is_needed(aligned, tmp_path):
    _, folder, _, _ = aligned
    config = FeatureConfig(16000, 0.005)
    with pytest.raises(DataError, match="has no score, and lyrics alone .* exp/align_.*/draft"):
        assert Extraction(folder / "data", tmp_path / "dump", config).blocks
    assert sum(map(len, Extraction(folder / "exp" / "draft" / "data", tmp_path / "dump", config).blocks)) == 8


def test_validation_says_what_lyrics_alone_are_for(aligned, capsys):
    _, folder, _, _ = aligned
    assert main(["validate", str(folder / "data"), "--sound", "skip"]) == 0
    said = capsys.readouterr().out
    assert "lyrics without a score, which stage 1 can align and draft a score for" in said


def test_run_again_it_does_nothing_and_a_score_that_is_added_counts(aligned, tmp_path):
    truth, folder, _, _ = aligned
    assert run(folder / "data", folder / "exp")[1] == ["alignment is up to date"]
    data = DataDir.read(folder / "data")
    part = data.subset(data.utts[:3])
    dataclasses.replace(part, labels={}).write(tmp_path / "data")
    run(tmp_path / "data", tmp_path / "exp")
    assert (tmp_path / "exp" / "draft" / "data" / "score").exists()
    scores = {utt: truth.scores[utt] for utt in part.utts}
    dataclasses.replace(part, labels={}, scores=scores).write(tmp_path / "data")
    # Somebody has mended the draft, and not put it where it counts.
    draft = tmp_path / "exp" / "draft" / "data" / "score"
    mended = draft.read_bytes().replace(b"toy_001", b"toy_001 ")
    draft.write_bytes(mended)
    with pytest.raises(DataError, match="draft/data/score: was mended, and would be drafted anew"):
        run(tmp_path / "data", tmp_path / "exp")
    assert draft.read_bytes() == mended
    draft.write_bytes((tmp_path / "data" / "score").read_bytes())
    report, lines = run(tmp_path / "data", tmp_path / "exp")
    assert report["n_drafts"] == 0 and report["sync"] and not (tmp_path / "exp" / "draft").exists()


def test_corrections_of_drafts_win(aligned, tmp_path):
    _, folder, _, _ = aligned
    rows = [
        s._replace(start=s.start + 0.03, end=s.end + 0.03)
        for s in read_ctm(folder / "data" / "align.ctm")["toy_001"]
    ]
    rows = [s for s in rows if s.label != "pau"]
    seconds = DataDir.read(folder / "data").duration("toy_001")
    write_textgrid(tmp_path / "corrections" / "toy_001.TextGrid", {"phones": rows}, seconds)
    dataclasses.replace(DataDir.read(folder / "data"), labels={}).write(tmp_path / "data")
    run(tmp_path / "data", tmp_path / "exp", corrections=tmp_path / "corrections")
    made = DataDir.read(tmp_path / "exp" / "draft" / "data")
    assert [round(s.start, 6) for s in made.labels["toy_001"][1:-1]] == [round(s.start, 6) for s in rows]
    vowel = next(s for s in made.labels["toy_001"] if s.label in "aiueo")
    assert made.scores["toy_001"].notes[1].start == vowel.start


def test_an_aligner_starts_from_the_draft(tmp_path):
    pytest.importorskip("viter", reason="needs the embedded aligner: pip install 'nnsvs_lite[viter]'")
    truth = make_corpus(tmp_path / "data", 8, seed=5)
    dataclasses.replace(truth, scores={}).write()
    config = AlignConfig(backend="viter", refine=RefineConfig(iterations=5, start="aligner"))
    report, _ = run(tmp_path / "data", tmp_path / "exp", config, realign=True)
    assert report["aligner"]["within_50ms"] >= 0.6 and report["refined"]["within_20ms"] >= 0.95
    alone = dataclasses.replace(config, refine=RefineConfig(enabled=False))
    report, _ = run(tmp_path / "data", tmp_path / "alone", alone, realign=True)
    assert report["refined"] is None and report["used"]["n_onsets"] == report["aligner"]["n_onsets"] > 100
    assert validate(tmp_path / "alone" / "draft" / "data") == []


def test_other_lyrics_than_those_that_are_sung_are_kept_out(tmp_path):
    data = make_corpus(tmp_path / "data", 14, seed=1, notes=8)
    wrong = {"toy_003": data.text["toy_009"], "toy_007": " ".join(data.text["toy_007"].split()[:4])}
    data.text.update(wrong)
    lyrics_only(data)
    report, _ = run(tmp_path / "data", tmp_path / "exp")
    kept = {utt for utt, row in report["utterances"].items() if not row["rejected"]}
    assert kept.isdisjoint(wrong) and len(kept) >= 11


def test_lyrics_that_cannot_be_aligned_are_all_named(tmp_path):
    data = make_corpus(tmp_path / "data", 4, notes=3)
    data.text["toy_000"] = "か q9%"
    data.text["toy_001"] = "。"
    del data.text["toy_002"]
    lyrics_only(data)
    lines: list[str] = []
    with pytest.raises(DataError, match="3 faults in lyrics and scores"):
        align([tmp_path / "data"], CONFIG, tmp_path / "exp", say=lines.append)
    assert lines[0].startswith("toy_000: cannot read 'q9%'") and "toy_001: the score is empty" in lines[1]
    assert lines[2] == "toy_002: has no score, and no line in text or in utt2lang"
    assert not (tmp_path / "exp").exists()


def test_real_singing_is_aligned_by_its_lyrics(shared_data, tmp_path):
    prepare(shared_data / "nit_song070", tmp_path / "data", eval_songs=["004"], dev_phrases=1)
    truth = DataDir.read(tmp_path / "data" / "eval")
    dataclasses.replace(truth, scores={}).write()
    report, _ = run(truth.path, tmp_path / "exp", realign=True)
    assert report["refined"]["within_20ms"] >= 0.75 and report["refined"]["n_onsets"] > 80
    drafts = DataDir.read(tmp_path / "exp" / "draft" / "eval")
    pairs = [(sung(drafts.scores[utt]), sung(truth.scores[utt])) for utt in truth.utts]
    same = [a.pitch == b.pitch for one, other in pairs if len(one) == len(other) for a, b in zip(one, other)]
    assert len(same) > 30 and np.mean(same) >= 0.85
