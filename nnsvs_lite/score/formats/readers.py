"""One door for every score format: the reader is picked by the file name's suffix."""

import importlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.formats.limits import MAX_LYRIC
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Score


class Reader(NamedTuple):
    """How a format is read: ``read(path, *, lang, **options)``."""

    format: str  # its name, for people
    module: str
    function: str
    options: frozenset[str]  # which of ``part``, ``verse``, ``voice`` and ``tempo`` it takes


def _reader(format: str, module: str, options: str) -> Reader:
    module, _, function = module.partition(":")
    return Reader(format, f"nnsvs_lite.score.formats.{module}", function, frozenset(options.split()))


_MUSICXML = _reader("MusicXML", "musicxml:read_musicxml", "part verse voice tempo")
_MIDI = _reader("MIDI", "midi:read_midi", "part tempo")
_LABEL = _reader("a full-context label", "label:read_label", "")

READERS = {
    ".musicxml": _MUSICXML,
    ".xml": _MUSICXML,
    ".mxl": _MUSICXML,
    ".mid": _MIDI,
    ".midi": _MIDI,
    ".kar": _MIDI,
    ".ust": _reader("UST", "ust:read_ust", ""),
    ".ustx": _reader("USTX", "ustx:read_ustx", "part"),
    ".svp": _reader("SVP", "svp:read_svp", "part"),
    ".vsqx": _reader("VSQX", "vsqx:read_vsqx", "part"),
    ".vpr": _reader("VPR", "vsqx:read_vpr", "part"),
    ".ds": _reader("DiffSinger's DS", "diffsinger:read_ds", "tempo"),
    ".lab": _LABEL,
    ".full": _LABEL,
}
"""The reader of each suffix."""

_LACKS = {
    "part": (None, "has no parts to choose from"),
    "verse": (1, "holds one verse alone"),
    "voice": (None, "has no voices to choose from"),
    "tempo": (None, "has a tempo of its own"),
}
"""For each option the value that asks for nothing, and why a format cannot do more."""


MAX_MESSAGE = 600
"""Characters of an error's message."""


def read_score(path: str | os.PathLike, *, lang: str = "ja", phones: bool = True, **options: Any) -> Score:
    """Reads a score of any known format, with phones.

    Args:
        path: score file.
        lang: language of the lyrics.
        phones: whether to turn lyrics into phones; without, any language can be read.
            Formats that hold phones themselves (labels, DS) keep them in any case.
        options: ``part``, ``verse``, ``voice`` and ``tempo``, as far as the format has
            these (see ``docs/scores.md``). A ``tempo`` only counts in a score without one.

    Raises:
        DataError: where the file cannot be read, its format is unknown or lacks what
            an option asks for, or a lyric or phone is not one of the language.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        hint = nearest(path.suffix.lower(), READERS)
        raise DataError(
            f"no reader for score files named *{path.suffix}{hint}; known: {', '.join(READERS)}", path
        )
    reader = READERS[path.suffix.lower()]
    for name, value in list(options.items()):
        if name in _LACKS and name not in reader.options:
            nothing, reason = _LACKS[name]
            if value != nothing and name != "tempo":
                raise DataError(f"{name} {value!r} was asked for, but {reader.format} {reason}", path)
            del options[name]
    function = getattr(importlib.import_module(reader.module), reader.function)
    try:
        score = function(path, lang=lang, **options)
    except DataError as error:
        if len(error.what) <= MAX_MESSAGE:
            raise
        # What libraries say can repeat the whole of a damaged file.
        raise DataError(f"{error.what[:MAX_MESSAGE]} ...", error.where) from None
    for note in score.notes:
        if len(note.lyric) > MAX_LYRIC:
            raise DataError(f"{note.place}: a lyric of {len(note.lyric)} characters on one note", path)
    if any(note.phones for note in score.notes):
        if phones:
            _check_phones(score, path)
        return score
    return attach_phones(score, where=path) if phones else score


def _check_phones(score: Score, path: Path) -> None:
    """Phones that a file imposes must be those of its language."""
    language = get_language(score.lang)
    for note in score.notes:
        for phone in note.phones:
            if phone not in language:
                known = ", ".join(language.phones[:60])
                raise DataError(
                    f"{note.place}: phone {phone!r} is not one of {language.name}"
                    f"{nearest(phone, language.phones)}; these are: {known}",
                    path,
                )
