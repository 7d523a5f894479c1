"""Full-context labels (``.lab``) as scores: those of Sinsy, NNSVS, NEUTRINO and HTS demos.

The notes are those of the ``/E:`` part and the phones those of the label: they are
taken as they are, whatever the language would read. Times in the label are how a
singer sang, or guesses; the score's own times come from tempo and note lengths. A note
whose phone is ``xx`` (Sinsy's, for a note without lyric) carries on the one before it.

A mono label (``start end phone``) has no notes. It can be laid under a score
(``nnsvs-lite sing SCORE --label FILE.lab``), but cannot stand for one.
"""

import dataclasses
import os

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import carried
from nnsvs_lite.score.formats.htslabel import read_full, read_lab
from nnsvs_lite.score.formats.limits import MAX_TEXT_BYTES, checked_count, checked_length, checked_pitch
from nnsvs_lite.score.formats.rawfile import naming, read_bytes
from nnsvs_lite.score.languages import Language, get_language, language_codes
from nnsvs_lite.score.types import Note, Score

_MAX_LINE = 4000


def read_label(path: str | os.PathLike, *, lang: str = "ja") -> Score:
    """The score in a full-context label file, with the label's phones.

    Args:
        path: ``.lab`` or ``.full``.
        lang: language whose phones these are.

    Raises:
        DataError: where it is a mono label, or cannot be read as notes.
    """
    with naming(path):
        data = read_bytes(path, MAX_TEXT_BYTES)
        checked_count(data.count(b"\n") // 8)
        for number, line in enumerate(data.splitlines(), 1):
            if len(line) > _MAX_LINE:
                raise DataError(f"line {number}: longer than any label ({_MAX_LINE} bytes)")
        if not any("/" in label.label for label in read_lab(path)):
            raise DataError(
                "a mono label: it has phones and times but no notes to sing; give the score "
                "(such as MusicXML), and this file as --label to impose its phone times"
            )
        score = read_full(path, lang).score
        checked_count(len(score.notes))
        checked_length(score.duration)
        language = get_language(lang) if lang in language_codes() else None
        notes: list[Note] = []
        for note in score.notes:
            if note.end <= note.start:
                raise DataError(f"{note.place}: a note of no length")
            last = notes[-1] if notes else None
            if note.is_rest and last is not None and last.is_rest:
                notes[-1] = dataclasses.replace(last, end=note.end, beats=last.beats + note.beats)
            elif note.is_rest or note.phones:
                notes.append(_note(note, language))
            elif last is None or last.is_rest:
                raise DataError(f"{note.place}: a note without phones")
            else:
                before, phones = carried(last.phones, language)
                notes[-1] = dataclasses.replace(last, phones=tuple(before))
                notes.append(_note(dataclasses.replace(note, phones=tuple(phones), slur=True), language))
        if all(note.is_rest for note in notes):
            raise DataError("the score is empty: it has no notes")
        return dataclasses.replace(score, notes=tuple(notes))


def _note(note: Note, language: Language | None) -> Note:
    """A note with its phones as the language calls them, and a lyric made of them."""
    if note.is_rest:
        return note
    checked_pitch(note.pitch, note.place)
    phones = tuple(language.normal(phone) for phone in note.phones) if language else note.phones
    return dataclasses.replace(note, phones=phones, lyric="" if note.slur else "".join(phones))
