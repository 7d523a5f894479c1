"""German, pronounced by eSpeak NG; the phones are IPA.

``r`` is written as one phone wherever it stands, as it is sung (not vocalised but in the
ending *-er*, which is ``ɐ``). Final devoicing (*Tag* is ``t aː k``) goes by the whole word.
"""

from collections.abc import Iterable

from nnsvs_lite.score.languages.base import tables
from nnsvs_lite.score.languages.espeak import EspeakLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_TABLES = tables("de")
_DEVOICED = {"b": "p", "d": "t", "ɡ": "k"}
_VOICELESS = frozenset({"p", "t", "k", "pf", "ts", "tʃ", "f", "s", "ʃ", "ç", "x"})

SPOKEN = _TABLES["spoken"]
"""Common words that eSpeak NG pronounces otherwise than dictionaries do."""


class German(EspeakLanguage):
    """German by the word; see the module."""

    code = "de"
    name = "German"
    features = _TABLES["features"]
    onsets = frozenset(_TABLES["onsets"].split(", "))
    never_onset = frozenset({"ŋ", "x"})
    fold = _TABLES["fold"]

    def tidy(self, phones: Phones, word: Word) -> Phones:
        """Words of ``SPOKEN`` as they stand there; b, d, g before voiceless consonants as p, t, k."""
        if word.text in SPOKEN:
            return tuple(SPOKEN[word.text].split())
        text = " ".join(phones)
        if "pf" in word.text:
            text = text.replace("p f", "pf")
        phones = tuple(text.split())
        pairs = zip(phones, [*phones[1:], ""])
        return tuple(_DEVOICED.get(p, p) if after in _VOICELESS else p for p, after in pairs)

    def longer(self, phones: Phones) -> Iterable[Phones]:
        """A reduced vowel at the end or before the last consonant (*ge-hen* for *gehn*); *Na-ti-on*."""
        for i, phone in enumerate(phones):
            after = phones[i + 1 : i + 2]
            if phone == "j" and i and phones[i - 1] not in self.vowels and set(after) & self.vowels:
                yield (*phones[:i], "iː", *phones[i + 1 :])
            elif phone in ("l", "m", "n", "r", "t", "s") and i == len(phones) - 1 and i:
                yield (*phones[:i], "ə", phone)
        if phones[-1] not in self.vowels:
            yield (*phones, "ə")

    def shorter(self, phones: Phones) -> Iterable[Phones]:
        """Without a reduced vowel (*ew'-ge*), or with a glide for i before a vowel."""
        for i in range(1, len(phones) - 1):
            after = phones[i + 1]
            if phones[i] == "ə" and phones[i - 1] not in self.vowels and after not in self.vowels:
                yield (*phones[:i], *phones[i + 1 :])
            elif phones[i] in ("i", "iː", "ɪ") and after in self.vowels and phones[i - 1] not in self.vowels:
                yield (*phones[:i], "j", *phones[i + 1 :])


LANGUAGE = German()
