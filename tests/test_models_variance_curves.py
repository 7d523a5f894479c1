"""Variance models: the curves that they measure, predict, are told and keep to."""

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, examples, mel_spec, shaken

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.variance import NAMES, measure
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.losses import StreamLoss
from nnsvs_lite.models.layers.variance_curves import CurveMeter

FLAGS = ("energy", "breathiness", "voicing", "tension")


@pytest.fixture(scope="module")
def spec(toy_dump) -> Spec:
    return Spec.read(toy_dump)


@pytest.fixture(scope="module")
def items(toy_dump, spec):
    return examples(toy_dump, "train", spec)[:2]


def made(name: str, spec: Spec, *flags: str):
    torch.manual_seed(0)
    words = ["--model.variance.hidden=32", *(f"--model.variance.predict_{flag}=true" for flag in flags)]
    return Config.read(ROOT / f"conf/acoustic/{name}.yaml", words).build(spec).eval()


def test_batches_are_measured_as_features_are(spec, items):
    batch = batch_of(items, spec)
    found = CurveMeter(spec)(batch.streams, NAMES)
    for row, example in enumerate(items):
        for name, curve in measure(example.streams, spec.feature_config).items():
            own = found[name][row, : example.frames, 0].numpy()
            np.testing.assert_allclose(own, curve, atol=0.05, err_msg=name)


@pytest.mark.parametrize("log, power", [("natural", 1), ("log10", 2)])
def test_mel_spectra_have_loudness_whatever_their_logarithm(spec, log, power):
    mel = mel_spec(spec)
    config = mel.feature_config.to_dict() | {
        "mel": {**mel.feature_config.to_dict()["mel"], "log": log, "power": power}
    }
    mel = Spec(FeatureConfig.from_dict(config, "test"), mel.streams, mel.languages, mel.speakers, mel.stats)
    streams = {"mel": np.random.default_rng(0).normal(-3, 1, (9, mel.streams["mel"])).astype(np.float32)}
    found = CurveMeter(mel)({"mel": torch.tensor(streams["mel"])[None]}, ("loudness",))["loudness"]
    np.testing.assert_allclose(found[0, :, 0], measure(streams, mel.feature_config)["loudness"], atol=0.01)


def test_switches_predict_curves_and_tell_them(spec, items):
    model, batch = shaken(made("diffsinger_tiny", spec, *FLAGS)), batch_of(items, spec)
    losses = model.train().loss(batch)
    losses["loss"].backward()
    assert losses["variance"] > 0
    for part in (model.variance.head, model.variance.enter, model.variance.predictor.convs[0].conv):
        assert part.weight.grad.abs().sum() > 0
    plain = made("diffsinger_tiny", spec)
    assert plain.variance is None and "variance" not in plain.loss(batch)


def test_curves_are_learnt_from_where_the_rule_is(spec, items):
    """Spectra 6 dB above those of the statistics: untrained it says those, trained these."""
    model, batch = made("fft_singer_tiny", spec, "energy"), batch_of(items, spec)
    batch.streams["mgc"][..., 0] += 6 / 8.686
    phone = phone_of_frame(batch)
    rule = model.variance.measure(model.space.base(batch, phone), ("loudness",))["loudness"]

    def above() -> float:
        with torch.no_grad():
            found = model.eval().predict(batch, teacher=False)["curve_loudness"]
        return float((found - rule)[batch.frame_mask].mean())

    assert above() == pytest.approx(0, abs=1e-3)
    optimiser = torch.optim.Adam(model.variance.parameters(), 5e-3)
    for _ in range(30):
        optimiser.zero_grad()
        model.train().loss(batch)["loss"].backward()
        optimiser.step()
    assert above() == pytest.approx(6, abs=1.5)


def test_the_level_of_mel_spectra_counts(spec, items):
    """Each band at the median of two values that come alike often is quieter than either loudness' mean."""
    mel, batch = mel_spec(spec), batch_of(items, spec)
    shape = (*batch.frame_mask.shape, mel.streams["mel"])
    high = torch.rand(shape) < 0.5
    batch.streams = {"lf0": batch.streams["lf0"], "vuv": torch.ones_like(batch.streams["vuv"])}
    batch.streams["mel"] = torch.where(high, 1.0, -1.0)
    loss = StreamLoss(mel)

    def parts(value: float) -> tuple[float, float]:
        made = {"lf0": batch.streams["lf0"], "vuv_logit": torch.zeros_like(batch.streams["vuv"])}
        found = loss(made | {"mel": torch.full(shape, value)}, batch)
        return float(found["mel"]), float(found["level"])

    # Power e^2 and e^-2 in turns has a mean of 3.76, of which half the logarithm is 0.66.
    assert parts(0.0)[0] == pytest.approx(parts(0.66)[0], rel=0.05), "bands alone leave it open"
    assert parts(0.66)[1] < 0.3 * parts(0.0)[1]
    assert parts(0.0)[1] == pytest.approx(0.3 * 0.66 * 8.686 / 10, rel=0.1)


def test_loudness_is_sung_as_it_is_asked_and_predicted(spec, items):
    model, batch = shaken(made("diffsinger_tiny", spec, "energy", "breathiness"), 0.05), batch_of(items, spec)
    with torch.no_grad():
        own = model.infer(batch)
        predicted = model.predict(batch, teacher=False)["curve_loudness"]
        asked = predicted + 6.0
        batch.given = {"loudness": asked}
        told = model.infer(batch)
    assert set(own) == set(spec.streams)
    mask = batch.frame_mask
    for streams, curve in ((own, predicted), (told, asked)):
        torch.testing.assert_close(
            model.variance.measure(streams, ("loudness",))["loudness"][mask], curve[mask], rtol=0, atol=0.05
        )
    with torch.no_grad():
        batch.given = {"breathiness": torch.full_like(asked, -3.0)}
        assert (model.infer(batch)["bap"] - own["bap"]).abs().max() > 1e-3, "it hears what is asked"


def test_a_batch_sings_curves_as_single_phrases_do(spec, items):
    model = shaken(made("diffsinger_tiny", spec, *FLAGS), 0.05)
    with torch.no_grad():
        both = model.infer(batch_of(items, spec))
        for row, example in enumerate(items):
            alone = model.infer(batch_of([example], spec))
            for name, value in alone.items():
                torch.testing.assert_close(both[name][row, : example.frames], value[0], rtol=1e-4, atol=1e-4)


def test_curves_that_the_features_lack_are_refused(spec):
    made("diffsinger_tiny", mel_spec(spec), "energy")
    with pytest.raises(DataError, match="predict_breathiness: features of lf0, vuv, mel have no breathiness"):
        made("diffsinger_tiny", mel_spec(spec), "breathiness")
