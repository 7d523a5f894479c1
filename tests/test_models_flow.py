"""Rectified flow against known answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, shaken

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.flow import SAMPLERS, Straight
from nnsvs_lite.models.layers.vibrato import CENT
from nnsvs_lite.models.neural import NeuralAcoustic

SHAPE = (2, 7, 3)
X0 = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)) * 2 + 1
NOISE = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))


def at(t: float) -> torch.Tensor:
    return torch.full((2,), t)


@pytest.mark.parametrize("data_at", [1, 0])
def test_the_way_is_straight_whatever_its_direction(data_at):
    path = Straight(data_at)
    start, middle, end = (path.q_sample(X0, at(t), NOISE) for t in (0.0, 0.25, 1.0))
    torch.testing.assert_close((start, end), (NOISE, X0) if data_at else (X0, NOISE))
    torch.testing.assert_close(middle, 0.75 * start + 0.25 * end)
    # The slope along time, by the definition of both conventions.
    velocity = path.target(X0, NOISE)
    torch.testing.assert_close(velocity, X0 - NOISE if data_at else NOISE - X0)
    torch.testing.assert_close(path.data_in(middle, at(0.25), velocity), X0)
    torch.testing.assert_close(path.transfer(middle, velocity, at(0.25), at(0.5)), (start + end) / 2)


@pytest.mark.parametrize("data_at", [1, 0])
@pytest.mark.parametrize("name", list(SAMPLERS))
@pytest.mark.parametrize("count", [1, 2, 5])
def test_who_knows_the_velocity_finds_the_data_even_in_one_step(name, count, data_at):
    path, seen = Straight(data_at), []

    def oracle(x, t):
        seen.append(float(t[0]))
        return path.target(X0, NOISE)

    found = SAMPLERS[name](path, oracle, NOISE, path.times(count))
    torch.testing.assert_close(found, X0)
    assert seen[0] == 1 - data_at and len(path.times(count)) == count


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("midpoint", 2)])
def test_errors_shrink_with_the_order_of_a_method(name, order):
    """dx/dt = x cos t, from 1: exp(sin 1)."""
    path, errors = Straight(), []
    for count in (8, 16):
        found = SAMPLERS[name](
            path,
            lambda x, t: x * t.cos()[:, None, None],
            torch.ones(1, 1, 1, dtype=torch.float64),
            path.times(count),
        )
        errors.append(abs(float(found) - 2.3197768247))
    assert errors[0] / errors[1] > 2**order * 0.8


def named(name: str, spec, size: float = 0.0, **options) -> NeuralAcoustic:
    changes = [f"--model.options.{k}={v}" for k, v in {"pitch": "flow", **options}.items()]
    torch.manual_seed(0)
    made = Config.read(ROOT / f"conf/acoustic/{name}.yaml", changes).build(spec).eval()
    if size:
        shaken(made.pitch_flow, size)
    return made


def wavering(items, spec):
    """A batch in which all held notes waver, each with a phase of its own, by 60 cents at 5.5 Hz."""
    batch, rng = batch_of(items, spec), np.random.default_rng(0)
    time = torch.arange(batch.max_frames) * spec.frame_shift
    note = batch.score.note_index.gather(1, phone_of_frame(batch))
    phase = torch.tensor(rng.uniform(0, 2 * np.pi, batch.score.note_context.shape[:2]), dtype=torch.float32)
    wave = 60 * CENT * torch.sin(2 * np.pi * 5.5 * time + phase.gather(1, note))
    mean = batch.streams["lf0"] * 0 + 5.5
    streams = {"lf0": mean + wave[..., None], "vuv": torch.ones_like(mean)}
    return replace(batch, streams=streams), mean


@pytest.mark.slow
def test_pitch_flow_learns_to_waver_at_its_rate_and_width_and_takes_differ(items, spec):
    flow, short = named("resf0_conv", spec).pitch_flow.train(), min(items, key=lambda e: e.frames)
    batch, mean = wavering([short], spec)
    optimiser = torch.optim.Adam(flow.parameters(), lr=8e-3)
    for _ in range(60):
        optimiser.zero_grad()
        flow.learn(batch, mean).backward()
        optimiser.step()
    flow.eval()
    with torch.no_grad():
        takes = [flow(collate([short], spec.frame_shift, seed), mean) for seed in range(4)]
    real = flow._fast(batch.streams["lf0"] - mean, batch.frame_mask)
    *takes, real = (x[0, 40:-40, 0] / CENT for x in (*takes, real))
    widths = [float(x.square().mean().sqrt()) for x in (*takes, real)]
    assert widths[-1] == pytest.approx(0.93 * 60 / 2**0.5, abs=4)
    assert all(0.6 < width / widths[-1] < 1.4 for width in widths[:-1])
    hertz = torch.fft.rfftfreq(len(real), spec.frame_shift)
    for take in takes:
        power = torch.fft.rfft(take * torch.hann_window(len(take))).abs().square()
        assert float(power[(hertz > 4.5) & (hertz < 6.5)].sum() / power.sum()) > 0.6
    # Some pair differs by more than its width: phases are drawn.
    assert torch.corrcoef(torch.stack(takes)).min() < 0.5


def test_an_untrained_flow_sings_the_mean_and_takes_the_habit_s_place(items, spec):
    batch = batch_of(items[:2], spec)
    flowing, plain = named("resf0_conv", spec), named("resf0_conv", spec, pitch="mean", vibrato_habit=False)
    assert flowing.options.vibrato_habit and flowing.vibrato_habit is None
    plain.load_state_dict(flowing.state_dict(), strict=False)
    with torch.no_grad():
        a, b = flowing.infer(batch), plain.infer(batch)
    torch.testing.assert_close(a["lf0"], b["lf0"], atol=1e-5, rtol=0)
    assert "pitch_flow" in flowing.loss(batch) and "vibrato" not in b


@pytest.mark.parametrize("name", ["resf0_conv", "sinsy_tiny"])
def test_pitch_flow_in_a_batch_is_as_alone_and_the_same_for_a_seed(name, items, spec):
    model = named(name, spec, 0.1)
    with torch.no_grad():
        batch = model.infer(collate(items[:2], spec.frame_shift, 5))["lf0"]
        again, other = (model.infer(collate(items[:2], spec.frame_shift, s))["lf0"] for s in (5, 6))
        assert torch.equal(batch, again) and float((batch - other).abs().max()) > CENT
        for row, example in zip(batch, items):
            alone = model.infer(collate([example], spec.frame_shift, 5))["lf0"][0]
            torch.testing.assert_close(row[: len(alone)], alone, atol=1e-5, rtol=0)
    training = model.train().loss(collate(items[:2], spec.frame_shift))
    training["loss"].backward()
    assert model.training and all(p.grad is not None for p in model.pitch_flow.parameters())


def test_pitch_flow_sees_a_second_and_computes_on_meta(items, spec):
    stream = named("resf0_conv", spec, 0.1).pitch_flow.stream
    noise = torch.randn(1, 601, 1, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.ones(1, 601, dtype=torch.bool)
    stream.in_sight(noise, torch.full((1,), 0.5), torch.zeros(1, 601, 32), mask)[0, 300].sum().backward()
    seen = noise.grad[0, :, 0].nonzero()[:, 0]
    assert (seen.max() - seen.min()) * spec.frame_shift >= 1.0
    made = named("resf0_conv", spec).to("meta")
    assert made.infer(batch_of(items[:2], spec).to("meta"))["lf0"].is_meta


def test_a_system_of_streams_by_flow_takes_the_samplers_of_flow_alone(spec):
    path = ROOT / "conf" / "acoustic" / "flow_world_tiny.yaml"
    model = Config.read(path).build(spec)
    assert all(isinstance(net.stream.path, Straight) for net in model.nets.values())
    for word, known in (("ddpm", "euler, midpoint, dpm"), ("plms", "euler, midpoint, dpm")):
        with pytest.raises(DataError, match=f"{word} is none for flow; there are {known}"):
            Config.read(path, [f"--model.sampler={word}"]).build(spec)
    with pytest.raises(DataError, match="euler is none for diffusion"):
        Config.read(path, ["--model.path=diffusion"]).build(spec)
