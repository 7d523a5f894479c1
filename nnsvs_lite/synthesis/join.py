"""Phrases back to songs."""

from collections.abc import Iterable

import numpy as np

FADE = 0.01
"""Seconds over which a phrase fades in and out where it is joined: no click."""


def join(pieces: Iterable[tuple[float, np.ndarray]], sample_rate: int, duration: float = 0.0) -> np.ndarray:
    """Lays phrases at their places in a song.

    Phrases begin and end in rests; short fades at both ends keep what noise a rest has from starting with a
    step, and phrases that overlap add up.

    Args:
        pieces: start in seconds and waveform (samples,) of each phrase. sample_rate: Hz.
        duration: seconds; the song is at least this long.

    Returns float64 (samples,).
    """
    pieces = [(round(start * sample_rate), x) for start, x in pieces]
    size = max([round(duration * sample_rate), *(start + len(x) for start, x in pieces)])
    song = np.zeros(size)
    for start, x in pieces:
        fade = min(round(FADE * sample_rate), len(x) // 2)
        x = np.array(x, np.float64)
        if fade:
            ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
            x[:fade] *= ramp
            x[-fade:] *= ramp[::-1]
        song[start : start + len(x)] += x
    return song
