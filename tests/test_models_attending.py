"""Decoders that attend and hear their own frames: what each cannot do, step by step as all at once."""

import math

import pytest
import torch
from models_common import ROOT, batch_of, build, shaken
from torch.nn import functional as F
from toy import make_dump

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.layers.conv_decoder import ConvDecoder
from nnsvs_lite.models.layers.cross import InterpolatedBias, PastAttention
from nnsvs_lite.models.layers.location import LocationAttention
from nnsvs_lite.models.layers.transformer_decoder import ADVANCE, AlignmentLayer, distances

SYSTEMS = ("tacotron2", "deepvoice3", "transformer_tts", "very_attentive")
every = pytest.mark.parametrize("system", SYSTEMS)


def model_of(system: str, spec, size: float = 0.1):
    return shaken(build(ROOT / f"conf/acoustic/{system}_singing_tiny.yaml", spec), size)


@every
def test_all_steps_at_once_give_what_single_steps_give(system, spec, items):
    model = model_of(system, spec)
    memory, decoder = model.memory(batch_of(items[:2], spec)), model.decoder
    if system == "deepvoice3":
        # Single steps hold attention about where it has been: of two phones none is out of reach.
        memory = memory._replace(mask=memory.mask & (torch.arange(memory.mask.shape[1]) < 2))
    heard = torch.randn(2, 9, decoder.size)
    with torch.no_grad():
        fused, stepped = decoder.follow(memory, heard, 3), decoder.sing(memory, 9, 3, heard)
    for a, b in zip(fused, stepped):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@every
def test_a_step_hears_no_target_of_its_own_or_later(system, spec, items):
    model = model_of(system, spec)
    memory, decoder = model.memory(batch_of(items[:1], spec)), model.decoder
    target = torch.randn(1, 6 * decoder.reduction, decoder.size, requires_grad=True)
    decoded = decoder.follow(memory, decoder.heard(target, 6), 0)
    size = decoder.reduction
    for step in (1, 3, 5):
        out = decoded.frames[:, step * size : (step + 1) * size].sum() + decoded.stop[:, step].sum()
        (gradient,) = torch.autograd.grad(out, target, retain_graph=True)
        assert not gradient[:, step * size :].any()
        assert gradient[:, step * size - 1].any()


@every
def test_attention_is_a_distribution_and_never_on_padding(system, spec, items):
    model = model_of(system, spec)
    batch = batch_of(items[:3], spec)
    with torch.no_grad():
        out = model.predict(batch, teacher=False)
    weights, steps = out["attention"], -(-batch.max_frames // model.decoder.reduction)
    assert weights.shape[:2] == out["stop"].shape == (3, steps)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, steps))
    assert not weights[~batch.score.phone_mask[:, None].expand_as(weights)].any()


@every
def test_the_last_step_is_the_one_to_stop_at(system, spec, items):
    model = model_of(system, spec)
    batch = batch_of(items[:2], spec)
    decoder, steps = model.decoder, -(-batch.frame_lengths // model.decoder.reduction)

    def loss(logits):
        decoder._decoded = lambda x, weights: type(made)(made.frames, made.weights, logits)
        return float(model.predict(batch, teacher=True)["loss_stop"])

    with torch.no_grad():
        made = decoder.follow(model.memory(batch), torch.zeros(2, int(steps.max()), decoder.size), 0)
        right = torch.full_like(made.stop, -9.0)
        right[torch.arange(2), steps - 1] = 9.0
        late = right.roll(1, dims=1)
        assert loss(right) < 2e-3 < 0.05 < loss(late)
        # Beyond an utterance's end nothing counts.
        short = int(steps.argmin())
        right[short, steps[short] :] = 5.0
        assert loss(right) < 2e-3


def test_what_was_attended_to_moves_location_attention_on_through_repeated_phones():
    """Keys are all alike, as in la la la; filters compare a phone's past with that of the one before it."""
    attention = LocationAttention(4, 4, 1)
    with torch.no_grad():
        attention.query.weight.zero_(), attention.past.conv.weight.zero_()
        attention.past.conv.weight[0, 1, 14:16] = torch.tensor([1.0, -1.0])
        attention.past_out.weight.zero_()[0, 0] = 3.0
        attention.score.weight.fill_(20.0)
    keys, mask = torch.zeros(1, 6, 1), torch.ones(1, 6, dtype=torch.bool)
    last = F.one_hot(torch.tensor([0]), 6).float()
    total, places = last, []
    for _ in range(5):
        last = attention(torch.zeros(1, 4), keys, mask, last, total)
        total = total + last
        places.append(int(last.argmax()))
    assert places == [1, 2, 3, 4, 5]
    last = total = F.one_hot(torch.tensor([0]), 6).float()
    attention.past.conv.weight.data.zero_()
    with torch.no_grad():
        assert attention(torch.zeros(1, 4), keys, mask, last, total).max().item() == pytest.approx(1 / 6)


def test_tacotron_2_has_as_many_weights_as_published(tmp_path):
    spec = Spec.read(make_dump(tmp_path, {"train": 1}, 0.05, mgc=80, notes=(1, 1), mel=True))
    with torch.device("meta"):
        model = build(ROOT / "conf/acoustic/tacotron2_singing.yaml", spec)
    # With 148 characters on 80 bands, NVIDIA's.
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(28_193_153, rel=0.02)


def conv_decoder(dim: int = 64, layers: int = 2) -> ConvDecoder:
    torch.manual_seed(0)
    return ConvDecoder(dim, 3, dim, layers, 3, 0.0, 8, 0.0, 1).eval()


def test_places_find_each_other_before_anything_is_learnt():
    """Deep Voice 3 on phones that all last 5 steps: the diagonal; on others, where they are in the score."""
    decoder = conv_decoder(layers=1)
    with torch.no_grad():
        decoder.enter.weight.zero_(), decoder.enter.bias.zero_(), decoder.places.weight.zero_()
        decoder.places.bias.zero_(), decoder.convs[0].conv.conv.weight.zero_()
        decoder.convs[0].conv.conv.bias.zero_()
        attention = decoder.attentions[0]
        attention.query.weight.copy_(torch.eye(64)), attention.query.bias.zero_()
        attention.key.load_state_dict(attention.query.state_dict())
        for length in ([5] * 6, [2, 9, 4, 1, 12, 2]):
            steps = torch.tensor([length], dtype=torch.float32)
            middle = steps.cumsum(1) - steps / 2 - 0.5
            mask = torch.ones(1, 6, dtype=torch.bool)
            memory = decoder.remember(torch.zeros(1, 6, 64), mask, middle)
            weights = decoder.follow(memory, torch.zeros(1, 30, 3), 0).weights
            nearest = (torch.arange(30)[:, None] - middle).abs().argmin(-1)
            assert (weights[0].argmax(-1) == nearest).float().mean() > 0.9
        assert decoder.rate.item() == 1.0


def test_attention_never_goes_back_from_the_furthest_phone():
    decoder = shaken(conv_decoder(dim=8), 0.7)
    mask = torch.ones(1, 40, dtype=torch.bool)
    memory = decoder.remember(torch.randn(1, 40, 8), mask, torch.arange(40.0)[None])
    state, furthest = decoder.begin(memory), []
    with torch.no_grad():
        for k in range(60):
            _, _, state = decoder.step(torch.randn(1, 8), k, memory, state)
            furthest.append([int(place) for _, place in state])
    paths = torch.tensor(furthest)
    assert (paths.diff(dim=0) >= 0).all() and (paths.diff(dim=0) <= 3).all() and paths[-1].max() > 5


def test_real_distances_have_the_published_places_in_the_buckets():
    bias = InterpolatedBias(1, furthest=64.0)
    known = {0: 16, 0.5: 16.5, -0.5: 15.5, 8: 24, -8: 8, 16: 26.3333, 64: 31, -64: 1, 900: 31, -900: 1}
    places = bias.place(torch.tensor(list(known), dtype=torch.float32))
    torch.testing.assert_close(
        places, torch.tensor(list(known.values()), dtype=torch.float32), rtol=1e-4, atol=0
    )


def test_biases_are_continuous_start_as_a_gaussian_and_fall_beyond_the_furthest():
    bias = InterpolatedBias(2, furthest=64.0, width=15.0)
    whole = bias(torch.tensor([[[0.0, 3.0, -3.0, 8.0, 64.0]]]))[0, :, 0]
    expected = torch.tensor([0.0, -9.0, -9.0, -64.0, -4096.0]) / 450
    torch.testing.assert_close(whole, expected.expand(2, -1), rtol=1e-3, atol=1e-4)
    with torch.no_grad():
        torch.manual_seed(0)
        bias.table.normal_()
    line = torch.linspace(-70, 70, 28001)
    values = bias(line[None, None])[0, 0, 0]
    slope = values.diff() / line.diff()
    # Between two rows of at most 6 apart, and 1 beyond.
    assert slope.abs().max() < 8.0
    assert (values[line > 66].diff() / line[line > 66].diff()).mean().item() == pytest.approx(-1.0, abs=1e-3)


def test_the_alignment_advances_by_a_quarter_at_first_and_never_goes_back():
    layer = AlignmentLayer(4, 6, 5)
    vectors, mask = torch.randn(2, 9, 6), torch.ones(2, 9, dtype=torch.bool)
    mask[1, 5:] = False

    def places(steps: int) -> torch.Tensor:
        state, found = layer.begin(vectors), []
        for _ in range(steps):
            state = layer.step(torch.randn(2, 4), mask, state)
            found.append(state[2])
        return torch.stack(found, dim=1)

    with torch.no_grad():
        torch.testing.assert_close(places(8), ADVANCE * torch.arange(1.0, 9.0).expand(2, -1))
        shaken(layer, 1.0)
        moved = places(50)
    assert (moved.diff(dim=1) > 0).all() and moved.diff(dim=1).std() > 1e-3
    assert math.isclose(math.log1p(math.exp(-1.2587)), ADVANCE, rel_tol=1e-3), "as published"
    assert distances(torch.tensor([[1.5]]), 3).tolist() == [[[-1.0, 0.0, 1.0]]]


@pytest.mark.parametrize("window", [0, 16])
def test_the_past_is_heard_as_far_as_the_window_goes(window):
    torch.manual_seed(0)
    layer = shaken(PastAttention(8, 2, 0.0, window, biased=bool(window)), 0.3)
    x, past = torch.randn(1, 24, 8), None
    with torch.no_grad():
        whole, rows = layer(x), []
        for row in x.unbind(1):
            out, past = layer.step(row, past)
            rows.append(out)
        torch.testing.assert_close(torch.stack(rows, dim=1), whole, rtol=1e-4, atol=1e-5)
        later = x.clone()
        later[:, 3] += 1.0
        moved = (layer(later) != whole).any(-1)[0]
    last = 3 + window if window else 24
    assert not moved[:3].any() and moved[3:last].all() and not moved[last:].any()


def test_the_scale_of_places_learns(spec, items):
    model = model_of("transformer_tts", spec).train()
    model.loss(batch_of(items[:2], spec))["loss"].backward()
    assert abs(model.decoder.scale.grad) > 1e-6 and abs(model.encoder.positions.scale.grad) > 1e-8


@pytest.mark.parametrize("system", ["deepvoice3", "transformer_tts"])
def test_steps_have_places_of_their_own_in_half_precision(system, spec, items):
    model = model_of(system, spec)
    memory, decoder = model.memory(batch_of(items[:1], spec)), model.decoder
    row = torch.randn(1, decoder.enter.in_features)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        # From 256 on the odd numbers are none of half precision's.
        made = [decoder.step(row, k, memory, decoder.begin(memory))[0] for k in (500, 501)]
    assert (made[0] != made[1]).any()


def test_a_frame_of_its_own_is_heard_as_targets_are(spec, items):
    """Voicing is 0 or 1 in targets; what it sings of it is a logit, counted from the base's."""
    model, batch = model_of("tacotron2", spec), batch_of(items[:2], spec)
    heard, told = [], model._told
    model._told = lambda base, frame, number: heard.append((base, frame, number)) or told(base, frame, number)
    with torch.no_grad():
        model.predict(batch, teacher=False)
    for base, frame, number in heard[:3]:
        base = base | {"vuv": torch.randn_like(base["vuv"])}
        own, made = (model.space.split(x) for x in (frame, told(base, frame, number)))
        voiced = (base["vuv"][:, number] + own["vuv"] > 0).float()
        torch.testing.assert_close(made["vuv"], voiced)
        for name in set(own) - {"vuv"}:
            torch.testing.assert_close(made[name], own[name])
    assert [number for *_, number in heard[:3]] == [model.decoder.reduction * k - 1 for k in (1, 2, 3)]
