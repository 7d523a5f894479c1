"""Diffusion: schedule, samplers and denoiser against known answers."""

import numpy as np
import pytest
import torch

from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.diffusion import (
    SAMPLERS,
    NoisyStream,
    Schedule,
    WaveNet,
    ddpm,
    even_steps,
    step_embedding,
)
from nnsvs_lite.models.layers.flow import SAMPLERS as FLOW_SAMPLERS
from nnsvs_lite.models.layers.flow import Straight
from nnsvs_lite.models.layers.noise import frame_noise

SHAPE = (2, 7, 3)


def denoiser(cycle=4, scale=10.0, sampler="ddpm", sampling_steps=100, temperature=1.0, linear=False):
    """Three numbers a frame from a condition of five, by diffusion."""
    options = (scale, SAMPLERS[sampler], sampling_steps, temperature, linear)
    return NoisyStream(Schedule(100, 0.06), WaveNet(3, 5, 8, 3, cycle), 3, *options).eval()


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(100, beta_end=0.06)


@pytest.fixture
def x0() -> torch.Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))


def at(t: int) -> torch.Tensor:
    return torch.full((SHAPE[0],), t)


def test_the_schedule_is_a_product_of_what_each_step_leaves(schedule):
    betas = np.linspace(1e-4, 0.06, 100)
    expected = np.cumprod(1 - betas)
    for t in (0, 1, 50, 99):
        assert float(schedule.alpha_bar(at(t))[0]) == pytest.approx(expected[t], rel=1e-5)
    assert float(schedule.alpha_bar(at(-1))[0]) == 1.0


def test_the_first_step_hardly_changes_data_and_the_last_leaves_little(schedule, x0, noise):
    torch.testing.assert_close(schedule.q_sample(x0, at(0), noise), x0, rtol=0, atol=0.04)
    left = schedule.q_sample(x0, at(99), noise) - schedule.q_sample(torch.zeros_like(x0), at(99), noise)
    assert float((left / x0).mean()) == pytest.approx(0.2158, abs=1e-3)  # sqrt of the product above
    torch.testing.assert_close(schedule.data_in(schedule.q_sample(x0, at(70), noise), at(70), noise), x0)


@pytest.mark.parametrize("count", [1, 2, 5, 10, 100])
@pytest.mark.parametrize("name", ["ddim", "plms", "dpm"])
def test_who_knows_the_noise_finds_the_data(name, count, schedule, x0, noise):
    def oracle(x, t):
        # The noise that is in x now, whatever the sampler has made of it.
        a = schedule.alpha_bar(t)
        return (x - a.sqrt() * x0) / (1 - a).sqrt()

    start = schedule.q_sample(x0, at(99), noise)
    found = SAMPLERS[name](schedule, oracle, start, even_steps(100, count), None)
    torch.testing.assert_close(found, x0, rtol=1e-4, atol=1e-4)


def test_ancestral_steps_are_those_of_the_posterior(schedule, x0, noise):
    """Against Ho et al. 2020, eq. 7, with its betas."""
    betas = np.linspace(1e-4, 0.06, 100)
    bar = np.cumprod(1 - betas)
    t = 40
    x = schedule.q_sample(x0, at(t), noise)
    drawn = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))
    clean = x0 * 0.5
    found = (x - schedule.alpha_bar(at(t)).sqrt() * clean) / (1 - schedule.alpha_bar(at(t))).sqrt()

    class Stop(Exception):
        pass

    seen = []

    def model(value, step):
        seen.append(value)
        if len(seen) == 2:
            raise Stop
        return found

    with pytest.raises(Stop):
        ddpm(schedule, model, x, [t, t - 1], lambda step: drawn)
    mean = (
        np.sqrt(bar[t - 1]) * betas[t] / (1 - bar[t]) * clean
        + np.sqrt(1 - betas[t]) * (1 - bar[t - 1]) / (1 - bar[t]) * x
    )
    variance = betas[t] * (1 - bar[t - 1]) / (1 - bar[t])
    torch.testing.assert_close(seen[1], (mean + np.sqrt(variance) * drawn).float(), rtol=1e-4, atol=1e-5)


def test_ancestral_sampling_ends_on_the_data_that_the_model_sees(schedule, x0, noise):
    def oracle(x, t):
        a = schedule.alpha_bar(t)
        return (x - a.sqrt() * x0) / (1 - a).sqrt()

    found = ddpm(schedule, oracle, noise, even_steps(100, 100), lambda step: noise)
    torch.testing.assert_close(found, x0, rtol=1e-4, atol=1e-4)
    # What lies beyond 1 is held there.
    high = torch.full_like(x0, 3.0)
    held = ddpm(
        schedule,
        lambda x, t: (x - schedule.alpha_bar(t).sqrt() * high) / (1 - schedule.alpha_bar(t)).sqrt(),
        noise,
        even_steps(100, 100),
        lambda step: noise,
    )
    torch.testing.assert_close(held, torch.ones_like(x0), rtol=1e-4, atol=1e-4)


def test_steps_are_even_and_end_above_clean_data():
    assert even_steps(100, 10) == [99, 89, 79, 69, 59, 49, 39, 29, 19, 9]
    assert even_steps(100, 100) == list(range(99, -1, -1))
    assert even_steps(4, 10) == [3, 2, 1, 0] and even_steps(0, 10) == []


def test_a_new_denoiser_finds_no_noise_whatever_it_hears():
    net = WaveNet(3, 5, 8, 4, cycle=2)
    x, cond, mask = torch.randn(SHAPE), torch.randn(2, 7, 5), torch.ones(2, 7, dtype=torch.bool)
    assert not net(x, at(5), cond, mask).any()


def test_the_denoiser_hears_the_step_the_condition_and_its_neighbours():
    torch.manual_seed(0)
    net = WaveNet(3, 5, 8, 4, cycle=2)
    torch.nn.init.normal_(net.exit.weight)
    x, cond, mask = torch.randn(1, 40, 3), torch.randn(1, 40, 5), torch.ones(1, 40, dtype=torch.bool)
    base = net(x, torch.tensor([5]), cond, mask)
    assert (net(x, torch.tensor([6]), cond, mask) - base).abs().max() > 1e-4
    other = cond.clone()
    other[0, 20] += 1
    moved = (net(x, torch.tensor([5]), other, mask) - base).abs().sum(-1)[0] > 1e-6
    # A condition enters after a block's convolution: dilations 2, 1, 2 of the blocks above it carry it.
    assert moved.nonzero().flatten().tolist() == list(range(15, 26))


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_a_row_is_sung_from_noise_of_its_own_length(sampler):
    torch.manual_seed(0)
    stream = denoiser(cycle=2, sampler=sampler, sampling_steps=6)
    torch.nn.init.normal_(stream.net.exit.weight)
    cond = torch.randn(2, 9, 5)
    mask = torch.arange(9)[None] < torch.tensor([9, 6])[:, None]
    with torch.no_grad():
        both = stream.sing(cond, mask, [3, 5])
        alone = stream.sing(cond[1:, :6], mask[1:, :6], [5])
        other = stream.sing(cond, mask, [4, 6])
    torch.testing.assert_close(both[1, :6], alone[0], rtol=1e-4, atol=1e-4)
    assert (both - other).abs().max() > 0.1


def test_noise_is_of_an_utterance_a_step_and_a_seed():
    """Were it that of the frame's number alone, what is drawn would not average out over a set."""

    def drawn(utts, lengths, seed=0, step=0):
        ids = torch.zeros(len(utts), dtype=torch.long)
        batch = Batch(utts, torch.tensor(lengths), 4000, ids, ids, seed=seed)
        return frame_noise(batch.frame_lengths, 4000, 2, batch.seeds, step)

    one, two = drawn(["a", "b"], [4000, 3000])
    assert torch.equal(drawn(["b"], [3000])[0], two) and not two[3000:].any()
    others = [two, *drawn(["a"], [4000], seed=1), *drawn(["a"], [4000], step=1)]
    for other in others:
        alike = torch.corrcoef(torch.stack([one[:3000], other[:3000]]).flatten(1))[0, 1]
        assert abs(float(alike)) < 0.06, "5 deviations of that of 6,000 numbers"
    assert float(one.std()) == pytest.approx(1, abs=0.03)


def test_the_loss_of_a_new_denoiser_is_the_mean_size_of_noise():
    stream = denoiser()
    mask = torch.arange(400)[None] < torch.tensor([400, 300])[:, None]
    data, cond = torch.randn(2, 400, 3), torch.randn(2, 400, 5)
    error, found = stream.learn(data, cond, mask, [0, 1])
    assert float(error.detach()) == pytest.approx(np.sqrt(2 / np.pi), abs=0.03)
    again, _ = stream.learn(data, cond, mask, [0, 1])
    assert torch.equal(error, again) and found.shape == data.shape


def test_the_linear_guess_is_the_best_one_for_data_of_unit_variance():
    """Its slope is that of a regression of the noise on what is heard."""
    stream = denoiser(scale=2.0, linear=True)
    generator = torch.Generator().manual_seed(0)
    data, noise = (torch.randn(1, 20000, 3, generator=generator) for _ in range(2))
    cond, mask = torch.zeros(1, 20000, 5), torch.ones(1, 20000, dtype=torch.bool)
    for step in (0, 30, 99):
        t = torch.tensor([step])
        x = stream.path.q_sample(data / 2.0, t, noise)
        with torch.no_grad():
            slope = float((stream.found(x, t, cond, mask) / x).mean())
        assert slope == pytest.approx(float((noise * x).sum() / x.square().sum()), abs=0.02)


def test_the_likeliest_way_of_a_new_linear_denoiser_is_the_base():
    stream = denoiser(sampler="ddim", sampling_steps=10, temperature=0.0, linear=True)
    cond, mask = torch.randn(1, 9, 5), torch.ones(1, 9, dtype=torch.bool)
    with torch.no_grad():
        assert not stream.sing(cond, mask, [0]).any()


def gaussian(path, deviation):
    """The best network for data that is normal noise of some deviation, mean 0."""

    def model(x, t):
        return path.slope(t, deviation**2) * x

    return model


WAYS = {"schedule": (Schedule(1000, beta_end=0.02), SAMPLERS), "flow": (Straight(), FLOW_SAMPLERS)}


@pytest.mark.parametrize("way", WAYS)
def test_the_slope_is_the_regression_of_the_target_on_what_is_heard(way):
    path, generator = WAYS[way][0], torch.Generator().manual_seed(0)
    data, noise = (torch.randn(1, 50_000, 1, generator=generator) for _ in range(2))
    data = data * 0.5
    for t in path.times(4):
        t = torch.tensor([t])
        x = path.q_sample(data, t, noise)
        share, rest = path.parts(t)
        torch.testing.assert_close(x, share * data + rest * noise)
        regression = (path.target(data, noise) * x).sum() / x.square().sum()
        assert float(path.slope(t, 0.25)) == pytest.approx(float(regression), abs=0.02)


@pytest.mark.parametrize("way", WAYS)
def test_dpm_solver_is_of_second_order_where_ddim_is_of_first(way):
    """Normal data of deviation s: ways go along ``sqrt(a^2 s^2 + b^2)`` of the path's parts."""
    path, samplers = WAYS[way]
    samplers = {"first": samplers["ddim" if way == "schedule" else "euler"], "second": samplers["dpm"]}
    every = list(range(900, -1, -1)) if way == "schedule" else np.linspace(0.1, 0.995, 2000).tolist()
    share, rest = path.parts(torch.tensor(every))
    ratio, deviation, x, found = (share / rest).log().flatten(), 0.3, torch.ones(1, 1, 1), {}
    exact = deviation / float((share[0] ** 2 * deviation**2 + rest[0] ** 2).sqrt())
    for count in (10, 40):
        # Even in the logarithm of the ratio, over which both methods are of their order.
        at = torch.searchsorted(ratio, torch.linspace(float(ratio[0]), float(ratio[-1]), count))
        steps = [every[i] for i in at.clamp(max=len(every) - 1)]
        for name, sampler in samplers.items():
            found[name, count] = abs(float(sampler(path, gaussian(path, deviation), x, steps, None)) - exact)
    assert found["first", 10] / found["first", 40] == pytest.approx(4, rel=0.3)
    assert found["second", 10] / found["second", 40] > 8
    assert found["second", 40] < found["first", 40] / 5


@pytest.mark.parametrize("way", WAYS)
def test_what_leads_to_the_data_is_the_target(way, x0, noise):
    path = WAYS[way][0]
    for t in path.times(4, 0.8):
        t = torch.tensor([t, t])
        x = path.q_sample(x0, t, noise)
        torch.testing.assert_close(path.towards(x, t, x0), path.target(x0, noise), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(path.data_in(x, t, path.target(x0, noise)), x0, rtol=1e-3, atol=1e-3)


class Still(torch.nn.Module):
    """A network that is told what it finds."""

    def __init__(self, found):
        super().__init__()
        self.found, self.steps = found, []

    def forward(self, x, t, cond, mask):
        self.steps.append(float(t[0]))
        return self.found(x, t)


def shallow(way, sampler, count, depth, x0, scale=2.0):
    """A stream whose network knows the data."""
    path, samplers = WAYS[way]

    def oracle(x, clock):
        t = clock if way == "schedule" else clock / 1000
        share, rest = path.parts(t)
        return path.target(x0 / scale, (x - share * x0 / scale) / rest)

    return NoisyStream(path, Still(oracle), 3, scale, samplers[sampler], count, depth=depth).eval()


NAMES = [(way, name) for way, (_, samplers) in WAYS.items() for name in samplers]


@pytest.mark.parametrize("way, name", NAMES)
@pytest.mark.parametrize("depth", [0.25, 0.6, 1.0])
def test_shallow_diffusion_ends_on_the_data_whatever_it_sets_out_from(way, name, depth, x0):
    stream = shallow(way, name, 5, depth, x0)
    mask = torch.ones(2, 7, dtype=torch.bool)
    found = stream.sing(None, mask, [0, 1], start=torch.full_like(x0, 0.7))
    torch.testing.assert_close(found, x0, rtol=1e-3, atol=1e-3)
    first = stream.net.steps[0]
    assert first == pytest.approx(1000 * depth - 1 if way == "schedule" else 1000 * (1 - depth))


@pytest.mark.parametrize("way, name", NAMES)
def test_a_network_that_tells_data_sings_the_auxiliary_before_it_learns(way, name, x0):
    path, samplers = WAYS[way]
    nothing = Still(lambda x, t: torch.zeros_like(x))
    stream = NoisyStream(path, nothing, 3, 2.0, samplers[name], 4, depth=0.6, power=2, tells_data=True).eval()
    mask = torch.ones(2, 7, dtype=torch.bool)
    found = stream.sing(torch.zeros(1), mask, [0, 1], start=x0)
    torch.testing.assert_close(found, x0, rtol=1e-3, atol=1e-3)
    loss, seen = stream.learn(x0 + 0.5, torch.zeros(1), mask, [0, 1], start=x0)
    assert float(loss) == pytest.approx(0.25**2, rel=1e-3), "0.5 over the scale of 2, squared"
    torch.testing.assert_close(seen, x0, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("way, name", NAMES)
def test_no_depth_leaves_the_auxiliary_as_it_is(way, name, x0):
    stream = shallow(way, name, 5, 0.0, x0)
    start = torch.full_like(x0, 0.7)
    assert torch.equal(stream.sing(None, torch.ones(2, 7, dtype=torch.bool), [0, 1], start=start), start)
    assert not stream.net.steps


@pytest.mark.parametrize("way, name", NAMES)
def test_a_shallow_way_starts_on_the_auxiliary_with_noise_on_it(way, name, x0):
    """Its mean over noises is the auxiliary's share, its deviation the noise's."""
    path, samplers = WAYS[way]
    seen = []

    class Stop(Exception):
        pass

    def watch(x, t):
        seen.append(x)
        raise Stop

    stream = NoisyStream(path, Still(watch), 3, 2.0, samplers[name], 4, depth=0.6).eval()
    mask, start = torch.ones(1, 4000, dtype=torch.bool), torch.full((1, 4000, 3), 1.6)
    with pytest.raises(Stop):
        stream.sing(torch.zeros(1), mask, [0], start=start)
    share, rest = path.parts(torch.tensor(path.times(4, 0.6)[:1]))
    assert float(seen[0].mean()) == pytest.approx(float(share) * 0.8, abs=0.03)
    assert float(seen[0].std()) == pytest.approx(float(rest), rel=0.03)


@pytest.mark.parametrize("way", WAYS)
def test_training_draws_no_step_beyond_the_depth(way):
    path = WAYS[way][0]
    drawn = torch.cat([path.draw(8, 0.4, True, torch.device("cpu")) for _ in range(50)]).float()
    low, high = (0, 399) if way == "schedule" else (0.6, 1.0)
    assert drawn.min() >= low and drawn.max() <= high
    assert drawn.max() - drawn.min() > 0.9 * (high - low)
    still = [path.draw(8, 0.4, False, torch.device("cpu")) for _ in range(2)]
    assert torch.equal(*still) and len(still[0].unique()) == 8


def test_few_steps_are_learnt_from_the_network_itself():
    """A teacher whose ways bend, and whose ends are known; an untrained pupil stays where it sets out."""
    path, deviation = Straight(), 0.3
    net = Still(lambda x, t: gaussian(path, deviation)(x, t / 1000))
    stream = NoisyStream(path, net, 3, 1.0, FLOW_SAMPLERS["euler"], 2, depth=0.8, power=2)
    mask, start = torch.ones(1, 500, dtype=torch.bool), torch.zeros(1, 500, 3)
    own = stream.sing(torch.zeros(1), mask, [0], 1.0, start)
    stream.shorten(FLOW_SAMPLERS["midpoint"], 50)
    # Set out at 0.2, from 0.8 of the noise; ends along the deviation of what is there.
    first = 0.8 * frame_noise(mask.sum(1), 500, 3, [0])
    ends = first * deviation / (0.04 * 0.09 + 0.64) ** 0.5
    stream.eval()
    loss, seen = stream.learn(torch.ones(1, 500, 3), torch.zeros(1), mask, [0], start)
    torch.testing.assert_close(seen.std(), own.std(), rtol=0.1, atol=0)
    assert float(loss) == pytest.approx(float((seen - ends).square().mean()), rel=1e-2)
    stream.net = Still(lambda x, t: torch.zeros_like(x))
    loss, seen = stream.learn(torch.ones(1, 500, 3), torch.zeros(1), mask, [0], start)
    torch.testing.assert_close(seen, first)
    assert float(loss) == pytest.approx(float((first - ends).square().mean()), rel=1e-3)
    assert not list(stream.parameters()), "a teacher is no part of a checkpoint"


def test_gradients_reach_a_pupil_through_all_its_steps():
    """Of two steps half the way each, a network that tells a velocity v(t) ends at the mean of both."""
    path = Straight()
    speeds = torch.nn.Parameter(torch.zeros(2))
    net = Still(lambda x, t: speeds[(t > 400).long()][:, None, None].expand_as(x))
    stream = NoisyStream(path, net, 3, 1.0, FLOW_SAMPLERS["euler"], 2, power=2)
    stream._teacher = [Still(lambda x, t: torch.ones_like(x))]
    stream._teacher_way = (FLOW_SAMPLERS["euler"], 4)
    mask = torch.ones(1, 50, dtype=torch.bool)
    loss, _ = stream.learn(torch.zeros(1, 50, 3), torch.zeros(1), mask, [0])
    # The teacher goes 1 further: (0 - 1)^2, with slope -2 shared by both halves.
    loss.backward()
    assert float(loss) == pytest.approx(1.0, rel=1e-5)
    torch.testing.assert_close(speeds.grad, torch.tensor([-1.0, -1.0]))


@pytest.mark.parametrize("size", [1, 2, 3, 57])
def test_steps_have_as_many_numbers_as_are_asked_for(size):
    made = step_embedding(torch.tensor([0, 7]), size)
    assert made.shape == (2, size) and torch.isfinite(made).all()
    assert size == 1 or made[1, 0] == torch.tensor(7.0).sin()
