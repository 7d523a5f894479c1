"""One door for every score format: the reader is picked by the file name's suffix."""

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import STRICT, left_out, reading
from nnsvs_lite.score.formats.assemble import NoLyrics
from nnsvs_lite.score.formats.diffsinger import read_ds
from nnsvs_lite.score.formats.htslabel import read_label
from nnsvs_lite.score.formats.limits import MAX_LYRIC
from nnsvs_lite.score.formats.midi import read_midi
from nnsvs_lite.score.formats.musicxml import read_musicxml
from nnsvs_lite.score.formats.otherfiles import advice, kind
from nnsvs_lite.score.formats.projects import Project
from nnsvs_lite.score.formats.svp import read_svp
from nnsvs_lite.score.formats.ust import read_ust
from nnsvs_lite.score.formats.ustx import read_ustx
from nnsvs_lite.score.formats.vsqx import read_vpr, read_vsqx
from nnsvs_lite.score.formats.words import text_of, with_words
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Score, joined_rests

PROJECTS: dict[str, tuple[str, Callable[..., Project]]] = {
    ".ustx": ("USTX", read_ustx),
    ".svp": ("SVP", read_svp),
    ".vsqx": ("VSQX", read_vsqx),
    ".vpr": ("VPR", read_vpr),
}
"""Formats whose parts are voices, each with lyrics of its own; as :data:`READERS`."""


def _one_track(read: Callable[..., Project]) -> Callable[..., Score]:
    def score(path: Path, *, lang: str, part: int | str | None = None, bare: bool = False) -> Score:
        return read(path, lang=lang).score(part, bare)

    return score


READERS: dict[str, tuple[str, Callable[..., Score]]] = {
    **dict.fromkeys((".musicxml", ".xml", ".mxl"), ("MusicXML", read_musicxml)),
    **dict.fromkeys((".mid", ".midi", ".kar"), ("MIDI", read_midi)),
    ".ust": ("UST", read_ust),
    **{suffix: (form, _one_track(read)) for suffix, (form, read) in PROJECTS.items()},
    ".ds": ("DiffSinger's DS", read_ds),
    **dict.fromkeys((".lab", ".full"), ("a full-context label", read_label)),
}
"""For each suffix the format's name for people, and ``read(path, *, lang, **options)`` with the options
it has of ``part``, ``verse``, ``voice``, ``tempo`` and ``bare``; faults need not name the file."""

_LACKS = {
    "part": (None, "has no parts to choose from"),
    "verse": (1, "holds one verse alone"),
    "voice": (None, "has no voices to choose from"),
    "tempo": (None, "has a tempo of its own"),
}
"""For each option the value that asks for nothing, and why a format cannot do more."""

MAX_MESSAGE = 600
"""Characters of an error's message."""


def read_score(
    path: str | os.PathLike,
    *,
    lang: str = "ja",
    phones: bool = True,
    lyrics: str | os.PathLike | None = None,
    **options: Any,
) -> Score:
    """Reads a score of any known format, with phones.

    Args:
        path: score file.
        lang: language of the lyrics.
        phones: whether to turn lyrics into phones; without, any language can be read.
            Formats that hold phones themselves (labels, DS) keep them in any case.
        lyrics: to sing in place of the score's, which needs none then: a text file, or the text itself
            (:func:`~nnsvs_lite.score.formats.words.with_words`).
        options: ``part``, ``verse``, ``voice`` and ``tempo``, as far as the format has them.
            A ``tempo`` only counts in a score without one.

    Raises DataError where the file cannot be read, its format is unknown or lacks what an option asks for, or
    a lyric or phone is not one of the language.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(unknown(path), path)
    form, read = READERS[suffix]
    has = inspect.signature(read).parameters
    for name, (nothing, reason) in _LACKS.items():
        value = nothing if name in has else options.pop(name, nothing)
        if value != nothing and name != "tempo":
            raise DataError(f"{name} {value!r} was asked for, but {form} {reason}", path)
    if lyrics is not None:
        lyrics = text_of(lyrics, lang)
        options |= {"bare": True} if "bare" in has else {}
    with _named(path):
        score = read(path, lang=lang, **options)
        return _finished(score if lyrics is None else with_words(score, lyrics), phones, path)


def read_tracks(path: str | os.PathLike, *, lang: str = "ja", phones: bool = True) -> list[Score]:
    """All tracks of an editor's project (:data:`PROJECTS`), each as :func:`read_score` gives it.

    Those that cannot be sung are left out, with a warning. Raises DataError where none is left, or the file
    cannot be read.
    """
    path = Path(path)
    with _named(path):
        project = PROJECTS[path.suffix.lower()][1](path, lang=lang)
    scores: list[Score] = []
    faults: list[DataError] = []
    for number in range(1, max(len(project.voices), 1) + 1):
        try:
            with _named(path):
                scores.append(_finished(project.score(number), phones, path))
        except DataError as fault:
            if STRICT.get():
                raise
            faults.append(fault)
    if not scores:
        raise faults[0]
    left_out("tracks cannot be sung and are not written", faults)
    return scores


def unknown(path: Path) -> str:
    """Why a file of a suffix that is none of :data:`READERS` is not read, and what to do."""
    named = f"named *{path.suffix}" if path.suffix else "without a suffix"
    hint = _misnamed(path) or advice(path.suffix.lower(), READERS)
    return f"no reader for score files {named}{hint}; known: {', '.join(READERS)}"


def _misnamed(path: Path) -> str:
    """A hint that a file is of another format than its name says, or an empty string."""
    found = kind(path)
    if found not in READERS:
        return advice(found or "", ())
    form = READERS[found][0]
    if form == READERS.get(path.suffix.lower(), ("", None))[0]:
        return ""
    return f" (its contents are those of a *{found}: rename it)"


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Names the file in warnings and errors."""
    try:
        with reading(path):
            yield
    except DataError as error:
        # What libraries say can repeat the whole of a damaged file.
        what = error.what if len(error.what) <= MAX_MESSAGE else f"{error.what[:MAX_MESSAGE]} ..."
        where = path if error.where is None else error.where
        fault = NoLyrics if isinstance(error, NoLyrics) else DataError
        raise fault(what + _misnamed(path), where) from None


def _finished(score: Score, phones: bool, path: Path) -> Score:
    """With phones, if they are asked for."""
    _check_texts(score, phones)
    if not phones or any(note.phones for note in score.notes):
        return score
    score = attach_phones(score, where=path)
    return replace(score, notes=tuple(joined_rests(score.notes)))


def _check_texts(score: Score, phones: bool) -> None:
    """Lyrics must be short, and phones that a file imposes those of its language."""
    language = get_language(score.lang) if phones and any(note.phones for note in score.notes) else None
    for note in score.notes:
        if len(note.lyric) > MAX_LYRIC:
            raise DataError(f"{note.place}: a lyric of {len(note.lyric)} characters on one note")
        for phone in note.phones if language is not None else ():
            if phone not in language:
                known = ", ".join(language.phones[:60])
                raise DataError(
                    f"{note.place}: phone {phone!r} is not one of {language.name}"
                    f"{nearest(phone, language.phones)}; these are: {known}"
                )
