"""Retrieval: Gaussian process regression over the training set's frames, beside a network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, examples, mel_spec, shaken
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.checkpoint import load, load_model, save, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers import retrieval
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.retrieval import NOISE, SOFT, WIDTH, Retrieval


@pytest.fixture(scope="module")
def spec(toy_dump) -> Spec:
    return replace(Spec.read(toy_dump), speakers=("a", "b"))


@pytest.fixture(scope="module")
def items(toy_dump, spec):
    return examples(toy_dump, "train", spec)


@pytest.fixture(scope="module")
def fitted(spec, items) -> Retrieval:
    layer = Retrieval(spec, 1.0)
    layer.fit(items[:3])
    return layer


def deviations(layer, spec, items):
    """Of the first three utterances' frames: keys, and the deviation from the rule in standard deviations."""
    rows = batch_of(items[:3], spec)
    places = phone_of_frame(rows)
    floor = torch.cat([layer.floor(rows, places)[n] for n in ("mgc", "bap")], -1)
    true = torch.cat([rows.streams[n] for n in ("mgc", "bap")], -1)
    deviation = ((true - floor) / layer.scale)[rows.frame_mask]
    return layer._keys(rows, places)[rows.frame_mask].numpy(), deviation.numpy()


def retrieved(layer, spec, items):
    """Of the first utterance's frames: keys, and what is retrieved, as the deviation from the rule."""
    batch = batch_of(items[:1], spec)
    phone = phone_of_frame(batch)
    found, base = layer.retrieve(batch, phone), layer.floor(batch, phone)
    found = torch.cat([found[n] - base[n] for n in ("mgc", "bap")], -1)[0] / layer.scale
    return layer._keys(batch, phone)[0].numpy(), found.numpy()


def test_it_is_the_regression_of_the_library(spec, items, fitted):
    """On the deviation from the rule, in standard deviations, of every kept frame."""
    kernel = RBF(WIDTH["gaussian"], length_scale_bounds="fixed")
    process = GaussianProcessRegressor(kernel, alpha=NOISE["gaussian"], optimizer=None)
    process.fit(*deviations(fitted, spec, items))
    keys, found = retrieved(fitted, spec, items)
    expected = process.predict(keys)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(expected).max() > 0.1


def test_the_exponential_kernel_is_its_formula(spec, items):
    """By distances between keys, one by one, in double precision."""
    layer = Retrieval(spec, 1.0, "exponential")
    layer.fit(items[:3])
    tokens, deviation = deviations(layer, spec, items)
    keys, found = retrieved(layer, spec, items)

    def kernel(a, b):
        square = cdist(a.astype(float), b.astype(float), "sqeuclidean")
        return np.exp(-np.sqrt(square + SOFT) / WIDTH["exponential"])

    noise = NOISE["exponential"] * np.eye(len(tokens))
    expected = kernel(keys, tokens) @ np.linalg.solve(kernel(tokens, tokens) + noise, deviation)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(expected).max() > 0.1
    assert layer.share == pytest.approx(5000 / (5000 + spec.phone_count))


def test_a_model_of_before_the_choice_keeps_its_kernel(spec, items, tmp_path):
    """Its configuration does not name one."""
    config = Config.read(ROOT / "conf/acoustic/ridge.yaml", ["--model.options.retrieval_kernel=gaussian"])
    model = config.build(spec).eval()
    model.fit(items[:2])
    save_model(tmp_path / "model.pt", model, config, {})
    state = load(tmp_path / "model.pt")
    del state["config"]["model"]["init_args"]["options"]["retrieval_kernel"]
    save(tmp_path / "model.pt", state)
    batch = batch_of(items[:1], spec)
    again = load_model(tmp_path / "model.pt").infer(batch)
    assert all(torch.equal(again[name], value) for name, value in model.infer(batch).items())


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
def test_a_batch_is_its_members_and_memory_is_bounded(spec, items, kernel, monkeypatch):
    fitted = Retrieval(spec, 1.0, kernel)
    fitted.fit(items[:3])
    batch = batch_of(items[:3], spec)
    together = fitted.retrieve(batch, phone_of_frame(batch))
    monkeypatch.setattr(retrieval, "BLOCK", 64)
    for row, item in enumerate(items[:3]):
        alone = batch_of([item], spec)
        for name, value in fitted.retrieve(alone, phone_of_frame(alone)).items():
            torch.testing.assert_close(together[name][row, : item.frames], value[0], atol=1e-5, rtol=1e-5)
    monkeypatch.setattr(retrieval, "TOKENS", 50)
    small = Retrieval(spec, 1.0)
    small.fit(items)
    assert len(small.keys) == 50
    assert small.weights[-1].abs().sum() > 0 or small.weights[-2].abs().sum() > 0, "spread to the end"
    again = Retrieval(spec, 1.0)
    again.fit(items)
    assert torch.equal(again.weights, small.weights)


def test_singers_have_tokens_of_their_own(spec, items):
    """The second singer's first mel-cepstrum is 3 deviations higher, and no other number."""
    scale = spec.stats.streams["mgc"].std
    higher = np.zeros(spec.streams["mgc"], np.float32)
    higher[1] = 3 * scale[1]
    others = [replace(e, singer=1, streams={**e.streams, "mgc": e.streams["mgc"] + higher}) for e in items]
    layer = Retrieval(spec, 1.0)
    layer.fit([*items[:2], *others[:2]])
    found = []
    for singer in (0, 1):
        batch = batch_of([replace(items[0], singer=singer)], spec)
        found.append(layer.retrieve(batch, phone_of_frame(batch))["mgc"][0])
    rise = ((found[1] - found[0]) / torch.tensor(scale)).mean(0)
    assert rise[1] > 1
    assert rise[2:].abs().max() < 0.1


def test_share_depends_on_the_data_and_the_rest_is_the_networks(spec, items, fitted):
    batch = batch_of(items[:2], spec)
    phone = phone_of_frame(batch)
    streams = {name: torch.zeros_like(value) for name, value in batch.streams.items()}
    out, alone = fitted(streams, batch, phone), fitted.retrieve(batch, phone)
    assert fitted.share == pytest.approx(300 / (300 + spec.phone_count))
    torch.testing.assert_close(out["mgc"], alone["mgc"] * fitted.share)
    torch.testing.assert_close(out["bap"], alone["bap"] * fitted.share)
    assert out["lf0"] is streams["lf0"] and out["vuv"] is streams["vuv"]


def test_it_goes_with_the_model(spec, items, tmp_path):
    others = ["--model.options.gv=0", "--model.options.movement=0"]
    config, plain = (
        Config.read(ROOT / "conf/acoustic/resf0_conv.yaml", [f"--model.options.retrieval={share}", *others])
        for share in (1.0, 0.0)
    )
    models = []
    for c in (config, plain):
        torch.manual_seed(0)
        models.append(shaken(c.build(spec).eval()))
    model, without = models
    assert model.fits and not isinstance(without.retrieval, Retrieval)
    model.fit(items[:2])
    batch = batch_of(items[:2], spec)
    save_model(tmp_path / "model.pt", model, config, {})
    with torch.no_grad():
        network, found = without.infer(batch), model.infer(batch)
        tokens = model.retrieval.retrieve(batch, phone_of_frame(batch))
        again = load_model(tmp_path / "model.pt").infer(batch)
    share = model.retrieval.share
    torch.testing.assert_close(found["mgc"], network["mgc"] * (1 - share) + tokens["mgc"] * share)
    assert all(torch.equal(again[name], value) for name, value in found.items())


def test_it_serves_mel_spectra_and_devices_without_memory(spec, items, fitted):
    mel = mel_spec(spec)
    rows = [replace(e, streams={**e.streams, "mel": e.streams["mgc"]}) for e in items]
    layer = Retrieval(mel, 1.0)
    layer.fit(rows[:2])
    batch = batch_of(items[:2], spec)
    assert list(layer.retrieve(batch, phone_of_frame(batch))) == ["mel"]
    meta = batch.to("meta")
    phone = torch.empty(2, batch.max_frames, dtype=torch.long, device="meta")
    assert fitted.to("meta").retrieve(meta, phone)["mgc"].is_meta
