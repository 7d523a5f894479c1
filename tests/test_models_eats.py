"""Soft alignment: time warping against all paths, interpolation with known lengths, what is learnt."""

import itertools
import math

import pytest
import torch
from models_common import ROOT, batch_of, build, shaken

from nnsvs_lite.models.layers.expand import phone_of_frame, sum_by_note
from nnsvs_lite.models.layers.soft_alignment import interpolation, soft_dtw

TINY = ROOT / "conf/acoustic/eats_singing_tiny.yaml"


def paths(rows: int, columns: int):
    """All monotone paths through a table, as lists of cells."""
    if (rows, columns) == (1, 1):
        yield [(0, 0)]
        return
    for i, j in ((rows - 1, columns - 1), (rows - 1, columns), (rows, columns - 1)):
        if i and j:
            for path in paths(i, j):
                yield [*path, (rows - 1, columns - 1)]


def costs_of_paths(cost: torch.Tensor, rows: int, columns: int, penalty: float) -> list[float]:
    found = []
    for path in paths(rows, columns):
        alone = sum((a[0] == b[0]) or (a[1] == b[1]) for a, b in itertools.pairwise(path))
        found.append(float(sum(cost[i, j] for i, j in path)) + penalty * alone)
    return found


@pytest.mark.parametrize("temperature", [0.01, 0.5, 2.0])
def test_soft_time_warping_is_the_soft_minimum_over_all_paths(temperature):
    torch.manual_seed(0)
    cost = torch.rand(3, 4, 5, dtype=torch.float64)
    sizes = [(4, 5), (2, 5), (3, 1)]
    rows, columns = (torch.tensor(n) for n in zip(*sizes))
    made = soft_dtw(cost, rows, columns, 0.3, temperature)
    for b, (n, m) in enumerate(sizes):
        every = torch.tensor(costs_of_paths(cost[b], n, m, 0.3), dtype=torch.float64)
        expected = -temperature * torch.logsumexp(-every / temperature, 0)
        assert made[b].item() == pytest.approx(expected.item(), rel=1e-9)
    cold = soft_dtw(cost, rows, columns, 0.3, 1e-4)
    hard = [min(costs_of_paths(cost[b], n, m, 0.3)) for b, (n, m) in enumerate(sizes)]
    assert cold.tolist() == pytest.approx(hard, abs=1e-3)


def test_its_gradient_is_that_of_small_differences():
    torch.manual_seed(1)
    cost = torch.rand(1, 3, 4, dtype=torch.float64, requires_grad=True)
    size = (torch.tensor([3]), torch.tensor([4]))
    assert torch.autograd.gradcheck(lambda c: soft_dtw(c, *size, 0.3, 0.5), cost)


def test_what_is_alike_costs_nothing_and_a_repeated_frame_a_penalty():
    torch.manual_seed(0)
    x = torch.randn(6, 8) * 3
    twice = torch.cat([x[:3], x[2:]])

    def cost(a, b):
        between = (a[:, None] - b[None]).abs().mean(-1)[None]
        return soft_dtw(between, torch.tensor([len(a)]), torch.tensor([len(b)]), 1.0, 0.01).item()

    assert abs(cost(x, x)) < 1e-6
    assert cost(x, twice) == pytest.approx(1.0, abs=0.02)


def test_true_lengths_give_the_phones_at_their_middles():
    lengths = torch.tensor([[9.0, 21.0, 15.0, 0.0]])
    mask = torch.tensor([[True, True, True, False]])
    weights = interpolation(lengths, mask, 45)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 45))
    assert not weights[..., 3].any()
    for phone, middle in enumerate((4, 19, 37)):
        assert weights[0, middle, phone] > 0.999
    repeated = torch.repeat_interleave(torch.arange(3), torch.tensor([9, 21, 15]))
    # Not where they meet, of course: there it is as near to the shorter one's middle.
    assert (weights[0].argmax(-1) == repeated).float().mean() > 0.8


def test_phones_fill_their_notes_whatever_is_learnt_and_their_own_times_are_not_read(spec, items):
    model = shaken(build(TINY, spec))
    batch = batch_of(items[:2], spec)
    vectors = torch.randn(*batch.score.phone_mask.shape, 64)
    with torch.no_grad():
        lengths, totals = model.lengths(vectors, batch)
        notes = sum_by_note(batch.score.duration.float(), batch)
        torch.testing.assert_close(sum_by_note(lengths, batch), notes, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(lengths.sum(1), batch.frame_lengths.float(), rtol=1e-4, atol=1e-2)
        before = model.predict(batch, teacher=False)
        # Two phones of one note exchange a part of their times.
        index = batch.score.note_index[0]
        first = next(p for p in range(1, len(index)) if index[p] == index[p - 1])
        batch.score.duration[0, first] -= 2
        batch.score.duration[0, first - 1] += 2
        after = model.predict(batch, teacher=False)
    torch.testing.assert_close(after["mgc"], before["mgc"])
    assert (phone_of_frame(batch)[0] == first).any() and (totals >= 0).all()


def test_the_loss_of_lengths_is_of_the_raw_total_of_each_note(spec, items):
    model = build(TINY, spec)
    batch = batch_of(items[:1], spec)
    # Untrained, each phone has 20 frames before they are made to fill their notes.
    totals = sum_by_note(torch.full(batch.score.phone_mask.shape, 20.0), batch)
    raw = model.lengths(torch.zeros(*batch.score.phone_mask.shape, 64), batch)[1]
    torch.testing.assert_close(raw, totals)
    notes = sum_by_note(batch.score.duration.float(), batch)
    made = model.predict(batch, teacher=True)
    expected = model.length_weight * 0.5 * ((notes - totals) / 20).square().mean()
    assert made["loss_length"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert math.isfinite(made["loss_dtw"].item())


def test_lengths_learn_from_spectra_alone(spec, items):
    model = build(TINY, spec).train()
    model.length_weight = 0.0
    batch = batch_of(items[:2], spec)
    shaken(model, 0.02)
    model.predict(batch, teacher=True)["loss_dtw"].backward()
    assert model.long.weight.grad.abs().sum() > 1e-6
