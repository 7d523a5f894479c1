"""Kana for notes of which the phones alone are known."""

import functools
import itertools
from dataclasses import replace

from nnsvs_lite.score.languages import LyricError, get_language
from nnsvs_lite.score.types import Note, Score


def add_lyrics(score: Score) -> Score:
    """The score with kana on its notes, found from their phones.

    The labels hold no text. A note whose phones no kana gives has them as its lyric.
    """
    return replace(score, notes=tuple(_with_lyric(note) for note in score.notes))


def _with_lyric(note: Note) -> Note:
    if note.is_rest or note.slur:
        return note
    lyric, rest = "", note.phones
    while rest:
        size = next((n for n in range(len(rest), 0, -1) if rest[:n] in _kana()), None)
        if size is None:
            return replace(note, lyric="".join(note.phones))
        lyric, rest = lyric + _kana()[rest[:size]], rest[size:]
    return replace(note, lyric=lyric)


@functools.cache
def _kana() -> dict[tuple[str, ...], str]:
    """Phones of one mora to its plainest kana."""
    language = get_language("ja")
    plain = [chr(code) for code in range(ord("ぁ"), ord("ゔ") + 1)]
    small = "ぁぃぅぇぉゃゅょゎ"
    one = [kana for kana in plain if kana not in small] + list(small)
    two = [first + second for first, second in itertools.product(plain, small) if first not in small]
    table: dict[tuple[str, ...], str] = {}
    for kana in one + two:
        try:
            units = language.units(kana)
        except LyricError:
            continue
        if len(units) == 1:
            table.setdefault(tuple(units[0]), kana)
    return table
