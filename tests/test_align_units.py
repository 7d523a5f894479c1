"""Words and dictionaries from the score, and the way back."""

import pytest

from nnsvs_lite.align.units import Dictionary, check_texts, fit_to_score, units_of
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Score


def score(
    *notes: tuple[str, ...], slurs: tuple[int, ...] = (), lyrics: dict[int, str] | None = None
) -> Score:
    found = []
    for i, phones in enumerate(notes):
        rest = phones[0] in ("pau", "br")
        lyric = (lyrics or {}).get(i, "".join(phones))
        found.append(
            Note(float(i), i + 1.0, 0 if rest else 60, "" if rest else lyric, phones, slur=i in slurs)
        )
    return Score(tuple(found))


SONG = score(
    ("pau",), ("s", "a", "i"), ("k", "u"), ("u",), ("br",), ("r", "a"), ("cl",), ("pau",), slurs=(3,)
)


def spans(unit):
    return [(tuple(SONG.phones[a:b]), a, b) for a, b in units_of(SONG, unit)]


def test_units_of_each_kind():
    assert spans("phrase") == [(("s", "a", "i", "k", "u", "u"), 1, 7), (("r", "a", "cl"), 8, 11)]
    assert spans("word") == spans("phrase")  # Japanese lyrics have no spaces
    assert spans("syllable") == [
        (("s", "a", "i"), 1, 4), (("k", "u", "u"), 4, 7), (("r", "a"), 8, 10), (("cl",), 10, 11),
    ]  # fmt: skip
    assert spans("mora") == [
        (("s", "a"), 1, 3), (("i",), 3, 4), (("k", "u", "u"), 4, 7), (("r", "a"), 8, 10), (("cl",), 10, 11),
    ]  # fmt: skip


def test_words_are_parted_by_spaces():
    song = score(("pau",), ("h", "e"), ("l", "o"), ("y", "u"), lyrics={1: "hel", 2: "lo ", 3: "you"})
    assert [song.phones[a:b] for a, b in units_of(song, "word")] == [["h", "e", "l", "o"], ["y", "u"]]


def test_dictionary_has_one_word_a_pronunciation():
    words = Dictionary()
    assert [words[p] for p in (("k", "a"), ("N",), ("k", "a"), ("n",))] == [
        "w00000", "w00001", "w00000", "w00002",
    ]  # fmt: skip
    assert words.text({}) == "w00000\tk a\nw00001\tN\nw00002\tn\n"


def test_dictionary_has_the_form_of_the_one_mfa_read(shared_data):
    real = (shared_data / "mfa_run" / "dictionary.dict").read_text().splitlines()
    words = Dictionary()
    names = [words[tuple(line.split("\t")[1].split())] for line in real]
    renamed = [f"{name}\t{line.split(chr(9))[1]}" for name, line in zip(names, real)]
    assert words.text({}).splitlines() == sorted(set(renamed))


def test_faulty_texts_are_all_reported():
    songs = {
        "a": SONG,
        "b": score(("pau",), ("pau",)),
        "c": Score((Note(0, 1, 60, "かx", (), measure=3, beat=1.0), Note(1, 2, 60, "q", ("q",), measure=4))),
    }
    found = check_texts(songs, ["a", "b", "c", "d"])
    assert found == [
        "b: nothing is sung in its score",
        "c: measure 3, beat 2: lyric 'かx' has no pronunciation",
        "c: measure 4, beat 1: 'q' is no phone of 'ja'",
        "d: has no score; lyrics alone are aligned in a data dir where no other has one",
    ]


def test_gaps_of_the_aligner_become_the_score_s_rests():
    found = [
        Segment(0.0, 0.5, ""), Segment(0.5, 0.6, "s"), Segment(0.6, 0.9, "a"), Segment(0.9, 1.0, "i"),
        Segment(1.0, 1.1, "k"), Segment(1.1, 1.2, "u"), Segment(1.3, 1.5, "u"), Segment(1.5, 1.5, "r"),
        Segment(1.5, 2.0, "a"), Segment(2.0, 2.1, "cl"), Segment(2.1, 3.0, "sil"),
    ]  # fmt: skip
    labels = fit_to_score(found, SONG, 3.0, "x")
    assert [s.label for s in labels] == SONG.phones
    assert labels[0] == Segment(0.0, 0.5, "pau")
    assert labels[5] == Segment(1.1, 1.3, "u")  # silence that the score lacks goes to the phone before
    assert labels[7] == Segment(1.5, 1.51, "br")  # a rest in which no silence was heard
    assert labels[8].start == 1.51 and labels[9].start == 1.52  # no phone is without length
    assert labels[-1] == Segment(2.1, 3.0, "pau")


def test_foreign_phones_are_named():
    with pytest.raises(DataError, match="phone 2 at 1.000 s is 'o', the score has 'a'"):
        fit_to_score([Segment(0, 1, "s"), Segment(1, 2, "o")], SONG, 3.0, "x")
    with pytest.raises(DataError, match="phone 2 is nothing, the score has 'a'"):
        fit_to_score([Segment(0, 1, "s")], SONG, 3.0, "x")


def test_phones_of_a_model_may_have_other_names():
    names = {"k": "c", "u": "ɯ"}
    words = Dictionary()
    assert words["k", "u", "a"] == "w00000"
    assert words.text(names) == "w00000\tc ɯ a\n"
    song = score(("pau",), ("k", "u", "a"), ("pau",))
    found = [Segment(1.0, 1.2, "c"), Segment(1.2, 1.4, "ɯ"), Segment(1.4, 1.8, "a")]
    assert [s.label for s in fit_to_score(found, song, 3.0, "x", names)] == song.phones
    with pytest.raises(DataError, match="phone 1 at 1.000 s is 'c', the score has 'k'"):
        fit_to_score(found, song, 3.0, "x")
