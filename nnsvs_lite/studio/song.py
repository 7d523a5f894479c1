"""The song as the page edits it: notes by their place in beats, with tempo, bars and keys beside them.

A :class:`~nnsvs_lite.score.types.Score` says times in seconds and has rests as notes; here a note stands
at a beat, what is between notes is silent, and a change of tempo moves everything after it.
"""

from __future__ import annotations

import bisect
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnsvs_lite.io.errors import DataError

MAX_NOTES = 5000
MAX_BEATS = 20_000.0
MIN_BEATS = 1 / 64
MIN_PITCH, MAX_PITCH = 24, 108
MIN_TEMPO, MAX_TEMPO = 10.0, 1000.0
NEAR = 1e-4
"""Beats closer than this are the same."""


@dataclass(frozen=True)
class SongNote:
    """A sung note, or a breath.

    Attributes:
        at: quarter notes from the song's beginning. beats: length in quarter notes.
        pitch: MIDI number; 0 for a breath.
        lyric: empty where the syllable before goes on.
        breath: whether a breath mark follows.
        velocity: dynamics, 0..1.
        phones: where the score file gave them; empty if the lyric decides.
    """

    at: float
    beats: float
    pitch: int
    lyric: str = ""
    breath: bool = False
    velocity: float = 0.5
    phones: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        return self.at + self.beats


@dataclass(frozen=True)
class Song:
    """What the page edits.

    Attributes:
        notes: by place, not overlapping.
        tempi: (beat, quarter notes a minute), the first at 0.
        bars: (beat, number of the bar there, quarter notes in it and in those that follow, how far into
            the bar the beat is), the first at 0; another wherever counting on would be wrong.
        keys: (beat, sharps; flats negative), the first at 0.
        length: quarter notes, with the silence at the end.
    """

    notes: tuple[SongNote, ...]
    tempi: tuple[tuple[float, float], ...] = ((0.0, 100.0),)
    bars: tuple[tuple[float, int, float, float], ...] = ((0.0, 1, 4.0, 0.0),)
    keys: tuple[tuple[float, int], ...] = ((0.0, 0),)
    length: float = 0.0
    lang: str = "ja"
    title: str = ""

    def seconds(self, at: float) -> float:
        """Time of a beat from the song's beginning."""
        total = 0.0
        for i, (start, tempo) in enumerate(self.tempi):
            end = self.tempi[i + 1][0] if i + 1 < len(self.tempi) else math.inf
            total += max(min(at, end) - start, 0.0) * 60.0 / tempo
        return total

    def tempo(self, at: float) -> float:
        """Quarter notes a minute at a beat."""
        return self.tempi[_last(self.tempi, at)][1]

    def key(self, at: float) -> int:
        """Sharps at a beat."""
        return self.keys[_last(self.keys, at)][1]

    def bar(self, at: float) -> tuple[int, float, float]:
        """The number of the bar at a beat, the place in it, and its length."""
        start, number, beats, into = self.bars[_last(self.bars, at)]
        beat = max(0.0, at - start) + into
        passed = math.floor((beat + NEAR) / beats)
        return number + passed, max(0.0, beat - passed * beats), beats

    def place(self, at: float) -> str:
        """Where a beat stands, for messages."""
        number, beat, _ = self.bar(at)
        return f"measure {number}, beat {round(beat, 3) + 1:g}"

    def to_json(self) -> dict[str, Any]:
        """The form that the page knows, see ``docs/studio.md``."""
        notes = []
        for note in self.notes:
            row: dict[str, Any] = {
                "at": note.at,
                "beats": note.beats,
                "pitch": note.pitch,
                "lyric": note.lyric,
            }
            if note.breath:
                row["breath"] = True
            if note.velocity != 0.5:
                row["velocity"] = note.velocity
            if note.phones:
                row["phones"] = list(note.phones)
            notes.append(row)
        return {
            "title": self.title,
            "lang": self.lang,
            "length": self.length,
            "tempi": [list(row) for row in self.tempi],
            "bars": [list(row) for row in self.bars],
            "keys": [list(row) for row in self.keys],
            "notes": notes,
        }

    @staticmethod
    def from_json(value: Any) -> Song:
        """Reads what the page sent, which may be anything.

        Raises:
            DataError: where a field is missing, of the wrong kind or out of range, or notes overlap.
        """
        row = _mapping(value, "the song")
        notes = [_note(item, f"note {i}") for i, item in enumerate(_rows(row, "notes", MAX_NOTES), 1)]
        notes.sort(key=lambda note: note.at)
        tempi = [
            (_number(at, "beat of a tempo", 0, MAX_BEATS), _number(bpm, "tempo", MIN_TEMPO, MAX_TEMPO))
            for at, bpm in _tuples(row, "tempi", 2)
        ]
        bars = [
            (
                _number(at, "beat of a bar", 0, MAX_BEATS),
                _whole(number, "number of a bar", -100_000, 100_000),
                _number(beats, "length of a bar", 0.25, 64),
                _number(into, "place in a bar", 0, 64),
            )
            for at, number, beats, into in _tuples(row, "bars", 4)
        ]
        keys = [
            (_number(at, "beat of a key", 0, MAX_BEATS), _whole(fifths, "key", -7, 7))
            for at, fifths in _tuples(row, "keys", 2)
        ]
        for name, places in (("tempi", tempi), ("bars", bars), ("keys", keys)):
            at = [place[0] for place in places]
            if at[0] != 0 or at != sorted(at):
                raise DataError(f"the song: its {name} must stand in order, the first at beat 0")
        song = Song(
            tuple(notes),
            tuple(tempi),
            tuple(bars),
            tuple(keys),
            _number(row.get("length", 0.0), "the song's length", 0, MAX_BEATS),
            _text(row.get("lang", "ja"), "language", 20),
            _text(row.get("title", ""), "title", 200),
        )
        for before, after in zip(song.notes, song.notes[1:]):
            if before.end > after.at + NEAR:
                raise DataError(
                    f"{song.place(after.at)}: two notes overlap; one voice sings one note at a time"
                )
        return song


def _last(rows: Sequence[tuple[Any, ...]], at: float) -> int:
    """Index of the row in force at a beat."""
    return max(bisect.bisect_right(rows, at + NEAR, key=lambda row: row[0]) - 1, 0)


def _note(value: Any, where: str) -> SongNote:
    row = _mapping(value, where)
    if unknown := sorted(set(row) - {"at", "beats", "pitch", "lyric", "breath", "velocity", "phones"}):
        raise DataError(f"{where}: unknown field {unknown[0][:40]!r}")
    pitch = _whole(row.get("pitch"), f"{where}: pitch", 0, MAX_PITCH)
    if 0 < pitch < MIN_PITCH:
        raise DataError(f"{where}: pitch {pitch} is out of {MIN_PITCH}..{MAX_PITCH}")
    phones = row.get("phones", [])
    if not isinstance(phones, list) or len(phones) > 20:
        raise DataError(f"{where}: phones must be a list of at most 20")
    return SongNote(
        _number(row.get("at"), f"{where}: at", 0, MAX_BEATS),
        _number(row.get("beats"), f"{where}: beats", MIN_BEATS, MAX_BEATS),
        pitch,
        _text(row.get("lyric", ""), f"{where}: lyric", 100),
        bool(row.get("breath", False)),
        _number(row.get("velocity", 0.5), f"{where}: velocity", 0, 1),
        tuple(_text(phone, f"{where}: phone", 20) for phone in phones),
    )


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{what} must be a JSON object")
    return value


def _rows(row: Mapping[str, Any], name: str, most: int) -> list[Any]:
    value = row.get(name)
    if not isinstance(value, list):
        raise DataError(f"the song: {name} must be a list")
    if len(value) > most:
        raise DataError(f"the song has {len(value)} {name}; at most {most} can be sung at once")
    return value


def _tuples(row: Mapping[str, Any], name: str, size: int) -> list[Any]:
    rows = _rows(row, name, MAX_NOTES)
    if not rows or any(not isinstance(item, list) or len(item) != size for item in rows):
        raise DataError(f"the song: {name} must be a list of lists of {size}, not empty")
    return rows


def _number(value: Any, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise DataError(f"{what} must be a number in {low:g}..{high:g}")
    return float(value)


def _whole(value: Any, what: str, low: int, high: int) -> int:
    number = _number(value, what, low, high)
    if number != int(number):
        raise DataError(f"{what} must be a whole number")
    return int(number)


def _text(value: Any, what: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise DataError(f"{what} must be text of at most {most} characters")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Cn") for letter in value):
        raise DataError(f"{what} holds a control character")
    return value
