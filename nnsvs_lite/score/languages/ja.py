"""Japanese: kana read as written, kanji through Open JTalk's dictionary, romaji.

Phones are those of Open JTalk and of the labels of the public Japanese singing
corpora: ``cl`` is the geminate's closure (っ), ``N`` the moraic nasal (ん), capital
vowels are devoiced (found in labels; lyrics never give them).
"""

import functools
import itertools
import operator
import re
import unicodedata
from collections.abc import Sequence

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages.base import Language, LyricError, Reading, tables
from nnsvs_lite.score.languages.en import dictionary, from_arpabet
from nnsvs_lite.score.languages.words import plain
from nnsvs_lite.score.languages.words import share as share_out

_TABLES = tables("ja")

_KANA = {kana: phones.split() for kana, phones in _TABLES["kana"].items()}
"""Every mora in hiragana, one or two kana, with its phones."""
_ROMAJI = _TABLES["romaji"]
"""Hepburn and Kunrei spellings of each mora, to kana."""
# nn is a mora of its own only before a consonant: konna is こんな.
_SPELT = re.compile(
    "nn(?=[^aiueoy])|" + "|".join(sorted(_ROMAJI.keys() - {"nn"}, key=lambda s: (-len(s), s)))
)

_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
_VOICED_MARKS = str.maketrans({"゛": "\u3099", "゜": "\u309a"})
_VOWEL_KANA = dict(zip("aiueo", "あいうえお"))
_NASAL_G = dict(zip("かきくけこ", "がぎぐげご"))
_DROPPED = re.compile(r"[\s、。，．,.!?…・「」『』（）()\[\]\"'“”‘’〝〟♪‿_*]+")
_LONG = "ー~〜-–—―"
_KANA_ONLY = re.compile(r"[ぁ-ゖーゝゞ]+")
_CLUSTER = re.compile("[bcdfgkpt](?=[lr])|[dt](?=w)|s(?=[cklmnptw])")
"""Letters behind which Japanese puts a vowel."""
_MOST_PARTS = 20
"""Lyrics that a word in Latin letters may be spread over."""
_LONGEST = 100
"""Letters of such a word."""
_CALLS = {"ah", "oh", "ooh", "uh", "hm", "mm"}
"""Are sung by themselves, as romaji is, though a hyphen draws them out."""
_BEGINNINGS = dict.fromkeys("aeiou", "aiueoyw") | {"c": "ksc", "d": "djz", "f": "fh", "g": "gj", "j": "jz"}
_BEGINNINGS |= {"k": "kn", "l": "r", "p": "pf", "q": "k", "t": "tszc", "v": "bv", "w": "wurh"}
_BEGINNINGS |= {"x": "kgz", "y": "yiaj"}
"""By the letter that English writes, the phones' first letters that Japanese may say."""
_NEEDS_DICTIONARY = re.compile(r"[\u3400-\u9fff\uf900-\ufaff々〆〇0-9\U00020000-\U0003ffff]")


def to_hiragana(lyric: str) -> str:
    """One spelling for all: hiragana, no punctuation or blanks, ``ー`` for a long vowel."""
    text = re.sub(f"[{re.escape(_LONG)}]+", "ー", _cleaned(lyric).translate(_TO_HIRAGANA))
    # か゜ is a nasal g; other marks that no kana has (あ゛) tell of the voice.
    text = re.sub("([かきくけこ])\u309a", lambda match: _NASAL_G[match[1]], text)
    return re.sub("[\u3099\u309a]", "", text)


def _cleaned(lyric: str) -> str:
    """Usual forms of letters, without punctuation and blanks."""
    return _DROPPED.sub("", unicodedata.normalize("NFKC", lyric.translate(_VOICED_MARKS)))


class Japanese(Language):
    """Japanese by the mora; see the module."""

    code = "ja"
    name = "Japanese"
    features = _TABLES["features"]
    held = frozenset({"N"})
    aliases = {"q": "cl", "Q": "cl"}

    def units(self, lyric: str) -> list[list[str]]:
        """Morae of kana, romaji, or text with kanji.

        Kana are read as written: は is ``h a`` and へ is ``h e`` as particles too. A ``ー`` after
        a lyric's only mora adds nothing, since the note's length says how long it is; among several,
        and in kanji, a long vowel is two morae. English words are read as Japanese says them.
        'きっ' gives ``[["k", "i"], ["cl"]]``.

        Raises LyricError where it cannot be read.
        """
        if lyric == "cl":
            return [["cl"]]
        text = to_hiragana(lyric)
        if not text:
            raise LyricError("there is nothing to sing in it")
        usual = unicodedata.normalize("NFKC", lyric.translate(_VOICED_MARKS)).lower()
        usual = "".join(plain(c) if "LATIN" in unicodedata.name(c, "") else c for c in usual)
        if re.search("[a-z]", usual):
            pieces = re.findall(r"[a-z'’]+|[^a-z'’\s]+", usual)
            kinds = [(p, to_hiragana(p)) for p in pieces]
            read = [_latin(p) if p.isascii() else _japanese(text) for p, text in kinds if text.strip("ー")]
            return list(itertools.chain(*read))
        return _japanese(text)

    def read_phrase(self, lyrics: Sequence[str]) -> list[Reading]:
        """Kanji read in the words of their phrase: 行 く is い く, though 行 alone is こう."""
        joined = _joined(lyrics)
        if any(_NEEDS_DICTIONARY.search(lyric) for lyric in lyrics):
            lyrics = _read_phrase([_cleaned(lyric).rstrip("-") for lyric in lyrics], list(lyrics))
        readings = super().read_phrase(["あ" if i in joined else lyric for i, lyric in enumerate(lyrics)])
        return [joined.get(i, reading) for i, reading in enumerate(readings)]

    def without_marks(self, lyrics: Sequence[str]) -> list[str]:
        """Parts of words in romaji are morae by themselves: ``sa-``, ``ku-``, ``ra`` need no hyphens."""
        needed = {i for word in _hyphened(lyrics) for i in word}
        return [
            lyric[:-1] if i not in needed and _latin_part(lyric).endswith("-") else lyric
            for i, lyric in enumerate(lyrics)
        ]

    def prolongs(self, before: str, lyric: str) -> bool:
        """Whether a lyric such as あ only repeats the vowel of the one before, such as た."""
        try:
            morae = self.units(lyric)
            return morae == [self.units(before)[-1][-1:]] and morae[0][0] in self.vowels
        except LyricError:
            return False


def _japanese(text: str) -> list[list[str]]:
    """Morae of kana and kanji, spelt as :func:`to_hiragana` does."""
    morae = _morae(text := _read_text(text) if _NEEDS_DICTIONARY.search(text) else text)
    if not morae:
        raise LyricError("a long-vowel mark needs a vowel before it")
    return _morae(_held(text)) if len(morae) > 1 else morae


def _morae(text: str) -> list[list[str]]:
    """Phones of hiragana, mora by mora."""
    morae: list[list[str]] = []
    i = 0
    while i < len(text):
        size = 2 if text[i : i + 2] in _KANA else 1
        kana = text[i : i + size]
        if kana in _KANA:
            morae.append(list(_KANA[kana]))
        elif kana in "ゝゞ" and i > 0 and text[i - 1] in _KANA:
            voiced = unicodedata.normalize("NFC", text[i - 1] + "\u3099") if kana == "ゞ" else text[i - 1]
            morae.append(list(_KANA.get(voiced, _KANA[text[i - 1]])))
        elif kana != "ー":
            raise LyricError(f"no reading for {kana!r}")
        i += size
    return morae


def _held(text: str) -> str:
    """Hiragana with the vowel itself for each ``ー``: がっこー is がっこお."""
    for i, kana in enumerate(text):
        if kana == "ー" and (vowel := _VOWEL_KANA.get(_KANA.get(text[i - 1 : i], " ")[-1])):
            text = f"{text[:i]}{vowel}{text[i + 1 :]}"
    return text


def _latin(word: str) -> list[list[str]]:
    """Morae of a word in Latin letters: romaji, or English as Japanese says it."""
    word = word.replace("’", "'").strip("'")
    bare = word.replace("'", "")
    if len(bare) == 1 and bare in _TABLES["features"] and bare not in _ROMAJI:
        return [[bare]]  # a consonant, which the dictionary would call by its name
    kana = _from_romaji(word)
    # A mora of romaji is that before all: hi is ひ, not the English word.
    kana = _ROMAJI.get(word) or _TABLES["words"].get(bare, kana.replace("'", ""))
    if not _KANA_ONLY.fullmatch(kana):
        kana = "".join(said for _, said, _ in _words(bare))
        # What the dictionary does not know it spells aloud, with a mora or more for each letter.
        if not _KANA_ONLY.fullmatch(kana) or len(_morae(kana)) > len(bare):
            return _borrowed(word)
    return _morae(kana if len(_morae(kana)) == 1 else _held(kana))


def _from_romaji(word: str) -> str:
    """Hiragana of a word's romaji; letters that are none stay."""
    return _SPELT.sub(lambda match: _ROMAJI[match.group()], re.sub(r"([^aiueon])(?=\1)", "っ", word))


def _latin_part(lyric: str) -> str:
    """Letters of a lyric that is a word or part of one in Latin letters, with its hyphen; else nothing."""
    text = plain(unicodedata.normalize("NFKC", lyric)).lower().replace("’", "'").strip(' .,!?"')
    return text if re.fullmatch("'?[a-z][a-z']*-?", text) else ""


def _hyphened(lyrics: Sequence[str]) -> list[list[int]]:
    """The lyrics of each word that hyphens (``hel-``, ``lo``) spread over several, unless all are romaji."""
    texts = [_latin_part(lyric) for lyric in lyrics]
    words: list[list[int]] = []
    for i, text in enumerate(texts):
        if text and i and texts[i - 1].endswith("-"):
            words[-1].append(i)
        elif text.endswith("-"):
            words.append([i])
    bare = [text.rstrip("-") for text in texts]
    romaji = [text in _CALLS or _KANA_ONLY.fullmatch(_from_romaji(text)) for text in bare]
    return [word for word in words if 1 < len(word) <= _MOST_PARTS and not all(romaji[i] for i in word)]


def _joined(lyrics: Sequence[str]) -> dict[int, Reading]:
    """What each part of an English word sings, by the lyric's index; of what cannot be read whole nothing."""
    found: dict[int, Reading] = {}
    for word in _hyphened(lyrics):
        parts = [_latin_part(lyrics[i]).rstrip("-").strip("'") for i in word]
        try:
            morae = _latin("".join(parts)) if sum(map(len, parts)) <= _LONGEST else []
        except LyricError:
            morae = []
        if not morae:
            continue
        syllables: list[list[str]] = []
        is_romaji = _KANA_ONLY.fullmatch(_from_romaji("".join(parts)))
        for mora in morae:
            # What only ends or, in English, prolongs a syllable is no part's own.
            if syllables and (mora in (["N"], ["cl"]) or not is_romaji and mora == syllables[-1][-1:]):
                syllables[-1] += mora
            else:
                syllables.append(list(mora))
        # A consonant before a vowel begins its syllable, wherever the hyphen stands: dream- ing.
        heads = [
            before[-1] if before and part[:1] in "aeiou" and before[-1] not in "aeiouyw" else part[:1]
            for before, part in zip(["", *parts], parts)
        ]
        said = [_CLUSTER.sub(r"\g<0>u", part) for part in parts]
        shares = share_out([*map(tuple, syllables)], said, functools.partial(_begins, heads))
        found |= {i: Reading([list(unit) for unit in units]) for i, units in zip(word, shares)}
    return found


def _begins(heads: Sequence[str], k: int, phone: str) -> bool:
    """Whether an English word's part ``k`` may begin with a phone; ``heads`` are its parts' first letters."""
    return phone[0].lower() in _BEGINNINGS.get(heads[k], heads[k])


def _borrowed(word: str) -> list[list[str]]:
    """Morae of an English word, by its phones; a consonant alone takes a vowel."""
    try:
        phones = dictionary()[word][0]
    except (DataError, LookupError):
        raise LyricError(
            f"{word!r} is neither kana nor romaji nor English; write it in kana, "
            "or a word's part with a hyphen: hel- lo"
        ) from None
    text = " ".join(from_arpabet(phones))
    for pattern, sound in _TABLES["borrowed"]:
        text = re.sub(pattern, sound, text)
    return [mora.split() for mora in text.split("|") if mora.strip()]


@functools.lru_cache(maxsize=4096)
def _words(text: str) -> tuple[tuple[str, str, str], ...]:
    """Words of a text as (written, as spoken, as spelt), the last two in hiragana."""
    import pyopenjtalk

    try:
        words = pyopenjtalk.run_frontend(text)
    except Exception as error:  # the front end raises bare RuntimeErrors of many kinds
        raise LyricError(f"the dictionary could not read it ({error})") from None
    rows = [
        [word["string"], *(to_hiragana(word[x].replace("’", "")) for x in ("pron", "read"))] for word in words
    ]
    for row, word, after in zip(rows, words, rows[1:]):
        # 捨|て: the verb's kana are said by the next word.
        if word["pos"] == "動詞" and not re.search("[ぁ-ゖ]", row[0]) and after[0][:1] == row[1][1:][-1:]:
            row[1:] = [said[:-1] for said in row[1:]]
    return tuple((written, spoken, spelt) for written, spoken, spelt in rows)


def _read_text(text: str) -> str:
    """Hiragana of a text with kanji; words in kana are left as written."""
    readings = []
    for word, spoken, _ in _words(_cleaned(text)):
        written = to_hiragana(word)
        if written and not _KANA_ONLY.fullmatch(written):
            if not _KANA_ONLY.fullmatch(spoken):
                raise LyricError(f"no reading for {word!r}; write it in kana")
            written = _held(spoken)
        readings.append(written)
    return "".join(readings)


def _read_phrase(texts: Sequence[str], lyrics: list[str]) -> list[str]:
    """Hiragana of each note's share of a phrase; its lyric as it was where that fails."""
    try:
        words = _words("".join(texts))
    except LyricError:
        return lyrics
    if sum(len(word) for word, _, _ in words) != sum(map(len, texts)):
        return lyrics
    owners = [i for i, text in enumerate(texts) for _ in text]
    shares: list[list[str]] = [[] for _ in texts]
    failed: set[int] = set()
    position = 0
    for word, spoken, spelt in words:
        notes = owners[position : position + len(word)]
        position += len(word)
        parts = ["".join(c for c, n in zip(word, notes) if n == note) for note in dict.fromkeys(notes)]
        shared = _share(parts, spoken) or _share(parts, spelt)
        if len(parts) == 1 and shared and not _KANA_ONLY.fullmatch(to_hiragana(word)):
            shared = [_held(shared[0])]
        for note, share in zip(dict.fromkeys(notes), shared or parts):
            shares[note].append(share)
            if not shared:
                failed.add(note)
    return [lyrics[i] if i in failed or not share else "".join(share) for i, share in enumerate(shares)]


def _share(parts: Sequence[str], reading: str) -> list[str] | None:
    """A word's reading shared out to the notes it is written on, or None if it does not fit.

    Kana must be found in the reading; kanji take what is left. Of several ways the one
    is taken in which most parts have the reading they have alone, then the most even one.
    """
    if not any(_NEEDS_DICTIONARY.search(part) for part in parts):
        return [to_hiragana(part) for part in parts]
    if not _KANA_ONLY.fullmatch(reading):
        return None
    morae = re.findall(r"[ぁ-ゖ][ゃゅょぁぃぅぇぉゎ]?ー*|.", reading)
    if len(morae) > 20:
        return None
    patterns = [re.compile(re.sub(r"[^ぁ-ゖー]+", ".+", to_hiragana(part))) for part in parts]
    ways = _ways(morae, patterns)
    if len(ways) < 2:
        return ways[0] if ways else None
    alone = [_alone(part) for part in parts]

    def oddness(way: list[str]) -> tuple[int, int]:
        lengths = [len(share) for share in way]
        return -sum(map(operator.eq, way, alone)), max(lengths) - min(lengths)

    return min(ways, key=oddness)


def _ways(morae: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> list[list[str]]:
    """All ways to cut a reading so that each part fits its pattern."""
    if not patterns:
        return [] if morae else [[]]
    found = []
    for size in range(1, len(morae) - len(patterns) + 2):
        share = "".join(morae[:size])
        if patterns[0].fullmatch(share):
            found += [[share, *rest] for rest in _ways(morae[size:], patterns[1:])]
    return found


def _alone(part: str) -> str:
    try:
        return _read_text(part)
    except LyricError:
        return ""


LANGUAGE = Japanese()
