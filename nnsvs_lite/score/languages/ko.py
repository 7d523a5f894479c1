"""Korean: Hangul by arithmetic, pronounced by the rules of the standard language.

Phones: consonants before the vowel (``kk tt pp ss jj`` tense, ``k t p ch`` aspirated),
glides ``y`` and ``w``, eight vowels and ``ui``, and the seven sounds a syllable can end
with, in capitals: ``K T P`` (unreleased) ``N M NG L``.
"""

import re
import unicodedata
from collections.abc import Sequence

from nnsvs_lite.score.languages.base import Language, LyricError, Reading, tables
from nnsvs_lite.score.languages.hangul import decompose, pronounce

_TABLES = tables("ko")
_DROPPED = re.compile(r"[、。，．,.!?！？;:…·・「」『』()\[\]\"'“”‘’♪~〜ー—–_*]+")


class Korean(Language):
    """Korean by the word; see the module."""

    code = "ko"
    name = "Korean"
    features = _TABLES["features"]
    spreads = True

    def read_phrase(self, lyrics: Sequence[str]) -> list[Reading]:
        """Syllables as they sound in their words: 꽃|이 is 꼬|치.

        A lyric that ends with ``-`` goes on in the next one, and a blank ends a word.
        Where no lyric of the phrase has either, all of it is read as one word, since
        particles and endings, the usual reason for a change, belong to the word before.
        """
        texts = [_DROPPED.sub(" ", unicodedata.normalize("NFC", lyric)) for lyric in lyrics]
        blank = [lyric != lyric.strip() or " " in lyric.strip() for lyric in lyrics]
        marked = any(blank) or any("-" in text for text in texts)
        written: list[tuple[int, str]] = []
        words: list[list[int]] = [[]]
        for i, text in enumerate(texts):
            if marked and i and (text[:1].isspace() or not texts[i - 1].endswith("-")):
                words.append([])
            for k, piece in enumerate(text.replace("-", "").split()):
                if marked and k:
                    words.append([])
                for syllable in piece:
                    if decompose(syllable) is None:
                        raise LyricError(f"no reading for {syllable!r}; write it in Hangul", i)
                    words[-1].append(len(written))
                    written.append((i, syllable))
        sung = [list[list[str]]() for _ in lyrics]
        for word in words:
            spoken = pronounce("".join(written[k][1] for k in word))
            for k, syllable in zip(word, spoken, strict=True):
                sung[written[k][0]].append(_phones(syllable))
        for i, units in enumerate(sung):
            if not units:
                raise LyricError("there is nothing to sing in it", i)
        return [Reading(units) for units in sung]


def _phones(syllable: str) -> list[str]:
    """Phones of a syllable as it is pronounced."""
    parts = zip(("onsets", "vowels", "codas"), decompose(syllable) or ())
    return [phone for name, part in parts for phone in _TABLES[name][part].split()]


LANGUAGE = Korean()
