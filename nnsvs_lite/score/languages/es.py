"""Spanish of Castile, pronounced by eSpeak NG; the phones are IPA.

The approximants of b, d and g are the same phones as the stops, since they change with
what a singer makes of the word before. A word's last consonant begins the next word's
first syllable where that begins with a vowel; words that share a note are both sung on it.
"""

from __future__ import annotations

from nnsvs_lite.score.languages.espeak import GLIDES, GlidingLanguage

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

_CLUSTERS = [f"{c} {r}" for c in ["b", "ɡ", "p", "k", "f"] for r in ("l", "ɾ")] + ["d ɾ", "t ɾ"]
_STARTS = [*(set(_FEATURES) - _VOWELS - set(GLIDES)), *_CLUSTERS]


class Spanish(GlidingLanguage):
    """Spanish by the word; see the module."""

    code = "es"
    name = "Spanish"
    features = _FEATURES
    onsets = frozenset(_CLUSTERS) | {f"{start} {glide}" for start in _STARTS for glide in GLIDES}
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


LANGUAGE = Spanish()
