"""Rectified flow against known answers."""

import pytest
import torch

from nnsvs_lite.models.layers.flow import SAMPLERS, Straight

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
    velocity = path.velocity(X0, NOISE)
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
        return path.velocity(X0, NOISE)

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
