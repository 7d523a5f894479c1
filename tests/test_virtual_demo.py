"""The demo corpus as a whole, its data dirs, and the HTS voice alone."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpora.demo import prepare
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.ctm import read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.virtual import demo
from nnsvs_lite.virtual.demo import make_demo_corpus
from nnsvs_lite.virtual.sheets import songs

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pysinsy") is None, reason="needs pysinsy")

# One song for each part keeps this short.
FEW = tuple(sheet for sheet in songs() if sheet.name in ("hotarukoi", "sakura"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "songs", lambda: FEW)
        assert make_demo_corpus(folder, etudes=2, sample_rate=16000)
        assert not make_demo_corpus(folder, etudes=2, sample_rate=16000)
    return folder


def test_what_is_written(corpus):
    parts = read_table(corpus / "parts")
    assert parts == {"etude01": "train", "etude02": "train", "hotarukoi": "dev", "sakura": "eval"}
    phones, f0 = read_ctm(corpus / "truth" / "phones.ctm"), FeatureReader(corpus / "truth" / "f0.scp")
    assert set(phones) == set(f0) == {f"f001_{name}" for name in parts}
    for utt, rows in phones.items():
        wav, rate = soundfile.read(corpus / "wav" / f"{utt}.wav", dtype="int16")
        assert rate == 16000 and wav.ndim == 1
        assert np.abs(wav.astype(int)).max() < 32113
        frames = len(f0[utt])
        assert len(wav) == frames * 80
        assert rows[0].start == 0 and rows[-1].end == pytest.approx(frames * 0.005)
        silent = np.concatenate([np.full(round((r.end - r.start) * 200), r.label == "pau") for r in rows])
        assert (f0[utt][silent, 0] == 0).all()
        lab = (corpus / "lab" / f"{utt}.lab").read_text().splitlines()
        assert [line.split()[2] for line in lab] == [r.label for r in rows]
        assert int(lab[-1].split()[1]) == round(rows[-1].end * 1e7)
    levels = json.loads((corpus / "manifest.json").read_text())["levels_dbfs"].values()
    assert all(-28 < level < -18 for level in levels)
    assert "Nagoya Institute" in (corpus / "LICENSE").read_text()
    onsets = [line.split() for line in (corpus / "truth" / "onsets").read_text().splitlines()]
    vowel_lags = [float(row[5]) - float(row[3]) for row in onsets if float(row[5]) >= 0]
    assert abs(np.median(vowel_lags)) < 0.02


def test_data_dirs(corpus, tmp_path):
    parts = prepare(corpus, tmp_path)
    assert set(parts) == {"train", "dev", "eval"}
    for name, part in parts.items():
        data = DataDir.read(tmp_path / name)
        assert not validate(tmp_path / name)
        assert data.utts == part.utts and set(data.utt2spk.values()) == {"f001"}
        for utt in data.utts:
            assert [label.label for label in data.labels[utt]] == data.scores[utt].phones
        assert "Nagoya Institute" in (tmp_path / name / "LICENSE").read_text()
    with pytest.raises(DataError, match="nnsvs-lite demo-corpus"):
        prepare(tmp_path, tmp_path / "out")


def test_hts_voice_alone(corpus, tmp_path, capsys):
    prepare(corpus, tmp_path / "data")
    out = tmp_path / "hts_voice"
    command = ["demo-corpus", "--hts-voice", str(tmp_path / "data" / "eval"), "--out", str(out)]
    assert main([*command, "--sample-rate", "16000"]) == 0
    data, phones = DataDir.read(tmp_path / "data" / "eval"), read_ctm(out / "pred.ctm")
    assert set(phones) == set(data.utts)
    wavs = read_table(out / "wav.scp")
    for utt in data.utts:
        score = data.scores[utt]
        assert [p.label for p in phones[utt]] == score.phones
        wav, rate = soundfile.read(wavs[utt])
        assert rate == 16000 and len(wav) / rate == pytest.approx(score.duration, abs=0.01)
        # The HMM system has no time lag: notes begin on the beat, consonant first.
        starts = dict(zip(reversed(score.note_index), (p.start for p in reversed(phones[utt]))))
        late = [starts[i] - note.start for i, note in enumerate(score.notes)]
        assert np.abs(late).max() < 0.006
    capsys.readouterr()
    assert main([*command, "--sample-rate", "16000"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_numbers_out_of_range_are_named(tmp_path):
    for options, message in (
        ({"singers": 3}, "--singers"),
        ({"etudes": 0}, "--etudes"),
        ({"etudes": 61}, "--etudes: 1 to 60 are possible, not 61"),
        ({"sample_rate": 96000}, "--sample-rate"),
    ):
        with pytest.raises(DataError, match=message):
            make_demo_corpus(tmp_path / "x", **options)
    assert not (tmp_path / "x").exists()


def test_singers_go_by_name_and_etudes_alone_have_parts_too(tmp_path):
    words = ["demo-corpus", "--out", str(tmp_path), "--speakers", "mei", "mei-deep", "--no-songs"]
    assert main([*words, "--etudes", "3", "--sample-rate", "16000"]) == 0
    parts = read_table(tmp_path / "parts")
    assert parts == {"etude01": "train", "etude02": "dev", "etude03": "eval"}
    singers = ("mei", "mei-deep")
    utts = {f"{singer}_{name}" for singer in singers for name in parts}
    assert {path.stem for path in (tmp_path / "wav").iterdir()} == utts
    waves = [soundfile.read(tmp_path / "wav" / f"{singer}_etude01.wav")[0] for singer in singers]
    means = [np.abs(np.fft.rfft(wave, 1 << 20))[: 1 << 19] for wave in waves]
    centroids = [float((np.arange(1 << 19) * spectrum).sum() / spectrum.sum()) for spectrum in means]
    assert centroids[1] < 0.97 * centroids[0], "a larger head has lower formants"
    dirs = prepare(tmp_path, tmp_path / "data")
    assert set(dirs["train"].utt2spk.values()) == set(singers)
    with pytest.raises(DataError, match="no singer 'mei-dep' \\(did you mean 'mei-deep'"):
        make_demo_corpus(tmp_path / "x", speakers=["mei-dep"])


@pytest.mark.slow
def test_same_seed_same_bytes_for_any_number_of_jobs(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "songs", lambda: FEW)
    contents = []
    for jobs in (1, 2):
        folder = tmp_path / "corpus"
        make_demo_corpus(folder, etudes=3, singers=2, sample_rate=16000, jobs=jobs)
        contents.append(
            {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        )
        (folder / ".done.demo_corpus").unlink()
    assert contents[0].keys() == contents[1].keys()
    assert [name for name in contents[0] if contents[0][name] != contents[1][name]] == []
