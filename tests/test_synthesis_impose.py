"""Phone times from files: every form gives the same times, and what does not fit is named."""

import numpy as np
import pytest

from nnsvs_lite.io.ctm import Segment, write_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import write_textgrid
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.impose import read_labels
from nnsvs_lite.synthesis.singer import Singer

SCORE = attach_phones(
    Score((Note(0, 0.5, 0), Note(0.5, 1.0, 60, "さ"), Note(1.0, 2.0, 62, "くら"), Note(2.0, 2.5, 0)))
)
LABELS = [
    Segment(0.0, 0.4, "pau"),
    Segment(0.4, 0.52, "s"),
    Segment(0.52, 0.9, "a"),
    Segment(0.9, 1.0, "k"),
    Segment(1.0, 1.3, "u"),
    Segment(1.3, 1.35, "r"),
    Segment(1.35, 2.2, "a"),
    Segment(2.2, 2.6, "pau"),
]


@pytest.fixture(scope="module")
def singer(toy_voice) -> Singer:
    return Singer.load(toy_voice)


def lab(labels, unit: float, form: str) -> str:
    return "".join(f"{a / unit:{form}} {b / unit:{form}} {p}\n" for a, b, p in labels)


@pytest.mark.parametrize("form", ["hts", "seconds", "full", "ctm", "textgrid"])
def test_every_form_gives_the_same_times(form, tmp_path):
    if form == "ctm":
        path = tmp_path / "song.ctm"
        write_ctm(path, {"song": LABELS})
    elif form == "textgrid":
        path = tmp_path / "song.TextGrid"
        tier = [s for s in LABELS if s.label != "pau"]
        write_textgrid(path, {"phones": tier}, 2.6)
    elif form == "full":
        path = tmp_path / "song.lab"
        full = [s._replace(label=f"2@xx^xx-{s.label}+a=k_xx%xx/A:1-1") for s in LABELS]
        path.write_text(lab(full, 1e-7, ".0f"))
    else:
        path = tmp_path / "song.lab"
        path.write_text(lab(LABELS, 1e-7, ".0f") if form == "hts" else lab(LABELS, 1, ".3f"))
    assert read_labels(path) == LABELS


def test_the_voice_keeps_to_imposed_times(singer):
    song = singer.sing(SCORE, labels=LABELS)
    assert [p.symbol for p in song.phones] == [s.label for s in LABELS]
    for phone, label in zip(song.phones, LABELS):
        assert phone.start == pytest.approx(label.start, abs=0.003)
        assert phone.end == pytest.approx(label.end, abs=0.003)
    assert song.duration == pytest.approx(2.6, abs=0.006)
    lags = song.phrases[0].time_lag * 0.005
    # くら lies on one note, so notes begin at pau, s, k, pau.
    np.testing.assert_allclose(lags, [0, -0.1, -0.1, 0.2], atol=0.003)


def test_what_was_sung_can_be_imposed_again(singer):
    bars = [Note(0, 1, 0)]
    for k in range(5):
        t = 1.0 + 4 * k
        bars += [Note(t, t + 1, 60 + k, "さ"), Note(t + 1, t + 3, 62, "くら"), Note(t + 3, t + 4, 0)]
    score = attach_phones(Score(tuple(bars)))
    first = singer.sing(score)
    assert len(first.phrases) > 2
    again = singer.sing(score, labels=[Segment(p.start, p.end, p.symbol) for p in first.phones])
    for a, b in zip(first.phones, again.phones, strict=True):
        assert (a.symbol, a.note) == (b.symbol, b.note)
        assert b.start == pytest.approx(a.start, abs=0.0051)


def test_the_first_phone_that_differs_is_named(singer, tmp_path):
    path = tmp_path / "song.lab"
    wrong = [s._replace(label="i") if s.label == "u" else s for s in LABELS]
    path.write_text(lab(wrong, 1e-7, ".0f"))
    with pytest.raises(DataError, match=r"song.lab: phone 5 is 'i' in the labels .* and 'u' in the score"):
        singer.sing(SCORE, labels=path)
    path.write_text(lab(LABELS[:-1], 1e-7, ".0f"))
    with pytest.raises(DataError, match="7 phones in the labels, 8 in the score"):
        singer.sing(SCORE, labels=path)


def test_tempo_and_timing_do_not_go_with_labels(singer):
    for option in ({"tempo": 0.5}, {"timing": 0.0}):
        with pytest.raises(DataError, match="tempo and timing must be left at 1"):
            singer.sing(SCORE, labels=LABELS, **option)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "holds no labels"),
        ("0 100\n", "malformed line"),
        ("0 nan a\n", "ends before it starts"),
        ("0.5 0.9 pau\n", "the first label starts at 0.5 s, 0 is needed"),
        ("0.0 0.9 pau\n0.5 1.0 a\n", r"label 2 \(a, 0.5 s\) overlaps the one before"),
        ("0.0 0.9 pau\n1.1 1.4 a\n", r"label 2 \(a, 1.1 s\) leaves a gap before it"),
        ("0.0 0.9 pau\n0.9 0.9 a\n", r"label 2 \(a\) ends before it starts"),
    ],
)
def test_labels_that_cannot_be_sung(text, message, tmp_path):
    path = tmp_path / "song.lab"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_labels(path)


def test_labels_of_several_songs_and_of_an_hour_are_refused(singer, tmp_path):
    write_ctm(tmp_path / "two.ctm", {"a": LABELS, "b": LABELS})
    with pytest.raises(DataError, match="holds 2 utterances, labels of one song are needed"):
        read_labels(tmp_path / "two.ctm")
    late = [*LABELS[:-1], LABELS[-1]._replace(end=3600.0)]
    with pytest.raises(DataError, match="the labels end at 3600 s, the score at 2.5 s"):
        singer.sing(SCORE, labels=late)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"\n", b"\r\n", 3),
    ],
)
@pytest.mark.parametrize("form", [("lab", 1e-7, ".0f"), ("txt", 1, ".3f")])
def test_marks_and_line_ends_of_labels_do_not_count(form, change, tmp_path):
    suffix, unit, digits = form
    path = tmp_path / f"song.{suffix}"
    path.write_bytes(change(lab(LABELS, unit, digits).encode()))
    assert read_labels(path) == LABELS


def test_a_line_separator_ends_no_label(tmp_path):
    path = tmp_path / "song.lab"
    path.write_text("0 4000000 pau\u2028x\n4000000 5000000 a\n", encoding="utf-8")
    assert [s.label for s in read_labels(path)] == ["pau\u2028x", "a"]


@pytest.mark.parametrize(
    "name, phone", [("sil", "pau"), ("SP", "pau"), ("sp", "pau"), ("AP", "br"), ("br", "br")]
)
def test_silences_have_the_names_that_corpora_give_them(singer, name, phone):
    sung = [s._replace(label=name if s.label == "pau" else s.label) for s in LABELS]
    song = singer.sing(SCORE, labels=sung)
    assert [p.symbol for p in song.phones] == [phone if s.label == "pau" else s.label for s in LABELS]
    assert [p.start for p in song.phones] == pytest.approx([s.start for s in LABELS], abs=0.003)


def test_two_silences_and_devoiced_vowels_are_read_as_in_a_corpus(singer):
    head = [Segment(0.0, 0.1, "SP"), Segment(0.1, 0.4, "AP")]
    body = [s._replace(label="U") if s.label == "u" else s for s in LABELS[1:]]
    song = singer.sing(SCORE, labels=head + body)
    assert [p.symbol for p in song.phones] == ["br", *(s.label for s in LABELS[1:])]


@pytest.mark.parametrize("unit, end", [(1e-3, "0.00026"), (1e-6, "0.26"), (1 / 48000, "0.01248")])
def test_labels_in_another_unit_are_refused(singer, unit, end, tmp_path):
    path = tmp_path / "song.lab"
    path.write_text(lab(LABELS, unit, ".0f"))
    with pytest.raises(
        DataError, match=rf"song.lab: the labels end at {end} s, the score at 2.5 s; are the times in 100"
    ):
        singer.sing(SCORE, labels=path)
    path.write_text(lab(LABELS, 1e-3, ".1f"))
    with pytest.raises(DataError, match="the labels end at 2600 s, the score at 2.5 s; are the times in"):
        singer.sing(SCORE, labels=path)


def test_a_long_silence_after_the_song_is_no_other_unit(singer):
    song = singer.sing(SCORE, labels=[*LABELS[:-1], Segment(2.2, 20.0, "pau")])
    assert song.duration == pytest.approx(20.0, abs=0.01)
