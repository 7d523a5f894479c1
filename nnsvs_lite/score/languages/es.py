"""Spanish of Castile, pronounced by eSpeak NG; the phones are IPA.

The approximants of b, d and g are the same phones as the stops, since they change with
what a singer makes of the word before. A word's last consonant begins the next word's
first syllable where that begins with a vowel; words that share a note are both sung on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from nnsvs_lite.score.languages.espeak import EspeakLanguage
from nnsvs_lite.score.languages.words import Phones

_FEATURES = {
    "a": "vowel voiced low central",
    "e": "vowel voiced mid front",
    "i": "vowel voiced high front",
    "o": "vowel voiced mid back rounded",
    "u": "vowel voiced high back rounded",
    "b": "plosive voiced labial",
    "d": "plosive voiced dental",
    "ɡ": "plosive voiced velar",
    "p": "plosive labial",
    "t": "plosive dental",
    "k": "plosive velar",
    "tʃ": "affricate palatal",
    "f": "fricative labial dental",
    "θ": "fricative dental",
    "s": "fricative alveolar",
    "x": "fricative velar",
    "ʝ": "fricative voiced palatal",
    "m": "nasal voiced labial",
    "n": "nasal voiced alveolar",
    "ɲ": "nasal voiced palatal",
    "l": "liquid voiced alveolar",
    "ʎ": "liquid voiced palatal",
    "ɾ": "liquid voiced dental",
    "r": "liquid voiced dental alveolar",
    "j": "glide voiced palatal",
    "w": "glide voiced labial velar",
}
_VOWELS = frozenset(phone for phone, names in _FEATURES.items() if "vowel" in names)
_GLIDES = {"j": "i", "w": "u"}
_TO_GLIDE = {vowel: glide for glide, vowel in _GLIDES.items()}

_CLUSTERS = [f"{c} {r}" for c in ["b", "ɡ", "p", "k", "f"] for r in ("l", "ɾ")] + ["d ɾ", "t ɾ"]
_STARTS = [*(set(_FEATURES) - _VOWELS - set(_GLIDES)), *_CLUSTERS]


class Spanish(EspeakLanguage):
    """Spanish by the word; see the module."""

    code = "es"
    name = "Spanish"
    features = _FEATURES
    onsets = frozenset(_CLUSTERS) | {f"{start} {glide}" for start in _STARTS for glide in _GLIDES}
    links = True
    glides = {"i": "j", "u": "w"}
    fold = {
        "β": "b",
        "ð": "d",
        "ɣ": "ɡ",
        "ɛ": "e",
        "ŋ": "n",
        "ɹ": "ɾ",
        "ts": "t s",
        "z": "s",
        "v": "b",
        "ʃ": "tʃ",
        "dʒ": "ʝ",
        "h": "x",
        "aɪ": "a j",
        "eɪ": "e j",
        "oɪ": "o j",
        "uɪ": "u j",
        "aʊ": "a w",
        "eʊ": "e w",
        "oʊ": "o w",
    }

    def longer(self, phones: Phones) -> Iterable[Phones]:
        """A vowel for a glide (dieresis): *su-a-ve*."""
        for i, phone in enumerate(phones):
            near = {*phones[max(i - 1, 0) : i], *phones[i + 1 : i + 2]}
            if phone in _GLIDES and near & _VOWELS:
                yield (*phones[:i], _GLIDES[phone], *phones[i + 1 :])

    def shorter(self, phones: Phones) -> Iterable[Phones]:
        """A glide for i and u next to another vowel (syneresis)."""
        for i, phone in enumerate(phones):
            if phone in _TO_GLIDE and {*phones[max(i - 1, 0) : i], *phones[i + 1 : i + 2]} & _VOWELS:
                yield (*phones[:i], _TO_GLIDE[phone], *phones[i + 1 :])


LANGUAGE = Spanish()
