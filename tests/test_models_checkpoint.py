"""Checkpoints hold plain values; anything else is refused in one line and never run."""

import pickle
import sys

import numpy as np
import pytest
import torch
from models_common import ROOT, build, shaken

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import FORMAT, count_parameters, load, load_model, save, save_model
from nnsvs_lite.models.config import Config

CONFIG = ROOT / "conf" / "timelag" / "mdn.yaml"


@pytest.fixture(scope="module")
def model(toy_dump):
    return shaken(build(CONFIG, Spec.read(toy_dump)))


@pytest.fixture
def saved(model, tmp_path):
    save_model(tmp_path / "model.pt", model, Config.read(CONFIG), {"epoch": 3})
    return tmp_path / "model.pt"


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


def refused(path, message: str, family: str | None = None) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_model(path, family)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_model_comes_back_with_all_it_needs_to_sing(model, saved):
    again = load_model(saved, "timelag")
    assert not again.training
    assert again.spec == model.spec
    weights = model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in again.state_dict().items())
    assert load(saved)["epoch"] == 3


def test_the_same_state_is_the_same_bytes(model, saved, tmp_path):
    save_model(tmp_path / "elsewhere" / "other.pt", model, Config.read(CONFIG), {"epoch": 3})
    assert (tmp_path / "elsewhere" / "other.pt").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("form", ["pickle", "torch", "torch_legacy", "inside"])
def test_code_in_a_checkpoint_is_not_run(form, model, tmp_path):
    marker, path = tmp_path / "it_ran", tmp_path / "model.pt"
    evil = Evil(marker)
    if form == "pickle":
        path.write_bytes(pickle.dumps(evil))
    elif form == "inside":
        save_model(path, model, Config.read(CONFIG), {"epoch": evil})
    else:
        torch.save({"weights": evil}, path, _use_new_zipfile_serialization=form == "torch")
    refused(path, "not a checkpoint of plain tensors; it is not loaded")
    assert not marker.exists()


def test_a_checkpoint_that_names_a_foreign_class_imports_it_only_where_it_is_trusted(
    saved, tmp_path, monkeypatch, capsys
):
    marker = tmp_path / "it_ran"
    code = f"open({str(marker)!r}, 'w')\nfrom nnsvs_lite.models.timelag.mdn import MdnTimeLag as Theirs\n"
    (tmp_path / "their_lags.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    state = load(saved)
    state["config"]["model"]["class_path"] = "their_lags.Theirs"
    save(saved, state)
    refused(saved, "'their_lags.Theirs' is no model under nnsvs_lite.models; --trust-code imports it")
    assert count_parameters(saved) == state["parameters"] > 0
    for name in ("timelag", "duration"):
        (tmp_path / f"{name}.pt").write_bytes(saved.read_bytes())
    for words in (
        ["sing", "x.mid", "-o", "x.wav", "--model"],
        ["pack", "-o", "x.nnsvs"],
        ["serve", "--model"],
    ):
        assert main([*words, str(tmp_path)]) == 1
        assert "--trust-code imports it" in capsys.readouterr().err
    assert not marker.exists() and "their_lags" not in sys.modules
    assert load_model(saved, "timelag", trust_code=True).family == "timelag" and marker.exists()
    with pytest.raises(DataError, match="holds a timelag model, a duration model is needed"):
        load_model(saved, "duration", trust_code=True)
    sys.modules.pop("their_lags")


def test_without_its_number_of_parameters_a_checkpoint_is_an_old_one(saved):
    save(saved, {**load(saved), "parameters": "many"})
    with pytest.raises(DataError, match="train the model again"):
        count_parameters(saved)


@pytest.mark.parametrize("part", [0, 1, 100, 0.3, 0.7, 0.99, -1])
def test_a_truncated_checkpoint_is_said_to_be_damaged(part, saved):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * part) if isinstance(part, float) else part])
    refused(saved, "damaged checkpoint|not a checkpoint")


def test_damaged_bytes_never_make_a_traceback(saved):
    data, rng = saved.read_bytes(), np.random.default_rng(0)
    head = data.index(b"data.pkl")
    for trial in range(60):
        # The pickle lies near the beginning; most of the file is weights.
        low, high = (head, head + 20_000) if trial % 2 else (0, len(data))
        broken = bytearray(data)
        for place in rng.integers(low, min(high, len(data)), 8):
            broken[place] = rng.integers(256)
        saved.write_bytes(bytes(broken))
        try:
            load_model(saved)
        except DataError as error:
            assert "\n" not in str(error)


def test_a_model_of_another_family_is_refused(saved):
    refused(saved, "holds a timelag model, a duration model is needed", "duration")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    for content in (b"hello\n", b"\x89PNG\r\n", b"PK\x03\x04", b"\0" * 300):
        path.write_bytes(content)
        refused(path, "not a checkpoint|damaged checkpoint")
    for value in (torch.zeros(3), [1, 2], {"weights": {}}, {"format": "nnsvs_lite model 99"}):
        torch.save(value, path)
        refused(path, "not a (checkpoint|model) of this toolkit|this version reads")
    torch.save({"format": FORMAT}, path)
    refused(path, "lacks")
    path.unlink()
    refused(path, "no such checkpoint; train the model first")
    refused(tmp_path, "no such checkpoint; train the model first")


def test_weights_that_do_not_fit_are_refused(saved):
    state = load(saved)
    name = next(iter(state["weights"]))
    del state["weights"][name]
    save(saved, state)
    refused(saved, "weights do not fit the model")


def test_a_full_disk_leaves_the_old_checkpoint(model, saved, monkeypatch):
    import os

    before = saved.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="the disk is full"):
        save(saved, {"epoch": 4})
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == ["model.pt"]
