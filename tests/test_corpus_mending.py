"""What corpora share: known faults, small differences of labels and scores, phrases in rows of phones."""

import dataclasses

import corpora_tunes
import pytest

from nnsvs_lite.corpus.agree import agree, spelt
from nnsvs_lite.corpus.crossed import uncross
from nnsvs_lite.corpus.facts import Quirk, read_facts
from nnsvs_lite.corpus.quirks import mend_labels, mend_score
from nnsvs_lite.corpus.rows import PhoneRow, song_of_rows, with_glides
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.phonemize import attach_phones

QUIRK = {"song": "1", "what": "x", "source": "y"}
ROWS = [Segment(i, i + 1, p) for i, p in enumerate(["pau", "k", "a", "s", "a", "pau", "t", "a", "pau"])]


@pytest.mark.parametrize(
    ("find", "make", "expected"),
    [
        ("k a s", "k o s", "0 pau 1 k 2 o 3 s 4 a 5 pau 6 t 7 a 8 pau"),
        ("a s a", "a a", "0 pau 1 k 2 a 4 a 5 pau 6 t 7 a 8 pau"),
        ("s a t", "s a i t", "0 pau 1 k 2 a 3 s 4 a 4.5 i 5 pau 6 t 7 a 8 pau"),
        ("t a", "d e", "0 pau 1 k 2 a 3 s 4 a 5 pau 6 d 7 e 8 pau"),
        ("k a s a", "k a a", "0 pau 1 k 2 a 4 a 5 pau 6 t 7 a 8 pau"),
        ("k a", "g e n", "0 pau 1 g 1.66667 e 2.33333 n 3 s 4 a 5 pau 6 t 7 a 8 pau"),
    ],
)
def test_labels_are_mended_where_they_differ(find, make, expected):
    remarks = []
    rows = mend_labels(ROWS, [Quirk(**QUIRK, labels=find, make=make)], frozenset({"pau"}), remarks)
    assert " ".join(f"{row.start:g} {row.label}" for row in rows) == expected
    assert [(a.end, b.start) for a, b in zip(rows, rows[1:]) if a.end != b.start] == []
    assert len(remarks) == 1 and remarks[0].startswith("known fault (x; y)")


def test_a_listed_fault_that_is_gone_or_stands_twice_is_named():
    remarks = []
    assert mend_labels(ROWS, [Quirk(**QUIRK, labels="g a", make="k a")], frozenset({"pau"}), remarks) == ROWS
    assert remarks == ["known fault (x; y): 'g a' is not in the labels: another edition? nothing is changed"]
    with pytest.raises(DataError, match="'a' stands 3 times in the labels, once is expected"):
        mend_labels(ROWS, [Quirk(**QUIRK, labels="a", make="o")], frozenset({"pau"}), remarks)
    rows = mend_labels(ROWS, [Quirk(**QUIRK, labels="a", make="o", nth=3)], frozenset({"pau"}), remarks)
    assert [row.label for row in rows] == ["pau", "k", "a", "s", "a", "pau", "t", "o", "pau"]


def test_scores_are_mended_where_they_differ():
    score = corpora_tunes.score_of(
        [("r", 1, ""), ("C4", 1, "か"), ("D4", 1, "さ"), ("r", 1, ""), ("E4", 1, "た")]
    )
    quirks = [
        Quirk(**QUIRK, score="か さ", make="か す ね"),
        Quirk(**QUIRK, score="R た", make="て た", pitch=65),
    ]
    notes = mend_score(score.notes, quirks, [])
    assert [(n.start, n.end, n.pitch, n.lyric) for n in notes] == [
        (0, 0.5, 0, ""),
        (0.5, 1, 60, "か"),
        (1, 1.25, 62, "す"),
        (1.25, 1.5, 62, "ね"),
        (1.5, 2, 65, "て"),
        (2, 2.5, 64, "た"),
    ]
    gone = mend_score(score.notes, [Quirk(**QUIRK, score="か さ R", make="か R")], [])
    assert [(n.start, n.end, n.lyric) for n in gone][1:3] == [(0.5, 1.5, "か"), (1.5, 2, "")]


# Scores and labels that differ a little.


def _agreed(lyrics: str, labels: str):
    """Notes of half a second from 0.5 s on, and labels of 0.1 s for consonants, 0.4 s for vowels."""
    tune = [("r", 1.0, ""), *(("C4", 1.0, lyric) for lyric in lyrics.split()), ("r", 1.0, "")]
    score = corpora_tunes.score_of(tune)
    rows, now = [], 0.0
    for token in labels.split():
        phone, _, own = token.partition("=")
        length = float(own or (0.5 if phone == "pau" else 0.4 if phone in "aiueoN" else 0.1))
        rows.append(Segment(round(now, 3), round(now + length, 3), phone))
        now += length
    remarks = []
    notes, rows = agree(score.notes, rows, get_language("ja"), "x", remarks)
    sung = [note for note in notes if not note.is_rest]
    assert [p for n in sung for p in n.phones] == [
        row.label.replace("U", "u") for row in rows if row.label != "pau"
    ]
    return [(" ".join(n.phones)) for n in sung], rows, remarks


@pytest.mark.parametrize(
    ("lyrics", "labels", "phones"),
    [
        ("か さ た な", "pau k a s a t a n a pau", ["k a", "s a", "t a", "n a"]),
        ("か さ た な を", "pau k a s a t a n a w o pau", ["k a", "s a", "t a", "n a", "w o"]),
        ("か し い た な", "pau k a sh i=0.9 t a n a pau", ["k a", "sh i", "i", "t a", "n a"]),
        ("か さ た な ま", "pau k a s a N t a n a m a pau", ["k a", "s a N", "t a", "n a", "m a"]),
        ("か す た な ま", "pau k a s U t a n a m a pau", ["k a", "s u", "t a", "n a", "m a"]),
    ],
)
def test_what_a_labeller_heard_counts(lyrics, labels, phones):
    found, rows, remarks = _agreed(lyrics, labels)
    assert found == phones
    assert bool(remarks) == (labels != f"pau {' '.join(_plain(lyrics))} pau" and "U" not in labels)
    assert all(remark.endswith("; taken from the labels") for remark in remarks)


def _plain(lyrics):
    return [phone for lyric in lyrics.split() for unit in get_language("ja").units(lyric) for phone in unit]


def test_a_note_that_no_label_is_left_for_holds_the_vowel_before_it():
    _, rows, remarks = _agreed("か し い た な", "pau k a sh i=0.9 t a n a pau")
    held = [row for row in rows if row.label == "i"]
    assert [(row.start, row.end) for row in held] == [(1.1, 1.55), (1.55, 2.0)]
    assert (
        "the labels have nothing at 2.000 s where the score has 'i' (measure 1, beat 1, 'い')" in remarks[0]
    )


def test_hints_tell_what_is_sung_in_place_of_the_lyric():
    score = corpora_tunes.score_of([("C4", 1, "か"), ("D4", 1, "を"), ("E4", 1, "きっ")])
    notes = [score.notes[0], dataclasses.replace(score.notes[1], phones=("w", "o")), score.notes[2]]
    said = spelt(dataclasses.replace(score, notes=tuple(notes)))
    assert [note.lyric for note in said.notes] == ["か", "を[w o]", "きっ"]
    assert attach_phones(said).notes == said.notes


def test_boundaries_that_run_backwards_are_put_in_order():
    rows = [Segment(0, 1, "pau"), Segment(1, 0.9, "k"), Segment(0.9, 2, "a"), Segment(2, 3, "pau")]
    remarks = []
    assert uncross(rows, remarks) == [
        Segment(0, 0.9, "pau"),
        Segment(0.9, 1, "k"),
        Segment(1, 2, "a"),
        Segment(2, 3, "pau"),
    ]
    assert remarks == [
        "label 2 ('k') ends at 0.9000 s before it begins at 1.0000 s: its boundaries were put in order"
    ]
    # Half a second and more is no slip, and what does not follow is left to reconcile.
    far = [Segment(0, 1, "pau"), Segment(1, 0.4, "k"), Segment(0.4, 2, "a")]
    apart = [Segment(0, 1, "pau"), Segment(1.2, 1.1, "k"), Segment(1.3, 2, "a")]
    assert uncross(far, remarks) == far and uncross(apart, remarks) == apart and len(remarks) == 1


# Phrases in rows of phones.


def test_notes_of_rows_begin_where_finals_are_sung():
    rows = [
        PhoneRow("SP", 0.3, 0),
        PhoneRow("x", 0.1, 61),
        PhoneRow("iao", 0.3, 61),
        PhoneRow("iao", 0.2, 69, slur=True),
        PhoneRow("AP", 0.25, 0),
        PhoneRow("w", 0.05, 65),
        PhoneRow("o", 0.3, 65),
    ]
    score, labels = song_of_rows(rows, "zh", 120, "x", remarks := [])
    found = [(n.start, n.end, n.pitch, n.phones, n.lyric, n.slur) for n in score.notes]
    assert found == [
        (0, 0.4, 0, ("pau",), "", False),
        (0.4, 0.7, 61, ("x", "iao"), "xiao", False),
        (0.7, 0.9, 69, ("iao",), "", True),
        (0.9, 1.2, 0, ("br",), "", False),
        (1.2, 1.5, 65, ("w", "o"), "wo", False),
    ]
    assert [(row.start, row.label) for row in labels] == [
        (0, "pau"),
        (0.3, "x"),
        (0.4, "iao"),
        (0.7, "iao"),
        (0.9, "br"),
        (1.15, "w"),
        (1.2, "o"),
    ]
    assert remarks == [] and score.notes[1].beats == pytest.approx(0.6) and score.notes[4].beat == 2.4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([PhoneRow("x", 0.1, 61), PhoneRow("SP", 0.1, 0)], r"phone 1 \('x'\) has no vowel after it"),
        ([PhoneRow("iao", 0.1, 61, True)], "carries on a syllable, and there is none before it"),
        ([PhoneRow("qq", 0.1, 61)], "phone 1: 'qq' is no phone of Mandarin"),
        ([PhoneRow("a", -0.1, 61)], "lasts -0.1 s"),
        ([PhoneRow("a", 0.1, 0)], "is sung on a rest"),
        ([PhoneRow("SP", 0.1, 60)], "has the pitch 60"),
    ],
)
def test_rows_that_do_not_fit_are_named(rows, message):
    with pytest.raises(DataError, match=message):
        song_of_rows(rows, "zh", 120, "x", [])


def test_finals_without_an_initial_become_a_glide_and_a_final():
    finals = read_facts("m4singer").readings
    rows = [
        PhoneRow("SP", 1, 0),
        PhoneRow("iao", 0.4, 60),
        PhoneRow("iao", 0.2, 62, True),
        PhoneRow("x", 0.1, 60),
        PhoneRow("iao", 0.1, 60),
    ]
    found, count = with_glides([*rows, PhoneRow("iao", 0.1, 60, True), PhoneRow("uei", 0.2, 60)], finals)
    said = [(row.phone, round(row.seconds, 3)) for row in found]
    assert said == [
        ("SP", 1),
        ("y", 0.08),
        ("ao", 0.32),
        ("ao", 0.2),
        ("x", 0.1),
        ("iao", 0.1),
        ("iao", 0.1),
    ] + [
        ("w", 0.05),
        ("ei", 0.15),
    ]
    assert count == 2
