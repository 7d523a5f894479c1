"""A song as people edit it: notes by their place in beats, with tempo, bars and keys beside them.

A :class:`~nnsvs_lite.score.types.Score` says times in seconds and has rests as notes; here a note stands
at a beat, what is between notes is silent, and a change of tempo moves everything after it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.lyrics import is_breath
from nnsvs_lite.score.timeline import NEAR, Timeline, checked_list, checked_number, checked_whole
from nnsvs_lite.score.types import REST, Score

MAX_NOTES = 5000
MAX_BEATS = 20_000.0
MIN_BEATS = 1 / 64
MIN_PITCH, MAX_PITCH = 24, 108
MIN_TEMPO, MAX_TEMPO = 10.0, 1000.0


class SongNote(NamedTuple):
    """A sung note, or a breath.

    Attributes:
        at: quarter notes from the song's beginning. beats: length in quarter notes.
        pitch: MIDI number; 0 for a breath. lyric: empty where the syllable before goes on.
        breath: whether a breath mark follows. velocity: dynamics, 0..1.
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
        notes: by place, not overlapping. timeline: tempo, bars and keys.
        length: quarter notes, with the silence at the end.
    """

    notes: tuple[SongNote, ...]
    timeline: Timeline = Timeline(tempi=((0.0, 100.0),))
    length: float = 0.0
    lang: str = "ja"
    title: str = ""

    @classmethod
    def of(cls, score: Score) -> Song:
        """A score with its rests left out; breaths stay."""
        notes, at = [], 0.0
        for note in score.notes:
            at = round(at, 6)
            if note.is_rest and ("br" in note.phones or is_breath(note.lyric)):
                notes.append(SongNote(at, note.beats, REST, "br"))
            elif not note.is_rest:
                more = (note.breath, note.velocity, note.phones)
                notes.append(SongNote(at, note.beats, note.pitch, note.lyric, *more))
            at += note.beats
        timeline = score.timeline or Timeline.of_notes(score.notes)
        return cls(tuple(notes), timeline, round(at, 6), score.lang, score.title)

    def to_json(self) -> dict[str, Any]:
        """The form that the page knows, see ``docs/studio.md``."""
        notes = [note._asdict() | {"phones": list(note.phones)} for note in self.notes]
        usual = {"breath": False, "velocity": 0.5, "phones": []}
        notes = [{k: v for k, v in row.items() if k not in usual or v != usual[k]} for row in notes]
        head = {"title": self.title, "lang": self.lang, "length": self.length}
        return {**head, **self.timeline.to_rows(), "notes": notes}

    @staticmethod
    def from_json(value: Any) -> Song:
        """Reads what the page sent, which may be anything.

        Raises DataError where a field is missing, of the wrong kind or out of range, or notes overlap.
        """
        row = _mapping(value, "the song")
        items = checked_list(row, "notes", "the song", MAX_NOTES)
        notes = [_note(item, f"note {i}") for i, item in enumerate(items, 1)]
        notes.sort(key=lambda note: note.at)
        limits = {"most": MAX_NOTES, "end": MAX_BEATS, "tempo": (MIN_TEMPO, MAX_TEMPO), "length": (0.25, 64)}
        timeline = Timeline.from_rows(row, "the song", **limits)
        song = Song(
            tuple(notes),
            timeline,
            checked_number(row.get("length", 0.0), "the song's length", 0, MAX_BEATS),
            _text(row.get("lang", "ja"), "language", 20),
            _text(row.get("title", ""), "title", 200),
        )
        for before, after in zip(song.notes, song.notes[1:]):
            if before.end > after.at + NEAR:
                place = timeline.place(after.at)
                raise DataError(f"{place}: two notes overlap; one voice sings one note at a time")
        return song


def _note(value: Any, where: str) -> SongNote:
    row = _mapping(value, where)
    if unknown := sorted(row.keys() - SongNote._fields):
        raise DataError(f"{where}: unknown field {unknown[0][:40]!r}")
    pitch = checked_whole(row.get("pitch"), f"{where}: pitch", 0, MAX_PITCH)
    if 0 < pitch < MIN_PITCH:
        raise DataError(f"{where}: pitch {pitch} is out of {MIN_PITCH}..{MAX_PITCH}")
    phones = row.get("phones", [])
    if not isinstance(phones, list) or len(phones) > 20:
        raise DataError(f"{where}: phones must be a list of at most 20")
    return SongNote(
        checked_number(row.get("at"), f"{where}: at", 0, MAX_BEATS),
        checked_number(row.get("beats"), f"{where}: beats", MIN_BEATS, MAX_BEATS),
        pitch,
        _text(row.get("lyric", ""), f"{where}: lyric", 100),
        bool(row.get("breath", False)),
        checked_number(row.get("velocity", 0.5), f"{where}: velocity", 0, 1),
        tuple(_text(phone, f"{where}: phone", 20) for phone in phones),
    )


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{what} must be a JSON object")
    return value


def _text(value: Any, what: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise DataError(f"{what} must be text of at most {most} characters")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Cn") for letter in value):
        raise DataError(f"{what} holds a control character")
    return value
