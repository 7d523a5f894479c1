"""Italian, pronounced by eSpeak NG; the phones are IPA.

A long consonant is two phones, one at the end of a syllable and one at the beginning of
the next (*bel-la* is ``b ɛ l`` | ``l a``), as it is spelt. Words that share a note
(*la\u203famo*) are both sung on it, one vowel after the other.
"""

from nnsvs_lite.score.languages.base import tables
from nnsvs_lite.score.languages.espeak import GLIDES, GlidingLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_TABLES = tables("it")
_FEATURES = _TABLES["features"]
_VOWELS = frozenset(phone for phone, names in _FEATURES.items() if "vowel" in names)

_SOFT = _VOWELS | set(GLIDES)
_LONG = {"ts": "t", "dz": "d"}

_STOPS = ["b", "d", "ɡ", "p", "t", "k", "f", "v"]
_CLUSTERS = [f"{c} {r}" for c in _STOPS for r in ("l", "r") if (c, r) not in {("d", "l"), ("t", "l")}]
_WITH_S = ["s p", "s t", "s k", "s f"]
_WITH_S += [f"z {c}" for c in ("b", "d", "ɡ", "v", "m", "n", "l", "r", "dʒ")]
_STARTS = [*(set(_FEATURES) - _VOWELS - set(GLIDES)), *_CLUSTERS, *_WITH_S]
_STARTS += [f"{s} {c}" for s in ("s", "z") for c in _CLUSTERS]


class Italian(GlidingLanguage):
    """Italian by the word; see the module."""

    code = "it"
    name = "Italian"
    features = _FEATURES
    onsets = frozenset(_STARTS) | {f"{start} {glide}" for start in _STARTS for glide in GLIDES}
    links = True
    joined = "aeiouhàèéìòù"
    glides = {"i": "j", "ɪ": "j", "u": "w", "ʊ": "w"}
    fold = _TABLES["fold"]

    def tidy(self, phones: Phones, word: Word) -> Phones:
        """Palatals once, as they are spelt (*o-gni*); z is long between vowels (*gra-zia*); *o* is a word."""
        if word.text == "o":
            return ("o",)
        tidied: list[str] = []
        for i, phone in enumerate(phones):
            if phone in ("ɲ", "ʎ", "ʃ") and tidied[-1:] == [phone]:
                continue
            after = phones[i + 1 : i + 2]
            if phone in _LONG and tidied and tidied[-1] in _VOWELS and after and after[0] in _SOFT:
                tidied.append(_LONG[phone])
            tidied.append(phone)
        return tuple(tidied)


LANGUAGE = Italian()
