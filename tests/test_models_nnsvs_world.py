"""The multi-stream ladder: who is told what, teacher forcing, and configurations that cannot be."""

import dataclasses

import pytest
import torch
from models_common import ROOT, batch_of, build, examples, shaken

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.nnsvs_world import NnsvsWorld
from nnsvs_lite.models.layers.streams import StreamSize

VERSIONS = ["v1", "v2", "v3", "v4"]
HEARING = {"v1": [], "v2": ["lf0"], "v3": ["lf0", "mgc"], "v4": ["lf0", "mgc", "bap"]}
"""Autoregressive streams of each version (table of the paper)."""


def path_of(version: str, tiny: bool = True):
    return ROOT / f"conf/acoustic/nnsvs_world_{version}{'_tiny' if tiny else ''}.yaml"


@pytest.fixture(scope="module")
def items(toy_dump, spec):
    return sorted(examples(toy_dump, "train", spec), key=lambda e: e.frames)


@pytest.fixture(scope="module")
def batch(items, spec):
    return batch_of(items[:2], spec)


@pytest.fixture(scope="module")
def phrase(items, spec):
    return batch_of(items[:1], spec)


@pytest.mark.parametrize("tiny", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_streams_of_the_papers_table_are_autoregressive(version, tiny, spec):
    with torch.device("meta"):
        model = build(path_of(version, tiny), spec)
    assert [n for n, net in model.nets.items() if net.decoder is not None] == HEARING[version]
    assert (model.encoder is None) == (version == "v4")


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_no_stream_depends_on_its_own_target_or_a_later_one(version, spec, phrase):
    """Gradients at a few frames, as trained; but batch normalisation in the postnet, whose
    training statistics tie all frames together, is as in singing."""
    model = shaken(build(path_of(version), spec))
    for name in spec.streams:
        target = phrase.streams[name].clone().requires_grad_()
        given = dataclasses.replace(phrase, streams={**phrase.streams, name: target})
        predicted = model.predict(given, teacher=True)
        net = model.nets[name]
        before = predicted.get(f"before_{name}", predicted["vuv_logit" if name == "vuv" else name])
        after = predicted["vuv_logit" if name == "vuv" else name]
        # A postnet reads two frames to each side with each of its convolutions.
        reach = 2 * len(net.postnet.convs) if net.postnet is not None else 0
        reached = 0.0
        for out, ahead in ((before, 0), (after, reach)):
            for t in (1, 51):
                (gradient,) = torch.autograd.grad(
                    out[0, t].sum(), target, retain_graph=True, allow_unused=True, materialize_grads=True
                )
                assert not gradient[:, t + ahead :].any(), f"{name} at {t} sees its target"
                reached += float(gradient.abs().sum())
        assert (reached > 0) == (name in HEARING[version])


@pytest.mark.parametrize("version", VERSIONS)
def test_streams_are_told_f0_and_v4_tells_voicing_of_bap(version, spec, batch):
    model = shaken(build(path_of(version), spec))
    moved = {}
    with torch.no_grad():
        before = model.predict(batch, teacher=True)
        for name in spec.streams:
            streams = {**batch.streams, name: batch.streams[name] + 0.3}
            after = model.predict(dataclasses.replace(batch, streams=streams), teacher=True)
            moved[name] = {
                n for n in ("lf0", "mgc", "bap", "vuv_logit") if not torch.allclose(after[n], before[n])
            }
    own = {n: {n} if n in HEARING[version] else set() for n in spec.streams}
    assert moved["lf0"] == own["lf0"] | {"mgc", "bap", "vuv_logit"}
    assert moved["mgc"] == own["mgc"]
    assert moved["bap"] == own["bap"] | ({"vuv_logit"} if version == "v4" else set())
    assert moved["vuv"] == set()


def test_in_singing_voicing_follows_the_bap_that_was_predicted(spec, batch):
    model = shaken(build(path_of("v4"), spec))
    with torch.no_grad():
        before = model.infer(batch)
        model.nets["bap"].decoder.out.weight.add_(0.2)
        after = model.infer(batch)
    assert torch.equal(before["mgc"], after["mgc"]) and torch.equal(before["lf0"], after["lf0"])
    assert not torch.allclose(before["vuv"], after["vuv"])


@pytest.mark.parametrize("version", ["v2", "v4"])
def test_the_seed_of_singing_decides(version, spec, batch):
    model = shaken(build(path_of(version), spec))
    with torch.no_grad():
        one, again, other = (model.infer(dataclasses.replace(batch, seed=seed))["lf0"] for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_a_model_that_is_told_the_target_repeats_it(spec, batch):
    """The decoder's own F0 as the target: teacher forcing then sings what singing gave."""
    model = shaken(build(path_of("v2"), spec), size=0.05)
    with torch.no_grad():
        sung = model.infer(batch)
        lf0 = torch.where(batch.frame_mask[..., None], sung["lf0"], batch.streams["lf0"])
        given = dataclasses.replace(batch, streams={**batch.streams, "lf0": lf0})
        told = model.predict(given, teacher=True)
    mask = batch.frame_mask
    torch.testing.assert_close(told["lf0"][mask], sung["lf0"][mask], rtol=0, atol=1e-4)
    torch.testing.assert_close(told["mgc"][mask], sung["mgc"][mask], rtol=0, atol=1e-3)


def test_the_loss_counts_what_goes_into_the_postnet(spec, batch):
    model = shaken(build(path_of("v4"), spec))
    with torch.no_grad():
        losses, predicted = model.loss(batch), model.predict(batch, teacher=True)
        streams = ("mgc", "bap")
        before = {n: predicted[f"before_{n}"] for n in streams}
        expected = model.stream_loss({**predicted, **before}, batch)["loss"]
    torch.testing.assert_close(losses["before"], expected)
    torch.testing.assert_close(losses["loss"], model.stream_loss(predicted, batch)["loss"] + expected)


@pytest.mark.parametrize(
    ("streams", "word"),
    [
        ({"lf0": {}, "mgc": {}, "vuv": {}}, "the dump has lf0, vuv, mgc, bap"),
        ({"mgc": {}, "lf0": {}, "bap": {}, "vuv": {}}, "lf0 must be the first"),
        ({"lf0": {}, "mgc": {}, "vuv": {"conditioned_on": ["bap"]}, "bap": {}}, "must stand before it"),
    ],
)
def test_streams_that_do_not_fit_are_refused(streams, word, spec):
    with pytest.raises(DataError, match=word):
        NnsvsWorld(spec, {name: StreamSize(**size) for name, size in streams.items()})
