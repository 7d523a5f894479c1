"""Between the score that is sung and the song that is edited; nothing of the music is lost either way."""

from __future__ import annotations

import dataclasses

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.phonemize import is_breath, is_continuation
from nnsvs_lite.score.types import REST, Note, Score
from nnsvs_lite.studio.song import MAX_NOTES, NEAR, Song, SongNote

MAX_SECONDS = 600.0
"""Longest song that the studio sings."""


def song_of(score: Score) -> Song:
    """A score as the page edits it.

    A tempo that changes within a note becomes the tempo that gives the note its length.

    Raises:
        DataError: where it is longer than the studio sings.
    """
    if len(score.notes) > 2 * MAX_NOTES:
        raise DataError(f"the score has {len(score.notes)} notes; the studio opens at most {MAX_NOTES}")
    if score.duration > MAX_SECONDS:
        raise DataError(too_long(score.duration))
    notes: list[SongNote] = []
    tempi: list[tuple[float, float]] = []
    bars: list[tuple[float, int, float, float]] = []
    keys: list[tuple[float, int]] = []
    at = before = 0.0
    for note in score.notes:
        at = round(at, 6)
        tempo = _tempo(note)
        if not tempi or abs(tempi[-1][1] - tempo) > 1e-9 * tempo:
            tempi.append((at, tempo))
        if not keys or keys[-1][1] != note.key:
            keys.append((at, note.key))
        if not bars or not _agrees(bars, at, note):
            # Where the bar began, unless the note before stands in another bar after that.
            start = round(at - note.beat, 6)
            row = (start, 0.0) if bars and start > before + NEAR else (at, note.beat)
            bars.append((row[0], note.measure, note.measure_beats, row[1]))
        breath = note.is_rest and ("br" in note.phones or is_breath(note.lyric))
        if breath:
            notes.append(SongNote(at, note.beats, REST, "br"))
        elif not note.is_rest:
            notes.append(
                SongNote(at, note.beats, note.pitch, note.lyric, note.breath, note.velocity, note.phones)
            )
        before, at = at, at + note.beats
    song = Song(tuple(notes), tuple(tempi), tuple(bars), tuple(keys), round(at, 6), score.lang, score.title)
    # What the page cannot send back must not reach it.
    return Song.from_json(song.to_json())


def _tempo(note: Note) -> float:
    tempo = 60.0 * note.beats / note.duration
    return note.tempo if abs(tempo - note.tempo) <= 1e-4 * note.tempo else round(tempo, 6)


def _agrees(bars: list[tuple[float, int, float, float]], at: float, note: Note) -> bool:
    """Whether counting on from the last bar leads to the place a note says it has."""
    number, beat, beats = Song((), bars=tuple(bars)).bar(at)
    return number == note.measure and abs(beat - note.beat) < NEAR and beats == note.measure_beats


def score_of(song: Song) -> Score:
    """A song as it is sung: contiguous notes from 0, rests between them.

    Phones are left to the lyrics unless the file that the song came from gave them for every note.

    Raises:
        DataError: where it has no notes or is longer than the studio sings.
    """
    if not any(note.pitch != REST for note in song.notes):
        raise DataError("the song is empty: add a note first")
    given = all(note.phones for note in song.notes if note.pitch != REST)
    notes: list[Note] = []
    at = 0.0
    for item in song.notes:
        if item.at > at + NEAR:
            notes.append(_note(song, SongNote(at, item.at - at, REST), given, notes))
        notes.append(_note(song, dataclasses.replace(item, at=max(item.at, at)), given, notes))
        at = item.end
    if song.length > at + NEAR:
        notes.append(_note(song, SongNote(at, song.length - at, REST), given, notes))
    if song.seconds(max(song.length, at)) > MAX_SECONDS:
        raise DataError(too_long(song.seconds(max(song.length, at))))
    times = [note.start for note in notes] + [notes[-1].end]
    joined = tuple(dataclasses.replace(n, start=a, end=b) for n, a, b in zip(notes, times, times[1:]))
    return Score(joined, song.lang, song.title)


def _note(song: Song, item: SongNote, given: bool, before: list[Note]) -> Note:
    number, beat, measure_beats = song.bar(item.at)
    rest = item.pitch == REST
    if rest:
        phones: tuple[str, ...] = ("br",) if is_breath(item.lyric) else ("pau",)
    else:
        phones = item.phones
    holds = not rest and (not item.lyric.strip() or is_continuation(item.lyric))
    return Note(
        round(song.seconds(item.at), 7),
        round(song.seconds(item.end), 7),
        item.pitch,
        item.lyric,
        phones if given else (),
        slur=holds and bool(before) and not before[-1].is_rest,
        tempo=song.tempo(item.at),
        beats=round(item.beats, 6),
        measure=number,
        beat=round(beat, 6),
        measure_beats=measure_beats,
        key=song.key(item.at),
        velocity=item.velocity,
        breath=item.breath,
    )


def too_long(seconds: float) -> str:
    """The refusal of a song that lasts too long."""
    return f"the song lasts {seconds / 60:.1f} minutes; the studio sings at most {MAX_SECONDS / 60:g}"
