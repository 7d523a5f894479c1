"""Discriminators hear what they are said to hear, and nothing else."""

import pytest
import torch

from nnsvs_lite.models.layers.discriminators import (
    Dilated,
    MultiLength,
    MultiPeriod,
    MultiResolution,
    MultiScale,
    Together,
    columns,
)

SMALL = {"sizes": ((256, 64, 256), (128, 32, 128)), "channels": 4}


def wave(samples: int = 4000, rows: int = 2) -> torch.Tensor:
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "make, judgements, features",
    [
        (lambda: MultiPeriod((2, 3), (4, 8)), 2, 3),
        (lambda: MultiScale(3, 4), 3, 8),
        (lambda: MultiResolution(**SMALL), 2, 6),
        (lambda: MultiResolution(**SMALL, bands=(0.25, 0.5)), 2, 16),
        (lambda: Dilated(4, 4), 1, 4),
        (lambda: MultiLength((900, 1800), 4, 4), 2, 0),
        (lambda: Together(MultiPeriod((2, 3), (4, 8)), Dilated(4, 4)), 3, None),
    ],
    ids=["period", "scale", "magnitudes", "bands", "dilated", "length", "together"],
)
def test_each_judges_a_waveform_by_all_its_layers(make, judgements, features):
    torch.manual_seed(0)
    model, x = make(), wave().requires_grad_()
    made = model(x)
    assert len(made) == judgements
    assert features is None or [len(layers) for _, layers in made] == [features] * judgements
    assert all(score.shape[0] == 2 and torch.isfinite(score).all() for score, _ in made)
    sum(score.square().mean() for score, _ in made).backward()
    assert x.grad.abs().max() > 0 and all(p.grad is not None for p in model.parameters())
    meta = make().to("meta")(wave().to("meta"))
    assert [score.shape for score, _ in meta] == [score.shape for score, _ in made]


def test_columns_hold_samples_that_lie_a_period_apart():
    x = torch.arange(10.0)[None]
    made = columns(x, 3)
    assert made.shape == (1, 1, 4, 3)
    assert made[0, 0, :3].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert made[0, 0, 3].tolist() == [9, 8, 7], "mirrored at the end"
    assert columns(x, 5).shape == (1, 1, 2, 5), "nothing is added to what fits"


def test_one_sample_is_heard_in_one_column_of_a_period_alone():
    model = MultiPeriod((7,), (4, 4))
    x = wave(700, 1)
    y = x.clone()
    y[0, 7 * 50 + 3] += 1
    [(a, _)], [(b, _)] = model(x), model(y)
    changed = (a - b).abs().amax((0, 1, 2)) > 1e-6
    assert changed.tolist() == [column == 3 for column in range(7)]


def test_scales_hear_half_as_many_samples_each():
    scores = [score.shape[-1] for score, _ in MultiScale(3, 4)(wave(6400))]
    assert scores == [100, 51, 26]


def test_a_tone_is_heard_in_its_band_alone():
    model = MultiResolution(((512, 128, 512),), 4, (0.25, 0.5, 0.75))
    low = torch.sin(torch.arange(8000) * 0.02 * torch.pi)[None]
    both = low + 0.5 * torch.sin(torch.arange(8000) * 0.6 * torch.pi)[None]
    model.spectra = lambda wav, size: MultiResolution.spectra(model, wav, size) * wav.abs().amax()  # level
    [(_, a)], [(_, b)] = model(low), model(both)
    moved = [(x - y).abs().amax() for x, y in zip(a[:-1], b[:-1])]
    moved = torch.stack(moved).reshape(4, 5).amax(1)
    assert moved[2] > 1 and max(moved[1], moved[3]) < 0.1 * moved[2]


def test_magnitudes_say_nothing_of_the_sign_and_bands_do():
    x = wave()
    for bands, same in (((), True), ((0.5,), False)):
        model = MultiResolution(**SMALL, bands=bands)
        assert torch.allclose(model(x)[0][0], model(-x)[0][0], atol=1e-5) == same


def test_windows_have_their_lengths_and_random_places():
    model = MultiLength((300, 600, 10_000), 3, 2)
    x = wave(1200)
    torch.manual_seed(0)
    made = [[score for score, _ in model(x)] for _ in range(5)]
    assert [score.shape for score in made[0]] == [(2, 1, 300), (2, 1, 600), (2, 1, 1200)]
    assert len({float(scores[0].detach().sum()) for scores in made}) > 1
    assert len({float(scores[2].detach().sum()) for scores in made}) == 1, "what is short is judged whole"
