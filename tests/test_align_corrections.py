"""Labels mended by hand: what is taken, and what is refused."""

import pytest

from nnsvs_lite.align.corrections import find_corrections, read_correction
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import write_textgrid
from nnsvs_lite.score.types import Note, Score

SCORE = Score(
    (
        Note(0.0, 0.5, 0, "", ("pau",)),
        Note(0.5, 1.0, 60, "ka", ("k", "a")),
        Note(1.0, 1.5, 62, "i", ("i",)),
        Note(1.5, 2.0, 0, "", ("pau",)),
    )
)
GOOD = [Segment(0.45, 0.5, "k"), Segment(0.5, 1.02, "a"), Segment(1.02, 1.6, "i")]


def write(path, rows, end=2.0):
    write_textgrid(path, {"phones": rows}, end)
    return path


def test_silence_may_be_empty(tmp_path):
    labels = read_correction(write(tmp_path / "x.TextGrid", GOOD), SCORE, 2.0)
    assert labels == [Segment(0.0, 0.45, "pau"), *GOOD, Segment(1.6, 2.0, "pau")]


def test_a_breath_may_be_added(tmp_path):
    rows = [*GOOD[:1], Segment(0.5, 0.9, "a"), Segment(0.9, 1.02, "br"), *GOOD[2:]]
    labels = read_correction(write(tmp_path / "x.TextGrid", rows), SCORE, 2.0)
    assert [s.label for s in labels] == ["pau", "k", "a", "br", "i", "pau"]


def test_end_is_that_of_the_audio(tmp_path):
    assert read_correction(write(tmp_path / "x.TextGrid", GOOD), SCORE, 2.005)[-1].end == 2.005
    with pytest.raises(DataError, match=r"ends at 2.000 s, the audio at 2.500 s"):
        read_correction(tmp_path / "x.TextGrid", SCORE, 2.5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([GOOD[0], GOOD[1]._replace(label="o"), GOOD[2]], "phone 2 at 0.500 s is 'o', the score has 'a'"),
        (GOOD[:2], "phone 3 is nothing, the score has 'i'"),
        ([*GOOD, Segment(1.6, 1.8, "N")], "phone 4 at 1.600 s is 'N', the score has no more"),
    ],
)
def test_other_phones_are_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message) as error:
        read_correction(write(tmp_path / "x.TextGrid", rows), SCORE, 2.0)
    assert error.value.where.endswith("x.TextGrid")


def test_corrections_belong_to_utterances(tmp_path):
    write(tmp_path / "f001_a.TextGrid", GOOD)
    assert list(find_corrections(tmp_path, ["f001_a", "f001_b"])) == ["f001_a"]
    assert find_corrections(None, []) == {}
    for name in ("f001_b.textgrid", "f001_c.TEXTGRID"):
        write(tmp_path / "new" / name, GOOD)
    assert list(find_corrections(tmp_path / "new", ["f001_b", "f001_c"])) == ["f001_b", "f001_c"]
    write(tmp_path / "new" / "f001_b.TextGrid", GOOD)
    with pytest.raises(DataError, match="is of the same utterance; one of both is needed"):
        find_corrections(tmp_path / "new", ["f001_b", "f001_c"])
    with pytest.raises(DataError, match=r"no utterance 'f001_a' \(did you mean 'f001_aa'\?\)"):
        find_corrections(tmp_path, ["f001_aa"])
    with pytest.raises(DataError, match="no such folder of corrections"):
        find_corrections(tmp_path / "none", [])
