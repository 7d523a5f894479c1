"""Notes of one recording, with its words or without."""

import csv
import dataclasses
import io
import os
from pathlib import Path

from nnsvs_lite.align.draft import draft, unplaced
from nnsvs_lite.align.frames import analyse
from nnsvs_lite.align.hear import hear_notes
from nnsvs_lite.features.f0 import midi_to_hz
from nnsvs_lite.features.notes import HeardNote, settle
from nnsvs_lite.io.atomic import write_bytes
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.recordings.drafts import WRITERS
from nnsvs_lite.recordings.engrave import engrave
from nnsvs_lite.recordings.folder import read_lyrics
from nnsvs_lite.recordings.sound import read_recording
from nnsvs_lite.score.formats.words import vocalise
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.song import Song
from nnsvs_lite.score.types import Note, Score

_RATE = 24000
_CONSONANT = 0.15
"""Seconds between notes that are no rest."""
FORMS = (*WRITERS, ".csv")


def transcribe(
    audio: str | os.PathLike,
    out: str | os.PathLike,
    *,
    lang: str = "ja",
    lyrics: str | os.PathLike | None = None,
    tempo: float | None = None,
    key: int | None = None,
) -> Score:
    """Writes the notes of a recording as MusicXML, UST, or a table, by the suffix of ``out``; returns them.

    A table (``.csv``) has seconds, Hz and seconds of length of each note, as they are sung. The other forms
    are on a grid at one tempo, for people to go on with.

    Args:
        lyrics: a text file with the words. Without, every note is sung on one syllable.
        tempo: quarter notes a minute, found where None. key: sharps, flats negative; likewise.

    Raises DataError where the recording or the words cannot be read, or no note is heard.
    """
    audio, out = Path(audio), Path(out)
    suffix = out.suffix.lower()
    if suffix not in FORMS:
        raise DataError(f"notes are not written as *{out.suffix}; known: {', '.join(FORMS)}", out)
    get_language(lang)
    words = None if lyrics is None else unplaced(read_lyrics(Path(lyrics), lang), lang, lyrics)
    x, _ = read_recording(audio, _RATE)
    frames = analyse(x, _RATE)
    if words is None:
        heard = hear_notes(frames)
        if not heard:
            raise DataError("no note is heard in it", audio)
        score = _score(heard, len(x) / _RATE, lang, key)
    else:
        score = draft(words, frames)
        heard = [HeardNote(n.start, n.end, n.pitch) for n in score.notes if not n.is_rest]
    score = dataclasses.replace(score, title=audio.stem)
    if suffix == ".csv":
        write_bytes(out, _table(heard).encode())
        return score
    score = engrave(score, tempo, key)
    write_bytes(out, WRITERS[suffix](Song.of(score)))
    return score


def _score(heard: list[HeardNote], seconds: float, lang: str, key: int | None) -> Score:
    """Notes with rests where nothing is sung; gaps that a consonant may fill are closed."""
    pitches = settle([note.pitch for note in heard], [note.end - note.start for note in heard], key)
    notes: list[Note] = []
    at, lyric = 0.0, vocalise(lang)
    for note, pitch, after in zip(heard, pitches, [*heard[1:], None]):
        if note.start > at:
            notes.append(Note(at, note.start, 0, "", ("pau",)))
        at = after.start if after and after.start - note.end < _CONSONANT else note.end
        notes.append(Note(note.start, at, pitch, lyric))
    if seconds > at:
        notes.append(Note(at, seconds, 0, "", ("pau",)))
    return Score(tuple(notes), lang)


def _table(heard: list[HeardNote]) -> str:
    text = io.StringIO()
    rows = ((f"{n.start:.4f}", f"{midi_to_hz(n.pitch):.3f}", f"{n.end - n.start:.4f}") for n in heard)
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
