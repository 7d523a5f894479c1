"""Melodies, their MusicXML through the normal front end, etudes and songs."""

from __future__ import annotations

from collections import Counter

import pytest
from scorexml import contiguous

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.virtual.etudes import HIGHEST, LONGEST, LOWEST, MORAE, SHORTEST, make_etudes
from nnsvs_lite.virtual.melody import Event, Melody, midi, musicxml, parse, spell
from nnsvs_lite.virtual.songs import SONGS


def _read(tmp_path, melody: Melody):
    path = tmp_path / f"{melody.name}.musicxml"
    path.write_text(musicxml(melody), encoding="utf-8")
    return read_score(path)


def test_pitch_names():
    assert [midi(p) for p in ("C4", "A4", "Bb3", "F#5", "B3")] == [60, 69, 58, 78, 59]
    assert spell(70, -2) == "Bb4" and spell(70, 2) == "A#4"
    assert all(midi(spell(p, k)) == p for p in range(48, 80) for k in (-3, 3))


def test_notation():
    events = parse("R/2 | !p @96 A4/1=さ, B4/.5")
    assert events == (
        Event(2.0),
        Event(1.0, "A4", "さ", 96.0, "p", True),
        Event(0.5, "B4"),
    )
    with pytest.raises(DataError, match="H4/1"):
        parse("H4/1=さ")


def test_musicxml_says_what_the_melody_says(tmp_path):
    text = "R/1 !f C4/1=か D4/.5=っ E4/3.5=き F4/1 | @60 G4/1=に, R/1"
    score = _read(tmp_path, Melody("m", "t", 1, 4, 4, 120.0, parse(text)))
    notes = score.notes
    assert contiguous(notes) and score.title == "t"
    assert [n.pitch for n in notes] == [0, 60, 62, 64, 65, 67, 0]
    # The long note crosses a bar line and is tied; the last measure is filled up with a rest.
    assert [n.beats for n in notes][:6] == [1.0, 1.0, 0.5, 3.5, 1.0, 1.0]
    assert [n.lyric for n in notes] == ["", "か", "っ", "き", "", "に", ""]
    assert [n.slur for n in notes] == [False, False, False, False, True, False, False]
    assert [n.phones for n in notes] == [
        ("pau",),
        ("k", "a"),
        ("cl",),
        ("k", "i"),
        ("i",),
        ("n", "i"),
        ("pau",),
    ]
    assert notes[0].key == 1 and notes[1].tempo == 120.0 and notes[5].tempo == 60.0
    assert notes[1].velocity > 0.6 and notes[5].breath
    assert notes[3].start == pytest.approx(1.25) and notes[3].end == pytest.approx(3.0)


def test_a_length_without_note_head_is_named():
    with pytest.raises(DataError, match="m: a length of 0.1"):
        musicxml(Melody("m", "t", 0, 4, 4, 120.0, parse("C4/.1=か")))


def test_etudes_are_balanced_and_within_their_limits(tmp_path):
    etudes = make_etudes(0, 60)
    phones, pairs, notes, seconds = Counter(), set(), [], 0.0
    # Through MusicXML for some, for the rest the lyrics are enough.
    language = get_language("ja")
    for etude in etudes:
        tempo, before = etude.tempo, "pau"
        for event in etude.events:
            tempo = event.tempo or tempo
            seconds += event.beats * 60 / tempo
            if not event.pitch:
                before = "pau"
                continue
            names = [p for unit in language.units(event.lyric) for p in unit] if event.lyric else [before]
            phones.update(names)
            pairs.update(zip([before, *names], names))
            before = names[-1]
            notes.append((midi(event.pitch), event.beats * 60 / tempo))
    expected = {p for mora in MORAE for unit in language.units(mora) for p in unit} | {"cl"}
    assert set(phones) == expected and len(expected) == 37
    assert min(phones.values()) >= 15, phones.most_common()[-5:]
    assert len(pairs) > 300
    assert 900 <= len(notes) <= 1300 and 600 <= seconds <= 780
    assert min(p for p, _ in notes) >= LOWEST and max(p for p, _ in notes) <= HIGHEST
    assert min(s for _, s in notes) >= SHORTEST * 0.9 and max(s for _, s in notes) <= LONGEST * 1.1
    assert len({e.fifths for e in etudes}) >= 7 and len({e.tempo for e in etudes}) >= 20
    assert len({(e.beats, e.beat_type) for e in etudes}) == 4
    assert make_etudes(0, 60) == etudes and make_etudes(1, 60) != etudes
    for etude in etudes[:6]:
        score = _read(tmp_path, etude)
        sung = [n for n in score.notes if not n.is_rest]
        assert score.notes[0].is_rest and score.notes[-1].is_rest and contiguous(score.notes)
        assert [n.pitch for n in sung] == [midi(e.pitch) for e in etude.events if e.pitch]
        assert sum(n.slur for n in sung) == sum(bool(e.pitch and not e.lyric) for e in etude.events)
        assert [n.key for n in sung] == [etude.fifths] * len(sung)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_seeds_are_balanced_too(seed):
    phones = Counter(
        phone
        for etude in make_etudes(seed)
        for event in etude.events
        if event.lyric
        for unit in get_language("ja").units(event.lyric)
        for phone in unit
    )
    assert min(phones.values()) >= 15 and len(phones) == 37


def test_songs_read_and_name_their_rights(tmp_path):
    assert sum(song.part == "eval" for song in SONGS) >= 3
    assert sum(song.part == "dev" for song in SONGS) >= 1
    for song in SONGS:
        score = _read(tmp_path, song.melody)
        rests = [n for n in score.notes if n.is_rest]
        assert score.notes[0].is_rest and contiguous(score.notes)
        assert len(rests) >= 5 and 20 < score.duration < 70
        assert all(LOWEST <= n.pitch <= HIGHEST for n in score.notes if not n.is_rest)
        assert "free" in song.rights
        # Every measure is full: what was written adds up.
        assert sum(n.beats for n in score.notes) % song.melody.beats == pytest.approx(0.0)
