"""WORLD analysis and synthesis: lengths, timing, and agreement with pysptk."""

import numpy as np
import pysptk
import pysptk.util
import pytest
from features_corpus import tone

from nnsvs_lite.features import world
from nnsvs_lite.features.config import F0Config, FeatureConfig, WorldConfig
from nnsvs_lite.features.utterance import analyse

GRIDS = {
    "24k-5ms": FeatureConfig(24000, 0.005, world=WorldConfig()),
    "48k-5ms": FeatureConfig(48000, 0.005, world=WorldConfig()),
    "24k-hop128": FeatureConfig(24000, hop_size=128, world=WorldConfig()),
    "44k-5ms": FeatureConfig(44100, 0.005, world=WorldConfig()),
}
grids = pytest.mark.parametrize("config", GRIDS.values(), ids=GRIDS)


def hz(midi):
    return 440 * 2 ** ((midi - 69) / 12)


def test_warping_by_rate():
    assert world.mcep_alpha(24000) == 0.466
    assert world.mcep_alpha(48000) == 0.554
    for rate in (8000, 16000, 22050, 32000, 44100, 96000):
        assert world.mcep_alpha(rate) == pytest.approx(pysptk.util.mcepalpha(rate), abs=1e-9)


@pytest.mark.parametrize(("sizes", "alpha"), [((512, 59), 0.466), ((59, 1024), -0.554), ((9, 9), 0.0)])
def test_frequency_transform_is_that_of_pysptk(sizes, alpha):
    rng = np.random.default_rng(0)
    cepstrum = rng.standard_normal(sizes[0] + 1)
    ours = world._warp(*sizes, alpha) @ cepstrum
    assert ours == pytest.approx(pysptk.freqt(cepstrum, sizes[1], alpha), abs=1e-12)


@pytest.mark.parametrize(("rate", "fft_size"), [(24000, 1024), (48000, 2048)])
def test_mgc_is_that_of_pysptk(rate, fft_size):
    alpha = world.mcep_alpha(rate)
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.standard_normal((3, fft_size // 2 + 1)), axis=1) * 0.1
    spectrum = np.exp(smooth)
    mgc = world.spectrum_to_mgc(spectrum, 59, alpha)
    assert mgc == pytest.approx(pysptk.sp2mc(spectrum, 59, alpha), abs=1e-8)
    back = world.mgc_to_spectrum(mgc, alpha, fft_size)
    assert back == pytest.approx(pysptk.mc2sp(mgc, alpha, fft_size), rel=1e-8)


@grids
def test_length_and_level_survive_analysis_and_synthesis(config):
    rate = config.sample_rate
    x = tone(60, 1.0, rate)
    streams = analyse(x, config)
    n_frames = len(streams["lf0"])
    assert n_frames == int((len(x) - 1) / rate / config.frame_shift) + 1
    assert {name: v.shape for name, v in streams.items()} == {
        name: (n_frames, size) for name, size in config.streams.items()
    }
    y = world.synthesize(**streams, config=config)
    assert len(y) == round(n_frames * config.frame_shift * rate)
    assert 0 <= len(y) - len(x) <= config.frame_shift * rate + 1
    middle = slice(rate // 4, 3 * rate // 4)
    assert np.std(y[middle]) == pytest.approx(np.std(x[middle]), rel=0.15)
    again = analyse(y, config, n_frames)
    voiced = (streams["vuv"] > 0) & (again["vuv"] > 0)
    cents = 1200 / np.log(2) * np.abs(again["lf0"] - streams["lf0"])[voiced]
    assert np.median(cents) < 2


@grids
@pytest.mark.parametrize("tracker", ["dio", "harvest", "swift-f0"])
def test_pitch_and_onsets_lie_in_the_right_frames(config, tracker):
    """Two notes after silences: voicing, pitch and energy begin at the known times."""
    if tracker == "swift-f0":
        pytest.importorskip("swift_f0")
    rate = config.sample_rate
    config = FeatureConfig(rate, config.frame_shift, f0=F0Config(tracker=tracker), world=WorldConfig())
    x = np.zeros(round(1.6 * rate))
    notes = [(0.3, 0.7, 57), (1.0, 1.4, 64)]
    for start, end, midi in notes:
        sound = tone(midi, end - start, rate)
        x[round(start * rate) : round(start * rate) + len(sound)] = sound
    streams = analyse(x, config)
    shift = config.frame_shift
    lf0, vuv = streams["lf0"][:, 0], streams["vuv"][:, 0]
    energy = streams["mgc"][:, 0]
    threshold = (energy.max() + energy.min()) / 2
    for start, end, midi in notes:
        inside = slice(round((start + 0.1) / shift), round((end - 0.1) / shift))
        assert vuv[inside].all()
        assert np.abs(lf0[inside] - np.log(hz(midi))).max() * 1731.2 < 8
    edges = np.flatnonzero(np.diff(energy > threshold)) * shift
    assert edges == pytest.approx([0.3, 0.7, 1.0, 1.4], abs=0.02)
    edges = np.flatnonzero(np.diff(vuv)) * shift
    # harvest carries voices on into silence.
    assert edges == pytest.approx([0.3, 0.7, 1.0, 1.4], abs=0.12 if tracker == "harvest" else 0.03)


@grids
def test_no_drift_over_a_minute(config):
    """A rounded frame shift shows late in a long song: the last note starts where it should."""
    rate = config.sample_rate
    x = np.zeros(60 * rate)
    start = round(59.0 * rate)
    sound = tone(62, 0.9, rate)
    x[start : start + len(sound)] = sound
    f0 = FeatureConfig(rate, config.frame_shift, f0=config.f0, world=None, mel=None)
    vuv = analyse(x, f0)["vuv"][:, 0]
    assert np.flatnonzero(vuv)[0] * config.frame_shift == pytest.approx(59.0, abs=0.02)


def test_a_result_depends_on_nothing_before_it():
    config = GRIDS["24k-5ms"]
    x = tone(60, 0.3, 24000)
    first = analyse(x, config)
    analyse(tone(70, 0.5, 24000), config)
    second = analyse(x, config)
    assert all((first[name] == second[name]).all() for name in first)


def test_digital_silence_has_a_spectrum_near_16_bit_noise():
    config = GRIDS["24k-5ms"]
    x = np.concatenate([tone(60, 0.5, 24000), np.zeros(12000)])
    streams = analyse(x, config)
    assert np.isfinite(streams["mgc"]).all()
    assert -14 < streams["mgc"][-20:, 0].mean() < -7


def test_unvoiced_frames_are_not_sung():
    config = GRIDS["24k-5ms"]
    streams = analyse(tone(60, 0.6, 24000), config)
    voiced = world.synthesize(**(streams | {"vuv": np.full_like(streams["vuv"], 0.5)}), config=config)
    noise = world.synthesize(**(streams | {"vuv": np.full_like(streams["vuv"], 0.49)}), config=config)

    def periodicity(y):
        y = y[4000:10000]
        lag = round(24000 / hz(60))
        return np.corrcoef(y[:-lag], y[lag:])[0, 1]

    assert periodicity(voiced) > 0.95
    assert abs(periodicity(noise)) < 0.3


def test_synthesis_refuses_what_it_cannot_sing():
    config = GRIDS["24k-5ms"]
    streams = analyse(tone(60, 0.3, 24000), config)
    with pytest.raises(ValueError, match="mgc"):
        world.synthesize(**(streams | {"mgc": streams["mgc"][:-1]}), config=config)
    with pytest.raises(ValueError, match="bap"):
        world.synthesize(**(streams | {"bap": streams["bap"] * np.nan}), config=config)
    assert len(world.synthesize(*(np.zeros((0, n)) for n in (1, 1, 60, 3)), config=config)) == 0


def test_real_singing_survives(shared_data):
    """MCD of analysis-synthesis, voiced frames, no c0, no DTW: 2.3 dB when it was written."""
    from nnsvs_lite.features.audio import read_wav, resample

    config = GRIDS["24k-5ms"]
    x, rate = read_wav(shared_data / "nit_song070" / "nitech_jp_song070_f001_007.wav")
    x = resample(x[2 * rate : 8 * rate], rate, 24000)
    first = analyse(x, config)
    y = world.synthesize(**first, config=config)
    second = analyse(y, config, len(first["lf0"]))
    voiced = ((first["vuv"] > 0) & (second["vuv"] > 0))[:, 0]
    difference = (first["mgc"] - second["mgc"])[voiced, 1:].astype(np.float64)
    mcd = (10 / np.log(10) * np.sqrt(2 * (difference**2).sum(axis=1))).mean()
    assert 0.5 < mcd < 2.8
    assert (first["vuv"] != second["vuv"]).mean() < 0.03
