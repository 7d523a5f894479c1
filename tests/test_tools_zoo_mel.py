"""The tool that sets DiffSinger's rows side by side: what of it is not the commands that it calls."""

import pytest
import torch
from models_common import ROOT

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config


@pytest.fixture
def zoo_mel(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import zoo_mel

    return zoo_mel


def test_a_row_says_what_its_sampler_does(zoo_mel):
    told = {
        name: zoo_mel.way(Config.read(ROOT / f"conf/acoustic/{name}.yaml").init_args)
        for name in ("fft_singer", "diffsinger", "diffsinger_pndm", "diffsinger_tiny")
    }
    assert told["fft_singer"] == "none"
    assert told["diffsinger"] == "DDPM, 60 from step 60 of 100"
    assert told["diffsinger_pndm"] == "PLMS, 25"
    assert told["diffsinger_tiny"] == "DDPM, 5 from step 60 of 100"


def test_a_sampler_is_another_and_the_weights_are_not(zoo_mel, toy_mel_dump, tmp_path):
    config = Config.read(ROOT / "conf/acoustic/diffsinger_e2e_tiny.yaml")
    torch.manual_seed(0)
    model = config.build(Spec.read(toy_mel_dump))
    save_model(tmp_path / "model.pt", model, config, {})
    out = zoo_mel.resampled(tmp_path, tmp_path / "other", sampler="plms", sampling_steps=3)
    other = load_model(out, "acoustic")
    assert other.stream.sampling_steps == 3 and other.stream.sampler.__name__ == "plms"
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
    assert zoo_mel.cost(other, toy_mel_dump, 0.1) > 0
