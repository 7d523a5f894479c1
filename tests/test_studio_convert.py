"""Songs as the page edits them: to scores and back, to MusicXML and back, and what is refused."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scorefiles import JAPANESE, write_all
from scorefuzz import ds, full_label
from scorexml import attributes, contiguous, document, measure, repeat, tempo, write
from scorexml import song as xml_song
from studio_common import song

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.formats.readers import READERS, read_score
from nnsvs_lite.score.formats.write_musicxml import musicxml
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_of, song_of
from nnsvs_lite.studio.examples import examples


def music(score: Score) -> list[Note]:
    """What is heard and printed, but for silence at the end and rounding."""
    notes = []
    for note in score.notes:
        places = {name: round(getattr(note, name), 4) for name in ("start", "end", "beats", "beat")}
        notes.append(dataclasses.replace(note, **places))
    while notes[-1].is_rest and not notes[-1].lyric:
        notes.pop()
    return notes


def printed(score: Score) -> list:
    """Tempi, time signatures with their bars, and keys, to 4 decimals."""
    line = score.timeline
    metres = [(round(m.at, 4), m.number, m.signature, round(m.into, 4)) for m in line.metres]
    return [[(round(at, 4), round(bpm, 4)) for at, bpm in line.tempi], metres, list(line.keys)]


def there_and_back(score: Score, tmp_path) -> None:
    """Checks that a score comes back from the page's form, and from the file that is saved."""
    edited = Song.from_json(json.loads(json.dumps(song_of(score).to_json())))
    assert music(score_of(edited)) == music(score)
    path = tmp_path / "saved.musicxml"
    path.write_bytes(musicxml(edited))
    saved = read_score(path, lang=score.lang, phones=False)
    # Loudness is rounded to a mark.
    even = [[dataclasses.replace(n, velocity=0.5) for n in music(s)] for s in (saved, score)]
    assert even[0] == even[1]
    assert printed(saved) == printed(score)


SCORES = {
    "plain": xml_song("C4 1 さ, D4 1 く, E4 2 ら", bpm=90),
    "rests": xml_song("r 1, C4 1 さ, r 1, D4 1 く", "r 4", "E4 4 ら"),
    "ties over bars": xml_song("r 3, C4~ 1 さ", "~C4~ 4", "~C4 1, D4 3 く"),
    "melisma": xml_song("C4 1 さ, D4 0.5, E4 0.5, F4 2 ら"),
    "triplets": xml_song("C4 0.333333 さ, D4 0.333333 く, E4 0.333333 ら, F4 3 は"),
    "three four in E flat": xml_song("Eb4 1 さ, Ab4 1 く, Bb4 1 ら", "C5 3 は", beats=3, fifths=-3),
    "pick-up": xml_song("G4 1 さ", "C4 4 く", "E4 4 ら"),
    "repeat": xml_song(f"C4 4 さ, {repeat('backward')}", "D4 4 く"),
    "breath": xml_song("C4 1 さ, r 1 br, D4 2 く"),
    "tempo change": document(
        measure(f"{attributes()},{tempo(100)},C4 2 さ,{tempo(60)},D4 2 く", 1) + measure("E4 4 ら", 2)
    ),
    "tempo change within a note": document(
        measure(f"{attributes()},{tempo(120)},C4~ 2 さ,{tempo(60)},~C4 2", 1) + measure("E4 4 ら", 2)
    ),
    "six eight": xml_song("C4 1.5 さ, D4 1.5 く").replace(
        "<beats>4</beats><beat-type>4", "<beats>6</beats><beat-type>8"
    ),
    "metre change": document(
        measure(f"{attributes(3)},{tempo(100)},C4 3 さ", 1) + measure(f"{attributes(2)},D4 2 く", 2)
    ),
}


@pytest.mark.parametrize("name", SCORES)
def test_nothing_of_a_score_is_lost(name, tmp_path):
    score = read_score(write(tmp_path, SCORES[name]), phones=False)
    there_and_back(score, tmp_path)


def test_tunes_come_back_and_can_be_read_aloud(tmp_path):
    tunes = examples("ja")
    assert len(tunes) > 3 and len(tunes[0].notes) < 20
    for tune in tunes:
        score = attach_phones(score_of(tune))
        assert all(note.phones for note in score.notes)
        there_and_back(score_of(tune), tmp_path)
    scale = score_of(examples("xx")[0])
    assert [n.pitch for n in scale.notes if n.pitch] == [60, 62, 64, 65, 67, 69, 71, 72]


def test_real_scores_come_back(shared_data, tmp_path):
    for path in sorted((shared_data / "scores" / "ja").glob("*.xml")):
        there_and_back(read_score(path, phones=False), tmp_path)


def test_every_format_can_be_edited(tmp_path):
    paths = write_all(tmp_path, JAPANESE)
    for name, data in (("a.lab", full_label()), ("a.ds", ds())):
        paths[name] = tmp_path / name
        paths[name].write_bytes(data)
    assert {path.suffix for path in paths.values()} >= set(READERS) - {".xml", ".midi", ".full"}
    for name, path in paths.items():
        score = read_score(path, phones=False)
        edited = music(score_of(Song.from_json(song_of(score).to_json())))
        wanted = music(score)
        for a, b in zip(edited, wanted, strict=True):
            assert (a.pitch, a.slur, a.phones) == (b.pitch, b.slur, b.phones), name
            assert (a.start, a.end, a.beats) == pytest.approx((b.start, b.end, b.beats), abs=2e-4), name
            if not a.is_rest:
                assert (a.lyric, a.measure) == (b.lyric, b.measure), name


def test_times_follow_the_tempo():
    value = song(tempi=[[0.0, 120.0], [2.0, 60.0]])
    notes = score_of(Song.from_json(value)).notes
    # Beats 0-1, 1-2 at 120; 2-3, 3-5, 5-6 at 60.
    assert [n.start for n in notes] == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert notes[-1].end == 5.0 and notes[-1].is_rest
    assert [n.tempo for n in notes] == [120.0, 120.0, 60.0, 60.0, 60.0]
    assert [(n.measure, n.beat) for n in notes] == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 1)]


def test_an_empty_lyric_holds_the_syllable_before():
    value = song([(60, "か", 1.0), (62, "", 1.0), (64, "ー", 1.0)])
    score = attach_phones(score_of(Song.from_json(value)))
    assert [n.slur for n in score.notes] == [False, False, True, True, False]
    assert [n.phones for n in score.notes] == [("pau",), ("k", "a"), ("a",), ("a",), ("pau",)]


def test_phones_of_a_file_are_kept_until_a_note_is_new():
    value = song([(60, "", 1.0), (62, "", 1.0)])
    for row in value["notes"]:
        row["phones"] = ["k", "a"]
    score = score_of(Song.from_json(value))
    assert [n.phones for n in score.notes] == [("pau",), ("k", "a"), ("k", "a"), ("pau",)]
    del value["notes"][0]["phones"]
    assert not any(n.phones for n in score_of(Song.from_json(value)).notes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"notes": None}, "notes must be a list"),
        ({"notes": [3]}, "note 1 must be a JSON object"),
        ({"notes": [{"at": 0, "beats": 1, "pitch": 60, "shape": 1}]}, "unknown field 'shape'"),
        ({"notes": [{"at": 0, "beats": 1, "pitch": 60.5}]}, "whole number"),
        ({"notes": [{"at": 0, "beats": 1, "pitch": 12}]}, "out of 24..108"),
        ({"notes": [{"at": 0, "beats": 0, "pitch": 60}]}, "note 1: beats"),
        ({"notes": [{"at": float("nan"), "beats": 1, "pitch": 60}]}, "note 1: at"),
        ({"notes": [{"at": True, "beats": 1, "pitch": 60}]}, "note 1: at"),
        ({"notes": [{"at": 0, "beats": 1, "pitch": 60, "lyric": "x" * 101}]}, "at most 100"),
        ({"notes": [{"at": 0, "beats": 1, "pitch": 60, "lyric": "a\x00"}]}, "control character"),
        ({"notes": [{"at": 0, "beats": 1, "pitch": 60, "lyric": "\ud800"}]}, "control character"),
        ({"notes": [{"at": 0, "beats": 2, "pitch": 60}, {"at": 1, "beats": 1, "pitch": 62}]}, "overlap"),
        ({"notes": [{"at": i, "beats": 1, "pitch": 60} for i in range(5001)]}, "at most 5000"),
        ({"tempi": []}, "tempi"),
        ({"tempi": [[0, 5]]}, "tempo must be"),
        ({"tempi": [[1, 100]]}, "first at beat 0"),
        ({"bars": [[0, 1, 0, 0]]}, "length of a bar"),
        ({"keys": [[0, 9]]}, "key must be"),
        ({"length": -1}, "length"),
        ({"title": 3}, "title"),
    ],
)
def test_what_the_page_cannot_mean_is_refused(change, said):
    with pytest.raises(DataError, match=said):
        Song.from_json(song() | change)


def test_songs_that_cannot_be_sung_are_refused():
    with pytest.raises(DataError, match="add a note"):
        score_of(Song.from_json(song([])))
    with pytest.raises(DataError, match=r"lasts 16\.7 minutes; the studio sings at most 10"):
        score_of(Song.from_json(song(length=2000.0)))
    with pytest.raises(DataError, match="minutes"):
        song_of(Score((Note(0.0, 601.0, 60, "ら", tempo=60.0, beats=601.0),)))


def test_musicxml_is_small_and_plain():
    text = musicxml(Song.from_json(song())).decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="4.0">')
    assert "<work-title>さくら</work-title>" in text and "<text>く</text>" in text
    assert text.count("<measure ") == 2 and "<divisions>1</divisions>" in text
    escaped = musicxml(Song.from_json(song([(60, "<&>", 1.0)], title="<b>"))).decode()
    assert "&lt;&amp;&gt;" in escaped and "<b>" not in escaped


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("title", "lang", "length", "tempi", "bars", "keys", "notes")
NOTE_FIELDS = ("at", "beats", "pitch", "lyric", "breath", "velocity", "phones")


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(FIELDS), st.sampled_from(NOTE_FIELDS), ANYTHING, ANYTHING, st.booleans())
def test_anything_is_a_song_or_refused(field, note_field, value, note_value, deep):
    sent = song()
    sent["notes"][1][note_field] = note_value
    if not deep:
        sent[field] = value
    try:
        edited = Song.from_json(sent)
        score = score_of(edited)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert contiguous(score.notes) and musicxml(edited)


LENGTHS = st.sampled_from([0.25, 0.5, 1.0, 1.5, 3.0, 1 / 3, 1 / 6, 7.0])


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(LENGTHS, st.integers(48, 84), st.sampled_from("らさ桜")), min_size=1, max_size=12),
    st.lists(LENGTHS, min_size=12, max_size=12),
    st.lists(st.tuples(st.integers(1, 20), st.integers(30, 300)), max_size=3, unique_by=lambda row: row[0]),
    st.sampled_from([2.0, 3.0, 4.0, 3.5]),
    st.integers(-6, 6),
)
def test_any_tune_is_saved_whole(tmp_path_factory, notes, gaps, tempi, bar, key):
    rows, at = [], 0.0
    for (beats, pitch, lyric), gap in zip(notes, gaps):
        rows.append({"at": at, "beats": beats, "pitch": pitch, "lyric": lyric})
        at = round(at + beats + (gap if gap < 1.5 else 0.0), 6)
    more = {"tempi": [[0.0, 120.0], *sorted(map(list, tempi))], "bars": [[0.0, 1, bar, 0.0]]}
    edited = Song.from_json(song() | more | {"notes": rows, "keys": [[0.0, key]], "length": at})
    score = score_of(edited)
    path = tmp_path_factory.mktemp("tune") / "a.musicxml"
    path.write_bytes(musicxml(edited))
    saved = [n for n in read_score(path, phones=False).notes if not n.is_rest]
    wanted = [n for n in score.notes if not n.is_rest]
    for a, b in zip(saved, wanted, strict=True):
        assert (a.pitch, a.lyric, a.measure, a.key) == (b.pitch, b.lyric, b.measure, b.key)
        assert (a.start, a.end, a.beats) == pytest.approx((b.start, b.end, b.beats), abs=1e-3)
