"""Transformers over phones and frames, with known answers: XiaoiceSing and Muskits' form of it."""

import math

import pytest
import torch
from models_common import ROOT, batch_of, build, shaken

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.xiaoicesing import XiaoiceSing
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.score_embedding import NumberEmbedding, ScoreEmbedding, ToFrames
from nnsvs_lite.models.layers.transformer import SelfAttention, Transformer, local_bias, sinusoids


def small(spec: Spec, **more) -> XiaoiceSing:
    torch.manual_seed(0)
    sizes = {"dim": 16, "encoder_layers": 1, "decoder_layers": 1, "filters": 24}
    return XiaoiceSing(spec, **{**sizes, **more}).eval()


def test_heads_at_zero_give_exactly_the_notes_log_f0(spec, items):
    model = small(spec)
    lf0 = model.infer(batch_of(items, spec))["lf0"][..., 0]
    pitch = spec.column("note", "pitch")
    for row, example in enumerate(items):
        frame_note = torch.repeat_interleave(
            torch.tensor(example.score.note_index).long(), torch.tensor(example.score.duration).long()
        )
        midi = torch.tensor(example.score.note_context[:, pitch])[frame_note]
        expected = torch.log(440 * 2 ** ((midi - 69) / 12))
        sung = midi > 0
        torch.testing.assert_close(lf0[row, : len(midi)][sung], expected[sung], rtol=0, atol=1e-6)


def test_what_the_head_gives_is_added_in_semitones(spec, items):
    model = small(spec)
    before = model.infer(batch_of(items, spec))["lf0"]
    with torch.no_grad():
        model.heads["lf0"].bias.fill_(20.0)
    # 20 semitones lie far beyond the 600 cents that NNSVS' bounded residual allows.
    moved = model.infer(batch_of(items, spec))["lf0"] - before
    torch.testing.assert_close(moved, torch.full_like(moved, 20 * 0.0578), rtol=0, atol=1e-4)


def test_the_base_is_the_training_mean_without_the_rule(spec, items):
    out = small(spec).infer(batch_of(items, spec))
    mean = torch.tensor(spec.stats.streams["mgc"].mean)
    torch.testing.assert_close(out["mgc"], mean.expand_as(out["mgc"]))


def test_attention_of_one_head_is_the_formula():
    torch.manual_seed(0)
    attention = SelfAttention(4, 1)
    x = torch.randn(1, 5, 4)
    q, k, v = attention.inputs(x)[0].chunk(3, dim=-1)
    expected = torch.softmax(q @ k.T / math.sqrt(4), dim=-1) @ v
    torch.testing.assert_close(attention(x, torch.ones(1, 5, dtype=torch.bool))[0], expected)


def test_attention_does_not_read_padding():
    torch.manual_seed(0)
    mask = torch.tensor([[True] * 4 + [False] * 3])
    x = torch.randn(1, 7, 8)
    other = torch.cat([x[:, :4], torch.full((1, 3, 8), 1e4)], dim=1)
    for attention in (SelfAttention(8, 2), SelfAttention(8, 2, width=30.0)):
        torch.testing.assert_close(attention(x, mask)[:, :4], attention(other, mask)[:, :4])
        alone = attention(x[:, :4], mask[:, :4])
        torch.testing.assert_close(attention(x, mask)[:, :4], alone)


def test_heads_must_share_the_channels_evenly():
    with pytest.raises(DataError, match="3 attention heads cannot share 8 channels"):
        SelfAttention(8, 3)


def test_the_locality_term_is_minus_distance_squared_by_its_width():
    bias = local_bias(4, 30.0, torch.device("cpu"))
    assert bias[0, 3] == pytest.approx(-9 / 30) and bias[2, 1] == pytest.approx(-1 / 30)
    assert (bias.diagonal() == 0).all() and torch.equal(bias, bias.T)


def test_a_narrow_locality_term_leaves_each_frame_to_itself():
    torch.manual_seed(0)
    attention = SelfAttention(8, 2, width=1e-4)
    x = torch.randn(1, 6, 8)
    own = attention.inputs(x)[..., 16:]
    torch.testing.assert_close(attention(x, torch.ones(1, 6, dtype=torch.bool)), own)


def test_positions_are_sines_and_cosines_of_growing_period():
    table = sinusoids(50, 6, torch.device("cpu"))
    assert table[0].tolist() == [0, 1, 0, 1, 0, 1]
    assert table[7, 0] == pytest.approx(math.sin(7), abs=1e-5)
    assert table[7, 5] == pytest.approx(math.cos(7 / 10000 ** (4 / 6)), abs=1e-5)


def test_a_stack_gives_an_utterance_in_a_batch_what_it_gives_it_alone():
    torch.manual_seed(0)
    stack = Transformer(8, 2, 2, 16, (3, 1), scaled=True).eval()
    mask = torch.tensor([[True] * 9, [True] * 5 + [False] * 4])
    x = torch.randn(2, 9, 8)
    alone = stack(x[1:, :5], mask[1:, :5])
    torch.testing.assert_close(stack(x, mask)[1, :5], alone[0], rtol=1e-4, atol=1e-5)


def test_a_length_between_two_values_lies_between_their_vectors():
    table = NumberEmbedding(0.1, 10.0, 3, 2)
    with torch.no_grad():
        table.table.weight.copy_(torch.tensor([[0.0, 1.0], [10.0, 1.0], [20.0, 5.0]]))
    values = torch.tensor([[0.1, 1.0, math.sqrt(10.0), 10.0, 0.0, 99.0]])
    expected = [[0, 1], [10, 1], [15, 3], [20, 5], [0, 1], [20, 5]]
    torch.testing.assert_close(table(values)[0], torch.tensor(expected, dtype=torch.float32))


def test_only_the_phone_speaks_before_training_and_unknown_parts_are_refused(spec, items):
    embedding = ScoreEmbedding(spec, {"phone": 4, "pitch": 4, "length": 4, "tempo": 4})
    parts = embedding.parts(batch_of(items, spec))
    assert parts.pop("phone").abs().sum() > 0
    assert all((value == 0).all() for value in parts.values())
    with pytest.raises(DataError, match="no part 'colour' of the score"):
        ScoreEmbedding(spec, {"colour": 4})


def test_hidden_parts_are_whole_vectors_and_the_phone_is_never_hidden(spec, items):
    embedding = ScoreEmbedding(spec, {"phone": 4, "pitch": 4}, context_dropout=0.5).train()
    with torch.no_grad():
        embedding.tables["pitch"].weight.fill_(1.0)
    torch.manual_seed(0)
    parts = embedding.parts(batch_of(items, spec))
    rows = parts["pitch"].sum(-1)
    assert set(rows.unique().tolist()) == {0.0, 4.0}
    torch.testing.assert_close(parts["phone"], embedding.eval().parts(batch_of(items, spec))["phone"])


def test_phones_are_repeated_by_their_durations(spec, items):
    batch = batch_of(items[:1], spec)
    phones = torch.arange(batch.score.phone_context.shape[1], dtype=torch.float32)[None, :, None]
    frames = ToFrames(spec, 1)(phones, batch, phone_of_frame(batch))
    assert frames[0, :, 0].tolist() == phones[0, :, 0].repeat_interleave(batch.score.duration[0]).tolist()


def test_muskits_form_learns_spectra_before_and_after_its_postnet(spec, items):
    model = build(ROOT / "conf" / "acoustic" / "muskits_xiaoice_tiny.yaml", spec)
    batch = batch_of(items, spec)
    with torch.no_grad():
        same = model.loss(batch)
        # The postnet starts at zero, so both count the same: spectra twice, pitch and voicing once.
        plain = model.stream_loss(model.predict(batch, teacher=True), batch)
        once = plain["lf0"] + plain["vuv"]
        torch.testing.assert_close(same["loss"], 2 * plain["loss"] - once, rtol=1e-4, atol=1e-4)
        shaken(model)
        predicted = model.predict(batch, teacher=True)
    assert (predicted["mgc"] - predicted["before_mgc"]).abs().max() > 0.01
    assert set(model.infer(batch)) == set(spec.streams)
