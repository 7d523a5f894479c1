"""Known answers of pooling, intervals and paired differences."""

from pathlib import Path

import numpy as np
import pytest

from nnsvs_lite.evaluation.intervals import estimate, gain
from nnsvs_lite.evaluation.measures import BY_KEY
from nnsvs_lite.evaluation.results import Run
from nnsvs_lite.io.errors import DataError

RMSE, SHARE, MEDIAN = BY_KEY["lf0_rmse_cents"], BY_KEY["vuv_error"], BY_KEY["in_tune_cents"]


def shares(errors, frames=100.0) -> dict[str, np.ndarray]:
    return {f"u{i}": np.array([error * frames, frames]) for i, error in enumerate(errors)}


def test_rmse_pools_squares_over_frames():
    """One frame off by 100 cents and three right ones: 50 cents, not the mean of 100 and 0."""
    run = {"a": np.array([100.0**2, 1.0]), "b": np.array([0.0, 3.0])}
    assert estimate(RMSE, [run]).value == pytest.approx(50.0)


def test_intervals_are_shown_in_the_unit_of_the_measure():
    assert SHARE.show_interval((0.0123, 0.02)) == "1.23–2.00"
    assert BY_KEY["onset_bias_ms"].show_interval((-5.81, -1.0)) == "-5.8 to -1.0"
    assert SHARE.show_interval(None) == ""


def test_medians_join_their_notes():
    run = {"a": np.array([-1.0, 5.0, np.inf]), "b": np.array([2.0, -3.0])}
    assert estimate(MEDIAN, [run]).value == 3.0


def test_the_interval_is_that_of_a_mean():
    """For equal weights the bootstrap gives the mean -/+ 1.96 standard errors, nearly."""
    errors = np.random.default_rng(0).normal(0.3, 0.05, 200)
    found = estimate(SHARE, [shares(errors)], draws=4000)
    half = 1.96 * errors.std() / np.sqrt(200)
    assert found.value == pytest.approx(errors.mean())
    assert found.interval == pytest.approx((errors.mean() - half, errors.mean() + half), abs=0.1 * half)
    assert (found.seeds, found.utterances, found.spread) == (1, 200, None)


def test_the_same_seed_gives_the_same_interval():
    run = shares([0.1, 0.2, 0.4, 0.3])
    assert estimate(SHARE, [run], seed=3) == estimate(SHARE, [run], seed=3)
    assert estimate(SHARE, [run], seed=3) != estimate(SHARE, [run], seed=4)


def test_several_seeds_have_a_mean_and_a_spread():
    runs = [shares([0.1, 0.3]), shares([0.2, 0.4]), shares([0.3, 0.5])]
    found = estimate(SHARE, runs)
    assert found.value == pytest.approx(0.3)
    assert found.spread == pytest.approx(0.1)
    assert (found.seeds, found.utterances) == (3, 2)
    assert found.interval[0] <= 0.15 and found.interval[1] >= 0.45


def test_seeds_widen_the_interval_and_utterances_do_too():
    errors = np.linspace(0.2, 0.4, 50)
    alike = estimate(SHARE, [shares(errors)] * 3).interval
    apart = estimate(SHARE, [shares(errors + d) for d in (-0.1, 0.0, 0.1)]).interval
    assert apart[1] - apart[0] > 2 * (alike[1] - alike[0])
    # Three runs that are the same know no more than one.
    one = estimate(SHARE, [shares(errors)]).interval
    assert alike[1] - alike[0] == pytest.approx(one[1] - one[0], rel=1e-9)


def test_pairing_cancels_what_is_hard_for_both():
    errors = np.random.default_rng(0).uniform(0.1, 0.9, 40)
    better = shares(errors - 0.05)
    found = gain(SHARE, [better], [shares(errors)])
    assert found.absolute == pytest.approx(0.05)
    assert found.interval == pytest.approx((0.05, 0.05))
    alone = estimate(SHARE, [better]).interval
    assert alone[1] - alone[0] > 0.1


def test_a_system_against_itself_differs_by_nothing():
    run = shares([0.1, 0.2, 0.4])
    found = gain(SHARE, [run], [run])
    assert found.absolute == 0 and found.interval == (0.0, 0.0)


def test_a_gain_says_whether_it_may_be_chance():
    """Lower is better: half a per cent less on average, sure or lost in what utterances differ by."""
    errors = np.linspace(0.2, 0.4, 20)
    noise = np.where(np.arange(20) % 2, 0.1, -0.1)
    sure = gain(SHARE, [shares(errors - 0.005)], [shares(errors)])
    assert (sure.verdict, sure.mood) == ("better", "good")
    assert sure.absolute == pytest.approx(0.005) and sure.relative == pytest.approx(0.005 / 0.3)
    assert sure.interval == pytest.approx((0.005, 0.005))
    unsure = gain(SHARE, [shares(errors - 0.005 + noise)], [shares(errors)])
    assert unsure.absolute == pytest.approx(0.005)
    assert (unsure.verdict, unsure.mood) == ("better, within chance", "chance")
    worse = gain(SHARE, [shares(errors + 0.005)], [shares(errors)])
    assert (worse.verdict, worse.mood) == ("worse", "bad")
    same = gain(SHARE, [shares(errors)], [shares(errors)])
    assert (same.verdict, same.mood) == ("equal", "chance")


def test_pairs_are_of_the_same_id():
    """utt1 and utt10 are two utterances, and the order of a table is no matter."""
    ids = ["utt1", "utt10", "utt2"]
    one = {utt: np.array([float(i), 10.0]) for i, utt in enumerate(ids)}
    other = {utt: one[utt] for utt in reversed(ids)}
    assert gain(SHARE, [one], [other]).interval == (0.0, 0.0)
    del other["utt1"]
    assert gain(SHARE, [one], [other]).interval == (0.0, 0.0)


def test_what_cannot_be_known_is_none():
    assert estimate(SHARE, []) is None
    assert estimate(SHARE, [{}]) is None
    assert estimate(SHARE, [{"a": np.zeros(2)}]) is None
    assert estimate(SHARE, [shares([0.1])]).interval is None
    assert gain(SHARE, [shares([0.1])], [{}]) is None


def test_runs_with_three_seeds_pool_over_utterances_and_average_over_seeds():
    runs = [{"a": np.array([s, 10.0]), "b": np.array([3.0, 30.0])} for s in (1.0, 2.0, 3.0)]
    found = estimate(BY_KEY["vuv_error"], runs)
    assert (round(found.value, 3), found.seeds, found.utterances) == (0.125, 3, 2)


def test_sums_survive_json():
    parts = {"in_tune_cents": {"a": np.array([1.5, np.inf, -2e-7])}, "vuv_error": {"a": np.array([3.0, 7.0])}}
    coded = Run("model", parts).to_json()["sums"]
    assert coded == {"in_tune_cents": {"a": [1.5, None, -2e-07]}, "vuv_error": {"a": [3, 7]}}
    row = {"sums": coded | {"of_tomorrow": {"a": [1]}}}
    back = Run.from_json(row, "model", Path("results.json")).sums
    assert set(back) == set(parts)
    assert back["in_tune_cents"]["a"].tolist() == [1.5, np.inf, -2e-7]


@pytest.mark.parametrize(
    "sums", [[], {"vuv_error": []}, {"vuv_error": {"a": 3}}, {"vuv_error": {"a": ["x"]}}]
)
def test_malformed_sums_are_one_line(sums):
    with pytest.raises(DataError, match=r"results.json: model: malformed sums; score again"):
        Run.from_json({"sums": sums}, "model", Path("results.json"))
    with pytest.raises(DataError, match=r"no sums of utterances; score again"):
        Run.from_json({"mcd_db": 1.0}, "model", Path("results.json"))
