"""Vibrato that is put into a curve is found, described and sung again; and the prior on pitch."""

import dataclasses
import math

import pytest
import torch
from models_common import ROOT, batch_of, build

from nnsvs_lite.models.acoustic.sinsy import SELDOM, SPREAD, USUAL, Sinsy, prior_weights
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.vibrato import CENT, VibratoAnalysis, sing_vibrato
from nnsvs_lite.models.options import AcousticOptions


def curve(
    shift: float, rate: float, cents: float, start: float = 1.0, end: float = 2.5, seconds: float = 3.5
):
    """A held A3 with vibrato from ``start`` to ``end``: log F0, the score, voicing."""
    time = torch.arange(round(seconds / shift)) * shift
    on = (time >= start) & (time < end)
    score = torch.full((1, len(time), 1), math.log(220.0))
    wave = cents * CENT * torch.sin(2 * math.pi * rate * (time - start)) * on
    return score + wave[None, :, None], score, torch.ones(1, len(time), dtype=torch.bool)


@pytest.mark.parametrize("shift", [0.005, 0.01, 128 / 24000])
@pytest.mark.parametrize(("rate", "cents"), [(4.5, 40.0), (5.5, 80.0), (6.5, 120.0)])
def test_a_sines_rate_amplitude_and_place_are_found(shift, rate, cents):
    found = VibratoAnalysis(shift)(*curve(shift, rate, cents))
    flag = found.flag[0, :, 0]
    assert abs(float(found.rate[found.flag].mean()) - rate) < 0.1
    assert abs(float(found.amplitude[found.flag].mean()) - cents) < 0.06 * cents
    frames = torch.nonzero(flag)[:, 0] * shift
    assert 0.99 <= frames[0] < 1.3 and 2.2 < frames[-1] <= 2.51
    assert flag.sum() == len(frames[0] <= frames) and flag.diff().ne(0).sum() == 2, "one run"


@pytest.mark.parametrize(
    ("rate", "cents", "end"),
    [(5.5, 15.0, 2.5), (5.5, 200.0, 2.5), (1.5, 80.0, 2.5), (12.0, 80.0, 2.5), (5.5, 80.0, 1.15)],
    ids=["narrow", "wide", "slow", "fast", "short"],
)
def test_what_is_no_vibrato_is_not_found(rate, cents, end):
    assert not VibratoAnalysis(0.005)(*curve(0.005, rate, cents, end=end)).flag.any()


def test_a_melody_of_steps_has_no_vibrato():
    steps = torch.tensor([57, 59, 60, 62, 60, 59]).repeat_interleave(80) - 69
    lf0 = (math.log(440) + steps * math.log(2) / 12)[None, :, None]
    voiced = torch.ones(lf0.shape[:2], dtype=torch.bool)
    assert not VibratoAnalysis(0.005)(lf0, lf0, voiced).flag.any()


def test_what_is_found_does_not_depend_on_the_batch_nor_on_padding():
    lf0, score, voiced = curve(0.005, 5.5, 60)
    other, *_ = curve(0.005, 6.0, 60)
    analysis = VibratoAnalysis(0.005)
    alone = analysis(lf0[:, :520], score[:, :520], voiced[:, :520])
    valid = torch.arange(lf0.shape[1]) < 520
    rows = torch.cat([other, torch.where(valid[None, :, None], lf0, 1.0)])
    both = analysis(rows, score.expand(2, -1, 1), torch.stack([voiced[0], valid]))
    assert alone.flag.any()
    for one, two in zip(alone, both):
        torch.testing.assert_close(two[1, :520], one[0], rtol=1e-4, atol=1e-4)


def test_pitch_stays_exact_in_mixed_precision():
    lf0, score, voiced = curve(0.005, 5.5, 80.0)
    exact = VibratoAnalysis(0.005)(lf0, score, voiced)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = VibratoAnalysis(0.005)(lf0, score, voiced)
    assert exact.flag.any()
    for one, two in zip(exact, mixed):
        torch.testing.assert_close(two, one)


@pytest.mark.parametrize("rate", [4.0, 5.5, 7.0])
def test_what_is_sung_is_found_again(rate):
    score = torch.full((1, 700, 1), math.log(220.0))
    flag = torch.zeros(1, 700, 1, dtype=torch.bool)
    flag[:, 200:500] = True
    on = torch.ones(1, 700, 1)
    wave = sing_vibrato(70 * on, rate * on, flag, 0.005)
    assert not wave[~flag].any() and abs(float(wave[0, 200])) < 1e-6
    assert abs(float(wave.max()) / CENT - 70) < 1
    found = VibratoAnalysis(0.005)(score + wave, score, torch.ones(1, 700, dtype=torch.bool))
    assert abs(float(found.rate[found.flag].mean()) - rate) < 0.3


def test_each_run_of_vibrato_starts_anew_and_is_held_within_bounds():
    flag = torch.zeros(1, 200, 1, dtype=torch.bool)
    flag[:, 20:83] = flag[:, 120:183] = True
    on = torch.ones(1, 200, 1)
    wave = sing_vibrato(70 * on, 5.5 * on, flag, 0.005)
    torch.testing.assert_close(wave[:, 20:83], wave[:, 120:183], rtol=0, atol=1e-4 * CENT * 70)
    loud = sing_vibrato(9999 * on, 999 * on, flag, 0.005)
    torch.testing.assert_close(loud, sing_vibrato(150 * on, 8 * on, flag, 0.005))


def longer(batch):
    """The batch with the frame lengths of its changed durations."""
    lengths = batch.score.duration.sum(1)
    return dataclasses.replace(batch, frame_lengths=lengths, max_frames=int(lengths.max()))


def with_vibrato(spec, items, cents=60.0):
    """A phrase sung on the score's pitch, with vibrato of 5.5 Hz on its longest note."""
    model = Sinsy(spec, 8, 8, 8, 1, vibrato="sine")
    batch = batch_of(items[:1], spec)
    # The toy's notes are short: one is made long.
    longest = int(batch.score.duration[0].argmax())
    batch.score.duration[0, longest] += 400
    batch = longer(batch)
    phone = phone_of_frame(batch)
    time = torch.arange(batch.max_frames) * spec.frame_shift
    inside = (phone[0] == longest).float()
    start = float(time[int(inside.argmax())])
    lf0 = model.space.floor.pitch_of(batch, phone)
    wave = cents * CENT * torch.sin(2 * math.pi * 5.5 * (time - start)) * inside
    sizes = {"mgc": spec.streams["mgc"], "bap": spec.streams["bap"]}
    streams = {n: torch.zeros(1, batch.max_frames, d) for n, d in sizes.items()}
    streams |= {"lf0": lf0 + wave[None, :, None], "vuv": torch.ones(1, batch.max_frames, 1)}
    return dataclasses.replace(batch, streams=streams), wave


def test_a_model_that_says_what_was_found_sings_the_target(spec, items):
    batch, wave = with_vibrato(spec, items)
    model = Sinsy(spec, 8, 8, 8, 1, vibrato="sine", options=AcousticOptions(residual_to_rule=True)).eval()
    _, true, flag = model._find(batch, phone_of_frame(batch))
    assert 300 < flag.sum() <= 1.02 * (wave != 0).sum()
    logit = torch.where(flag, 5.0, -5.0) - SELDOM
    sung = model._sung({"vibrato": true, "vibrato_flag": logit}, batch)[0, :, 0]
    assert float((sung - wave)[flag[0, :, 0]].abs().max()) < 25 * CENT
    usual = torch.tensor(USUAL) + true[flag.expand(-1, -1, 2)].view(-1, 2) * torch.tensor(SPREAD)
    assert abs(float(usual[:, 1].mean()) - 5.5) < 0.1


@pytest.mark.parametrize("kind", ["sine", "diff"])
def test_the_residual_is_not_asked_to_follow_the_vibrato(spec, items, kind):
    """The untrained model sings the score: all that its F0 lacks is what the level keeps."""
    batch, _ = with_vibrato(spec, items)
    options = AcousticOptions(residual_to_rule=True)
    plain = Sinsy(spec, 8, 8, 8, 1, options=options).eval().loss(batch)
    model = Sinsy(spec, 8, 8, 8, 1, vibrato=kind, options=options).eval()
    losses = model.loss(batch)
    assert plain["lf0"] > 0.1
    assert losses["lf0"] < (0.3 if kind == "sine" else 0.15) * plain["lf0"]
    assert losses["vibrato"] > 0
    expected = losses["lf0"] + losses["vuv"] + losses["mgc"] + losses["bap"] + losses["vibrato"]
    torch.testing.assert_close(losses["loss"], expected + losses.get("vibrato_flag", 0.0))


def test_vibrato_is_learnt(spec, items):
    batch, wave = with_vibrato(spec, items)
    torch.manual_seed(0)
    model = Sinsy(spec, 32, 16, 16, 1, vibrato="sine", options=AcousticOptions(residual_to_rule=True))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        model.loss(batch)["loss"].backward()
        optimizer.step()
    lf0 = model.eval().infer(batch)["lf0"]
    sung = lf0 - model.space.floor.pitch_of(batch, phone_of_frame(batch))
    found = model.analysis(lf0, lf0 - sung, torch.ones(lf0.shape[:2], dtype=torch.bool))
    assert found.flag.sum() > 200
    assert abs(float(found.rate[found.flag].mean()) - 5.5) < 0.5


@pytest.mark.parametrize("shift", [0.005, 0.01])
def test_pitch_is_held_in_the_middle_of_long_notes_alone(spec, items, shift):
    example = dataclasses.replace(items[0], score=dataclasses.replace(items[0].score), streams={})
    seconds = torch.tensor([0.5] * len(example.score.duration))
    seconds[3], seconds[5] = 2.0, 0.3
    example.score.duration = (seconds / shift).round().long().numpy()
    # Each phone is a note of its own here.
    example.score.note_index = torch.arange(len(seconds)).numpy()
    rest = spec.column("note", "is_rest")
    notes = torch.zeros(len(seconds), example.score.note_context.shape[1])
    example.score.note_context, example.score.note_time = notes.numpy(), torch.zeros(len(seconds), 2).numpy()
    batch = collate([example], shift)
    weights = prior_weights(batch, phone_of_frame(batch), rest, shift)[0, :, 0]
    start = round(1.5 / shift)
    note = weights[start : start + round(2 / shift)]
    assert weights.sum() == note.sum(), "notes of 0.6 s or less are free"
    assert note[0] == 0 and note[-1] == 0
    middle = note[round(0.3 / shift) : -round(0.3 / shift) - 1]
    torch.testing.assert_close(middle, torch.full_like(middle, 0.5))
    torch.testing.assert_close(note[round(0.15 / shift)], torch.tensor(0.25))
    torch.testing.assert_close(note, note.flip(0))
    batch.score.note_context[:, 3, rest] = 1
    assert not prior_weights(batch, phone_of_frame(batch), rest, shift).any(), "rests are free"


def test_the_prior_costs_what_it_says(spec, items):
    model = build(ROOT / "conf/acoustic/sinsy_pitchreg_tiny.yaml", spec)
    batch = batch_of(items[:2], spec)
    batch.score.duration[:, 2] += 300
    batch = longer(batch)
    batch.streams = {n: torch.zeros(2, batch.max_frames, d) for n, d in spec.streams.items()}
    assert model.loss(batch)["prior"] == 0, "an untrained model sings the score"
    torch.nn.init.constant_(model.heads["lf0"].bias, 1.0)
    with torch.no_grad():
        predicted = model.predict(batch, teacher=True)
    residual = float(predicted["residual"].mean())
    assert abs(residual / CENT - 99.7) < 2, "a number of 1 is a semitone, but for the bound"
    mean = float(predicted["prior"][batch.frame_mask].mean())
    assert math.isclose(float(model.loss(batch)["prior"]), model.prior * mean * residual, rel_tol=1e-5)
