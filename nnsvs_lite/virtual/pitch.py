"""F0 of a singing voice over the notes of a score.

After Saitou et al. 2007, "Speech-to-singing synthesis: converting speaking voices to singing voices by
controlling acoustic features unique to singing voices" (WASPAA): the notes' steps pass through second-order
systems that give overshoot after a change and preparation before it; vibrato of about 5.5 Hz is added. All is
done in cents. Their fine fluctuation is ``style.jitter``; ``style.flutter``, a slow drift, is a departure.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, sosfilt

from nnsvs_lite.score.types import Phone, Score
from nnsvs_lite.virtual.style import FRAME, SingingStyle

# Natural frequency in rad/s and damping of the second-order systems.
OVERSHOOT = (34.8, 0.5422)
PREPARATION = (29.2, 0.6681)
_FLUTTER_HZ = 10.0


def step_response(time: np.ndarray, omega: float, zeta: float) -> np.ndarray:
    """Unit step response of ``omega^2 / (s^2 + 2 zeta omega s + omega^2)``; 0 before time 0.

    With :data:`OVERSHOOT` it rises to 1.132 at 107 ms, with :data:`PREPARATION` to 1.060 at 145 ms.
    ``time`` is in seconds, of any shape, ``omega`` in rad/s, the damping ``zeta`` above 0 and at most 1.
    """
    t = np.maximum(time, 0.0)
    if zeta >= 1.0:
        return 1.0 - np.exp(-omega * t) * (1.0 + omega * t)
    damped = omega * np.sqrt(1.0 - zeta**2)
    wave = np.cos(damped * t) + zeta / np.sqrt(1.0 - zeta**2) * np.sin(damped * t)
    return 1.0 - np.exp(-zeta * omega * t) * wave


def _change(time: np.ndarray, step: float, style: SingingStyle) -> np.ndarray:
    """What a change by ``step`` cents at time 0 adds; at most ``large_interval`` cents swing over."""
    swinging = float(np.clip(step, -style.large_interval, style.large_interval))
    swing = style.overshoot * step_response(time, *OVERSHOOT)
    swing += (1.0 - style.overshoot) * step_response(time, OVERSHOOT[0], 1.0)
    before = np.maximum(step_response(-time, *PREPARATION) - 1.0, 0.0)
    plain = (step - swinging) * step_response(time, OVERSHOOT[0], 1.0)
    return swinging * swing + plain - style.preparation * swinging * before


def f0_curve(
    score: Score, phones: Sequence[Phone], style: SingingStyle, rng: np.random.Generator
) -> np.ndarray:
    """F0 of a performance with these phone times, through unvoiced phones and rests as well.

    Returns (frames,) Hz, one value each 5 ms from time 0.
    """
    frames = round(phones[-1].end / FRAME)
    time = np.arange(frames) * FRAME
    sung = [i for i, note in enumerate(score.notes) if not note.is_rest]
    if not sung:
        return np.full(frames, 220.0)
    spans = _spans(phones)
    curve = np.full(frames, 100.0 * score.notes[sung[0]].pitch)
    previous: int | None = None
    for i in sung:
        first, vowel, last = spans[i]
        after_rest = i == 0 or score.notes[i - 1].is_rest
        # The voice moves while the consonant sounds, and has most of the way behind
        # it when the vowel begins.
        moment = vowel - min(0.6 * (vowel - first), 0.06)
        if previous is not None:
            step = 100.0 * (score.notes[i].pitch - score.notes[previous].pitch)
            if after_rest:
                curve += step * step_response(time - moment + 0.15, 25.0, 1.0)
            elif step:
                curve += _change(time - moment, step, style)
        if after_rest:
            since = np.maximum(time - moment, 0.0)
            curve -= style.scoop * np.exp(-since / 0.04) * (time > moment - 0.1) * (time <= last)
        if i + 1 == len(score.notes) or score.notes[i + 1].is_rest:
            curve -= style.fall * np.exp(-np.abs(last - time) / 0.04) * (time > vowel)
        curve += _vibrato(time, vowel, last, style, rng.standard_normal(2))
        previous = i
    curve += _flutter(frames, style, rng)
    f0 = 440.0 * 2.0 ** ((curve - 6900.0) / 1200.0)
    return f0 + jitter(frames, style.jitter, rng) if style.jitter else f0


def _spans(phones: Sequence[Phone]) -> dict[int, tuple[float, float, float]]:
    """For each note where it starts, where its first vowel starts, and where it ends."""
    spans: dict[int, tuple[float, float, float]] = {}
    for _, group in itertools.groupby(phones, key=lambda phone: phone.note):
        mine = list(group)
        vowel = next((p for p in mine if p.symbol in "aiueoN"), mine[0])
        spans[vowel.note] = (mine[0].start, vowel.start, mine[-1].end)
    return spans


def _vibrato(
    time: np.ndarray, start: float, end: float, style: SingingStyle, noise: np.ndarray
) -> np.ndarray:
    """Vibrato of one note; none on short ones. Deeper on longer notes, up to 1.5 s."""
    length = end - start
    if length < style.vibrato_shortest:
        return np.zeros_like(time)
    rate = style.vibrato_rate + style.vibrato_rate_sigma * np.clip(noise[0], -2.5, 2.5)
    depth = style.vibrato_depth * (0.6 + 0.4 * min(length / 1.5, 1.0))
    depth *= np.exp(0.1 * np.clip(noise[1], -2.5, 2.5))
    since = time - start - style.vibrato_onset
    fade_in = np.clip(since / style.vibrato_fade, 0.0, 1.0)
    fade_out = np.clip((end - time) / 0.08, 0.0, 1.0)
    return depth * fade_in * fade_out * np.sin(2 * np.pi * rate * since)


def _flutter(frames: int, style: SingingStyle, rng: np.random.Generator) -> np.ndarray:
    """Slow drift, not of Saitou et al.: noise below 10 Hz, with a standard deviation in cents."""
    settle = 200
    sections = butter(2, _FLUTTER_HZ, fs=1 / FRAME, output="sos")
    noise = sosfilt(sections, rng.standard_normal(frames + settle))[settle:]
    gain = np.sqrt(_FLUTTER_HZ * np.pi / 2 / np.sqrt(2) * 2 * FRAME)
    return style.flutter * noise / gain


def jitter(frames: int, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Fine fluctuation as published: white noise through a high-pass of the first order at 10 Hz.

    The order is as re-implementations have it; the paper was not at hand.

    Returns (frames,) Hz, scaled to an excursion of ``largest``, in the paper 5 Hz.
    """
    sections = butter(1, _FLUTTER_HZ, "highpass", fs=1 / FRAME, output="sos")
    noise = sosfilt(sections, rng.standard_normal(frames))
    return largest * noise / np.abs(noise).max(initial=1e-9)
