"""One door for writing scores: the format is picked by the file name's suffix, as for reading."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nnsvs_lite.io.atomic import write_bytes
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import leave_out
from nnsvs_lite.score.formats.readers import PROJECTS, read_score, read_tracks
from nnsvs_lite.score.formats.write_ds import ds
from nnsvs_lite.score.formats.write_midi import midi
from nnsvs_lite.score.formats.write_musicxml import musicxml
from nnsvs_lite.score.formats.write_projects import svp, ustx
from nnsvs_lite.score.formats.write_ust import ust
from nnsvs_lite.score.lyrics import split_hint
from nnsvs_lite.score.song import Song
from nnsvs_lite.score.types import Note, Phone, Score


class Writer(NamedTuple):
    """A format's name for people, what writes it, and what it holds besides notes, lyrics, tempo and bars:
    ``parts`` for several scores, and of :func:`_things`.
    """

    form: str
    write: Callable[[Sequence[Score], Sequence[Phone]], bytes]
    holds: frozenset[str]


def _writer(form: str, write: Callable[[Sequence[Score], Sequence[Phone]], bytes], holds: str) -> Writer:
    return Writer(form, write, frozenset(holds.split(", ")))


HINTS = "phones behind lyrics"

WRITERS: dict[str, Writer] = {
    **dict.fromkeys(
        (".musicxml", ".xml"),
        _writer("MusicXML", lambda s, _: musicxml(Song.of(s[0])), f"keys, dynamics, breath marks, {HINTS}"),
    ),
    **dict.fromkeys((".mid", ".midi"), _writer("MIDI", lambda s, _: midi(s), "parts, keys, dynamics")),
    ".ust": _writer("UST", lambda s, _: ust(Song.of(s[0])), HINTS),
    ".ustx": _writer("USTX", lambda s, _: ustx(s), f"parts, pitch, loudness changes, {HINTS}"),
    ".svp": _writer("SVP", lambda s, _: svp(s), f"parts, pitch, loudness changes, {HINTS}"),
    ".ds": _writer("DiffSinger's DS", lambda s, sung: ds(s[0], sung), f"phones, phone times, pitch, {HINTS}"),
}
"""By suffix."""


def score_bytes(suffix: str, score: Score | Sequence[Score], phones: Sequence[Phone] = ()) -> bytes:
    """A score as a file of the format of this suffix (``.ustx``), with the curves that are drawn on it.

    What the format cannot hold is left out, and named in one warning.

    Args:
        score: one, or the parts of one song, of which the first one's tempo and bars are written.
        phones: those of the score with sung times, as ``Performance.phones`` gives them.

    Raises DataError where no writer has such a suffix, or the format holds one part alone.
    """
    writer = find_writer(suffix)
    scores = [score] if isinstance(score, Score) else list(score)
    if not any(note.pitch for one in scores for note in one.notes):
        raise DataError("the score is empty: it has no notes")
    if len(scores) > 1 and "parts" not in writer.holds:
        raise DataError(f"{writer.form} holds one part, not {len(scores)}: choose one")
    lost = [name for name in _things(scores, phones) if name not in writer.holds]
    if lost:
        leave_out(f"{writer.form} has no place for {', '.join(lost)}: not written")
    return writer.write(scores if "phones" in writer.holds else [_spelt(one) for one in scores], phones)


def _spelt(score: Score) -> Score:
    """With phones in brackets as the lyric of notes that have phones alone: with none they would be held."""

    def spelt(note: Note) -> Note:
        alone = note.pitch and note.phones and not note.lyric and not note.slur
        return replace(note, lyric=f"[{' '.join(note.phones)}]") if alone else note

    return replace(score, notes=tuple(map(spelt, score.notes)))


def write_score(
    path: str | os.PathLike, score: Score | Sequence[Score], phones: Sequence[Phone] = ()
) -> None:
    """Writes what :func:`score_bytes` gives for the file name's suffix; raises DataError as that does."""
    try:
        write_bytes(path, score_bytes(Path(path).suffix, score, phones))
    except DataError as error:
        raise DataError(error.what, path if error.where is None else error.where) from None


def convert(
    source: str | os.PathLike, target: str | os.PathLike, *, part: int | str | None = None, lang: str = "ja"
) -> list[Score]:
    """Writes a score file in another format, with what is drawn in it; returns the scores written.

    Of an editor's project all tracks are written where ``part`` names none and the format holds several;
    those that cannot be sung are left out, with a warning.

    Raises DataError where the file cannot be read or written.
    """
    writer = find_writer(target)
    sung = "phone times" in writer.holds
    if part is not None or "parts" not in writer.holds or Path(source).suffix.lower() not in PROJECTS:
        scores = [read_score(source, lang=lang, part=part, phones=sung)]
    else:
        scores = read_tracks(source, lang=lang, phones=sung)
    write_score(target, scores)
    return scores


def find_writer(path: str | os.PathLike) -> Writer:
    """The writer for a file's name, or its suffix alone; DataError where there is none."""
    suffix = Path(path).suffix or Path(path).name
    writer = WRITERS.get(suffix.lower())
    if writer is None:
        hint, known = nearest(suffix, WRITERS), ", ".join(WRITERS)
        raise DataError(f"no writer for score files named *{suffix}{hint}; known: {known}")
    return writer


def _things(scores: Iterable[Score], phones: Sequence[Phone]) -> list[str]:
    """What there is to write that not all formats hold."""
    found: dict[str, bool] = {}

    def see(name: str, there: bool) -> None:
        found[name] = found.get(name, False) or there

    for score in scores:
        notes = [note for note in score.notes if note.pitch]
        keys = score.timeline.keys if score.timeline is not None else ()
        see("keys", any(key for _, key in keys))
        see("dynamics", len({note.velocity for note in notes}) > 1)
        see("breath marks", any(note.breath for note in notes))
        see("phones", any(note.phones for note in notes))
        see(HINTS, any(split_hint(note.lyric, score.lang)[1] for note in notes))
        see("pitch", score.drawn is not None and score.drawn.pitch is not None)
        for name in score.drawn.curves if score.drawn is not None else ():
            see(name.replace("_change", " changes") if name.endswith("_change") else name, True)
    see("phone times", bool(phones))
    return [name for name, there in found.items() if there]
