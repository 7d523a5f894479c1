"""Systems that their papers train on mel spectra, on a dump of mel spectra."""

import dataclasses

import pytest
import torch
from models_common import ROOT, batch_of, build, examples, mel_spec, shaken

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic.fastspeech2_singing import energy_of
from nnsvs_lite.models.layers.expand import phone_of_frame

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
