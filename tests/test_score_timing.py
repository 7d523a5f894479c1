"""The algebra of lags and durations: what is measured in training is what singing gives back."""

import numpy as np
import pytest
from toy import make_score, perform

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.timing import (
    MAX_LAG,
    MAX_LAG_REST,
    check_agreement,
    clip_lags,
    fill,
    fill_notes,
    first_phones,
    frame_boundaries,
    least_lengths,
    phone_durations,
    sung_boundaries,
    time_lags,
)
from nnsvs_lite.score.types import Note, Score

SHIFTS = [0.005, 128 / 24000, 0.01]
every_shift = pytest.mark.parametrize("shift", SHIFTS, ids=["5ms", "5.333ms", "10ms"])


def performance(seed: int):
    """A random score and labels of it."""
    rng = np.random.default_rng(seed)
    score = make_score(rng, int(rng.integers(3, 12)))
    return score, perform(score, rng)


def times_of(score: Score) -> np.ndarray:
    return np.array([[n.start, n.end] for n in score.notes])


@every_shift
@pytest.mark.parametrize("seed", range(8))
def test_lags_and_durations_give_back_the_labels(seed, shift):
    score, labels = performance(seed)
    bounds = frame_boundaries(labels, shift)
    first = first_phones(score.note_index, len(score.notes))
    counts = np.bincount(score.note_index)
    sung = sung_boundaries(times_of(score), time_lags(score, labels, shift), counts, shift)
    np.testing.assert_array_equal(sung, np.append(bounds[first], bounds[-1]))
    filled = fill_notes(phone_durations(labels, shift).astype(float), None, np.array(score.note_index), sung)
    np.testing.assert_array_equal(filled, np.diff(bounds))


@every_shift
def test_stored_in_single_precision_they_still_give_back_the_labels(shift):
    score, labels = performance(3)
    lags = time_lags(score, labels, shift).astype(np.float32).astype(float)
    first = first_phones(score.note_index, len(score.notes))
    sung = sung_boundaries(times_of(score), lags, np.bincount(score.note_index), shift)
    np.testing.assert_array_equal(sung[:-1], frame_boundaries(labels, shift)[first])


@every_shift
def test_what_one_note_gains_its_neighbour_loses(shift):
    score, labels = performance(1)
    lags = time_lags(score, labels, shift)
    lengths = np.diff(np.append([n.start for n in score.notes], score.notes[-1].end)) / shift
    after = np.append(lags[1:], 0.0)
    counts = np.bincount(score.note_index)
    sung = np.diff(sung_boundaries(times_of(score), lags, counts, shift))
    # L^ = L - (g_n - g_{n+1}); the last end is a score time and is rounded to a frame.
    np.testing.assert_allclose(sung, lengths - (lags - after), atol=0.5 + 1e-6)
    assert sung.sum() == round(score.duration / shift)


def test_a_note_sung_early_lengthens_itself_and_shortens_the_one_before():
    times = np.array([[0.0, 0.5], [0.5, 1.0], [1.0, 1.5]])
    ones = np.ones(3)
    np.testing.assert_array_equal(sung_boundaries(times, np.zeros(3), ones, 0.005), [0, 100, 200, 300])
    lagged = sung_boundaries(times, np.array([0.0, -12.0, 4.0]), ones, 0.005)
    np.testing.assert_array_equal(lagged, [0, 88, 204, 300])


def test_the_first_note_and_the_end_of_the_phrase_do_not_move():
    times = np.array([[0.0, 0.5], [0.5, 1.0]])
    bounds = sung_boundaries(times, np.array([9.0, 3.0]), np.ones(2), 0.005)
    assert bounds[0] == 0 and bounds[-1] == 200


def test_notes_that_lags_push_over_each_other_keep_their_order_and_a_frame_for_each_phone():
    times = np.array([[0.0, 0.1], [0.1, 0.12], [0.12, 0.5]])
    counts = np.array([1, 2, 1])
    for lags in ([0, 15, -3], [0, -40, -40], [0, 60, 70], [0, 90, 90]):
        bounds = sung_boundaries(times, np.array(lags, float), counts, 0.005)
        assert (np.diff(bounds) >= counts).all()
        assert bounds[0] == 0 and bounds[-1] == 100


def test_a_phrase_too_short_for_its_phones_grows_until_they_fit():
    bounds = sung_boundaries(np.array([[0.0, 0.005], [0.005, 0.01]]), np.zeros(2), np.array([3, 2]), 0.005)
    np.testing.assert_array_equal(bounds, [0, 3, 5])


def test_the_arrays_given_are_left_alone():
    times, lags = np.array([[0.0, 0.5], [0.5, 1.0]]), np.array([3.0, 2.0])
    sung_boundaries(times, lags, np.ones(2), 0.005)
    np.testing.assert_array_equal(lags, [3.0, 2.0])


def test_phones_shorter_than_a_frame_get_one():
    labels = [Segment(0.0, 0.1, "pau"), Segment(0.1, 0.101, "k"), Segment(0.101, 0.2, "a")]
    np.testing.assert_array_equal(frame_boundaries(labels, 0.01), [0, 10, 11, 20])
    crowded = [Segment(0.0, 0.018, "a"), Segment(0.018, 0.019, "k"), Segment(0.019, 0.02, "a")]
    np.testing.assert_array_equal(phone_durations(crowded, 0.005), [2, 1, 1])


def test_variances_say_who_takes_the_slack():
    # rho = (30 - 20) / (1 + 9) = 1: d = 5 + 1, 15 + 9.
    np.testing.assert_array_equal(fill(np.array([5.0, 15.0]), np.array([1.0, 9.0]), 30), [6, 24])
    # rho = (14 - 20) / 12 = -0.5: d = 8 - 1, 12 - 5.
    np.testing.assert_array_equal(fill(np.array([8.0, 12.0]), np.array([2.0, 10.0]), 14), [7, 7])
    # A phone that is certain keeps its length.
    np.testing.assert_array_equal(fill(np.array([10.0, 40.0]), np.array([0.0, 5.0]), 90), [10, 80])


def test_where_that_would_leave_nothing_lengths_are_scaled():
    # rho = (10 - 40) / 10 = -3: the vowel would last 20 - 27 frames.
    np.testing.assert_array_equal(fill(np.array([20.0, 20.0]), np.array([1.0, 9.0]), 10), [5, 5])
    np.testing.assert_array_equal(fill(np.array([10.0, 30.0]), None, 20), [5, 15])
    np.testing.assert_array_equal(fill(np.array([10.0, 30.0]), np.zeros(2), 20), [5, 15])


@pytest.mark.parametrize("length", [4, 5, 17, 400])
def test_filled_notes_are_full_and_no_phone_is_lost(length):
    rng = np.random.default_rng(length)
    for _ in range(50):
        mean, variance = rng.uniform(0.5, 80, 4), rng.uniform(0, 100, 4)
        for v in (variance, None):
            out = fill(mean, v, length)
            assert out.sum() == length and out.min() >= 1 and out.dtype == np.int64


@pytest.mark.parametrize(("mean", "length"), [([12.0, 8.0], 20), ([12.0, 3.0], 15), ([9.0, 9.0, 3.0], 10)])
def test_a_short_note_is_at_least_half_a_vowel(mean, length):
    vowels = np.arange(len(mean)) == len(mean) - 1
    for variance in (None, np.where(vowels, 1.0, 0.0)):
        out = fill(np.array(mean), variance, length, vowels, length / 2)
        assert out.sum() == length and out.min() >= 1
        assert length / 2 - 0.5 <= out[vowels].sum() <= length / 2 + 0.5


def test_vowels_leave_each_consonant_a_frame_and_long_notes_as_they_are():
    one, mean, vowels = np.ones(4), np.array([9.0, 9.0, 9.0, 3.0]), np.array([False, False, False, True])
    np.testing.assert_array_equal(fill(mean, None, 5, vowels, 4), [1, 1, 1, 2])
    np.testing.assert_array_equal(fill(mean, one, 90, vowels, 18), fill(mean, one, 90))
    # A note of consonants alone, or of a vowel alone.
    np.testing.assert_array_equal(fill(np.array([4.0, 4.0]), None, 8, np.zeros(2, bool), 4), [4, 4])
    np.testing.assert_array_equal(fill(np.array([4.0, 4.0]), None, 8, np.ones(2, bool), 4), [4, 4])


def test_lags_leave_a_short_note_two_thirds_of_its_length():
    times = np.array([[0.0, 0.5], [0.5, 0.6], [0.6, 0.7], [0.7, 1.2]])
    rest, counts = np.array([True, False, False, False]), np.array([1, 2, 2, 2])
    least = least_lengths(times, rest, counts, 0.005)
    np.testing.assert_array_equal(least, [1, 13, 13, 66])
    bounds = sung_boundaries(times, np.array([0.0, 0.0, -15.0, -16.0]), least, 0.005)
    assert (np.diff(bounds) >= least).all() and bounds[-1] == 240
    # Lags that do not crowd a note are kept.
    lags = np.array([0.0, -12.0, -15.0, -16.0])
    np.testing.assert_array_equal(sung_boundaries(times, lags, least, 0.005), [0, 88, 105, 124, 240])
    filled = fill_notes(
        np.array([50, 12, 5, 12, 5, 12, 90.0]), None, np.array([0, 1, 1, 2, 2, 3, 3]), bounds,
        np.array([False, False, True, False, True, False, True]), np.array([100, 20, 20, 100]) / 2,
    )  # fmt: skip
    assert (filled[[2, 4]] >= 9).all() and filled.sum() == 240


def test_boundaries_are_rounded_not_cut():
    # Boundaries at 1.67, 3.33 and 5 frames.
    np.testing.assert_array_equal(fill(np.ones(3), None, 5), [2, 1, 2])


def test_a_note_of_one_phone_is_as_long_as_the_note():
    np.testing.assert_array_equal(fill(np.array([3.0]), np.array([2.0]), 57), [57])


def test_lags_are_limited_in_seconds_not_frames():
    lags, rest = np.array([-90.0, 90.0, -90.0, 90.0, 3.5]), np.array([False, False, True, True, False])
    for shift in SHIFTS:
        note, pause = MAX_LAG / shift, MAX_LAG_REST / shift
        expected = [-note, note, max(-90, -pause), min(90, pause), 3.5]
        np.testing.assert_allclose(clip_lags(lags, rest, shift), expected)


def test_labels_of_another_text_are_refused_with_the_place():
    notes = (Note(0, 0.5, 0, phones=("pau",)), Note(0.5, 1.0, 60, "か", ("k", "a")))
    good = [Segment(0, 0.45, "pau"), Segment(0.45, 0.5, "k"), Segment(0.5, 1.0, "a")]
    check_agreement(Score(notes), good, "utt")
    other = [*good[:2], Segment(0.5, 1.0, "o")]
    with pytest.raises(DataError, match="phone 3 is 'o' in the labels .*and 'a' in the score"):
        check_agreement(Score(notes), other, "utt")
    with pytest.raises(DataError, match="2 phones in the labels, 3 in the score"):
        check_agreement(Score(notes), good[:2], "utt")
