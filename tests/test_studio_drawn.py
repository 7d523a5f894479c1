"""What is drawn and set on the page is in the sound, and nothing else changes by it."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from studio_common import song as page_song

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.alive import lanes, still
from nnsvs_lite.studio.convert import score_and_places
from nnsvs_lite.studio.drawn import CELLS, PageMarks, page_curves
from nnsvs_lite.studio.sung import sing_track
from nnsvs_lite.synthesis.kept import Kept
from nnsvs_lite.synthesis.singer import Singer

SHIFT = 0.005


@pytest.fixture(scope="module")
def voice(toy_voice):
    return Singer.load(toy_voice)


@pytest.fixture(scope="module")
def kept():
    return Kept()


def three_phrases() -> dict:
    """Notes of half a second; phrases begin at beats 1, 8 and 15."""
    value = page_song([])
    for phrase in range(3):
        for i, lyric in enumerate("さくらは"):
            value["notes"].append(
                {"at": 1.0 + 7 * phrase + i, "beats": 1.0, "pitch": 60 + 2 * i, "lyric": lyric}
            )
    return value | {"length": 20.0}


def sing(voice, kept, song, drawn=None, **options):
    track = {"song": song, "options": options, "drawn": drawn or {}}
    return sing_track(voice, track, kept, lambda part: None)


def differing(a, b) -> tuple[float, float]:
    """First and last second at which two performances differ."""
    at = np.flatnonzero(a.song.waveform != b.song.waveform)
    assert len(at), "they are the same"
    return at[0] / a.song.sample_rate, at[-1] / a.song.sample_rate


def cents(hertz, other):
    return 1200 * np.log2(hertz / other)


@pytest.fixture(scope="module")
def plain(voice, kept):
    return sing(voice, kept, three_phrases())


def test_only_the_changed_phrase_is_sung_again(voice, kept, plain, monkeypatch):
    sung = []
    own = Singer._alone
    monkeypatch.setattr(Singer, "_alone", lambda self, plan, i: (sung.append(i), own(self, plan, i))[1])
    assert (
        np.array_equal(sing(voice, kept, three_phrases()).song.waveform, plain.song.waveform) and sung == []
    )
    changed = three_phrases()
    changed["notes"][5]["pitch"] += 1
    other = sing(voice, kept, changed)
    assert sung == [1]
    first, last = differing(plain, other)
    assert 3.0 < first < 4.5 and 5.0 < last < 7.4, "within the second phrase and its rests"


def test_phrases_sung_by_themselves_are_those_sung_together(voice, plain):
    together = voice.sing(score_and_places(Song.from_json(three_phrases()))[0])
    assert len(together.phrases) == len(plain.song.phrases) == 3
    for a, b in zip(together.phrases, plain.song.phrases):
        for name, value in a.streams.items():
            np.testing.assert_allclose(b.streams[name], value, atol=2e-4, err_msg=name)


def test_the_sound_of_a_phrase_depends_on_nothing_but_itself(voice, plain):
    """As after the server was ended: with nothing kept, the last phrase alone has the same bits."""
    again = sing(voice, Kept(), three_phrases())
    assert np.array_equal(again.song.waveform, plain.song.waveform)


def test_a_new_note_before_it_leaves_a_phrase_what_chance_gave_it(voice, kept, plain):
    song = three_phrases()
    rows = [{"chance": number} for number in (plain.numbers[place] for place in plain.places)]
    song["notes"].insert(0, {"at": 0.0, "beats": 0.5, "pitch": 62, "lyric": "ら"})
    other = sing(voice, kept, song, {"notes": [{}, *rows]})
    first, last = differing(plain, other)
    assert last < 4.0
    # Without numbers its notes would be counted anew.
    assert [n for i, n in enumerate(other.numbers) if i in other.places][1:] == [
        row["chance"] for row in rows
    ]
    assert len(set(other.numbers[p] for p in other.places)) == 13


def test_a_drawn_pitch_is_sung_where_it_is_drawn(voice, kept, plain):
    # Over the note at beats 9 to 10, which is 4.5 to 5 s.
    runs = [[9 * CELLS, np.linspace(70, 72, CELLS).tolist()]]
    other = sing(voice, kept, three_phrases(), {"curves": {"pitch": runs}})
    f0, own = other.song.f0, plain.song.f0
    frames = np.arange(round(4.52 / SHIFT), round(4.96 / SHIFT))
    voiced = frames[f0[frames] > 0]
    assert len(voiced) > 20
    beats = voiced * SHIFT * 2
    wanted = 440 * 2 ** (
        (np.interp(beats * CELLS, 9 * CELLS + np.arange(CELLS), np.linspace(70, 72, CELLS)) - 69) / 12
    )
    assert np.abs(cents(f0[voiced], wanted)).max() < 1
    outside = np.r_[0 : round(4.4 / SHIFT), round(5.1 / SHIFT) : len(own)]
    assert np.array_equal(f0[outside], own[outside])
    first, last = differing(plain, other)
    assert first > 3.0 and last < 7.4
    # Transposed, what is drawn goes along; sung faster, it comes earlier.
    faster = sing(voice, kept, three_phrases(), {"curves": {"pitch": runs}}, transpose=2, tempo=2.0).song.f0
    frames = np.arange(round(2.28 / SHIFT), round(2.46 / SHIFT))
    voiced = frames[faster[frames] > 0]
    wanted = 440 * 2 ** (
        (np.interp(voiced * SHIFT * 4 * CELLS, 9 * CELLS + np.arange(CELLS), np.linspace(72, 74, CELLS)) - 69)
        / 12
    )
    assert len(voiced) and np.abs(cents(faster[voiced], wanted)).max() < 1


def test_a_phone_begins_where_it_is_dragged(voice, kept, plain):
    note = 5  # く of the second phrase, at beat 9
    own = [p for p in plain.song.phones if p.note == plain.places[note]]
    assert [p.symbol for p in own] == ["k", "u"]
    start = own[1].start - 4.5 + 0.06
    other = sing(voice, kept, three_phrases(), {"notes": [{}] * note + [{"starts": [[1, start]]}]})
    moved = [p for p in other.song.phones if p.note == other.places[note]]
    assert moved[1].start == pytest.approx(own[1].start + 0.06, abs=SHIFT / 2 + 1e-6)
    assert moved[0].start == own[0].start and moved[1].end == own[1].end
    # As labels with these times impose them.
    score, _ = score_and_places(Song.from_json(three_phrases()))
    from nnsvs_lite.io.ctm import Segment

    labels = [Segment(p.start, p.end, p.symbol) for p in other.song.phones]
    told = voice.sing(score, labels=labels)
    assert [p.start for p in told.phones] == pytest.approx([p.start for p in other.song.phones])
    # However far: the phones beside it keep a frame each.
    for far in (-30.0, 30.0):
        squeezed = sing(voice, kept, three_phrases(), {"notes": [{}] * note + [{"starts": [[1, far]]}]})
        lengths = [round((p.end - p.start) / SHIFT) for p in squeezed.song.phones]
        assert min(lengths) == 1 and len(lengths) == len(plain.song.phones)
        assert squeezed.song.duration == plain.song.duration


def test_a_note_has_the_vibrato_that_is_set(voice, kept):
    song = page_song([(60, "さ", 1.0), (64, "ら", 4.0), (62, "は", 1.0)])
    still_one = sing(voice, kept, song, {"notes": [{}, {"vibrato": {"depth": 0, "rate": 6, "begin": 0}}, {}]})
    other = sing(
        voice, kept, song, {"notes": [{}, {"vibrato": {"depth": 100, "rate": 6, "begin": 0.25}}, {}]}
    )
    # The vowel lies within 1 to 3 s; from 1.7 s on it swings by a semitone, six times a second.
    frames = np.arange(round(1.9 / SHIFT), round(2.7 / SHIFT))
    swing = cents(other.song.f0[frames], still_one.song.f0[frames])
    assert 70 < swing.max() < 140 and -140 < swing.min() < -70
    turns = np.flatnonzero(np.diff(np.sign(swing)))
    assert len(turns) / 2 / 0.8 == pytest.approx(6, abs=1.3)
    quiet = np.arange(round(1.1 / SHIFT), round(1.4 / SHIFT))
    assert np.abs(cents(other.song.f0[quiet], still_one.song.f0[quiet])).max() < 1
    rest = np.r_[0 : round(0.9 / SHIFT), round(3.1 / SHIFT) : len(other.song.f0)]
    assert np.array_equal(other.song.f0[rest], still_one.song.f0[rest])


@pytest.mark.parametrize("name, by", [("loudness", 6.0), ("breathiness", -5.0), ("tension", 4.0)])
def test_lanes_change_their_curve_and_no_other_phrase(voice, kept, plain, name, by):
    runs = [[8 * CELLS, [by] * (4 * CELLS)]]
    other = sing(voice, kept, three_phrases(), {"curves": {name: runs}})
    frames = np.arange(round(4.2 / SHIFT), round(5.8 / SHIFT))
    voiced = frames[plain.song.f0[frames] > 0]
    change = other.song.curves[name][voiced] - plain.song.curves[name][voiced]
    assert np.median(change) == pytest.approx(by, abs=0.8)
    first, last = differing(plain, other)
    assert first > 3.0 and last < 7.4


def test_the_gender_lane_moves_formants_as_the_option_does(voice, kept, plain):
    runs = [[8 * CELLS, [2.0] * (4 * CELLS)]]
    other = sing(voice, kept, three_phrases(), {"curves": {"gender": runs}})
    whole = sing(voice, kept, three_phrases(), gender=2 ** (2 / 12))
    inside = [(p.streams["mgc"], q.streams["mgc"]) for p, q in zip(other.song.phrases, whole.song.phrases)][1]
    middle = slice(len(inside[0]) // 2 - 20, len(inside[0]) // 2 + 20)
    np.testing.assert_allclose(inside[0][middle], inside[1][middle], atol=0.02)
    assert np.array_equal(other.song.phrases[0].streams["mgc"], plain.song.phrases[0].streams["mgc"])
    assert np.array_equal(other.song.f0, plain.song.f0)


def test_what_is_erased_is_as_it_was(voice, kept, plain):
    nothing = {"curves": {"pitch": [], "loudness": [[8 * CELLS, [0.0] * 96]]}, "notes": [{}] * 12}
    assert np.array_equal(sing(voice, kept, three_phrases(), nothing).song.waveform, plain.song.waveform)


def test_curves_of_files_come_to_the_page_and_back():
    song = Song.from_json(three_phrases() | {"tempi": [[0.0, 120.0], [6.0, 90.0]]})
    score, _ = score_and_places(song)
    pitch = [[60, np.round(np.linspace(60, 63, 30), 3).tolist()], [400, [65.5] * 50]]
    given = {"pitch": pitch, "loudness": [[100, [4.0] * 48]]}
    over = PageMarks.from_json({"curves": given}, 12).over(song, score)
    back = page_curves(replace(score, drawn=over))
    for name, runs in given.items():
        # Frames of 5 ms: a cell more or less at the ends, where a lane also runs out.
        assert len(back[name]) == len(runs)
        for (first, values), (at, again) in zip(runs, back[name]):
            assert abs(first - at) <= 1 and abs(len(values) - len(again)) <= 2
            middle = len(values) // 2
            assert again[first - at + middle] == pytest.approx(values[middle], abs=0.06)


BAD = {
    "not an object": [],
    "unknown curve": {"curves": {"colour": [[0, [1]]]}},
    "out of range": {"curves": {"loudness": [[0, [99.0]]]}},
    "not a number": {"curves": {"pitch": [[0, ["a"]]]}},
    "overlapping": {"curves": {"pitch": [[0, [60.0, 60.0]], [1, [60.0]]]}},
    "past the end": {"curves": {"pitch": [[20_000 * CELLS, [60.0]]]}},
    "too many notes": {"notes": [{}] * 99},
    "unknown field": {"notes": [{"colour": 1}]},
    "half a vibrato": {"notes": [{"vibrato": {"depth": 50}}]},
    "wild vibrato": {"notes": [{"vibrato": {"depth": 50, "rate": float("nan"), "begin": 0}}]},
    "a take that is none": {"notes": [{"take": 1.5}]},
    "a start that is none": {"notes": [{"starts": [[0, 0, 0]]}]},
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_drawn_is_refused(name):
    with pytest.raises(DataError):
        PageMarks.from_json(copy.deepcopy(BAD[name]), 12)


def test_a_control_that_cannot_change_the_sound_says_so(voice, monkeypatch):
    rows = {row["name"]: row["still"] for row in lanes(voice)}
    assert rows == {"loudness": "", "breathiness": "", "tension": "", "gender": ""}
    found = still(voice)
    a, b = (voice.sing(score_and_places(Song.from_json(page_song()))[0], seed=seed) for seed in (0, 1))
    assert ("seed" in found) == np.array_equal(a.waveform, b.waveform)
    monkeypatch.setattr(type(voice.vocoder), "controls", ())
    found, rows = still(voice), {row["name"]: row["still"] for row in lanes(voice)}
    assert "World" in found["vibrato"] and "World" in found["gender"]
    assert not rows["loudness"] and all(
        "World" in rows[name] for name in ("breathiness", "tension", "gender")
    )


def test_what_the_voice_does_not_let_be_heard_is_left_out_and_named(voice, plain, monkeypatch):
    monkeypatch.setattr(type(voice.vocoder), "controls", ())
    runs = [[8 * CELLS, [2.0] * CELLS]]
    curves = {name: runs for name in ("breathiness", "tension", "gender")} | {"pitch": [[0, [60.0] * CELLS]]}
    vibrato = {"vibrato": {"depth": 60, "rate": 6, "begin": 0}}
    # Nothing is kept from before: what was sung with other controls has the same key.
    drawn = {"curves": curves, "notes": [vibrato, {"starts": [[1, 0.1]]}]}
    other = sing(voice, Kept(), three_phrases(), drawn)
    assert sorted(other.unheard) == ["breathiness", "gender", "pitch", "tension", "vibrato"]
    timed = sing(voice, Kept(), three_phrases(), {"notes": [{}, {"starts": [[1, 0.1]]}]})
    assert timed.unheard == [] and np.array_equal(other.song.waveform, timed.song.waveform)
    assert not np.array_equal(other.song.waveform, plain.song.waveform), "phones are set all the same"
