"""One tune in every format: all of them must give the same score."""

import itertools

import pytest
from scorefiles import ENGLISH, JAPANESE, midi, musicxml, tune, ust, ustx, vsqx, write_all, zipped
from scorexml import contiguous

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import READERS, read_score

HERE = __file__.rpartition("/")[0]


def rows(score):
    """What must agree: times to 1 ms, pitch, text, melisma, place, tempo to a millionth, phones."""
    return [
        (round(n.start, 3), round(n.end, 3), n.pitch, n.lyric, n.slur, n.measure, n.beat, n.beats)
        + (n.measure_beats, pytest.approx(n.tempo, rel=1e-6), n.phones)
        for n in score.notes
    ]


def plain(score):
    return [row[:-2] + row[-1:] for row in rows(score)]


def test_japanese_tune_in_every_format(tmp_path):
    scores = {form: read_score(path) for form, path in write_all(tmp_path, JAPANESE).items()}
    assert len(scores) == 12
    expected = scores["musicxml"]
    assert [n.lyric for n in expected.notes] == ["", "は", "る", "が", "", "きっ", "", "た", "きゃ", "ん"]
    assert [n.pitch for n in expected.notes] == [0, 60, 62, 64, 65, 64, 0, 67, 69, 67]
    # 8 quarters at 90 a minute, then 4 at 132.5.
    assert expected.duration == pytest.approx(8 * 60 / 90 + 4 * 60 / 132.5, abs=1e-6)
    for form, score in scores.items():
        assert plain(score) == plain(expected), form
        assert rows(score) == rows(expected), form
        assert contiguous(score.notes), form


def test_english_tune_in_every_format(tmp_path):
    paths = write_all(tmp_path, ENGLISH)
    scores = {form: read_score(path, lang="en", phones=False) for form, path in paths.items()}
    for form, score in scores.items():
        assert plain(score) == plain(scores["musicxml"]), form
    assert scores["midi"].lyrics == "hel- lo world my love"
    assert [n.slur for n in scores["svp"].notes] == [False] * 5 + [True, False]


def test_other_metres(tmp_path):
    song = tune("60 2 ど, 62 1 れ, 64 3 み, 65 1 ふぁ", beats=3)
    for form, path in write_all(tmp_path, song).items():
        notes = read_score(path).notes
        assert [(n.measure, n.beat, n.measure_beats) for n in notes[:4]] == [
            (1, 0.0, 3.0), (1, 2.0, 3.0), (2, 0.0, 3.0), (3, 0.0, 3.0)
        ], form  # fmt: skip
        # Written music ends with its last measure, which is filled up where a format has no measures.
        assert len(notes) == (4 if form in ("musicxml", "mxl") else 5), form
        if len(notes) == 5:
            assert notes[-1].is_rest and notes[-1].beats == 2.0


def test_files_of_another_writer(tmp_path):
    """Written by libresvip 2.9.2 from one project; its VPR leaves the tempo at the global 120."""
    song = tune("r 1, 60 1 は, 62 1 る, 64 1/2 が, 65 1/2 -, 64 1 きっ, r 2, 67 1/2 た, 69 1/2 きゃ, 67 4 ん")
    song.tempi = [(0, 90.0)]
    (tmp_path / "own.musicxml").write_bytes(musicxml(song))
    expected = read_score(tmp_path / "own.musicxml")
    folder = f"{HERE}/scores_by_others"
    with open(f"{folder}/tune.mid.hex") as file:
        (tmp_path / "tune.mid").write_bytes(bytes.fromhex(file.read()))
    for path in [f"{folder}/tune.{s}" for s in ("ust", "ustx", "svp", "vsqx")] + [tmp_path / "tune.mid"]:
        assert plain(read_score(path)) == plain(expected), path
    with open(f"{folder}/tune.sequence.json", "rb") as file:
        zipped(tmp_path / "tune.vpr", "Project\\sequence.json", file.read())
    score = read_score(tmp_path / "tune.vpr")
    assert [row[2:8] for row in plain(score)] == [row[2:8] for row in plain(expected)]
    assert {n.tempo for n in score.notes} == {120.0}


def test_midi_that_music21_writes(tmp_path):
    from music21 import converter

    (tmp_path / "own.musicxml").write_bytes(musicxml(JAPANESE))
    expected = read_score(tmp_path / "own.musicxml")
    converter.parse(tmp_path / "own.musicxml").write("midi", tmp_path / "tune.mid")
    score = read_score(tmp_path / "tune.mid")
    assert [(n.pitch, n.lyric, n.phones) for n in score.notes] == [
        (n.pitch, n.lyric, n.phones) for n in expected.notes
    ]
    assert score.duration == pytest.approx(expected.duration, abs=1e-3)


def test_midi_of_a_real_score(shared_data, tmp_path):
    """A whole song by way of music21's MIDI keeps its notes, times and lyrics."""
    from music21 import converter

    source = shared_data / "scores" / "ja" / "song070_f00001_063.xml"
    expected = read_score(source)
    converter.parse(source).write("midi", tmp_path / "song.mid")
    score = read_score(tmp_path / "song.mid")
    assert score.lyrics == expected.lyrics
    sung = [(n.pitch, n.phones) for n in expected.notes if not n.is_rest]
    assert [(n.pitch, n.phones) for n in score.notes if not n.is_rest] == sung
    starts = [n.start for n in expected.notes if not n.is_rest]
    assert [n.start for n in score.notes if not n.is_rest] == pytest.approx(starts, abs=2e-3)


def test_unknown_suffix_names_those_known(tmp_path):
    path = tmp_path / "song.vsq"
    path.write_bytes(b"MThd")
    with pytest.raises(DataError) as caught:
        read_score(path)
    assert all(suffix in str(caught.value) for suffix in READERS)


@pytest.mark.parametrize(
    ("form", "option", "message"),
    [
        ("ust", {"part": 2}, "part 2 was asked for, but UST has no parts to choose from"),
        ("svp", {"verse": 2}, "verse 2 was asked for, but SVP holds one verse alone"),
        ("midi", {"verse": 3}, "verse 3 was asked for, but MIDI holds one verse alone"),
        ("vpr", {"voice": "2"}, "voice '2' was asked for, but VPR has no voices to choose from"),
        ("svp", {"part": 2}, "no part '2'; there are: 1 Voice"),
        ("midi", {"part": "Voicee"}, "no part 'Voicee' (did you mean 'Voice'?); there are: 1 Voice"),
        ("vsq4", {"part": 0}, "no part '0'; there are: 1 Voice"),
    ],
)
def test_options_that_a_format_lacks(tmp_path, form, option, message):
    path = write_all(tmp_path, JAPANESE)[form]
    with pytest.raises(DataError) as caught:
        read_score(path, **option)
    assert str(caught.value) == f"{path}: {message}"
    assert read_score(path, part=None, verse=1, voice=None, tempo=100).notes


def test_wrong_suffixes_end_in_one_line(tmp_path):
    """Every file under every suffix: read by the reader's own format, else refused."""
    files = {path: path.read_bytes() for path in write_all(tmp_path, JAPANESE).values()}
    read = 0
    for (path, data), suffix in itertools.product(files.items(), READERS):
        other = tmp_path / f"other{suffix}"
        other.write_bytes(data)
        try:
            read_score(other)
            read += 1
        except DataError as error:
            assert "\n" not in str(error) and str(error).startswith(str(other)), (path, suffix)
    # MusicXML, plain and packed (3 suffixes of it), and MIDI under its three names.
    assert read == 3 + 3 + 3 * 3 + 2 + 1 + 1 + 2 + 1


def test_tempo_counts_only_where_the_file_has_none(tmp_path, caplog):
    bare = ust(JAPANESE).replace(b"Tempo=90.00\r\n", b"")
    (tmp_path / "a.mid").write_bytes(midi(JAPANESE).replace(b"\xff\x51\x03", b"\xff\x7f\x03"))
    assert read_score(tmp_path / "a.mid", tempo=60).notes[0].duration == 1.0
    assert read_score(tmp_path / "a.mid").notes[0].duration == 0.5
    assert "no tempo to begin with; 120" in caplog.text
    with pytest.raises(DataError, match="the tempo asked for: a tempo of 5 quarter notes"):
        read_score(tmp_path / "a.mid", tempo=5)
    (tmp_path / "a.ust").write_bytes(bare)
    assert read_score(tmp_path / "a.ust").notes[0].tempo == 132.5


def test_tracks_are_parts(tmp_path):
    """Two voices: each by number and by name, in every format that has tracks."""
    low = tune("60 1 か, 62 1 き, 64 2 く")
    (tmp_path / "a.ustx").write_bytes(_two_tracks_ustx(low))
    (tmp_path / "a.vsqx").write_bytes(_two_tracks_vsqx(low))
    for name in ("a.ustx", "a.vsqx"):
        assert read_score(tmp_path / name).lyrics == "か き く"
        assert read_score(tmp_path / name, part=2).notes[0].pitch == 72
        assert read_score(tmp_path / name, part="Alto").notes[0].pitch == 72


def _two_tracks_ustx(song):
    text = ustx(song).decode()
    part = text[text.index("- duration: 99999") : text.index("wave_parts")]
    second = (
        part.replace("track_no: 0", "track_no: 1")
        .replace("tone: 6", "tone: 7")
        .replace("tone: 70", "tone: 72")
    )
    text = text.replace("wave_parts", second + "wave_parts")
    return text.replace("voice_parts:", "- singer: y\n  track_name: Alto\nvoice_parts:").encode()


def _two_tracks_vsqx(song):
    text = vsqx(song).decode()
    track = text[text.index("<vsTrack>") : text.index("</vsq4>")]
    second = track.replace("Voice", "Alto").replace("<n>60</n>", "<n>72</n>")
    return text.replace("</vsq4>", second + "</vsq4>").encode()


def test_json_lines_are_named(tmp_path):
    path = tmp_path / "a.svp"
    path.write_text('{\n"time": {},\n"tracks": [,]}')
    with pytest.raises(DataError, match=r"a.svp: line 3: not JSON: Expecting value"):
        read_score(path)
