"""German, French, Italian and Spanish lyrics to phones, by way of eSpeak NG."""

import sys
from pathlib import Path

import pytest

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.context import note_context, phone_context
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import LyricError, espeak, get_language
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

pytest.importorskip("espeakng_loader")
sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import spelt

CODES = ("de", "es", "fr", "it")

# Words as they stand under notes. The sounds are those of Wiktionary's broad transcriptions
# (collected by WikiPron, Lee et al., LREC 2020), in this toolkit's symbols; the cuts between
# syllables are those of printed scores. French mute e that is sung (marked *) is added to it.
DE = """
    Lie-be: l iː | b ə; Her-zen: h ɛ r | ts ə n; Son-ne: z ɔ | n ə; Nacht: n a x t; Tag: t aː k
    Ta-ge: t aː | ɡ ə; Mäd-chen: m ɛː t | ç ə n; Vo-gel: f oː | ɡ ə l; Rös-lein: r øː s | l aɪ n
    Früh-ling: f r yː | l ɪ ŋ; träu-men: t r ɔʏ | m ə n; sin-gen: z ɪ ŋ | ə n; Kö-nig: k øː | n ɪ ç
    ew-ig: eː | v ɪ ç; Hand: h a n t; Hän-de: h ɛ n | d ə; Kind: k ɪ n t; Glück: ɡ l ʏ k
    Schmerz: ʃ m ɛ r ts; Va-ter: f aː | t ɐ; lieb: l iː p; Berg: b ɛ r k; Lied: l iː t; Lie-der: l iː | d ɐ
    Blu-me: b l uː | m ə; Quel-le: k v ɛ | l ə; durch: d ʊ r ç; Grab: ɡ r aː p; Ge-sang: ɡ ə | z a ŋ
"""
FR = """
    a-mour: a | m u ʁ; fleur: f l œ ʁ; prin-temps: p ʁ ɛ̃ | t ɑ̃; oi-seau: w a | z o; nuit: n ɥ i
    so-leil: s ɔ | l ɛ j; cœur: k œ ʁ; a-gneau: a | ɲ o; temps: t ɑ̃; vieux: v j ø; main: m ɛ̃
    ma-tin: m a | t ɛ̃; che-val: ʃ ə | v a l; bon-heur: b ɔ | n œ ʁ; som-meil: s ɔ | m ɛ j
    par-fum: p a ʁ | f œ̃; lu-mière: l y | m j ɛ ʁ; chan-ter: ʃ ɑ̃ | t e; juil-let: ʒ ɥ i | j ɛ
    mai-son: m ɛ | z ɔ̃; en-fant: ɑ̃ | f ɑ̃; loin: l w ɛ̃; femme: f a m; ville: v i l; fille: f i j
    rê-ve: ʁ ɛ | v ə; dou-ce-ment: d u | s ə | m ɑ̃; ro-se: ʁ o | z ə; cho-se: ʃ o | z ə; lu-ne: l y | n ə
    ê-tre: ɛ | t ʁ ə; ri-viè-re: ʁ i | v j ɛ | ʁ ə; quel-que: k ɛ l | k ə; bel-les: b ɛ | l ə
"""
IT = """
    a-mo-re: a | m o | r e; bel-la: b ɛ l | l a; cie-lo: tʃ ɛ | l o; pa-ce: p a | tʃ e; fi-glio: f i ʎ | ʎ o
    gat-to: ɡ a t | t o; o-gni: o ɲ | ɲ i; gra-zia: ɡ r a t | ts j a; ra-gaz-za: r a | ɡ a t | ts a
    giar-di-no: dʒ a r | d i | n o; che-to: k e | t o; scel-ta: ʃ e l | t a; chiu-so: k j u | z o
    ac-qua: a k | k w a; uo-mo: w ɔ | m o; stel-la: s t e l | l a; not-te: n ɔ t | t e; vo-ce: v o | tʃ e
    guer-ra: ɡ w ɛ r | r a; quan-do: k w a n | d o; oc-chi: ɔ k | k i; ge-lo: dʒ ɛ | l o; zi-o: dz i | o
    gio-ia: dʒ ɔ | j a; fan-ciul-la: f a n | tʃ u l | l a; cuo-re: k w ɔ | r e; mez-zo: m ɛ d | dz o
"""
ES = """
    co-ra-zón: k o | ɾ a | θ o n; cie-lo: θ j e | l o; a-gua: a | ɡ w a; gui-ta-rra: ɡ i | t a | r a
    pe-rro: p e | r o; pe-ro: p e | ɾ o; no-che: n o | tʃ e; ni-ño: n i | ɲ o; lla-mar: ʎ a | m a ɾ
    mu-jer: m u | x e ɾ; gen-te: x e n | t e; a-zul: a | θ u l; rí-o: r i | o; sue-ño: s w e | ɲ o
    llu-via: ʎ u | b j a; ca-ba-llo: k a | b a | ʎ o; o-jos: o | x o s; que-rer: k e | ɾ e ɾ; vi-da: b i | d a
    ha-blar: a | b l a ɾ; san-gre: s a n | ɡ ɾ e; cuan-do: k w a n | d o; za-pa-to: θ a | p a | t o
    ver-güen-za: b e ɾ | ɡ w e n | θ a; via-je: b j a | x e; can-ción: k a n | θ j o n; tren: t ɾ e n
"""


def _rows(code: str, table: str) -> list[tuple[str, str, str]]:
    items = [item.split(":", 1) for line in table.strip().splitlines() for item in line.split(";")]
    return [(code, word.strip(), phones.strip().replace("iː iː", "iː")) for word, phones in items]


def under_notes(word: str) -> list[str]:
    *first, last = word.split("-")
    return [*(part + "-" for part in first), last]


def sung(code: str, lyrics: list[str]) -> str:
    readings = get_language(code).read_phrase(lyrics)
    return " | ".join(" ".join(p for unit in r.units for p in unit) or "(held)" for r in readings)


@pytest.mark.parametrize(
    ("code", "word", "phones"), [*_rows("de", DE), *_rows("fr", FR), *_rows("it", IT), *_rows("es", ES)]
)
def test_words(code, word, phones):
    assert sung(code, under_notes(word)) == phones


# Lines of songs and poems. The elisions and liaisons are those that singers are taught, worked out by
# hand from general knowledge.
@pytest.mark.parametrize(
    ("code", "lyrics", "phones"),
    [
        ("fr", "les a- mis", "l e | z a | m i"),
        ("fr", "un en- fant", "œ̃ | n ɑ̃ | f ɑ̃"),
        ("fr", "vous a- vez", "v u | z a | v e"),
        ("fr", "a- vec elle", "a | v ɛ | k ɛ l"),
        ("fr", "vains ob- jets", "v ɛ̃ | z ɔ b | ʒ ɛ"),
        ("fr", "tout est dit", "t u | t ɛ | d i"),
        ("fr", "l'a- mour", "l a | m u ʁ"),
        ("fr", "l' a- mour", "l a | (held) | m u ʁ"),
        ("fr", "j’ai, ai- mé", "ʒ e | ɛ | m e"),
        ("fr", "chos' qui", "ʃ o z | k i"),
        ("fr", "N’est- ce pas", "n ɛ | s ə | p a"),
        ("fr", "na- ti- on", "n a | s i | ɔ̃"),
        ("fr", "il y a", "i | l i | a"),
        ("it", "in- va- no", "i n | v a | n o"),
        ("it", "Già l’u- scio", "dʒ a | l u ʃ | ʃ o"),
        ("it", "be- a- te, a- u- re", "b e | a | t e | a | u | r e"),
        ("it", "se- i mie- i", "s ɛ | i | m j ɛ | i"),
        ("it", "V’ac- cer- ta- te", "v a t | tʃ e r | t a | t e"),
        ("it", "mi_ac- cen- di", "m i a t | tʃ ɛ n | d i"),
        ("it", "at- tor- no_a", "a t | t o r | n o a"),
        ("it", "contro_il", "k o n t r o i l"),
        ("es", "los a- mi- gos", "l o | s a | m i | ɡ o s"),
        ("es", "su- a- ve", "s u | a | b e"),
        ("es", "sua- ve", "s w a | b e"),
        ("es", "¿Qué_es la vi- da?", "k e e s | l a | b i | d a"),
        ("de", "hab' ein Bäch- lein", "h aː p | aɪ n | b ɛ ç | l aɪ n"),
        ("de", "geh'n ge- hen", "ɡ eː n | ɡ eː | ə n"),
        ("de", "Thrä- nen Schooss", "t r ɛː | n ə n | ʃ oː s"),
        ("de", "der Tod und das Mäd- chen", "d eː r | t oː t | ʊ n t | d a s | m ɛː t | ç ə n"),
        ("de", "Na- ti- on", "n a | ts iː | oː n"),
    ],
)
def test_phrases(code, lyrics, phones):
    assert sung(code, [lyric.replace("_", " ") for lyric in lyrics.split()]) == phones


# Rules beyond eSpeak NG's, each with its neighbours, and words that a rule must leave alone.
RULES = {
    "de": {
        # Old spellings.
        "Thal thun Gluth roth werth Athem": "t aː l, t uː n, ɡ l uː t, r oː t, v eː r t, aː t ə m",
        "Blüthe Räthsel Thräne That": "b l yː t ə, r ɛː ts ə l, t r ɛː n ə, t aː t",
        "seyn bey frey May": "z aɪ n, b aɪ, f r aɪ, m aɪ",
        "giebt gieng todt blos": "ɡ iː p t, ɡ ɪ ŋ, t oː t, b l oː s",
        "daß muß Kuß Schloß gewiß": "d a s, m ʊ s, k ʊ s, ʃ l ɔ s, ɡ ə v ɪ s",
        "groß Muße weiß ließ": "ɡ r oː s, m uː s ə, v aɪ s, l iː s",
        "Rathhaus Gottheit enthüllt": "r aː t h aʊ s, ɡ ɔ t h aɪ t, ɛ n t h ʏ l t",
        # chs within a stem, and at its end.
        "wachsen Fuchs Ochse sechs wechselt": "v a k s ə n, f ʊ k s, ɔ k s ə, z ɛ k s, v ɛ k s ə l t",
        "sprichst weichst höchste lachst": "ʃ p r ɪ ç s t, v aɪ ç s t, h øː ç s t ə, l a x s t",
        "Milch durch Kirche Furcht euch": "m ɪ l ç, d ʊ r ç, k ɪ r ç ə, f ʊ r ç t, ɔʏ ç",
        "Röschen Höschen Häuschen": "r øː s ç ə n, h øː s ç ə n, h ɔʏ s ç ə n",
        # Short forms.
        "d'rum d’ran d’rin 'ne ’nen": "d r ʊ m, d r aː n, d r ɪ n, n ə, n ə n",
        "ew'ge sel'ge heil'ge g'sund": "eː v ɡ ə, z eː l ɡ ə, h aɪ l ɡ ə, ɡ z ʊ n t",
        # Single words.
        "finster Gespenster damit dahin": "f ɪ n s t ɐ, ɡ ə ʃ p ɛ n s t ɐ, d a m ɪ t, d a h ɪ n",
        "Gnade vergnügt dunkel lieblich": "ɡ n aː d ə, f ɛ r ɡ n yː k t, d ʊ ŋ k ə l, l iː p l ɪ ç",
    },
    "fr": {
        "amer mer fer aimer": "a m ɛ ʁ, m ɛ ʁ, f ɛ ʁ, ɛ m e",
        "fusil sourcil fil péril": "f y z i, s u ʁ s i, f i l, p e ʁ i l",
        "fils ours os hélas pas": "f i s, u ʁ s, ɔ s, e l a s, p a",
        "prier cruel pluie rien": "p ʁ i j e, k ʁ y ɛ l, p l ɥ i, ʁ j ɛ̃",
        "fleuve jeune heureuse feu": "f l œ v, ʒ œ n, ø ʁ ø z, f ø",
        "joues roue notre dos": "ʒ u, ʁ u, n ɔ t ʁ, d o",
    },
    "it": {
        "ch'io ch’è Ch'amor perch'": "k j o, k ɛ, k a m o r, p ɛ r k",
        "anch'io c'era gl'occhi d'oro": "a n k j o, tʃ ɛ r a, ʎ ɔ k k i, d ɔ r o",
        "figlio ogni lascia": "f i ʎ ʎ o, o ɲ ɲ i, l a ʃ ʃ a",
        "scena gli conscio gnomo": "ʃ ɛ n a, ʎ i, k ɔ n ʃ o, ɲ ɔ m o",
    },
    "es": {
        "día alegría guía": "d i a, a l e ɡ ɾ i a, ɡ i a",
        "É à y": "e, a, i",
        "ser yzenta ya": "s e ɾ, i θ e n t a, ʝ a",
    },
}


@pytest.mark.parametrize(
    ("code", "word", "phones"),
    [
        (code, word, phones)
        for code, rows in RULES.items()
        for words, sounds in rows.items()
        for word, phones in zip(words.split(), sounds.split(", "), strict=True)
    ],
)
def test_rules(code, word, phones):
    assert " ".join(p for unit in get_language(code).units(word) for p in unit) == phones


@pytest.mark.parametrize(
    ("code", "lyrics", "phones"),
    [
        ("fr", ["Ò"], "o"),
        ("fr", ["é- toile"], "e t w a l"),
        ("fr", ["l'Ether"], "l e t ɛ ʁ"),
        ("fr", ["S'é-", "lève"], "s e | l ɛ v"),
        ("it", ["l'", "m'"], "l | m"),
        ("it", ["e 'l", "cor"], "e l | k ɔ r"),
        ("de", ["'s ist"], "s ɪ s t"),
        ("de", ["O", "m"], "oː | m"),
        ("de", ["Pst!", "hm"], "p s t | h m"),
        ("es", ["y", "m"], "i | m"),
        ("es", ["two"], "t w o"),
    ],
)
def test_no_letter_is_spelt_aloud(code, lyrics, phones):
    assert sung(code, lyrics) == phones


def test_words_that_are_spelt_are_found(tmp_path, capsys, monkeypatch):
    """The tool's figures, with a language that knows no better than eSpeak NG."""
    verses = tmp_path / "verses.txt"
    verses.write_text("o rna ch'io\n\nil fl cor 2\nmia vita\n")
    score = Score((Note(0, 1, 60, "ml"), Note(1, 2, 60, "-"), Note(2, 3, 0), Note(3, 4, 60, "cor")), "it")
    monkeypatch.setattr(spelt, "read_score", lambda path, **options: score)
    paths = [str(verses), str(tmp_path / "a.mid")]
    spelt.main("it", *paths)
    assert capsys.readouterr().out.startswith("7 lyrics, 7 different; 0 seem spelt, 1 not read\n")
    monkeypatch.setattr(espeak.EspeakLanguage, "_is_spelt", lambda *_: False)
    monkeypatch.setattr(espeak, "vowel_letters", lambda text: 1)
    spelt.main("it", *paths)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "7 lyrics, 7 different; 2 seem spelt, 1 not read"
    assert [line.split(":")[0].split()[-1] for line in said[1:3]] == ["rna", "ml"]
    assert "no reading for the number in '2'" in said[3]


@pytest.mark.parametrize("code", CODES)
def test_letters_have_no_names(code):
    language = get_language(code)
    for letter in "abcdefghijklmnopqrstuvwxyzàâäéèêëíìîïóòôöúùûüçñßœæø":
        for lyric in (letter, letter.upper(), letter + "'", "’" + letter):
            phones = [phone for unit in language.units(lyric) for phone in unit]
            assert sum(phone in language.nuclei for phone in phones) <= 1, lyric


@pytest.mark.parametrize("apostrophe", "'’‘ʼ´`ʹ′‛ʻ＇")
def test_apostrophes_of_every_form(apostrophe):
    assert sung("it", [f"ch{apostrophe}io"]) == "k j o"
    assert sung("fr", [f"l{apostrophe}a-", "mour"]) == "l a | m u ʁ"
    assert sung("de", [f"d{apostrophe}rum"]) == "d r ʊ m"


@pytest.mark.parametrize("code", CODES)
def test_phones(code):
    language = get_language(code)
    assert len({language.classes(phone) for phone in language.phones}) == len(language.phones)
    assert len(set(language.phones)) == len(language.phones)
    assert all(" " not in phone for phone in language.phones)
    assert language.onset_count(("s", "a", "n")) == 1 and language.coda_count(("s", "a", "n")) == 1


# The order of phones is part of trained voices: new ones may only be added at the end.
@pytest.mark.parametrize(
    ("code", "count", "ends"), [("de", 47, "a j"), ("fr", 39, "a ɥ"), ("it", 33, "a w"), ("es", 28, "a w")]
)
def test_phone_numbers_stay(code, count, ends):
    phones = get_language(code).phones
    assert (len(phones[:count]), phones[:3]) == (count, ("pau", "br", ends.split()[0]))
    assert phones[count - 1] == ends.split()[1]


@pytest.mark.parametrize("code", CODES)
def test_made_up_and_foreign_words_stay_within_the_phone_set(code):
    language = get_language(code)
    words = "thou weight jump charming wxyz pneu qat schtroumpf häagen niño fjord Jazz tch aeiou sz Ljubljana"
    for word in [*words.split(), *"bcdfghjklmnpqrstvwxyz"]:
        phones = [phone for unit in language.units(word) for phone in unit]
        assert phones and all(phone in language for phone in phones), word


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    ("lyrics", "index", "said"),
    [
        (["la", "愛"], 1, "no reading for '愛'"),
        (["la", "la", "3"], 2, "write it in words"),
        (["…"], 0, "nothing"),
    ],
)
def test_unreadable_lyrics_are_named(code, lyrics, index, said):
    with pytest.raises(LyricError, match=said) as caught:
        get_language(code).read_phrase(lyrics)
    assert caught.value.index == index


def test_same_reading_every_time_and_in_any_order():
    first = [espeak.transcribe.__wrapped__(w, "de") for w in ("Liebe", "Tag")]
    espeak.transcribe.__wrapped__("amour", "fr")
    assert [espeak.transcribe.__wrapped__(w, "de") for w in ("Liebe", "Tag")] == first


def test_a_missing_package_is_named(monkeypatch):
    # The library stays as it is: started twice in one process, it may crash.
    monkeypatch.setattr(espeak, "_library", espeak._library.__wrapped__)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak.transcribe.cache_clear()
    with pytest.raises(DataError, match=r"pip install 'nnsvs_lite\[espeak\]'"):
        get_language("de").units("Tag")


def test_melismas_and_words_over_notes():
    lyrics = ["Lie-", "", "be", "Himmel", "", "", "Tag", ""]
    notes = [Note(i, i + 1, 60, text, slur=not text) for i, text in enumerate(lyrics)]
    score = attach_phones(Score((*notes, Note(8, 9, 0)), "de"))
    assert [" ".join(note.phones) for note in score.notes] == [
        "l iː",
        "iː",
        "b ə",
        "h ɪ",
        "m ə",
        "ə l",
        "t aː",
        "aː k",
        "pau",
    ]
    assert note_context(score).shape[0] == 9 and phone_context(score).shape[0] == len(score.phones)


# Language of each score; three of the folder en are German songs.
SCORES = {
    "de/11_Daphne_am_Bach_lc5087973.mxl": "de",
    "de/3_Durch_die_bunten_Rosenhecken_lc5002087.mxl": "de",
    "de/7_Die_Wiese_lc5046362.mxl": "de",
    "de/8_Kaeuzlein_lc5002015.mxl": "de",
    "en/1_Du_liebes_Auge_lc4928153.mxl": "de",
    "en/2_Angedenken_lc5043586.mxl": "de",
    "en/2_Lenz_lc5117956.mxl": "de",
    "en/5_With_Rue_my_Heart_is_Laden_lc6379750.mxl": "en",
    "fr/1_Elégie_lc6988229.mxl": "fr",
    "fr/Ronde_des_pauvres_lc6594151.mxl": "fr",
    "it/10_Spirate_pur,_spirate_lc29420288.mxl": "it",
    "it/5_Poesia_di_Metastasio_(I)_lc5100080.mxl": "it",
    "it/Ai_que_broma!_lc6609555.mxl": "it",
    "it/Mattinata_lc29421746.mxl": "it",
}


@pytest.mark.parametrize(("name", "lang"), SCORES.items())
def test_real_scores(shared_data, name, lang):
    score = read_score(shared_data / "scores" / name, lang=lang)
    language = get_language(lang)
    for note in score.notes:
        assert note.is_rest or any(phone in language.vowels for phone in note.phones), note
    assert note_context(score).shape[0] == len(score.notes)
