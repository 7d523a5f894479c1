"""Known answers of the measures, each asked of the very functions that scoring calls."""

import numpy as np
import pytest

from nnsvs_lite.evaluation.measures import BY_KEY, MEASURES
from nnsvs_lite.evaluation.reference import Rendition, match_sung, mel_in_decibel, sung_pitch
from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError


def value(key: str, ref, est, mask=None) -> float | None:
    """A measure of one utterance, from what it compares in the recording and in the system."""
    measure = BY_KEY[key]
    vector = measure.vector(Rendition(**{measure.of: ref}, mask=mask), Rendition(**{measure.of: est}))
    return measure.pool([vector])


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
    times = np.arange(1.0, 9.0)
    known = {"f0": f0, "mgc": mgc, "bap": mgc, "mel": mgc, "pitch": times} | dict.fromkeys(
        ("onset", "nucleus", "phone", "syllable"), times
    )
    for measure in (measure for measure in MEASURES if measure.group != "life"):
        perfect = 1.0 if measure.better in ("higher", "natural") else 0.0
        assert value(measure.key, known[measure.of], known[measure.of]) == pytest.approx(perfect), measure.key


def test_what_one_of_two_lacks_is_not_measured(f0):
    for measure in MEASURES:
        assert measure.vector(Rendition(f0=f0), Rendition(mgc=np.zeros((3, 2)))) is None


def test_mcd_of_one_coefficient(mgc):
    """One coefficient off by d everywhere gives (10/ln 10) sqrt(2) d; 1 neper is 6.1418 dB."""
    other = mgc.copy()
    other[:, 7] += 1.0
    assert value("mcd_db", mgc, other) == pytest.approx(6.141851463713754)
    other[:, 8] -= 1.0
    assert value("mcd_db", mgc, other) == pytest.approx(6.141851463713754 * np.sqrt(2))


def test_mel_distance_of_twice_the_amplitude_is_six_decibels(mgc):
    """20 log10 2 = 6.0206 dB, whichever logarithm and power the spectra have."""
    for log, power, base in (("natural", 1.0, np.e), ("log10", 1.0, 10.0), ("log10", 2.0, 10.0)):
        config = MelConfig(log=log, power=power)
        pair = (mgc, mgc + power * np.log(2.0) / np.log(base))
        assert value("mel_db", *(mel_in_decibel(mel, config) for mel in pair)) == pytest.approx(6.020599913)


def test_spectra_of_half_the_movement_have_a_quarter_of_the_variance(mgc):
    half = mgc.mean(0) + (mgc - mgc.mean(0)) / 2
    assert value("mel_gv_ratio", mgc, half) == pytest.approx(0.25)
    half[:, : mgc.shape[1] // 2] = mgc[:, : mgc.shape[1] // 2] + 3.0
    share = mgc.shape[1] // 2 / mgc.shape[1]
    assert value("mel_gv_ratio", mgc, half) == pytest.approx(share + (1 - share) / 4)


def test_gain_leaves_mcd_alone(mgc):
    louder = mgc.copy()
    louder[:, 0] += np.log(2.0)
    assert value("mcd_db", mgc, louder) == 0
    assert value("espnet_mcd_db", mgc, louder) == pytest.approx(6.141851463713754 * np.log(2.0))


def test_mask_chooses_frames(mgc):
    other = mgc.copy()
    other[:50, 1] += 1.0
    mask = np.arange(100) >= 50
    assert value("mcd_db", mgc, other, mask) == 0
    assert value("mcd_db", mgc, other, ~mask) == pytest.approx(2 * value("mcd_db", mgc, other))
    assert value("mcd_db", mgc, other, np.zeros(100, dtype=bool)) is None


def test_bap_distortion_of_one_band():
    est = np.zeros((10, 3))
    est[:, 2] = 10.0
    assert value("bap_db", np.zeros((10, 3)), est) == pytest.approx(6.141851463713754)


@pytest.mark.parametrize("interval", [50.0, -50.0, 100.0, 1200.0])
def test_f0_rmse_of_a_constant_interval(f0, interval):
    assert value("lf0_rmse_cents", f0, f0 * 2 ** (interval / 1200)) == pytest.approx(abs(interval))


def test_f0_rmse_is_log_rmse_times_1731(f0):
    other = f0 * np.exp(np.random.default_rng(1).normal(0, 0.05, f0.size))
    voiced = f0 > 0
    log_rmse = np.sqrt(np.mean((np.log(other[voiced]) - np.log(f0[voiced])) ** 2))
    assert value("lf0_rmse_cents", f0, other) == pytest.approx(1731.2340490667562 * log_rmse)
    assert value("espnet_log_f0_rmse", f0, other) == pytest.approx(log_rmse)


def test_f0_counts_only_where_both_are_voiced(f0):
    other = f0.copy()
    other[f0 == 0] = 300.0
    other[100:200] = 0.0
    assert value("lf0_rmse_cents", f0, other) == 0
    assert value("lf0_rmse_cents", f0, np.zeros_like(f0)) is None
    assert value("espnet_log_f0_rmse", f0, np.zeros_like(f0)) is None


def test_correlation_agrees_with_numpy_and_refuses_constants(f0):
    other = f0 * np.exp(np.random.default_rng(1).normal(0, 0.05, f0.size))
    voiced = f0 > 0
    known = np.corrcoef(f0[voiced], other[voiced])[0, 1]
    assert value("f0_correlation", f0, other) == pytest.approx(known)
    assert value("f0_correlation", f0, 1000 - f0 * (f0 > 0)) == pytest.approx(-1.0)
    assert value("f0_correlation", f0, np.full_like(f0, 440.0)) is None
    assert value("f0_correlation", np.zeros(4), np.zeros(4)) is None


def test_vectors_of_parts_pool_to_the_whole(f0, mgc):
    halves = (slice(None, 60), slice(60, None))
    for key, ref, est in (("f0_correlation", f0, f0**1.1), ("mcd_db", mgc, mgc**2), ("rpa", f0, f0[::-1])):
        measure = BY_KEY[key]
        parts = [
            measure.vector(Rendition(**{measure.of: ref[half]}), Rendition(**{measure.of: est[half]}))
            for half in halves
        ]
        assert measure.pool(parts) == pytest.approx(value(key, ref, est))


def test_inverted_voicing_is_wholly_wrong(f0):
    inverted = np.where(f0 > 0, 0.0, 220.0)
    assert value("vuv_error", f0, inverted) == value("espnet_vuv_error", f0, inverted) == 1
    assert value("ffe", f0, inverted) == 1
    assert value("rpa", f0, inverted) == 0
    assert value("semitone_accuracy_overall", f0, inverted) == 0


def test_one_wrong_frame_in_ten():
    ref, est = np.full(10, 220.0), np.full(10, 220.0)
    est[3] = 0
    assert value("vuv_error", ref, est) == pytest.approx(0.1)
    assert value("gpe", ref, est) == 0
    assert value("ffe", ref, est) == pytest.approx(0.1)
    est[4] = 440
    assert value("gpe", ref, est) == pytest.approx(1 / 9)
    assert value("ffe", ref, est) == pytest.approx(0.2)


@pytest.mark.parametrize("factor, expected", [(1.21, 1.0), (0.79, 1.0), (1.19, 0.0), (0.81, 0.0)])
def test_gross_error_begins_at_a_fifth(f0, factor, expected):
    assert value("gpe", f0, f0 * factor) == expected


def test_pitch_accuracy_has_a_quarter_tone(f0):
    assert value("rpa", f0, f0 * 2 ** (49 / 1200)) == 1
    assert value("rpa", f0, f0 * 2 ** (51 / 1200)) == 0
    assert value("rpa", f0, f0 * 2) == 0
    assert value("rca", f0, f0 * 2) == 1
    assert value("rca", f0, f0 / 4) == 1
    assert value("rca", f0, f0 * 2 ** (1251 / 1200)) == 0
    assert value("rca", f0, f0 * 2 ** (1151 / 1200)) == 1
    assert value("rca", f0, np.zeros_like(f0)) == 0


@pytest.mark.parametrize("note", [45, 57, 69, 81, 83, 84])
def test_a_whole_tone_is_another_semitone_at_any_height(note):
    """Also 988 Hz (B5) sung as 880 Hz (A5), which a ceiling of 800 Hz would let pass as silence."""
    ref = np.full(100, 440.0 * 2 ** ((note - 69) / 12))
    ref[:40] = 0
    est = ref * 2 ** (-2 / 12)
    assert value("semitone_accuracy", ref, est) == 0
    assert value("semitone_accuracy_overall", ref, est) == pytest.approx(0.4)
    assert value("espnet_semitone_accuracy", ref, est) == pytest.approx(0.4)
    assert value("semitone_accuracy", ref, ref * 2 ** (1 / 12)) == 0
    assert value("semitone_accuracy", ref, ref * 2 ** (40 / 1200)) == 1


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
    assert value("rpa", ref, est) == pytest.approx(melody.raw_pitch_accuracy(*pair))
    assert value("rca", ref, est) == pytest.approx(melody.raw_chroma_accuracy(*pair))
    assert 0.1 < value("rpa", ref, est) < value("rca", ref, est) < 0.9
    # Its voicing recall and false alarm, weighted by how often each can happen, are V/UV error.
    recall, alarm = melody.voicing_measures(*voicing)
    share = (ref > 0).mean()
    assert value("vuv_error", ref, est) == pytest.approx(share * (1 - recall) + (1 - share) * alarm)


def test_lengths_may_differ_and_shapes_may_not(f0, mgc):
    assert value("vuv_error", f0, np.concatenate([f0, np.full(7, 220.0)])) == 0
    assert value("mcd_db", mgc, mgc[:-3], np.ones(100, bool)) == 0
    for key, ref, est in (("mcd_db", mgc, mgc[:, :-1]), ("onset_mae_ms", np.zeros(2), np.zeros(3))):
        with pytest.raises(ValueError, match=f"{key}: shapes differ"):
            value(key, ref, est)


def test_accuracies_within_a_tolerance_include_it():
    ref = np.array([0.1, 0.1, 0.1, 0.1, 0.1])
    est = ref + np.array([0.0, 0.02, -0.0201, 0.05, 0.051])
    for kind in ("duration", "syllable"):
        assert value(f"{kind}_within_20ms", ref, est) == pytest.approx(2 / 5)
        assert value(f"{kind}_within_50ms", ref, est) == pytest.approx(4 / 5)
    assert value("onset_within_50ms", ref, est) == pytest.approx(4 / 5)


def test_timing_errors():
    ref, est = np.array([0.0, 0.5, 0.6]), np.array([0.0, 0.48, 0.61])
    for key in ("onset_mae_ms", "vowel_onset_mae_ms", "truth_onset_mae_ms", "truth_vowel_onset_mae_ms"):
        assert value(key, ref, est) == pytest.approx(10.0)
    for key in ("phone_duration_mae_ms", "syllable_duration_mae_ms", "truth_phone_duration_mae_ms"):
        assert value(key, ref, est) == pytest.approx(10.0)
        assert value(key, np.zeros(0), np.zeros(0)) is None
    assert value("onset_bias_ms", ref, est) == pytest.approx(-10 / 3)


def test_pitches_of_notes():
    shift = 0.005
    spans = np.array([[0.0, 1.0], [1.0, 1.1], [1.1, 2.1]])
    f0 = np.full(421, 440.0)
    # The first 20 % and last 20 % of a note may do as they like.
    f0[:40] = 300.0
    f0[160:201] = 0.0
    f0[220:] = 440.0 * 2 ** (30 / 1200)
    assert sung_pitch(f0, shift, spans) == pytest.approx([69.0, np.nan, 69.3], nan_ok=True)
    assert value("in_tune_cents", np.full(3, 69), sung_pitch(f0, shift, spans)) == pytest.approx(15.0)
    vibrato = 440.0 * 2 ** (50 / 1200 * np.sin(2 * np.pi * 6 * np.arange(421) * shift))
    assert sung_pitch(vibrato, shift, spans[:1])[0] == pytest.approx(69.0, abs=0.05)
    silent = sung_pitch(np.zeros(421), shift, spans[:1])
    assert np.isinf(silent).all() and value("in_tune_cents", np.array([69]), silent) is None


def test_performances_may_differ_in_silences_only():
    found = [
        Segment(0.0, 0.2, "br"),
        Segment(0.2, 0.5, "a"),
        Segment(0.5, 0.9, "i"),
        Segment(0.9, 1.0, "pau"),
    ]

    def match(*expected: str) -> list[Segment]:
        return match_sung(found, expected, ("pau", "br"), 1.0, "pred.ctm: utt")

    assert match("pau", "br", "a", "pau", "i") == [
        Segment(0.0, 0.2, "pau"),
        Segment(0.2, 0.2, "br"),
        Segment(0.2, 0.5, "a"),
        Segment(0.5, 0.5, "pau"),
        Segment(0.5, 0.9, "i"),
    ]
    assert match("a", "i", "pau")[-1] == Segment(0.9, 1.0, "pau")
    with pytest.raises(DataError, match=r"pred.ctm: utt: sung phone 2 is 'i', the score has 'u'"):
        match("pau", "a", "u")
    with pytest.raises(DataError, match="2 sung phones, the score has 1"):
        match("pau", "a")
