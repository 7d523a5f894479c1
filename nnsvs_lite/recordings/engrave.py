"""Notes as they were sung, written for people: a tempo, bars and a key found for them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from nnsvs_lite.features.notes import key_of
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Note, Score

SLOWEST, FASTEST = 50.0, 180.0
"""Quarter notes a minute that are looked for."""
_USUAL, _WIDTH, _TRUST = 100.0, 0.45, 0.08
"""The tempo that is the likeliest, the spread of its logarithm, and how much this counts."""
_LEVELS = {1: 0.35, 2: 0.4, 4: 0.25}
"""What notes on quarters, eighths and sixteenths count; positions are rounded to the last."""
_SAME = 0.05
"""Seconds over all that a whole number may differ from the tempo found."""
_GRID = 4
_BAR = 4


def find_tempo(onsets: Sequence[float], weights: Sequence[float] | None = None) -> tuple[float, float]:
    """Quarter notes a minute, and the time of a beat in seconds (0 to a beat's length).

    The tempo whose beats and parts of beats the onsets lie on: the mean of their directions on the
    circle of a quarter, an eighth and a sixteenth (a Rayleigh test of each), and what is usual.

    Args:
        onsets: seconds. weights: of each; all alike where None.
    """
    times = np.asarray(onsets, float)
    weight = np.ones(len(times)) if weights is None else np.asarray(weights, float)
    if len(times) < 2:
        return _USUAL, float(times[0]) if len(times) else 0.0
    weight = weight / weight.sum()
    # So fine that the last note moves by less than a tenth of a sixteenth from one to the next.
    step = 0.1 / _GRID / max((times[-1] - times[0]) * FASTEST / 60, 8.0)
    tempi = np.exp(np.arange(np.log(SLOWEST), np.log(FASTEST), step))
    best, found = -np.inf, _USUAL
    for block in np.array_split(tempi, max(len(tempi) // 512, 1)):
        beats = (times - times[0]) * block[:, None] / 60
        score = -_TRUST * (np.log(block / _USUAL) / _WIDTH) ** 2
        for parts, worth in _LEVELS.items():
            score = score + worth * np.abs(np.exp(2j * np.pi * parts * beats) @ weight)
        if score.max() > best:
            best, found = float(score.max()), float(block[score.argmax()])
    whole = round(found)
    plain = abs(whole / found - 1) * (times[-1] - times[0]) < _SAME
    found = float(whole) if plain else round(found, 2)
    return found, _phase(times, weight, found)


def _phase(times: np.ndarray, weight: np.ndarray, tempo: float) -> float:
    """The time of a beat: of the sixteenths that notes lie on, that with the most on quarters and eighths."""
    beat = 60 / tempo
    turns = times / beat
    fine = np.angle(np.exp(2j * np.pi * _GRID * turns) @ weight) / (2 * np.pi * _GRID)
    choices = fine + np.arange(_GRID) / _GRID
    on = [sum(np.cos(2 * np.pi * parts * (turns - at)) @ weight for parts in (1, 2)) for at in choices]
    return float(choices[int(np.argmax(on))] % 1.0 * beat)


def engrave(score: Score, tempo: float | None = None, key: int | None = None) -> Score:
    """A score whose times are as sung, on a grid of sixteenths at one tempo, in bars of four quarters.

    Each time is rounded by itself, so that notes stay where they are sung, however free the singing is. The
    first rest takes up the beginning of the recording.

    Args:
        tempo: quarter notes a minute, found where None. key: sharps, flats negative; likewise.

    Raises DataError where nothing is sung, or for a tempo that is out of 20..400.
    """
    sung = [note for note in score.notes if not note.is_rest]
    if not sung:
        raise DataError("nothing is sung in it")
    if tempo is not None and not 20 <= tempo <= 400:
        raise DataError(f"a tempo of {tempo:g} is out of 20..400")
    onsets, lengths = [note.start for note in sung], [note.duration for note in sung]
    found, phase = find_tempo(onsets, np.sqrt(lengths))
    if tempo is None:
        tempo = found
    else:
        phase = _phase(np.asarray(onsets), np.sqrt(lengths) / np.sqrt(lengths).sum(), tempo)
    key = key_of([note.pitch for note in sung], lengths) if key is None else key
    quarters = (np.array([note.start for note in score.notes] + [score.duration]) - phase) * tempo / 60
    origin = _bar_line(quarters, score.notes)
    steps = np.round((quarters - origin) * _GRID).astype(int)
    notes = list(score.notes)
    if notes[0].is_rest:
        steps[0] = 0
    elif steps[0] > 0:
        notes.insert(0, dataclasses.replace(notes[0], pitch=0, lyric="", phones=("pau",), slur=False))
        steps = np.insert(steps, 0, 0)
    # No note is lost: what would have no length pushes the next one on.
    for k in range(1, len(steps)):
        steps[k] = max(steps[k], steps[k - 1] + 1)
    timeline = Timeline(((0.0, tempo),), keys=((0.0, key),))
    placed = (_on_grid(note, *span, timeline) for note, *span in zip(notes, steps, steps[1:]))
    return Score(tuple(placed), score.lang, score.title, timeline)


def _bar_line(quarters: np.ndarray, notes: Sequence[Note]) -> int:
    """The last bar line before the recording begins; ``quarters``: of each note, from a beat to its start.

    Bars are counted from the beats on which the longest notes begin.
    """
    weight = np.zeros(_BAR)
    for at, note in zip(quarters, notes):
        if not note.is_rest and abs(at - round(at)) < 0.5 / _GRID:
            weight[round(at) % _BAR] += np.sqrt(note.duration)
    first = int(weight.argmax())
    return first + _BAR * int(np.floor((min(quarters[0], 0.0) - first) / _BAR))


def _on_grid(note: Note, start: int, end: int, timeline: Timeline) -> Note:
    """A note from one step of the grid to another."""
    at, length = start / _GRID, (end - start) / _GRID
    number, beat, bar = timeline.bar(at)
    times = {"start": round(timeline.seconds(at), 7), "end": round(timeline.seconds(at + length), 7)}
    place = {"measure": number, "beat": float(beat), "measure_beats": float(bar), "beats": length}
    return dataclasses.replace(note, tempo=timeline.tempo(at), key=timeline.key(at), **times, **place)
