"""Parameter generation against the normal equations written out."""

import numpy as np
import pytest
import torch

from nnsvs_lite.models.batch import length_mask
from nnsvs_lite.models.layers.mlpg import dynamics, generate

WINDOWS = [[1.0], [-0.5, 0.0, 0.5], [1.0, -2.0, 1.0]]


def by_matrices(means: np.ndarray, precisions: np.ndarray) -> np.ndarray:
    """(T, 3 D) each: the normal equations W'PW c = W'Pm written out and solved, (T, D)."""
    frames, size = len(means), means.shape[1] // 3
    out = np.zeros((frames, size))
    for d in range(size):
        left, right = np.zeros((frames, frames)), np.zeros(frames)
        for i, window in enumerate(WINDOWS):
            half = len(window) // 2
            for t in range(half, frames - half):
                row = np.zeros(frames)
                row[t - half : t + half + 1] = window
                p = precisions[t, i * size + d]
                left += p * np.outer(row, row)
                right += p * means[t, i * size + d] * row
        out[:, d] = np.linalg.solve(left, right)
    return out


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 50])
def test_as_by_matrices(frames):
    rng = np.random.default_rng(frames)
    means, precisions = rng.normal(size=(frames, 6)), rng.uniform(0.1, 10, (frames, 6))
    mask = torch.ones(1, frames, dtype=torch.bool)
    made = generate(torch.tensor(means)[None], torch.tensor(precisions)[None], mask)
    np.testing.assert_allclose(made[0].numpy(), by_matrices(means, precisions), rtol=1e-9, atol=1e-9)


def test_a_batch_gives_each_what_it_gives_alone():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([7, 30, 1])
    means = torch.randn(3, 30, 6, generator=generator)
    precisions = torch.rand(3, 30, 6, generator=generator) + 0.1
    together = generate(means, precisions, length_mask(lengths, 30))
    for row, n in enumerate(lengths.tolist()):
        alone = generate(
            means[row : row + 1, :n], precisions[row : row + 1, :n], length_mask(lengths[row : row + 1], n)
        )
        torch.testing.assert_close(together[row, :n], alone[0], rtol=1e-5, atol=1e-5)
        assert (together[row, n:] == 0).all()


def test_a_trajectory_that_agrees_with_its_dynamics_comes_back():
    x = torch.sin(torch.arange(40.0) / 5)[None, :, None]
    made = generate(dynamics(x), torch.ones(1, 40, 3), torch.ones(1, 40, dtype=torch.bool))
    torch.testing.assert_close(made, x, rtol=0, atol=1e-4)


def test_steps_are_smoothed_and_the_ends_keep_their_means():
    steps = torch.cat([torch.zeros(20), torch.ones(20)])[None, :, None]
    means = torch.cat([steps, torch.zeros(1, 40, 2)], dim=-1)
    precisions = torch.tensor([1.0, 50.0, 50.0]).expand(1, 40, 3)
    made = generate(means, precisions, torch.ones(1, 40, dtype=torch.bool))[0, :, 0]
    assert (made.diff() > -1e-3).all() and made.diff().max() < 0.2
    assert made[0] < 0.1 and made[-1] > 0.9
