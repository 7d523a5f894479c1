"""Words that are given apart from the notes."""

import unicodedata
from pathlib import Path

import pytest
from scorefiles import meta, midi_file, track, tune, write_all
from scorexml import attributes, document, measure, repeat, song, write

from nnsvs_lite import BOXED_VOICE, Singer
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import strictly
from nnsvs_lite.score.formats.assemble import NoLyrics
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.formats.words import split_words, with_words

TUNE = song("C4 1, D4 1, r 1, E4~ 1", f"{repeat('forward')}, ~E4 1, F4 3, {repeat('backward')}")


def lyrics(path: Path, **options) -> str:
    score = read_score(path, phones=False, **options)
    return " ".join("-" if n.slur else n.lyric for n in score.notes if not n.is_rest)


@pytest.mark.parametrize(
    ("text", "lang", "words"),
    [
        ("さくら  やよいの\nそら", "ja", "さ く ら や よ い の そ ら"),
        ("きっと キャー ー [さくら] ki-ra 桜の", "ja", "きっ と キャ - - さくら ki- ra 桜 の"),
        ("カー・ド、か。", "ja", "カ - ド か"),
        ("hel-lo - my world + don't", "en", "hel- lo - my world + don't"),
        ("你好 ni", "zh", "你 好 ni"),
        ("안녕", "ko", "안 녕"),
        (unicodedata.normalize("NFD", "がぎぱ"), "ja", "が ぎ ぱ"),
        (unicodedata.normalize("NFD", "안녕"), "ko", "안 녕"),
        ("か[k_a] さく[k_u] ー[o] [[z_e]]", "ja", "か[k_a] さ く[k_u] [o] [z_e]"),
        ("my love[en/l_ah_v] glori[a] [a_[b]", "en", "my love[en/l_ah_v] glori a a_[b"),
        ("[" * 60_000 + "ら]ら" + "[" * 60_000, "ja", "[" * 59_999 + "ら ら"),
    ],
    ids=lambda value: value[:20],
)
def test_running_text_is_parted(text, lang, words):
    # A blank inside brackets is written _ here.
    assert split_words(text.replace("_", " "), lang) == [word.replace("_", " ") for word in words.split()]


def test_a_tune_without_lyrics_is_sung_on_those_that_are_given(tmp_path, caplog):
    path = write(tmp_path, TUNE)
    with pytest.raises(DataError, match="notes without lyrics: all 5, the first at measure 1, beat 1"):
        read_score(path)
    # Of tied notes one syllable is sung; repeats are played before words are laid on them.
    assert lyrics(path, lyrics="ら") == "ら ら ら ら ら ら"
    words = tmp_path / "words.txt"
    words.write_bytes("さく\r\nら みせ".encode("cp932"))
    score = read_score(path, lyrics=words)
    assert [(n.start, n.pitch, n.phones) for n in score.notes] == [
        (0.0, 60, ("s", "a")),
        (0.5, 62, ("k", "u")),
        (1.0, 0, ("pau",)),
        (1.5, 64, ("r", "a")),
        (2.5, 65, ("m", "i")),
        (4.0, 64, ("s", "e")),
        (4.5, 65, ("e",)),
    ]
    assert "fewer than the notes, which hold the last: 1, the first at measure 2, beat 2" in caplog.text


def test_what_does_not_fit_is_told(tmp_path, caplog):
    path = write(tmp_path, song("C4 1 は, D4 1 る, E4 2 が"))
    assert lyrics(path, lyrics="さくら") == "さ く ら" and not caplog.text
    assert lyrics(path, lyrics="さ") == "さ さ さ"
    assert lyrics(path, lyrics="さく") == "さ く -"
    assert "fewer than the notes, which hold the last: 1, the first at measure 1, beat 3" in caplog.text
    assert lyrics(path, lyrics="さくらさく") == "さ く ら"
    assert "lyrics that are given find no note and are left out: 2, the first at 'さ'" in caplog.text
    with strictly(), pytest.raises(DataError, match="fewer than the notes"):
        read_score(path, lyrics="さく")
    with pytest.raises(DataError, match="the lyrics that are given hold nothing to sing"):
        read_score(path, lyrics=" -- 。")
    with pytest.raises(DataError, match="^none.txt: cannot read the lyrics: No such file"):
        read_score(path, lyrics="none.txt")
    with pytest.raises(DataError, match="score.musicxml: measure 1, beat 2: cannot read lyric 'Ж'"):
        read_score(path, lyrics="さ Ж ら")


def test_a_midi_file_without_lyrics(tmp_path):
    piano = [(0, b"\x90\x30\x50"), (480, b"\x80\x30\x00")]
    voice = [(0, meta(3, b"Vocal")), (0, b"\x91\x48\x50"), (480, b"\x81\x48\x00")]
    path = tmp_path / "tune.mid"
    path.write_bytes(midi_file(track([(0, meta(3, b"Piano")), *piano]), track(voice)))
    # The part that a voice is named for is sung.
    score = read_score(path, lang="en", lyrics="la", phones=False)
    assert [(n.pitch, n.lyric) for n in score.notes if not n.is_rest] == [(72, "la")]
    with pytest.raises(DataError) as caught:
        Singer.load(BOXED_VOICE).plan(path)
    assert str(caught.value).endswith("export it with lyrics, or as MusicXML; --lyrics gives it words")


def test_a_tune_whose_notes_overlap_downwards(tmp_path, caplog):
    path = tmp_path / "tune.mid"
    one = [(0, b"\x90\x48\x50"), (480, b"\x90\x40\x50"), (540, b"\x80\x48\x00"), (960, b"\x80\x40\x00")]
    path.write_bytes(midi_file(track(one)))
    score = read_score(path, lyrics="la", lang="en", phones=False)
    assert [(n.pitch, n.beats) for n in score.notes if not n.is_rest] == [(72, 1.0), (64, 1.0)]
    assert "notes that ran into the next were shortened: 1" in caplog.text


def test_lyrics_that_are_replaced_are_not_told_of(tmp_path):
    path = tmp_path / "tune.mid"
    note = [(0, b"\x90\x48\x50"), (480, b"\x80\x48\x00"), (0, meta(5, b"ka")), (9600, meta(5, b"ki"))]
    path.write_bytes(midi_file(track([(0, meta(0x51, b"\x07\xa1\x20"))]), track(note)))
    signs = write(tmp_path, song("C4 1 か, D4 1 *, r 2 き"))
    for name, lost in ((path, "lyrics without a note"), (signs, "lyrics are signs that nobody sings")):
        with strictly(), pytest.raises(DataError, match=lost):
            read_score(name)
        with strictly():
            assert set(lyrics(name, lyrics="ら").split()) == {"ら"}


@pytest.mark.parametrize("form", ["ust", "ustx", "svp", "vsq3", "vsq4", "vpr"])
def test_a_project_without_lyrics(tmp_path, form):
    path = write_all(tmp_path, tune("60 1, r 1, 62 2"))[form]
    with pytest.raises(NoLyrics, match="notes without lyrics: all 2"):
        read_score(path)
    found = [(n.start, n.pitch, n.phones) for n in read_score(path, lyrics="らき").notes]
    assert found == [(0, 60, ("r", "a")), (0.5, 0, ("pau",)), (1, 62, ("k", "i"))]
    assert lyrics(path, lyrics="ら") == "ら ら"


def test_the_first_part_with_notes_is_given_words(tmp_path):
    parts = (measure(f"{attributes()}, {music}", 1) for music in ("r 4", "C4 4", "E4 4"))
    path = write(tmp_path, document(*parts))
    with pytest.raises(NoLyrics):
        read_score(path)
    assert [n.pitch for n in read_score(path, lyrics="ら").notes] == [60]


def test_characters_of_no_width_are_not_read(tmp_path):
    score = read_score(write(tmp_path, song("C4 1 か\u200b, D4 1 \ufeffき, E4 1 \u2060, F4 1 く\ufe0e")))
    assert [(n.lyric, n.phones) for n in score.notes] == [
        ("か", ("k", "a")),
        ("き", ("k", "i")),
        ("", ("i",)),
        ("く", ("k", "u")),
    ]
    assert read_score(write(tmp_path, song("C4 4 lo\u200bve")), lang="en").notes[0].phones == ("l", "ah", "v")


def test_phones_of_a_file_are_what_is_sung(tmp_path):
    score = read_score(write(tmp_path, song("C4 4 は")))
    with pytest.raises(DataError, match="the file says phones"):
        with_words(score, "ら")
