"""The mel scale and filterbank against published values and closed forms."""

import numpy as np
import pytest

from nnsvs_lite.features.config import FeatureConfig, MelConfig
from nnsvs_lite.features.mel import converted, filterbank, hz_to_mel, log_mel, mel_edges, mel_to_hz

# The first of 40 frequencies from 0 to 11025 Hz, as librosa's documentation lists them.
LIBROSA_40 = [0.0, 85.317, 170.635, 255.952, 341.269, 426.586, 511.904, 597.221, 682.538, 767.855]
LIBROSA_40 += [853.173, 938.490, 1024.856, 1119.114, 1222.042, 1334.436]


def config(rate=24000, hop=120, **mel):
    mel = {"bins": 80, "fft_size": 1024, "win_size": 1024, "fmin": 0.0, "fmax": rate / 2} | mel
    return FeatureConfig(rate, hop_size=hop, mel=MelConfig(**mel))


def test_slaney_scale():
    hz = mel_to_hz(np.linspace(hz_to_mel(0), hz_to_mel(11025), 40))
    assert hz[:16] == pytest.approx(LIBROSA_40, abs=1e-3)
    assert hz_to_mel(1000) == pytest.approx(15)
    # 27 mels to a factor of 6.4.
    assert hz_to_mel(6400) == pytest.approx(42)


def test_htk_scale():
    assert hz_to_mel(1000, "htk") == pytest.approx(999.9855, abs=1e-3)
    assert hz_to_mel(700, "htk") == pytest.approx(2595 * np.log10(2))


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_scales_invert(scale):
    hz = np.linspace(0, 12000, 77)
    assert mel_to_hz(hz_to_mel(hz, scale), scale) == pytest.approx(hz, abs=1e-8)


def test_triangles_have_unit_area_and_peak_at_their_centres():
    options = MelConfig(bins=40, fft_size=16384, win_size=1024, fmin=50, fmax=11000)
    bank = filterbank(24000, options)
    width = 24000 / options.fft_size
    assert bank.shape == (40, 8193)
    assert bank.sum(axis=1) * width == pytest.approx(np.ones(40), abs=1e-3)
    edges = mel_edges(40, 50, 11000)
    assert np.abs(bank.argmax(axis=1) * width - edges[1:-1]).max() <= width
    inside = np.arange(8193) * width
    for k in (0, 20, 39):
        assert (bank[k][(inside < edges[k]) | (inside > edges[k + 2])] == 0).all()


def test_another_logarithm_is_that_of_another_analysis():
    x = np.concatenate(
        [np.zeros(3000), np.random.default_rng(0).normal(0, 0.1, 3000) * np.geomspace(1e-6, 1, 3000)]
    )
    logs = [{"log": log, "log_floor": floor} for log in ("natural", "log10") for floor in (1e-7, 1e-5, 1e-3)]
    for source in logs:
        for target in logs:
            if source["log_floor"] <= target["log_floor"]:
                a, b = config(**source), config(**target)
                made = converted(log_mel(x, a, 50), a.mel, b.mel)
                np.testing.assert_allclose(made, log_mel(x, b, 50), atol=1e-9)


def test_a_sine_in_a_band_has_the_computed_value():
    """A steady sine: magnitude is amplitude/2 times the window's transform around its frequency."""
    c = config(power=2.0, log="log10")
    options = c.mel
    hz, amplitude = 1500.0, 0.5
    t = np.arange(24000) / 24000
    got = log_mel(amplitude * np.sin(2 * np.pi * hz * t), c, 200)[100]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    offsets = np.arange(513) * 24000 / 1024 - hz
    transform = np.abs(np.exp(-2j * np.pi * offsets[:, None] * np.arange(1024) / 24000) @ window)
    expected = filterbank(24000, options) @ (amplitude / 2 * transform) ** 2
    near = expected > expected.max() * 1e-3
    assert near.sum() >= 2
    assert got[near] == pytest.approx(np.log10(expected[near]), abs=2e-3)


def test_options_of_the_logarithm():
    x = np.random.default_rng(0).standard_normal(12000)
    natural, ten = log_mel(x, config(), 90), log_mel(x, config(log="log10"), 90)
    assert natural == pytest.approx(ten * np.log(10))
    assert (log_mel(np.zeros(12000), config(), 90) == np.log(1e-5)).all()


@pytest.mark.parametrize(("rate", "hop"), [(24000, 120), (48000, 240), (24000, 128), (44100, 220)])
def test_a_click_lies_in_its_frame(rate, hop):
    c = config(rate, hop, win_size=512)
    for seconds in (0.1, 0.5, 0.9):
        x = np.zeros(rate)
        x[round(seconds * rate)] = 1.0
        energy = log_mel(x, c, rate // hop).sum(axis=1)
        assert energy.argmax() == round(seconds / c.frame_shift)


def test_a_frame_depends_on_its_window_only():
    """The number of frames asked for and the block size change nothing."""
    x = np.random.default_rng(0).standard_normal(24000 * 4)
    long, short = log_mel(x, config(), 790), log_mel(x, config(), 100)
    assert (long[:100] == short).all()
    assert np.isfinite(log_mel(x, config(), 2000)).all()
