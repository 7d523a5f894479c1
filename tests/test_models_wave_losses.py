"""Distances of waveforms have the values that a formula says."""

import math

import numpy as np
import pytest
import torch

from nnsvs_lite.features.config import FeatureConfig, MelConfig
from nnsvs_lite.features.mel import log_mel
from nnsvs_lite.models.layers.wave_losses import (
    MelDistance,
    StftDistance,
    discriminator_loss,
    envelope_distance,
    feature_distance,
    generator_loss,
    level_distance,
    magnitudes,
)

MEL = MelConfig(bins=20, fft_size=512, win_size=400)


@pytest.fixture(scope="module")
def noise():
    return torch.randn(2, 6000, generator=torch.Generator().manual_seed(0))


LENGTHS = torch.tensor([6000, 6000])


@pytest.mark.parametrize("factor, convergence", [(2.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_a_gain_has_a_known_distance(noise, factor, convergence):
    made = StftDistance(((512, 128, 512), (256, 64, 200)))(factor * noise, noise, LENGTHS)
    assert float(made[0]) == pytest.approx(convergence, abs=1e-5)
    assert float(made[1]) == pytest.approx(abs(math.log(factor)), abs=1e-4)
    mel = MelDistance(24000, MEL, 128)(factor * noise, noise, LENGTHS)
    assert float(mel) == pytest.approx(abs(math.log(factor)), abs=1e-4)


def test_magnitudes_of_a_sine_are_half_the_windows_sum():
    x = torch.sin(2 * torch.pi * 32 / 512 * torch.arange(4096))[None]
    made = magnitudes(x, 512, 128, 512)[0, 8:-8]
    assert made.argmax(-1).eq(32).all()
    torch.testing.assert_close(made[:, 32], torch.full_like(made[:, 32], 128.0), rtol=1e-4, atol=1e-2)


def test_silence_has_a_gradient(noise):
    silent = torch.zeros(2, 6000, requires_grad=True)
    (
        sum(StftDistance()(silent, noise, LENGTHS)) + MelDistance(24000, MEL, 128)(silent, noise, LENGTHS)
    ).backward()
    assert torch.isfinite(silent.grad).all()


def test_the_mel_spectra_are_those_of_the_features(noise):
    hop, x = 120, noise[0, :4800] * 0.1
    config = FeatureConfig(24000, hop_size=hop, mel=MEL)
    true = log_mel(x.double().numpy(), config, 40)
    made = MelDistance(24000, MEL, hop).spectra(x[None])[0, :40]
    np.testing.assert_allclose(made, true, atol=1e-3)


def test_padding_and_its_length_change_nothing(noise):
    lengths = torch.tensor([3000, 4000])
    a = noise[:, :4000] * (torch.arange(4000) < lengths[:, None])
    b = 0.7 * a + 0.1 * a.roll(1, 1) * (torch.arange(4000) < lengths[:, None])
    wide = [torch.nn.functional.pad(x, (0, 900)) for x in (a, b)]
    for loss in (StftDistance(((512, 128, 512),)), MelDistance(24000, MEL, 128)):
        one, other = loss(b, a, lengths), loss(wide[1], wide[0], lengths)
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)


def test_an_envelope_is_the_upper_and_the_lower_edge():
    real = 0.5 * torch.sin(2 * torch.pi * 0.1 * torch.arange(2000))[None]
    lengths = torch.tensor([2000])
    assert envelope_distance(real, real, lengths) == 0
    far = envelope_distance(real + 0.2 * (real > 0), real, lengths)
    assert float(far) == pytest.approx(0.2, rel=0.02)
    assert float(envelope_distance(2 * real, real, lengths)) == pytest.approx(0.95, rel=0.03)


def judged(score, *features):
    return torch.tensor([score]), [torch.tensor(f) for f in features]


def test_least_squares_and_hinge_are_zero_at_their_targets_and_known_elsewhere():
    real, fake = [judged(1.0)], [judged(0.0)]
    assert discriminator_loss("least_squares", real, fake) == 0
    assert discriminator_loss("least_squares", 2 * fake, 2 * [judged(3.0)]) == 2 * (1 + 9)
    assert generator_loss("least_squares", [judged(3.0), judged(1.0)]) == 4
    assert discriminator_loss("hinge", [judged(1.5)], [judged(-2.0)]) == 0
    assert discriminator_loss("hinge", [judged(0.25)], [judged(0.5)]) == 0.75 + 1.5
    assert generator_loss("hinge", [judged(0.25)]) == 0.75 and generator_loss("hinge", [judged(2.0)]) == 0


def test_networks_weigh_what_they_are_told():
    real, fake, weights = [judged(0.0, [0.0])] * 2, [judged(1.0, [1.0])] * 2, (1.0, 0.25)
    assert discriminator_loss("least_squares", real, fake, weights) == 2 * 1.25
    assert discriminator_loss("hinge", real, fake, weights) == 3 * 1.25
    assert generator_loss("least_squares", real, weights) == 1.25
    assert feature_distance(real, fake, weights) == 1.25


def test_features_are_matched_layer_by_layer():
    real = [judged(0.0, [1.0, 3.0], [2.0]), judged(0.0, [5.0])]
    fake = [judged(1.0, [2.0, 1.0], [2.5]), judged(1.0, [5.0])]
    assert feature_distance(real, fake) == 1.5 + 0.5
    assert feature_distance([judged(0.0)], [judged(0.0)]) == 0, "without features there is nothing to match"


def test_levels_are_told_apart_in_tens_of_decibels():
    real = torch.sin(torch.arange(4000) * 0.1).repeat(2, 1)
    real[1, 1000:] = 0
    lengths = torch.tensor([4000, 1000])
    half = level_distance(real * 0.5, real, lengths)
    torch.testing.assert_close(half, torch.tensor(2 * math.log10(2.0)), rtol=1e-4, atol=0)
    torch.testing.assert_close(level_distance(real * 2, real, lengths), half, rtol=1e-4, atol=0)
    alone = level_distance(real[1:, :1000] * 0.5, real[1:, :1000], lengths[1:])
    torch.testing.assert_close(alone, half, rtol=1e-3, atol=0)
