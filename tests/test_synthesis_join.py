"""Phrases joined to songs."""

import numpy as np
import pytest

from nnsvs_lite.synthesis.joining import FADE, LONGEST_FADE, join

RATE = 8000


def test_phrases_lie_at_their_places_and_the_song_is_long_enough():
    song = join([(0.0, np.ones(800)), (0.5, np.ones(800))], RATE)
    assert len(song) == 4800 and song.dtype == np.float64
    assert song[400] == 1 and song[4400] == 1 and not song[800:4000].any()
    assert len(join([(0.5, np.ones(800))], RATE, duration=2.0)) == 16000
    assert len(join([(0.5, np.ones(800))], RATE, duration=0.1)) == 4800


def test_the_inside_of_a_phrase_is_left_as_it_is():
    x = np.random.default_rng(0).normal(size=2000)
    song, fade = join([(0.25, x)], RATE), round(FADE * RATE)
    np.testing.assert_array_equal(song[2000 + fade : 4000 - fade], x[fade:-fade])
    np.testing.assert_array_equal(x, np.random.default_rng(0).normal(size=2000))


def test_there_is_no_click_where_a_phrase_begins_or_ends():
    # The worst that can happen: phrases that do not end in silence, with full level at their edges.
    song = join([(0.1, np.ones(900)), (0.3, -np.ones(901))], RATE, duration=0.5)
    steps = np.abs(np.diff(song, prepend=0.0, append=0.0))
    assert steps.max() < 1.05 * np.pi / 2 / (FADE * RATE), "no steeper than half a cosine over the fade"


def test_phrases_that_overlap_add_up_and_neighbours_fade_across():
    song = join([(0.0, np.ones(1600)), (0.1, np.ones(1600))], RATE)
    assert song[1200] == 2 and len(song) == 2400
    fade = FADE
    across = join([(0.0, np.ones(800)), (0.1 - fade, np.ones(800))], RATE)
    np.testing.assert_allclose(across[400:1200], 1.0, atol=1e-12)


def test_very_short_phrases():
    assert join([(0.0, np.ones(1))], RATE).shape == (1,)
    assert np.abs(join([(0.0, np.ones(7))], RATE)).max() <= 1
    assert len(join([(0.1, np.zeros(0))], RATE)) == 800


def sung(rest: float, end: float, noise: float, breath: float = 0.0) -> np.ndarray:
    """Half a second of a tone at -9 dBFS (RMS) between rests; all of it with noise of this RMS, in dBFS."""
    rng = np.random.default_rng(1)
    x = 10 ** (noise / 20) * rng.standard_normal(round((rest + 0.5 + end) * RATE))
    first = round(rest * RATE)
    x[first : first + RATE // 2] += 0.5 * np.sin(2 * np.pi * 220 * np.arange(RATE // 2) / RATE)
    x[first - round(breath * RATE) : first] += 0.01 * rng.standard_normal(round(breath * RATE))
    return x


def level(x: np.ndarray) -> float:
    return 10 * np.log10(np.mean(x**2) + 1e-20)


@pytest.mark.parametrize("noise", [-71, -60, -85])
@pytest.mark.parametrize("rest, end", [(0.3, 0.3), (0.15, 0.3), (1.0, 0.2)])
def test_the_noise_of_a_rest_begins_and_ends_without_a_step(noise, rest, end):
    """A song that is silent before and after a phrase: no 10 ms are more than 10 dB above those before, from
    what can be heard on (20 dB below the noise)."""
    song = join([(1.0, sung(rest, end, noise))], RATE, duration=4.0)
    for way in (song, song[::-1]):
        blocks = [level(block) for block in way.reshape(-1, RATE // 100)]
        heard = [max(value, noise - 20) for value in blocks]
        first = next(i for i, value in enumerate(heard) if value > -30)
        assert max(np.diff(heard[: first - 1])) < 10
        assert not any(value > noise + 3 for value in heard[: first - 1])


def test_what_is_sung_and_a_breath_before_it_stay_as_they_are():
    x = sung(0.3, 0.3, -71.0, breath=0.1)
    song, kept = join([(0.0, x)], RATE), slice(round(0.2 * RATE), round(0.8 * RATE))
    np.testing.assert_array_equal(song[kept], x[kept])
    assert level(song[:100]) < level(x[:100]) - 25
    late = sung(1.0, 0.3, -71.0)
    fade = round(LONGEST_FADE * RATE)
    np.testing.assert_array_equal(join([(0.0, late)], RATE)[fade:RATE], late[fade:RATE])
