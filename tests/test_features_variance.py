"""Curves of loudness, breathiness, voicing and tension, against signals whose curves are known."""

import numpy as np
import pytest

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.variance import FLOOR, NAMES, change, curve_names, measure
from nnsvs_lite.features.world import alpha_of, analyse, fft_size_of, spectrum_to_mgc, synthesize

RATE, FRAMES, F0 = 24000, 120, 250.0
CONFIG = FeatureConfig.from_dict(
    {"sample_rate": RATE, "frame_shift": 0.005, "world": {"mgc_order": 39}}, "variance"
)
MEL = {
    "bins": 20,
    "fft_size": 1024,
    "win_size": 600,
    "fmin": 0,
    "fmax": 12000,
    "power": 1.0,
    "log": "natural",
}


def streams_of(spectrum: np.ndarray, bap: float = -15.0, voiced: int = FRAMES) -> dict[str, np.ndarray]:
    """WORLD streams of a steady voice of this power spectrum, its first frames voiced."""
    mgc = spectrum_to_mgc(spectrum[None], 39, alpha_of(CONFIG))
    vuv = (np.arange(FRAMES) < voiced)[:, None]
    streams = {"lf0": np.full((FRAMES, 1), np.log(F0)), "vuv": vuv, "mgc": np.repeat(mgc, FRAMES, axis=0)}
    return {n: v.astype(np.float32) for n, v in (streams | {"bap": np.full((FRAMES, 3), bap)}).items()}


HERTZ = np.linspace(0, RATE / 2, fft_size_of(CONFIG) // 2 + 1)
VOWEL = 1e-4 * (1 / (1 + (HERTZ / 800) ** 2) + 0.3 / (1 + ((HERTZ - 2500) / 300) ** 2) + 1e-3)


def middle(streams, config=CONFIG) -> dict[str, float]:
    return {name: float(np.median(curve)) for name, curve in measure(streams, config).items()}


def sung(streams) -> np.ndarray:
    return synthesize(**streams, config=CONFIG)


def heard(x: np.ndarray) -> dict[str, float]:
    """The curves of a waveform, analysed anew."""
    mgc, bap = analyse(x, np.full(FRAMES, F0), CONFIG)
    return middle(streams_of(VOWEL) | {"mgc": mgc, "bap": bap})


def rms(x: np.ndarray) -> float:
    return 10 * np.log10(np.mean(x[len(x) // 4 : -len(x) // 4] ** 2))


def test_curves_of_a_white_spectrum_are_known():
    # Mean power 0.01; noise at -15 dB from 3 to 9 kHz, -60 dB at 0 Hz and 0 dB at 12 kHz.
    curves = measure(streams_of(np.full(len(HERTZ), 0.01), voiced=60), CONFIG)
    assert {name: curve.shape for name, curve in curves.items()} == dict.fromkeys(NAMES, (FRAMES,))
    np.testing.assert_allclose(curves["loudness"], -20, atol=1e-4)
    band = np.interp(HERTZ, [0, 3000, 6000, 9000, 12000], [-60, -15, -15, -15, 0])
    noise = np.mean(10 ** (band / 10))
    np.testing.assert_allclose(curves["breathiness"][:60], 10 * np.log10(noise), atol=0.05)
    np.testing.assert_allclose(curves["voicing"][:60], -20 + 10 * np.log10(1 - noise), atol=0.01)
    # Overtones begin at 250 Hz and are whole from 500 Hz; of the fundamental's 500 Hz half the power counts.
    np.testing.assert_allclose(curves["tension"][:60], 10 * np.log10((12000 - 375) / 250), atol=0.2)
    assert (curves["breathiness"][60:] == 0).all() and (curves["voicing"][60:] == FLOOR).all()
    assert (curves["tension"][60:] == 0).all()


def test_loudness_is_the_level_of_the_waveform():
    streams = streams_of(VOWEL)
    assert middle(streams)["loudness"] == pytest.approx(rms(sung(streams)), abs=0.5)


@pytest.mark.parametrize("delta", [6.0, -6.0])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_is_measured_in_streams_and_waveform(name, delta):
    streams = streams_of(VOWEL)
    moved = change(streams, CONFIG, {name: np.full(FRAMES, delta)})
    before, after = middle(streams), middle(moved)
    assert after[name] - before[name] == pytest.approx(delta, abs=0.05)
    x, y = sung(streams), sung(moved)
    # D4C hears little of noise that lies deep below the harmonics.
    loose = {"loudness": 0.05, "voicing": 0.2, "tension": 1.2, "breathiness": 3.0}[name]
    assert heard(y)[name] - heard(x)[name] == pytest.approx(delta, abs=loose)
    kept = {"tension": "loudness", "breathiness": "loudness", "loudness": "breathiness"}.get(name)
    if kept:
        assert after[kept] == pytest.approx(before[kept], abs=0.05)
    else:
        noise = {k: v["loudness"] + v["breathiness"] for k, v in (("x", before), ("y", after))}
        assert noise["y"] == pytest.approx(noise["x"], abs=0.05), "voicing leaves the noise as it is"
    if name in ("loudness", "voicing"):
        assert rms(y) - rms(x) == pytest.approx(delta, abs=0.3)


def overtones(x: np.ndarray) -> float:
    """Harmonics above the first against it, of a waveform, in dB."""
    period = round(RATE / F0)
    piece = x[30 * period : 90 * period] * np.hanning(60 * period)
    power = np.abs(np.fft.rfft(piece)) ** 2  # Harmonic k is at 60 k.
    harmonics = np.array([power[60 * k - 2 : 60 * k + 3].sum() for k in range(1, period // 2)])
    return 10 * np.log10(harmonics[1:].sum() / harmonics[0])


def test_tension_is_of_the_harmonics_that_are_heard():
    streams = streams_of(VOWEL)
    plain = overtones(sung(streams))
    assert middle(streams)["tension"] == pytest.approx(plain, abs=0.5)
    for delta in (6.0, -6.0):
        moved = change(streams, CONFIG, {"tension": np.full(FRAMES, delta)})
        assert overtones(sung(moved)) - plain == pytest.approx(delta, abs=0.8)


def test_only_what_is_asked_changes():
    streams = streams_of(VOWEL, voiced=60)
    assert all(change(streams, CONFIG, {})[name] is streams[name] for name in streams)
    nothing = change(streams, CONFIG, {name: np.zeros(FRAMES) for name in NAMES})
    assert all(nothing[name] is streams[name] for name in streams)
    half = np.where(np.arange(FRAMES) < 30, 6.0, 0.0)
    for name in NAMES:
        out = change(streams, CONFIG, {name: half})
        assert out["lf0"] is streams["lf0"] and out["vuv"] is streams["vuv"]
        for stream in ("mgc", "bap"):
            np.testing.assert_array_equal(out[stream][30:], streams[stream][30:])
    # Where nothing is voiced, only loudness can be drawn.
    late = np.where(np.arange(FRAMES) >= 60, 6.0, 0.0)
    for name in NAMES:
        moved = measure(change(streams, CONFIG, {name: late}), CONFIG)["loudness"][60:]
        known = measure(streams, CONFIG)["loudness"][60:] + (6 if name == "loudness" else 0)
        np.testing.assert_allclose(moved, known, atol=1e-4)


def test_no_more_than_streams_can_say():
    streams = streams_of(VOWEL)
    out = change(streams, CONFIG, {"breathiness": np.full(FRAMES, 1e9), "tension": np.full(FRAMES, -1e9)})
    assert all(np.isfinite(value).all() for value in out.values()) and out["bap"].max() <= 0


@pytest.mark.parametrize("log, unit", [("natural", np.log(10) / 20), ("log10", 0.05)])
def test_mel_spectra_have_a_loudness(log, unit):
    config = FeatureConfig.from_dict(
        {"sample_rate": RATE, "frame_shift": 0.005, "mel": MEL | {"log": log}}, "mel"
    )
    streams = {"mel": np.full((FRAMES, 20), -40 * unit, np.float32)}
    assert curve_names(streams) == ("loudness",) and curve_names({"lf0": 0}) == ()
    assert middle(streams, config) == {"loudness": pytest.approx(-40 + 10 * np.log10(20), abs=1e-3)}
    louder = change(streams, config, {"loudness": np.full(FRAMES, 6.0)})
    np.testing.assert_allclose(louder["mel"], -34 * unit, rtol=1e-5)
