"""What a language must give: its phones, their phonetic features, and how lyrics are read.

A new language is one module ``<code>.py`` here, with a subclass of :class:`Language` and its instance
``LANGUAGE``; see ``CONTRIBUTING.md``.
"""

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

_CLASSES = """
silence breath vowel voiced high mid low front central back rounded plosive affricate fricative nasal
liquid glide labial dental alveolar palatal velar glottal palatalised closure diphthong aspirated
"""
CLASS_NAMES = tuple(_CLASSES.split())
"""Phonetic features, one list for all languages so that a model of several can share."""

SILENCES = {"pau": "silence", "br": "silence breath"}

SILENCE_ALIASES = {"sil": "pau", "sp": "pau", "SP": "pau", "silB": "pau", "silE": "pau", "AP": "br"}


def tables(name: str) -> dict[str, Any]:
    """What a language keeps in ``<name>.json`` beside its module."""
    return json.loads(resources.files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))


class LyricError(ValueError):
    """A lyric that the language cannot read, and why; ``index`` says which of those read together."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


class Reading(NamedTuple):
    """What one lyric is sung as; without units, as a part of a word may be, it holds the syllable before."""

    units: list[list[str]]  # syllables, each a non-empty list of phones
    tone: int = 0  # number of the first syllable's tone in ``Language.tones`` from 1; 0 for none


class Language:
    """One language's phones and reading rules.

    Attributes:
        code: ISO 639 code, the module's name.
        name: for people.
        features: for each phone but silences the names of its features from ``CLASS_NAMES``, in the
            order of ``phones``; new phones go to the end, since models store phone numbers.
        silences: the silences, first in ``phones``.
        phones: every symbol.
        vowels: voiced phones that can be held, which carry a syllable over several notes.
        nuclei: phones on which a syllable's note begins: ``vowels`` and devoiced vowels.
        class_names: names of what :meth:`classes` gives.
        aliases: other names of phones that corpora use, and what they mean here.
        tones: names of its lexical tones; contexts have a column for them.
        spreads: whether notes that carry a lyric on sing a syllable of it each; else the first sings all.
    """

    code = ""
    name = ""
    features: dict[str, str] = {}
    held: frozenset[str] = frozenset()
    """Phones besides voiced vowels that can be held, such as a syllabic nasal."""
    aliases: dict[str, str] = {}
    tones: tuple[str, ...] = ()
    spreads = False

    def __init__(self) -> None:
        self.silences = tuple(SILENCES)
        self.class_names = CLASS_NAMES
        table = SILENCES | self.features
        self.phones = tuple(table)
        self._index = {phone: i for i, phone in enumerate(self.phones)}
        self._sets = {phone: frozenset(names.split()) for phone, names in table.items()}
        for phone, names in self._sets.items():
            if unknown := names - set(CLASS_NAMES):
                raise ValueError(f"{self.code}: phone {phone!r} has unknown features {sorted(unknown)}")
        self.vowels = self.held | {p for p, names in self._sets.items() if {"vowel", "voiced"} <= names}
        self.nuclei = self.vowels | {p for p, names in self._sets.items() if "vowel" in names}
        self._aliases = SILENCE_ALIASES | self.aliases

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._index

    def index(self, symbol: str) -> int:
        """Number of a phone from 0; KeyError if it is not one of this language's."""
        return self._index[symbol]

    def normal(self, symbol: str) -> str:
        """The phone that a corpus' label means: aliases such as ``sil`` are folded."""
        return self._aliases.get(symbol, symbol)

    def is_voiced(self, symbol: str) -> bool:
        """Whether the vocal folds vibrate in it."""
        return "voiced" in self._sets[symbol]

    def is_silence(self, symbol: str) -> bool:
        """Whether it is a pause or a breath."""
        return symbol in self.silences

    def classes(self, symbol: str) -> tuple[float, ...]:
        """0/1 phonetic features of a phone in the order of ``class_names``."""
        names = self._sets[symbol]
        return tuple(float(name in names) for name in CLASS_NAMES)

    def units(self, lyric: str) -> list[list[str]]:
        """The morae or syllables of a lyric read alone, or a LyricError."""
        return self.read_phrase([lyric])[0].units

    def read_phrase(self, lyrics: Sequence[str]) -> list[Reading]:
        """How the lyrics of the notes between two rests are sung, one reading for each; by default by
        :meth:`units`. Raises LyricError where one cannot be read; its ``index`` says which.
        """
        readings = []
        for i, text in enumerate(lyrics):
            try:
                readings.append(Reading(self.units(text)))
            except LyricError as error:
                raise LyricError(str(error), i) from None
        return readings

    def without_marks(self, lyrics: Sequence[str]) -> list[str]:
        """Lyrics without those hyphens of words spread over notes that its reading needs not."""
        return list(lyrics)

    def syllables(self, phones: Sequence[str]) -> list[Sequence[str]]:
        """Phones of a word by syllable; by default as one."""
        return [phones]

    def prolongs(self, before: str, lyric: str) -> bool:
        """Whether a lyric only repeats the vowel that the one before it ends with."""
        return False

    def onset_count(self, phones: Sequence[str]) -> int:
        """How many of a note's phones come before its nucleus, so before its beat; 0 without a nucleus."""
        return next((i for i, phone in enumerate(phones) if phone in self.nuclei), 0)

    def coda_count(self, phones: Sequence[str]) -> int:
        """How many phones follow the last one that can be held; 0 if none can."""
        return next((i for i, phone in enumerate(reversed(phones)) if phone in self.vowels), 0)
