"""Tempo, metre and key of scores: known answers; what becomes of them when changed, cut and stored."""

import json

import pytest
from scorexml import attributes, document, measure, repeat, song, tempo, write

from nnsvs_lite.corpus.segment import phrase_spans
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.change import change
from nnsvs_lite.score.formats.musicxml import read_musicxml
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.timeline import Metre, Timeline

SLOWER = Timeline(
    ((0.0, 120.0), (4.0, 60.0)), (Metre(0.0, 1, 3.0, 2.0), Metre(7.0, 4, 3.0, 0.0, 8)), ((0.0, 2),)
)


def read(tmp_path, text, **options):
    return read_musicxml(write(tmp_path, text), **options)


def test_positions_and_seconds():
    assert [SLOWER.seconds(at) for at in (0, 3, 4, 6)] == [0.0, 1.5, 2.0, 4.0]
    assert [SLOWER.position(seconds) for seconds in (0.0, 1.5, 2.0, 4.0)] == [0, 3, 4, 6]
    assert [SLOWER.tempo(at) for at in (0, 3.99, 4)] == [120, 120, 60]


def test_bars_are_counted_from_a_pick_up():
    # One quarter of bar 1 (3/4), bars 2 and 3, then 6/8 from bar 4.
    assert [SLOWER.bar(at) for at in (0, 1, 4.5, 7, 9.5)] == [
        (1, 2, 3),
        (2, 0, 3),
        (3, 0.5, 3),
        (4, 0, 3),
        (4, 2.5, 3),
    ]
    assert SLOWER.bar_lines(11) == [0, 1, 4, 7, 10]
    assert [m.signature for m in SLOWER.metres] == [(3, 4), (6, 8)]
    assert SLOWER.place(4.5) == "measure 3, beat 1.5"


@pytest.mark.parametrize(
    ("length", "unit", "signature"), [(3.5, 4, (7, 8)), (0.75, 4, (3, 16)), (4.0, 2, (2, 2))]
)
def test_signatures(length, unit, signature):
    assert Metre(0.0, 1, length, 0.0, unit).signature == signature


def test_musicxml_in_three_four_with_a_pick_up_and_a_change_of_tempo(tmp_path):
    score = read(tmp_path, song("C4 1 か", "D4 3 き", f"E4 1 く, {tempo(90)}, F4 2 け", beats=3, fifths=-1))
    assert score.timeline.tempi == ((0.0, 120.0), (5.0, 90.0))
    assert score.timeline.metres == (Metre(0.0, 1, 3.0, 2.0, 4),)
    assert score.timeline.keys == ((0.0, -1),)
    assert [score.timeline.seconds(at) for at in (0, 1, 4, 5)] == [n.start for n in score.notes]


def test_musicxml_in_six_eight(tmp_path):
    text = song("C4 1.5 か, D4 1.5 き").replace(
        "<beats>4</beats><beat-type>4", "<beats>6</beats><beat-type>8"
    )
    assert read(tmp_path, text).timeline.metres[0].signature == (6, 8)


def test_repeats_are_played_out(tmp_path):
    text = song(f"{repeat('forward')}, C4 4 か", f"{tempo(60)}, C4 4 き, {repeat('backward')}")
    line = read(tmp_path, text).timeline
    assert line.tempi == ((0.0, 120.0), (4.0, 60.0), (8.0, 120.0), (12.0, 60.0))
    assert [(m.at, m.number) for m in line.metres] == [(0.0, 1), (8.0, 1)]


def test_a_short_measure_within_the_song_begins_the_next_bar_early(tmp_path):
    voice = measure(f"{attributes()}, {tempo(60)}, C4 4 か", 1) + measure("C4 3 き", 2)
    voice += measure("C4 4 く", 3)
    metres = read(tmp_path, document(voice)).timeline.metres
    assert [(m.at, m.number) for m in metres] == [(0.0, 1), (7.0, 3)]


def test_change_moves_tempo_and_key(tmp_path):
    line = change(read(tmp_path, song("C4 4 か", fifths=1)), 1, 1.5).timeline
    assert (line.tempi, line.keys) == (((0.0, 180.0),), ((0.0, -4),))


def test_a_phrase_out_of_the_middle_keeps_its_place_in_the_song(tmp_path):
    bars = ["C4 3 か, r 1"] * 2 + [f"{tempo(60)}, D4 3 き, r 1"] + ["E4 3 く, r 1"]
    score = read_score(write(tmp_path, song(*bars, fifths=3)))
    spans = phrase_spans(score, min_length=1.0, margin=0.25)
    assert [round(s.start, 3) for s in spans] == [0.0, 1.75, 3.75, 7.75]
    middle = spans[2]
    # Half a quarter of the rest in bar 2 at 120, then bar 3 at 60, cut within its rest.
    assert middle.score.timeline.tempi == ((0.0, 120.0), (0.5, 60.0))
    assert middle.score.timeline.metres == (Metre(0.0, 2, 4.0, 3.5),)
    assert middle.score.timeline.keys == ((0.0, 3),)
    for note in middle.score.notes:
        at = middle.score.timeline.position(note.start)
        assert (note.measure, note.beat) == pytest.approx(middle.score.timeline.bar(at)[:2])


def test_silence_before_the_song_is_counted_backwards():
    moved = SLOWER.moved(1.0)
    assert moved.tempi == ((0.0, 120.0), (6.0, 60.0))
    assert moved.metres == (Metre(0.0, 1, 3.0, 0.0), Metre(9.0, 4, 3.0, 0.0, 8))
    assert SLOWER.moved(2.0).metres[0] == Metre(0.0, 0, 3.0, 1.0)
    assert SLOWER.moved(0.0, 2.0).seconds(4) == 4.0
    assert SLOWER.moved(1.0).moved(-1.0) == SLOWER


def test_it_is_stored_with_the_score(tmp_path):
    score = read(tmp_path, song("C4 1 か", f"D4 3 き, {tempo(61.7)}, D4 1 く", fifths=-2))
    assert json.loads(score.to_json())["timeline"] == {
        "tempi": [[0.0, 120.0], [4.0, 61.7]],
        "bars": [[0.0, 1, 4.0, 3.0, 4]],
        "keys": [[0.0, -2]],
    }
    assert Score.from_json(score.to_json()) == score
    bare = Score((Note(0.0, 1.0, 60, "か"),))
    assert "timeline" not in bare.to_json() and Score.from_json(bare.to_json()).timeline is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "the timeline: tempi must be a list"),
        ({"tempi": [[0, 0]]}, "tempo must be a number"),
        ({"tempi": [[1, 90]]}, "its tempi must stand in order, the first at beat 0"),
        ({"bars": [[0, 1, 0, 0]]}, "length of a bar"),
        ({"bars": [[0, 1.5, 4, 0]]}, "number of a bar must be a whole number"),
        ({"keys": [[0, "C"]]}, "key must be a number"),
    ],
)
def test_a_table_that_holds_another_is_refused(value, said):
    rows = Timeline().to_rows() | value if isinstance(value, dict) else value
    line = json.dumps(json.loads(Score((Note(0.0, 1.0, 60),)).to_json()) | {"timeline": rows})
    with pytest.raises(DataError, match=f"score: .*{said}"):
        Score.from_json(line)


def test_notes_alone_say_most_of_it(tmp_path):
    score = read(tmp_path, song("C4 1 か", f"D4 3 き, {tempo(60)}, D4 1 く", fifths=-2))
    assert Timeline.of_notes(score.notes) == score.timeline
