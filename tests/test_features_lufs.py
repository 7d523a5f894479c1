"""Loudness against what ITU-R BS.1770 and EBU Tech 3341 say of signals made for it."""

import numpy as np
import pytest

from nnsvs_lite.features.lufs import _weighting, block_powers, loudness


def sine(hertz: float, decibels: float, seconds: float, rate: int = 48000) -> np.ndarray:
    return 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def test_the_filters_are_those_of_the_standard():
    """BS.1770-4, tables 1 and 2, at 48 kHz."""
    shelf, high_pass = _weighting(48000)
    assert shelf == pytest.approx(
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        abs=1e-9,
    )
    assert high_pass == pytest.approx([1, -2, 1, 1, -1.99004745483398, 0.99007225036621], abs=1e-9)


@pytest.mark.parametrize("rate", [16000, 24000, 44100, 48000, 96000])
def test_a_sine_of_997_hz_at_full_scale(rate):
    """It has -3.01 LKFS in one channel, at any rate."""
    assert loudness([block_powers(sine(997, 0, 3, rate), rate)]) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize(
    "parts",
    [
        [(-23, 20)],
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
)
def test_gates(parts):
    """EBU Tech 3341, cases 1, 3, 4 and 5: -23 LUFS of two channels are 3.01 less of one."""
    x = np.concatenate([sine(1000, decibels, seconds) for decibels, seconds in parts])
    assert loudness([block_powers(x, 48000)]) == pytest.approx(-23 - 3.01, abs=0.1)


def test_several_recordings_are_one_and_short_ones_count():
    whole = block_powers(sine(1000, -20, 4), 48000)
    assert loudness([whole[:10], whole[10:]]) == loudness([whole])
    assert loudness([block_powers(sine(1000, -20, 0.2), 48000)]) == pytest.approx(-23, abs=0.3)
    assert loudness([block_powers(np.zeros(48000), 48000)]) is None and loudness([]) is None
