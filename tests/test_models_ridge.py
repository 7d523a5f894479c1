"""Ridge regression: the rule where nothing was learnt, and what was sung where enough was."""

import dataclasses

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build

from nnsvs_lite.models.acoustic.ridge import RidgeAcoustic
from nnsvs_lite.models.layers.context_ridge import OWN, SIGNAL, ContextRidge
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.losses import LF0_UNIT
from nnsvs_lite.models.layers.timing_floor import TimingFloor
from nnsvs_lite.models.options import AcousticOptions


def test_one_example_moves_it_as_far_as_its_prior_lets_it():
    """A row (1, 1) of 4: precisions 1/OWN and 1/SIGNAL; 4 is shared out in proportion to the variances."""
    ridge = ContextRidge(1, 1)
    assert ridge(torch.ones(3, 2)).tolist() == [0, 0, 0]
    ridge.fit([(torch.ones(1, 2), torch.tensor([4.0]))])
    expected = [4 * OWN / (1 + OWN + SIGNAL), 4 * SIGNAL / (1 + OWN + SIGNAL)]
    assert ridge.weight.tolist() == pytest.approx(expected)


def test_many_examples_outweigh_the_prior_and_pieces_are_one_whole():
    rng = np.random.default_rng(0)
    rows = torch.tensor(rng.standard_normal((20_000, 5)), dtype=torch.float32)
    true = torch.tensor([0.5, -1.0, 2.0, 0.0, 0.3])
    values = rows @ true + torch.tensor(rng.standard_normal(20_000), dtype=torch.float32)
    whole, parts = ContextRidge(2, 3), ContextRidge(2, 3)
    whole.fit([(rows, values)])
    parts.fit(zip(rows.split(777), values.split(777)))
    assert whole.weight.tolist() == pytest.approx(true.tolist(), abs=0.03)
    assert parts.weight.tolist() == pytest.approx(whole.weight.tolist(), abs=1e-5)


@pytest.mark.parametrize("family", ["timelag", "duration"])
def test_what_has_learnt_nothing_is_the_rule(family, spec, items):
    batch = batch_of(items, spec)
    ridge, rule = (
        build(ROOT / f"conf/{family}/{name}.yaml", spec).infer(batch) for name in ("ridge", "rule")
    )
    mask = batch.score.note_mask if family == "timelag" else batch.score.phone_mask
    for name, value in rule.items():
        torch.testing.assert_close(ridge[name][mask], value[mask], atol=1e-3, rtol=1e-4)


def sung(spec, items, late: int, stretch: float):
    """The examples with vowels ``late`` frames late and consonants ``stretch`` times the rule's length."""
    floor, out = TimingFloor(spec), []
    for example in items:
        batch = batch_of([example], spec)
        _, mean, _ = (x[0].numpy() for x in floor(batch))
        score, names = example.score, ("is_onset", "is_silence")
        onset, silent = (score.phone_context[:, spec.column("phone", name)] > 0.5 for name in names)
        held = floor.sustains[floor.phone_ids(batch)][0].numpy()
        length = np.where(held | silent, score.duration, np.round(mean * stretch)).astype(np.int64)
        rest = score.note_context[:, spec.column("note", "is_rest")] > 0.5
        before = np.bincount(score.note_index, length * onset, minlength=len(rest))
        lag = np.where(rest, 0.0, late - before)
        out.append(
            dataclasses.replace(example, score=dataclasses.replace(score, duration=length, time_lag=lag))
        )
    return out


def test_what_is_sung_late_and_long_is_predicted_late_and_long(spec, items):
    many = sung(spec, items, late=3, stretch=1.4) * 30
    lag, duration = (build(ROOT / f"conf/{family}/ridge.yaml", spec) for family in ("timelag", "duration"))
    for model in (lag, duration):
        model.fit(many)
    batch = batch_of(many[: len(items)], spec)
    lengths = duration.infer(batch)["mean"]
    consonant = duration._consonant(batch)
    ratio = (lengths / batch.score.duration)[consonant]
    assert ratio.median() == pytest.approx(1.0, abs=0.03)
    vowel = lag.infer(batch)["time_lag"] + lag._before(lengths, batch)
    note = lag.learnt(batch) & ~lag.is_rest(batch)
    assert vowel[note].median() == pytest.approx(3.0, abs=0.3)
    # A tenth of a second is the most that a note is sung early.
    inside = lag.infer(batch)["time_lag"].abs() <= lag.limit(batch) + 1e-4
    assert inside[batch.score.note_mask].all()


def test_a_handful_of_notes_moves_it_half_way(spec, items):
    few = sung(spec, items[:1], late=4, stretch=1.0)
    lag = build(ROOT / "conf/timelag/ridge.yaml", spec)
    lag.fit(few)
    batch = batch_of(few, spec)
    vowel = lag.infer(batch)["time_lag"] + lag._before(lag.lengths.infer(batch)["mean"], batch)
    note = lag.learnt(batch) & ~lag.is_rest(batch)
    assert 1.0 < vowel[note].mean() < 4.0


def frames_of(model, batch):
    """Its streams without what is drawn and added, and where they begin."""
    phone = phone_of_frame(batch)
    return model.outputs(batch, phone, base := model.space.base(batch, phone), {}), base


@pytest.fixture(scope="module")
def plain(spec):
    return RidgeAcoustic(spec, options=AcousticOptions(residual_to_rule=True)).eval()


def test_an_acoustic_ridge_sings_the_base_before_and_what_it_was_taught_after(spec, items, plain):
    batch = batch_of(items, spec)
    out, base = frames_of(plain, batch)
    for name in ("lf0", "mgc", "bap"):
        torch.testing.assert_close(out[name], base[name])
    # Each vowel leaves the base by half a deviation, up along it and down again; F0 is half a semitone high.
    taught = []
    for item in items:
        one = batch_of([item], spec)
        phone, (_, base) = phone_of_frame(one), frames_of(plain, one)
        ends = one.score.duration.cumsum(1)
        place = torch.arange(one.max_frames) + 0.5 - (ends - one.score.duration).gather(1, phone)
        bend = 0.5 * torch.cos(torch.pi * place / one.score.duration.gather(1, phone))[..., None]
        vowel = one.score.phone_context[0, phone[0], spec.column("phone", "is_vowel")][None, :, None]
        mgc = base["mgc"] + bend * vowel * plain.space.std_mgc
        streams = {**item.streams, "mgc": mgc[0].numpy(), "lf0": (base["lf0"] + LF0_UNIT / 2)[0].numpy()}
        taught.append(dataclasses.replace(item, streams=streams))
    plain.fit(taught * 20)
    batch = batch_of(taught, spec)
    out, base = frames_of(plain, batch)
    voiced = (batch.streams["vuv"][..., 0] > 0.5) & batch.frame_mask
    assert ((out["lf0"] - base["lf0"])[voiced] / LF0_UNIT).mean() == pytest.approx(0.5, abs=0.03)
    mask, mgc = batch.frame_mask, out["mgc"]
    wrong, size = ((mgc - x)[mask].square().mean() for x in (batch.streams["mgc"], base["mgc"]))
    assert wrong < 0.05 * size
