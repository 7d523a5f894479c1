"""The comparison of vocoders: so much CPU time for each, and numbers in the units of their headings."""

import math
import sys

import numpy as np
import pytest
import soundfile
from models_common import ROOT
from toy import make_dump, make_recordings

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.evaluation.results import Run
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.config import Config
from nnsvs_lite.training.data import DumpDataset


@pytest.fixture(scope="module")
def zoo():
    sys.path.insert(0, str(ROOT / "tools"))
    import vocoder_zoo

    return vocoder_zoo


def test_training_ends_with_its_cpu_time_and_what_it_gives_is_measured(zoo, tmp_path):
    dump = make_dump(tmp_path / "dump", {"train": 3, "dev": 1}, mgc=60, notes=(1, 2))
    data = make_recordings(dump, tmp_path / "data")
    options = ["--training.batch_frames=40", "--training.crop_frames=20"]
    config = Config.read(ROOT / "conf" / "vocoder" / "hn_istft_tiny.yaml", options)
    model, spent = zoo.train(config, dump, data, 0.5)
    assert spent["steps"] >= 2 and 0.5 <= spent["train_seconds"] < 5
    assert model.leave[1].weight.abs().max() > 0 and not model.training
    given = {"streams": model.inputs, "score": False, "recordings": DataDir.read(data / "dev")}
    sung = DumpDataset(dump, "dev", Spec.read(dump), **given)
    found = zoo.measure(model, [sung[i] for i in range(len(sung))])
    assert found["parameters"] == sum(p.numel() for p in model.parameters())
    distances = found.pop("log_stft")
    assert list(distances) == [sung[i].utt for i in range(len(sung))]
    assert all(math.isfinite(number) and number > 0 for number in (*found.values(), *distances.values()))


@pytest.mark.slow
def test_what_each_makes_is_scored_and_heard_on_a_page(zoo, tmp_path, monkeypatch, capsys):
    dump = make_dump(tmp_path / "dump", {"train": 2, "dev": 2}, notes=(2, 3))
    data, out = make_recordings(dump, tmp_path / "data"), tmp_path / "zoo"
    words = ["world", "hn@world", "--dump", str(dump), "--data", str(data), "--out", str(out), "--set", "dev"]
    monkeypatch.setattr(sys, "argv", ["vocoder_zoo.py", *words])
    zoo.main()
    told = capsys.readouterr().out
    assert all(f"| `{name}` | WORLD | 1 | 0 | 0 | 0 | " in told for name in ("world", "hn"))
    page = (out / "report" / "index.html").read_text()
    for name in ("natural", "world_seed0", "hn_world_seed0"):
        assert page.count(f'<audio controls preload="none" data-sys="{name}" src="data:audio/') == 2
    # A phrase in which no F0 is found is named in its row, and takes no other with it.
    wav = sorted((out / "hn@world" / "seed0").glob("decode/**/*.wav"))[0]
    samples, rate = soundfile.read(wav)
    soundfile.write(wav, np.full(len(samples), 0.3), rate)
    zoo.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    found = {row[0]: float(row[7]) for row in rows if row[0].startswith("`")}
    assert set(found) == {"`world`", "`hn` (without 1 of 2 phrases)"} and min(found.values()) > 0


def test_a_table_is_of_one_singers_phrases(zoo):
    def run(**errors: float) -> Run:
        return Run("x", {"mcd_db": {utt: np.array([error, 1.0]) for utt, error in errors.items()}})

    measured = {"log_stft": {"a": 0.5, "b": 2.0}, "rtf": 0.02, "rtf_two": 0.01, "parameters": 1200}
    measured |= {"train_seconds": 60.2, "steps": 30, "hears": "mel"}
    better = measured | {"log_stft": {"a": 0.25, "b": 4.0}, "parameters": 0}
    runs = {"vocos_tiny": [(measured, run(a=2.0, b=8.0)), (measured, run(a=3.0, b=9.0))]}
    runs["hn@world"] = [(better, run(a=1.0, b=7.0))]
    lines = zoo.table(runs, run(), "anna", ["a"]).splitlines()
    assert lines[0] == "anna, 1 phrases:"
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]
    assert [row[0] for row in cells[2:]] == ["`hn`", "`vocos_tiny`", "the recording"]
    assert cells[3][2:8] == ["2", "60", "30", "1,200", "0.500 (0.500–0.500)", "2.50 (2.00–3.00)"]
    assert cells[2][6:8] == ["0.250", "1.00"] and cells[2][-2:] == ["0.020", "0.010"]


def test_numbers_of_several_seeds_are_a_mean_and_a_range(zoo):
    assert zoo.spread([1.0], 2) == "1.00" and zoo.spread([1.0, None], 2) == "–"
    assert zoo.spread([1.0, 2.0, 6.0], 1) == "3.0 (1.0–6.0)"
