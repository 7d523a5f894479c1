"""Phrases joined to songs."""

import numpy as np

from nnsvs_lite.synthesis.vocode import FADE, join

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
