"""The etudes and songs that come with the toolkit, through the normal front end."""

from collections import Counter

import pytest
from scorexml import contiguous

from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.virtual.sheets import etudes, songs

LOWEST, HIGHEST = 57, 75


def test_etudes_are_balanced_and_within_their_limits():
    assert [sheet.name for sheet in etudes()] == [f"etude{n:02d}" for n in range(1, 61)]
    assert {sheet.part for sheet in etudes()} == {"train"}
    scores = [read_score(sheet.path) for sheet in etudes()]
    assert [score.title for score in scores] == [sheet.title for sheet in etudes()]
    phones = Counter(phone for score in scores for phone in score.phones if phone != "pau")
    pairs = {pair for score in scores for pair in zip(score.phones, score.phones[1:])}
    known = set(get_language("ja").phones)
    assert set(phones) < known and len(phones) == 37
    assert min(phones.values()) >= 15, phones.most_common()[-5:]
    assert len(pairs) > 300
    sung = [note for score in scores for note in score.notes if not note.is_rest]
    assert 900 <= len(sung) <= 1300 and 600 <= sum(score.duration for score in scores) <= 780
    assert min(n.pitch for n in sung) >= LOWEST and max(n.pitch for n in sung) <= HIGHEST
    assert min(n.duration for n in sung) >= 0.18 and max(n.duration for n in sung) <= 1.9
    assert len({s.notes[0].key for s in scores}) >= 7 and len({s.notes[0].tempo for s in scores}) >= 20
    assert len({s.notes[0].measure_beats for s in scores}) == 3
    assert sum(n.slur for n in sung) > 20 and sum(n.breath for n in sung) > 5
    assert len({n.velocity for n in sung}) >= 4
    for score in scores:
        assert score.notes[0].is_rest and score.notes[-1].is_rest and contiguous(score.notes)


@pytest.mark.parametrize("sheet", songs(), ids=lambda sheet: sheet.name)
def test_songs_read_and_name_their_rights(sheet):
    score = read_score(sheet.path)
    rests = [n for n in score.notes if n.is_rest]
    assert score.title == sheet.title
    assert score.notes[0].is_rest and contiguous(score.notes)
    assert len(rests) >= 5 and 20 < score.duration < 70
    assert all(LOWEST <= n.pitch <= HIGHEST for n in score.notes if not n.is_rest)
    assert "free" in sheet.rights
    # Every measure is full: what was written adds up.
    assert sum(n.beats for n in score.notes) % score.notes[0].measure_beats == pytest.approx(0.0)


def test_there_are_songs_for_dev_and_eval():
    assert Counter(sheet.part for sheet in songs()) == {"dev": 2, "eval": 4}
