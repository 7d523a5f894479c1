"""The boundary predictor of shallow diffusion."""

import itertools

import pytest
import torch

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers.boundary import GRID, boundary, find_depth, first_alike
from nnsvs_lite.models.layers.diffusion import Schedule
from nnsvs_lite.models.layers.flow import Straight

WAYS = {"diffusion": Schedule(100, 0.06), "flow": Straight()}


def pair(size: float, rows: int):
    """Frames that are all ``size``, and all minus that."""
    x = torch.full((rows, 10, 4), size)
    return x, -x, torch.ones(rows, 10, dtype=torch.bool)


def test_a_boundary_is_where_most_that_follows_is_alike():
    assert first_alike([0.9, 0.5, 0.4, 0.3, 0.2]) == 3, "0.4 is not within 0.4"
    assert first_alike([0.1] * 7) == 0 and first_alike([0.9] * 7) == 7
    # One of 20 may be apart: 5 %.
    assert first_alike([0.9, *[0.1] * 10, 0.9, *[0.1] * 9]) == 1
    assert first_alike([0.9, *[0.1] * 10, 0.9, *[0.1] * 8]) == 12
    assert first_alike([0.9] * 2 + [0.1]) == 2


@pytest.mark.parametrize("way", WAYS)
def test_the_boundary_is_the_mean_over_rows(way):
    """A judge that knows all with less noise than each row's own, and nothing with more."""
    path, own = WAYS[way], torch.tensor([0.2, 0.5, 0.8])

    def judge(x, clock, mask):
        depth = (clock + 1) / 100 if way == "diffusion" else 1 - clock / 1000
        return torch.where(depth < own - 1e-3, x.mean((1, 2)).sign() * 50, 0.0)

    x, made, mask = pair(100.0, 3)
    # 81, 51 and 21 of 100 depths are alike; with those before they are 95 % of 85, 53 and 22.
    assert boundary(path, judge, [(x, made, mask)]) == pytest.approx((16 + 48 + 79) / 3 / GRID, abs=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_a_predictor_finds_the_boundary_of_the_best_judge(way):
    """Of two constants under noise the best judge is known: the log of the ratio of two Gaussians."""
    path, size = WAYS[way], 0.3

    def best(x, clock, mask):
        clean, noise = path.parts(clock if way == "diffusion" else clock / 1000)
        return (2 * size * clean * x / (noise**2).clamp(min=1e-9)).sum((1, 2))

    torch.manual_seed(0)
    known = boundary(path, best, [pair(size, 32)])
    found = find_depth(path, lambda step: pair(size, 32), [pair(size, 32)], 200, 4)
    assert 0.7 < known < 0.98 and found == pytest.approx(known, abs=0.06)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("sure", "depth"), [(0.0, 1 / GRID), (50.0, 1.0)], ids=["of nothing", "of all"])
def test_depths_at_the_ends(way, sure, depth):
    signs = itertools.cycle((sure, -sure))
    found = boundary(WAYS[way], lambda x, clock, mask: torch.full((3,), next(signs)), [pair(1.0, 3)])
    assert found == pytest.approx(depth)


def test_a_predictor_that_tells_nothing_apart_is_refused():
    """Be it that there is nothing to tell, or that it has not learnt to: no depth would do."""
    torch.manual_seed(0)
    x, other, mask = pair(0.5, 8)
    for made, steps in ((x, 30), (other, 1)):
        with pytest.raises(DataError, match=f"boundary: a predictor of {steps} steps tells nothing apart"):
            find_depth(WAYS["flow"], lambda step, made=made: (x, made, mask), [(x, made, mask)], steps, 4)
