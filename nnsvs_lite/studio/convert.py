"""Between the score that is sung and the song that is edited; nothing of the music is lost either way."""

import dataclasses

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.lyrics import is_breath, is_continuation
from nnsvs_lite.score.song import MAX_NOTES, Song, SongNote
from nnsvs_lite.score.timeline import NEAR
from nnsvs_lite.score.types import REST, Note, Score

MAX_SECONDS = 600.0
"""Longest song that the studio sings."""


def song_of(score: Score) -> Song:
    """A score as the page edits it; DataError where it is longer than the studio sings."""
    if len(score.notes) > 2 * MAX_NOTES:
        raise DataError(f"the score has {len(score.notes)} notes; the studio opens at most {MAX_NOTES}")
    if score.duration > MAX_SECONDS:
        raise DataError(too_long(score.duration))
    song = Song.of(score)
    # What the page cannot send back must not reach it.
    return Song.from_json(song.to_json())


def score_of(song: Song) -> Score:
    """The score of :func:`score_and_places`."""
    return score_and_places(song)[0]


def score_and_places(song: Song) -> tuple[Score, list[int]]:
    """A song as it is sung: contiguous notes from 0, rests between them; and the indices of the song's notes.

    Phones are left to the lyrics unless the file that the song came from gave them for every note.

    Raises DataError where it has no notes or is longer than the studio sings.
    """
    if not any(note.pitch != REST for note in song.notes):
        raise DataError("the song is empty: add a note first")
    given = all(note.phones for note in song.notes if note.pitch != REST)
    notes: list[Note] = []
    places: list[int] = []
    at = 0.0
    for item in song.notes:
        if item.at > at + NEAR:
            notes.append(_note(song, SongNote(at, item.at - at, REST), given, notes))
        places.append(len(notes))
        notes.append(_note(song, item._replace(at=max(item.at, at)), given, notes))
        at = item.end
    if song.length > at + NEAR:
        notes.append(_note(song, SongNote(at, song.length - at, REST), given, notes))
    seconds = song.timeline.seconds(max(song.length, at))
    if seconds > MAX_SECONDS:
        raise DataError(too_long(seconds))
    times = [note.start for note in notes] + [notes[-1].end]
    joined = tuple(dataclasses.replace(n, start=a, end=b) for n, a, b in zip(notes, times, times[1:]))
    return Score(joined, song.lang, song.title, song.timeline), places


def _note(song: Song, item: SongNote, given: bool, before: list[Note]) -> Note:
    number, beat, measure_beats = song.timeline.bar(item.at)
    rest = item.pitch == REST
    phones = item.phones if not rest else ("br",) if is_breath(item.lyric) else ("pau",)
    holds = not rest and (not item.lyric.strip() or is_continuation(item.lyric))
    return Note(
        round(song.timeline.seconds(item.at), 7),
        round(song.timeline.seconds(item.end), 7),
        item.pitch,
        item.lyric,
        phones if given else (),
        slur=holds and bool(before) and not before[-1].is_rest,
        tempo=song.timeline.tempo(item.at),
        beats=round(item.beats, 6),
        measure=number,
        beat=round(beat, 6),
        measure_beats=measure_beats,
        key=song.timeline.key(item.at),
        velocity=item.velocity,
        breath=item.breath,
    )


def too_long(seconds: float) -> str:
    """The refusal of a song that lasts too long."""
    return f"the song lasts {seconds / 60:.1f} minutes; the studio sings at most {MAX_SECONDS / 60:g}"
