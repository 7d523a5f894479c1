"""Vibrato put into a curve is found as it was put in, and a note without any has none."""

import numpy as np
import pytest

from nnsvs_lite.features.vibrato import CENTS, find_vibrato, sing_vibrato


def note(shift=0.005, seconds=1.5, rate=5.8, extent=70.0, begin=0.4, fade=0.0, phase=0.0, end=None):
    """Log F0 of a note at A3 with vibrato from ``begin`` s on, and its times."""
    time = np.arange(round(seconds / shift)) * shift
    since = time - begin
    grown = np.clip(since / fade, 0, 1) if fade else (since >= 0).astype(float)
    grown = grown * (time < (end or seconds))
    return np.log(220) + extent / CENTS * grown * np.sin(2 * np.pi * rate * since + phase), time


def found_in(lf0, shift=0.005, voiced=None):
    return find_vibrato(lf0, np.ones(len(lf0), bool) if voiced is None else voiced, shift)


@pytest.mark.parametrize("shift", [0.005, 0.01, 256 / 24000])
@pytest.mark.parametrize(("rate", "extent"), [(4.5, 30.0), (5.8, 70.0), (6.8, 150.0), (5.5, 20.0)])
@pytest.mark.parametrize("phase", [0.0, np.pi])
def test_a_sine_is_found_as_it_is(shift, rate, extent, phase):
    found = found_in(note(shift, rate=rate, extent=extent, phase=phase)[0], shift)
    assert found.rate == pytest.approx(rate, abs=0.1)
    assert found.extent == pytest.approx(extent, rel=0.05)
    assert found.begin * shift == pytest.approx(0.4, abs=0.06) and found.end * shift > 1.4
    off = found.phase - phase - 2 * np.pi * rate * (found.begin * shift - 0.4)
    assert abs((off + np.pi) % (2 * np.pi) - np.pi) < 0.35
    assert found.fade_in <= 0.1


@pytest.mark.parametrize("seed", range(3))
def test_glides_drift_and_jitter_do_not_hide_it(seed):
    lf0, time = note(begin=0.2, extent=50.0)
    lf0 += (-500 * np.exp(-time / 0.04) - 300 * np.exp((time - 1.5) / 0.04) + 80 * time) / CENTS
    lf0 += 30 / CENTS * np.sin(2 * np.pi * 0.8 * time)
    lf0 += 4 / CENTS * np.random.default_rng(seed).standard_normal(len(time))
    found = found_in(lf0)
    assert found.rate == pytest.approx(5.8, abs=0.15)
    assert found.extent == pytest.approx(50, rel=0.1)
    assert found.begin * 0.005 == pytest.approx(0.2, abs=0.08) and found.end * 0.005 > 1.3


def test_growing_extent_is_told_as_fade_in():
    found = found_in(note(begin=0.3, fade=0.6, extent=100.0, seconds=1.8)[0])
    assert found.extent == pytest.approx(100, rel=0.08)
    assert found.begin * 0.005 + found.fade_in == pytest.approx(0.9, abs=0.12)


def test_a_short_note_of_a_cycle_and_a_half_has_it():
    found = found_in(note(seconds=0.3, begin=0.0, extent=60.0)[0])
    assert found.rate == pytest.approx(5.8, abs=0.2)
    assert found.extent == pytest.approx(60, rel=0.1)
    assert found.begin <= 2 and found.end >= 58


@pytest.mark.parametrize("seconds", [0.4, 0.5, 0.7])
@pytest.mark.parametrize("rate", [5.0, 6.0, 7.0])
def test_the_rate_of_a_wave_that_comes_and_goes_is_not_that_of_its_turns(rate, seconds):
    """By the distances of its turns alone it would be heard 0.4 Hz too fast in notes of 0.4 s."""
    found = [
        found_in(sing_vibrato(round(seconds / 0.005), 0.005, rate, 70, 0.0, 0.1, 0.1, rng)).rate
        for rng in map(np.random.default_rng, range(20))
    ]
    assert np.median(found) == pytest.approx(rate, abs=0.35 if seconds < 0.5 else 0.2)


def test_it_is_found_where_voicing_breaks_and_only_where_voiced():
    lf0, time = note(begin=0.0)
    voiced = (time > 0.3) & ~((time > 0.7) & (time < 0.72))
    lf0 = np.where(voiced, lf0, -5.0)
    found = found_in(lf0, voiced=voiced)
    assert found.begin * 0.005 >= 0.3 and found.end == 300
    assert found.extent == pytest.approx(70, rel=0.05)
    apart = voiced & ~((time > 0.7) & (time < 0.8))
    assert found_in(np.where(apart, lf0, 0.0), voiced=apart).begin * 0.005 >= 0.8


@pytest.mark.parametrize("seed", range(20))
def test_a_straight_note_gives_no_false_alarm(seed):
    """Glides at both ends, drift, slow unrest (1 Hz and below, 15 cents) and jitter of 3 cents."""
    rng = np.random.default_rng(seed)
    time = np.arange(240) * 0.005
    cents = -400 * np.exp(-time / 0.05) + 250 * np.exp((time - 1.2) / 0.05) + rng.normal(0, 60) * time
    slow = np.convolve(rng.standard_normal(240 + 400), np.hanning(200), mode="same")[200:440]
    cents += 15 * slow / slow.std() + 3 * rng.standard_normal(240)
    # An overshoot, as singers and models have it after a leap.
    cents += 60 * np.exp(-time / 0.12) * np.sin(np.pi * np.clip(time / 0.3, 0, 1))
    assert found_in(np.log(220) + cents / CENTS) is None


@pytest.mark.parametrize(
    ("rate", "extent", "seconds"),
    [(5.8, 8.0, 1.5), (2.5, 70.0, 1.5), (11.0, 70.0, 1.5), (5.8, 70.0, 0.15)],
    ids=["narrow", "slow", "fast", "short"],
)
def test_what_is_no_vibrato_is_not_found(rate, extent, seconds):
    assert found_in(note(rate=rate, extent=extent, begin=0.0, seconds=seconds)[0]) is None


def test_nothing_is_found_in_nothing():
    assert found_in(np.zeros(0)) is None
    assert found_in(np.zeros(100), voiced=np.zeros(100, bool)) is None
    assert found_in(np.full(100, 5.0)) is None
