"""A bank of a voice that a recipe trained, from the virtual singer's recordings at 44.1 kHz."""

import importlib.util
import os
import subprocess

import pytest
from models_common import ROOT

from nnsvs_lite.bin.main import main

pytest.importorskip("onnx", reason="needs onnx: pip install nnsvs_lite[export]")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pysinsy") is None, reason="needs pysinsy")
def test_a_voice_of_the_recipe_becomes_a_bank_that_sings_in_tune(tmp_path, capsys):
    places = {"db-root": "downloads", "datadir": "data", "dumpdir": "dump", "expdir": "exp", "logdir": "log"}
    options = [word for name, place in places.items() for word in (f"--{name}", str(tmp_path / place))]
    options += ["--local-data-opts", "--sample-rate 44100 --etudes 6", "--features-config", "mel_44k"]
    options += ["--timelag-config", "rule", "--duration-config", "rule", "--vocoder-config", "hn"]
    options += ["--acoustic-config", "divided_singer_tiny", "--acoustic-args", "--training.epochs 2"]
    command = [
        "./run.sh",
        "--stage",
        "0",
        "--stop-stage",
        "5",
        "--results-md",
        str(tmp_path / "R.md"),
        *options,
    ]
    done = subprocess.run(
        command,
        cwd=ROOT / "egs" / "demo" / "svs1",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    voice, bank = tmp_path / "exp" / "acoustic_divided_singer_tiny_mel_44k", tmp_path / "voice.zip"
    assert main(["export", str(voice), "-o", str(bank), "--name", "demo"]) == 0
    said = capsys.readouterr().out
    cents = float(said.partition(" notes, ")[2].partition(" cents")[0])
    assert abs(cents) < 10, said
    assert main(["export", "--check", str(bank)]) == 0
    assert "0 faults" in capsys.readouterr().out
