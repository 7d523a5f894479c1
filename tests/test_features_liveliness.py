"""Known answers of the measures of liveliness, each through the functions that scoring calls."""

from pathlib import Path

import numpy as np
import pytest

from nnsvs_lite.evaluation.measures import BY_KEY, group
from nnsvs_lite.evaluation.reference import Rendition
from nnsvs_lite.features import liveliness
from nnsvs_lite.features.vibrato import CENTS
from nnsvs_lite.score.languages import get_language

SHIFT = 0.005
TIME = np.arange(800) * SHIFT
SPANS = [(0, 400), (400, 800)]


def value(key: str, ref, est) -> float | None:
    measure = BY_KEY[key]
    return measure.pool([measure.vector(Rendition(**{measure.of: ref}), Rendition(**{measure.of: est}))])


def hertz(cents) -> np.ndarray:
    return 220 * np.exp(np.broadcast_to(cents, TIME.shape) / CENTS)


def wave(rate: float, cents: float) -> np.ndarray:
    return cents * np.sin(2 * np.pi * rate * TIME)


def contours(*cents):
    return [liveliness.contour(hertz(c), SHIFT) for c in cents]


@pytest.mark.parametrize(
    ("change", "error"),
    [(50.0, 50.0), (wave(1.0, 100), 70.7), (wave(5.8, 100), 0.0)],
    ids=["sharp", "drift", "vibrato"],
)
def test_the_slow_contour_hears_drift_and_not_vibrato(change, error):
    assert value("slow_f0_rmse_cents", *contours(0.0, change)) == pytest.approx(error, abs=4)


def test_noise_taken_for_a_pitch_bends_no_contour():
    """Seven frames, an octave too low, in a consonant: a voicing error, and no error of the melody."""
    ref = hertz(np.zeros(800))
    ref[400:420] = 0
    est = ref.copy()
    est[405:412] = 120.0
    found = [liveliness.contour(f0, SHIFT) for f0 in (ref, est)]
    assert value("slow_f0_rmse_cents", *found) == pytest.approx(0, abs=1e-6)
    assert np.isnan(found[1][400:420]).all()


@pytest.mark.parametrize("break_", [0, 1], ids=["no break", "a break"])
@pytest.mark.parametrize("first", [0, 300], ids=["from the start", "amid"])
@pytest.mark.parametrize("semitones", [9, 12, -12])
def test_a_slip_of_f0_analysis_bends_no_contour(semitones, first, break_):
    """A fifth of a second at another harmonic, as analysis of a faint onset may have it."""
    ref = hertz(wave(1.0, 100))
    est = ref.copy()
    est[first : first + 40] *= 2 ** (semitones / 12)
    est[first + 40 : first + 40 + break_] = 0
    found = [liveliness.contour(f0, SHIFT) for f0 in (ref, est)]
    assert value("slow_f0_rmse_cents", *found) == pytest.approx(0, abs=20)
    assert np.isnan(found[1][first : first + 40 + break_]).all() and np.isfinite(found[1][first + 45 :]).all()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.025], ids=["a step", "10 ms", "25 ms"])
def test_a_melody_that_leaps_is_wrong_where_it_is(seconds):
    """Half a second an octave too high is sung, however quickly it comes, and so is a turn of 0.1 s."""
    from scipy.special import erf

    def leap(at):
        return 600 * (1 + erf((TIME - at) / (max(seconds, 1e-9) * 2**0.5)))

    for last in (1.5, *([1.1] if seconds else ())):
        sung = liveliness.contour(hertz(leap(1.0) - leap(last)), SHIFT)
        assert np.isnan(sung).sum() <= 2, "single frames amid a step"
        assert np.nanmax(sung) - np.nanmin(sung) > 200


def test_the_slow_contour_is_compared_where_both_are_voiced():
    ref, est = hertz(0.0).copy(), hertz(30.0).copy()
    ref[100:150], est[400:420] = 0, 0
    found = [liveliness.contour(f0, SHIFT) for f0 in (ref, est)]
    measure = BY_KEY["slow_f0_rmse_cents"]
    vector = measure.vector(*(Rendition(contour=x) for x in found))
    assert vector[1] == 800 - 70 and measure.pool([vector]) == pytest.approx(30)
    assert value("slow_f0_rmse_cents", found[0], liveliness.contour(np.zeros(800), SHIFT)) is None


def modulation(cents) -> np.ndarray:
    return liveliness.f0_modulation(hertz(cents), SPANS, SHIFT)


def test_movement_is_the_rms_of_what_moves_at_vibratos_rates():
    still, moving = modulation(50 * TIME), modulation(wave(5.75, 70) + 50 * TIME)
    assert value("f0_movement_cents", still, moving) == pytest.approx(70 / np.sqrt(2), rel=0.04)
    assert value("f0_movement_cents", moving, still) < 0.01
    assert value("f0_movement_cents", still, modulation(wave(2.0, 70))) < 8


def test_twice_the_movement_is_six_decibels_away():
    rates, phases = np.arange(1.25, 12, 0.5), np.random.default_rng(0).uniform(0, 2 * np.pi, 22)
    movement = sum(40 * np.sin(2 * np.pi * rate * TIME + phase) for rate, phase in zip(rates, phases))
    assert value("f0_modulation_db", modulation(movement), modulation(2 * movement)) == pytest.approx(
        6.02, abs=0.05
    )
    assert value("f0_modulation_db", modulation(movement), modulation(0.0)) > 20
    assert value("f0_modulation_db", modulation(movement), modulation(movement)) == 0
    assert value("f0_modulation_db", *2 * [liveliness.f0_modulation(hertz(0.0), [], SHIFT)]) is None


def notes(*extents: float) -> np.ndarray:
    """Two notes of 2 s, with vibrato of these extents from 0.5 s on."""
    cents = np.concatenate([wave(5.8, e)[:400] * (TIME[:400] >= 0.5) for e in extents])
    return liveliness.vibratos(hertz(cents), SPANS, SHIFT)


def test_vibrato_of_notes():
    ref, est = notes(70, 70), notes(100, 0)
    assert value("vibrato_coverage", ref, ref) == pytest.approx(0.75, abs=0.03)
    assert value("vibrato_coverage", ref, est) == pytest.approx(0.375, abs=0.02)
    assert value("vibrato_coverage_distance", ref, est) == pytest.approx(0.375, abs=0.02)
    assert value("vibrato_rate_hz", ref, est) == pytest.approx(5.8, abs=0.05)
    assert value("vibrato_extent_cents", ref, est) == pytest.approx(100, rel=0.04)
    assert value("vibrato_delay_s", ref, est) == pytest.approx(0.5, abs=0.06)
    # From (70, 70) to (100, 0): 30 and 70 to be moved; where vibrato is, rate and delay are the same.
    assert value("vibrato_extent_distance", ref, est) == pytest.approx(50, rel=0.04)
    assert value("vibrato_rate_distance", ref, est) == pytest.approx(0, abs=0.05)
    assert value("vibrato_delay_distance", ref, est) == pytest.approx(0, abs=0.02)


def test_a_frozen_voice_has_no_vibrato_and_is_far_from_the_singer():
    ref, est = notes(70, 70), notes(0, 0)
    assert value("vibrato_coverage", ref, est) == 0
    assert value("vibrato_extent_distance", ref, est) == pytest.approx(70, rel=0.04)
    for key in ("vibrato_rate_hz", "vibrato_extent_cents", "vibrato_delay_s", "vibrato_rate_distance"):
        assert value(key, ref, est) is None, "a dash, and no fault"


@pytest.fixture
def mgc() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(400, 60)).cumsum(axis=0) / 10


def test_half_the_deviation_is_a_quarter_of_the_variance(mgc):
    other = mgc.copy()
    other[:, 13:25] *= 0.5
    ref, est = (liveliness.variation([x[:200], x[200:]]) for x in (mgc, other + 3))
    ratios = {(1, 6): 1, (7, 12): 1, (13, 24): 0.25, (25, 39): 1, (1, 24): (12 + 12 * 0.25) / 24}
    for (low, high), ratio in ratios.items():
        for key in ("gv_ratio", "gv_held_ratio"):
            assert value(f"{key}_c{low}_{high}", ref, est) == pytest.approx(ratio)
    few = [liveliness.variation([x[:, :20]]) for x in (mgc, other)]
    assert value("gv_ratio_c25_39", *few) is None, "there are no such coefficients"


def test_variance_within_pieces_leaves_out_what_lies_between_them(mgc):
    frozen = np.repeat(mgc[[10, 300]], 200, axis=0)
    assert np.allclose(liveliness.variation([frozen[:200], frozen[200:]])[1:], 0)
    assert liveliness.variation([frozen])[1:].min() > 0 and liveliness.variation([frozen])[0] == 400


def test_twice_the_amplitude_is_six_decibels_of_spectral_modulation(mgc):
    ref, twice, frozen = (liveliness.mgc_modulation(x, SHIFT) for x in (mgc, 2 * mgc, 0 * mgc))
    assert value("mgc_modulation_db", ref, twice) == pytest.approx(6.02, abs=0.02)
    assert value("mgc_modulation_db", ref, frozen) > 30
    short = [liveliness.mgc_modulation(x[:100], SHIFT) for x in (mgc, 2 * mgc)]
    assert np.isnan(short[0][:, 0]).all() and value("mgc_modulation_db", *short) == pytest.approx(
        6.02, abs=0.02
    )


def test_modulation_lies_in_its_own_octave():
    track = np.zeros((800, 2))
    track[:, 1] = np.sin(2 * np.pi * 6.0 * TIME)
    assert liveliness.mgc_modulation(track, SHIFT)[0].argmax() == 3, "4 to 8 Hz"


def test_loudness_is_of_the_contour_and_not_of_the_gain(mgc):
    swell = np.zeros((800, 60))
    swell[:, 0] = wave(0.5, 1.0) - 3
    ref, louder, flatter = (liveliness.level(x, 0.5) for x in (swell, swell + np.eye(60)[0], swell / 2))
    assert value("level_rmse_db", ref, louder) == pytest.approx(0, abs=1e-9)
    assert value("level_spread", ref, louder) == pytest.approx(1)
    # c0 is a log amplitude: one neper is 8.686 dB, and half of a sine of that amplitude is missing.
    assert value("level_rmse_db", ref, flatter) == pytest.approx(8.686 / 2 / np.sqrt(2), rel=1e-3)
    assert value("level_spread", ref, flatter) == pytest.approx(0.5)
    silent = swell.copy()
    silent[:400, 0] = -100
    assert np.ptp(liveliness.level(silent, 0.5)) == pytest.approx(liveliness.DEEPEST)


def test_classes_of_phones():
    expected = {
        "vowel": "a i u e o",
        "sonorant": "N n m r y w",
        "voiced_stop": "b d g",
        "voiced_fricative": "z j v",
        "stop": "p t k cl",
        "fricative": "s sh h f ts ch",
    }
    names = list(liveliness.VOICING_LABELS)
    for name, phones in expected.items():
        found = [names[liveliness.voicing_class(get_language("ja"), phone)] for phone in phones.split()]
        assert found == [name] * len(found)
    assert liveliness.voicing_class(get_language("ja"), "pau") == -1
    assert liveliness.voicing_class(get_language("ja"), "U") == -1, "devoiced, if the singer says so"


def test_voicing_errors_are_told_by_class():
    ref = np.array([[0, 1]] * 8 + [[2, 0]] * 4, float)
    est = ref.copy()
    est[0, 1], est[8:11, 1] = 0, 1
    assert value("vuv_error_vowel", ref, est) == pytest.approx(1 / 8)
    assert value("vuv_error_voiced_stop", ref, est) == pytest.approx(3 / 4)
    assert value("vuv_error_fricative", ref, est) is None


def test_every_measure_of_liveliness_has_its_known_answer():
    text = Path(__file__).read_text(encoding="utf-8")
    made = ("gv_ratio_c", "gv_held_ratio_c", "vuv_error_")
    known = [m for m in group("life") if m.of != "opinions"]
    untold = [m.key for m in known if f'"{m.key}"' not in text and not m.key.startswith(made)]
    assert not untold
