"""F0: search range, cleaning against the score, interpolation, real singing."""

import numpy as np
import pytest

from nnsvs_lite.features import f0
from nnsvs_lite.features.config import F0Config, FeatureConfig, WorldConfig
from nnsvs_lite.io.errors import DataError


def config(**options):
    return FeatureConfig(24000, 0.005, f0=F0Config(**options), world=WorldConfig())


def cents(a, b):
    return 1200 * np.log2(a / b)


def test_midi_and_hz():
    assert f0.hz_to_midi(440) == 69
    assert f0.midi_to_hz(60) == pytest.approx(261.6256, abs=1e-4)


def test_search_range_follows_the_notes():
    low, high = f0.search_range(np.array([0, 60, 72, 0]), F0Config(margin=12))
    assert low == pytest.approx(f0.midi_to_hz(48)) and high == pytest.approx(f0.midi_to_hz(84))
    # Within floor and ceiling; whole range without a score.
    assert f0.search_range(np.array([40, 85]), F0Config(margin=12)) == (71.0, 1200.0)
    assert f0.search_range(np.array([0, 0]), F0Config()) == (71.0, 1200.0)
    assert f0.search_range(np.array([60]), F0Config(score_range=False)) == (71.0, 1200.0)


def test_a_note_that_cannot_be_found_is_an_error():
    for pitch in (36, 96):
        with pytest.raises(DataError, match="song: its notes.*f0.floor"):
            f0.search_range(np.array([60, pitch]), F0Config(), "song")


def test_octave_errors_fold_and_outliers_go():
    note = np.r_[np.zeros(20), np.full(100, 60.0), np.full(100, 67.0), np.zeros(20)]
    truth = f0.midi_to_hz(np.r_[np.full(120, 60.2), np.full(120, 66.9)])
    found = truth.copy()
    found[60:70] *= 2
    found[190:195] /= 2
    found[170:180] = f0.midi_to_hz(76)
    cleaned = f0.clean(found, note, config(spike=None))
    assert (cleaned[170:180] == 0).all()
    assert np.delete(cleaned, np.s_[170:180]) == pytest.approx(np.delete(truth, np.s_[170:180]))


def test_cleaning_can_be_switched_off():
    found = f0.midi_to_hz(np.r_[np.full(50, 60.0), np.full(50, 90.0)])
    note = np.full(100, 60.0)
    same = config(fold_octaves=False, max_deviation=None, spike=None, min_voiced=0.0)
    assert f0.clean(found, note, same) == pytest.approx(found)


def test_a_wide_interval_sung_late_is_not_an_error():
    """The note before excuses an F0 for `window` seconds; after that it counts as an outlier."""
    note = np.r_[np.full(100, 60.0), np.full(200, 76.0)]
    sung = f0.midi_to_hz(np.r_[np.full(130, 60.0), np.full(170, 76.0)])
    assert f0.clean(sung, note, config()) == pytest.approx(sung)
    late = f0.midi_to_hz(np.r_[np.full(180, 60.0), np.full(120, 76.0)])
    cleaned = f0.clean(late, note, config())
    assert (cleaned[:140] > 0).all() and (cleaned[141:180] == 0).all() and (cleaned[180:] > 0).all()


def test_spikes_and_specks():
    found = np.full(100, 220.0)
    found[50] = 300.0
    found[70:] = 0.0
    found[80:83] = 220.0
    cleaned = f0.clean(found, None, config())
    assert cleaned[:70] == pytest.approx(220)
    assert (cleaned[70:] == 0).all()
    # Vibrato of a semitone either way at 6 Hz is no spike.
    vibrato = f0.midi_to_hz(60 + np.sin(2 * np.pi * 6 * np.arange(200) * 0.005))
    assert f0.clean(vibrato, None, config()) == pytest.approx(vibrato)


def test_interpolation():
    lf0 = f0.continuous_lf0(np.array([0, 0, 100, 0, 0, 0, 200, 0.0]))
    low, high = np.log(100), np.log(200)
    expected = [low, low, low, *(low + (high - low) * np.array([0.25, 0.5, 0.75])), high, high]
    assert lf0 == pytest.approx(expected)
    with pytest.raises(ValueError):
        f0.continuous_lf0(np.zeros(5))


def test_runs():
    assert f0.runs(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 2), (3, 4), (6, 7)]
    assert f0.runs(np.zeros(3, bool)) == []


def test_swift_f0_is_an_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "swift_f0", None)
    f0._swift_model.cache_clear()
    with pytest.raises(DataError, match="pip install"):
        f0.track(np.zeros(24000), config(tracker="swift-f0"), 100, 71, 1200)


@pytest.mark.parametrize("tracker", ["dio", "swift-f0", pytest.param("harvest", marks=pytest.mark.slow)])
def test_real_singing_with_annotated_f0(shared_data, tracker):
    """vocadito track 1: pitch within 50 cents on at least 95 % of the annotated frames."""
    from nnsvs_lite.features.audio import read_wav, resample

    if tracker == "swift-f0":
        pytest.importorskip("swift_f0")
    folder = shared_data / "vocadito"
    times, truth = np.loadtxt(folder / "Annotations/F0/vocadito_1_f0.csv", delimiter=",").T
    x, rate = read_wav(folder / "Audio/vocadito_1.wav")
    x = resample(x, rate, 24000)
    n_frames = int(times[-1] / 0.005)
    reference = truth[np.searchsorted(times, np.arange(n_frames) * 0.005 - (times[1] - times[0]) / 2)]
    c = config(tracker=tracker)
    found = f0.clean(f0.track(x, c, n_frames, 71, 1200), None, c)
    both = (found > 0) & (reference > 0)
    error = np.abs(cents(found[both], reference[both]))
    assert (error < 50).sum() / (reference > 0).sum() > 0.95
    assert np.median(error) < 5
