"""Tunes to begin with."""

from __future__ import annotations

from nnsvs_lite.score.timeline import Metre, Timeline
from nnsvs_lite.studio.song import Song, SongNote
from nnsvs_lite.virtual.melody import Melody, midi
from nnsvs_lite.virtual.songs import SONGS

_DYNAMICS = {"pp": 0.25, "p": 0.35, "mp": 0.45, "mf": 0.55, "f": 0.7, "ff": 0.85}
_SYLLABLES = {"ja": "ら", "ko": "라"}


def new_lyric(lang: str) -> str:
    """What a note sings until a lyric is typed."""
    return _SYLLABLES.get(lang, "la")


def examples(lang: str) -> list[Song]:
    """Songs in the public domain for a voice's language; a scale where there are none. The first is short."""
    if lang == "ja":
        songs = [_song(song.melody) for song in SONGS]
        first = next(song for song in songs if song.title.startswith("さくら"))
        return [_beginning(first, 18.0), *songs]
    lyric = new_lyric(lang)
    pitches = (60, 62, 64, 65, 67, 69, 71, 72)
    notes = [SongNote(1.0 + i, 1.0, pitch, lyric) for i, pitch in enumerate(pitches)]
    return [Song(tuple(notes), length=12.0, lang=lang, title="Scale")]


def _song(melody: Melody) -> Song:
    notes: list[SongNote] = []
    tempi = [(0.0, melody.tempo)]
    at, velocity = 0.0, 0.5
    for event in melody.events:
        if event.tempo and at:
            tempi.append((at, event.tempo))
        velocity = _DYNAMICS.get(event.dynamic, velocity)
        if event.pitch:
            pitch = midi(event.pitch)
            notes.append(SongNote(at, event.beats, pitch, event.lyric, event.breath, velocity))
        at += event.beats
    metre = Metre(0.0, 1, melody.beats * 4 / melody.beat_type, 0.0, melody.beat_type)
    timeline = Timeline(tuple(tempi), (metre,), ((0.0, melody.fifths),))
    return Song(tuple(notes), timeline, at, "ja", melody.title)


def _beginning(song: Song, beats: float) -> Song:
    """The notes before a beat."""
    notes = tuple(note for note in song.notes if note.at < beats)
    bar = song.timeline.metres[0].length
    timeline = song.timeline.until(song.timeline.seconds(beats))
    length = bar * -(-notes[-1].end // bar)
    return Song(notes, timeline, length, song.lang, f"{song.title} (beginning)")
