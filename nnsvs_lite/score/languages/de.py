"""German, pronounced by eSpeak NG; the phones are IPA.

``r`` is written as one phone wherever it stands, as it is sung (not vocalised but in the
ending *-er*, which is ``ɐ``). Final devoicing (*Tag* is ``t aː k``) goes by the whole word.
"""

from __future__ import annotations

from collections.abc import Iterable

from nnsvs_lite.score.languages.espeak import EspeakLanguage
from nnsvs_lite.score.languages.words import Phones, Word

_FEATURES = {
    "a": "vowel voiced low central",
    "aː": "vowel voiced low back",
    "ɛ": "vowel voiced mid low front",
    "ɛː": "vowel voiced mid low front palatal",
    "eː": "vowel voiced mid front",
    "ɪ": "vowel voiced high mid front",
    "iː": "vowel voiced high front",
    "ɔ": "vowel voiced mid low back rounded",
    "oː": "vowel voiced mid back rounded",
    "ʊ": "vowel voiced high mid back rounded",
    "uː": "vowel voiced high back rounded",
    "œ": "vowel voiced mid low front rounded",
    "øː": "vowel voiced mid front rounded",
    "ʏ": "vowel voiced high mid front rounded",
    "yː": "vowel voiced high front rounded",
    "ə": "vowel voiced mid central",
    "ɐ": "vowel voiced mid low central",
    "aɪ": "vowel voiced low front diphthong",
    "aʊ": "vowel voiced low back rounded diphthong",
    "ɔʏ": "vowel voiced mid low back front rounded diphthong",
    "b": "plosive voiced labial",
    "d": "plosive voiced alveolar",
    "ɡ": "plosive voiced velar",
    "p": "plosive labial",
    "t": "plosive alveolar",
    "k": "plosive velar",
    "pf": "affricate labial",
    "ts": "affricate alveolar",
    "tʃ": "affricate palatal",
    "dʒ": "affricate voiced palatal",
    "f": "fricative labial dental",
    "v": "fricative voiced labial dental",
    "s": "fricative alveolar",
    "z": "fricative voiced alveolar",
    "ʃ": "fricative palatal",
    "ʒ": "fricative voiced palatal",
    "ç": "fricative palatal palatalised",
    "x": "fricative velar",
    "h": "fricative glottal",
    "m": "nasal voiced labial",
    "n": "nasal voiced alveolar",
    "ŋ": "nasal voiced velar",
    "l": "liquid voiced alveolar",
    "r": "liquid voiced velar",
    "j": "glide voiced palatal",
}
_VOWELS = frozenset(phone for phone, names in _FEATURES.items() if "vowel" in names)

_ONSETS = """
    b l, b r, d r, f l, f r, ɡ l, ɡ n, ɡ r, k l, k n, k r, k v, p l, p r, p s, pf l, pf r, ʃ l, ʃ m, ʃ n,
    ʃ p, ʃ p l, ʃ p r, ʃ r, ʃ t, ʃ t r, ʃ v, t r, ts v, v r
"""


_VOCALISED = {
    f"{vowel}ɐ": f"{vowel} r"
    for vowel in ("a", "aː", "ɛ", "ɛː", "eː", "ɪ", "iː", "ɔ", "oː", "ʊ", "uː", "œ", "øː", "ʏ", "yː")
}

_DEVOICED = {"b": "p", "d": "t", "ɡ": "k"}
_VOICELESS = frozenset({"p", "t", "k", "pf", "ts", "tʃ", "f", "s", "ʃ", "ç", "x"})

SPOKEN = {
    "der": "d eː r",
    "er": "eː r",
    "vor": "f oː r",
    "vöglein": "f øː k l aɪ n",
    "magd": "m aː k t",
    "blume": "b l uː m ə",
    "blumen": "b l uː m ə n",
    "röslein": "r øː s l aɪ n",
}
"""Common words that eSpeak NG pronounces otherwise than dictionaries do."""


class German(EspeakLanguage):
    """German by the word; see the module."""

    code = "de"
    name = "German"
    features = _FEATURES
    onsets = frozenset(" ".join(onset.split()) for onset in _ONSETS.split(","))
    never_onset = frozenset({"ŋ", "x"})
    fold = {
        **_VOCALISED,
        "ɑː": "aː",
        "ɑ": "a",
        "ɜ": "ɐ",
        "ɔø": "ɔʏ",
        "ɔɪ": "ɔʏ",
        "ɾ": "r",
        "ʁ": "r",
        "i": "iː",
        "e": "eː",
        "o": "oː",
        "u": "uː",
        "y": "yː",
        "ø": "øː",
        "eɪ": "eː",
        "əʊ": "oː",
        "w": "v",
        "ɛ̃": "ɛ ŋ",
        "ɑ̃": "a ŋ",
        "ɔ̃": "ɔ ŋ",
        "œ̃": "œ ŋ",
        "ɑ̃ː": "a ŋ",
        "ɔ̃ː": "ɔ ŋ",
        "n̩": "ə n",
        "l̩": "ə l",
        "m̩": "ə m",
    }

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
            if phone == "j" and i and phones[i - 1] not in _VOWELS and set(after) & _VOWELS:
                yield (*phones[:i], "iː", *phones[i + 1 :])
            elif phone in ("l", "m", "n", "r", "t", "s") and i == len(phones) - 1 and i:
                yield (*phones[:i], "ə", phone)
        if phones[-1] not in _VOWELS:
            yield (*phones, "ə")

    def shorter(self, phones: Phones) -> Iterable[Phones]:
        """Without a reduced vowel (*ew'-ge*), or with a glide for i before a vowel."""
        for i in range(1, len(phones) - 1):
            after = phones[i + 1]
            if phones[i] == "ə" and phones[i - 1] not in _VOWELS and after not in _VOWELS:
                yield (*phones[:i], *phones[i + 1 :])
            elif phones[i] in ("i", "iː", "ɪ") and after in _VOWELS and phones[i - 1] not in _VOWELS:
                yield (*phones[:i], "j", *phones[i + 1 :])


LANGUAGE = German()
