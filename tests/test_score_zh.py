"""Mandarin lyrics to phones and tones."""

import pytest

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.context import note_columns, note_context
from nnsvs_lite.score.languages import LyricError, get_language
from nnsvs_lite.score.languages.zh import _PINYIN
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

ZH = get_language("zh")

# Standard readings of common words, one lyric a character, written down from general knowledge and not taken
# from a dictionary; phones as in Opencpop's table (below).
PHRASES = {
    "长大": "zh ang3 | d a4",
    "长城": "ch ang2 | ch eng2",
    "音乐": "y in1 | y ve4",
    "快乐": "k uai4 | l e4",
    "银行": "y in2 | h ang2",
    "行走": "x ing2 | z ou3",
    "重新": "ch ong2 | x in1",
    "重要": "zh ong4 | y ao4",
    "理发": "l i3 | f a4",
    "发现": "f a1 | x ian4",
    "睡觉": "sh ui4 | j iao4",
    "感觉": "g an3 | j ve2",
    "还有": "h ai2 | y ou3",
    "还给": "h uan2 | g ei3",
    "都市": "d u1 | sh i4",
    "听着": "t ing1 | zh e5",
    "朝阳": "zh ao1 | y ang2",
    "朝代": "ch ao2 | d ai4",
    "音樂": "y in1 | y ve4",
    "頭髮": "t ou2 | f a4",
    "旅行": "l v3 | x ing2",
    "女人": "n v3 | r en2",
    "月亮": "y ve4 | l iang4",
    "永远": "y ong3 | y van3",
    "雨季": "y v3 | j i4",
    "去年": "q v4 | n ian2",
    "军人": "j vn1 | r en2",
    "我们": "w o3 | m en5",
    "五月": "w u3 | y ve4",
}

# Pinyin to phones: dictionaries/opencpop.txt of DiffSinger, with tones, other spellings and erhua added.
PINYIN = {
    "ni3": "n i3",
    "nǐ": "n i3",
    "ni": "n i0",
    "lü4": "l v4",
    "lv4": "l v4",
    "lu:4": "l v4",
    "lǜ": "l v4",
    "lüe4": "l ve4",
    "lue4": "l ve4",
    "ju2": "j v2",
    "xuan1": "x van1",
    "qun2": "q vn2",
    "yu3": "y v3",
    "yue4": "y ve4",
    "yuan2": "y van2",
    "yong3": "y ong3",
    "xiong2": "x iong2",
    "wu3": "w u3",
    "weng1": "w eng1",
    "er2": "er2",
    "zhi1": "zh i1",
    "liu2": "l iu2",
    "liou2": "l iu2",
    "gui4": "g ui4",
    "guei4": "g ui4",
    "dun1": "d un1",
    "ma5": "m a5",
    "ma0": "m a5",
    "huar1": "h ua rr1",
    "wánr": "w an rr2",
    "NI3": "n i3",
    "ng2": "ng2",
    "a": "a0",
    "xi'an": "x i . an0",
    "nihao": "n i . h ao0",
    "ni3hao3": "n i . h ao3",
}


def sung(reading) -> str:
    return " . ".join(" ".join(unit) for unit in reading.units) + str(reading.tone)


@pytest.mark.parametrize(("text", "phones"), PHRASES.items())
def test_characters_are_read_in_their_words(text, phones):
    assert " | ".join(map(sung, ZH.read_phrase(list(text)))) == phones


@pytest.mark.parametrize(("lyric", "phones"), PINYIN.items())
def test_pinyin(lyric, phones):
    [reading] = ZH.read_phrase([lyric])
    units = sung(reading)
    if " . " in units:  # the tone is the first syllable's
        units = units[:-1] + phones[-1]
    assert units == phones


@pytest.mark.parametrize(
    ("lyrics", "phones"),
    [
        (["花儿"], "h ua rr1"),
        (["花", "儿"], "h ua1 | er2"),
        (["女儿"], "n v . er3"),
        (["银", "hang2", "行"], "y in2 | h ang2 | x ing2"),
        (["我，", "「爱」", "你！"], "w o3 | ai4 | n i3"),
        (["長", "城"], "ch ang2 | ch eng2"),
    ],
)
def test_lyrics_of_several_kinds(lyrics, phones):
    assert " | ".join(map(sung, ZH.read_phrase(lyrics))) == phones


@pytest.mark.parametrize(
    ("lyrics", "index", "said"),
    [
        (["爱", "love"], 1, "'love' is not pinyin"),
        (["爱", "你!", "さ"], 2, "not pinyin"),
        (["爱x"], 0, "no reading for 'x' among characters"),
        (["…"], 0, "nothing to sing"),
        (["3"], 0, "not pinyin|nothing to sing"),
        (["a" * 500], 0, "not pinyin"),
        (["我", "bv1"], 1, "not pinyin"),
    ],
)
def test_unreadable_lyrics_are_named(lyrics, index, said):
    with pytest.raises(LyricError, match=said) as caught:
        ZH.read_phrase(lyrics)
    assert caught.value.index == index


def test_every_syllable_of_the_dictionary_is_known():
    from pypinyin.constants import PINYIN_DICT
    from pypinyin.contrib.tone_convert import to_normal

    spelt = {to_normal(p, v_to_u=False) for row in PINYIN_DICT.values() for p in row.split(",")}
    assert spelt - set(_PINYIN) <= {"bong"}
    assert len(spelt) > 400


def test_phones():
    assert len(ZH.phones) == 2 + 23 + 36 + 1
    assert len({ZH.classes(phone) for phone in ZH.phones}) == len(ZH.phones)
    assert ZH.onset_count(("zh", "ang")) == 1 and ZH.onset_count(("er",)) == 0
    assert ZH.coda_count(("h", "ua", "rr")) == 1 and ZH.coda_count(("n", "ing")) == 0
    assert "ng" in ZH.vowels and ZH.normal("SP") == "pau" and ZH.normal("AP") == "br"


def score_of(*lyrics: str) -> Score:
    notes = [
        Note(i * 0.5, i * 0.5 + 0.5, 60, lyric, measure=1, beat=float(i)) for i, lyric in enumerate(lyrics)
    ]
    return Score((*notes, Note(len(notes) * 0.5, len(notes) * 0.5 + 1, 0)), "zh")


def test_tones_reach_the_context():
    score = attach_phones(score_of("月", "亮", "-", "代", "表"))
    assert [note.phones for note in score.notes[:3]] == [("y", "ve"), ("l", "iang"), ("iang",)]
    assert [note.tone for note in score.notes] == [4, 4, 4, 4, 3, 0]
    column = [c.name for c in note_columns(ZH)].index("tone")
    context = note_context(score)
    assert context[:, column].tolist() == [float(note.tone) for note in score.notes]
    assert Score.from_json(score.to_json()).notes == score.notes


def test_other_languages_have_no_tone_column():
    for code in ("ja", "en", "ko", "de"):
        assert "tone" not in [c.name for c in note_columns(get_language(code))]


def test_a_word_on_one_note_goes_on_over_the_next():
    score = attach_phones(score_of("我们", "-", "-"))
    assert [note.phones for note in score.notes[:3]] == [("w", "o"), ("m", "en"), ("en",)]


def test_the_place_of_an_unreadable_syllable_is_named():
    with pytest.raises(DataError, match=r"measure 1, beat 2: cannot read lyric 'love'"):
        attach_phones(score_of("我", "love", "你"))


def test_a_missing_package_is_named(monkeypatch):
    import sys

    from nnsvs_lite.score.languages import zh

    zh._read_characters.cache_clear()
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    with pytest.raises(DataError, match=r"pip install 'nnsvs_lite\[zh\]'"):
        ZH.units("爱")
    assert ZH.units("ai4") == [["ai"]]
