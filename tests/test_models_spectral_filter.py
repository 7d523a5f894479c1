"""Pulse trains, filters that change, and what spectra stand for: all against formulas."""

import numpy as np
import pytest
import torch

from nnsvs_lite.features.world import mgc_to_spectrum
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers.comb import comb
from nnsvs_lite.models.layers.energy_distance import EnergyDistance, energy
from nnsvs_lite.models.layers.spectral_filter import (
    Bands,
    SpectralFilter,
    mel_cepstral_basis,
    minimum_phase,
    step_of,
)

RATE = 24000


def test_the_comb_is_the_sum_of_its_harmonics():
    f0 = torch.linspace(100, 900, 5000, dtype=torch.float64)
    phase = torch.cumsum(f0 / RATE, 0)
    made = comb(phase, f0, RATE)
    count = RATE / 2 / f0 - 1
    number = torch.arange(1, 130).double()[:, None]
    # Whole harmonics have weight 1, the one above them the rest of the count.
    weights = (count - number + 1).clamp(0, 1)
    true = (weights * torch.cos(2 * torch.pi * number * phase)).sum(0) * 2 * (f0 / RATE).sqrt()
    torch.testing.assert_close(made.double(), true, rtol=0, atol=1e-5)
    assert made.dtype == torch.float32 and comb(torch.zeros(1).double(), f0[:1], RATE).isfinite().all()


def test_the_comb_is_as_loud_as_white_noise_whatever_its_pitch():
    for hz in (80.0, 300.0, 1100.0):
        f0 = torch.full((RATE,), hz, dtype=torch.float64)
        x = comb(torch.cumsum(f0 / RATE, 0), f0, RATE).double()
        spectrum = torch.fft.rfft(x).abs().square() / RATE
        lines = (torch.arange(1, int(RATE / 2 / hz)) * hz).round().long()
        # White noise has 1 in every bin of 1 Hz.
        torch.testing.assert_close(spectrum[lines[:-1]], torch.full_like(spectrum[lines[:-1]], hz))


@pytest.mark.parametrize("rate, hop", [(24000, 120), (44100, 220.5), (44100, 512), (48000, 240)])
def test_a_filter_of_ones_gives_the_waveform_and_a_response_is_convolved(rate, hop):
    model = SpectralFilter(rate, hop)
    size = round(38 * hop)
    x = torch.randn(2, size, generator=torch.Generator().manual_seed(0))
    spectra = model.spectra(x)
    assert spectra.shape[1:] == (model.steps(38), model.bins)
    torch.testing.assert_close(model.waveform(spectra, size), x, rtol=0, atol=1e-5)
    response = torch.randn(model.size // 4, generator=torch.Generator().manual_seed(1))
    response *= torch.exp(-torch.arange(len(response)) / 50)
    made = model.waveform(spectra * torch.fft.rfft(response, model.size), size)
    true = np.stack([np.convolve(row, response)[:size] for row in x.numpy()])
    np.testing.assert_allclose(made.numpy(), true, atol=1e-4)
    assert model.size - 2 * model.step >= 0.02 * rate


def test_filters_fade_into_each_other():
    model = SpectralFilter(RATE, 120)
    gains = torch.rand(1, model.steps(20), 1, generator=torch.Generator().manual_seed(0))
    x = torch.ones(1, 2400)
    made = model.waveform(model.spectra(x) * gains, 2400)[0]
    places = torch.arange(2400)
    share = 0.5 - 0.5 * torch.cos(torch.pi * (places % 120) / 120)
    true = torch.lerp(gains[0, places // 120, 0], gains[0, places // 120 + 1, 0], share)
    torch.testing.assert_close(made, true, rtol=0, atol=1e-5)


def test_numbers_of_frames_run_straight_to_the_filters():
    model = SpectralFilter(44100, 512)
    assert model.step == 256
    x = torch.arange(6.0).reshape(1, 6, 1).repeat(2, 1, 1)
    made = model.between(x, torch.tensor([6, 4]))
    expected = torch.arange(13) / 2
    assert torch.equal(made[0, :, 0], expected.clamp(max=5)) and torch.equal(
        made[1, :, 0], expected.clamp(max=3)
    )


@pytest.mark.parametrize(
    "rate, hop, step",
    [(48000, 240, 240), (24000, 120, 120), (44100, 512, 256), (44100, 220.5, 147), (24000, 300, 100)],
)
def test_steps_divide_frames(rate, hop, step):
    assert step_of(rate, hop) == step


def test_frames_without_steps_are_said():
    with pytest.raises(DataError, match="frames of 509 samples cannot be cut into steps of 2 to 6 ms"):
        step_of(44100, 509)


def test_mel_cepstra_have_worlds_spectra_and_causal_responses():
    mgc = np.random.default_rng(0).normal(0, 0.5, (3, 25)) / (1 + np.arange(25))
    lines, phases = mel_cepstral_basis(24, 0.466, 1025)
    np.testing.assert_allclose(mgc @ lines, np.log(mgc_to_spectrum(mgc, 0.466, 2048)) / 2, atol=1e-9)
    response = np.fft.irfft(np.exp(mgc @ lines + 1j * (mgc @ phases)))
    late = (response[:, 1024:] ** 2).sum(1) / (response**2).sum(1)
    assert (late < 1e-6).all(), "what wraps around lies before the pulse"


def test_minimum_phase_is_that_of_a_filter_whose_zeros_and_poles_lie_within():
    from scipy.signal import freqz

    _, response = freqz([1, -0.5, 0.3], [1, -0.9, 0.7], worN=2049, include_nyquist=True)
    made = minimum_phase(np.log(np.abs(response)))
    np.testing.assert_allclose(made, np.unwrap(np.angle(response)), atol=1e-6)


def test_bands_are_straight_lines_over_mel():
    from nnsvs_lite.features.mel import hz_to_mel

    bands = Bands(20, RATE, 513)
    assert bands.hz[0] == 0 and bands.hz[-1] == pytest.approx(RATE / 2)
    values = torch.tensor(hz_to_mel(bands.hz), dtype=torch.float32)
    true = hz_to_mel(np.linspace(0, RATE / 2, 513))
    np.testing.assert_allclose((values @ bands.lines).numpy(), true, atol=1e-3)
    gains = torch.sin(torch.arange(20.0))
    response = torch.fft.irfft(torch.polar((gains @ bands.lines).exp(), gains @ bands.phases))
    assert response[512:].square().sum() < 0.01 * response.square().sum()


def test_a_plain_distance_prefers_what_is_not_random_and_the_energy_distance_does_not():
    """Of log magnitudes of noise; the constant is their median, the best of all constants."""
    x, y, z = torch.randn(3, 50_000, 2, generator=torch.Generator().manual_seed(0)).norm(dim=-1).log()
    same = x.median().expand_as(x)
    assert energy(x, same, same).mean() < 0.8 * energy(x, y, y).mean()
    assert energy(x, y, z).mean() < 0.8 * energy(x, same, same).mean()


def test_the_energy_distance_is_least_for_noise_of_the_same_level():
    generator = torch.Generator().manual_seed(0)
    real, one, other = (torch.randn(1, RATE, generator=generator) * 0.1 for _ in range(3))
    distance, lengths = EnergyDistance(RATE), torch.tensor([RATE])
    least = distance(real, one, other, lengths)
    for gain in (0.5, 0.8, 1.25, 2.0):
        assert distance(real, gain * one, gain * other, lengths) > 1.02 * least


def test_the_energy_distance_from_itself_is_zero_and_padding_changes_nothing():
    x = torch.randn(2, 6000, generator=torch.Generator().manual_seed(0))
    y, z = 0.5 * x.flip(1), 0.7 * x.flip(0)
    lengths = torch.tensor([4000, 6000])
    x, y, z = (v * (torch.arange(6000) < lengths[:, None]) for v in (x, y, z))
    distance = EnergyDistance(RATE)
    assert float(distance(x, x, x, lengths)) == 0
    wide = [torch.nn.functional.pad(v, (0, 500)) for v in (x, y, z)]
    torch.testing.assert_close(distance(*wide, lengths), distance(x, y, z, lengths), rtol=1e-5, atol=1e-6)
