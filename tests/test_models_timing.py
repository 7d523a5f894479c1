"""Timing models: mixtures, masks, syllables and limits against known answers."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build, shaken

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.duration.fastspeech import FastSpeechDuration
from nnsvs_lite.models.duration.lstm import LstmDuration
from nnsvs_lite.models.layers.mdn import MixtureHead, mixture_nll
from nnsvs_lite.models.layers.timing_floor import first_phones
from nnsvs_lite.models.timelag.ffn import FfnTimeLag
from nnsvs_lite.models.timelag.vp_mdn import VpMdnTimeLag
from nnsvs_lite.score.timing import first_phones as first_phones_of

LAGS = ("mdn", "vp_mdn", "ffn", "vp_mdn_tiny", "ffn_tiny")


@pytest.mark.parametrize("family", ["timelag", "duration"])
@pytest.mark.parametrize("name", ["mdn", "vp_mdn"])
def test_a_class_has_the_sizes_of_its_own_family_by_default(family, name, spec, tmp_path):
    """A configuration that names nothing but the class is the one that is shipped."""
    shipped = Config.read(ROOT / "conf" / family / f"{name}.yaml")
    bare = tmp_path / "bare.yaml"
    bare.write_text(f"model:\n  class_path: {shipped.class_path}\n")
    own = Config.read(bare)
    assert own.init_args == shipped.init_args
    sizes = {
        "timelag": {"mdn": (32, 2, 3), "vp_mdn": (32, 3, 3)},
        "duration": {"mdn": (64, 3, 3), "vp_mdn": (256, 5, 5)},
    }
    assert tuple(own.init_args[key] for key in ("hidden", "layers", "kernel")) == sizes[family][name]
    shapes = [
        [p.shape for p in cls(spec, **args).parameters()]
        for cls, args in ((own.model_class, {}), (shipped.model_class, shipped.init_args))
    ]
    assert shapes[0] == shapes[1]
    bare.write_text(f"model:\n  class_path: {shipped.class_path}\n  init_args:\n    hidden: large\n")
    with pytest.raises(DataError, match="hidden must be a whole number"):
        Config.read(bare)


def test_a_mixture_of_one_is_a_gaussian():
    y, mean, log_sigma = (
        torch.tensor([[0.3, -2.0]]),
        torch.tensor([[[0.1], [1.0]]]),
        torch.tensor([[[0.2], [-1.0]]]),
    )
    nll = mixture_nll(y, torch.zeros(1, 2, 1), mean, log_sigma)
    normal = torch.distributions.Normal(mean[..., 0], log_sigma[..., 0].exp())
    torch.testing.assert_close(nll, -normal.log_prob(y))


def test_beyond_five_deviations_examples_count_as_at_five():
    y = torch.tensor([[4.9, 5.0, 7.0, 1000.0]])
    means = torch.zeros(1, 4, 1, requires_grad=True)
    zero = torch.zeros(1, 4, 1)
    nll = mixture_nll(y, zero, means, zero, reach=5.0)
    assert nll[0].tolist() == pytest.approx(
        [0.5 * v**2 + 0.5 * math.log(2 * math.pi) for v in (4.9, 5, 5, 5)]
    )
    nll.sum().backward()
    assert means.grad[0, 0, 0] == pytest.approx(-4.9)
    assert means.grad[0, 2:, 0].tolist() == [0, 0]


def test_deviations_have_a_floor():
    head = MixtureHead(4, 2)
    with torch.no_grad():
        head.linear.bias[4:] = -50.0
    assert head(torch.zeros(1, 1, 4))[2].min() == -7.0


def test_durations_have_the_moments_of_the_training_set(spec, items):
    durations = np.concatenate([e.score.duration for e in items]).astype(float)
    assert spec.duration_moments == pytest.approx((durations.mean(), durations.std()), rel=1e-6)


def test_each_note_is_given_by_its_first_phone(spec, items):
    places = first_phones(batch_of(items, spec))
    for row, example in enumerate(items):
        n = len(example.score.note_context)
        assert places[row, :n].tolist() == first_phones_of(example.score.note_index, n).tolist()
        assert not places[row, n:].any()


def test_without_the_rule_an_untrained_model_gives_the_mean(spec, items):
    batch = batch_of(items, spec)
    mean = spec.stats.time_lag.mean[0]
    for cls in (VpMdnTimeLag, FfnTimeLag):
        lag = cls(spec).eval().infer(batch)["time_lag"][batch.score.note_mask]
        assert lag.tolist() == pytest.approx([mean] * len(lag), abs=0.5)
    for cls in (FastSpeechDuration, LstmDuration):
        length = cls(spec).eval().infer(batch)["mean"][batch.score.phone_mask]
        assert length.tolist() == pytest.approx([spec.duration_moments[0]] * len(length), abs=0.01)


@pytest.mark.parametrize("name", LAGS)
def test_the_first_note_and_lags_beyond_the_limit_teach_nothing(name, spec, items):
    model = shaken(build(ROOT / f"conf/timelag/{name}.yaml", spec))
    shift, rest = spec.frame_shift, spec.column("note", "is_rest")
    example = items[0]
    note = int(np.flatnonzero(example.score.note_context[:, rest] < 0.5)[1])

    def changed(index: int, lag: float) -> dict[str, torch.Tensor]:
        lags = example.score.time_lag.copy()
        lags[index] = lag
        return model.loss(collate([example.timed(example.score.duration, lags)], shift))

    before = changed(note, 3.0)
    assert torch.equal(changed(0, 7.0)["loss"], changed(0, 0.0)["loss"])
    assert not torch.equal(changed(note, 19.0)["loss"], before["loss"])
    faulty = changed(note, 0.11 / shift)
    assert faulty["weight"] == before["weight"] - 1
    assert torch.equal(faulty["loss"], changed(note, -3.0 / shift)["loss"])


@pytest.mark.parametrize("name", LAGS)
def test_lags_are_limited(name, spec, items):
    model = shaken(build(ROOT / f"conf/timelag/{name}.yaml", spec), size=30.0)
    batch = batch_of(items, spec)
    with torch.no_grad():
        lag = model.infer(batch)["time_lag"].abs() * spec.frame_shift
    rest = batch.score.note_context[..., spec.column("note", "is_rest")] > 0.5
    assert lag[~rest].max() == pytest.approx(0.1) and lag[rest].max() == pytest.approx(0.2)


class TestSyllables:
    """The loss of :class:`FastSpeechDuration`."""

    @pytest.fixture
    def model(self, spec):
        return FastSpeechDuration(spec, hidden=8, residual_to_rule=False)

    def batch(self, spec, items, slurred: bool):
        """One phrase; where ``slurred``, its third note carries on the vowel of the second."""
        context = items[0].score.note_context.copy()
        context[:, spec.column("note", "slur")] = 0.0
        if slurred:
            context[2, spec.column("note", "slur")] = 1.0
        return batch_of(
            [dataclasses.replace(items[0], score=dataclasses.replace(items[0].score, note_context=context))],
            spec,
        )

    def two_phones(self, items) -> tuple[int, int]:
        """Two phones of one note."""
        index = items[0].score.note_index
        first = int(np.flatnonzero(index[1:] == index[:-1])[0])
        return first, first + 1

    def error(self, model, spec, batch, off: dict[int, float]) -> float:
        durations = batch.score.duration.float().clone()
        for phone, frames in off.items():
            durations[0, phone] += frames
        number = (durations - spec.duration_moments[0]) / spec.duration_moments[1]
        return float(model.error((number,), batch))

    def test_a_wrong_split_of_the_right_sum_costs_nothing(self, model, spec, items):
        batch = self.batch(spec, items, slurred=False)
        a, b = self.two_phones(items)
        model.phone_weight = 0.0
        assert self.error(model, spec, batch, {}) == pytest.approx(0, abs=1e-5)
        assert self.error(model, spec, batch, {a: 2.0, b: -2.0}) == pytest.approx(0, abs=1e-4)
        notes = len(items[0].score.note_context)
        # 8 frames of 5 ms are two units of 20 ms, over all syllables.
        assert self.error(model, spec, batch, {a: 8.0}) == pytest.approx(2.0 / notes, rel=1e-3)

    def test_phones_are_asked_for_too(self, model, spec, items):
        batch = self.batch(spec, items, slurred=False)
        a, b = self.two_phones(items)
        model.syllable_weight = 0.0
        phones = len(items[0].score.duration)
        assert self.error(model, spec, batch, {a: 4.0, b: -4.0}) == pytest.approx(2.0 / phones, rel=1e-3)

    def test_a_syllable_may_cover_several_notes(self, model, spec, items):
        index = items[0].score.note_index
        second, third = (int(np.flatnonzero(index == n)[-1]) for n in (1, 2))
        model.phone_weight = 0.0
        off = {second: 4.0, third: -4.0}
        assert self.error(model, spec, self.batch(spec, items, slurred=True), off) == pytest.approx(
            0, abs=1e-4
        )
        assert self.error(model, spec, self.batch(spec, items, slurred=False), off) > 0.1


def test_without_deviations_a_note_is_filled_in_proportion(spec, items):
    batch = batch_of(items, spec)
    assert set(LstmDuration(spec).infer(batch)) == {"mean"}
    vp = build(ROOT / "conf/duration/vp_mdn.yaml", spec).infer(batch)
    # A new head is one Gaussian of the training set's deviation.
    assert vp["variance"][batch.score.phone_mask].sqrt().tolist() == pytest.approx(
        [spec.duration_moments[1]] * int(batch.score.phone_mask.sum()), rel=1e-4
    )
