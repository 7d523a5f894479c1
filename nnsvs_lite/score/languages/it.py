"""Italian, pronounced by eSpeak NG; the phones are IPA.

A long consonant is two phones, one at the end of a syllable and one at the beginning of
the next (*bel-la* is ``b ɛ l`` | ``l a``), as it is spelt. Words that share a note
(*la\u203famo*) are both sung on it, one vowel after the other.
"""

from __future__ import annotations

from nnsvs_lite.score.languages.espeak import GLIDES, GlidingLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_FEATURES = {
    "a": "vowel voiced low central",
    "e": "vowel voiced mid front",
    "ɛ": "vowel voiced mid low front",
    "i": "vowel voiced high front",
    "o": "vowel voiced mid back rounded",
    "ɔ": "vowel voiced mid low back rounded",
    "u": "vowel voiced high back rounded",
    "b": "plosive voiced labial",
    "d": "plosive voiced alveolar",
    "ɡ": "plosive voiced velar",
    "p": "plosive labial",
    "t": "plosive alveolar",
    "k": "plosive velar",
    "ts": "affricate alveolar",
    "dz": "affricate voiced alveolar",
    "tʃ": "affricate palatal",
    "dʒ": "affricate voiced palatal",
    "f": "fricative labial dental",
    "v": "fricative voiced labial dental",
    "s": "fricative alveolar",
    "z": "fricative voiced alveolar",
    "ʃ": "fricative palatal",
    "m": "nasal voiced labial",
    "n": "nasal voiced alveolar",
    "ɲ": "nasal voiced palatal",
    "ŋ": "nasal voiced velar",
    "l": "liquid voiced alveolar",
    "ʎ": "liquid voiced palatal",
    "r": "liquid voiced dental",
    "j": "glide voiced palatal",
    "w": "glide voiced labial velar",
}
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
    fold = {
        "ɪ": "i",
        "ʊ": "u",
        "ɾ": "r",
        "ss": "s s",
        "ʃʃ": "ʃ",
        "tsː": "t ts",
        "dzː": "d dz",
        "tʃː": "t tʃ",
        "dʒː": "d dʒ",
        "ʒ": "dʒ",
        "h": "",
        "aɪ": "a j",
        "eɪ": "e j",
        "ɛɪ": "ɛ j",
        "oɪ": "o j",
        "ɔɪ": "ɔ j",
        "uɪ": "u j",
        "aʊ": "a w",
        "eʊ": "e w",
        "ɛʊ": "ɛ w",
    } | {f"{c}ː": f"{c} {c}" for c in ("b", "d", "ɡ", "p", "t", "k", "f", "v", "s", "z", "m", "n", "l", "r")}

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
