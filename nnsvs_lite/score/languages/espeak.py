"""Pronunciations from eSpeak NG, for languages that need no module of rules of their own.

The library comes with the package espeakng-loader, its data too; nothing is fetched and
no program is run. It is asked for IPA phone by phone, and each language folds that to its
closed phone set (:class:`EspeakLanguage`).
"""

import ctypes
import functools
import itertools
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages.base import LyricError, tables
from nnsvs_lite.score.languages.words import Phones, SpelledLanguage, Word, plain, vowel_letters

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_IPA = 2
_SEPARATOR = "|"

_lock = threading.Lock()


@functools.cache
def _library() -> Any:
    """The library, started once."""
    try:
        import espeakng_loader
    except ImportError:
        raise DataError(
            "lyrics in this language need the package espeakng-loader:"
            " pip install 'nnsvs_lite[espeak]', or pip install espeakng-loader"
        ) from None
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    data = str(espeakng_loader.get_data_path()).encode()
    if library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DO_NOT_EXIT) <= 0:
        raise DataError("eSpeak NG does not start; install the package espeakng-loader again")
    return library


@functools.lru_cache(maxsize=1 << 14)
def transcribe(text: str, voice: str) -> tuple[tuple[str, ...], ...]:
    """IPA symbols of each word that eSpeak NG makes of a text; stressed vowels begin with ``ˈ`` or ``ˌ``.

    ``text`` is a few words without punctuation, ``voice`` its name of the language, such as ``de``.
    Raises DataError where the package is not installed, or lacks the language.
    """
    library = _library()
    spoken = ""
    with _lock:
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DataError(f"eSpeak NG has no voice {voice!r}; install the package espeakng-loader again")
        rest = ctypes.c_char_p(text.encode())
        while rest.value is not None:
            part = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA | ord(_SEPARATOR) << 8)
            spoken += " " + (part or b"").decode()
    # Names of languages in brackets are switches of the voice.
    spoken = re.sub(r"\([a-z-]+\)", " ", spoken)
    return tuple(tuple(s for s in word.split(_SEPARATOR) if s) for word in spoken.split())


_TABLES = tables("espeak")
_LETTERS = _TABLES["letters"]
"""Letters that vowels are mostly written with, where they look otherwise."""

_FOREIGN = _TABLES["foreign"]
"""Symbols of words that eSpeak NG takes for foreign, as a language without them says them."""


class EspeakLanguage(SpelledLanguage):
    """A language that eSpeak NG pronounces.

    Attributes:
        fold: IPA symbols of eSpeak NG to phones, space separated, where they differ.
        phrasewise: whether a word's sound hangs on its neighbours (French liaison).
        alphabet: letters that its words are spelt with; others lose their accents.
        respelt: spellings, as patterns, and those by which eSpeak NG reads them right.
        mended: patterns of words, of the phones that it gives them, and the right phones.
        spoken: phones of whole words.
    """

    fold: Mapping[str, str] = {}
    phrasewise = False
    alphabet = ""
    respelt: Sequence[tuple[str, str]] = ()
    mended: Sequence[tuple[str, str, str]] = ()
    spoken: Mapping[str, str] = {}

    def __init__(self) -> None:
        super().__init__()
        for symbol, phones in self.fold.items():
            if unknown := set(phones.split()) - set(self.phones):
                raise ValueError(f"{self.code}: {symbol!r} folds to unknown phones {sorted(unknown)}")

    def spelling(self, word: Word) -> str:
        """What eSpeak NG is given for a word: letters of this language alone, ``respelt``."""
        text = "".join(c if c in self.alphabet else plain(c) for c in word.text.strip("'"))
        for pattern, respelt in self.respelt:
            text = re.sub(pattern, respelt, text)
        return text

    def tidy(self, phones: Phones, word: Word) -> Phones:
        """Mends a pronunciation; the default leaves it."""
        return phones

    def pronounce(self, words: Sequence[Word]) -> list[list[Phones]]:
        """The pronunciation of each word, as eSpeak NG has it."""
        found: list[list[Phones]] = []
        # Runs of words without punctuation between them.
        ends = [i for i, word in enumerate(words, 1) if word.breaks or i == len(words)]
        for clause in (words[a:b] for a, b in itertools.pairwise([0, *ends])):
            spoken: Sequence[Sequence[str]] = ()
            if self.phrasewise:
                spoken = transcribe(" ".join(map(self.spelling, clause)), self.code)
            if len(spoken) != len(clause):
                spoken = [self._alone(word.text) for word in clause]
            for word, symbols in zip(clause, spoken, strict=True):
                try:
                    phones = self._read(word, symbols)
                except LyricError as error:
                    raise LyricError(f"{word.text!r}: {error}", word.lyrics[0]) from None
                if not phones:
                    raise LyricError(f"eSpeak NG has no pronunciation of {word.text!r}", word.lyrics[0])
                found.append([phones])
        return found

    def _read(self, word: Word, symbols: Sequence[str]) -> Phones:
        """Phones of a word for eSpeak NG's symbols, or for its letters where they would be spelt aloud."""
        if word.text in self.spoken:
            return tuple(self.spoken[word.text].split())
        phones = self._mended(word, self._phones(word.text, symbols))
        if phones and not self._is_spelt(word.text, phones):
            return phones
        pieces = [(text, self._phones(text, self._alone(text))) for text in word.text.split("'")]
        said = [self.by_letters(text) if self._is_spelt(text, said) else said for text, said in pieces]
        return self._mended(word, tuple(itertools.chain(*said))) or ("a",)

    def _mended(self, word: Word, phones: Phones) -> Phones:
        phones = self.tidy(phones, word)
        for pattern, heard, right in self.mended:
            if re.search(pattern, word.text):
                phones = tuple(re.sub(heard, right, " ".join(phones)).split())
        return phones

    def _alone(self, text: str) -> list[str]:
        return [s for part in transcribe(self.spelling(Word((text,), (0,))), self.code) for s in part]

    def _phones(self, text: str, symbols: Sequence[str]) -> Phones:
        """Phones of symbols; those of its letters where a text has no vowel, or is one letter."""
        if not vowel_letters(text) or len(text) == 1:
            return self.by_letters(text)
        return tuple(p for symbol in self._heard(symbols) for p in self._folded(symbol))

    def _is_spelt(self, text: str, phones: Phones) -> bool:
        """Whether there are more vowels to hear than to read."""
        return sum(phone in self.nuclei for phone in phones) > vowel_letters(text)

    def _heard(self, symbols: Sequence[str]) -> Sequence[str]:
        """The symbols of a word as this language takes them; the default leaves them."""
        return symbols

    def _agreement(self, parts: Sequence[str], syllables: Sequence[Phones]) -> int:
        """Also how many parts hold the letter of their syllable's vowel."""
        vowels = [next((p[0] for p in syllable if p in self.nuclei), "-") for syllable in syllables]
        held = sum(_LETTERS.get(vowel, vowel) in plain(part) for vowel, part in zip(vowels, parts))
        return super()._agreement(parts, syllables) + held

    def _folded(self, symbol: str, steps: int = 4) -> list[str]:
        """Phones of one symbol of eSpeak NG; of a sound of another language by as many steps as it takes."""
        symbol = symbol.lstrip("ˈˌ").rstrip("-\u0361\u200d")
        bare = plain(symbol).rstrip("ː")
        for form in (symbol, symbol.rstrip("ː"), bare, bare + "ː"):
            if form in self.fold:
                return self.fold[form].split()
            if form in self.features or not form:
                return [form] if form else []
        if not steps or bare not in _FOREIGN:
            raise LyricError(f"eSpeak NG gives {symbol!r}, which is no phone of {self.name}")
        return [phone for part in _FOREIGN[bare].split() for phone in self._folded(part, steps - 1)]


class GlidingLanguage(EspeakLanguage):
    """A language in which i and u next to a vowel are sung with it, or as syllables of their own.

    So *su-a-ve*, *pa-u-ra* (dieresis), *gra-zia*, *mai* (syneresis).
    """

    links = True

    def may_glide(self, phones: Phones, i: int) -> bool:
        """Next to any vowel."""
        return not self.vowels.isdisjoint(phones[max(i - 1, 0) : i] + phones[i + 1 : i + 2])

    def _heard(self, symbols: Sequence[str]) -> list[str]:
        """Unstressed vowels of ``gliding`` next to another vowel as glides, from the left."""
        found: list[str] = []
        for i, symbol in enumerate(symbols):
            near = [*found[-1:], *symbols[i + 1 : i + 2]]
            if any(s.strip("ˈˌː")[:1] in tuple("aeiouɛɔɪʊ") for s in near):
                symbol = self.gliding.get(symbol, symbol)
            found.append(symbol)
        return found
