"""Phrases laid at their places in a song, whole or as they are made."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

FADE, LONGEST_FADE = 0.01, 0.3
"""Seconds over which a phrase fades in and out where it is joined: no click, no step of a rest's noise."""
QUIET = 1e-4
"""Power, of the loudest 5 ms near an end, below which that end is the noise of a rest (-40 dB)."""
NEAR = 1.4
"""Seconds at an end of a phrase in which its rest is looked for: no more is waited for."""


class Sounding(NamedTuple):
    """A phrase: where it starts, in seconds, how many samples it has, and these, one part after the other."""

    start: float
    size: int
    parts: Iterable[np.ndarray]


def faded(parts: Iterable[np.ndarray], size: int, sample_rate: int) -> Iterator[np.ndarray]:
    """A phrase that fades in and out within its rests, as it comes.

    A vocoder's rest is not silent: its noise swells from nothing as long as nothing is sung, but at most over
    ``LONGEST_FADE``.
    """
    near, longest = round(NEAR * sample_rate), round(LONGEST_FADE * sample_rate)
    # Samples that came last; the first ``sent`` of them are given away already.
    last, sent, begun = np.zeros(0), 0, False
    for part in parts:
        last = np.concatenate([last, part])
        if not begun and len(last) < min(near, size):
            continue
        if not begun:
            _fade(last, size, sample_rate)
            begun = True
        if len(last) - longest > sent:
            yield last[sent : len(last) - longest].copy()
            sent = len(last) - longest
        dropped = min(sent, max(0, len(last) - near))
        last, sent = last[dropped:], sent - dropped
    _fade(last[::-1], size, sample_rate)
    yield last[sent:]


def _fade(way: np.ndarray, size: int, sample_rate: int) -> None:
    """Lets a phrase of ``size`` samples swell from one of its ends, in place."""
    fade = np.clip(_rest(way, sample_rate), round(FADE * sample_rate), round(LONGEST_FADE * sample_rate))
    fade = min(int(fade), size // 2)
    way[:fade] *= 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(fade, 1))


def _rest(x: np.ndarray, sample_rate: int) -> int:
    """Samples at the beginning of a phrase in which nothing is sung."""
    block = round(0.005 * sample_rate)
    x = x[: round(NEAR * sample_rate)]
    power = np.mean(x[: len(x) // block * block].reshape(-1, block) ** 2, axis=1)
    return block * int(np.argmax(power > QUIET * power.max(initial=0.0))) if power.any() else 0


def song_size(phrases: Sequence[Sounding], sample_rate: int, duration: float = 0.0) -> int:
    """Samples of a song that lasts ``duration`` seconds at least."""
    ends = (round(p.start * sample_rate) + p.size for p in phrases)
    return max([round(duration * sample_rate), *ends])


def joined(phrases: Sequence[Sounding], sample_rate: int, duration: float = 0.0) -> Iterator[np.ndarray]:
    """A song from its beginning on, float64, as its phrases come; what overlaps adds up."""
    phrases = sorted(phrases, key=lambda phrase: phrase.start)
    size = song_size(phrases, sample_rate, duration)
    starts = [*(round(p.start * sample_rate) for p in phrases[1:]), size]
    if not phrases:
        yield np.zeros(size)
    # What is made and may still be added to, from ``place`` on.
    place, made = 0, np.zeros(0)
    for phrase, until in zip(phrases, starts):
        at = round(phrase.start * sample_rate)
        for part in faded(phrase.parts, phrase.size, sample_rate):
            made = np.pad(made, (0, max(0, at + len(part) - place - len(made))))
            made[at - place :][: len(part)] += part
            at += len(part)
            ready = max(0, min(at, until) - place)
            if ready:
                yield made[:ready]
                place, made = place + ready, made[ready:]
        if until > place:
            ready = until - place
            yield np.pad(made[:ready], (0, max(0, ready - len(made))))
            place, made = until, made[ready:]


def join(pieces: Iterable[tuple[float, np.ndarray]], sample_rate: int, duration: float = 0.0) -> np.ndarray:
    """Lays phrases at their places in a song, fading both ends of their rests; what overlaps adds up.

    Args:
        pieces: start in seconds and waveform (samples,) of each phrase. sample_rate: Hz.
        duration: seconds; the song is at least this long.

    Returns float64 (samples,).
    """
    phrases = [Sounding(start, len(x), [np.asarray(x, np.float64)]) for start, x in pieces]
    return np.concatenate([np.zeros(0), *joined(phrases, sample_rate, duration)])
