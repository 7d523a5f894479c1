"""Words that are given apart from the notes."""

from pathlib import Path

import pytest
from scorefiles import meta, midi_file, track
from scorexml import repeat, song, write

from nnsvs_lite import BOXED_VOICE, Singer
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import strictly
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
    ],
)
def test_running_text_is_parted(text, lang, words):
    assert split_words(text, lang) == words.split()


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
