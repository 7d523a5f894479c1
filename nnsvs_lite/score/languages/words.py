"""Words over notes, for languages that space words and spell them with letters.

A lyric that ends with ``-`` is a part of a word that goes on at the next lyric. A word is looked up whole and
its syllables are shared out to its parts. Where their numbers differ, it is pronounced with a syllable more
or less if it can be (*fi-re*, *rê-ve*), else a part takes several, or none: then the syllable before is held.
"""

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

from nnsvs_lite.score.languages.base import Language, LyricError, Reading, tables

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼʻʽʾʿ´`ʹˈˊˋ′‵‛＇՚ꞌ", "'"))
_HYPHENS = "-‐‑‒–—―"
_BREAK = re.compile(r"[.,;:!?…。，、；：！？]")
_DROPPED = re.compile(r"[.,;:!?…\"“”„«»‹›()\[\]{}*_~¡¿♪|/\\=<>#&%+]")
_VOWEL_LETTERS = re.compile("[aeiouyæœø]+")
_CAPITAL = re.compile(r"[A-ZÀ-ÖØ-Þ][.,;:!?]*")

_LONGEST_PART = 100
_MOST_PARTS = 20
_MOST_FORMS = 500

Phones = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a phrase.

    Attributes:
        parts: letters on each of its lyrics, lower case, with apostrophes.
        lyrics: index of the lyric of each part.
        breaks: whether punctuation follows.
        initial: whether it is one capital letter.
    """

    parts: tuple[str, ...]
    lyrics: tuple[int, ...]
    breaks: bool = False
    initial: bool = False

    @property
    def text(self) -> str:
        """All its letters."""
        return "".join(self.parts)


def words_of(lyrics: Sequence[str], joined: str = "") -> list[Word]:
    """Words of a phrase; every lyric has a part of at least one.

    A word that ends with an apostrophe belongs to the next one before the letters ``joined`` (*l' a-mour*).
    Raises LyricError for a lyric without letters, with digits or in another script.
    """
    words: list[Word] = []
    goes_on = False
    for i, lyric in enumerate(lyrics):
        text = unicodedata.normalize("NFC", lyric).translate(_APOSTROPHES).replace("\u00ad", "")
        # Music fonts write the tie of two words as a private letter.
        text = "".join(" " if c in "\u203f\u2040" or unicodedata.category(c) == "Co" else c for c in text)
        tokens = text.split()
        found = False
        for k, token in enumerate(tokens):
            breaks = bool(_BREAK.search(token))
            bare = _DROPPED.sub("", token).lower()
            # Within a lyric a longer dash is punctuation.
            open_end = bare.endswith(tuple(_HYPHENS if k == len(tokens) - 1 else _HYPHENS[:4]))
            pieces = [piece for piece in re.split(f"[{_HYPHENS}]+", bare) if piece.strip("'")]
            for n, piece in enumerate(pieces):
                _check_letters(piece, i)
                last = n == len(pieces) - 1
                part = Word((piece,), (i,), breaks and last, bool(_CAPITAL.fullmatch(token)))
                before = words[-1] if words else part
                elided = before.text.endswith("'") and not before.breaks and piece[0] in joined
                if len(piece) > _LONGEST_PART:
                    raise LyricError(f"{piece[:20]!r}... is too long for a word", i)
                if words and (goes_on or elided) and len(words[-1].parts) < _MOST_PARTS:
                    part = _extended(words.pop(), part)
                words.append(part)
                goes_on = open_end and last
                found = True
        if not found:
            raise LyricError("there is nothing to sing in it", i)
    return words


def _extended(word: Word, part: Word) -> Word:
    """A word with one more part; on the same lyric it is no part of its own."""
    if word.lyrics[-1] == part.lyrics[0]:
        parts = (*word.parts[:-1], word.parts[-1] + part.parts[0])
        return Word(parts, word.lyrics, part.breaks)
    return Word(word.parts + part.parts, word.lyrics + part.lyrics, part.breaks)


def _check_letters(text: str, index: int) -> None:
    for letter in text:
        if letter.isdigit():
            raise LyricError(f"no reading for the number in {text!r}; write it in words", index)
        if letter != "'" and "LATIN" not in unicodedata.name(letter, ""):
            raise LyricError(f"no reading for {letter!r}", index)


def vowel_letters(text: str) -> int:
    """How many letters of a text are those of vowels."""
    return sum(map(len, _VOWEL_LETTERS.findall(plain(text))))


def plain(text: str) -> str:
    """Letters without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


class SpelledLanguage(Language):
    """A language whose words are looked up and spread over notes; a subclass writes :meth:`pronounce`.

    Its tables, from ``<code>.json``, are attributes:

    Attributes:
        onsets: consonants that may begin a syllable, space separated in each, with commas between; single
            ones always may, but for those of ``never_onset``.
        glides: the vowel that each glide becomes where a word needs a syllable more.
        gliding: the glide that each vowel becomes where it needs one fewer.
        reduced: the vowel put in or left out for the same.
        links: whether a word's last consonant begins the next word's first syllable
            where that begins with a vowel, and any onset may have a glide after it.
        joined: see :func:`words_of`.
        sounds: phones of letters and groups of them, for what is no word: *m*, *pst*.
    """

    onsets = ""
    never_onset: Sequence[str] = ()
    glides: Mapping[str, str] = {}
    gliding: Mapping[str, str] = {}
    reduced = ""
    links = False
    joined = ""
    sounds: Mapping[str, str] = {}
    spreads = True

    def __init__(self) -> None:
        vars(self).update(tables(self.code))
        super().__init__()
        self._onsets = set(self.onsets.split(", "))
        if self.links:
            starts = {*self.features, *self._onsets} - self.vowels - set(self.glides)
            self._onsets |= {f"{start} {glide}" for start in starts for glide in self.glides}

    def pronounce(self, words: Sequence[Word]) -> list[list[Phones]]:
        """Pronunciations of each word of a phrase, the usual one first.

        Raises LyricError, with a lyric's index, for what cannot be read; DataError for a missing package.
        """
        raise NotImplementedError

    def by_letters(self, text: str) -> Phones:
        """Phones of a text letter by letter, by ``sounds``; letters without any are silent."""
        letters = re.findall("|".join(sorted(self.sounds, key=len, reverse=True)), plain(text))
        return tuple(phone for letter in letters for phone in self.sounds[letter].split())

    def longer(self, phones: Phones) -> Iterable[Phones]:
        """Pronunciations with a syllable more, as in verse: a vowel for a glide, or a reduced vowel more."""
        for i in range(len(phones) + 1):
            if self.has_room(phones, i):
                yield (*phones[:i], self.reduced, *phones[i:])
            elif phones[i : i + 1] and phones[i] in self.glides and self.may_glide(phones, i):
                yield (*phones[:i], self.glides[phones[i]], *phones[i + 1 :])

    def shorter(self, phones: Phones) -> Iterable[Phones]:
        """Pronunciations with one syllable fewer: a glide for a vowel, or no reduced vowel."""
        for i, phone in enumerate(phones):
            if phone == self.reduced and self.may_drop(phones, i):
                yield (*phones[:i], *phones[i + 1 :])
            elif phone in self.gliding and self.may_glide(phones, i):
                yield (*phones[:i], self.gliding[phone], *phones[i + 1 :])

    def may_glide(self, phones: Phones, i: int) -> bool:
        """Whether a phone can be a glide as well as a vowel: between a consonant and a vowel."""
        return 0 < i < len(phones) - 1 and phones[i - 1] not in self.vowels and phones[i + 1] in self.vowels

    def has_room(self, phones: Phones, i: int) -> bool:
        """Whether a reduced vowel can be sung before a phone, or at the end."""
        return False

    def may_drop(self, phones: Phones, i: int) -> bool:
        """Whether a reduced vowel can be left out."""
        return False

    def read_phrase(self, lyrics: Sequence[str]) -> list[Reading]:
        """The syllables of each lyric; see the module. Raises as :meth:`Language.read_phrase`."""
        words = words_of(lyrics, self.joined)
        units: list[list[list[str]]] = [[] for _ in lyrics]
        before: Word | None = None
        last: list[str] = []
        for word, pronunciations in zip(words, self.pronounce(words)):
            shares = self._shares(word, pronunciations)
            for index, share in zip(word.lyrics, shares):
                for syllable in map(list, share):
                    # A word's last consonant moves to the next word.
                    linked = self.links and before is not None and not before.breaks and len(last) > 1
                    if linked and last[-1] not in self.nuclei and syllable[0] in self.nuclei:
                        syllable.insert(0, last.pop())
                    before = None
                    last = syllable
                    units[index].append(syllable)
            before = word
        return [Reading(unit) for unit in units]

    def syllables(self, phones: Sequence[str]) -> list[Sequence[str]]:
        """A word cut before the longest onset of each vowel (maximal onset principle); whole without any."""
        nuclei = [i for i, phone in enumerate(phones) if phone in self.nuclei]
        cuts = [0]
        for left, right in zip(nuclei, nuclei[1:]):
            cut = right
            while cut - 1 > left and self._may_begin(phones[cut - 1 : right]):
                cut -= 1
            cuts.append(cut)
        return [tuple(phones[a:b]) for a, b in zip(cuts, [*cuts[1:], len(phones)])]

    def _may_begin(self, consonants: Sequence[str]) -> bool:
        if len(consonants) == 1:
            return consonants[0] not in self.never_onset
        return " ".join(consonants) in self._onsets

    def _shares(self, word: Word, pronunciations: Sequence[Phones]) -> list[list[Phones]]:
        """The syllables that each part of a word sings."""
        cut = [self.syllables(phones) for phones in pronunciations]
        if len(word.parts) == 1:
            return [cut[0]]
        # A part such as l' has no syllable of its own.
        parts = [part for part in word.parts if _VOWEL_LETTERS.search(plain(part))] or word.parts
        fitting = [syllables for syllables in cut if len(syllables) == len(parts)]
        fitting = fitting or [
            self.syllables(form)
            for phones, syllables in zip(pronunciations, cut)
            for form in self._forms(phones, len(parts) - len(syllables))
        ]
        if not fitting:
            return share(cut[0], word.parts)
        best = max(fitting, key=lambda syllables: self._agreement(parts, syllables))
        return [[s] for s in best] if len(parts) == len(word.parts) else share(best, word.parts)

    def _forms(self, phones: Phones, more: int) -> list[Phones]:
        """Pronunciations with ``more`` syllables than the given one, at most four."""
        if not 0 < abs(more) <= 4:
            return []
        step = self.longer if more > 0 else self.shorter
        forms = [phones]
        for _ in range(abs(more)):
            changed = dict.fromkeys(form for phones in forms for form in step(phones))
            forms = list(itertools.islice(changed, _MOST_FORMS))
        return forms

    def _agreement(self, parts: Sequence[str], syllables: Sequence[Phones]) -> int:
        """How many parts begin like their syllable, with a vowel or a consonant."""
        vowels = [plain(part).lstrip("'")[:1] in tuple("aeiouæœø") for part in parts]
        return sum(v == (syllable[0] in self.nuclei) for v, syllable in zip(vowels, syllables))


def share(
    syllables: Sequence[Phones], parts: Sequence[str], begins: Callable[[int, str], bool] | None = None
) -> list[list[Phones]]:
    """Syllables in order to parts, as near as can be to the vowels each part is written with; ``begins`` says
    whether a part, by its number, may begin with a phone.

    Of equally near ways the one is taken that gives the last parts the most. The first
    part gets one at least.
    """
    wanted = [len(_VOWEL_LETTERS.findall(plain(part))) for part in parts]
    least = 1 if len(syllables) >= len(parts) else 0
    # best[k][n]: least cost of giving n syllables to the first k parts, and the last share.
    best: list[dict[int, tuple[int, int]]] = [{0: (0, 0)}]
    for k, want in enumerate(wanted):
        row: dict[int, tuple[int, int]] = {}
        for used, (cost, _) in best[-1].items():
            for take in range(max(least, k == 0), len(syllables) - used + 1):
                price = cost + (take - want) ** 2
                price += 2 * bool(begins and take and not begins(k, syllables[used][0]))
                if used + take not in row or price < row[used + take][0]:
                    row[used + take] = (price, take)
        best.append(row)
    counts = []
    used = len(syllables)
    for row in reversed(best[1:]):
        counts.append(row[used][1])
        used -= counts[-1]
    iterator = iter(syllables)
    return [list(itertools.islice(iterator, count)) for count in reversed(counts)]
