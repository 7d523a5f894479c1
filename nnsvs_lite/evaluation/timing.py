"""Timing metrics: onsets and durations of phones, and what happens at note centres."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from nnsvs_lite.evaluation.metrics import cents
from nnsvs_lite.io.ctm import Segment


def mae_ms(ref: np.ndarray, est: np.ndarray) -> float:
    """Mean absolute difference in milliseconds of two arrays of seconds; NaN if they are empty.

    Raises:
        ValueError: if shapes differ.
    """
    error = abs_error_ms(ref, est)
    return float(error.mean()) if error.size else float("nan")


def abs_error_ms(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """``1000 |est - ref|``, both in seconds.

    Raises:
        ValueError: if shapes differ.
    """
    ref, est = np.asarray(ref, dtype=np.float64), np.asarray(est, dtype=np.float64)
    if ref.shape != est.shape:
        raise ValueError(f"shapes differ: reference {ref.shape}, estimate {est.shape}")
    # Rounded to 100 ns, the grain of a CTM: 20 ms off must count as within 20 ms.
    return np.round(1000.0 * np.abs(est - ref), 4)


def accuracy_within(ref: np.ndarray, est: np.ndarray, tolerance_ms: float) -> float:
    """Share of values off by at most ``tolerance_ms``; seconds in, NaN if empty.

    20 ms is the usual tolerance of phone boundaries, 50 ms that of note onsets in
    music transcription (MIREX).

    Raises:
        ValueError: if shapes differ.
    """
    error = abs_error_ms(ref, est)
    return float((error <= tolerance_ms).mean()) if error.size else float("nan")


def starts(segments: Sequence[Segment]) -> np.ndarray:
    """Start times, ``(phones,)`` seconds."""
    return np.array([segment.start for segment in segments], dtype=np.float64)


def durations(segments: Sequence[Segment]) -> np.ndarray:
    """Durations, ``(phones,)`` seconds."""
    return np.array([segment.end - segment.start for segment in segments], dtype=np.float64)


def match_sung(
    found: Sequence[Segment], expected: Sequence[str], silences: Container[str], end: float
) -> list[Segment] | None:
    """Times for the phones ``expected``, taken from a performance whose silences may be others.

    Systems differ in where they put a pause or a breath, and data preparation cuts
    and merges them; only sung phones must agree. A silence that is expected fills
    what the sung phones leave; of two in a row the first has it all.

    Args:
        found: phone times of the performance.
        expected: symbols wanted, in order.
        silences: symbols that are not sung.
        end: seconds, where a silence at the end ends.

    Returns:
        As many segments as ``expected``; None where the sung phones differ.
    """
    sung = [phone for phone in found if phone.label not in silences]
    if [phone.label for phone in sung] != [label for label in expected if label not in silences]:
        return None
    matched: list[Segment] = []
    waiting = iter(sung)
    upcoming = next(waiting, None)
    for label in expected:
        if label not in silences:
            matched.append(upcoming)
            upcoming = next(waiting, None)
            continue
        before = matched[-1].end if matched else 0.0
        matched.append(Segment(before, max(before, upcoming.start if upcoming else end), label))
    return matched


def note_centre_cents(
    f0: np.ndarray,
    frame_shift: float,
    spans: np.ndarray,
    pitches: np.ndarray,
    min_seconds: float = 0.2,
) -> np.ndarray:
    """How far each note is from its score pitch, in cents, positive when sharp.

    For each note of at least ``min_seconds``: the median over the voiced frames in
    the middle half of its span of ``1200 log2(f0 / note)``. The median over a
    stretch that long passes over vibrato and glides at the edges. A note without
    one voiced frame there is infinitely off, so that silence is never in tune.

    Args:
        f0: Hz, 0 where unvoiced, frame ``t`` centred at ``t * frame_shift``; ``(frames,)``.
        frame_shift: seconds.
        spans: start and end of each sung note in seconds, ``(notes, 2)``.
        pitches: MIDI numbers, ``(notes,)``.

    Returns:
        ``(notes that are long enough,)``.
    """
    errors = []
    times = np.arange(len(f0)) * frame_shift
    for (start, end), pitch in zip(np.asarray(spans, dtype=np.float64), pitches, strict=True):
        length = end - start
        if length < min_seconds - 1e-6:
            continue
        inside = (times >= start + length / 4) & (times <= end - length / 4) & (f0 > 0)
        note_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
        errors.append(float(np.median(cents(f0[inside], note_hz))) if inside.any() else np.inf)
    return np.array(errors)
