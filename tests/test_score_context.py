"""Phones of a score, and the columns that models are given."""

import dataclasses

import numpy as np
import pytest
from scorexml import song, write

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.context import note_columns, note_context, phone_columns, phone_context
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

JA = get_language("ja")


def notes(*rows):
    """Notes of half a second from (pitch, lyric) pairs; lyric ``~`` is a slur."""
    made = []
    for i, (pitch, lyric) in enumerate(rows):
        text = "" if lyric == "~" else lyric
        made.append(Note(i / 2, (i + 1) / 2, pitch, lyric=text, slur=lyric == "~", tempo=120, measure=i + 1))
    return Score(tuple(made))


def phones(*rows):
    return [" ".join(note.phones) for note in attach_phones(notes(*rows)).notes]


def test_phones_of_notes_and_rests():
    assert phones((0, ""), (60, "きょ"), (62, "う"), (0, "br"), (60, "は")) == [
        "pau",
        "ky o",
        "u",
        "br",
        "h a",
    ]


def test_syllable_over_several_notes():
    assert phones((60, "か"), (62, "~"), (64, "~")) == ["k a", "a", "a"]
    assert phones((60, "かん"), (62, "~")) == ["k a N", "N"]
    assert phones((60, "きっ"), (62, "~"), (64, "~"), (65, "て")) == ["k i", "i", "i cl", "t e"]
    assert phones((60, "か"), (62, "ー"), (64, "-")) == ["k a", "a", "a"]


def test_closure_alone_on_a_slurred_note():
    assert phones((60, "か"), (62, "っ"), (64, "~"), (65, "た")) == ["k a", "cl", "cl", "t a"]


def test_kanji_over_several_notes_are_read_by_the_word():
    assert phones((60, "行"), (62, "く")) == ["i", "k u"]
    assert phones((60, "春"), (62, "が"), (64, "来"), (65, "た")) == ["h a r u", "g a", "k i", "t a"]
    assert phones((60, "東"), (62, "京")) == ["t o", "ky o"]
    assert phones((60, "歌"), (62, "声"), (64, "は")) == ["u t a", "g o e", "h a"]


def test_the_word_for_breath_is_sung():
    assert phones((60, "息"), (62, "を"), (0, "br")) == ["i k i", "o", "br"]


def test_kana_are_never_read_by_the_word():
    assert phones((60, "は"), (62, "へ"), (64, "を")) == ["h a", "h e", "o"]


def test_faults_are_named():
    with pytest.raises(DataError, match=r"^song.xml: measure 2, beat 1: cannot read lyric '♪'"):
        attach_phones(notes((60, "か"), (62, "♪")), where="song.xml")
    with pytest.raises(DataError, match="notes without lyrics: 2, the first at measure 1, beat 1"):
        attach_phones(notes((60, ""), (0, ""), (62, "~")))
    with pytest.raises(DataError, match="no notes"):
        attach_phones(notes((0, "")))
    with pytest.raises(DataError, match="no language 'xx'"):
        attach_phones(dataclasses.replace(notes((60, "か")), lang="xx"))


def columns(score):
    """Note and phone contexts as dictionaries of columns."""
    note, phone = note_context(score), phone_context(score)
    assert note.dtype == phone.dtype == np.float32
    assert note.shape == (len(score.notes), len(note_columns(JA)))
    assert phone.shape == (len(score.phones), len(phone_columns(JA)))
    return (
        {c.name: note[:, i].tolist() for i, c in enumerate(note_columns(JA))},
        {c.name: phone[:, i].tolist() for i, c in enumerate(phone_columns(JA))},
    )


SONG = ((0, ""), (60, "か"), (64, "~"), (0, ""), (67, "きっ"), (62, "て"))


def test_note_context():
    note, _ = columns(attach_phones(notes(*SONG)))
    assert note["pitch"] == [0, 60, 64, 0, 67, 62]
    assert note["pitch_held"] == [60, 60, 64, 65.5, 67, 62]
    assert note["interval_prev"] == [0, 0, 4, 1.5, 3, -5]
    assert note["interval_next"] == [0, 4, 3, 1.5, -5, 0]
    assert note["length"] == [0.5] * 6
    assert note["prev_length"] == [0, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert note["next_length"] == [0.5, 0.5, 0.5, 0.5, 0.5, 0]
    assert note["is_rest"] == [1, 0, 0, 1, 0, 0]
    assert note["prev_rest"] == [1, 1, 0, 0, 1, 0]
    assert note["next_rest"] == [0, 0, 1, 0, 0, 1]
    assert note["slur"] == [0, 0, 1, 0, 0, 0]
    assert note["next_slur"] == [0, 1, 0, 0, 0, 0]
    assert note["phrase_index"] == [0, 0, 1, 0, 0, 1]
    assert note["phrase_left"] == [0, 1, 0, 0, 1, 0]
    assert note["phrase_elapsed"] == [0, 0, 0.5, 0, 0, 0.5]
    assert note["phrase_remaining"] == [0, 0.5, 0, 0, 0.5, 0]
    assert note["phone_count"] == [1, 2, 1, 1, 3, 2]
    assert note["onset_phones"] == [0, 1, 0, 0, 1, 1]
    assert note["key"] == [8] * 6
    assert note["key_degree"] == [0, 1, 5, 0, 8, 3]
    number = {phone: i + 1 for i, phone in enumerate(JA.phones)}
    assert note["first_phone"] == [number[p] for p in ("pau", "k", "a", "pau", "k", "t")]
    assert note["nucleus"] == [number[p] for p in ("pau", "a", "a", "pau", "i", "e")]
    assert note["prev_last_phone"] == [0, *(number[p] for p in ("pau", "a", "a", "pau", "cl"))]


def test_key_degree_follows_the_key():
    score = attach_phones(notes((62, "か"), (69, "き"), (61, "く")))
    score = dataclasses.replace(score, notes=tuple(dataclasses.replace(n, key=2) for n in score.notes))
    assert columns(score)[0]["key_degree"] == [1, 8, 12]
    flat = dataclasses.replace(
        score, notes=tuple(dataclasses.replace(n, key=-1, pitch=65) for n in score.notes)
    )
    assert columns(flat)[0]["key_degree"] == [1, 1, 1]


def test_phone_context():
    score = attach_phones(notes(*SONG))
    _, phone = columns(score)
    number = {phone: i + 1 for i, phone in enumerate(JA.phones)}
    symbols = ["pau", "k", "a", "a", "pau", "k", "i", "cl", "t", "e"]
    ids = [number[p] for p in symbols]
    assert phone["phone"] == ids
    assert phone["prev_phone"] == [0, *ids[:-1]]
    assert phone["next_phone"] == [*ids[1:], 0]
    assert phone["prev2_phone"] == [0, 0, *ids[:-2]]
    assert phone["next2_phone"] == [*ids[2:], 0, 0]
    assert phone["note_phone_index"] == [0, 0, 1, 0, 0, 0, 1, 2, 0, 1]
    assert phone["note_phone_left"] == [0, 1, 0, 0, 0, 2, 1, 0, 1, 0]
    assert phone["is_vowel"] == [0, 0, 1, 1, 0, 0, 1, 0, 0, 1]
    assert phone["is_onset"] == [0, 1, 0, 0, 0, 1, 0, 0, 1, 0]
    assert phone["is_silence"] == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert phone["class_vowel"] == [0, 0, 1, 1, 0, 0, 1, 0, 0, 1]
    assert phone["class_voiced"] == [0, 0, 1, 1, 0, 0, 1, 0, 0, 1]


def test_columns_say_what_they_hold():
    score = attach_phones(notes(*SONG))
    for made, matrix in ((note_columns(JA), note_context(score)), (phone_columns(JA), phone_context(score))):
        assert len({c.name for c in made}) == len(made)
        for i, column in enumerate(made):
            values = matrix[:, i]
            assert column.kind in ("categorical", "numeric", "flag")
            if column.kind == "categorical":
                assert (
                    np.array_equal(values, np.round(values))
                    and 0 <= values.min() <= values.max() < column.size
                )
            elif column.kind == "flag":
                assert set(values) <= {0.0, 1.0}


def test_context_of_rests_alone_is_finite():
    score = Score((Note(0, 1, 0, phones=("pau",)),))
    assert np.isfinite(note_context(score)).all() and np.isfinite(phone_context(score)).all()


def test_context_needs_known_phones():
    with pytest.raises(DataError, match="has no phones"):
        note_context(notes((60, "か")))
    with pytest.raises(DataError, match="phone 'zz' is not one of language 'ja'"):
        phone_context(Score((Note(0, 1, 60, lyric="か", phones=("zz",)),)))


def test_position_in_the_measure(tmp_path):
    score = read_score(write(tmp_path, song("C4 1 か", "D4 3 き, E4 1 く")))
    assert columns(score)[0]["beat_fraction"] == [0.75, 0.0, 0.75]


def test_phones_survive_json():
    score = attach_phones(notes(*SONG))
    assert Score.from_json(score.to_json()) == score
