"""Spanish of Castile, pronounced by eSpeak NG; the phones are IPA.

The approximants of b, d and g are the same phones as the stops, since they change with
what a singer makes of the word before. A word's last consonant begins the next word's
first syllable where that begins with a vowel; words that share a note are both sung on it.
"""

from nnsvs_lite.score.languages.espeak import GlidingLanguage


class Spanish(GlidingLanguage):
    """Spanish by the word; see the module."""

    code = "es"
    name = "Spanish"


LANGUAGE = Spanish()
