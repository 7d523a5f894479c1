"""What the options of singing do to features and to the waveform, against known answers."""

import dataclasses

import numpy as np
import pytest
from toy import make_score

from nnsvs_lite.features.vibrato import find_vibrato
from nnsvs_lite.features.world import fft_size_of, mgc_to_spectrum, spectrum_to_mgc
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Example
from nnsvs_lite.models.habit import HeldVowel, held_vowels
from nnsvs_lite.models.vocoder.griffin_lim import GriffinLim
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.phrases import example_of
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.style import (
    Style,
    formant_matrix,
    restyle,
    smooth_score,
    vibrato_of,
)

SHIFT = 0.005
CENTS = 1200 / np.log(2)
SCORE = attach_phones(
    Score((Note(0.0, 0.5, 0), Note(0.5, 2.5, 60, "ら"), Note(2.5, 4.5, 67, "さ"), Note(4.5, 5.0, 0)))
)


@pytest.fixture(scope="module")
def singer(toy_voice) -> Singer:
    return Singer.load(toy_voice)


@pytest.fixture(scope="module")
def example(singer) -> Example:
    """pau r a s a pau, with consonants of 50 ms."""
    frames = np.array([90, 10, 390, 10, 400, 100])
    return example_of("x", SCORE, singer.spec).timed(frames)


def sung(example, singer, depth=50.0, rate=5.5, drift=30.0) -> dict[str, np.ndarray]:
    """Streams whose F0 is the smoothed score with a sine of ``rate`` Hz and a slow one, in cents."""
    time = np.arange(example.frames) * SHIFT
    lf0 = smooth_score(example, singer.spec)
    lf0 = (
        lf0 + depth / CENTS * np.sin(2 * np.pi * rate * time) + drift / CENTS * np.sin(2 * np.pi * 0.5 * time)
    )
    rng = np.random.default_rng(3)
    return {
        "lf0": lf0[:, None].astype(np.float32),
        "vuv": np.ones((len(time), 1), np.float32),
        "mgc": rng.normal(0, 0.3, (len(time), 8)).astype(np.float32),
        "bap": np.full((len(time), 3), -15, np.float32),
    }


def styled(streams, example, singer, vocoder=None, **style) -> dict[str, np.ndarray]:
    return restyle(streams, example, singer.spec, vocoder or singer.vocoder, Style(**style))


def vibrato_cents(lf0: np.ndarray, example, singer) -> float:
    """Amplitude of the strongest sine of 4 to 8 Hz amid the held notes, less the score."""
    residual = (lf0[:, 0] - smooth_score(example, singer.spec)) * CENTS
    depths = []
    for start, end in ((130, 450), (530, 860)):
        piece = residual[start:end] * np.hanning(end - start)
        spectrum = np.abs(np.fft.rfft(piece, 1 << 14)) * 4 / (end - start)
        hertz = np.arange(len(spectrum)) / (SHIFT * (1 << 14))
        depths.append(spectrum[(hertz > 4) & (hertz < 8)].max())
    return float(np.mean(depths))


def test_neutral_values_change_nothing(example, singer):
    streams = sung(example, singer)
    same = styled(streams, example, singer)
    assert all(same[name] is streams[name] for name in streams)


def test_neutral_options_of_singing_change_nothing(singer):
    score = make_score(np.random.default_rng(1), 6)
    plain = singer.sing(score)
    spelt = singer.sing(
        score, singer="toy", vibrato=1, pitch_deviation=1, breathiness=0, gender=1, labels=None, timing=1
    )
    np.testing.assert_array_equal(plain.waveform, spelt.waveform)
    assert plain.singer == spelt.singer == "toy"


def test_the_smoothed_score_is_the_score_away_from_its_steps(example, singer):
    smooth = smooth_score(example, singer.spec)
    assert len(smooth) == example.frames
    np.testing.assert_allclose(smooth[150], np.log(261.6256), atol=1e-6)
    np.testing.assert_allclose(smooth[700], np.log(391.9954), atol=1e-6)
    assert smooth[490] == pytest.approx(np.log(np.sqrt(261.6256 * 391.9954)), abs=0.05)


def test_vowels_are_the_held_parts_of_notes(example, singer):
    a = singer.spec.phones.index("a") + 1
    assert held_vowels(example.score, singer.spec) == [(1, 100, 490, a), (2, 500, 900, a)]


@pytest.mark.parametrize("rate", [4.5, 5.5, 6.5])
@pytest.mark.parametrize("strength, depth", [(0.0, 0.0), (0.5, 25.0), (2.0, 100.0)])
def test_vibrato_is_scaled_and_the_slow_part_stays(example, singer, strength, depth, rate):
    streams = sung(example, singer, rate=rate)
    assert vibrato_cents(streams["lf0"], example, singer) == pytest.approx(50, abs=1)
    out = styled(streams, example, singer, vibrato=strength)
    assert vibrato_cents(out["lf0"], example, singer) == pytest.approx(depth, abs=3)
    # What is slow is left alone, and so is all that lies outside of vowels.
    time = np.arange(500, 900) * SHIFT
    wave = np.stack([np.sin(np.pi * time), np.cos(np.pi * time), np.ones(400)], axis=1)
    change = np.linalg.lstsq(wave, (out["lf0"] - streams["lf0"])[500:900, 0] * CENTS, rcond=None)[0]
    assert np.abs(change).max() < 3, "of a drift of 30 cents and a vibrato of 50"
    np.testing.assert_allclose(out["lf0"][:100], streams["lf0"][:100], rtol=0, atol=1e-6)
    assert all(out[name] is streams[name] for name in ("vuv", "mgc", "bap"))


@pytest.mark.parametrize("own", ["a voice with vibrato", "a voice with a habit", "a straight voice"])
def test_vibrato_in_absolute_terms_works_for_any_voice(own, example, singer):
    depth = 0.0 if own == "a straight voice" else 50.0
    streams = sung(example, singer, depth=depth, drift=0.0)
    smooth = smooth_score(example, singer.spec)[:, None]
    if own == "a voice with a habit":
        held = np.isin(np.arange(len(smooth)), [*range(100, 490), *range(500, 900)])[:, None]
        streams["vibrato"] = np.where(held, streams["lf0"] - smooth, 0)
    out = styled(streams, example, singer, vibrato_depth=90, vibrato_rate=6.4, vibrato_delay=0.5)
    assert list(out) == ["lf0", "vuv", "mgc", "bap"]
    for _, start, end, _ in held_vowels(example.score, singer.spec):
        found = find_vibrato(out["lf0"][start:end, 0], np.ones(end - start, bool), SHIFT)
        assert found.extent == pytest.approx(90, rel=0.2)
        assert found.rate == pytest.approx(6.4, rel=0.06)
        assert found.begin * SHIFT == pytest.approx(0.5, abs=0.15)
    again = styled(streams, example, singer, vibrato_depth=90, vibrato_rate=6.4, vibrato_delay=0.5)
    np.testing.assert_array_equal(again["lf0"], out["lf0"])
    still = styled(streams, example, singer, vibrato_depth=0)
    assert vibrato_cents(still["lf0"], example, singer) < 3
    # Without a depth there is nothing to be faster where there is no vibrato.
    faster = styled(streams, example, singer, vibrato_rate=7)
    if own == "a straight voice":
        np.testing.assert_allclose(faster["lf0"], streams["lf0"], atol=1e-6)
    else:
        found = find_vibrato(faster["lf0"][100:490, 0], np.ones(390, bool), SHIFT)
        assert found.rate == pytest.approx(7, rel=0.06) and found.extent == pytest.approx(50, rel=0.2)


def test_the_vibrato_of_a_habit_is_removed_without_a_trace(example, singer):
    streams = sung(example, singer, depth=0)
    rng = np.random.default_rng(0)
    wave = np.convolve(rng.normal(0, 0.02, example.frames), np.ones(9) / 9, mode="same")[:, None]
    straight, streams["lf0"] = streams["lf0"], (streams["lf0"] + wave).astype(np.float32)
    out = styled(streams | {"vibrato": wave.astype(np.float32)}, example, singer, vibrato=0)
    np.testing.assert_allclose(out["lf0"], straight, atol=2e-6)


def vowel(frames: int) -> list[HeldVowel]:
    return [HeldVowel(0, 0, frames, 1)]


def test_a_glide_or_a_drift_is_no_vibrato():
    line = np.linspace(-1, 1, 200)
    assert np.abs(vibrato_of(line, vowel(200), SHIFT)).max() < 1e-9
    drift = 50 / CENTS * np.sin(2 * np.pi * 1.0 * np.arange(200) * SHIFT)
    assert np.abs(vibrato_of(drift, vowel(200), SHIFT)).max() * CENTS < 6
    short = np.sin(2 * np.pi * 5.5 * np.arange(40) * SHIFT)
    assert not vibrato_of(short, vowel(40), SHIFT).any(), "a vowel of 0.2 s has none"
    leap = np.repeat([0.0, 1.0], 100)
    assert not vibrato_of(leap, vowel(200), SHIFT).any(), "a vowel that stays nowhere has none"


def test_glides_at_the_ends_of_a_vowel_do_not_ring_in_its_vibrato():
    # Up from a fourth below, and down to a third below, in 0.1 s each, as between notes.
    frames = np.arange(300)
    glide = -500 / CENTS * np.exp(-frames / 10) - 300 / CENTS * np.exp(-frames[::-1] / 10)
    assert np.abs(vibrato_of(glide, vowel(300), SHIFT)).max() * CENTS < 8
    wave = 50 / CENTS * np.sin(2 * np.pi * 5.5 * frames * SHIFT)
    found = vibrato_of(glide + wave, vowel(300), SHIFT)
    np.testing.assert_allclose(found[60:240] * CENTS, wave[60:240] * CENTS, atol=8)


def test_pitch_deviation_scales_all_that_differs_from_the_score(example, singer):
    streams, smooth = sung(example, singer), smooth_score(example, singer.spec)[:, None]
    still = styled(streams, example, singer, pitch_deviation=0)
    np.testing.assert_allclose(still["lf0"], smooth, atol=1e-6)
    double = styled(streams, example, singer, pitch_deviation=2)
    np.testing.assert_allclose(double["lf0"] - smooth, 2 * (streams["lf0"] - smooth), atol=1e-6)
    both = styled(streams, example, singer, pitch_deviation=0.5, vibrato=2)
    assert vibrato_cents(both["lf0"], example, singer) == pytest.approx(50, abs=3)


def test_breathiness_is_dB_of_aperiodicity_and_ends_at_noise(example, singer):
    streams = sung(example, singer)
    np.testing.assert_allclose(styled(streams, example, singer, breathiness=6)["bap"], -9)
    np.testing.assert_allclose(styled(streams, example, singer, breathiness=-6)["bap"], -21)
    np.testing.assert_allclose(styled(streams, example, singer, breathiness=20)["bap"], 0)


def formant_envelope(config, peak: float) -> np.ndarray:
    """A power spectrum with one resonance at ``peak`` Hz, 300 Hz wide."""
    hertz = np.linspace(0, config.sample_rate / 2, fft_size_of(config) // 2 + 1)
    return 1e-3 + 1 / (1 + ((hertz - peak) / 300) ** 2)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_gender_moves_a_resonance_by_the_factor(factor, singer):
    config = singer.spec.feature_config
    config = dataclasses.replace(config, world=dataclasses.replace(config.world, mgc_order=59))
    mgc = spectrum_to_mgc(formant_envelope(config, 2000.0)[None], 59, 0.466)
    moved = mgc_to_spectrum(mgc @ formant_matrix(60, config, factor), 0.466, fft_size_of(config))[0]
    peak = moved.argmax() * config.sample_rate / fft_size_of(config)
    assert peak == pytest.approx(2000 * factor, abs=30)
    np.testing.assert_allclose(mgc @ formant_matrix(60, config, 1.0), mgc, atol=0.02)


def test_gender_leaves_pitch_alone(example, singer):
    streams = sung(example, singer)
    out = styled(streams, example, singer, gender=1.2)
    assert all(out[name] is streams[name] for name in ("lf0", "vuv", "bap"))
    assert np.abs(out["mgc"] - streams["mgc"]).max() > 0.1


def test_values_out_of_range_are_refused():
    for values, message in (
        ({"vibrato": 3.1}, r"vibrato 3.1 is out of 0..3"),
        ({"vibrato_depth": 201}, r"vibrato depth 201 is out of 0..200"),
        ({"vibrato_rate": 3}, r"vibrato rate 3 is out of 4..8"),
        ({"vibrato_delay": float("nan")}, r"vibrato delay nan is out of 0..2"),
        ({"pitch_deviation": -0.1}, r"pitch deviation -0.1 is out of 0..2"),
        ({"breathiness": float("nan")}, r"breathiness nan is out of -20..20"),
        ({"gender": 2.0}, r"gender 2 is out of 0.7..1.4"),
    ):
        with pytest.raises(DataError, match=message):
            Style(**values)


def test_what_the_vocoder_does_not_honour_is_refused(example, singer):
    streams = {"lf0": sung(example, singer)["lf0"]}
    for control, style in (("gender", {"gender": 1.1}), ("breathiness", {"breathiness": 1.0})):
        with pytest.raises(DataError, match=f"{control} cannot be changed: the voice's vocoder, GriffinLim"):
            styled(streams, example, singer, GriffinLim(singer.spec), **style)


@pytest.mark.parametrize("frames", [(100, 15, 100), (15, 15, 15), (6, 6, 6), (100, 15, 3)])
def test_a_short_note_amid_leaps_reaches_its_pitch(frames, singer):
    notes = [Note(k * 1.0, k + 1.0, pitch, "ら") for k, pitch in enumerate((60, 72, 60))]
    example = example_of("x", attach_phones(Score(tuple(notes))), singer.spec)
    smooth = smooth_score(example.timed(np.array([[1, n - 1] for n in frames]).ravel()), singer.spec)
    middle = frames[0] + frames[1] // 2
    assert abs(smooth[middle] - np.log(523.2511)) * CENTS < 20
    assert np.abs(np.diff(smooth)).max() * CENTS <= 1200
    # And stays there: of a vowel that is the last third, the first half.
    vowel = smooth[sum(frames[:2]) - frames[1] // 3 :][: frames[1] // 6]
    np.testing.assert_allclose(vowel, np.log(523.2511), atol=60 / CENTS)


def test_leaps_of_long_notes_are_rounded_by_a_gaussian_of_25_ms(example, singer):
    smooth = smooth_score(example, singer.spec)
    steps = np.repeat(np.log([261.6256, 391.9954]), [490, 510])
    kernel = np.exp(-0.5 * (np.arange(-25, 26) / 5.0) ** 2)
    known = np.convolve(np.pad(steps, 25, mode="edge"), kernel / kernel.sum(), mode="valid")
    np.testing.assert_allclose(smooth, known, atol=2 / CENTS)
