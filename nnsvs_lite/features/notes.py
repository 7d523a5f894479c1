"""Notes of a recording from its F0: a small hidden Markov model of silence, attacks and held pitches.

After Ryynänen and Klapuri (2004) and the note model of pYIN and Tony (Mauch et al., 2015): each pitch has a
state in which F0 moves towards it and one in which it is held; between notes is silence. Where syllables are
known, notes begin with them, and elsewhere only on another pitch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STEP = 0.01
"""Seconds between frames of the model."""
_HELD, _FARTHEST = 0.42, 5.0
"""Semitones: deviation of F0 around a held pitch; and the cost of a frame however far it lies."""
_ATTACK, _STRAY, _MOVING = 1.5, 2.5, 0.5
"""The same of an attack, and what each of its frames costs besides."""
_UNVOICED = 1.1
"""The cost of a frame without voice in a note."""
_END, _SETTLE = 1.0, 0.5
"""Costs of silence after a note, and of an attack that becomes a held pitch."""
_USUAL = (4.0, 6.0, 12.0, 0.9)
"""Costs of a note after silence; right after another on another pitch; on the same or the next semitone; and
of a frame with voice in silence."""
_KNOWN = (60.0, 60.0, 60.0, 5.0)
"""The same where syllables are known, few of which are sung on several pitches."""
_ONSET = 7.0
"""What an onset that is heard takes off these; half of it after silence."""
_DEAF = 12.0
"""What it costs to go on through an onset."""
_SHORTEST = 0.06
"""Seconds of a note."""
_PERIOD, _STEADY = 0.17, 0.03
"""Seconds of a vibrato's period; semitones by which a frame of a held pitch differs from the one before."""


class HeardNote(NamedTuple):
    """A note as it was sung: seconds, and its pitch as a MIDI number with its fraction."""

    start: float
    end: float
    pitch: float


def tuning(midi: np.ndarray, step: float = STEP) -> float:
    """How far a singer's semitones lie above concert pitch, -0.5..0.5 semitones.

    The direction of the mean of all frames that hold their pitch on the circle of a semitone, after means
    over the period of a vibrato, whose turning points would pass for held pitches.

    Args:
        midi: (T,) F0 as MIDI numbers every ``step`` seconds, NaN where nothing is sung.
    """
    size = max(round(_PERIOD / step), 1)
    if len(midi) < size:
        return 0.0
    means = np.convolve(midi, np.ones(size) / size, "valid")
    slope = np.abs(np.diff(means, prepend=np.nan))
    held = means[slope < _STEADY * step / STEP]
    return float(np.angle(np.exp(2j * np.pi * held).sum()) / (2 * np.pi)) if len(held) else 0.0


def find_notes(
    midi: np.ndarray,
    onset: np.ndarray | None = None,
    starts: Sequence[int] | None = None,
    tuned: float | None = None,
) -> list[HeardNote]:
    """Notes of a melody; the pitch of each is the median of F0 while it is held.

    Args:
        midi: (T,) F0 as MIDI numbers every :data:`STEP` seconds, NaN where nothing is sung.
        onset: (T,) 0..1, how much a frame sounds as if a note began.
        starts: frames at which syllables begin to sound, where these are known; ``onset`` counts no more.
        tuned: the singer's :func:`tuning`, where more is known of her than this.
    """
    if not np.isfinite(midi).any():
        return []
    heard = np.zeros(len(midi)) if onset is None or starts is not None else np.clip(onset, 0.0, 1.0)
    if starts is not None:
        # Enough for a note to begin whatever is sung.
        # After silence an onset takes off half.
        heard[[t for t in starts if 0 <= t < len(midi)]] = 2 * _KNOWN[0] / _ONSET
    plain = midi - (tuning(midi) if tuned is None else tuned)
    low, high = int(np.floor(np.nanmin(plain))), int(np.ceil(np.nanmax(plain)))
    costly = _USUAL if starts is None else _KNOWN
    path, begins = _path(plain, heard, np.arange(low, high + 1), costly)
    return _notes(path, begins, midi, high - low + 1)


def _path(
    midi: np.ndarray, heard: np.ndarray, pitches: np.ndarray, costly: tuple[float, float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest states (T,), and whether a note begins at each frame (Viterbi).

    State 0 is silence; then come the attacks of all pitches, then the held pitches. ``costly``: as
    :data:`_USUAL`.
    """
    count, index = len(pitches), np.arange(len(pitches))
    silence, attack, held = 0.0, np.full(count, np.inf), np.full(count, np.inf)
    came = np.zeros((len(midi), 2 * count + 1), np.int32)
    fresh = np.zeros((len(midi), count), bool)
    for t, (pitch, off) in enumerate(zip(midi, _ONSET * heard)):
        best = int(held.argmin())
        # The best of the same pitch and its neighbours.
        around = np.pad(held, 1, constant_values=np.inf)
        around = np.stack([around[:-2], around[1:-1], around[2:]])
        near = around.argmin(axis=0)
        ways = np.stack(
            [
                np.full(count, silence + max(costly[0] - off / 2, 0.0)),
                attack,
                np.where(np.abs(index - best) > 1, held[best] + max(costly[1] - off, 1.0), np.inf),
                around[near, index] + max(costly[2] - off, 1.0),
            ]
        )
        way = ways.argmin(axis=0)
        froms = np.stack([0 * index, 1 + index, 0 * index + 1 + count + best, count + index + near])
        came[t, 1 : 1 + count], fresh[t] = froms[way, index], way != 1
        settles = attack + _SETTLE < held + _DEAF * (off / _ONSET)
        came[t, 1 + count :] = np.where(settles, 1 + index, 1 + count + index)
        ends = held[best] + _END
        came[t, 0] = 1 + count + best if ends < silence else 0
        if np.isfinite(pitch):
            away = np.square(pitch - pitches) / 2
            costs = costly[3], np.minimum(away / _ATTACK**2, _STRAY), np.minimum(away / _HELD**2, _FARTHEST)
        else:
            costs = 0.0, _UNVOICED, _UNVOICED
        # Who goes on through an onset has not heard it.
        held = np.minimum(held + _DEAF * (off / _ONSET), attack + _SETTLE) + costs[2]
        attack = ways[way, index] + costs[1] + _MOVING
        silence = min(silence, ends) + costs[0]
    state = 0 if silence <= held.min() + _END else 1 + count + int(held.argmin())
    path, begins = np.zeros(len(midi), int), np.zeros(len(midi), bool)
    for t in range(len(midi) - 1, -1, -1):
        path[t] = state
        begins[t] = 0 < state <= count and fresh[t, state - 1]
        state = came[t, state]
    return path, begins


def _notes(path: np.ndarray, begins: np.ndarray, midi: np.ndarray, count: int) -> list[HeardNote]:
    """The notes of a path of states among ``count`` pitches."""
    notes = []
    edges = [*np.flatnonzero(begins), len(path)]
    for first, after in zip(edges, edges[1:]):
        silent = np.flatnonzero(path[first:after] == 0)
        last = first + silent[0] if len(silent) else after
        sung = first + np.flatnonzero(np.isfinite(midi[first:last]))
        if (last - first) * STEP < _SHORTEST or not len(sung):
            continue
        held = sung[path[sung] > count] if (path[sung] > count).any() else sung
        times = (round(float(t) * STEP, 4) for t in (sung[0], sung[-1] + 1))
        notes.append(HeardNote(*times, round(float(np.median(midi[held])), 3)))
    return notes


_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_SPREAD, _OUTSIDE = 0.35, 1.5
"""Semitones by which a singer misses a note; what a note outside of the key costs beside that."""


def key_of(pitches: Sequence[int], seconds: Sequence[float]) -> int:
    """Key signature of a melody, sharps, flats negative (-5..6).

    That of the major or minor key whose profile of pitch classes correlates best with how long each was sung
    (Krumhansl, 1990; the profiles are those of Krumhansl and Kessler, 1982).
    """
    heard = np.bincount(np.asarray(pitches, int) % 12, np.asarray(seconds, float), 12)
    if not heard.std():
        return 0
    fits = {}
    for profile, relative in ((_MAJOR, 0), (_MINOR, 3)):
        for tonic in range(12):
            fit = np.corrcoef(heard, np.roll(profile, tonic))[0, 1]
            fits[(tonic + relative) % 12] = max(fits.get((tonic + relative) % 12, -1.0), fit)
    # Seven semitones are one step along the circle of fifths.
    return (7 * max(fits, key=fits.__getitem__) + 5) % 12 - 5


def settle(pitches: Sequence[float], seconds: Sequence[float], key: int | None = None) -> list[int]:
    """Whole semitones of notes as they were sung: the nearest, unless the key speaks for its neighbour.

    Args:
        pitches: MIDI numbers. seconds: how long each was sung. key: sharps, flats negative; found where None.
    """
    if not len(pitches):
        return []
    key = key_of([round(pitch) for pitch in pitches], seconds) if key is None else key
    scale = {(step + 7 * key) % 12 for step in _SCALE}

    def cost(pitch: float, whole: int) -> float:
        return (whole - pitch) ** 2 / (2 * _SPREAD**2) + _OUTSIDE * (whole % 12 not in scale)

    below = [int(np.floor(pitch)) for pitch in pitches]
    return [min((low, low + 1), key=lambda whole: cost(p, whole)) for p, low in zip(pitches, below)]
