"""German, pronounced by eSpeak NG; the phones are IPA.

``r`` is written as one phone wherever it stands, as it is sung (not vocalised but in the
ending *-er*, which is ``ɐ``). Final devoicing (*Tag* is ``t aː k``) goes by the whole word.
"""

from nnsvs_lite.score.languages.espeak import EspeakLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_DEVOICED = {"b": "p", "d": "t", "ɡ": "k"}
_VOICELESS = frozenset({"p", "t", "k", "pf", "ts", "tʃ", "f", "s", "ʃ", "ç", "x"})


class German(EspeakLanguage):
    """German by the word; see the module."""

    code = "de"
    name = "German"

    def tidy(self, phones: Phones, word: Word) -> Phones:
        """b, d, g before voiceless consonants as p, t, k."""
        text = " ".join(phones)
        if "pf" in word.text:
            text = text.replace("p f", "pf")
        phones = tuple(text.split())
        pairs = zip(phones, [*phones[1:], ""])
        return tuple(_DEVOICED.get(p, p) if after in _VOICELESS else p for p, after in pairs)

    def has_room(self, phones: Phones, i: int) -> bool:
        """At the end, or before the last consonant (*ge-hen* for *gehn*)."""
        if i == len(phones):
            return phones[-1] not in self.vowels
        return 0 < i == len(phones) - 1 and phones[i] in ("l", "m", "n", "r", "t", "s")

    def may_drop(self, phones: Phones, i: int) -> bool:
        """Between consonants (*ew'-ge*)."""
        return 0 < i < len(phones) - 1 and self.vowels.isdisjoint((phones[i - 1], phones[i + 1]))


LANGUAGE = German()
