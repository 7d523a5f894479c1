"""Systems that their papers train on mel spectra, on a dump of mel spectra."""

import dataclasses

import pytest
import torch
from models_common import ROOT, batch_of, build, examples, mel_spec, shaken

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.fastspeech2_singing import energy_of
from nnsvs_lite.models.checkpoint import load, load_model, save, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.outputs import OutputSpace

SYSTEMS = [
    "xiaoicesing",
    "muskits_xiaoice",
    "muskits_rnn",
    "muskits_glu",
    "mlp_singer",
    "mlp_singer_muskits",
    "tacotron_singing",
    "fastspeech2_singing",
]


@pytest.fixture(scope="module")
def spec(toy_dump) -> Spec:
    return mel_spec(Spec.read(toy_dump))


@pytest.fixture(scope="module")
def items(toy_dump, spec):
    made = examples(toy_dump, "train", Spec.read(toy_dump))[:2]
    return [
        dataclasses.replace(
            e, streams={"lf0": e.streams["lf0"], "vuv": e.streams["vuv"], "mel": e.streams["mgc"]}
        )
        for e in made
    ]


@pytest.mark.parametrize("name", SYSTEMS)
def test_mel_spectra_are_learnt_and_sung_with_their_pitch(name, spec, items):
    model = build(ROOT / "conf" / "acoustic" / f"{name}_tiny.yaml", spec)
    batch = batch_of(items, spec)
    with torch.no_grad():
        rule = model.space.floor(batch, phone_of_frame(batch))
        out = model.infer(batch)
        assert set(out) == {"lf0", "vuv", "mel"}
        # Untrained, it sings the smoothed rule: the mean mel spectrum of each phone, in tune.
        for stream in ("lf0", "mel"):
            torch.testing.assert_close(
                out[stream][batch.frame_mask], rule[stream][batch.frame_mask], rtol=1e-3, atol=2e-3
            )
    losses = shaken(model).train().loss(batch)
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"]) and {"lf0", "vuv", "mel"} <= set(losses)


def test_energy_of_mel_spectra_is_the_mean_of_their_bands(spec, items):
    model = build(ROOT / "conf" / "acoustic" / "fastspeech2_singing_tiny.yaml", spec)
    batch = batch_of(items, spec)
    base = model.space.base(batch, phone_of_frame(batch))
    std = torch.tensor(spec.stats.streams["mel"].std).clamp(min=1e-4)
    expected = ((batch.streams["mel"] - base["mel"]) / std).mean(-1, keepdim=True)
    torch.testing.assert_close(energy_of(model.space.encode(batch.streams, base)), expected)


@pytest.mark.parametrize("scaling", ["deviation", "range"])
def test_without_the_rule_mel_spectra_begin_with_the_harmonics_of_the_score(scaling, spec, items):
    batch = batch_of(items, spec)
    phone, space = phone_of_frame(batch), OutputSpace(spec, False, scaling=scaling)
    base, rule = space.base(batch, phone), space.floor.steps.plain(batch, phone)
    comb = rule["vuv"] * space.floor.steps.comb(rule["lf0"])
    expected = space.mean_mel + (comb if scaling == "deviation" else 0.0)
    torch.testing.assert_close(base["mel"], expected.expand_as(base["mel"]))
    assert not base["vuv"].any()


def test_models_whose_numbers_count_from_elsewhere_are_refused(spec, toy_dump, tmp_path):
    path = ROOT / "conf/acoustic/xiaoicesing_tiny.yaml"
    model = build(path, spec)
    assert model.revision == 3 and build(path, Spec.read(toy_dump)).revision == 1
    save_model(tmp_path / "model.pt", model, Config.read(path), {})
    load_model(tmp_path / "model.pt")
    state = load(tmp_path / "model.pt")
    del state["revision"]
    save(tmp_path / "model.pt", state)
    with pytest.raises(DataError, match="revision 1 of XiaoiceSing, this version sings revision 3: train it"):
        load_model(tmp_path / "model.pt")
