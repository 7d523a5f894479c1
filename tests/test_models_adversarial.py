"""Acoustic models that learn against a discriminator, and the discriminators themselves."""

from pathlib import Path

import pytest
import torch
from killing import check_same, killed_at
from models_common import ROOT, batch_of, build, examples, shaken

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.spectral_judges import ProjectionJudge, SubFrequencyJudge, gradient_penalty
from nnsvs_lite.training.keep import State
from nnsvs_lite.training.run import train
from nnsvs_lite.training.tasks.base import compete

TINY = ROOT / "conf/acoustic/hifisinger_tiny.yaml"
HALVES = ((0.0, 0.5), (0.25, 0.75), (0.5, 1.0))


@pytest.fixture(scope="module")
def spec(toy_mel_dump) -> Spec:
    return Spec.read(toy_mel_dump)


@pytest.fixture(scope="module")
def items(toy_mel_dump, spec):
    return examples(toy_mel_dump, "train", spec)


def test_what_happens_in_some_bands_moves_their_judges_alone(spec, items):
    judge = shaken(SubFrequencyJudge(spec, HALVES, 3, 4, 3))
    assert judge.ranges == [(0, 4), (2, 6), (4, 8)]
    batch = batch_of(items[:2], spec)
    before = judge(batch.streams, batch)
    for changed, hit in ((0, {0}), (1, {0}), (3, {0, 1}), (7, {2})):
        mel = batch.streams["mel"].clone()
        mel[..., changed] += 1.0
        after = judge({"mel": mel}, batch)
        assert {i for i in range(3) if not torch.equal(before[i], after[i])} == hit


@pytest.mark.parametrize("kernel", [1, 3, 4])
def test_every_frame_of_a_narrow_band_has_a_score(kernel, spec, items):
    judge = SubFrequencyJudge(spec, ((0.5, 0.51), (0.99, 1.0), (1.0, 1.0)), 3, 4, kernel)
    batch = batch_of(items[:2], spec)
    assert judge.ranges == [(4, 5), (7, 8), (7, 8)]
    frames = int(batch.frame_lengths.sum())
    assert [scores.shape for scores in judge(batch.streams, batch)] == [(frames, 1)] * 3


@pytest.mark.parametrize("kind", ["bands", "projection"])
def test_padding_reaches_no_score(kind, spec, items):
    judge = (
        SubFrequencyJudge(spec, HALVES, 3, 4, 3) if kind == "bands" else ProjectionJudge(spec, "mel", 6, 2, 3)
    )
    shaken(judge)
    score = (lambda b: judge(b.streams, b)[1]) if kind == "bands" else (lambda b: flat(judge(b.streams, b)))

    def flat(heard):
        return heard[0][heard[2]]

    together = score(batch_of(items[:3], spec))
    alone = torch.cat([score(batch_of([item], spec)) for item in items[:3]])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_scores_have_the_product_of_spectra_and_the_scores_vectors(spec, items):
    """A judge that answers ``<x, c>`` alone."""
    judge = ProjectionJudge(spec, "mel", 8, 1, 1)
    with torch.no_grad():
        judge.out.weight.zero_(), judge.out.bias.zero_()
        judge.convs[0].conv.weight.copy_(torch.eye(8)[..., None]), judge.convs[0].conv.bias.zero_()
        judge.condition.tables["phone"].weight.fill_(1.0)
    batch = batch_of(items[:1], spec)
    scores, _, mask = judge(batch.streams, batch)
    x = judge.spectra(batch.streams, mask)
    expected = torch.nn.functional.leaky_relu(x, 0.2).sum(-1) / 8**0.5
    torch.testing.assert_close(scores, expected)


def test_the_penalty_is_the_squared_gradient():
    spectra = torch.randn(2, 5, 3, requires_grad=True)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    slope = torch.tensor([1.0, -2.0, 0.5])
    assert gradient_penalty(spectra @ slope, spectra, mask).item() == pytest.approx(5.25)
    # Of squares the gradient is twice the value, on frames that count.
    expected = (4 * spectra.square().sum(-1))[mask].mean()
    assert gradient_penalty(spectra.square().sum(-1), spectra, mask).item() == pytest.approx(expected.item())


def test_a_step_is_the_discriminators_then_the_models(spec):
    """Against a judge that is one number, losses are those of a hand-made GAN of least squares."""
    model = build(TINY, spec)
    judge = torch.nn.Linear(1, 1, bias=False)
    made, real = torch.full((4, 1), 2.0, requires_grad=True), torch.full((4, 1), 3.0)
    taken = []

    def update(name, loss, weight):
        taken.append((name, float(loss.detach()), float(weight)))
        if name == "discriminator":
            with torch.no_grad():
                judge.weight.fill_(0.25)
        else:
            loss.backward()

    with torch.no_grad():
        judge.weight.fill_(0.5)
    own = {"loss": torch.tensor(10.0), "weight": torch.tensor(7.0)}
    losses = compete("model", model, lambda x: [judge(x)], made, real, own, update)
    # (0.5 * 3 - 1)^2 + (0.5 * 2)^2; then 0.1 (0.25 * 2 - 1)^2.
    assert taken == [("discriminator", pytest.approx(1.25), 7.0), ("model", pytest.approx(10.025), 7.0)]
    assert losses["adversarial"].item() == pytest.approx(0.025) and losses["loss"].item() == pytest.approx(
        10.025
    )
    # 0.1 * 2 (0.25 * 2 - 1) * 0.25, a mean over four.
    torch.testing.assert_close(made.grad, torch.full((4, 1), -0.025 / 4))


def test_both_networks_learn_are_kept_and_go_on_with_the_same_bytes(toy_mel_dump, tmp_path):
    words = ["--training.epochs=2", "--training.batch_frames=1500"]

    def run(out: Path) -> None:
        train(TINY, toy_mel_dump, "train", "dev", out, overrides=words)

    run(tmp_path / "whole")
    with killed_at(State, "save", 2, after=True):
        run(tmp_path / "killed")
    run(tmp_path / "killed")
    check_same(tmp_path / "killed", tmp_path / "whole")
    states = load(tmp_path / "whole" / "last.pt")["states"]
    assert {"model", "model.optimizer", "discriminator", "discriminator.optimizer"} < set(states)
    assert not any("judge" in name for name in load(tmp_path / "whole" / "model.pt")["weights"])
    torch.manual_seed(0)
    model = Config.read(TINY).build(Spec.read(toy_mel_dump))
    for name, network in (("model", model), ("discriminator", model.discriminator())):
        moved = [not torch.equal(v, states[name][k]) for k, v in network.named_parameters()]
        assert all(moved), name


def test_spectra_that_are_not_mel_and_bands_that_are_none_are_refused(toy_dump, spec):
    with pytest.raises(DataError, match="of mel spectra, which these features lack"):
        Config.read(TINY).build(Spec.read(toy_dump))
    with pytest.raises(DataError, match="two rising numbers"):
        Config.read(TINY, ["--model.bands=[[0.5, 0.5]]"]).build(spec)
