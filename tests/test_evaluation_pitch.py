"""Recipes pitch1: corpora whose pitch is known, trackers, scores."""

import os
import subprocess
import sys
from pathlib import Path

import corpora_pitched
import numpy as np
import pytest
import soundfile
from corpora_pitched import HOP, TUNES, hz, notes, pitch_at
from features_corpus import tone
from models_common import ROOT

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpora.truths import prepare_truths
from nnsvs_lite.corpus.facts import known_corpora, read_facts
from nnsvs_lite.corpus.fetch import check_copy
from nnsvs_lite.corpus.truth import KnownPitch, hertz, read_truths
from nnsvs_lite.evaluation import pitch
from nnsvs_lite.features import f0 as f0_module
from nnsvs_lite.features.f0 import at_times
from nnsvs_lite.io.errors import DataError

NAMES = known_corpora("pitch1")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepares a corpus once: its folder of truths, and its copy."""
    done = {}

    def get(name):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            root = corpora_pitched.make(name, folder / "db")
            prepare_truths(name, root, folder / "data")
            done[name] = folder / "data", root
        return done[name]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_copy_becomes_truths(name, prepared):
    folder, root = prepared(name)
    facts = read_facts(name)
    wavs, truths = read_truths(folder)
    assert len(truths) == (2 if name in ("tonas", "mir1k") else 3) and wavs.keys() == truths.keys()
    assert (folder / "LICENSE").read_text() == facts.notice and not (folder / "refused.txt").read_text()
    assert prepare_truths(name, root, folder) == f"{folder} is up to date"
    assert check_copy(facts, root)[0].endswith(f"{len(truths)} songs, 0 that lack a file") or name == "tonas"


def test_tables_of_vocadito(prepared):
    wavs, truths = read_truths(prepared("vocadito")[0])
    assert list(truths) == ["vocadito_S1_1", "vocadito_S1_17", "vocadito_S2_2"]
    one, two = truths["vocadito_S1_1"], truths["vocadito_S2_2"]
    assert (one.singer, one.group, two.group) == ("vocadito_S1", "Tagalog", "French+English")
    times = np.arange(len(one.f0)) * HOP
    assert np.allclose(one.f0[:, 0], times) and np.allclose(one.f0[:, 1], hz(pitch_at(TUNES["1"], times)))
    assert np.allclose(
        one.notes["A1"], [(a, a + s, hz(np.array(p))) for a, s, p in notes(TUNES["1"])], atol=1e-3
    )
    assert len(one.notes["A2"]) == 4 and one.notes["A2"][1, 0] == pytest.approx(0.45)
    assert wavs["vocadito_S1_17"].name == "vocadito_17.wav"


def test_tables_of_tonas(prepared):
    """Notes are above the tuning of their file: 57 at 43 cents is 220 Hz and 43 cents."""
    _, truths = read_truths(prepared("tonas")[0])
    truth = truths["tonas_AMairena_01-D_AMairena_Deblas"]
    assert truth.group == "Deblas" and list(truth.notes) == ["corrected"]
    assert truth.notes["corrected"][0, 2] == pytest.approx(220 * 2 ** (43 / 1200), abs=1e-3)
    # The column that people corrected, not the program's, which is an octave higher.
    assert truth.f0[:, 1].max() == pytest.approx(hz(np.array(62)) * 2 ** (43 / 1200), abs=1e-3)


def test_tables_of_mir1k(prepared):
    """The right channel alone; frames are timed by their middles."""
    folder, _ = prepared("mir1k")
    wavs, truths = read_truths(folder)
    truth = truths["mir1k_abjones_abjones_1_01"]
    assert truth.f0[:3, 0] == pytest.approx([0.02, 0.04, 0.06]) and not truth.notes
    assert set(np.round(truth.f0[:, 1], 2)) == {0.0, *np.round(hertz(np.array(TUNES["1"])), 2)}
    x, rate = soundfile.read(wavs["mir1k_abjones_abjones_1_01"])
    assert x.ndim == 1 and rate == 16000 and np.abs(x[: int(0.19 * rate)]).max() < 1e-3


def test_tables_of_vocalset(prepared):
    """Neither F0 nor notes; the technique is the second folder, where there are two."""
    _, truths = read_truths(prepared("vocalset")[0])
    assert [t.group for t in truths.values()] == ["belt", "vibrato", ""]
    assert all(t.f0 is None and not t.notes for t in truths.values())
    assert {t.singer for t in truths.values()} == {"vocalset_female1", "vocalset_male2"}


def _write(path, text):
    path.write_text(text)


FAULTS = [
    (
        "vocadito",
        lambda top: _write(top / "Annotations/Notes/vocadito_2_notesA1.csv", "0.2,440,0\n"),
        "note 1: ",
    ),
    (
        "vocadito",
        lambda top: _write(top / "Annotations/F0/vocadito_2_f0.csv", "0,0\n0,0\n"),
        "frame 2: its time",
    ),
    (
        "vocadito",
        lambda top: _write(top / "Annotations/F0/vocadito_2_f0.csv", "0,0\n1;2\n"),
        "2 numbers are expected",
    ),
    (
        "vocadito",
        lambda top: _write(top / "vocadito_metadata.csv", "track_id,singer_id\n1,S1\n"),
        "has no line with",
    ),
    (
        "vocadito",
        lambda top: (top / "Annotations/Notes/vocadito_2_notesA2.csv").unlink(),
        "no Annotations/Notes/",
    ),
    (
        "tonas",
        lambda top: _write(top / "tonas/Deblas/01-D_AMairena.notes.Corrected", "x\n"),
        "tuning in cents",
    ),
    ("mir1k", lambda top: _write(top / "MIR-1K/PitchLabel/amy_10_02.pv", ""), "holds no numbers"),
    (
        "mir1k",
        lambda top: _write(top / "MIR-1K/PitchLabel/amy_10_02.pv", "440\n"),
        "F0 of .* is another unit meant",
    ),
    (
        "mir1k",
        lambda top: soundfile.write(top / "MIR-1K/Wavfile/amy_10_02.wav", np.zeros(9), 16000),
        "1 channels",
    ),
    (
        "vocalset",
        lambda top: corpora_pitched.write_wav(
            top / "VocalSet1-2/data_by_singer/male2/excerpts/m2_long_forte_a.wav", np.zeros(99), 8000
        ),
        "has the name of",
    ),
]


@pytest.mark.parametrize(("name", "seed", "said"), FAULTS, ids=[said for _, _, said in FAULTS])
def test_a_fault_is_named_and_touches_nothing_else(name, seed, said, tmp_path, prepared):
    root = corpora_pitched.make(name, tmp_path / "db")
    seed(root)
    with pytest.raises(DataError, match=f"{said}.*--bad-songs leave-out goes on without"):
        prepare_truths(name, root, tmp_path / "none")
    assert not (tmp_path / "none" / "wav.scp").exists()
    if "metadata" in said or "no line" in said:
        return
    prepare_truths(name, root, tmp_path / "out", "leave-out")
    _, sound = read_truths(prepared(name)[0])
    _, found = read_truths(tmp_path / "out")
    assert len(found) == len(sound) - (name != "vocalset")
    for utt, truth in found.items():
        assert truth.group == sound[utt].group and truth.notes.keys() == sound[utt].notes.keys()
        assert truth.f0 is None or np.array_equal(truth.f0, sound[utt].f0)


def test_unknown_corpora_are_named(tmp_path):
    with pytest.raises(DataError, match="no corpus 'vocaditto' .*did you mean 'vocadito'"):
        prepare_truths("vocaditto", tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match="vocadito_{song}.wav.* are expected; get it from"):
        prepare_truths("vocadito", tmp_path / "nowhere", tmp_path / "out")


def test_f0_at_other_times():
    times, f0 = np.array([0.0, 0.1, 0.2, 0.3]), np.array([100.0, 400.0, 0.0, 200.0])
    wanted = np.array([-0.2, 0.0, 0.05, 0.1, 0.14, 0.16, 0.3, 0.39, 0.5])
    # Halfway between two voiced frames the geometric mean; else as the nearest frame.
    assert np.allclose(at_times(times, f0, wanted), [0, 100, 200, 400, 400, 0, 200, 200, 0])
    assert np.array_equal(at_times(np.zeros(0), np.zeros(0), wanted), np.zeros(9))
    assert np.allclose(at_times(np.array([0.5]), np.array([300.0]), np.array([0.5])), [300.0])


def test_scores_of_frames_agree_with_mir_eval():
    melody = pytest.importorskip("mir_eval.melody")
    rng = np.random.default_rng(0)
    times = np.arange(600) * pitch.SHIFT
    ref = np.where(rng.random(600) < 0.7, 220 * 2 ** rng.uniform(-1, 1, 600), 0.0)
    est = ref * 2 ** rng.choice([0, 0.02, 0.06, 1, -1], 600) * (rng.random(600) < 0.8)
    est = np.where(rng.random(600) < 0.1, 330.0, est)
    vectors = pitch.score_tracks(
        {"a": KnownPitch("s", f0=np.column_stack([times, ref]))}, {"a": est[:, None]}
    )
    told = melody.evaluate(times, ref, times, est)
    for key, name in (
        ("rpa", "Raw Pitch Accuracy"),
        ("rca", "Raw Chroma Accuracy"),
        ("vr", "Voicing Recall"),
        ("vfa", "Voicing False Alarm"),
    ):
        total, count = vectors[key]["a"]
        assert total / count == pytest.approx(told[name], abs=1e-9), key


def test_scores_of_notes():
    pytest.importorskip("mir_eval")
    ref = np.array([[0.0, 0.5, 220.0], [0.5, 1.0, 220.0], [1.0, 2.0, 330.0], [3.0, 4.0, 440.0]])
    # One right, one late by 60 ms, one out of tune by 60 cents, one that ends early; one too many.
    est = np.array(ref)
    est[1, 0], est[2, 2], est[3, 1] = 0.56, 330 * 2 ** (60 / 1200), 3.5
    est = np.vstack([est, [5.0, 6.0, 440.0]])
    vectors = pitch.score_notes({"a": ref, "b": ref[:0], "c": ref}, {"a": est, "b": ref[:0]})
    found = {m.key: [vectors[m.key][utt][0] for utt in "abc"] for m in pitch.NOTES}
    # F1 is twice what is right by the notes of both.
    assert found["con"] == pytest.approx([2 * 3 / 9, 1.0, 0.0])
    assert found["conp"] == pytest.approx([2 * 2 / 9, 1.0, 0.0])
    assert found["conpoff"] == pytest.approx([2 * 1 / 9, 1.0, 0.0])


@pytest.mark.parametrize("tracker", pitch.TRACKERS)
def test_trackers_find_a_tone(tracker, tmp_path):
    if f0_module.lacking(tracker):
        pytest.skip(f0_module.lacking(tracker))
    x = np.concatenate([np.zeros(4410), tone(60, 1.0, 44100, harmonics=8), np.zeros(4410)])
    corpora_pitched.write_wav(tmp_path / "x.wav", x, 44100)
    (tmp_path / "wav.scp").write_text(f"a_x {tmp_path}/x.wav\n")
    (tmp_path / "utt2spk").write_text("a_x a\n")
    assert pitch.track_recordings(tmp_path, tmp_path / "exp", [tracker]) == (True, [])
    f0, heard = pitch.tracked(tmp_path / "exp")
    times = np.arange(0, 1.2, 0.01)
    truth = np.where((times > 0.1) & (times < 1.1), hz(np.full(len(times), 60.0)), 0.0)
    vectors = pitch.score_tracks({"a_x": KnownPitch("a", f0=np.column_stack([times, truth]))}, f0[tracker])
    values = {m.key: m.pool(list(vectors[m.key].values())) for m in pitch.FRAMES}
    assert values["rpa"] > 0.95 and values["f0_cents"] < 5 and values["vuv_error"] < 0.15
    (note,) = heard[tracker]["a_x"]
    assert note[0] == pytest.approx(0.1, abs=0.05) and note[2] == pytest.approx(261.63, rel=0.005)


def test_a_tracker_that_is_not_installed_is_skipped(tmp_path, prepared, monkeypatch, capsys):
    folder, _ = prepared("mir1k")
    monkeypatch.setitem(f0_module._PACKAGES, "praat", ("no_such_module", "praat-parselmouth", "pitch"))
    out = str(tmp_path / "exp")
    assert main(["pitch", "track", "--data", str(folder), "--out", out, "--trackers", "praat", "dio"]) == 0
    said = capsys.readouterr().out
    assert "praat is skipped: tracker praat needs the package praat-parselmouth: pip install" in said
    assert list(pitch.tracked(out)[0]) == ["dio"]
    assert main(["pitch", "track", "--data", str(folder), "--out", out, "--trackers", "harvest"]) == 0
    assert list(pitch.tracked(out)[0]) == ["harvest"]
    for limits, said in (("0 900", "--floor"), ("500 100", "--floor"), ("60 9000", "must be at most")):
        words = ["--floor", limits.split()[0], "--ceil", limits.split()[1]]
        assert main(["pitch", "track", "--data", str(folder), "--out", out, *words]) == 1
        assert said in capsys.readouterr().err
    assert main(["pitch", "track", "--data", str(folder), "--out", out, "--trackers", "crepe"]) == 1
    assert "unknown tracker 'crepe'" in capsys.readouterr().err


def test_where_nothing_is_annotated_agreement_is_told(tmp_path, prepared, capsys):
    folder, _ = prepared("vocalset")
    out, table = str(tmp_path / "exp"), tmp_path / "RESULTS.md"
    assert main(["pitch", "track", "--data", str(folder), "--out", out, "--trackers", "harvest", "dio"]) == 0
    command = [
        "pitch",
        "score",
        "--data",
        str(folder),
        "--exp",
        out,
        "--out",
        out,
        "--results-md",
        str(table),
    ]
    assert main(command) == 0
    text = table.read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows] == ["recordings of", "all", "belt", "none", "vibrato"]
    assert all(float(row[2]) > 80 for row in rows[1:]) and "nobody is right" in text
    one, other = {"u": np.array([[100.0], [100], [0], [0]])}, {"u": np.array([[100.0], [110], [90], [0]])}
    assert pitch.agreement({"a": one, "b": other}, ["u"]) == {("a", "b"): pytest.approx(1 / 3)}


def test_a_recipe_from_its_corpus_to_results(tmp_path):
    """Stages -1 to 2 as a user runs them; once more, all is up to date and the table is the same."""
    pytest.importorskip("mir_eval")
    root = corpora_pitched.make("vocadito", tmp_path / "db")
    options = [f"--{name}={tmp_path / name.removesuffix('dir')}" for name in ("datadir", "expdir", "logdir")]
    options += ["--db-root", str(root), "--trackers", "harvest dio", "--nj", "1"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    run = [str(ROOT / "egs" / "vocadito" / "pitch1" / "run.sh"), *options]
    kept = (ROOT / "egs" / "vocadito" / "pitch1" / "RESULTS.md").read_bytes()
    tables = []
    for said in ("F0 is tracked", "F0 is up to date"):
        done = subprocess.run(run, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr
        tables.append((tmp_path / "exp" / "RESULTS.md").read_text())
    assert tables[0] == tables[1] and "--trackers 'harvest dio'" in tables[0]
    assert "3 recordings of 2 singers" in tables[0] and "| annotator A2 |" in tables[0]
    # A table outside --expdir is written on request alone.
    assert (ROOT / "egs" / "vocadito" / "pitch1" / "RESULTS.md").read_bytes() == kept
    rows = [line.split(" | ") for line in tables[0].splitlines() if line.startswith("| harvest")]
    assert float(rows[0][1].split()[0]) > 95 and float(rows[1][2].split()[0]) > 0.9
