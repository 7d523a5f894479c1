"""Diffusion: schedule, samplers and denoiser against known answers."""

import numpy as np
import pytest
import torch

from nnsvs_lite.models.layers.diffusion import SAMPLERS, DiffusionStream, Schedule, WaveNet, ddpm, even_steps

SHAPE = (2, 7, 3)


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
@pytest.mark.parametrize("name", ["ddim", "plms"])
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


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "plms"])
def test_a_row_is_sung_from_noise_of_its_own_length(sampler):
    torch.manual_seed(0)
    stream = DiffusionStream(3, 5, 8, 3, cycle=2, sampler=sampler, sampling_steps=6).eval()
    torch.nn.init.normal_(stream.net.exit.weight)
    cond = torch.randn(2, 9, 5)
    mask = torch.arange(9)[None] < torch.tensor([9, 6])[:, None]
    with torch.no_grad():
        both = stream.sing(cond, mask, seed=3)
        alone = stream.sing(cond[1:, :6], mask[1:, :6], seed=3)
        other = stream.sing(cond, mask, seed=4)
    torch.testing.assert_close(both[1, :6], alone[0], rtol=1e-4, atol=1e-4)
    assert (both - other).abs().max() > 0.1


def test_the_loss_of_a_new_denoiser_is_the_mean_size_of_noise():
    stream = DiffusionStream(3, 5, 8, 3).eval()
    mask = torch.arange(400)[None] < torch.tensor([400, 300])[:, None]
    data, cond = torch.randn(2, 400, 3), torch.randn(2, 400, 5)
    error, found = stream.learn(data, cond, mask, seed=0)
    assert float(error.detach()) == pytest.approx(np.sqrt(2 / np.pi), abs=0.03)
    again, _ = stream.learn(data, cond, mask, seed=0)
    assert torch.equal(error, again) and found.shape == data.shape


def test_the_linear_guess_is_the_best_one_for_data_of_unit_variance():
    """Its slope is that of a regression of the noise on what is heard."""
    stream = DiffusionStream(3, 5, 8, 3, scale=2.0, linear=True).eval()
    generator = torch.Generator().manual_seed(0)
    data, noise = (torch.randn(1, 20000, 3, generator=generator) for _ in range(2))
    cond, mask = torch.zeros(1, 20000, 5), torch.ones(1, 20000, dtype=torch.bool)
    for step in (0, 30, 99):
        t = torch.tensor([step])
        x = stream.schedule.q_sample(data / 2.0, t, noise)
        with torch.no_grad():
            slope = float((stream.noise_in(x, t, cond, mask) / x).mean())
        assert slope == pytest.approx(float((noise * x).sum() / x.square().sum()), abs=0.02)


def test_the_likeliest_way_of_a_new_linear_denoiser_is_the_base():
    stream = DiffusionStream(
        3, 5, 8, 3, sampler="ddim", sampling_steps=10, temperature=0.0, linear=True
    ).eval()
    cond, mask = torch.randn(1, 9, 5), torch.ones(1, 9, dtype=torch.bool)
    with torch.no_grad():
        assert not stream.sing(cond, mask, 0).any()
