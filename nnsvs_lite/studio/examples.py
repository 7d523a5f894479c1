"""Tunes to begin with."""

import functools

from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.song import Song, SongNote
from nnsvs_lite.studio.convert import song_of
from nnsvs_lite.virtual.sheets import songs


def new_lyric(lang: str) -> str:
    """What a note sings until a lyric is typed."""
    return {"ja": "ら", "ko": "라"}.get(lang, "la")


@functools.cache
def examples(lang: str) -> list[Song]:
    """Songs in the public domain for a voice's language; a scale where there are none. The first is short."""
    if lang == "ja":
        found = [song_of(read_score(sheet.path, phones=False)) for sheet in songs()]
        first = next(song for song in found if song.title.startswith("さくら"))
        return [_beginning(first, 18.0), *found]
    pitches = (60, 62, 64, 65, 67, 69, 71, 72)
    notes = [SongNote(1.0 + i, 1.0, pitch, new_lyric(lang)) for i, pitch in enumerate(pitches)]
    return [Song(tuple(notes), length=12.0, lang=lang, title="Scale")]


def _beginning(song: Song, beats: float) -> Song:
    """The notes before a beat."""
    notes = tuple(note for note in song.notes if note.at < beats)
    bar = song.timeline.metres[0].length
    timeline = song.timeline.until(song.timeline.seconds(beats))
    length = bar * -(-notes[-1].end // bar)
    return Song(notes, timeline, length, song.lang, f"{song.title} (beginning)")
