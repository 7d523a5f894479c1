"""What is left out of a score is counted in a warning, and refused where strict reading is asked for."""

import pytest
from scorexml import attributes, document, measure, note, song, tempo, write
from test_score_musicxml import two_voices

from nnsvs_lite.bin.command import COMMANDS, STRICT, Command, arg
from nnsvs_lite.bin.main import main, parser_of
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out, strictly
from nnsvs_lite.score.formats.musicxml import read_musicxml
from nnsvs_lite.score.formats.readers import read_score

ON_REST = "words on rests are left out: {}, the first at"
BARE = "notes without lyrics are left out as rests: {}, the first at"
TEMPO = "tempi that nobody can sing are passed over: {}, the first at measure 1"
TWICE = "tempo marks stand where another does; the last one counts: {}, the first at measure 1"
BESIDE = "notes that sound together with those of the voice sung are left out: {}, the first at"
SIGNS = "lyrics are signs that nobody sings: {}, the first at measure 1"
FAST = "C4 4 か"
MARK = (
    "<direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>{}</per-minute></metronome>"
    "</direction-type>"
)
TWO_MARKS = f"<direction>{MARK.format(90)}{MARK.format(60)}</direction>"


def sung(score):
    """Lyric and start in beats of 60 a minute, ``~`` for a slur, ``,`` for a rest."""
    names = [n.lyric or ("~" if n.slur else ",") for n in score.notes]
    return " ".join(f"{name}{n.start:g}" for name, n in zip(names, score.notes))


CASES = [
    (
        song("C4 1 か, r 1 ん, D4 1 が, r 1", bpm=60),
        "か0 ,1 が2 ,3",
        ON_REST.format(1) + " measure 1, beat 2",
    ),
    (song("C4 1 か, r 1 (間奏), r 2 V", bpm=60), "か0 ,1", ON_REST.format(2) + " measure 1, beat 2"),
    (song("C4 1 か, r 1 息, D4 2 が", bpm=60), "か0 br1 が2", ""),
    (song("C4 1 か, r 1 AP, r 2 ー", bpm=60), "か0 br1 ,2", ""),
    (song("C4 1, D4 1, r 2", "E4 4 か", bpm=60), ",0 か4", BARE.format(2) + " measure 1, beat 1"),
    (song("C4 1 か, r 1, D4 1, r 1", "E4 4 き", bpm=60), "か0 ,1 き4", BARE.format(1) + " measure 1, beat 3"),
    (
        song("C4 1 か, D4 1, r 1, D4 1 ー", "E4 4 き", bpm=60),
        "か0 ~1 ,2 き4",
        BARE.format(1) + " measure 1, beat 4",
    ),
    (song("C4 2 か, D4 2 ♪", bpm=60), "か0 ~2", SIGNS.format(1)),
    (song("C4 2 か, D4 1 。, D4 1 ！", bpm=60), "か0 ~2 ~3", ""),
    *[
        (
            song(FAST, f"{tempo(value)}, D4 4 き", bpm=60).replace("∞", "inf"),
            "か0 き4",
            TEMPO.format(1)[:-1] + "2",
        )
        for value in (9.9, 1001, -60, 0, float("nan"), float("inf"), "fast", "500k")
    ],
    (song(f"{tempo(30)}, {FAST}", bpm=60), "か0", TWICE.format(1)),
    (song(f"C4 2 か, {tempo(90)}, {tempo(30)}, D4 2 き", "C4 4 く", bpm=60), "か0 き2 く6", TWICE.format(1)),
    (song(f"{tempo(60)}, {FAST}", bpm=60), "か0", ""),
    (song(f"{TWO_MARKS}, C4 2 か, D4 2 き", bpm=None), "か0 き2", TWICE.format(1)),
    (song("C4 2 か, <backup><duration>24</duration></backup>, D4 3 き", bpm=60), "か0 ,2", BESIDE.format(1)),
    (two_voices("C4 2 か, D4 2 き", "E4 4 く").replace('"120"', '"60"'), "か0 き2", BESIDE.format(1)),
    (song("C4 4 か, +E4 4", bpm=60), "か0", "chords are sung on their highest note: 1"),
    (
        song("C4 2 か, C#4 2 き", bpm=60).replace("<alter>1<", "<alter>0.5<"),
        "か0 き2",
        "pitches between two semitones are sung on the nearer one, quarter tones on the upper: 1",
    ),
]


@pytest.mark.parametrize(("text", "expected", "warning"), CASES)
def test_left_out_with_a_warning_or_refused(tmp_path, caplog, text, expected, warning):
    path = write(tmp_path, text)
    assert sung(read_score(path)) == expected
    assert (warning in caplog.text) if warning else not caplog.text
    with strictly():
        if not warning:
            assert sung(read_score(path)) == expected
        else:
            with pytest.raises(DataError, match="strict") as caught:
                read_score(path)
            assert str(caught.value).startswith(f"{path}: {warning}")


def refused(path):
    """Whether strict reading refuses a file, by name."""
    try:
        with strictly():
            read_score(path)
    except DataError as error:
        assert str(error).startswith(f"{path}: ") and "strict reading was asked for" in str(error)
        return True
    return False


def test_strict_reading_ends_with_its_context():
    with strictly(), strictly(False), pytest.raises(DataError):
        left_out("things are left out", ["here"])
    left_out("things are left out", ["here"])
    with strictly():
        left_out("things are left out", [])


def test_strict_is_an_option_of_commands_that_read_scores(tmp_path, monkeypatch, capsys):
    assert all("--strict" in parser_of(name).long_options() for name in ("sing", "prepare"))
    probe = Command("reads", lambda args: read_score(args.score) and 0, (arg("score", "file"), STRICT))
    monkeypatch.setitem(COMMANDS, "probe", probe)
    path = str(write(tmp_path, song("C4 1 か, r 3 ん")))
    assert main(["probe", path]) == 0
    assert main(["probe", path, "--strict"]) == 1
    assert f"{path}: words on rests are left out: 1" in capsys.readouterr().err


def voices(first, second, verses="1"):
    """Two voices, the second in another verse."""
    return two_voices(first, second).replace('"120"', '"60"')


@pytest.mark.parametrize(
    ("first", "second", "by_verse"),
    [
        # The second verse has a rhythm of its own.
        ("C4 2 か|, D4 2 き|", "E4 1 |さ, F4 3 |し", ["か0 き2", "さ0 し1"]),
        # Only one note differs.
        ("C4 2 か|さ, D4 2 き|", "r 2, E4 1 |し, F4 1 |す", ["か0 き2", "さ0 し2 す3"]),
        # A melisma of the wanted verse goes on in its own voice.
        ("C4 2 か|, D4 2 き|", "E4 1 |さ, F4 1, G4 2 |し", ["か0 き2", "さ0 ~1 し2"]),
        # What is shared is sung in both.
        ("C4 1 か|, D4 1 き|, E4 2 く|す", "E4 2 |さ, r 2", ["か0 き1 く2", "さ0 す2"]),
    ],
)
def test_voice_of_the_verse_is_sung(tmp_path, caplog, first, second, by_verse):
    path = write(tmp_path, voices(first, second))
    for verse, expected in enumerate(by_verse, 1):
        assert sung(read_musicxml(path, verse=verse)) == expected
    assert "left out" not in caplog.text or "~" in by_verse[1]


def test_voice_of_the_verse_in_a_repeat(tmp_path):
    sign = '<barline location="right"><repeat direction="backward"/></barline>'
    text = voices("C4 2 か|, D4 2 き|", "E4 1 |さ, F4 3 |し").replace("</measure>", f"{sign}</measure>")
    assert sung(read_musicxml(write(tmp_path, text))) == "か0 き2 さ4 し5"


def test_small_notes_are_another_reading(tmp_path, caplog):
    text = voices("C4 1 か, D4 1 き, E4 2 く", "F4 2 か, G4 2 き")
    small = text.replace("<voice>1</voice>", '<voice>1</voice><type size="cue">quarter</type>')
    assert sung(read_musicxml(write(tmp_path, text))) == "か0 き1 く2"
    assert sung(read_musicxml(write(tmp_path, small))) == "か0 き2"
    assert BESIDE.format(3) + " measure 1, beat 1" in caplog.text


def test_voice_with_words_goes_on_through_a_melisma(tmp_path):
    long = measure("C4 4 か").replace("</note>", "<voice>2</voice></note>")
    text = voices("C5 4", "E4 4").replace("</part>", "").partition("</score-partwise>")[0]
    head = long.replace("<note>", attributes() + tempo(60) + "<note>", 1)
    body = text.partition('<part id="P1">')[2].replace(attributes() + tempo(60), "")
    score = read_musicxml(write(tmp_path, document(head + body)), voice="2")
    assert [(n.pitch, n.slur) for n in score.notes] == [(60, False), (64, True)]


def test_ossia_part_is_not_the_song(tmp_path):
    ossia = measure(f"{attributes()}, {tempo(60)}, C5 4 か", 1) + measure("r 4", 2)
    voice = measure(f"{attributes()}, C4 1 か, C4 1 き, C4 1 く, C4 1 け", 1) + measure("C4 4 こ", 2)
    path = write(tmp_path, document(ossia, voice))
    assert sung(read_musicxml(path)) == "か0 き1 く2 け3 こ4"
    assert sung(read_musicxml(path, part=1)) == "か0 ,4"


def test_first_verse_there_is_stands_for_verse_1(tmp_path):
    path = write(tmp_path, song("C4 2 |か|さ, D4 2 |き|し", bpm=60))
    assert sung(read_musicxml(path)) == "か0 き2"
    assert sung(read_musicxml(path, verse=3)) == "さ0 し2"
    with pytest.raises(DataError, match="no verse 4; there are: 2, 3"):
        read_musicxml(path, verse=4)


def test_many_notes_in_one_measure_are_read_quickly(tmp_path):
    body = "".join(note(f"C4 0.5 {'か' if i % 2 else ''}") for i in range(20_000))
    text = song("C4 4 か").replace("</measure>", f"{body}</measure>", 1)
    assert len(read_musicxml(write(tmp_path, text)).notes) == 20_001
