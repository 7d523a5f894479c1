"""The timing algebra between a score and a performance, for training and for singing.

The *time lag* of a note is the sung start of its first phone minus the note's start in the score, in frames;
a real number, as score times need not lie on the frame grid. Lags move boundaries: with lengths ``L`` and
lags ``g`` the sung length is ``L[n] - (g[n] - g[n+1])`` (Hono et al., "Sinsy", 2021). Time ``s`` is the frame
``round(s / frame_shift)``, the first one of the phone that begins there; frame ``t`` is centred at its time.
"""

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Score

MAX_LAG = 0.1
"""Largest time lag of a sung note, seconds; NNSVS trains within -20..19 frames of 5 ms."""

MAX_LAG_REST = 0.2
"""Largest time lag of a rest, seconds; NNSVS: -40..39 frames of 5 ms."""

LEAST_SUNG = 2 / 3
"""Part of a note's length in the score that lags leave it at least."""

LEAST_VOWEL = 0.5
"""Part of a note's length in the score that its vowels get at least, in singing; consonants give way."""


def _spread(boundaries: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Moves whole-frame boundaries so that interval k has at least ``gaps[k]``; the last stays if it fits."""
    b = boundaries.astype(np.int64).copy()
    for k in range(len(gaps)):
        b[k + 1] = max(b[k + 1], b[k] + gaps[k])
    end = max(int(boundaries[-1]), int(b[0] + gaps.sum()))
    b[-1] = end
    for k in range(len(gaps) - 1, 0, -1):
        b[k] = min(b[k], b[k + 1] - gaps[k])
    return b


def frame_boundaries(labels: Sequence[Segment], frame_shift: float) -> np.ndarray:
    """Frames at which phones begin, and the last one's end: int64 (phones + 1), from 0, strictly increasing.

    ``labels`` are contiguous, in seconds from 0; a phone shorter than a frame takes one from its neighbours.
    """
    times = np.array([0.0] + [s.end for s in labels])
    return _spread(np.round(times / frame_shift), np.ones(len(labels), np.int64))


def phone_durations(labels: Sequence[Segment], frame_shift: float) -> np.ndarray:
    """Phone durations in whole frames, at least 1; int64 (phones)."""
    return np.diff(frame_boundaries(labels, frame_shift))


def find_difference(
    score: Score, labels: Sequence[Segment], aliases: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, str] | None:
    """Where labels first differ from the score's phones: index of the label, and what is wrong; or None.

    ``aliases`` are names of labels that may also stand for another phone of the score.
    """
    written = [(phone, note) for note in score.notes for phone in note.phones]
    for k, (label, (phone, note)) in enumerate(zip(labels, written)):
        if phone not in (label.label, aliases.get(label.label)):
            around = " ".join(s.label for s in labels[max(k - 3, 0) : k + 4])
            return k, (
                f"phone {k + 1} is {label.label!r} in the labels ({label.start:.3f} s, ... {around} ...)"
                f" and {phone!r} in the score ({note.place}, {note.start:.3f} s)"
            )
    if len(labels) == len(written):
        return None
    if len(labels) > len(written):
        k = len(written)
        more = f"the labels go on with {labels[k].label!r} at {labels[k].start:.3f} s"
    else:
        k = len(labels) - 1
        phone, note = written[k + 1]
        more = f"the score goes on with {phone!r} in {note.place}"
    return k, f"{len(labels)} phones in the labels, {len(written)} in the score: {more}"


def check_agreement(score: Score, labels: Sequence[Segment], where: str | os.PathLike) -> None:
    """Raises a DataError that names the first difference of labels and score (:func:`find_difference`)."""
    found = find_difference(score, labels)
    if found is not None:
        raise DataError(found[1], where)


def first_phones(note_index: Sequence[int] | np.ndarray, n_notes: int) -> np.ndarray:
    """Index of each note's first phone, int64 (notes); every note must have one."""
    return np.searchsorted(np.asarray(note_index), np.arange(n_notes))


def time_lags(score: Score, labels: Sequence[Segment], frame_shift: float) -> np.ndarray:
    """The time lag of every note in frames, float64 (notes), the first 0; the labels agree with the score."""
    starts = np.array([note.start for note in score.notes]) / frame_shift
    sung = frame_boundaries(labels, frame_shift)[first_phones(score.note_index, len(score.notes))]
    lags = sung - starts
    lags[0] = 0.0
    return lags


def clip_lags(lags: np.ndarray, is_rest: np.ndarray, frame_shift: float) -> np.ndarray:
    """Limits lags (notes, frames) to :data:`MAX_LAG`, for rests :data:`MAX_LAG_REST`."""
    limit = np.where(is_rest, MAX_LAG_REST, MAX_LAG) / frame_shift
    return np.clip(lags, -limit, limit)


def least_lengths(note_time: np.ndarray, is_rest: np.ndarray, counts: np.ndarray, shift: float) -> np.ndarray:
    """Frames that each note (notes) gets at least: :data:`LEAST_SUNG` of its length, a rest one a phone."""
    lengths = np.diff(note_time, axis=1)[:, 0] / shift
    return np.maximum(counts, np.where(is_rest, 0, lengths * LEAST_SUNG).astype(np.int64))


def sung_boundaries(
    note_time: np.ndarray, lags: np.ndarray, least: np.ndarray, frame_shift: float
) -> np.ndarray:
    """Frames at which notes are sung: score starts plus lags.

    Args:
        note_time: (notes, 2) start and end in the score, seconds, contiguous from 0.
        lags: (notes) frames; the first is taken as 0.
        least: (notes) frames that a note gets at least: one for each of its phones or more.

    Returns int64 (notes + 1): starts, and the end of the last note, which no lag moves.
    """
    starts = note_time[:, 0] / frame_shift + lags
    starts[0] = 0.0
    ends = np.append(starts, note_time[-1, 1] / frame_shift)
    return _spread(np.round(ends), np.asarray(least, np.int64))


def fill(
    mean: np.ndarray,
    variance: np.ndarray | None,
    length: int,
    vowels: np.ndarray | None = None,
    least: float = 0.0,
) -> np.ndarray:
    """Durations of the phones of one note that sum to ``length``.

    With variances, ``rho = (length - sum(mean)) / sum(variance)`` and
    ``d = mean + rho * variance`` (Sinsy 2021, eq. 16-17): phones whose length is
    uncertain, the vowels, take the slack. Where that would give a duration of zero or
    less, and without variances, ``d = length * mean / sum(mean)`` (eq. 12). Vowels that
    would get less than ``least`` frames together take them from the other phones, in proportion.

    Args:
        mean: (phones) expected durations in frames, positive.
        variance: (phones) their variances in frames squared, or None.
        length: whole frames, at least the number of phones.
        vowels: (phones) which of them are vowels. least: frames.

    Returns int64 (phones), each at least 1.
    """
    durations = np.zeros(1)  # none yet
    if variance is not None and variance.sum() > 0:
        durations = mean + (length - mean.sum()) / variance.sum() * variance
    if (durations <= 0).any():
        durations = length * mean / mean.sum()
    others = 0 if vowels is None else np.count_nonzero(~vowels)
    if 0 < others < len(mean) and durations[vowels].sum() < (least := min(least, length - others)):
        wanted = np.where(
            vowels, least / durations[vowels].sum(), (length - least) / durations[~vowels].sum()
        )
        durations = durations * wanted
    bounds = np.concatenate([[0], np.round(np.cumsum(durations))])
    bounds[-1] = length
    return np.diff(_spread(bounds, np.ones(len(mean), np.int64)))


def fill_notes(
    mean: np.ndarray,
    variance: np.ndarray | None,
    note_index: np.ndarray,
    boundaries: np.ndarray,
    vowels: np.ndarray | None = None,
    least: np.ndarray | None = None,
) -> np.ndarray:
    """Phone durations that fill every sung note exactly (:func:`fill` note by note).

    Args:
        mean, variance, vowels: (phones) as there. note_index: (phones) ascending.
        boundaries: (notes + 1) from :func:`sung_boundaries`. least: (notes) as there.

    Returns int64 (phones), summing to ``boundaries[-1]``.
    """
    out = np.zeros(len(mean), np.int64)
    edges = np.searchsorted(note_index, np.arange(len(boundaries)))
    for n, (a, b, length) in enumerate(zip(edges, edges[1:], np.diff(boundaries))):
        spread = None if variance is None else variance[a:b]
        asked = (None, 0.0) if vowels is None or least is None else (vowels[a:b], float(least[n]))
        out[a:b] = fill(mean[a:b], spread, int(length), *asked)
    return out
