"""Italian, pronounced by eSpeak NG; the phones are IPA.

A long consonant is two phones, one at the end of a syllable and one at the beginning of
the next (*bel-la* is ``b ɛ l`` | ``l a``), as it is spelt. Words that share a note
(*la\u203famo*) are both sung on it, one vowel after the other.
"""

from nnsvs_lite.score.languages.espeak import GlidingLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_LONG = {"ts": "t", "dz": "d", "ɲ": "ɲ", "ʎ": "ʎ", "ʃ": "ʃ"}


class Italian(GlidingLanguage):
    """Italian by the word; see the module."""

    code = "it"
    name = "Italian"
    joined = "aeiouhàèéìòù"

    def tidy(self, phones: Phones, word: Word) -> Phones:
        """Palatals (*o-gni*) and z (*gra-zia*) are long between vowels."""
        tidied: list[str] = []
        phones = tuple(p for p, before in zip(phones, ("", *phones)) if p != before or p not in _LONG)
        for i, phone in enumerate(phones):
            if (
                phone in _LONG
                and self.vowels & set(tidied[-1:])
                and {*self.vowels, *self.glides} & set(phones[i + 1 : i + 2])
            ):
                tidied.append(_LONG[phone])
            tidied.append(phone)
        return tuple(tidied)


LANGUAGE = Italian()
