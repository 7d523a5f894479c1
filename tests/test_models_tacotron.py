"""Attention led by durations, and a decoder that hears its own frames, with known answers."""

import math

import pytest
import torch
from models_common import ROOT, batch_of, build, shaken

from nnsvs_lite.models.acoustic.fastspeech2_singing import FastSpeech2Singing, energy_of
from nnsvs_lite.models.layers.attentive import (
    AttentiveDecoder,
    DurationAttention,
    DurationControl,
    guided_attention,
    share_at,
)
from nnsvs_lite.models.layers.expand import phone_of_frame


def decoder(reduction: int = 2) -> AttentiveDecoder:
    torch.manual_seed(0)
    made = AttentiveDecoder(6, 3, hidden=8, prenet=5, attention=4, reduction=reduction)
    return shaken(made.eval(), 0.3)


def memory_of(made: AttentiveDecoder, rows: int = 2, phones: int = 4):
    torch.manual_seed(1)
    mask = torch.ones(rows, phones, dtype=torch.bool)
    mask[-1, -1] = False
    control = DurationControl()(torch.full((rows, phones), 2.0), mask).detach()
    return made.remember(torch.randn(rows, phones, 6), mask, control)


def test_the_cost_of_attention_is_that_of_a_hand_made_matrix():
    # Two steps, three phones; the first phone is sung, then the third. sigma is a third.
    weights = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]]])
    phone = torch.tensor([[0, 2]])
    mask, steps = torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    cost = guided_attention(weights, phone, mask, steps, 1 / 3)
    # Only half of the second step is astray, by two of three phones.
    assert float(cost) == pytest.approx(0.5 * (1 - math.exp(-2.0)) / 6, rel=1e-6)


def test_the_cost_leaves_out_padding():
    weights = torch.tensor([[[1.0, 0.0, 7.0], [9.0, 9.0, 9.0]]])
    phone = torch.tensor([[1, 0]])
    mask, steps = torch.tensor([[True, True, False]]), torch.tensor([[True, False]])
    cost = guided_attention(weights, phone, mask, steps, 0.5)
    assert float(cost) == pytest.approx((1 - math.exp(-0.5)) / 2, rel=1e-6)


def test_untrained_control_moves_on_where_phones_end():
    logits = DurationControl()(torch.tensor([[4.0, 2.0, 0.5]]), torch.ones(1, 3, dtype=torch.bool))
    # In the middle of step 3 half a step is left of the first phone; in that of step 4 it is over.
    early, late = 1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))
    assert share_at(logits, 3)[0, 0].item() == pytest.approx(early, rel=1e-5)
    assert share_at(logits, 4)[0, 0].item() == pytest.approx(late, rel=1e-5)
    assert share_at(logits, 6)[0].tolist() == pytest.approx([1, late, 0.5], abs=1e-4)


def test_attention_without_content_is_led_by_the_shares():
    attention = DurationAttention(6, 8, 4)
    with torch.no_grad():
        attention.score.weight.zero_()
    mask = torch.ones(1, 3, dtype=torch.bool)
    share, last = torch.tensor([[0.25, 0.5, 0.1]]), attention.start(mask)
    keys, query = torch.randn(1, 3, 4), torch.randn(1, 8)
    first = attention(query, keys, mask, share, last, last)
    torch.testing.assert_close(first, torch.tensor([[0.75, 0.25, 0.0]]), rtol=0, atol=1e-5)
    second = attention(query, keys, mask, share, first, first)
    expected = torch.tensor([[0.75 * 0.75, 0.25 * 0.75 + 0.5 * 0.25, 0.5 * 0.25]])
    torch.testing.assert_close(second, expected, rtol=0, atol=1e-4)


def test_attention_is_a_distribution_over_phones_and_never_on_padding():
    made = decoder()
    weights = made.sing(memory_of(made), 9, seed=0)[1]
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 9))
    assert (weights[1, :, 3] == 0).all() and (weights >= 0).all()


def test_all_steps_at_once_give_what_single_steps_give():
    made = decoder()
    memory, heard = memory_of(made), torch.randn(2, 7, 3)
    fused, stepped = made.follow(memory, heard, seed=3), made.sing(memory, 7, seed=3, heard=heard)
    for a, b in zip(fused[:2], stepped[:2]):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_singing_hears_the_last_frame_of_the_step_before():
    made = decoder()
    memory = memory_of(made)
    frames = made.sing(memory, 6, seed=3)[0]
    again = made.follow(memory, made.heard(frames, 6), seed=3)[0]
    torch.testing.assert_close(again, frames, rtol=1e-4, atol=1e-5)


def test_a_frame_does_not_depend_on_targets_of_its_own_step_or_later():
    made = decoder(reduction=2)
    target = torch.randn(2, 10, 3, requires_grad=True)
    frames = made.follow(memory_of(made), made.heard(target, 5), seed=0)[0]
    for step in range(5):
        (gradient,) = torch.autograd.grad(frames[:, 2 * step : 2 * step + 2].sum(), target, retain_graph=True)
        assert (gradient[:, 2 * step :] == 0).all()
        if step:
            assert gradient[:, 2 * step - 1].abs().sum() > 0


def test_the_seed_decides_what_is_sung(spec, items):
    model = shaken(build(ROOT / "conf" / "acoustic" / "tacotron_singing_tiny.yaml", spec))
    batch = batch_of(items[:1], spec)
    with torch.no_grad():
        first, same = model.infer(batch), model.infer(batch)
        batch.seed = 1
        other = model.infer(batch)
    assert torch.equal(first["mgc"], same["mgc"])
    assert not torch.equal(first["mgc"], other["mgc"])


def test_untrained_attention_follows_the_phones(spec, items):
    model = build(ROOT / "conf" / "acoustic" / "tacotron_singing_tiny.yaml", spec)
    with torch.no_grad():
        model.decoder.attention.score.weight.zero_()
        batch = batch_of(items[:1], spec)
        control = model.control(batch.score.duration / 1.0, batch.score.phone_mask)
        vectors = model.encoder(model.embedding(batch), batch.score.phone_mask)
        weights = model.decoder.sing(
            model.decoder.remember(vectors, batch.score.phone_mask, control), 200, 0
        )[1]
    places = (weights[0] * torch.arange(weights.shape[2])).sum(-1)
    sung = phone_of_frame(batch)[0, :200].float()
    assert (places - sung).abs().mean() < 0.1


def test_fastspeech2_learns_from_true_pitch_and_energy_and_sings_from_predicted(spec, items):
    torch.manual_seed(0)
    sizes = {"dim": 16, "encoder_layers": 1, "decoder_layers": 1, "filters": 16, "variance_hidden": 8}
    model: FastSpeech2Singing = shaken(FastSpeech2Singing(spec, **sizes).eval())
    batch = batch_of(items[:2], spec)
    base = model.space.base(batch, phone_of_frame(batch))
    energy = energy_of(model.space.encode(batch.streams, base))
    mean, std = (torch.tensor(getattr(spec.stats.streams["mgc"], k)[0]) for k in ("mean", "std"))
    torch.testing.assert_close(energy[..., 0], (batch.streams["mgc"][..., 0] - mean) / std)
    with torch.no_grad():
        taught = model.predict(batch, teacher=True)
        batch.streams["lf0"] = batch.streams["lf0"] + 0.2
        higher = model.predict(batch, teacher=True)
        sung = model.predict(batch, teacher=False)
    # The predictor of pitch does not see the true one; the decoder does.
    torch.testing.assert_close(higher["lf0"], taught["lf0"])
    assert (higher["mgc"] - taught["mgc"]).abs().max() > 1e-3
    assert "loss_energy" not in sung
