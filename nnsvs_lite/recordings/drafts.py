"""Scores drafted from what is heard, in forms that people mend; what they mended is kept."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.atomic import read_json, write_bytes, write_json
from nnsvs_lite.io.done import digest
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.recordings.engrave import engrave
from nnsvs_lite.score.formats.write_musicxml import musicxml
from nnsvs_lite.score.formats.write_ust import ust
from nnsvs_lite.score.song import Song
from nnsvs_lite.score.types import Note, Score

RECORD = ".drafted.json"
WRITERS = {".musicxml": musicxml, ".ust": ust}
"""Forms that a draft is written in, by suffix."""


def mended_drafts(folder: str | os.PathLike) -> dict[str, Path]:
    """The drafts in a folder that are no longer as they were written, by song.

    Raises DataError where both forms of one were changed.
    """
    folder = Path(folder)
    ours = _record(folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*")):
        if path.suffix not in WRITERS or path.name.startswith(".") or digest(path) in ours.get(path.name, []):
            continue
        if path.stem in found:
            raise DataError(f"was mended, and {found[path.stem].name} too: remove one of them", path)
        found[path.stem] = path
    return found


def write_drafts(data: DataDir, folder: str | os.PathLike) -> list[Path]:
    """Writes the songs of a data dir of drafted phrases as MusicXML and UST; returns the files.

    Those that somebody has mended are left as they are.
    """
    folder, made = Path(folder), []
    ours, kept = _record(folder), mended_drafts(folder)
    songs: dict[str, list[str]] = {}
    for utt in data.utts:
        songs.setdefault(data.segments[utt][0] if data.segments else utt, []).append(utt)
    for song, utts in songs.items():
        if song in kept:
            continue
        written = engrave(joined(data, utts))
        for suffix, write in WRITERS.items():
            path, text = folder / f"{song}{suffix}", write(Song.of(written))
            before = [digest(path)] if path.exists() else []
            # Old and new are known as ours, so that what a killed run leaves does not pass for mended.
            ours[path.name] = [hashlib.sha256(text).hexdigest(), *before]
            write_json(folder / RECORD, ours)
            write_bytes(path, text)
            made.append(path)
    return made


def joined(data: DataDir, utts: Iterable[str]) -> Score:
    """The phrases of a recording as one score in its time, rests between them."""
    notes: list[Note] = []
    for utt in sorted(utts, key=lambda utt: data.place(utt)[1]):
        score, start = data.scores[utt], data.place(utt)[1]
        part = [*score.slice(0, len(score.notes), offset=-start).notes]
        end = notes[-1].end if notes else 0.0
        if part[0].start > end + 1e-6:
            rest = {"pitch": 0, "lyric": "", "phones": ("pau",), "slur": False}
            notes.append(dataclasses.replace(part[0], start=end, end=part[0].start, **rest))
        notes += part
    merged: list[Note] = []
    for note in notes:
        if merged and merged[-1].is_rest and note.is_rest:
            merged[-1] = dataclasses.replace(merged[-1], end=note.end)
        else:
            merged.append(note)
    return Score(tuple(merged), data.scores[next(iter(utts))].lang)


def _record(folder: Path) -> dict[str, list[str]]:
    """Digests of what was written here, by file."""
    path = folder / RECORD
    found = read_json(path) if path.exists() else {}
    return found if isinstance(found, dict) else {}
