"""Parts of end-to-end systems against known answers: alignment, flow, divergence, harmonics."""

import itertools

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers.dsp_source import LEVEL, DspSource
from nnsvs_lite.models.layers.latents import Flow, MaskedGates, divergence
from nnsvs_lite.models.layers.monotonic import best_durations, log_likelihoods, monotonic_durations
from nnsvs_lite.models.layers.sine_source import SineSource


def shares(phones: int, frames: int):
    """All ways to share out frames among phones, at least one each."""
    for cuts in itertools.combinations(range(1, frames), phones - 1):
        yield np.diff([0, *cuts, frames])


def total(scores: np.ndarray, durations: np.ndarray) -> float:
    return float(scores[np.repeat(np.arange(len(scores)), durations), np.arange(scores.shape[1])].sum())


@pytest.mark.parametrize("size", [(4, 7), (1, 5), (5, 5), (3, 9)])
def test_no_other_alignment_scores_higher(size):
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(size=size)
        found = best_durations(scores)
        best = max(shares(*size), key=lambda durations: total(scores, durations))
        assert found.tolist() == best.tolist()


def test_frames_that_are_forbidden_to_a_phone_are_never_its():
    scores = np.random.default_rng(0).normal(size=(4, 9))
    scores[:2, 5:] = scores[2:, :5] = -np.inf
    found = best_durations(scores)
    assert found[:2].sum() == 5 and (found > 0).all()
    allowed = [d for d in shares(4, 9) if d[:2].sum() == 5]
    assert found.tolist() == max(allowed, key=lambda d: total(scores, d)).tolist()


def test_phones_that_repeat_their_means_are_found_exactly_in_each_row_of_a_batch():
    torch.manual_seed(0)
    mean = torch.randn(2, 5, 8)
    true = torch.tensor([[3, 1, 4, 2, 6], [2, 5, 1, 0, 0]])
    rows = [m.repeat_interleave(d, 0) for m, d in zip(mean, true)]
    x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    scores = log_likelihoods(x, mean, torch.zeros_like(mean))
    found = monotonic_durations(scores, torch.tensor([5, 3]), torch.tensor([16, 8]))
    assert found.tolist() == true.tolist()


def test_likelihoods_are_those_of_normal_distributions():
    torch.manual_seed(0)
    x, mean, log = torch.randn(2, 7, 3), torch.randn(2, 4, 3), torch.randn(2, 4, 3) * 0.3
    found = log_likelihoods(x, mean, log)
    for p in range(4):
        known = Independent(Normal(mean[:, None, p], log[:, None, p].exp()), 1).log_prob(x)
        torch.testing.assert_close(found[:, p], known, rtol=1e-4, atol=1e-4)


def stirred(module: torch.nn.Module) -> torch.nn.Module:
    """The module with noise on its weights, since some begin at zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return module


def test_a_flow_goes_back_to_where_it_came_from_and_keeps_volumes():
    flow, mask = stirred(Flow(4, 3, 8, 2, 3)), torch.ones(2, 6, dtype=torch.bool)
    x, told = torch.randn(2, 6, 4), torch.randn(2, 1, 8)
    there = flow(x, told, mask)
    assert (there - x).abs().max() > 0.1
    torch.testing.assert_close(flow.back(there, told, mask), x, rtol=0, atol=1e-5)

    def one(row: torch.Tensor) -> torch.Tensor:
        return flow(row.reshape(1, 6, 4), told[:1], mask[:1]).flatten()

    jacobian = torch.autograd.functional.jacobian(one, x[0].flatten())
    assert not torch.allclose(jacobian, torch.diag(jacobian.diagonal()), atol=1e-2)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, torch.zeros(()), rtol=0, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_a_new_flow_reorders_alone(count):
    flow, x = Flow(4, count, 8, 1, 3), torch.randn(1, 5, 4)
    there = flow(x, torch.zeros(1, 1, 8), torch.ones(1, 5, dtype=torch.bool))
    assert torch.equal(there, flow.reordered(x)) and torch.equal(there, x) == (count == 2)


def test_an_odd_number_of_latents_has_no_halves():
    with pytest.raises(DataError, match="5 latents are odd"):
        Flow(5, 1, 4, 1, 3)


def test_gated_convolutions_hear_no_padding():
    convs, x = stirred(MaskedGates(6, 3, 5)), torch.randn(1, 9, 6)
    mask = torch.arange(9)[None] < 6
    short = convs(x[:, :6], mask[:, :6])
    torch.testing.assert_close(convs(x, mask)[:, :6], short, rtol=1e-5, atol=1e-5)


def test_divergence_is_that_of_normal_distributions_and_the_mean_over_samples():
    torch.manual_seed(0)
    q, p = ((torch.randn(1, 3, 4), torch.randn(1, 3, 4) * 0.3) for _ in range(2))
    known = kl_divergence(*(Independent(Normal(m, log.exp()), 1) for m, log in (q, p)))
    torch.testing.assert_close(divergence(q, p), known, rtol=1e-5, atol=1e-5)
    assert (known > 0).all()
    torch.testing.assert_close(divergence(q, q), torch.zeros(1, 3), rtol=0, atol=1e-6)
    drawn = q[0] + torch.randn(40000, 3, 4) * q[1].exp()
    sampled = divergence(q, p, drawn)
    # What is left out of a sample's share has the posterior's entropy as its mean.
    error = sampled.std(0) / len(drawn) ** 0.5
    assert ((sampled.mean(0) - known[0]).abs() < 5 * error).all()


RATE, HOP = 24000, 120


def dsp(harmonics: int = 8) -> DspSource:
    source = DspSource(6, SineSource(RATE, HOP / RATE, 0), HOP, harmonics, 16)
    with torch.no_grad():
        source.amplitudes.weight.zero_()
        source.amplitudes.bias.zero_()
    return source


def played(source: DspSource, hertz: float, frames: int = 200, voiced: float = 1.0) -> torch.Tensor:
    """Its two waveforms of a steady tone, (2, S)."""
    lf0 = torch.full((1, frames, 1), hertz).log()
    turns, vuv = source.source.turns(lf0), torch.full((1, frames, 1), voiced)
    torch.manual_seed(0)
    noise = torch.randn(1, frames * HOP)
    return source(torch.zeros(1, 6, frames), lf0, vuv, turns, noise)[0]


@torch.no_grad()
def test_harmonics_lie_at_multiples_of_f0_with_the_amplitudes_told_and_none_above_half_the_rate():
    tone, _ = played(dsp(), 2000.0)
    spectrum = torch.fft.rfft(tone) * 2 / len(tone)  # 200 frames of 120 samples: bins of one hertz.
    expected = torch.zeros(len(spectrum))
    for k in range(1, 6):
        expected[2000 * k] = LEVEL / k
    torch.testing.assert_close(spectrum.abs(), expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_what_is_unvoiced_has_no_harmonics_and_noise_all_the_same():
    tone, breath = played(dsp(), 300.0, voiced=0.0)
    assert tone.abs().max() == 0
    assert breath.std() > 1e-4


@torch.no_grad()
def test_noise_has_the_spectrum_that_bands_tell():
    source = dsp()
    source.amplitudes.bias[8:] = torch.where(torch.arange(16) < 8, 0.0, 3.0)
    _, breath = played(source, 300.0, frames=2000)
    power = torch.fft.rfft(breath).abs().square()
    low, high = power[: len(power) // 3].mean(), power[-len(power) // 3 :].mean()
    assert abs(float((high / low).log()) / 2 - 3.0) < 0.2


def test_amplitudes_learn_through_the_sines():
    source = dsp()
    played(source, 440.0, frames=20)[0].square().sum().backward()
    gradient = source.amplitudes.bias.grad
    assert (gradient[:8] > 0).all(), "louder harmonics make more power"
