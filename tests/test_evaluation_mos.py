"""Opinions of waveforms as networks predict them."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from test_evaluation_evaluate import corpus, decode, score  # noqa: F401

from nnsvs_lite.bin.main import main
from nnsvs_lite.evaluation import others, scoring
from nnsvs_lite.evaluation.reference import Utterance


def test_opinions_stand_beside_the_recordings_own(corpus, tmp_path, monkeypatch):  # noqa: F811
    """Two predictors that say how loud and how long a waveform is."""
    heard = (lambda wave: 1 + np.abs(wave).max(), lambda wave: len(wave) / others.MOS_RATE)
    monkeypatch.setattr(others, "predictors", lambda: heard)
    model = decode(corpus, tmp_path / "model", lambda utt, wave: 0.5 * wave)
    _, results = score(corpus, tmp_path, "--mos", model=model)
    assert results["model"]["distillmos"] - 1 == pytest.approx(
        0.5 * (results["natural"]["distillmos"] - 1), rel=0.01
    )
    assert results["model"]["dnsmos"] == pytest.approx(results["natural"]["dnsmos"], rel=0.01)
    assert "| DistillMOS" in (tmp_path / "RESULTS.md").read_text()


def test_opinions_without_their_packages_or_recordings_are_refused(corpus, tmp_path, monkeypatch, capsys):  # noqa: F811
    model = decode(corpus, tmp_path / "model")
    monkeypatch.setitem(sys.modules, "distillmos", None)
    others.predictors.cache_clear()
    assert score(corpus, tmp_path, "--mos", model=model) == (1, {})
    assert "pip install 'nnsvs_lite[mos]'" in capsys.readouterr().err.splitlines()[-1]
    words = ["evaluate", "--dump", str(corpus / "dump"), "--system", f"model={model}", "--mos"]
    assert main([*words, "--out", str(tmp_path / "r.json")]) == 1
    assert "--mos needs --data" in capsys.readouterr().err


def test_opinions_of_the_real_networks():
    """Noise is worse than a voice-like sound; needs the extra ``mos``."""
    if find_spec("distillmos") is None or find_spec("speechmos") is None:
        pytest.skip("the extra mos is not installed")
    rng, time = np.random.default_rng(0), np.arange(4 * others.MOS_RATE) / others.MOS_RATE
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.7 * time)
    tone = sum(0.3 / k * np.sin(2 * np.pi * 220 * k * time) for k in range(1, 12)) * swell
    noise = 0.2 * rng.standard_normal(len(time))
    for clear, noisy in zip(others.opinions(0.5 * tone), others.opinions(0.5 * tone + noise)):
        assert 1 <= noisy < clear <= 5


def test_how_the_recording_moves_is_found_once_for_all_systems(corpus, tmp_path, monkeypatch):  # noqa: F811
    found, utterances = Utterance.liveliness, []

    def counted(self, *words):
        utterances.append(self.utt)
        return found(self, *words)

    monkeypatch.setattr(Utterance, "liveliness", counted)
    scoring._recorded_liveliness.cache_clear()
    systems = {name: decode(corpus, tmp_path / name) for name in ("model", "rule")}
    _, results = score(corpus, tmp_path / "out", **systems)
    assert results["rule"]["mcd_db"] == results["model"]["mcd_db"]
    assert {utterances.count(utt) for utt in utterances} == {3}, "two systems and the recording"
