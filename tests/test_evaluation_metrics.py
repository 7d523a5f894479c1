"""Known answers of the frame and timing metrics."""

from __future__ import annotations

import numpy as np
import pytest

from nnsvs_lite.evaluation import metrics, timing
from nnsvs_lite.io.ctm import Segment


@pytest.fixture
def f0() -> np.ndarray:
    """A sweep from 110 to 1000 Hz with every fifth frame unvoiced."""
    curve = np.geomspace(110.0, 1000.0, 500)
    curve[::5] = 0.0
    return curve


@pytest.fixture
def mgc() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 60))


def test_identical_input_has_no_error(f0, mgc):
    assert metrics.mcd(mgc, mgc) == 0
    assert metrics.bap_distortion(mgc[:, :3], mgc[:, :3]) == 0
    assert metrics.f0_rmse_cents(f0, f0) == 0
    assert metrics.f0_correlation(f0, f0) == pytest.approx(1.0)
    for error in (metrics.vuv_error, metrics.vde, metrics.gpe, metrics.ffe):
        assert error(f0, f0) == 0
    for accuracy in (metrics.rpa, metrics.rca, metrics.semitone_accuracy):
        assert accuracy(f0, f0) == 1
    assert metrics.semitone_accuracy(f0, f0, voiced_only=False) == 1


def test_mcd_of_one_coefficient(mgc):
    """One coefficient off by d everywhere gives (10/ln 10) sqrt(2) d; 1 neper is 6.1418 dB."""
    other = mgc.copy()
    other[:, 7] += 1.0
    assert metrics.mcd(mgc, other) == pytest.approx(6.141851463713754)
    other[:, 8] -= 1.0
    assert metrics.mcd(mgc, other) == pytest.approx(6.141851463713754 * np.sqrt(2))


def test_mel_distance_of_twice_the_amplitude_is_six_decibels(mgc):
    """20 log10 2 = 6.0206 dB, whichever logarithm and power the spectra have."""
    for log, power, base in (("natural", 1.0, np.e), ("log10", 1.0, 10.0), ("log10", 2.0, 10.0)):
        other = mgc + power * np.log(2.0) / np.log(base)
        assert metrics.mel_distance(mgc, other, log, power) == pytest.approx(np.full(100, 6.020599913))
    assert (metrics.mel_distance(mgc, mgc) == 0).all()


def test_gain_leaves_mcd_alone(mgc):
    louder = mgc.copy()
    louder[:, 0] += np.log(2.0)
    assert metrics.mcd(mgc, louder) == 0


def test_mask_chooses_frames(mgc):
    other = mgc.copy()
    other[:50, 1] += 1.0
    mask = np.arange(100) >= 50
    assert metrics.mcd(mgc, other, mask) == 0
    assert metrics.mcd(mgc, other, ~mask) == pytest.approx(2 * metrics.mcd(mgc, other))
    assert np.isnan(metrics.mcd(mgc, other, np.zeros(100, dtype=bool)))


def test_bap_distortion_of_one_band():
    ref = np.zeros((10, 3))
    est = ref.copy()
    est[:, 2] = 10.0
    assert metrics.bap_distortion(ref, est) == pytest.approx(6.141851463713754)


@pytest.mark.parametrize("interval", [50.0, -50.0, 100.0, 1200.0])
def test_f0_rmse_of_a_constant_interval(f0, interval):
    assert metrics.f0_rmse_cents(f0, f0 * 2 ** (interval / 1200)) == pytest.approx(abs(interval))


def test_f0_rmse_is_log_rmse_times_1731(f0):
    other = f0 * np.exp(np.random.default_rng(1).normal(0, 0.05, f0.size))
    voiced = f0 > 0
    log_rmse = np.sqrt(np.mean((np.log(other[voiced]) - np.log(f0[voiced])) ** 2))
    assert metrics.f0_rmse_cents(f0, other) == pytest.approx(1731.2340490667562 * log_rmse)


def test_f0_counts_only_where_both_are_voiced(f0):
    other = f0.copy()
    other[f0 == 0] = 300.0
    other[100:200] = 0.0
    assert metrics.f0_rmse_cents(f0, other) == 0
    assert np.isnan(metrics.f0_rmse_cents(f0, np.zeros_like(f0)))


def test_correlation_agrees_with_numpy_and_refuses_constants(f0):
    other = f0 * np.exp(np.random.default_rng(1).normal(0, 0.05, f0.size))
    voiced = f0 > 0
    assert metrics.f0_correlation(f0, other) == pytest.approx(np.corrcoef(f0[voiced], other[voiced])[0, 1])
    assert metrics.f0_correlation(f0, 1000 - f0 * (f0 > 0)) == pytest.approx(-1.0)
    assert np.isnan(metrics.f0_correlation(f0, np.full_like(f0, 440.0)))
    assert np.isnan(metrics.f0_correlation(np.zeros(4), np.zeros(4)))


def test_correlation_sums_add_up(f0):
    other = f0**1.1
    parts = metrics.f0_moments(f0[:200], other[:200]) + metrics.f0_moments(f0[200:], other[200:])
    assert metrics.correlation_from_sums(parts) == pytest.approx(metrics.f0_correlation(f0, other))


def test_inverted_voicing_is_wholly_wrong(f0):
    inverted = np.where(f0 > 0, 0.0, 220.0)
    assert metrics.vuv_error(f0, inverted) == 1
    assert metrics.ffe(f0, inverted) == 1
    assert metrics.rpa(f0, inverted) == 0
    assert metrics.semitone_accuracy(f0, inverted, voiced_only=False) == 0


def test_one_wrong_frame_in_ten():
    ref, est = np.full(10, 220.0), np.full(10, 220.0)
    est[3] = 0
    assert metrics.vuv_error(ref, est) == pytest.approx(0.1)
    assert metrics.gpe(ref, est) == 0
    assert metrics.ffe(ref, est) == pytest.approx(0.1)
    est[4] = 440
    assert metrics.gpe(ref, est) == pytest.approx(1 / 9)
    assert metrics.ffe(ref, est) == pytest.approx(0.2)


@pytest.mark.parametrize("factor, expected", [(1.21, 1.0), (0.79, 1.0), (1.19, 0.0), (0.81, 0.0)])
def test_gross_error_begins_at_a_fifth(f0, factor, expected):
    assert metrics.gpe(f0, f0 * factor) == expected


def test_pitch_accuracy_has_a_quarter_tone(f0):
    assert metrics.rpa(f0, f0 * 2 ** (49 / 1200)) == 1
    assert metrics.rpa(f0, f0 * 2 ** (51 / 1200)) == 0
    assert metrics.rpa(f0, f0 * 2) == 0
    assert metrics.rca(f0, f0 * 2) == 1
    assert metrics.rca(f0, f0 / 4) == 1
    assert metrics.rca(f0, f0 * 2 ** (1251 / 1200)) == 0
    assert metrics.rca(f0, f0 * 2 ** (1151 / 1200)) == 1
    assert metrics.rca(f0, np.zeros_like(f0)) == 0


@pytest.mark.parametrize("note", [45, 57, 69, 81, 83, 84])
def test_a_whole_tone_is_another_semitone_at_any_height(note):
    """Also 988 Hz (B5) sung as 880 Hz (A5), which a ceiling of 800 Hz would let pass as silence."""
    ref = np.full(100, 440.0 * 2 ** ((note - 69) / 12))
    ref[:40] = 0
    est = ref * 2 ** (-2 / 12)
    assert metrics.semitone_accuracy(ref, est) == 0
    assert metrics.semitone_accuracy(ref, est, voiced_only=False) == pytest.approx(0.4)
    assert metrics.semitone_accuracy(ref, ref * 2 ** (1 / 12)) == 0
    assert metrics.semitone_accuracy(ref, ref * 2 ** (40 / 1200)) == 1


def test_pitch_accuracies_agree_with_mir_eval():
    """Random curves with voicing errors, octave errors and everything between.

    mir_eval.melody takes 0 for a frame without a pitch estimate, which is what an unvoiced frame is here.
    """
    melody = pytest.importorskip("mir_eval.melody")
    rng = np.random.default_rng(0)
    ref = np.exp(rng.uniform(np.log(100), np.log(1000), 2000)) * (rng.random(2000) > 0.3)
    est = ref * 2 ** (rng.normal(0, 40, 2000) / 1200) * 2.0 ** rng.integers(-1, 2, 2000)
    est[rng.random(2000) < 0.1] = 0.0
    extra = (ref == 0) & (rng.random(2000) < 0.5)
    est[extra] = 440.0
    with np.errstate(divide="ignore"):
        voicing, cent = (ref > 0, est > 0), (melody.hz2cents(ref), melody.hz2cents(est))
    pair = voicing[0], cent[0], voicing[1], cent[1]
    assert metrics.rpa(ref, est) == pytest.approx(melody.raw_pitch_accuracy(*pair))
    assert metrics.rca(ref, est) == pytest.approx(melody.raw_chroma_accuracy(*pair))
    assert 0.1 < metrics.rpa(ref, est) < metrics.rca(ref, est) < 0.9
    # Its voicing recall and false alarm, weighted by how often each can happen, are V/UV error.
    recall, alarm = melody.voicing_measures(*voicing)
    share = (ref > 0).mean()
    assert metrics.vuv_error(ref, est) == pytest.approx(share * (1 - recall) + (1 - share) * alarm)


def test_accuracies_within_a_tolerance_include_it():
    ref = np.array([0.1, 0.1, 0.1, 0.1, 0.1])
    est = ref + np.array([0.0, 0.02, -0.0201, 0.05, 0.051])
    assert timing.accuracy_within(ref, est, 20.0) == pytest.approx(2 / 5)
    assert timing.accuracy_within(ref, est, 50.0) == pytest.approx(4 / 5)


def test_shapes_must_agree(f0, mgc):
    for metric in (metrics.f0_rmse_cents, metrics.vuv_error, metrics.gpe, metrics.rpa, metrics.f0_moments):
        with pytest.raises(ValueError, match="shapes differ"):
            metric(f0, f0[:-1])
    with pytest.raises(ValueError, match="shapes differ"):
        metrics.mcd(mgc, mgc[:-1])
    with pytest.raises(ValueError, match="shapes differ"):
        timing.mae_ms(np.zeros(2), np.zeros(3))


def test_timing_errors():
    ref = [Segment(0.0, 0.5, "pau"), Segment(0.5, 0.6, "k"), Segment(0.6, 1.0, "a")]
    est = [Segment(0.0, 0.48, "pau"), Segment(0.48, 0.61, "k"), Segment(0.61, 1.0, "a")]
    assert timing.mae_ms(timing.starts(ref), timing.starts(est)) == pytest.approx(10.0)
    assert timing.mae_ms(timing.durations(ref), timing.durations(est)) == pytest.approx(20.0)
    assert timing.accuracy_within(timing.starts(ref), timing.starts(est), 20.0) == 1
    assert timing.accuracy_within(timing.durations(ref), timing.durations(est), 20.0) == pytest.approx(2 / 3)
    assert timing.accuracy_within(timing.durations(ref), timing.durations(est), 50.0) == 1
    assert np.isnan(timing.mae_ms(np.zeros(0), np.zeros(0)))


def test_note_centres():
    shift = 0.005
    spans = np.array([[0.0, 1.0], [1.0, 1.1], [1.1, 2.1]])
    f0 = np.full(421, 440.0)
    # The first 20 % and last 20 % of a note may do as they like.
    f0[:40] = 300.0
    f0[160:201] = 0.0
    f0[220:] = 440.0 * 2 ** (30 / 1200)
    errors = timing.note_centre_cents(f0, shift, spans, [69, 69, 69])
    assert errors == pytest.approx([0.0, 30.0])
    vibrato = 440.0 * 2 ** (50 / 1200 * np.sin(2 * np.pi * 6 * np.arange(421) * shift))
    assert timing.note_centre_cents(vibrato, shift, spans[:1], [69])[0] == pytest.approx(0.0, abs=5.0)
    assert np.isinf(timing.note_centre_cents(np.zeros(421), shift, spans[:1], [69])).all()


def test_performances_may_differ_in_silences_only():
    found = [
        Segment(0.0, 0.2, "br"),
        Segment(0.2, 0.5, "a"),
        Segment(0.5, 0.9, "i"),
        Segment(0.9, 1.0, "pau"),
    ]
    silences = ("pau", "br")
    matched = timing.match_sung(found, ["pau", "br", "a", "pau", "i"], silences, 1.0)
    assert matched == [
        Segment(0.0, 0.2, "pau"),
        Segment(0.2, 0.2, "br"),
        Segment(0.2, 0.5, "a"),
        Segment(0.5, 0.5, "pau"),
        Segment(0.5, 0.9, "i"),
    ]
    assert timing.match_sung(found, ["a", "i", "pau"], silences, 1.0)[-1] == Segment(0.9, 1.0, "pau")
    assert timing.match_sung(found, ["pau", "a", "u"], silences, 1.0) is None
    assert timing.match_sung(found, ["pau", "a"], silences, 1.0) is None
