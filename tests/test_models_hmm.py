"""The HMM baseline: trees as tensors, leaves with known moments, singing by what was learnt."""

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build
from sklearn.tree import DecisionTreeRegressor

from nnsvs_lite.models.acoustic.hmm import HmmAcoustic
from nnsvs_lite.models.checkpoint import load_model
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.trees import TreeBank
from nnsvs_lite.training import run as run_module

HMM = ROOT / "conf" / "acoustic" / "hmm.yaml"


@pytest.fixture(scope="module")
def fitted(spec, items) -> HmmAcoustic:
    model = HmmAcoustic(spec, states=3, leaves=16, smallest=10)
    model.fit(items)
    return model


def test_a_tree_walks_as_the_library_predicts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 6)).astype(np.float32)
    y = np.stack([x[:, 0] > 0.3, x[:, 1] * x[:, 2]], axis=1).astype(float)
    weights = rng.uniform(0.5, 2, 500)
    bank = TreeBank(2, 20, 2)
    node = bank.grow(1, x, y, weights, smallest=10)
    reference = DecisionTreeRegressor(
        max_leaf_nodes=20, min_weight_fraction_leaf=10 / weights.sum(), random_state=0
    ).fit(x, y, sample_weight=weights)
    np.testing.assert_array_equal(node, reference.apply(x))
    assert len(set(node)) > 10
    assert min(weights[node == n].sum() for n in set(node)) >= 10
    assert (bank.walk(0, torch.from_numpy(x)) == 0).all(), "the other tree was not grown"


def test_leaves_hold_the_moments_of_their_frames(spec, items):
    """One state and one leaf: everything is the training set's mean and variance."""
    model = HmmAcoustic(spec, states=1, leaves=2, smallest=10**6)
    model.fit(items)
    mgc = np.concatenate([e.streams["mgc"] for e in items])
    mean, std = model.mean_mgc.numpy(), model.std_mgc.numpy()
    values = model.trees["mgc"].values[0, 0].numpy()
    size = mgc.shape[1]
    np.testing.assert_allclose(values[:size] * std + mean, mgc.mean(0), atol=1e-4)
    np.testing.assert_allclose(1 / values[3 * size : 4 * size] * std**2, mgc.var(0), rtol=1e-3)
    with torch.no_grad():
        out = model.infer(batch_of(items[:1], spec))
    np.testing.assert_allclose(out["mgc"][0].numpy(), np.tile(mgc.mean(0), (items[0].frames, 1)), atol=1e-3)


def test_what_depends_on_the_phone_alone_is_learnt(spec, items, fitted):
    batch = batch_of(items, spec)
    with torch.no_grad():
        learnt = fitted.infer(batch)
        blank = HmmAcoustic(spec).infer(batch)
    mask = batch.frame_mask
    for name in ("mgc", "bap", "vuv"):
        before = (blank[name] - batch.streams[name])[mask].abs().mean()
        after = (learnt[name] - batch.streams[name])[mask].abs().mean()
        assert after < before / 2, name


def test_pitch_follows_a_score_that_was_never_sung(spec, items, fitted):
    """Distances from the score are learnt, so a transposed score is sung as much higher."""
    batch = batch_of(items[:2], spec)
    higher = batch_of(items[:2], spec)
    for column in ("pitch", "pitch_held"):
        i = spec.column("note", column)
        sounding = higher.score.note_context[..., i] > 0
        higher.score.note_context[..., i] = torch.where(sounding, higher.score.note_context[..., i] + 12, 0.0)
    with torch.no_grad():
        rise = fitted.infer(higher)["lf0"] - fitted.infer(batch)["lf0"]
    assert rise[batch.frame_mask].median() == pytest.approx(np.log(2), abs=0.03)


def test_states_share_a_phone_evenly(spec, items, fitted):
    batch = batch_of(items[:1], spec)
    phone = phone_of_frame(batch)
    state = fitted._states(batch, phone)[0]
    for p, length in enumerate(batch.score.duration[0].tolist()):
        own = state[phone[0] == p]
        counts = torch.bincount(own, minlength=3)
        assert counts.sum() == length and counts.max() - counts.min() <= 1
        assert (own.diff() >= 0).all()


def test_training_fits_keeps_and_is_repeatable(toy_dump, tmp_path, spec, items):
    for name in ("one", "two"):
        run_module.train(HMM, toy_dump, "train", "dev", tmp_path / name, overrides=["--model.smallest=10"])
    assert (tmp_path / "one" / "model.pt").read_bytes() == (tmp_path / "two" / "model.pt").read_bytes()
    model = load_model(tmp_path / "one", "acoustic")
    batch = batch_of(items, spec)
    with torch.no_grad():
        learnt, blank = model.loss(batch)["loss"], build(HMM, spec).loss(batch)["loss"]
    assert learnt < blank * 0.7


def test_a_tree_that_points_anywhere_ends_in_some_leaf():
    bank, x = TreeBank(1, 20, 2), torch.zeros(5, 6)
    for feature, branch, depth in ((10**9, 10**9, 10**18), (-1, -1, 3), (6, 39, 2)):
        bank.feature.fill_(feature), bank.branches.fill_(branch), bank.depth.fill_(depth)
        node = bank.walk(0, x)
        assert (node >= 0).all() and (node < 39).all()
