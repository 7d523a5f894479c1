"""French, pronounced by eSpeak NG in its phrase; the phones are IPA.

As it is sung: a mute e that has a part of its word to itself sounds (*rê-ve* is
``ʁ ɛ`` | ``v ə``), and a word's last consonant, one of liaison too, begins the next word's
first syllable where that begins with a vowel (*les a-mis* is ``l e`` | ``z a`` | ``m i``).
"""

import re
from collections.abc import Iterable, Sequence

from nnsvs_lite.score.languages.base import tables
from nnsvs_lite.score.languages.espeak import EspeakLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_TABLES = tables("fr")
_GLIDES = {"j": "i", "w": "u", "ɥ": "y"}
_TO_GLIDE = {vowel: glide for glide, vowel in _GLIDES.items()}

_STOPS = ["b", "d", "ɡ", "p", "t", "k", "f", "v"]
_CLUSTERS = [f"{c} {r}" for c in _STOPS for r in ("l", "ʁ") if (c, r) not in {("d", "l"), ("t", "l")}]
_STARTS = ["", *_TABLES["features"], *_CLUSTERS]

_MUTE = re.compile(r"[^aeiouyàâéèêëîïôùûüœæ]*(?:[qg]u)?e(?:s|nt)?$")
_LONE = re.compile(r"(?:n'est|est|dites|allez|donnez|laissez|venez|aimez|voyez)(ce|moi|vous|nous|là)$")


RESPELT = {"quéqu'": "kèk", "quèqu'": "kèk", "p'tit": "ptit"}
"""Short forms that eSpeak NG takes for foreign words, as it reads them."""


class French(EspeakLanguage):
    """French by the phrase; see the module."""

    code = "fr"
    name = "French"
    features = _TABLES["features"]
    onsets = frozenset(_CLUSTERS) | {
        f"{start} {glide}" for start in (*_STARTS[17:], "b", "d") for glide in _GLIDES if start not in _GLIDES
    }
    links = True
    joined = "aeiouyhàâéèêëîïôùûüœæ"
    phrasewise = True
    fold = _TABLES["fold"]

    def spelling(self, word: Word) -> str:
        """With the e that an apostrophe at the end stands for, and the hyphen of *est-ce*."""
        # eSpeak NG takes words with th for English ones.
        text = word.text.replace("th", "t") if word.text != "y" else "i"
        for short, respelt in RESPELT.items():
            text = text.replace(short, respelt)
        if text.endswith("'") and len(text) > 2:
            text = text[:-1] + "e"
        return _LONE.sub(lambda m: f"{m.group(0)[: m.start(1) - m.start(0)]}-{m.group(1)}", text)

    def tidy(self, phones: Phones, word: Word) -> Phones:
        """What eSpeak NG gives otherwise than dictionaries.

        ɥ, j and ɲ (*nuit*, *rien*, *agneau*: y, i and nj); b as p before s and t; the open o of
        syllables before the last (*sommeil*), unless it may be spelt ô or au; the closed
        one before z (*rose*).
        """
        closed = re.search("ô|au", word.text) is not None
        tidied: list[str] = []
        for i, phone in enumerate(phones):
            after = phones[i + 1 : i + 2]
            opens = bool(set(after) & self.vowels)
            if phone == "y" and opens and not set(tidied[-1:]) & self.vowels:
                phone = "ɥ"
            elif phone == "i" and opens and self._is_light(tidied):
                phone = "j"
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
        return bool(before) and before[-1] not in self.vowels and " ".join(before[-2:]) not in _CLUSTERS

    def _is_inner(self, after: Sequence[str]) -> bool:
        """Whether an o before these phones is open: within a word, but not before z or in -otion."""
        return bool(set(after) & self.vowels) and after[0] != "z" and after[:2] != ("s", "j")

    def longer(self, phones: Phones) -> Iterable[Phones]:
        """A mute e after a consonant that no vowel follows; *na-ti-on* for *na-tion*."""
        for i, phone in enumerate(phones):
            after = phones[i + 1 : i + 2]
            if phone in self.vowels:
                continue
            if phone in _GLIDES and set(after) & self.vowels and i and phones[i - 1] not in self.vowels:
                yield (*phones[:i], _GLIDES[phone], *phones[i + 1 :])
            elif not after or not (
                after[0] in self.vowels or after[0] in _GLIDES or f"{phone} {after[0]}" in _CLUSTERS
            ):
                yield (*phones[: i + 1], "ə", *phones[i + 1 :])
        if phones[-1] in self.vowels and phones[-1] != "ə":
            yield (*phones, "ə")

    def shorter(self, phones: Phones) -> Iterable[Phones]:
        """Without a mute e (*p'tit*), or with a glide for a vowel before a vowel."""
        for i in range(len(phones) - 1):
            after = phones[i + 1]
            if phones[i] == "ə" and after not in self.vowels:
                yield (*phones[:i], *phones[i + 1 :])
            elif phones[i] in _TO_GLIDE and after in self.vowels and i and phones[i - 1] not in self.vowels:
                yield (*phones[:i], _TO_GLIDE[phones[i]], *phones[i + 1 :])

    def _agreement(self, parts: Sequence[str], syllables: Sequence[Phones]) -> int:
        """Parts with no vowel but a mute e want that one."""
        score = super()._agreement(parts, syllables)
        for part, syllable in zip(parts[1:], syllables[1:]):
            score += bool(_MUTE.match(part.strip("'"))) == ("ə" in syllable)
        return score


LANGUAGE = French()
