"""Checkpoints hold plain values; anything else is refused in one line and never run."""

import pickle
import sys
from dataclasses import replace

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


def test_models_share_a_specification_only_where_they_hold_the_same(model, saved, tmp_path):
    state = load(saved)
    state["spec"]["speakers"] = ["another"]
    save(tmp_path / "other.pt", state)
    one, again, other = map(load_model, (saved, saved, tmp_path / "other.pt"))
    assert one.spec is again.spec
    assert other.spec == replace(model.spec, speakers=("another",)) != load_model(saved).spec


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


def test_every_changed_value_is_noticed(saved):
    """By the sum inside, though all is written down anew."""
    state = torch.load(saved, weights_only=True)
    name = next(iter(state["weights"]))
    for place, key, value in (
        (state, "epoch", 4),
        (state["config"]["training"], "lr", 0.5),
        (state["spec"]["stats"]["time_lag"], "mean", (0.25,)),
        (state["weights"], name, state["weights"][name] + 1e-6),
        (state["weights"], name, state["weights"][name].double()),
    ):
        old, place[key] = place[key], value
        torch.save(state, saved)
        refused(saved, "damaged checkpoint: it holds other values than were written; remove it and train")
        place[key] = old
    torch.save(state, saved)
    assert load_model(saved).family == "timelag"


def test_flipped_bits_are_noticed_with_and_without_a_sum(saved):
    rng, whole = np.random.default_rng(1), load(saved)
    older = torch.load(saved, weights_only=True)
    del older["sum"]
    for _ in range(2):
        data = saved.read_bytes()
        for at in rng.integers(0, 8 * len(data), 40):
            broken = bytearray(data)
            broken[at // 8] ^= 1 << at % 8
            saved.write_bytes(broken)
            try:
                found = load(saved)["weights"]
            except DataError:
                continue
            assert all(torch.equal(value, whole["weights"][name]) for name, value in found.items())
        torch.save(older, saved)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("config", "model", "init_args", "hidden"), 10**9, "init_args.hidden must be within 1..16384"),
        (("config", "model", "init_args", "hidden"), 4096, "weights do not fit the model: .* larger ones"),
        (("config", "model", "init_args", "layers"), 16000, "tensors, the model has more"),
        (("config", "model", "init_args", "layers"), 0, "layers must be within"),
        (("config", "model", "init_args", "kernel"), 4, "4 is even; only odd ones"),
        (("config", "model", "init_args", "dropout"), float("nan"), "dropout must be a number"),
        (("config", "model", "init_args", "dropout"), -1, "dropout must be at least 0"),
        (("config", "model", "class_path"), [[]], "class_path must be text"),
        (("config", "training", "seed"), {"class_path": "os.system"}, "seed must be a whole number"),
        (("spec", "streams", "mgc"), 10**9, "streams are not those of its feature_config"),
        (("spec", "feature_config", "world", "fft_size"), 2**40, "fft_size must be within 1..65536"),
        (("spec", "feature_config", "hop_size"), 10**400, "hop_size must be within 1..19200"),
        (("spec", "stats", "time_lag", "std"), [0.0], "std.0 must be .*more than 0"),
        (("spec", "stats", "time_lag", "mean"), [1e30], "mean.0 must be within"),
        (("spec", "stats", "note_context", "min"), [], "note_context have 0 columns"),
        (("spec", "stats", "phones"), {"a": None}, "phones.a"),
        (("spec", "languages"), [], "languages and phones must be there"),
        (("weights",), {}, "is missing, or of another size"),
        (("parameters",), None, None),
    ],
)
def test_forged_fields_are_refused_before_they_take_memory(saved, keys, value, message):
    state = load(saved)
    place = state
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    save(saved, state)
    if message is None:
        load_model(saved)
    else:
        refused(saved, message)


def test_values_that_unfold_to_more_than_the_file_are_refused(saved):
    state = torch.load(saved, weights_only=True)
    small = torch.zeros(1).expand(10**9)
    deep: list = []
    many: list = [0] * 10
    for _ in range(9):
        deep, many = [deep], [many] * 10
    loop: list = []
    loop.append(loop)
    for value in (small, many, loop):
        torch.save({**state, "more": value}, saved)
        refused(saved, "damaged checkpoint: (its values are more than its bytes|maximum recursion depth)")
    state["weights"][next(iter(state["weights"]))] = torch.tensor(float("inf")).expand(1)
    save(saved, {key: value for key, value in state.items() if key != "sum"})
    refused(saved, "is missing, or of another size")
