"""Phones and pitches that training never held."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build, shaken
from toy import make_dump

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.layers.pitch_bases import LOWEST, REACH, STEP, PitchBases
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.phrases import check_score, example_of

HELD = ("pau", "a", "i", "u", "o", "k", "s", "d", "n", "m")


@pytest.fixture(scope="module")
def few(spec) -> Spec:
    """A spec whose training set held these phones and no others."""
    one = next(iter(spec.stats.phones.values()))
    phones = {phone: spec.stats.phones.get(phone, one) for phone in HELD}
    return replace(spec, stats=replace(spec.stats, phones=phones))


def score_of(*lyrics: str) -> Score:
    notes = [Note(0.5 * i, 0.5 * (i + 1), 60 + i, lyric, beats=1.0) for i, lyric in enumerate(lyrics)]
    return attach_phones(Score((*notes, Note(0.5 * len(notes), 0.5 * len(notes) + 0.5, 0)), lang="ja"))


NEAREST = {"z": "d", "e": "i", "N": "n", "br": "pau", "sh": "s", "t": "k", "b": "d", "my": "m", "I": "i"}


def test_the_nearest_phone_is_known_by_its_features(few):
    unheard = few.unheard
    assert {phone: unheard[phone] for phone in NEAREST} == NEAREST
    assert not set(unheard) & set(HELD) and set(unheard.values()) <= set(HELD)
    assert len(unheard) == len(few.phones) - len(HELD)


def test_in_timing_what_fills_notes_stands_for_what_fills_notes(few):
    names = ("", *few.phones)
    near = {names[i]: names[k] for i, k in enumerate(few.stand_ins(timing=True))}
    assert near["N"] in "aiuo" and near["I"] in ("k", "s") and near["z"] == "d" and near[""] == ""
    fills = dict(zip(names, few.sustaining))
    assert all(fills[phone] == fills[other] for phone, other in near.items())


def test_a_spec_without_phones_changes_none(spec):
    nothing = replace(spec, stats=replace(spec.stats, phones={}))
    assert nothing.stand_ins() == list(range(len(spec.phones) + 1)) and nothing.unheard == {}


@pytest.mark.parametrize(
    "config", ["acoustic/resf0_conv", "acoustic/sinsy_tiny", "acoustic/rule", "timelag/mdn"]
)
def test_models_are_told_of_the_phone_that_stands_for_it(config, few):
    model = build(ROOT / "conf" / f"{config}.yaml", few)
    unheard, held = (
        batch_of([example_of("u", score_of("さ", lyric, "お"), few)], few) for lyric in ("ざ", "だ")
    )
    assert not torch.equal(unheard.score.phone_context, held.score.phone_context)
    told = model.heard(unheard).score
    assert torch.equal(told.phone_context, held.score.phone_context)
    assert torch.equal(told.note_context, held.score.note_context)
    same = model.heard(held).score
    assert torch.equal(same.phone_context, held.score.phone_context)


def test_singing_warns_once_of_phones_that_training_never_held(few, caplog):
    check_score(score_of("か", "ざ", "ぜ", "ざ"), few)
    assert [r.getMessage().partition(": ")[2] for r in caplog.records] == ["e as i, z as d"]
    caplog.clear()
    check_score(score_of("か", "だ"), few)
    assert not caplog.records


def test_stage_2_lists_them(tmp_path, capfd):
    dump = make_dump(tmp_path, {"train": 2, "dev": 1})
    (dump / "stats.json").unlink()
    assert main(["stats", "--dump", str(dump), "--train-set", "train"]) == 0
    told = "phones that train never holds, and what each will be sung as: "
    (said,) = (line for line in capfd.readouterr().out.splitlines() if line.startswith(told))
    for phone, other in Spec.read(dump).unheard.items():
        assert f" {phone} ({other})" in said


@pytest.fixture
def bases(spec) -> PitchBases:
    layer = PitchBases(spec, 3)
    torch.manual_seed(0)
    torch.nn.init.normal_(layer.weight.weight)
    return layer


def at(bases: PitchBases, *pitches: float) -> np.ndarray:
    with torch.no_grad():
        return bases(torch.tensor(pitches, dtype=torch.float32)).numpy()


def test_pitches_side_by_side_have_like_vectors(bases):
    low, high = int(bases.low), int(bases.high)
    assert (low, high) == (57, 71), "the toy corpus draws from these"
    vectors = at(bases, *range(low, high + 1))
    assert np.abs(np.diff(vectors, axis=0)).max() < 0.5 * np.ptp(vectors, axis=0).max()
    # A centre far from both neighbours would have its own weight and half the line.
    k = round((60 - LOWEST) / STEP)
    assert int(torch.softmax(-0.5 * ((60 - bases.centres) / STEP) ** 2, 0).argmax()) == k


def test_beyond_what_was_sung_vectors_go_along_a_line_and_no_farther(bases):
    for end, way in ((bases.high, 1), (bases.low, -1)):
        vectors = at(bases, *(end + way * np.arange(0, REACH + 3)))
        steps = np.diff(vectors, axis=0)
        slope = way / 12 * bases.weight.weight[:, -1].detach().numpy()
        np.testing.assert_allclose(steps[: int(REACH)], np.tile(slope, (int(REACH), 1)), atol=1e-5)
        np.testing.assert_allclose(steps[int(REACH) :], 0.0, atol=1e-6)
    assert (at(bases, 0.0) == 0).all(), "a rest has no pitch"


def test_a_pitch_between_sung_ones_learns_from_them(spec):
    """Two pitches are taught, 60 as -1 and 66 as 1: the one between lies between, which a table left at 0."""
    layer = PitchBases(spec, 1)
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (layer(torch.tensor([60.0, 66.0]))[:, 0] - torch.tensor([-1.0, 1.0])).square().sum().backward()
        optimizer.step()
    low, quarter, middle, most, high = at(layer, 60.0, 61.5, 63.0, 64.5, 66.0)[:, 0]
    assert low == pytest.approx(-1, abs=0.02) and high == pytest.approx(1, abs=0.02)
    assert low < quarter < middle < most < high and abs(middle) < 0.2


def test_an_untrained_model_says_nothing_of_pitch(spec, items):
    model = build(ROOT / "conf" / "acoustic" / "resf0_conv.yaml", spec)
    batch = batch_of(items[:1], spec)
    pitch = spec.column("note", "pitch")
    assert (model.pitch(batch.score.note_context[..., pitch]) == 0).all()
    assert (shaken(model).pitch(batch.score.note_context[..., pitch]) != 0).any()
