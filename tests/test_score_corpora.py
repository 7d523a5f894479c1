"""Real scores against the real labels of the same songs."""

import pytest
from scorexml import contiguous

from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import get_language

SILENCES = {"pau", "br", "sil"}


def label(path):
    """Phones of a mono label, and its end in seconds."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [phone for _, _, phone in rows if phone not in SILENCES], int(rows[-1][1]) / 1e7


def sung(score):
    return [phone for phone in score.phones if phone not in SILENCES]


@pytest.mark.parametrize("song", ["004", "007"])
def test_nit_song070(shared_data, song):
    folder = shared_data / "nit_song070"
    score = read_score(folder / f"{song}_score.musicxml")
    phones, end = label(folder / f"{song}_mono.lab")
    assert sung(score) == phones
    assert score.duration == pytest.approx(end, abs=0.05)


def test_no7(shared_data):
    """All 51 songs agree phone by phone; all but the one without a tempo in length too."""
    folder = shared_data / "no7_labels"
    for number in range(1, 52):
        tempo = 95 if number == 7 else None
        score = read_score(folder / "musicxml" / f"{number:02}.xml", tempo=tempo)
        phones, end = label(folder / "mono_label" / f"{number:02}.lab")
        assert sung(score) == phones, number
        assert contiguous(score.notes)
        if number != 1:
            assert score.duration == pytest.approx(end, abs=0.2), number


@pytest.mark.parametrize(
    ("name", "title", "count", "seconds", "first"),
    [
        ("haruga_kita.xml", "", 102, 60.0, "はるがきたはるがきた"),
        ("song070_f00001_063.xml", "", 40, 17.4545454, "げんこつやまのたぬき"),
        ("yuki.xml", "", 124, 46.9565217, "ゆうきやこんこあられ"),
    ],
)
def test_japanese_scores(shared_data, name, title, count, seconds, first):
    score = read_score(shared_data / "scores" / "ja" / name)
    assert (score.title, len(score.notes)) == (title, count)
    assert score.duration == pytest.approx(seconds)
    assert score.lyrics.replace(" ", "").startswith(first)
    language = get_language("ja")
    assert all(phone in language for phone in score.phones)


def test_art_songs_in_other_languages(shared_data):
    files = sorted((shared_data / "scores").glob("[defi]*/*.mxl"))
    assert len(files) == 16
    for file in files:
        score = read_score(file, lang=file.parent.name, phones=False)
        assert contiguous(score.notes) and score.notes[0].start == 0.0
        assert len(score.lyrics.split()) > 30, file
        assert all(note.duration > 0 for note in score.notes), file


def test_strophes_follow_the_repeats(shared_data):
    file = next((shared_data / "scores" / "de").glob("3_*.mxl"))
    words = read_score(file, lang="de", phones=False).lyrics
    assert words.startswith("Durch die bun- ten Ro- sen- he- cken")
    assert "Im- mer wach sind mei- ne Sor- gen" in words


def test_art_songs_are_read_in_their_languages(shared_data, caplog):
    """Every syllable of 16 songs has phones; nothing is written under one note, which becomes a rest."""
    for file in sorted((shared_data / "scores").glob("[defi]*/*.mxl")):
        caplog.clear()
        score = read_score(file, lang=file.parent.name)
        assert all(note.phones for note in score.notes), file
        left_out = [record.message for record in caplog.records if "without lyrics" in record.message]
        if "Chez_le_docteur" in file.name:
            assert len(left_out) == 1 and left_out[0].endswith("1, the first at measure 22, beat 1")
        else:
            assert not left_out, file
