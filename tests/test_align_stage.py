"""Stage 1 as a whole, on a toy singer."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import soundfile
from align_corpus import RATE, make_corpus, sing

from nnsvs_lite.align.config import AlignConfig, RefineConfig
from nnsvs_lite.align.report import report_text
from nnsvs_lite.align.stage import align
from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.atomic import read_lines
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import read_textgrid, write_textgrid
from nnsvs_lite.score.types import Score

pytest.importorskip("viter", reason="needs the embedded aligner: pip install 'nnsvs_lite[viter]'")
CONFIG = AlignConfig(refine=RefineConfig(iterations=5))
VITER = AlignConfig(backend="viter", refine=RefineConfig(iterations=5, start="aligner"))


def run(data, out, config=CONFIG, **options):
    lines: list[str] = []
    report = align([data], config, out, say=lines.append, **options)
    return report, lines


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """(data dir, out, report, lines) of a corpus without labels; its truth is in truth.ctm."""
    folder = tmp_path_factory.mktemp("stage")
    make_corpus(folder / "data", 8)
    (folder / "data" / "label.ctm").rename(folder / "truth.ctm")
    report, lines = run(folder / "data", folder / "exp")
    return folder / "data", folder / "exp", report, lines


def test_labels_are_made_where_there_are_none(aligned):
    data, out, report, lines = aligned
    truth, made = read_ctm(data.parent / "truth.ctm"), read_ctm(data / "align.ctm")
    assert sorted(made) == sorted(truth) and report["n_rejected"] == 0
    errors = [abs(a.start - b.start) for u in truth for a, b in zip(made[u], truth[u])]
    assert np.median(errors) <= 0.006 and np.mean(np.array(errors) <= 0.02) >= 0.95
    scores = DataDir.read(data).scores
    assert all([s.label for s in made[u]] == scores[u].phones for u in made)
    assert validate(data) == []


def test_what_is_written(aligned):
    data, out, report, lines = aligned
    saved = json.loads((out / "report.json").read_text())
    assert saved == json.loads(json.dumps(report)) and saved["refined"] is None
    assert (out / "rejected").read_text() == ""
    assert "8 utterances" in (out / "report.txt").read_text()
    made = read_ctm(data / "align.ctm")["toy_003"]
    grid = read_textgrid(out / "textgrids" / "toy_003.TextGrid")
    assert [(s.start, s.end) for s in grid] == [(s.start, s.end) for s in made]
    words = read_textgrid(out / "textgrids" / "toy_003.TextGrid", "words")
    score = DataDir.read(data).scores["toy_003"]
    assert [w.label for w in words if w.label] == [n.lyric for n in score.notes if n.lyric]


def test_kept_utterances_with_doubtful_lyrics_are_named(aligned):
    _, out, report, _ = aligned
    rows = json.loads((out / "report.json").read_text())
    assert "other lyrics" not in report_text(rows, {})
    rows["utterances"]["toy_003"]["vowels"] = 0.58
    rows["utterances"]["toy_004"] |= {"vowels": 0.3, "rejected": "for some reason"}
    assert (
        "1 that are kept may have other lyrics (vowels that sound like others):\n  toy_003: 42%\n"
        in report_text(rows, {})
    )


def test_run_again_it_does_nothing(aligned):
    data, out, report, _ = aligned
    before = (data / "align.ctm").stat().st_mtime_ns
    again, lines = run(data, out)
    assert lines == ["alignment is up to date"] and again["n_utts"] == report["n_utts"]
    assert (data / "align.ctm").stat().st_mtime_ns == before


def test_a_lost_result_is_made_again_alike(aligned):
    data, out, _, _ = aligned
    whole = (data / "align.ctm").read_bytes()
    (data / "align.ctm").unlink()
    _, lines = run(data, out)
    assert (data / "align.ctm").read_bytes() == whole
    # Jobs and an empty work folder change nothing.
    shutil.rmtree(out)
    run(data, out, jobs=2)
    assert (data / "align.ctm").read_bytes() == whole


def test_corrections_win_and_survive(aligned, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(aligned[0], data)
    out = tmp_path / "exp"
    shutil.copytree(aligned[1], out)
    rows = [s for s in read_ctm(data / "align.ctm")["toy_001"] if s.label != "pau"]
    rows = [Segment(s.start + 0.1, s.end + 0.1, s.label) for s in rows]
    end = DataDir.read(data).duration("toy_001")
    write_textgrid(tmp_path / "corrections" / "toy_001.TextGrid", {"phones": rows}, end)
    for _ in range(2):
        report, _ = run(data, out, corrections=tmp_path / "corrections")
        made = read_ctm(data / "align.ctm")["toy_001"]
        assert [round(s.start, 6) for s in made[1:-1]] == [round(s.start, 6) for s in rows]
        assert report["utterances"]["toy_001"]["remarks"] == ["mended by hand"]
        (data / "align.ctm").unlink()


def test_labels_that_come_with_a_corpus_are_used(tmp_path, capsys, monkeypatch):
    make_corpus(tmp_path / "data", 2, notes=3)
    (tmp_path / "data" / "align.ctm").write_text("stale")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("backend: viter\n")
    assert main(["align", "--data", "data", "--config", "c.yaml", "--out", "exp"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    assert said == ["the corpus comes with labels (label.ctm), they are used; --realign true aligns anyway"]
    assert not (tmp_path / "data" / "align.ctm").exists() and not (tmp_path / "exp").exists()


def test_realign_compares_with_the_given_labels(tmp_path):
    make_corpus(tmp_path / "data", 6, seed=3)
    report, lines = run(tmp_path / "data", tmp_path / "exp", VITER, realign=True)
    for name in ("aligner", "refined"):
        assert {"n_onsets", "median_ms", "mean_ms", "within_20ms", "within_50ms"} <= set(report[name])
    assert report["refined"]["within_20ms"] >= 0.9 > report["aligner"]["within_20ms"]
    assert report["error_rate_20ms"] == pytest.approx(1 - report["refined"]["within_20ms"])
    assert any(line.startswith("refined") for line in lines)
    assert any("40.3 / 20.9 / 18.6" in line and "other data" in line for line in lines)


def test_lyrics_without_pronunciation_stop_it_before_anything_runs(tmp_path):
    data = make_corpus(tmp_path / "data", 2, notes=3)
    notes = list(data.scores["toy_001"].notes)
    notes[2] = dataclasses.replace(notes[2], phones=(), lyric="?!")
    data.scores["toy_001"] = Score(tuple(notes))
    data.labels = {}
    data.write()
    lines = []
    with pytest.raises(DataError, match="1 faults in lyrics and scores"):
        align([tmp_path / "data"], CONFIG, tmp_path / "exp", say=lines.append)
    assert lines == ["toy_001: measure 1, beat 3: lyric '?!' has no pronunciation"]
    assert not (tmp_path / "exp").exists()


def test_a_breath_that_the_score_lacks_becomes_a_rest(tmp_path):
    data = make_corpus(tmp_path / "data", 8, seed=2)
    rng = np.random.default_rng(3)
    notes = list(data.scores["toy_004"].notes)
    # Sung with a rest of 0.25 s after the third note, at whose expense it is.
    third = notes[3]
    middle = round(third.start + 0.25, 3)
    longer = [n if n.start <= third.start else _later(n, 0.25) for n in notes]
    longer[3:4] = [
        dataclasses.replace(third, end=middle),
        dataclasses.replace(third, start=middle, end=third.end + 0.25, pitch=0, lyric="", phones=("pau",)),
    ]
    audio, truth = sing(Score(tuple(longer)), rng)
    soundfile.write(data.wavs["toy_004"], audio, RATE)
    lacking = [n for n in longer if n.phones != ("pau",) or n in (longer[0], longer[-1])]
    lacking[3] = dataclasses.replace(lacking[3], end=lacking[4].start)
    data.scores["toy_004"] = Score(tuple(lacking))
    data.labels = {}
    data.write()
    before = (tmp_path / "data" / "score").read_bytes()
    run(tmp_path / "data", tmp_path / "exp")
    made, scores = read_ctm(tmp_path / "data" / "align.ctm"), DataDir.read(tmp_path / "data").scores
    assert [s.label for s in made["toy_004"]].count("br") == 1 and len(made) == 8
    assert all([s.label for s in made[u]] == scores[u].phones for u in made)
    breath = next(s for s in made["toy_004"] if s.label == "br")
    rest = next(s for s in truth[1:-1] if s.label == "pau")
    assert breath.start == pytest.approx(rest.start, abs=0.05) and breath.end == pytest.approx(
        rest.end, abs=0.05
    )
    assert (tmp_path / "data" / "given" / "score").read_bytes() == before
    assert validate(tmp_path / "data") == []
    _, lines = run(tmp_path / "data", tmp_path / "exp")
    assert lines == ["alignment is up to date"]


def _later(note, seconds):
    return dataclasses.replace(note, start=round(note.start + seconds, 3), end=round(note.end + seconds, 3))


def test_without_aligner_and_refinement_there_is_nothing_to_do(tmp_path):
    make_corpus(tmp_path / "data", 1, notes=3)
    config = AlignConfig("score", refine=RefineConfig(enabled=False))
    with pytest.raises(DataError, match="without an aligner .* nothing is aligned"):
        run(tmp_path / "data", tmp_path / "exp", config, realign=True)


def test_refinement_can_be_switched_off(tmp_path):
    make_corpus(tmp_path / "data", 4, seed=3, notes=5)
    config = AlignConfig("viter", refine=RefineConfig(enabled=False), pieces=0)
    report = align([tmp_path / "data"], config, tmp_path / "exp", realign=True, say=lambda line: None)
    assert report["refined"] is None and report["aligner"]["n_onsets"] > 0
    assert report["used"] == report["aligner"]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """The report on a corpus in which seven phrases are wrong, each in its own way."""
    folder = tmp_path_factory.mktemp("faulty")
    data = make_corpus(folder / "data", 16, seed=1, notes=8)
    (folder / "data" / "label.ctm").rename(folder / "truth.ctm")
    data.labels = {}
    rng = np.random.default_rng(9)

    def notes(utt):
        return list(data.scores[utt].notes)

    # The lyrics of another phrase.
    other = [n for n in notes("toy_010") if n.phones != ("pau",)]
    mine = notes("toy_000")
    for i, n in enumerate(other):
        mine[i + 1] = dataclasses.replace(mine[i + 1], phones=n.phones, lyric=n.lyric)
    data.scores["toy_000"] = Score(tuple(mine))
    # The score lacks a syllable that is sung: its note is given to the one before.
    mine = notes("toy_001")
    at = next(i for i in range(3, 8) if mine[i].phones[0] != mine[i - 1].phones[-1])
    mine[at - 1 : at + 1] = [dataclasses.replace(mine[at - 1], end=mine[at].end)]
    data.scores["toy_001"] = Score(tuple(mine))
    # The recording lacks a syllable: it is sung without the fifth note.
    full = data.scores["toy_002"].notes
    gone = full[5].duration
    left = [*full[:5], *(dataclasses.replace(n, start=n.start - gone, end=n.end - gone) for n in full[6:])]
    soundfile.write(data.wavs["toy_002"], sing(Score(tuple(left)), rng)[0], RATE)
    # Silence instead of singing.
    length = round(data.scores["toy_003"].duration * RATE)
    soundfile.write(data.wavs["toy_003"], 1e-4 * rng.standard_normal(length), RATE)
    # The score a semitone, and a bar, off.
    up = [dataclasses.replace(n, pitch=n.pitch and n.pitch + 1) for n in notes("toy_004")]
    data.scores["toy_004"] = Score(tuple(up))
    first, *rest = notes("toy_005")
    late = [dataclasses.replace(n, start=n.start + 1.6, end=n.end + 1.6) for n in rest]
    data.scores["toy_005"] = Score((dataclasses.replace(first, end=first.end + 1.6), *late))
    # A fragment of the recording.
    audio, rate = data.audio("toy_006")
    soundfile.write(data.wavs["toy_006"], audio[: round(0.3 * rate)], rate)
    data.write()
    report, _ = run(folder / "data", folder / "exp")
    rejected = dict(line.split(" ", 1) for line in (folder / "exp" / "rejected").read_text().splitlines())
    return folder / "data", report, rejected


@pytest.mark.parametrize(
    ("utt", "fault", "reason"),
    [
        ("toy_000", "the lyrics of another phrase", "lyrics and recording do not match"),
        ("toy_001", "a syllable missing in the score", ""),
        ("toy_002", "a syllable missing in the recording", ""),
        ("toy_003", "silence", "voiced"),
        ("toy_006", "a fragment", "0.30 s are too short for"),
    ],
)
def test_faults_are_flagged_and_kept_out(faulty, utt, fault, reason):
    data, report, rejected = faulty
    assert utt in rejected and reason in rejected[utt]
    assert utt not in read_ctm(data / "align.ctm")
    assert report["utterances"][utt]["rejected"] == rejected[utt]


@pytest.mark.parametrize(
    ("utt", "remark"),
    [
        ("toy_004", "sung -1 semitones from the score, which was transposed"),
        ("toy_005", "the recording is -1.60 s from the score, which was moved"),
    ],
)
def test_what_is_the_same_all_along_is_mended(faulty, utt, remark):
    data, report, rejected = faulty
    assert utt not in rejected
    (said,) = report["utterances"][utt]["placed"]
    assert said[:20] == remark[:20] and said.endswith(remark[-20:])
    truth, made = read_ctm(data.parent / "truth.ctm")[utt], read_ctm(data / "align.ctm")[utt]
    errors = [abs(a.start - b.start) for a, b in zip(made, truth)]
    assert np.mean(np.array(errors) <= 0.02) >= 0.9
    given, now = DataDir.read(data / "given").scores[utt], DataDir.read(data).scores[utt]
    change = [b.pitch - a.pitch for a, b in zip(given.notes, now.notes) if a.pitch]
    assert set(change) == {-1 if utt == "toy_004" else 0}
    late = np.array([b.start - a.start for a, b in zip(given.notes, now.notes)][1:])
    assert late == pytest.approx(-1.6 if utt == "toy_005" else 0.0, abs=0.06)


def test_good_phrases_are_kept(faulty):
    data, report, rejected = faulty
    assert [utt for utt in rejected if utt > "toy_006"] == []
    assert report["n_rejected"] == 5 and len(read_ctm(data / "align.ctm")) == 11
    assert all(0.0 <= row["confidence"] <= 1.0 for row in report["utterances"].values())


def test_each_table_is_read_once(tmp_path, monkeypatch):
    """However many utterances there are, so that the time for each does not grow with them."""
    make_corpus(tmp_path / "data", 5, notes=3)
    opened: list[str] = []

    def reading(path):
        opened.append(str(path))
        return read_lines(path)

    monkeypatch.setattr("nnsvs_lite.io.tables.read_lines", reading)
    config = AlignConfig(refine=RefineConfig(iterations=1))
    align([tmp_path / "data"], config, tmp_path / "exp", realign=True, say=lambda line: None)
    assert {"wav.scp", "utt2spk", "score", "label.ctm"} <= {name.rpartition("/")[2] for name in opened}
    assert len(opened) == len(set(opened))
