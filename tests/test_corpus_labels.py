"""Corpus labels and scores brought to the same phones."""

import dataclasses
from pathlib import Path

import pytest
from scorexml import contiguous

from nnsvs_lite.corpus.check_score import check_score
from nnsvs_lite.corpus.labels import reconcile
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.htslabel import read_lab
from nnsvs_lite.score.formats.musicxml import read_musicxml
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score


def score(text: str) -> Score:
    """From ``- 1, k a 1, N 0.5``: phones and beats of notes at one beat a second."""
    notes, now = [], 0.0
    for part in text.split(", "):
        *phones, beats = part.split()
        rest = phones == ["-"]
        notes.append(
            Note(
                now,
                now + float(beats),
                0 if rest else 60,
                "" if rest else "か",
                ("pau",) if rest else tuple(phones),
                tempo=60,
                beats=float(beats),
                measure=int(now // 4) + 1,
                beat=now % 4,
            )
        )
        now += float(beats)
    return Score(tuple(notes))


def labels(text: str) -> list[Segment]:
    """From ``0 pau 1 k 1.1 a 2``."""
    fields = text.split()
    times = [float(t) for t in fields[::2]]
    return [Segment(a, b, p) for a, b, p in zip(times[:-1], times[1:], fields[1::2], strict=True)]


def run(written: str, sung: str, **options):
    result = reconcile(score(written), labels(sung), where="song", **options)
    assert contiguous(result.score.notes)
    assert [row.label for row in result.labels] == result.score.phones
    assert result.labels[0].start == 0
    for a, b in zip(result.labels, result.labels[1:], strict=False):
        assert a.end == b.start and a.end > a.start
    assert sum(n.beats for n in result.score.notes) == pytest.approx(result.score.duration)
    return result


def shape(result) -> list[tuple[float, float, str]]:
    return [(n.start, n.end, " ".join(n.phones)) for n in result.score.notes]


def test_agreeing_labels_are_left_alone():
    written, sung = "- 1, k a 1, i 1, - 1", "0 pau 0.9 k 1.02 a 2 i 3.1 pau 4"
    result = run(written, sung)
    assert result.remarks == []
    assert result.score == score(written)
    assert result.labels == labels(sung)


def test_a_breath_becomes_a_rest_at_the_end_of_the_note_before():
    result = run("- 1, k a 1, i 1, - 1", "0 pau 0.9 k 1.02 a 1.7 br 1.98 i 3.1 pau 4")
    # 0.7 of the note, on a grid of a 16th of a beat: 11/16.
    assert shape(result) == [
        (0, 1, "pau"),
        (1, 1.6875, "k a"),
        (1.6875, 2, "br"),
        (2, 3, "i"),
        (3, 4, "pau"),
    ]
    note, rest = result.score.notes[1:3]
    assert (note.beats, note.lyric, rest.beats, rest.beat, rest.measure, rest.lyric) == (
        0.6875,
        "か",
        0.3125,
        1.6875,
        1,
        "",
    )
    assert result.labels == labels("0 pau 0.9 k 1.02 a 1.7 br 1.98 i 3.1 pau 4")
    assert result.remarks == [
        "measure 1, beat 2: br at 1.700 s is not in the score; the last 0.312 s of the note became a rest"
    ]


@pytest.mark.parametrize(("sung", "start"), [("1.01", 1.5), ("1.999", 1.9375), ("2.4", 1.9375)])
def test_a_carved_rest_leaves_half_of_the_note_and_has_some_length(sung, start):
    result = run("- 1, a 1, i 1, - 1", f"0 pau 1 a {sung} br 2.5 i 3.1 pau 4")
    assert shape(result)[1:3] == [(1, start, "a"), (start, 2, "br")]


def test_adjacent_silences_merge_and_the_longer_one_names_them():
    result = run("- 0.5, - 0.5, a 1, - 1", "0 sil 0.4 pau 1 a 2 br 2.7 sil 3")
    assert shape(result) == [(0, 1, "pau"), (1, 2, "a"), (2, 3, "br")]
    assert result.labels == labels("0 pau 1 a 2 br 3")
    assert len(result.remarks) == 3


def test_a_breath_in_a_rest_is_that_rest():
    result = run("- 1, a 1, - 1, i 1, - 1", "0 pau 1 a 2 br 3 i 4 pau 5")
    assert result.score.phones == ["pau", "a", "br", "i", "pau"]
    assert result.remarks == []


def test_a_rest_that_is_sung_through_goes_to_the_note_before():
    result = run("- 1, a 1, - 0.5, i 0.5, - 1", "0 pau 1 a 2.4 i 3 pau 4")
    assert shape(result) == [(0, 1, "pau"), (1, 2.5, "a"), (2.5, 3, "i"), (3, 4, "pau")]
    assert result.remarks == ["measure 1, beat 3: a rest of 0.500 s is sung through"]


def test_a_score_without_closing_rest_gets_one_as_long_as_the_audio():
    result = run("- 1, a 1", "0 pau 1 a 2.1 pau 2.5", duration=3.0)
    assert shape(result) == [(0, 1, "pau"), (1, 2, "a"), (2, 3, "pau")]
    assert result.labels[-1].end == 3.0


def test_unlabelled_audio_at_the_end_is_a_pause():
    result = run("- 1, a 1, - 1", "0 pau 1 a 2", duration=3.0)
    assert result.labels[-1] == Segment(2, 3, "pau")


def test_a_score_without_opening_rest_moves_to_where_it_is_sung():
    result = run("a 1, - 1", "0 pau 1.51 a 2.6 pau 3.5")
    assert shape(result) == [(0, 1.5, "pau"), (1.5, 2.5, "a"), (2.5, 3.5, "pau")]


def test_a_recording_without_the_opening_and_closing_rests():
    result = run("- 1, a 1, - 1", "0 a 1.1")
    assert shape(result) == [(0, 1, "a")]
    assert len(result.remarks) == 2


def test_gaps_and_overlaps_are_closed():
    rows = [Segment(0, 1, "pau"), Segment(1.01, 1.1, "k"), Segment(1.05, 1.5, "a"), Segment(2, 3, "i")]
    result = reconcile(score("- 1, k a 1, i 1"), rows, where="song")
    assert result.labels == [
        Segment(0, 1.01, "pau"),
        Segment(1.01, 1.05, "k"),
        Segment(1.05, 1.5, "a"),
        Segment(1.5, 2, "pau"),
        Segment(2, 3, "i"),
    ]
    assert result.remarks[0] == "1.500 s: unlabelled until 2.000 s, taken as a pause"
    assert "2 label boundaries" in result.remarks[1]


def test_labels_of_no_or_negative_length_get_some():
    """As in the Itako corpus, whose first line in one song is ``17940350 13714285 sil``."""
    rows = [
        Segment(1.794, 1.371, "sil"),
        Segment(1.371, 1.9, "k"),
        Segment(1.9, 1.9, "a"),
        Segment(1.9, 3, "i"),
    ]
    result = reconcile(score("- 1, k a 1, i 1"), rows, where="song")
    assert result.score.phones == ["pau", "k", "a", "i"]
    assert all(row.end > row.start for row in result.labels)


def test_labels_that_run_far_backwards_are_a_fault():
    rows = [Segment(0, 1, "pau"), Segment(1, 2, "a"), Segment(0.5, 0.7, "i")]
    with pytest.raises(DataError, match=r"song: label 3 \('i'\) runs backwards, from 2.000 to 0.500 s"):
        reconcile(score("- 1, a 1, i 1"), rows, where="song")


@pytest.mark.parametrize(
    ("rows", "right", "number"),
    [
        # The start is later than the end, by much or by next to nothing.
        ([(0, 1, "pau"), (1, 1.5, "a"), (2.002, 2, "i")], [(1, 1.5), (1.5, 2)], 3),
        ([(0, 1, "pau"), (1, 1.5, "a"), (2.0004, 2, "i")], [(1, 1.5), (1.5, 2)], 3),
        ([(0, 1, "pau"), (1, 1.5, "a"), (2, 2, "i")], [(1, 1.5), (1.5, 2)], 3),
        ([(0, 1, "pau"), (1, 1.5, "a"), (15.6, 2, "i")], [(1, 1.5), (1.5, 2)], 3),
        # Two labels with one start, or nearly one.
        ([(0, 1, "pau"), (1, 1.5, "a"), (1, 2, "i")], [(1, 1.5), (1.5, 2)], 3),
        ([(0, 1, "pau"), (1, 1.5, "a"), (1.05, 2, "i")], [(1, 1.5), (1.5, 2)], 3),
        ([(0, 1, "pau"), (1, 1.5, "a"), (0.93, 2, "i")], [(1, 1.5), (1.5, 2)], 3),
        # The end of the first is the slip.
        ([(0, 1, "pau"), (1, 0.9, "a"), (1.5, 2, "i")], [(1, 1.5), (1.5, 2)], 2),
        # An overlap after a good part of the first: the later start counts, as ever.
        ([(0, 1, "pau"), (1, 1.55, "a"), (1.5, 2, "i")], [(1, 1.5), (1.5, 2)], None),
    ],
)
def test_crossed_times_are_repaired_from_the_label_before(rows, right, number):
    result = reconcile(
        score("- 1, a 0.5, i 0.5, - 1"), [*map(Segment._make, rows), Segment(2, 3, "pau")], where="song"
    )
    assert [(row.start, row.end) for row in result.labels[1:-1]] == right
    assert shape(result) == [(0, 1, "pau"), (1, 1.5, "a"), (1.5, 2, "i"), (2, 3, "pau")]
    assert number is None or result.remarks[0].startswith(f"label {number} (")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 1, "pau"), (1, 1.5, "a"), (1, 1.5, "i"), (2, 3, "pau")], r"song: label 3 \('i'"),
        (
            [(0, 1, "pau"), (1, 1.05, "a"), (1, 1.05, "i"), (1.05, 3, "pau")],
            r"song: label 3 \('i'.*lies on the one before",
        ),
        (
            [(0, 1, "pau"), (1, 1.5, "a"), (1.51, 1.2, "i")],
            r"song: label 3 \('i'\) ends at 1.2000 s, before 1.51",
        ),
    ],
)
def test_crossed_times_that_cannot_be_repaired_are_named(rows, message):
    with pytest.raises(DataError, match=message):
        reconcile(score("- 1, a 0.5, i 0.5, - 1"), [Segment(*row) for row in rows], where="song")


LINE = "- 1, k a 1, i 1, s a 1, i 1, - 1"


@pytest.mark.parametrize("offset", [0.08, 0.3, 1.7, 3.0, -0.08, -0.5])
def test_a_constant_offset_is_taken_out_and_named(offset):
    times = [1.91, 2.0, 3.02, 4.0, 4.1, 5.0, 6.0]
    moved = [0.0, *(round(t - 1 + offset, 4) for t in times), 7.0 + offset]
    sung = (
        " ".join(f"{t} {p}" for t, p in zip(moved, ["pau", "k", "a", "i", "s", "a", "i", "pau"]))
        + f" {moved[-1]}"
    )
    result = run(LINE, sung)
    # Vowels are at 1, 2.02, 3.1 and 4 s and the offset: 10 ms more in the median.
    assert result.remarks[0].startswith(f"all is sung {offset + 0.01:+.3f} s from the score in the median")
    assert [note.start for note in result.score.notes[1:5]] == pytest.approx(
        [1.01 + offset + k for k in range(4)]
    )
    assert result.score.notes[0].end == pytest.approx(1.01 + offset) and result.score.notes[0].start == 0


@pytest.mark.parametrize("offset", [0.0, 0.04, -0.04])
def test_a_singers_habit_is_left_alone(offset):
    times = [0.9, 1.0, 2.0, 2.9, 3.0, 4.0, 5.0]
    moved = [0.0, *(round(t + offset, 4) for t in times), 6.0]
    sung = " ".join(f"{t} {p}" for t, p in zip(moved, ["pau", "k", "a", "i", "s", "a", "i", "pau"])) + " 6.0"
    result = run(LINE, sung)
    assert result.remarks == [] and result.score == score(LINE)


def test_an_offset_without_a_rest_before_it_is_named():
    result = run("k a 1, i 1, s a 1, i 1, - 1", "0 k 0.3 a 1.3 i 2.2 s 2.3 a 3.3 i 4.3 pau 5")
    assert result.remarks == [
        "all is sung +0.300 s from the score, which has no rest before it to take that up"
    ]


@pytest.mark.parametrize("unit", [1e-4, 0.1, 1000])
def test_labels_in_another_unit_are_refused(unit):
    rows = [Segment(s.start * unit, s.end * unit, s.label) for s in labels("0 pau 1 k 1.1 a 2 i 3 pau 4")]
    with pytest.raises(
        DataError, match="song: the labels end at .* s, the score at 4 s; are the times in 100 ns"
    ):
        reconcile(score("- 1, k a 1, i 1, - 1"), rows, where="song")


def test_devoiced_vowels_are_taken_as_plain():
    result = run("- 1, k u 1, s a 1, - 1", "0 pau 0.9 k 1 U 2 s 2.1 a 3 pau 4")
    assert result.score.phones == ["pau", "k", "u", "s", "a", "pau"]
    assert result.remarks == ["1 devoiced vowels of the labels taken as the score's plain ones"]


def test_a_breath_inside_a_note_splits_it():
    written = score("- 1, k a i 1, - 1")
    written = dataclasses.replace(
        written, notes=tuple(dataclasses.replace(n, lyric="かい" if n.pitch else "") for n in written.notes)
    )
    result = reconcile(written, labels("0 pau 1 k 1.1 a 1.4 br 1.6 i 2 pau 3"), where="song")
    assert [(n.start, n.end, " ".join(n.phones), n.lyric) for n in result.score.notes] == [
        (0, 1, "pau", ""),
        (1, 1.375, "k a", "か"),
        (1.375, 1.625, "br", ""),
        (1.625, 2, "i", "い"),
        (2, 3, "pau", ""),
    ]


def test_a_silence_inside_a_syllable_belongs_to_its_neighbour():
    """A pause between a consonant and its vowel is the consonant's; before a closure, the closure's."""
    result = run("- 1, p a cl 1, - 1", "0 pau 0.9 p 1 pau 1.1 a 1.6 pau 1.7 cl 2 pau 3")
    assert result.labels == labels("0 pau 0.9 p 1.1 a 1.6 cl 2 pau 3")
    assert len(result.remarks) == 2


def test_a_phone_that_differs_is_one_clear_fault():
    with pytest.raises(DataError) as error:
        run("- 1, k a 1, s a 3, t o 1, - 1", "0 pau 0.9 k 1 a 2 s 2.1 a 4.9 t 5 a 6 pau 7")
    assert str(error.value) == (
        "song: phone 6 is 'a' in the labels (5.000 s, ... s a t a ...)"
        " and 'o' in the score (measure 2, beat 2, 5.000 s) (silences not counted)"
    )


@pytest.mark.parametrize(
    ("sung", "message"),
    [
        (
            "0 pau 1 a 2 pau 3",
            "1 phones in the labels, 2 in the score: the score goes on with 'i' in measure 1",
        ),
        (
            "0 pau 1 a 2 i 3 u 4",
            "3 phones in the labels, 2 in the score: the labels go on with 'u' at 3.000",
        ),
    ],
)
def test_a_phone_too_many_or_too_few(sung, message):
    with pytest.raises(DataError, match=message):
        run("- 1, a 1, i 1, - 1", sung)


def test_empty_songs_are_refused():
    with pytest.raises(DataError, match="song: the labels are empty"):
        reconcile(score("- 1, a 1"), [], where="song")
    with pytest.raises(DataError, match="song: the score has no notes"):
        reconcile(Score(()), labels("0 pau 1"), where="song")


def test_notes_far_from_their_place_are_remarked_and_a_wrong_tempo_is_a_fault():
    result = run("- 1, k a 1, i 1, - 1", "0 pau 1.6 k 1.75 a 2 i 3.1 pau 4")
    assert result.remarks == [
        "1 of 2 notes are sung over 0.5 s from their place; one sung at 1.750 s, 0.750 s from its place"
        " in the score (measure 1, beat 2, 1.000 s)"
    ]
    with pytest.raises(
        DataError, match=r"song: a note is sung at 4.500 s, 2.500 s from .* are tempo and beg"
    ):
        run("- 1, k a 1, i 1, - 1", "0 pau 1.6 k 1.75 a 4.5 i 6 pau 8")


@pytest.mark.parametrize("song", ["05", "18", "33"])
def test_real_songs_with_labels_by_hand(shared_data, song):
    check_real_song(shared_data / "no7_labels", song)


@pytest.mark.slow
def test_all_real_songs_with_labels_by_hand(shared_data):
    songs = [f"{i:02d}" for i in range(1, 52) if i != 7]
    for song in songs:
        check_real_song(shared_data / "no7_labels", song)
    # Song 07 states no tempo, so its score is far too fast or slow.
    with pytest.raises(DataError, match="07.lab: a note is sung at .* are tempo and beginning"):
        check_real_song(shared_data / "no7_labels", "07")


def check_real_song(root: Path, song: str) -> None:
    """The No.7 singing database: hundreds of breaths that no score has."""
    written = attach_phones(read_musicxml(root / "musicxml" / f"{song}.xml"))
    label = root / "mono_label" / f"{song}.lab"
    result = reconcile(written, read_lab(label), where=str(label))
    assert contiguous(result.score.notes)
    assert [row.label for row in result.labels] == result.score.phones
    assert check_score(result.score, get_language("ja")) == []
    assert [n.lyric for n in result.score.notes if n.lyric] == [n.lyric for n in written.notes if n.lyric]
