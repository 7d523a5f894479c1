"""Mandarin: characters by the phrase, or pinyin; initials and finals as phones, tones apart.

Phones are those of the Opencpop corpus (Wang et al., "Opencpop", Interspeech 2022): 23
initials, among them ``y`` and ``w`` as pinyin spells them, and 36 finals. ``v`` stands
for ü. One is added: ``rr``, the r-colouring of *huār* (erhua), after the final.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages.base import Language, LyricError, Reading, tables

_TABLES = tables("zh")
_PINYIN = {
    initial + final: [initial, final] if initial else [final]
    for initial, finals in _TABLES["syllables"].items()
    for final in finals.split()
} | {spelt: phones.split() for spelt, phones in _TABLES["spellings"].items()}
"""Every syllable as pinyin spells it, with v for ü, and its phones.

With interjections, and finals as they are named (iou, uei, uen): common in labels.
"""
_WITH_ERHUA = {spelt + "r": [*phones, "rr"] for spelt, phones in _PINYIN.items()} | _PINYIN
_TONE_MARKS = {"\u0304": 1, "\u0301": 2, "\u030c": 3, "\u0300": 4}
_HANZI = re.compile("[\u3400-\u9fff\uf900-\ufaff〇\U00020000-\U0003ffff]")
_DROPPED = re.compile(r"[\s、。，．,.!?！？；;：:…·・「」『』《》〈〉（）()\[\]\"“”’‘♪~〜ー—–_*-]+")
_TRADITIONAL = _TABLES["traditional"]
"""Traditional characters of songs, each with its simplified form, in which words are listed."""
_SIMPLIFIED = str.maketrans(dict(zip(_TRADITIONAL[::2], _TRADITIONAL[1::2])))
_LONGEST = 24
"""Letters of pinyin that are cut into syllables; more on one note are no lyric."""
_NO_ERHUA = frozenset(first + "儿" for first in "女男婴幼孤健少宠胎小孩妻")
"""Words in which 儿 is a syllable even when written on one note with the one before it."""


def _parse(text: str) -> list[tuple[str, int]]:
    """Syllables of pinyin, each with its tone: 1 to 5, 5 the neutral one, 0 not said."""
    found: list[tuple[str, int]] = []
    for piece in re.findall(r"[^\d']+[0-5]?", text):
        digit = int(piece[-1]) or 5 if piece[-1].isdigit() else 0
        letters = unicodedata.normalize("NFD", piece.rstrip("012345"))
        marks = [_TONE_MARKS[c] for c in letters if c in _TONE_MARKS]
        letters = "".join(c for c in letters if c not in _TONE_MARKS)
        letters = unicodedata.normalize("NFC", letters).replace("u:", "v").replace("ü", "v")
        parts = _split(letters)
        if parts is None or len(marks) > len(parts):
            raise LyricError(f"{text[:_LONGEST]!r} is not pinyin")
        # Marks in order; a syllable without one among several is neutral.
        tones = marks + [5] * (len(parts) - len(marks)) if marks else [0] * len(parts)
        if digit:
            tones[-1] = digit
        found += zip(parts, tones)
    if not found:
        raise LyricError("there is nothing to sing in it")
    return found


def _split(letters: str) -> list[str] | None:
    """Pinyin without tones cut into the fewest syllables, the first ones longest; None if it is none."""
    if not letters:
        return []
    if len(letters) > _LONGEST:
        return None
    best: list[str] | None = None
    for size in range(min(7, len(letters)), 0, -1):
        if letters[:size] in _WITH_ERHUA:
            rest = _split(letters[size:])
            if rest is not None and (best is None or len(rest) + 1 < len(best)):
                best = [letters[:size], *rest]
    return best


@functools.lru_cache(maxsize=4096)
def _read_characters(text: str) -> tuple[str, ...]:
    """Pinyin of each character, its tone as a digit, by the words they make."""
    try:
        from pypinyin import Style, lazy_pinyin
    except ImportError:
        raise DataError(
            "Chinese characters need the package pypinyin: pip install 'nnsvs_lite[zh]', or pip install"
            " pypinyin; or write the lyrics in pinyin"
        ) from None
    read = lazy_pinyin(
        text.translate(_SIMPLIFIED), style=Style.TONE3, neutral_tone_with_five=True, errors=list
    )
    return tuple(read)


class Mandarin(Language):
    """Mandarin by the phrase; see the module."""

    code = "zh"
    name = "Mandarin"
    features = (
        _TABLES["initials"]
        | {
            # A medial i, u or ü is told by palatal, labial or both, a nasal end by its place.
            final: f"voiced {'' if final == 'ng' else 'vowel '}{names}"
            for final, names in _TABLES["finals"].items()
        }
        | {"rr": "voiced liquid palatal"}
    )
    held = frozenset({"ng"})
    aliases = {"iou": "iu", "uei": "ui", "uen": "un"}
    tones = ("1", "2", "3", "4", "5")
    spreads = True

    def read_phrase(self, lyrics: Sequence[str]) -> list[Reading]:
        """Characters as the words of their phrase are read: 长 is zhang in 长大, chang in 长城.

        Lyrics in pinyin (``ni3``, ``nǐ``, ``ni``) may stand among them. 儿 after another
        character of the same lyric colours that one's final, but in words such as 女儿.
        """
        usual = [unicodedata.normalize("NFKC", lyric).lower().replace("u:", "ü") for lyric in lyrics]
        texts = [_DROPPED.sub("", lyric) for lyric in usual]
        spaced = [_DROPPED.sub("'", lyric) for lyric in usual]
        characters = [(i, c) for i, text in enumerate(texts) for c in text if _HANZI.match(c)]
        # Words do not reach over a lyric in pinyin.
        runs: list[list[tuple[int, str]]] = []
        for i, c in characters:
            if not runs or any(not _HANZI.search(texts[k]) for k in range(runs[-1][-1][0], i)):
                runs.append([])
            runs[-1].append((i, c))
        found: list[list[tuple[str, int]]] = [[] for _ in lyrics]
        for run in runs:
            read = _read_characters("".join(c for _, c in run))
            for k, ((i, c), syllable) in enumerate(zip(run, read, strict=True)):
                if not syllable.isascii() and syllable[0] != "ê":
                    raise LyricError(f"no reading for {c!r}; write it in pinyin", i)
                before = run[k - 1] if k else (-1, "")
                if c in "儿兒" and before[0] == i and before[1] + "儿" not in _NO_ERHUA and found[i]:
                    spelt, tone = found[i][-1]
                    found[i][-1] = (spelt if spelt.endswith("r") else spelt + "r", tone)
                else:
                    found[i] += _parse(syllable)
        for i, text in enumerate(texts):
            if found[i]:
                other = _HANZI.sub("", text)
                if other:
                    raise LyricError(f"no reading for {other[:_LONGEST]!r} among characters", i)
                continue
            try:
                found[i] = _parse(spaced[i])
            except LyricError as error:
                raise LyricError(str(error), i) from None
        return [Reading([list(_WITH_ERHUA[spelt]) for spelt, _ in row], row[0][1]) for row in found]


LANGUAGE = Mandarin()
