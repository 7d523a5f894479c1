"""Spanish of Castile, pronounced by eSpeak NG; the phones are IPA.

The approximants of b, d and g are the same phones as the stops, since they change with
what a singer makes of the word before. A word's last consonant begins the next word's
first syllable where that begins with a vowel; words that share a note are both sung on it.
"""

from nnsvs_lite.score.languages.base import tables
from nnsvs_lite.score.languages.espeak import GLIDES, GlidingLanguage

_TABLES = tables("es")
_FEATURES = _TABLES["features"]
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
    fold = _TABLES["fold"]


LANGUAGE = Spanish()
