"""Vibrato in the F0 of one note: whether there is any, where, how fast and how wide; and its singing."""

from typing import NamedTuple

import numpy as np

CENTS = 1200 / np.log(2)
"""Of log F0."""
RATES = (4.0, 8.5)
"""Hz, slowest and fastest; singers' vibrato lies at 4.5 to 7 Hz (Sundberg, 1994)."""
LEAST_SWING = 20.0
"""Cents from a peak to the next trough; what turns sooner is jitter."""
LEAST_EXTENT = 15.0
"""Cents; narrower movement is hardly heard as vibrato."""
UNEVEN = 3.0
"""So much longer, or higher, than the other may one half of a cycle be, as on a glide."""
SMOOTHING = 0.065
"""Seconds over which cubics take jitter away (Savitzky and Golay, 1964); a sine of 6 Hz keeps 99 %."""
GAP = 0.03
"""Seconds of a break in voicing that is bridged."""
UNREST = {"rate": 0.05, "extent": 0.12}
"""Deviations of the logarithms of a sung vibrato's single cycles."""
HURRY, LAST = 0.15, 0.3
"""So much faster vibrato becomes towards a note's end (Prame, 1994), and in how many seconds."""
SLOWER = np.linspace(0.8, 1.04, 21)
"""Rates that are tried, in units of what the distances between turns tell."""
LEAST_FADE = 0.03
"""Seconds; a wave that broke off sooner would move faster than vibrato itself does."""


class VibratoFound(NamedTuple):
    """``extent * fade * sin(2 pi rate t + phase)`` about a note's level, ``t`` from ``begin``."""

    begin: int
    """First frame, from the start of the note; ``end`` is one past the last."""
    end: int
    rate: float
    """Hz."""
    extent: float
    """Cents, the amplitude (half of what lies between peak and trough) once it is there in full."""
    fade_in: float
    """Seconds in which ``fade`` rises evenly from 0 to 1."""
    phase: float
    """Radians, -pi to pi, of the sine at ``begin``."""
    fade_out: float
    """Seconds in which ``fade`` falls evenly to 0 at ``end``; 0 where it breaks off."""


def find_vibrato(lf0: np.ndarray, voiced: np.ndarray, frame_shift: float) -> VibratoFound | None:
    """The longest vibrato in one note.

    Peaks and troughs are sought that lie as far apart as those of a vibrato. How high one rises over the line
    between its neighbours is twice the extent, on whatever glide or drift it rides; what does not swing has
    none, so that glides alone, or a straight note's unrest, are never taken for vibrato.

    Args:
        lf0: (T,) log F0 of a note's vowel, of any value where unvoiced. voiced: (T,) booleans.
        frame_shift: seconds.

    Returns None where there is no cycle of vibrato with its neighbours: three turns at least, with periods
    within ``RATES`` and extents of ``LEAST_EXTENT``.
    """
    from scipy.signal import savgol_filter

    start, stop = _longest(np.asarray(voiced, dtype=bool), round(GAP / frame_shift))
    window = 2 * round(SMOOTHING / frame_shift / 2) + 1
    if stop - start < max(window, 1 / RATES[1] / frame_shift):
        return None
    on = np.flatnonzero(voiced[start:stop])
    curve = np.interp(np.arange(stop - start), on, np.asarray(lf0, np.float64)[start:stop][on] * CENTS)
    curve = savgol_filter(curve, window, 3) if window > 3 else curve
    at, height = _turns(curve)
    if len(at) < 3:
        return None
    halves = np.diff(at) * frame_shift
    period = halves[1:] + halves[:-1]
    middle = height[:-2] + (height[2:] - height[:-2]) * halves[:-1] / period
    extent = np.abs(height[1:-1] - middle) / 2
    good = (period >= 1 / RATES[1]) & (period <= 1 / RATES[0]) & (extent >= LEAST_EXTENT)
    for ratio in (halves[1:] / halves[:-1], np.diff(height)[1:] / -np.diff(height)[:-1]):
        good &= (ratio <= UNEVEN) & (ratio >= 1 / UNEVEN)
    first, last = _longest(good, 0)  # Of the turns that have neighbours, which belong to it too.
    if first == last:
        return None
    half = np.polyfit(np.arange(last - first + 2), at[first : last + 2], 1)[0] * frame_shift
    rate = 1 / (2 * half)
    quarter = 1 / (4 * rate * frame_shift)
    # A quarter of a cycle lies beyond the last turn; an edge that is as near again is still part of it.
    begin, end = round(at[first] - quarter), round(at[last + 1] + quarter) + 1
    begin, end = (begin if begin > quarter else 0), (end if len(curve) - end > quarter else len(curve))
    mids = slice(first, last + 1)
    level = np.interp(
        np.arange(begin, end), (at[:-1] + at[1:])[mids] / 2, (height[:-1] + height[1:])[mids] / 2
    )
    rate, fade_in, fade_out, phase = _fit(curve[begin:end] - level, rate, frame_shift)
    seconds = (at[first + 1 : last + 1] - begin) * frame_shift
    fade = _fade(seconds, (end - begin) * frame_shift, fade_in, fade_out)
    full = fade >= min(0.5, fade.max())
    wide = float(np.median(extent[first:last][full] / fade[full]))
    return VibratoFound(start + begin, start + end, rate, wide, fade_in, phase, fade_out)


def sing_vibrato(
    frames: int,
    frame_shift: float,
    rate: float,
    extent: float,
    delay: float,
    fade_in: float,
    fade_out: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Vibrato over a note's vowel as :func:`find_vibrato` describes it, to be added to log F0: (frames,).

    It begins at ``delay`` s, upwards or downwards by chance, and is gone at the last frame; where that is
    below 0 the vowel begins amid the fade-in. No cycle is like the other (``UNREST``), and the last ones
    hurry. Rate in Hz, its mean; extent in cents, fades in seconds.
    """
    time = np.arange(frames) * frame_shift
    knots = np.arange(0, time[-1] + 2 / rate, 1 / rate)
    cycles = (rng.standard_normal(len(knots)).clip(-2, 2) for _ in UNREST)
    pace, swing = (np.exp(s * np.interp(time, knots, c)) for s, c in zip(UNREST.values(), cycles))
    pace = pace * (1 + HURRY * np.clip(1 - (time[-1] - time) / LAST, 0, 1))
    on = time >= delay
    pace = np.where(on, rate * pace / pace[on].mean(), 0.0)
    phase = 2 * np.pi * np.cumsum(pace) * frame_shift + np.pi * rng.integers(2)
    fades = max(fade_in, LEAST_FADE), max(fade_out, LEAST_FADE)
    fade = on * swing * _fade(time - delay, time[-1] - delay, *fades)
    # Of few cycles, one more to the one side than to the other would put the note out of tune.
    centre = np.sum(fade * np.sin(phase)) / max(np.sum(fade), 1e-9)
    return extent / CENTS * fade * (np.sin(phase) - centre)


def _fade(time: np.ndarray, end: float, fade_in: float, fade_out: float) -> np.ndarray:
    """Factors at times since the begin: up evenly, and down again to ``end``; seconds all."""
    up = np.minimum(1, time / fade_in) if fade_in else np.ones(len(time))
    return np.maximum(0, np.minimum(up, (end - time) / fade_out if fade_out else 1))


def _longest(flags: np.ndarray, gap: int) -> tuple[int, int]:
    """First and last+1 index of the longest run of True, breaks up to ``gap`` bridged; 0, 0 where none is."""
    on = np.flatnonzero(flags)
    if not len(on):
        return 0, 0
    runs = np.split(on, np.flatnonzero(np.diff(on) > gap + 1) + 1)
    longest = max(runs, key=lambda run: run[-1] - run[0])
    return int(longest[0]), int(longest[-1]) + 1


def _turns(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in frames (parabolas through three), and values, of peaks and troughs ``LEAST_SWING`` apart."""
    turns, best, sign, low, high = [], 0, 0, 0, 0
    for i, value in enumerate(curve):
        if sign == 0:
            low, high = (i if value < curve[low] else low), (i if value > curve[high] else high)
            if curve[high] - curve[low] >= LEAST_SWING:
                sign, best = (1, high) if high > low else (-1, low)
        elif sign * (value - curve[best]) > 0:
            best = i
        elif sign * (curve[best] - value) >= LEAST_SWING:
            turns.append(best)
            sign, best = -sign, i
    at = np.array(turns, dtype=int)
    before, here, after = curve[at - 1], curve[at], curve[at + 1]
    bend = before - 2 * here + after
    shift = np.where(bend != 0, (before - after) / np.where(bend != 0, 2 * bend, 1), 0).clip(-0.5, 0.5)
    return at + shift, here - (before - after) * shift / 4


def _fit(wave: np.ndarray, rate: float, frame_shift: float) -> tuple[float, float, float, float]:
    """Rate, fade-in and fade-out (s, half of the wave each at most) and phase of the sine nearest to it.

    ``rate`` is that of its turns, which lie nearer together where a wave fades: of a cycle and a half of 5 Hz
    they tell 5.9 Hz.
    """
    time = np.arange(len(wave)) * frame_shift
    tried = np.arange(0, time[-1] / 2, 0.05)

    def nearest(rate: float, fades: list[tuple[float, float]]) -> tuple:
        sines = np.stack([np.sin(2 * np.pi * rate * time), np.cos(2 * np.pi * rate * time)])
        basis = np.stack([_fade(time, time[-1], *fade) for fade in fades])[:, None] * sines
        slope = basis @ wave
        found = np.linalg.solve(basis @ basis.transpose(0, 2, 1), slope[..., None])[..., 0]
        gain = np.sum(slope * found, axis=1)
        best = int(np.argmax(gain))
        return float(gain[best]), rate, *fades[best], *found[best]

    rows = []
    for near in (rate * SLOWER).clip(*RATES):
        fade_in = nearest(near, [(fade, 0.0) for fade in tried])[2]
        rows.append(nearest(near, [(fade_in, fade) for fade in tried]))
    _, rate, fade_in, fade_out, sine, cosine = max(rows)
    return float(rate), float(fade_in), float(fade_out), float(np.arctan2(cosine, sine))
