"""French, pronounced by eSpeak NG in its phrase; the phones are IPA.

As it is sung: a mute e that has a part of its word to itself sounds (*rê-ve* is
``ʁ ɛ`` | ``v ə``), and a word's last consonant, one of liaison too, begins the next word's
first syllable where that begins with a vowel (*les a-mis* is ``l e`` | ``z a`` | ``m i``).
"""

import re
from collections.abc import Sequence

from nnsvs_lite.score.languages.espeak import EspeakLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_MUTE = re.compile(r"[^aeiouyàâéèêëîïôùûüœæ]*(?:[qg]u)?e(?:s|nt)?$")
_LONE = re.compile(r"(?:n'est|est|dites|allez|donnez|laissez|venez|aimez|voyez)(ce|moi|vous|nous|là)$")
_OPENING = frozenset("ʁlnvbpɡkfj")


class French(EspeakLanguage):
    """French by the phrase; see the module."""

    code = "fr"
    name = "French"
    links = True
    joined = "aeiouyhàâéèêëîïôùûüœæ"
    phrasewise = True

    def spelling(self, word: Word) -> str:
        """With the e that an apostrophe at the end stands for, and the hyphen of *est-ce*."""
        text = super().spelling(word)
        if word.text.endswith("'") and len(text) > 1:
            text += "e"
        return _LONE.sub(lambda m: f"{m.group(0)[: m.start(1) - m.start(0)]}-{m.group(1)}", text)

    def tidy(self, phones: Phones, word: Word) -> Phones:
        """What eSpeak NG gives otherwise than dictionaries.

        ɥ, j and ɲ (*nuit*, *rien*, *prier*, *agneau*: y, i and nj), no ɥ in *cruel*; b as p before s and t;
        the open o of syllables before the last (*sommeil*), unless it may be spelt ô or au; the closed one
        before z (*rose*); the open œ before a consonant (*fleuve*), but for z, t, d, m.
        """
        closed = re.search("ô|au", word.text) is not None
        tidied: list[str] = []
        for i, phone in enumerate(phones):
            after = phones[i + 1 : i + 2]
            opens = bool(set(after) & self.vowels)
            if phone == "y" and opens and (after == ("i",) or self._is_light(tidied)):
                phone = "ɥ"
            elif phone == "i" and opens and self._is_light(tidied):
                phone = "j"
            elif phone == "i" and opens and " ".join(tidied[-2:]) in self.onsets.split(", "):
                tidied.append("i")
                phone = "j"
            elif phone == "ø" and after and after[0] in _OPENING:
                phone = "œ"
            elif phone == "b" and after in (("s",), ("t",)):
                phone = "p"
            elif phone == "o" and not closed and self._is_inner(phones[i + 1 :]):
                phone = "ɔ"
            elif phone == "ɔ" and after == ("z",):
                phone = "o"
            if phone == "j" and tidied and tidied[-1] == "n" and "gn" in word.text:
                tidied[-1] = "ɲ"
            else:
                tidied.append(phone)
        return tuple(tidied)

    def _is_light(self, before: Sequence[str]) -> bool:
        """Whether an i after these phones may be a glide: after one consonant, not after *tr*."""
        return (
            bool(before)
            and before[-1] not in self.vowels
            and " ".join(before[-2:]) not in self.onsets.split(", ")
        )

    def _is_inner(self, after: Sequence[str]) -> bool:
        """Whether an o before these phones is open: within a word, but not before z or in -otion."""
        return bool(set(after) & self.vowels) and after[0] != "z" and after[:2] != ("s", "j")

    def has_room(self, phones: Phones, i: int) -> bool:
        """A mute e after a consonant that no vowel follows; *na-ti-on* for *na-tion* comes of the glide."""
        if i == len(phones):
            return phones[-1] != self.reduced
        if i == 0 or phones[i - 1] in self.vowels or phones[i] in {*self.vowels, *self.glides}:
            return False
        return f"{phones[i - 1]} {phones[i]}" not in self.onsets.split(", ")

    def may_drop(self, phones: Phones, i: int) -> bool:
        """A mute e before a consonant (*p'tit*)."""
        return i < len(phones) - 1 and phones[i + 1] not in self.vowels

    def _agreement(self, parts: Sequence[str], syllables: Sequence[Phones]) -> int:
        """Parts with no vowel but a mute e want that one."""
        mute = [bool(_MUTE.match(part.strip("'"))) for part in parts[1:]]
        fitting = sum(m == (self.reduced in syllable) for m, syllable in zip(mute, syllables[1:]))
        return super()._agreement(parts, syllables) + fitting


LANGUAGE = French()
