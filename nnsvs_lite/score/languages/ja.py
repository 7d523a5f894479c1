"""Japanese: kana read as written, kanji through Open JTalk's dictionary, romaji.

Phones are those of Open JTalk and of the labels of the public Japanese singing
corpora: ``cl`` is the geminate's closure (っ), ``N`` the moraic nasal (ん), capital
vowels are devoiced (found in labels; lyrics never give them).
"""

from __future__ import annotations

import functools
import re
import unicodedata

from nnsvs_lite.score.languages.base import Language, LyricError

_FEATURES = {
    "a": "vowel voiced low central",
    "i": "vowel voiced high front",
    "u": "vowel voiced high back",
    "e": "vowel voiced mid front",
    "o": "vowel voiced mid back rounded",
    "N": "voiced nasal velar",
    "cl": "closure",
    "k": "plosive velar",
    "ky": "plosive velar palatalised",
    "kw": "plosive velar rounded",
    "g": "plosive voiced velar",
    "gy": "plosive voiced velar palatalised",
    "gw": "plosive voiced velar rounded",
    "s": "fricative alveolar",
    "sh": "fricative palatal",
    "z": "fricative voiced alveolar",
    "j": "affricate voiced palatal",
    "t": "plosive alveolar",
    "ty": "plosive alveolar palatalised",
    "ts": "affricate alveolar",
    "ch": "affricate palatal",
    "d": "plosive voiced alveolar",
    "dy": "plosive voiced alveolar palatalised",
    "n": "nasal voiced alveolar",
    "ny": "nasal voiced palatal palatalised",
    "h": "fricative glottal",
    "hy": "fricative palatal palatalised",
    "f": "fricative labial",
    "fy": "fricative labial palatalised",
    "b": "plosive voiced labial",
    "by": "plosive voiced labial palatalised",
    "p": "plosive labial",
    "py": "plosive labial palatalised",
    "m": "nasal voiced labial",
    "my": "nasal voiced labial palatalised",
    "y": "glide voiced palatal",
    "r": "liquid voiced alveolar",
    "ry": "liquid voiced alveolar palatalised",
    "w": "glide voiced labial velar",
    "v": "fricative voiced labial",
    "A": "vowel low central",
    "I": "vowel high front",
    "U": "vowel high back",
    "E": "vowel mid front",
    "O": "vowel mid back rounded",
}

# Consonants of each row, as one for the row or as five for a i u e o.
_ROWS = {
    "あいうえお": "- - - - -",
    "かきくけこ": "k k k k k",
    "がぎぐげご": "g g g g g",
    "さしすせそ": "s sh s s s",
    "ざじずぜぞ": "z j z z z",
    "たちつてと": "t ch ts t t",
    "だぢづでど": "d j z d d",
    "なにぬねの": "n n n n n",
    "はひふへほ": "h h f h h",
    "ばびぶべぼ": "b b b b b",
    "ぱぴぷぺぽ": "p p p p p",
    "まみむめも": "m m m m m",
    "らりるれろ": "r r r r r",
    "わゐゔゑを": "w - v - -",
    "ぁぃぅぇぉ": "- - - - -",
}

# First kana of a two-kana mora: its consonant before each small kana.
_GLIDES = {
    "き": "ky",
    "ぎ": "gy",
    "し": "sh",
    "じ": "j",
    "ち": "ch",
    "ぢ": "j",
    "に": "ny",
    "ひ": "hy",
    "び": "by",
    "ぴ": "py",
    "み": "my",
    "り": "ry",
    "て": "ty",
    "で": "dy",
    "ふ": "fy",
    "ゔ": "by",
}
_WITH_SMALL_VOWEL = {
    "い": ("y", "ぇ"),
    "う": ("w", "ぃぇぉ"),
    "く": ("kw", "ぁぃぇぉ"),
    "ぐ": ("gw", "ぁぃぇぉ"),
    "す": ("s", "ぃ"),
    "ず": ("z", "ぃ"),
    "つ": ("ts", "ぁぃぇぉ"),
    "て": ("t", "ぃ"),
    "で": ("d", "ぃ"),
    "と": ("t", "ぅ"),
    "ど": ("d", "ぅ"),
    "ふ": ("f", "ぁぃぇぉ"),
    "ゔ": ("v", "ぁぃぇぉ"),
}
_SMALL = dict(zip("ぁぃぅぇぉゃゅょゎ", "aiueoauoa"))


def _kana_table() -> dict[str, list[str]]:
    """Every mora in hiragana, one or two kana, with its phones."""
    table = {"ん": ["N"], "っ": ["cl"], "ゎ": ["w", "a"], "ゕ": ["k", "a"], "ゖ": ["k", "e"]}
    for kana, vowel in zip("やゆよゃゅょ", "auoauo"):
        table[kana] = ["y", vowel]
    for row, consonants in _ROWS.items():
        for kana, consonant, vowel in zip(row, consonants.split(), "aiueo"):
            table[kana] = [vowel] if consonant == "-" else [consonant, vowel]
    for kana, consonant in _GLIDES.items():
        for small in "ゃゅょ" + ("" if kana in "てでふゔ" else "ぇ"):
            table[kana + small] = [consonant, _SMALL[small]]
    for kana, (consonant, smalls) in _WITH_SMALL_VOWEL.items():
        for small in smalls:
            table[kana + small] = [consonant, _SMALL[small]]
    table["くゎ"], table["ぐゎ"] = ["kw", "a"], ["gw", "a"]
    return table


def _romaji_table() -> dict[str, str]:
    """Hepburn and Kunrei spellings of each mora, to kana."""
    table: dict[str, str] = {}
    for kana, phones in sorted(_KANA.items(), key=lambda item: len(item[0])):
        if kana not in "っぁぃぅぇぉゃゅょゎゕゖゐゑ":
            table.setdefault("".join(phones).replace("N", "n"), kana)
    kunrei = {"si": "し", "ti": "ち", "tu": "つ", "hu": "ふ", "zi": "じ", "di": "ぢ", "du": "づ", "wo": "を"}
    table.update(kunrei)
    for first, kana in {"sy": "し", "ty": "ち", "zy": "じ", "jy": "じ", "dy": "ぢ"}.items():
        table.update({first + vowel: kana + small for vowel, small in zip("auo", "ゃゅょ")})
    table["n'"] = table["nn"] = "ん"
    return table


_KANA = _kana_table()
_ROMAJI = _romaji_table()

_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
_VOICED_MARKS = str.maketrans({"゛": "\u3099", "゜": "\u309a"})
_DROPPED = re.compile(r"[\s、。，．,.!?…・「」『』（）()\[\]\"'“”‘’〝〟♪‿_*]+")
_LONG = "ー~〜-–—―"
_KANA_ONLY = re.compile(r"[ぁ-ゖーゝゞ]+")
_NEEDS_DICTIONARY = re.compile(r"[\u3400-\u9fff\uf900-\ufaff々〆〇0-9\U00020000-\U0003ffff]")


def to_hiragana(lyric: str) -> str:
    """One spelling for all: hiragana, no punctuation or blanks, ``ー`` for a long vowel."""
    text = unicodedata.normalize("NFKC", lyric.translate(_VOICED_MARKS)).translate(_TO_HIRAGANA)
    text = _DROPPED.sub("", text)
    return re.sub(f"[{re.escape(_LONG)}]+", "ー", text)


class Japanese(Language):
    """Japanese by the mora; see the module."""

    code = "ja"
    name = "Japanese"
    features = _FEATURES
    held = frozenset({"N"})
    aliases = {"q": "cl", "Q": "cl"}

    def units(self, lyric: str) -> list[list[str]]:
        """Morae of kana, romaji, or text with kanji.

        Kana are read as written: は is ``h a`` and へ is ``h e`` as particles too. A
        ``ー`` after a mora in the same lyric adds nothing: the note's length says how
        long it is. 'きっ' gives ``[["k", "i"], ["cl"]]``.

        Raises:
            LyricError: where it cannot be read.
        """
        text = to_hiragana(lyric)
        if not text:
            raise LyricError("there is nothing to sing in it")
        if text.isascii() and not text.isdigit():
            text = _romaji_to_kana(text.lower())
        elif _NEEDS_DICTIONARY.search(text):
            text = "".join(_read_text(lyric))
        morae = _morae(text)
        if not morae:
            raise LyricError("a long-vowel mark needs a vowel before it")
        return morae

    def prolongs(self, before: str, lyric: str) -> bool:
        """Whether a lyric such as あ only repeats the vowel of the one before, such as た."""
        try:
            morae = self.units(lyric)
            return morae == [self.units(before)[-1][-1:]] and morae[0][0] in self.vowels
        except LyricError:
            return False


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


def _romaji_to_kana(text: str) -> str:
    """Kana of romaji without blanks; a doubled consonant is っ."""
    kana = ""
    i = 0
    while i < len(text):
        if text[i] == text[i + 1 : i + 2] and text[i] not in "aiueon":
            kana, i = kana + "っ", i + 1
            continue
        for size in (3, 2, 1):
            part = text[i : i + size]
            if (
                len(part) == size
                and part in _ROMAJI
                and not (part == "nn" and text[i + 2 : i + 3] in "aiueoy")
            ):
                kana, i = kana + _ROMAJI[part], i + size
                break
        else:
            if text[i] != "n":
                raise LyricError(f"{text!r} is neither kana nor romaji; write it in kana")
            kana, i = kana + "ん", i + 1
    return kana


@functools.lru_cache(maxsize=4096)
def _read_text(text: str) -> tuple[str, ...]:
    """Hiragana of each word of a text with kanji; words in kana are left as written."""
    import pyopenjtalk

    try:
        words = pyopenjtalk.run_frontend(unicodedata.normalize("NFKC", text))
    except Exception as error:  # the front end raises bare RuntimeErrors of many kinds
        raise LyricError(f"the dictionary could not read it ({error})") from None
    read = []
    for word in words:
        written = to_hiragana(word["string"])
        if not written:
            continue
        if not _KANA_ONLY.fullmatch(written):
            sound = to_hiragana(word["pron"].replace("’", ""))
            if not sound or not _KANA_ONLY.fullmatch(sound):
                raise LyricError(f"no reading for {word['string']!r}; write it in kana")
            written = sound
        read.append(written)
    return tuple(read)


LANGUAGE = Japanese()
