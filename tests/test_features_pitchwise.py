"""CheapTrick and D4C in batches against WORLD's own programs."""

import numpy as np
import pytest
from features_corpus import tone

from nnsvs_lite.features import pitchwise
from nnsvs_lite.features.config import bap_size
from nnsvs_lite.features.world import pyworld

LOUD = 1e4
"""D4C adds noise of 1e-6 to each window: this far above it, WORLD gives numbers without it."""


def voice(rate):
    """A gliding, breathy voice, noise, a high note: (samples,), and F0 and times of frames of 5 ms."""
    rng = np.random.default_rng(1)
    times = np.arange(round(1.2 * rate)) / rate
    glide = 110.0 * 2 ** (2.0 * times / 1.2)
    breath = rng.standard_normal(len(times)) * (0.002 + 0.05 * (times > 0.6))
    x = sum(np.sin(2 * np.pi * n * np.cumsum(glide) / rate) / n for n in range(1, 12)) * 0.1 + breath
    x = np.concatenate([x, 0.02 * rng.standard_normal(rate // 5), tone(84, 0.3, rate)])
    frames = np.arange(int((len(x) - 1) / rate / 0.005) + 1) * 0.005
    f0 = np.where(frames < 1.2, 110.0 * 2 ** (2.0 * frames / 1.2), np.where(frames < 1.4, 0.0, 1046.5))
    return x, f0, frames


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
def test_cepstra_are_those_of_cheaptrick(rate):
    x, f0, times = voice(rate)
    f0[7] = 30.0
    size = pyworld.get_cheaptrick_fft_size(rate, 71.0)
    spectra = pyworld.cheaptrick(x, f0, times, rate, fft_size=size)
    cepstra = pitchwise.cepstra(x, f0, times, rate, size)
    whole = np.concatenate([cepstra, cepstra[:, -2:0:-1]], axis=1)
    assert np.fft.rfft(whole).real == pytest.approx(np.log(spectra), abs=1e-4)
    assert cepstra == pytest.approx(np.fft.irfft(np.log(spectra))[:, : size // 2 + 1], abs=2e-6)


@pytest.mark.parametrize(("rate", "within"), [(16000, 0.01), (24000, 0.01), (48000, 0.01), (44100, 0.2)])
def test_bands_are_those_of_d4c(rate, within):
    """At 44.1 kHz bands lie between bins, where WORLD reads them from a line."""
    x, f0, times = voice(rate)
    f0[7], f0[-5:] = 30.0, 0.0
    size = pyworld.get_cheaptrick_fft_size(rate, 71.0)

    def world(x, threshold):
        return pyworld.code_aperiodicity(
            pyworld.d4c(x, f0, times, rate, threshold=threshold, fft_size=size), rate
        )

    for threshold in (0.15, 0.6):
        ours = pitchwise.bands(x, f0, times, rate, bap_size(rate), threshold)
        assert ours == pytest.approx(world(x * LOUD, threshold), abs=within)
        voiced = (ours < -1e-3).any(axis=1)
        assert not voiced[f0 == 0].any() and voiced.mean() > 0.3
    # WORLD's own noise at its own level is all that differs there.
    difference = pitchwise.bands(x, f0, times, rate, bap_size(rate), 0.15) - world(x, 0.15)
    assert np.sqrt(np.mean(difference**2)) < 0.3


@pytest.mark.parametrize("hertz", [110.0, 220.0])
def test_a_clean_tone_has_numbers_everywhere(hertz):
    """Between harmonics there is nothing, of which rounding may leave less than nothing."""
    rate, times = 48000, np.arange(200) * 0.005
    x = sum(np.sin(2 * np.pi * hertz * n * np.arange(rate) / rate) for n in range(1, 20)) * 0.04
    x[rate // 2 :] *= np.geomspace(1, 1e-15, rate - rate // 2)
    f0 = np.full(len(times), hertz)
    assert np.isfinite(pitchwise.cepstra(x, f0, times, rate, 2048)).all()
    assert np.isfinite(pitchwise.bands(x, f0, times, rate, 5, 0.0)).all()


def test_silence_is_aperiodic():
    f0, times = np.full(50, 200.0), np.arange(50) * 0.005
    x = np.zeros(6000)
    assert (pitchwise.bands(x, f0, times, 24000, 3, 0.0) == 0).all()
    assert np.isfinite(pitchwise.cepstra(x, f0, times, 24000, 1024)).all()
    x[3000:] = tone(60, 0.125, 24000)
    assert np.isfinite(pitchwise.bands(x, f0, times, 24000, 3, 0.0)).all()


def test_frames_do_not_depend_on_those_beside_them():
    x, f0, times = voice(24000)
    whole = pitchwise.bands(x, f0, times, 24000, 3, 0.15)
    some = np.r_[3, 60:90, 200]
    assert pitchwise.bands(x, f0[some], times[some], 24000, 3, 0.15) == pytest.approx(whole[some], abs=2e-3)
