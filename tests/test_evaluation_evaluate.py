"""Scoring of decode folders, on sung tones whose answers are known."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from features_corpus import make_corpus, phrase, render, tone

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.evaluation import others
from nnsvs_lite.evaluation.measures import BY_KEY
from nnsvs_lite.evaluation.results import Run
from nnsvs_lite.evaluation.scoring import score_utterance
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.extract import Extraction
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.ctm import Segment, read_ctm, write_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter, read_table, write_table
from nnsvs_lite.report import evaluate
from nnsvs_lite.report.comparison import compare

RATE = 16000
CONFIG = {"sample_rate": RATE, "frame_shift": 0.005, "f0": {"tracker": "dio"}, "world": {"mgc_order": 24}}
TONES = 11
"""Enough phrases that one is called a_001 and another a_010."""


def noise(data: DataDir, utt: str) -> np.ndarray:
    """A noise floor at -60 dB, as a microphone has; without one the top of the spectrum is empty."""
    return 1e-3 * np.random.default_rng(data.utts.index(utt)).standard_normal(len(data.audio(utt)[0]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """``data/`` and ``dump/eval`` of some sung tones."""
    folder = tmp_path_factory.mktemp("evaluation")
    data = make_corpus(folder, n_utts=TONES, rate=RATE)
    for utt, path in data.wavs.items():
        soundfile.write(str(path), data.audio(utt)[0] + noise(data, utt), RATE, subtype="DOUBLE")
    extraction = Extraction(folder / "data", folder / "dump" / "eval", FeatureConfig.from_dict(CONFIG))
    extraction.run_all(1)
    extraction.collect()
    return folder


def decode(corpus: Path, folder: Path, change=None, shift: float = 0.0) -> Path:
    """A decode folder that sings the recordings again, each changed by ``change(utt, wave)``."""
    data = DataDir.read(corpus / "data")
    wavs, ctm = {}, {}
    for utt in data.utts:
        wave, rate = data.audio(utt)
        if change is not None:
            wave = change(utt, wave)
        wavs[utt] = folder / "wav" / f"{utt}.wav"
        wavs[utt].parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(wavs[utt]), wave, rate, subtype="DOUBLE")
        bounds = [0.0, *(s.end + shift for s in data.labels[utt][:-1]), data.labels[utt][-1].end]
        ctm[utt] = [Segment(a, b, s.label) for a, b, s in zip(bounds, bounds[1:], data.labels[utt])]
    write_table(folder / "wav.scp", {utt: str(wav) for utt, wav in wavs.items()})
    write_ctm(folder / "pred.ctm", ctm)
    return folder


def transpose(corpus: Path, semitones: float):
    """Sings every note ``semitones`` higher, with the same spectrum of harmonics."""
    data = DataDir.read(corpus / "data")

    def change(utt: str, wave: np.ndarray) -> np.ndarray:
        out = noise(data, utt)
        for note, label in zip(data.scores[utt].notes, data.labels[utt]):
            if note.pitch:
                first = round(label.start * RATE)
                sound = tone(note.pitch + semitones, label.end - label.start, RATE)
                out[first : first + len(sound)] += sound[: len(out) - first]
        return out

    return change


def score(corpus: Path, out: Path, *words: str, **systems: Path) -> tuple[int, dict]:
    """Runs the program; returns its status and what it wrote."""
    command = ["evaluate", "--dump", str(corpus / "dump"), "--data", str(corpus / "data"), *words]
    for name, path in systems.items():
        command += ["--system", f"{name}={path}"]
    status = main([*command, "--out", str(out / "results.json"), "--results-md", str(out / "RESULTS.md")])
    return status, read_json(out / "results.json") if (out / "results.json").exists() else {}


def test_the_recording_itself_has_no_error(corpus, tmp_path):
    status, results = score(corpus, tmp_path, model=decode(corpus, tmp_path / "model"))
    assert status == 0
    row = results["model"]
    for key in ("mcd_db", "bap_db", "lf0_rmse_cents", "vuv_error", "ffe", "gpe"):
        assert row[key] == pytest.approx(0.0, abs=1e-4), key
    for key in ("onset_mae_ms", "vowel_onset_mae_ms", "phone_duration_mae_ms", "onset_bias_ms"):
        assert row[key] == pytest.approx(0.0, abs=1e-3), key
    for key in ("rpa", "rca", "semitone_accuracy", "f0_correlation", "onset_within_50ms"):
        assert row[key] == pytest.approx(1.0, abs=1e-4), key
    for key in ("slow_f0_rmse_cents", "mgc_modulation_db", "level_rmse_db", "vuv_error_vowel"):
        assert row[key] == pytest.approx(0.0, abs=0.01), key
    for key in ("gv_ratio_c1_24", "gv_held_ratio_c13_24", "level_spread"):
        assert row[key] == pytest.approx(results["natural"][key], abs=1e-3) == pytest.approx(1, abs=1e-3), key
    assert row["in_tune_cents"] < 1.0
    assert row["n_utts"] == TONES and row["failed"] == [] and row["rtf"] is None
    assert results["natural"]["in_tune_cents"] == pytest.approx(row["in_tune_cents"], abs=0.2)
    assert results["natural"]["mcd_db"] is None
    assert list(FeatureReader(tmp_path / "scored" / "model" / "f0.scp")) == DataDir.read(corpus / "data").utts


def test_gain_leaves_mcd_alone(corpus, tmp_path):
    quiet = decode(corpus, tmp_path / "model", lambda utt, wave: 0.5 * wave)
    _, results = score(corpus, tmp_path, model=quiet)
    assert results["model"]["mcd_db"] < 0.1
    assert results["model"]["lf0_rmse_cents"] < 0.1


@pytest.mark.parametrize("semitones", [0.5, 2.0])
def test_transposition_shows_in_cents(corpus, tmp_path, semitones):
    model = decode(corpus, tmp_path / "model", transpose(corpus, semitones))
    _, results = score(corpus, tmp_path, model=model)
    row = results["model"]
    assert row["in_tune_cents"] == pytest.approx(100 * semitones, abs=1.0)
    assert row["lf0_rmse_cents"] == pytest.approx(100 * semitones, abs=5.0)
    assert row["lf0_rmse_cents_ci"][0] <= row["lf0_rmse_cents"] <= row["lf0_rmse_cents_ci"][1]
    if semitones == 2.0:
        assert row["semitone_accuracy"] < 0.03
        assert row["rpa"] < 0.03
        assert row["mcd_db"] > 0.5


def test_an_octave_error_is_not_mended(corpus, tmp_path):
    _, results = score(corpus, tmp_path, model=decode(corpus, tmp_path / "model", transpose(corpus, 12.0)))
    assert results["model"]["in_tune_cents"] == pytest.approx(1200, abs=2.0)
    assert results["model"]["rpa"] < 0.1


def test_sums_of_utterances_pool_to_the_result(corpus, tmp_path):
    """What ``results.json`` keeps of each utterance gives every number of its row again."""
    model = decode(corpus, tmp_path / "model", transpose(corpus, 0.3), shift=0.02)
    _, results = score(corpus, tmp_path, model=model)
    row = results["model"]
    sums = Run.from_json(row, "model", Path("results.json")).sums
    assert {utt for utts in sums.values() for utt in utts} == set(DataDir.read(corpus / "data").utts)
    known = {key for key in row if key in BY_KEY and row[key] is not None}
    assert known <= set(sums) and {BY_KEY[key].group for key in set(sums) - known} <= {"life"}
    for key in set(sums) - known:
        assert BY_KEY[key].pool(list(sums[key].values())) is None, key
    for key, utts in ((key, sums[key]) for key in known):
        assert BY_KEY[key].pool(list(utts.values())) == pytest.approx(row[key], rel=1e-5, abs=1e-6), key
    squared, frames = np.sum(list(sums["lf0_rmse_cents"].values()), axis=0)
    assert row["lf0_rmse_cents"] == pytest.approx(np.sqrt(squared / frames), abs=1e-4)


def test_syllables_have_durations_of_their_own(corpus, tmp_path):
    """One boundary between two notes moved by 40 ms makes one syllable too long and the next too short."""
    model = decode(corpus, tmp_path / "model")
    ctm = read_ctm(model / "pred.ctm")
    for utt, phones in ctm.items():
        middle = phones[1].end + 0.04
        moved = phones[1]._replace(end=middle), phones[2]._replace(start=middle)
        ctm[utt] = [phones[0], *moved, *phones[3:]]
    write_ctm(model / "pred.ctm", ctm)
    _, results = score(corpus, tmp_path, model=model)
    row = results["model"]
    assert row["syllable_duration_mae_ms"] == pytest.approx(80 / 3, abs=0.01)
    assert row["phone_duration_mae_ms"] == pytest.approx(80 / 3, abs=0.01)
    assert row["syllable_within_20ms"] == row["duration_within_20ms"] == pytest.approx(1 / 3)
    assert row["syllable_within_50ms"] == row["duration_within_50ms"] == 1.0


def test_metrics_of_espnet_have_names_of_their_own(corpus, tmp_path):
    model = decode(corpus, tmp_path / "model", transpose(corpus, 1.0))
    status, results = score(corpus, tmp_path, "--espnet", model=model, rule=decode(corpus, tmp_path / "rule"))
    assert status == 0
    assert results["rule"]["espnet_mcd_db"] == pytest.approx(0.0, abs=1e-3)
    assert results["rule"]["espnet_vuv_error"] == 0.0
    assert 1731.234 * results["model"]["espnet_log_f0_rmse"] == pytest.approx(100.0, abs=5.0)
    assert results["model"]["espnet_semitone_accuracy"] < 0.5
    assert "As ESPnet measures" in (tmp_path / "RESULTS.md").read_text()


def test_late_labels_show_as_onset_error(corpus, tmp_path):
    _, results = score(corpus, tmp_path, model=decode(corpus, tmp_path / "model", shift=0.04))
    row = results["model"]
    assert row["onset_mae_ms"] == pytest.approx(40.0)
    assert row["vowel_onset_mae_ms"] == pytest.approx(40.0)
    assert row["onset_bias_ms"] == pytest.approx(40.0)
    assert row["onset_within_50ms"] == 1.0
    # Every boundary moved alike, so only the notes at the edges would change length, and those are rests.
    assert row["phone_duration_mae_ms"] == pytest.approx(0.0, abs=1e-3)


def test_ids_are_paired_whole(corpus, tmp_path):
    """a_001 is a whole tone off; a_010, whose id begins alike, is not."""
    wrong = transpose(corpus, 2.0)
    model = decode(corpus, tmp_path / "model", lambda u, w: wrong(u, w) if u == "a_001" else w)
    _, results = score(corpus, tmp_path, model=model)
    utts = read_json(tmp_path / "scored" / "utterances.json")["systems"]["model"]
    assert [utt for utt, row in utts.items() if row["in_tune_cents"] > 50] == ["a_001"]
    assert results["model"]["in_tune_cents"] < 1.0


def test_high_notes_and_ids_that_begin_alike(tmp_path):
    """Notes from 988 Hz up; utt1 is sung a whole tone low and utt10 is right."""
    scores, labels, wavs = {}, {}, {}
    for utt, pitches in (("utt1", [83, 85, 86]), ("utt10", [84, 86, 83])):
        scores[utt], labels[utt] = phrase(pitches, 0.25, 0.0)
        wavs[utt] = tmp_path / "wav" / f"{utt}.wav"
    spk = dict.fromkeys(wavs, "utt")
    data = DataDir(
        tmp_path / "data", wavs, spk, scores=scores, labels=labels, utt2lang=dict.fromkeys(wavs, "ja")
    )
    data.text = {utt: score.lyrics for utt, score in scores.items()}
    (tmp_path / "wav").mkdir()
    for utt, path in wavs.items():
        rng = np.random.default_rng(len(utt))
        wave = render(scores[utt], labels[utt], RATE)
        soundfile.write(str(path), wave + 1e-3 * rng.standard_normal(len(wave)), RATE, subtype="DOUBLE")
    data.write()
    extraction = Extraction(tmp_path / "data", tmp_path / "dump" / "eval", FeatureConfig.from_dict(CONFIG))
    extraction.run_all(1)
    extraction.collect()
    low = transpose(tmp_path, -2.0)
    model = decode(tmp_path, tmp_path / "model", lambda u, w: low(u, w) if u == "utt1" else w)
    assert score(tmp_path, tmp_path, model=model)[0] == 0
    rows = read_json(tmp_path / "scored" / "utterances.json")["systems"]["model"]
    assert rows["utt1"]["semitone_accuracy"] == pytest.approx(0.0, abs=0.03)
    assert rows["utt1"]["in_tune_cents"] == pytest.approx(200.0, abs=1.0)
    assert rows["utt10"]["semitone_accuracy"] == pytest.approx(1.0, abs=0.01)
    assert rows["utt10"]["in_tune_cents"] < 1.0


def test_a_dump_with_mel_spectra_alone_is_scored_too(corpus, tmp_path):
    """MCD as with a WORLD dump where the recordings are at hand, else none; all else without them."""
    mel = {key: value for key, value in CONFIG.items() if key != "world"} | {"mel": {"fmax": 8000.0}}
    extraction = Extraction(corpus / "data", tmp_path / "dump" / "eval", FeatureConfig.from_dict(mel))
    extraction.run_all(1)
    extraction.collect()
    model = decode(corpus, tmp_path / "model", transpose(corpus, 0.5))
    words = ["evaluate", "--dump", str(tmp_path / "dump"), "--system", f"model={model}"]
    assert main([*words, "--out", str(tmp_path / "alone" / "results.json")]) == 0
    alone = read_json(tmp_path / "alone" / "results.json")["model"]
    assert alone["mcd_db"] is None and alone["bap_db"] is None
    assert alone["lf0_rmse_cents"] == pytest.approx(50.0, abs=5.0)
    assert alone["mel_db"] > 0.1
    out = tmp_path / "with" / "results.json"
    assert main([*words, "--data", str(corpus / "data"), "--out", str(out)]) == 0
    found = read_json(out)["model"]
    _, world = score(corpus, tmp_path / "world", model=model)
    # The default order of 59 is not the 24 of the other dump, so the two are near and not equal.
    assert found["mcd_db"] == pytest.approx(world["model"]["mcd_db"], rel=0.5)
    assert found["lf0_rmse_cents"] == pytest.approx(world["model"]["lf0_rmse_cents"], abs=0.01)
    same = decode(corpus, tmp_path / "same")
    words = ["evaluate", "--dump", str(tmp_path / "dump"), "--system", f"model={same}"]
    assert main([*words, "--data", str(corpus / "data"), "--out", str(out)]) == 0
    row = read_json(out)["model"]
    assert row["mcd_db"] == pytest.approx(0.0, abs=1e-4) and row["mel_db"] == pytest.approx(0.0, abs=1e-4)


def test_what_cannot_be_scored_is_named(corpus, tmp_path, capsys):
    good, model = decode(corpus, tmp_path / "rule"), decode(corpus, tmp_path / "model")
    wav = model / "wav"
    table = read_table(model / "wav.scp")
    del table["a_001"]
    write_table(model / "wav.scp", table)
    (wav / "a_002.wav").unlink()
    soundfile.write(str(wav / "a_003.wav"), np.full(RATE, np.nan), RATE, subtype="DOUBLE")
    soundfile.write(str(wav / "a_004.wav"), np.zeros(0), RATE)
    soundfile.write(str(wav / "a_005.wav"), np.zeros(RATE), RATE)
    (wav / "a_006.wav").write_bytes(b"no audio")
    ctm = read_ctm(model / "pred.ctm")
    del ctm["a_007"]
    first, sung, *rest = ctm["a_008"]
    ctm["a_008"] = [first, sung._replace(label="o"), *rest]
    write_ctm(model / "pred.ctm", ctm)
    status, results = score(corpus, tmp_path, model=model, rule=good)
    error = capsys.readouterr().err
    assert status == 1
    faults = {row["utt"]: row["why"] for row in results["model"]["failed"]}
    reasons = ("no waveform", "cannot be read", "NaN", "no samples", "silent", "cannot be read", "no phone")
    for utt, reason in zip((f"a_00{i}" for i in range(1, 8)), reasons):
        assert reason in faults[utt]
        assert f"model: {utt}: " in error
    assert "sung phone 1 is 'o', the score has 'a'" in faults["a_008"]
    assert len(faults) == 8 and results["model"]["n_utts"] == TONES - 8
    assert results["model"]["mcd_db"] == pytest.approx(0.0, abs=1e-4)
    assert results["rule"]["n_utts"] == TONES
    assert "could not be scored" in (tmp_path / "RESULTS.md").read_text()
    # Not done: the next run tries again.
    assert score(corpus, tmp_path, model=model, rule=good)[0] == 1


def test_another_phrase_and_an_unknown_id_are_faults(corpus, tmp_path, capsys):
    model = decode(corpus, tmp_path / "model", lambda u, w: np.tile(w, 3) if u == "a_002" else w)
    table = read_table(model / "wav.scp")
    write_table(model / "wav.scp", table | {"a_100": table["a_010"]})
    status, results = score(corpus, tmp_path, model=model)
    assert status == 1
    assert [row["utt"] for row in results["model"]["failed"]] == ["a_002", "a_100"]
    assert "not the same phrase" in capsys.readouterr().err


def test_a_difference_in_length_is_reported(corpus, tmp_path, capsys):
    def longer(utt: str, wave: np.ndarray) -> np.ndarray:
        return np.pad(wave, (0, RATE // 5)) if utt == "a_003" else wave

    status, results = score(corpus, tmp_path, model=decode(corpus, tmp_path / "model", longer))
    assert status == 0
    assert list(results["model"]["length_differences_s"]) == ["a_003"]
    assert "a_003: +0.2" in capsys.readouterr().err


def test_a_system_at_another_rate_without_phone_times(corpus, tmp_path):
    model = decode(corpus, tmp_path / "hmm")
    (model / "pred.ctm").unlink()
    from nnsvs_lite.features.audio import resample

    for wav in (model / "wav").glob("*.wav"):
        wave, rate = soundfile.read(wav)
        soundfile.write(wav, resample(wave, rate, 48000), 48000, subtype="DOUBLE")
    status, results = score(corpus, tmp_path, hmm=model)
    assert status == 0
    assert results["hmm"]["onset_mae_ms"] is None
    assert results["hmm"]["mcd_db"] < 1.0
    assert results["hmm"]["lf0_rmse_cents"] < 5.0


def test_results_do_not_depend_on_jobs_and_are_up_to_date(corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where there is no commit to state
    model = decode(corpus, tmp_path / "model", transpose(corpus, 0.3), shift=0.02)
    rule = decode(corpus, tmp_path / "rule", transpose(corpus, 1.0), shift=0.03)
    write_json(
        model / "timing.json", {"audio_seconds": 10.0, "acoustic_seconds": 1.0, "vocoder_seconds": 0.5}
    )
    one, two = tmp_path / "one", tmp_path / "two"
    _, results = score(corpus, one, model=model, rule=rule)
    score(corpus, two, "--nj", "2", model=model, rule=rule)
    for name in ("results.json", "RESULTS.md", "scored/utterances.json", "scored/model/f0.ark"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert results["model"]["rtf"] == pytest.approx(0.15)
    assert list(results) == ["model", "rule", "natural"]
    capsys.readouterr()
    assert score(corpus, one, model=model, rule=rule)[0] == 0
    assert "up to date" in capsys.readouterr().out
    text = (one / "RESULTS.md").read_text()
    assert "`model` against the floor" in text
    assert "+10.0 (+33 %)" in text  # onset: 20 ms against 30 ms
    (one / "RESULTS.md").unlink()
    score(corpus, one, model=model, rule=rule)
    assert (one / "RESULTS.md").read_text() == text


def test_what_trained_a_model_is_told_and_not_what_was_called_last(corpus, tmp_path):
    system = decode(corpus, tmp_path / "sung")
    exp = tmp_path / "exp"
    exp.mkdir()
    told = {"config": "mdn", "options": ["--training.epochs", "2|*"], "seed": 3, "commit": "abc1234"}
    table = tmp_path / "out" / "RESULTS.md"
    words = ["--exp", f"acoustic={exp}", "--command", "./run.sh --seed 9"]
    (exp / "trained.json").write_text(json.dumps(told))
    score(corpus, tmp_path / "out", *words, model=system)
    options = r"--training.epochs 2\x7c\x2a"
    assert f"- acoustic: `mdn` trained with seed 3, `{options}`, at commit abc1234\n" in table.read_text()
    # Another training is another input.
    (exp / "trained.json").write_text(json.dumps(told | {"seed": 4, "options": [], "commit": ""}))
    score(corpus, tmp_path / "out", *words, model=system)
    assert "- acoustic: `mdn` trained with seed 4\n" in table.read_text()


def test_table_and_pages_name_the_vocoders(corpus, tmp_path):
    systems = {name: decode(corpus, tmp_path / name) for name in ("model", "other")}
    write_json(systems["model"] / "vocoder.json", {"class": "Hum", "experiment": "vocoder_hum<b>"})
    out, page = tmp_path / "out", tmp_path / "page.html"
    score(corpus, out, **systems)
    table = (out / "RESULTS.md").read_text()
    assert r" Vocoder of model: Hum of vocoder_hum\x3cb>." in table and "other:" not in table
    known = compare([f"x={out}"]).vocoders
    assert known == {"x/model": "Hum of vocoder_hum<b>", "x/other": "", "natural": ""}
    assert main(["report", "--results", str(out / "results.json"), "--out", str(page)]) == 0
    assert "<li>Vocoder of model: Hum of vocoder_hum&lt;b&gt;</li>" in page.read_text()
    write_json(systems["model"] / "vocoder.json", {"class": ["Hum"]})
    with pytest.raises(DataError, match=r"model/vocoder.json: not what vocoding writes"):
        _ = System("model", systems["model"]).vocoder


def make_truth(corpus: Path, folder: Path) -> Path:
    """A truth that is the labels, and F0 a quarter tone above what was sung."""
    data = DataDir.read(corpus / "data")
    write_ctm(folder / "phones.ctm", data.labels)
    with FeatureWriter(folder, "f0") as writer:
        for utt in data.utts:
            f0 = np.zeros((round(data.labels[utt][-1].end / 0.005) + 1, 1))
            for note, label in zip(data.scores[utt].notes, data.labels[utt]):
                if note.pitch:
                    span = slice(round(label.start / 0.005), round(label.end / 0.005))
                    f0[span] = 440 * 2 ** ((note.pitch + 0.5 - 69) / 12)
            writer.write(utt, f0)
    return folder


def test_known_truth(corpus, tmp_path):
    truth = make_truth(corpus, tmp_path / "truth")
    model = decode(corpus, tmp_path / "model", shift=0.04)
    status, results = score(corpus, tmp_path, "--truth", str(truth), model=model)
    assert status == 0
    assert results["model"]["truth_onset_mae_ms"] == pytest.approx(40.0, abs=0.01)
    assert results["natural"]["truth_onset_mae_ms"] <= 2.5
    for row in results.values():
        assert row["truth_lf0_rmse_cents"] == pytest.approx(50.0, abs=8.0)
    assert "what the virtual singer meant" in (tmp_path / "RESULTS.md").read_text()


def test_the_walk_to_the_numbers_of_an_utterance_is_short(corpus, tmp_path, monkeypatch):
    """From ``evaluate`` to what one utterance adds, with everything on: at most 8 files of the rooms that
    decide it (bin, report, evaluation). Counted are those on the way to the call that scores the
    utterance, and those of every function called in it."""
    files: set[str] = set()

    def entered(frame, event, argument) -> None:
        # What runs once, at import, is no part of the walk.
        if event == "call" and frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    def traced(job):
        frame = sys._getframe()
        while frame := frame.f_back:
            files.add(frame.f_code.co_filename)
        sys.setprofile(entered)
        try:
            return score_utterance(job)
        finally:
            sys.setprofile(None)

    monkeypatch.setattr(evaluate, "score_utterance", traced)
    monkeypatch.setattr(others, "predictors", lambda: (len, len))
    truth = make_truth(corpus, tmp_path / "truth")
    model = decode(corpus, tmp_path / "model")
    status, results = score(corpus, tmp_path, "--truth", str(truth), "--espnet", "--mos", model=model)
    assert status == 0
    assert {"mcd_db", "in_tune_cents", "truth_onset_mae_ms", "espnet_mcd_db"} <= set(results["model"]["sums"])
    package = Path(evaluate.__file__).parents[1]
    walked = {Path(file).relative_to(package) for file in files if Path(file).is_relative_to(package)}
    own = sorted(path.as_posix() for path in walked if path.parts[0] in ("bin", "report", "evaluation"))
    assert own == [
        "bin/main.py",
        "bin/stages.py",
        "evaluation/measures.py",
        "evaluation/others.py",
        "evaluation/reference.py",
        "evaluation/scoring.py",
        "evaluation/system.py",
        "report/evaluate.py",
    ]
    text = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in own)


@pytest.mark.parametrize(
    "words, what",
    [
        (["--system", "model"], "NAME=DIR"),
        (["--system", "../x=exp"], "NAME=DIR"),
        (["--system", "natural=exp"], "recording's own row"),
        (["--system", "model=nowhere"], "no such decode folder"),
        ([], "nothing to score"),
        (["--espnet", "--system", "model=nowhere"], "--espnet needs --data"),
        (["--set", "test", "--system", "model=nowhere"], "no such set"),
        (["--systm", "model=nowhere"], "--system"),
    ],
)
def test_bad_options_are_one_line(corpus, tmp_path, capsys, words, what):
    status = main(["evaluate", "--dump", str(corpus / "dump"), *words, "--out", str(tmp_path / "r.json")])
    error = capsys.readouterr().err
    assert status == 1 and what in error and error.count("\n") == 1
    assert not (tmp_path / "r.json").exists()


def test_an_inconsistent_dump_is_named(corpus, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(corpus / "dump", broken / "dump")
    table = read_table(broken / "dump" / "eval" / "score")
    value = json.loads(table["a_004"])
    value["notes"][1]["phones"] = ["k", "a"]
    write_table(broken / "dump" / "eval" / "score", table | {"a_004": json.dumps(value)})
    model = decode(corpus, tmp_path / "model")
    status = main(
        ["evaluate", "--dump", str(broken / "dump"), "--system", f"model={model}"]
        + ["--out", str(tmp_path / "results.json")]
    )
    assert status == 1
    assert "a_004" in capsys.readouterr().err
