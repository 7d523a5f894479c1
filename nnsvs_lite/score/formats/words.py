"""Words that are given apart from the notes: a tune without lyrics is sung on them, or on one syllable."""

import contextlib
import os
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.formats.assemble import UNSPACED, with_lyric
from nnsvs_lite.score.formats.rawfile import decode, read_bytes
from nnsvs_lite.score.lyrics import is_hold, is_next_syllable, split_hint
from nnsvs_lite.score.types import Note, Score

_WORD = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]+\])*\]|\[[^\[\]]*\[[^\]]*\]\]|\[[^\]]*\]|[^\s\[]+(?:\[[^\]]*\])?")
"""In brackets, with others inside, or with ones that are not closed; else up to a blank."""
_KANA = r"[ぁ-ゖァ-ヺ][ゃゅょぁぃぅぇぉゎャュョァィゥェォヮっッ]*"
_LETTER = r"[\u4e00-\u9fff\uac00-\ud7a3]"


def vocalise(lang: str) -> str:
    """The syllable that notes without words are sung on."""
    return {"ja": "ら", "ko": "라"}.get(lang, "la")


def text_of(lyrics: str | os.PathLike, lang: str) -> str:
    """The lyrics: what the text file of that name holds; without one, the text itself.

    Raises DataError where it looks like the name of a file that is not there, or the file is none of text.
    """
    named = isinstance(lyrics, os.PathLike) or lyrics.lower().endswith(".txt")
    path = Path(lyrics)
    with contextlib.suppress(OSError, ValueError):
        # A text may be too long for a name.
        named = named or path.is_file()
    if named:
        try:
            return decode(read_bytes(path, what="lyrics"), lang)
        except DataError as error:
            raise DataError(error.what, path) from None
    return str(lyrics)


def split_words(text: str, lang: str) -> list[str]:
    """Running text to a lyric a note, as the studio's page parts it.

    Blanks part syllables, and so do hyphens within a word, which stay with the part before; kana are parted
    by the mora (っ with the one before), hanzi and hangul by the letter, kanji by blanks alone; what
    stands in ``[ ]`` is one lyric, but phones behind a word stay with it. A hold is ``-``, and where words
    are spaced ``+`` is the next syllable.
    """
    letters = rf"{_KANA}|[ーｰ－]|" + ("" if lang == "ja" else f"{_LETTER}|")
    syllable = re.compile(letters + (rf"(?:(?!{_KANA}|[ーｰ－])" + r"[^-])+-?|-"))
    words: list[str] = []
    text = unicodedata.normalize("NFC", text)
    # What is never closed would be searched to the end from every bracket.
    end = text.rfind("]") + 1
    for word in _WORD.findall(text[:end] + text[end:].replace("[", " ")):
        if word.startswith("["):
            words.append(word[1:-1].strip())
        elif is_next_syllable(word) and lang not in UNSPACED:
            words.append("+")
        elif is_hold(word):
            words.append("-")
        else:
            text, bracket, inside = word.partition("[")
            words += ["-" if is_hold(part) else part for part in syllable.findall(text)]
            if split_hint(word, lang)[1]:
                words[-1] = words[-1].removeprefix("-") + bracket + inside
            elif bracket:
                words.append(inside[:-1].strip())
    return [word for word in words if word in ("-", "+") or any(c.isalnum() for c in word)]


def with_words(score: Score, text: str) -> Score:
    """The score with the lyrics of ``text`` in place of its own, one a note; one alone is sung on every note.

    Notes that no syllable is left for hold the one before them, and syllables that no note is left for are
    left out, with a warning. Raises DataError where there is no syllable, or the notes have phones.
    """
    words = split_words(text, score.lang)
    if all(is_hold(word) for word in words):
        raise DataError("the lyrics that are given hold nothing to sing")
    places = [note.place for note in score.notes if not note.is_rest]
    if any(note.phones for note in score.notes):
        raise DataError("lyrics are given, but the file says phones, and those are what is sung")
    if len(words) == 1:
        words *= len(places)
    left_out("lyrics that are given are fewer than the notes, which hold the last", places[len(words) :])
    left_out("lyrics that are given find no note and are left out", [repr(w) for w in words[len(places) :]])
    waiting = iter(words)
    notes: list[Note] = []
    for note in score.notes:
        lyric = note.lyric if note.is_rest else next(waiting, "-")
        bare = replace(note, lyric=lyric if note.is_rest else "", slur=False)
        notes.append(with_lyric(bare, lyric, notes[-1] if notes else None, score.lang))
    return replace(score, notes=tuple(notes))
