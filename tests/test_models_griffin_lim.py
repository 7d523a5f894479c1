"""Mel spectra back to waveforms: pitch, spectra and lengths of tones that are known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import pyworld

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.griffin_lim import griffin_lim, magnitude_of, starting_phase
from nnsvs_lite.features.mel import filterbank, log_mel
from nnsvs_lite.features.spec import Spec, current_phones
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureWriter
from nnsvs_lite.synthesis.vocode import vocode
from nnsvs_lite.synthesis.vocoder import choose_vocoder, waveform_of

CONF = Path(__file__).parents[1] / "conf" / "features"


@pytest.fixture(scope="module")
def config() -> FeatureConfig:
    return FeatureConfig.read(CONF / "mel_24k.yaml")


def spec_of(config: FeatureConfig) -> Spec:
    return Spec(config, config.streams, current_phones(["ja"]))


def tone(hz: float, config: FeatureConfig, seconds: float = 0.6) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Eight harmonics with a vibrato of 30 cents, and its features."""
    rate = config.sample_rate
    time = np.arange(int(seconds * rate)) / rate
    f0 = hz * 2 ** (0.3 * np.sin(2 * np.pi * 5 * time) / 12)
    phase = 2 * np.pi * np.cumsum(f0) / rate
    x = 0.2 * sum(np.sin(h * phase) / h for h in range(1, 9))
    n = int(seconds / config.frame_shift)
    at = np.round(np.arange(n) * config.frame_shift * rate).astype(int)
    streams = {"lf0": np.log(f0[at])[:, None], "vuv": np.ones((n, 1)), "mel": log_mel(x, config, n)}
    return x, streams


def cents_off(y: np.ndarray, lf0: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Distance of a waveform's F0 from the wanted one, away from the ends."""
    period = config.frame_period
    f0, times = pyworld.harvest(y, config.sample_rate, f0_floor=70.0, f0_ceil=1100.0, frame_period=period)
    wanted = np.interp(times, np.arange(len(lf0)) * config.frame_shift, np.exp(lf0[:, 0]))
    inner = slice(20, len(f0) - 20)
    assert (f0[inner] > 0).all()
    return 1200 * np.log2(f0[inner] / wanted[inner])


@pytest.mark.parametrize("hz", [220.0, 440.0])
@pytest.mark.parametrize("name", ["mel_24k", "mel_44k"])
def test_a_tone_comes_back_in_tune_and_with_its_spectrum(name, hz):
    config = FeatureConfig.read(CONF / f"{name}.yaml")
    x, streams = tone(hz, config)
    y = waveform_of(choose_vocoder(spec_of(config)), streams)
    assert np.abs(cents_off(y, streams["lf0"], config)).max() < 10
    again = log_mel(y, config, len(streams["mel"]))[5:-5]
    loud = streams["mel"][5:-5] > streams["mel"].max() - 6
    # Where there is sound, within 2 dB on average (a neper is 8.7 dB).
    assert np.abs(again - streams["mel"][5:-5])[loud].mean() < 0.23
    assert np.std(y) == pytest.approx(np.std(x), rel=0.05)


def test_iterations_bring_the_spectrum_nearer(config):
    _, streams = tone(110.0, config)
    errors = []
    for iterations in (0, 32):
        y = griffin_lim(streams["mel"], streams["lf0"], streams["vuv"], config, iterations=iterations)
        errors.append(np.abs(log_mel(y, config, len(streams["mel"])) - streams["mel"])[5:-5].mean())
    assert errors[1] < 0.8 * errors[0]


def test_magnitudes_give_the_mel_spectra_back(config):
    rng = np.random.default_rng(0)
    spectrum = np.exp(np.cumsum(rng.normal(0, 0.1, (4, 257)), axis=1))
    bank = filterbank(24000, config.mel)
    found = magnitude_of(np.log(spectrum @ bank.T), config)
    assert (found >= 0).all() and (found[:, bank.sum(0) == 0] == 0).all()
    assert np.abs(np.log(found @ bank.T) - np.log(spectrum @ bank.T)).mean() < 0.02


def test_power_spectra_and_decimal_logarithms_are_undone(config):
    _, streams = tone(220.0, config, 0.2)
    usual = magnitude_of(streams["mel"], config)
    decimal = dataclasses.replace(config, mel=dataclasses.replace(config.mel, log="log10"))
    np.testing.assert_allclose(magnitude_of(streams["mel"] / np.log(10), decimal), usual, rtol=1e-6)
    squared = dataclasses.replace(config, mel=dataclasses.replace(config.mel, power=2.0))
    np.testing.assert_allclose(magnitude_of(streams["mel"], squared), np.sqrt(usual), rtol=1e-6)


def test_voiced_phases_are_those_of_a_sine_in_each_frames_middle(config):
    rate, n = config.sample_rate, 40
    hz = 16 * rate / config.mel.fft_size
    phases = starting_phase(np.full((n, 1), np.log(hz)), np.ones((n, 1)), config, np.random.default_rng(0))
    # From frame to frame the bin of the tone turns by the tone's own cycles.
    turn = phases[1:, 16] / phases[:-1, 16]
    np.testing.assert_allclose(turn, np.exp(2j * np.pi * hz * config.frame_shift), atol=1e-9)


def test_the_seed_decides_and_the_length_is_that_of_the_frames(config):
    rng = np.random.default_rng(0)
    mel = log_mel(rng.normal(0, 0.1, 6000), config, 50)
    lf0, unvoiced = np.full((50, 1), 5.0), np.zeros((50, 1))
    a, b = (griffin_lim(mel, lf0, unvoiced, config, seed=1) for _ in range(2))
    assert np.array_equal(a, b) and len(a) == config.n_samples(50) == 6000
    assert not np.array_equal(a, griffin_lim(mel, lf0, unvoiced, config, seed=2))
    assert np.isfinite(a).all() and len(griffin_lim(mel[:0], lf0[:0], lf0[:0], config)) == 0


def test_a_frame_shift_that_is_no_whole_number_of_samples():
    config = FeatureConfig.from_dict({"sample_rate": 44100, "frame_shift": 0.005, "mel": {"fft_size": 2048}})
    _, streams = tone(330.0, config)
    assert (
        np.abs(cents_off(waveform_of(choose_vocoder(spec_of(config)), streams), streams["lf0"], config)).max()
        < 10
    )


def test_lengths_that_differ_are_an_error(config):
    with pytest.raises(ValueError, match="lf0 must be finite and have 3 frames"):
        griffin_lim(np.zeros((3, 80)), np.zeros((2, 1)), np.zeros((3, 1)), config)


def test_world_is_chosen_where_there_is_any(config):
    both = FeatureConfig.from_dict({"sample_rate": 24000, "frame_shift": 0.005, "world": {}, "mel": {}})
    assert choose_vocoder(spec_of(both)).inputs == ("lf0", "vuv", "mgc", "bap")
    assert choose_vocoder(spec_of(config)).inputs == ("lf0", "vuv", "mel")
    with pytest.raises(DataError, match="no waveform can be made of the streams lf0, vuv"):
        choose_vocoder(spec_of(dataclasses.replace(config, mel=None)))


def test_a_decode_dir_of_mel_spectra_is_made_audible(tmp_path, config, monkeypatch):
    from nnsvs_lite.features.audio import read_wav

    _, streams = tone(220.0, config)
    spec_of(config).write(tmp_path)
    for name, value in streams.items():
        with FeatureWriter(tmp_path, name) as writer:
            writer.write("toy_a", value.astype(np.float32))
    assert vocode(tmp_path)
    y = read_wav(tmp_path / "wav" / "toy_a.wav")[0]
    assert np.abs(cents_off(y.astype(np.float64), streams["lf0"], config)).max() < 10
    assert not vocode(tmp_path), "nothing has changed"
    monkeypatch.setattr("nnsvs_lite.synthesis.vocode.VOCODING", 0)
    assert vocode(tmp_path), "the program has changed"
