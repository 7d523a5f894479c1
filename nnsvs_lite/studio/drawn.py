"""What is drawn and set on the page: curves over the song and what single notes keep, as a voice is told it.

A curve is a list of runs ``[cell, [value, ...]]``; a cell is 1/48 of a quarter note, so that curves stay with
the music when the tempo changes. Pitch is in semitones (MIDI numbers) as written, what is not drawn is the
voice's own; the other curves are differences from what the voice would sing, 0 where nothing is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.drawn import STEP, Drawn, positions, times
from nnsvs_lite.score.song import MAX_BEATS, Song
from nnsvs_lite.score.timeline import checked_list, checked_number, checked_whole
from nnsvs_lite.score.types import Score
from nnsvs_lite.synthesis.byhand import ByHand, NoteVibrato, PhoneStart

CELLS = 48
"""Of a quarter note."""
LANES = {
    "loudness": {"most": 18, "unit": "dB", "label": "Loudness"},
    "breathiness": {"most": 18, "unit": "dB", "label": "Breathiness"},
    "tension": {"most": 12, "unit": "dB", "label": "Tension"},
    "gender": {"most": 5, "unit": "semitones of the formants", "label": "Gender"},
}
VARIANCE = ("loudness", "breathiness", "tension")
MAX_STARTS = 20
MAX_TAKE = 2**31 - 1
MAX_CHANCE = 100_000
_RANGES = {"pitch": (12.0, 120.0), **{name: (-lane["most"], lane["most"]) for name, lane in LANES.items()}}
_NOTE = {"chance", "take", "vibrato", "starts"}


@dataclass(frozen=True)
class PageMarks:
    """Curves by name, (cells,) each from the song's beginning, NaN where nothing is drawn; and of each note
    of a song, by index, its number in chance, its take's seed, its vibrato, and times of its phones.
    """

    curves: dict[str, np.ndarray]
    chance: dict[int, int]
    takes: dict[int, int]
    vibrati: dict[int, NoteVibrato]
    starts: tuple[PhoneStart, ...]

    @staticmethod
    def from_json(value: Any, notes: int) -> PageMarks:
        """Reads what the page sent for a song of so many notes; raises DataError."""
        if not isinstance(value, dict) or set(value) - {"curves", "notes"}:
            raise DataError("what is drawn must be a JSON object of curves and notes")
        given = value.get("curves", {})
        if not isinstance(given, dict) or set(given) - set(_RANGES):
            raise DataError(f"curves must be a JSON object of {', '.join(_RANGES)}")
        curves = {name: _curve(given, name) for name in given if given[name]}
        rows = checked_list(value, "notes", "what is drawn", notes) if "notes" in value else []
        chance, takes, vibrati, starts = {}, {}, {}, []
        for i, row in enumerate(rows):
            where = f"note {i + 1}"
            if not isinstance(row, dict) or set(row) - _NOTE:
                raise DataError(f"{where}: of a note {', '.join(sorted(_NOTE))} can be set")
            if "chance" in row:
                chance[i] = checked_whole(row["chance"], f"{where}: its number", 0, MAX_CHANCE)
            if row.get("take"):
                takes[i] = checked_whole(row["take"], f"{where}: take", 1, MAX_TAKE)
            if "vibrato" in row:
                vibrati[i] = _vibrato(row["vibrato"], where)
            if "starts" in row:
                starts += [_start(item, i, where) for item in checked_list(row, "starts", where, MAX_STARTS)]
        return PageMarks(curves, chance, takes, vibrati, tuple(starts))

    def options(
        self, song: Song, score: Score, places: list[int], frame_shift: float, tempo: float, transpose: int
    ) -> dict[str, Any]:
        """Options of ``Singer.plan``; ``places`` are indices of the song's notes in its score."""
        frames = max(round(score.duration / tempo / frame_shift), 1)
        beats = positions(song.timeline, np.arange(frames) * frame_shift * tempo)
        curves, formants = {}, None
        for name, cells in self.curves.items():
            if name == "pitch":
                pitch = _pitch(beats, cells) + transpose
                hertz = 440 * 2 ** ((pitch - 69) / 12)
                curves["f0"] = np.where(np.isnan(pitch), 0, np.clip(hertz, 20, 5000))
                continue
            laid = _lane(beats, cells)
            if name == "gender":
                formants = 2 ** (laid / 12)
            else:
                curves[f"{name}_change"] = laid
        # Takes in the order of their seeds, so that it does not matter in which order they were asked for.
        seeds = sorted(set(self.takes.values()))
        retake = [([places[i] for i, take in self.takes.items() if take == seed], seed) for seed in seeds]
        starts = tuple(start._replace(note=places[start.note]) for start in self.starts)
        vibrati = {places[i]: vibrato for i, vibrato in self.vibrati.items()}
        options: dict[str, Any] = {"by_hand": ByHand(starts, vibrati, formants), "retake": retake}
        options["numbers"] = self.numbers(score, places)
        return options | ({"curves": curves} if curves else {})

    def over(self, song: Song, score: Score) -> Drawn | None:
        """The curves as files of other editors hold them, over the score as it is written."""
        frames = int(np.ceil(score.duration / STEP)) + 1
        beats = positions(song.timeline, np.arange(frames) * STEP)
        laid = {name: _lane(beats, cells) for name, cells in self.curves.items() if name in VARIANCE}
        changes = {f"{name}_change": values for name, values in laid.items() if values.any()}
        pitch = _pitch(beats, self.curves["pitch"]) if "pitch" in self.curves else None
        return Drawn(pitch, changes) if pitch is not None or changes else None

    def numbers(self, score: Score, places: list[int]) -> list[int]:
        """A number in chance for each note of the score: its index, until notes come or go; then those that
        were there keep theirs, new ones take the next, and a rest stands before the note that follows it.
        """
        if not self.chance:
            return list(range(len(score.notes)))
        free = max(self.chance.values()) + 2
        numbers = [-1] * len(score.notes)
        for i, place in enumerate(places):
            if i not in self.chance:
                free += 2
            numbers[place] = self.chance.get(i, free)
        for place in range(len(numbers) - 1, -1, -1):
            if numbers[place] < 0:
                after = numbers[place + 1] if place + 1 < len(numbers) else max(numbers[place - 1] + 2, 1)
                numbers[place] = max(after - 1, 0)
        return numbers


def _curve(given: dict[str, Any], name: str) -> np.ndarray:
    low, high = _RANGES[name]
    runs = checked_list(given, name, "what is drawn", int(MAX_BEATS))
    filled, at = [], 0
    for run in runs:
        if not isinstance(run, list) or len(run) != 2 or not isinstance(run[1], list):
            raise DataError(f"{name}: a run must be a cell and a list of values")
        first = checked_whole(run[0], f"{name}: a cell", at, int(MAX_BEATS) * CELLS)
        if first + len(run[1]) > MAX_BEATS * CELLS:
            raise DataError(f"{name}: it is drawn past the longest song")
        values = [checked_number(value, f"{name}: a value", low, high) for value in run[1]]
        filled += [np.full(first - at, np.nan), np.array(values, np.float64)]
        at = first + len(values)
    return np.concatenate([np.zeros(0), *filled, [np.nan]])


def _vibrato(value: Any, where: str) -> NoteVibrato:
    if not isinstance(value, dict) or set(value) != set(NoteVibrato._fields):
        raise DataError(f"{where}: a vibrato has {', '.join(NoteVibrato._fields)}")
    ranges = {"depth": (0, 200), "rate": (4, 8), "begin": (0, 1)}
    rows = {name: checked_number(value[name], f"{where}: {name}", *ranges[name]) for name in ranges}
    return NoteVibrato(**rows)


def _start(value: Any, note: int, where: str) -> PhoneStart:
    if not isinstance(value, list) or len(value) != 2:
        raise DataError(f"{where}: a start is a phone's number in its note, and seconds")
    phone = checked_whole(value[0], f"{where}: phone", 0, MAX_STARTS)
    return PhoneStart(note, phone, checked_number(value[1], f"{where}: a start", -60, 600))


def _lane(beats: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(T,) values at positions; 0 where nothing is drawn."""
    return np.interp(beats * CELLS, np.arange(len(cells)), np.nan_to_num(cells), right=0.0)


def _pitch(beats: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(T,) semitones at positions; NaN where the nearest cell is not drawn."""
    place = (beats * CELLS).clip(0, len(cells) - 1)
    low, high = cells[np.floor(place).astype(int)], cells[np.ceil(place).astype(int)]
    between = low + (place - np.floor(place)) * (high - low)
    nearest = cells[np.round(place).astype(int)]
    return np.where(np.isnan(between), nearest, between)


def page_curves(score: Score) -> dict[str, list[list[Any]]]:
    """Runs of the curves that a score's file has; what the page has no curve for is left out."""
    if score.drawn is None or score.timeline is None:
        return {}
    cells = np.arange(int(np.ceil(float(score.timeline.position(score.duration)) * CELLS)))
    place = times(score.timeline, cells / CELLS) / STEP
    found = {}
    if score.drawn.pitch is not None:
        pitch = score.drawn.pitch
        found["pitch"] = pitch[np.round(place).astype(int).clip(0, len(pitch) - 1)]
    for name in VARIANCE:
        curve = score.drawn.curves.get(f"{name}_change")
        if curve is not None:
            laid = np.interp(place, np.arange(len(curve)), curve)
            found[name] = np.where(laid == 0, np.nan, laid)
    return {name: _runs(value.clip(*_RANGES[name])) for name, value in found.items()}


def _runs(values: np.ndarray) -> list[list[Any]]:
    drawn = np.concatenate([[False], ~np.isnan(values), [False]])
    edges = np.flatnonzero(np.diff(drawn))
    return [[int(a), np.round(values[a:b], 3).tolist()] for a, b in zip(edges[::2], edges[1::2])]
