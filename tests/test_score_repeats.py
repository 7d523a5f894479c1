"""The order of measures: each case names the measures as they are played."""

import pytest
from scorexml import attributes, document, measure, note, repeat, song, tempo, write
from test_score_leftout import refused

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats import repeats
from nnsvs_lite.score.formats.musicxml import read_musicxml

SAY = "<direction><direction-type><words>{}</words></direction-type></direction>"
SIGN = "<direction><direction-type><{}/></direction-type></direction>"
SOUND = "<direction><direction-type><words>?</words></direction-type><sound {}/></direction>"
TO_CODA = SAY.format("To Coda")
KANA = "あいうえおかきくけこ"


def marked(*marks):
    """A song of one syllable a measure; ``marks`` say what stands in each measure.

    ``|:`` and ``:|=times`` are repeat signs, ``[=passes`` and ``]`` the ends of a bracket,
    anything else is XML; several are separated by ``;``.
    """
    measures = ""
    for number, (syllable, text) in enumerate(zip(KANA, marks), 1):
        left = right = body = ""
        for mark in filter(None, text.split(";")):
            kind, _, value = mark.partition("=")
            if kind == "|:":
                left += '<repeat direction="forward"/>'
            elif kind == ":|":
                right += f'<repeat direction="backward" times="{value or 2}"/>'
            elif kind == "[":
                left = f'<ending number="{value}" type="start"/>' + left
            elif kind == "]":
                right = '<ending number="1" type="stop"/>' + right
            else:
                body += mark
        if left:
            body = f'<barline location="left">{left}</barline>{body}'
        body += note(f"C4 4 {syllable}")
        if right:
            body += f'<barline location="right">{right}</barline>'
        measures += f'<measure number="{number}">{body}</measure>'
    return document(measures.replace('number="1">', f'number="1">{attributes()}{tempo(120)}', 1))


def played(tmp_path, *marks):
    return "".join(n.lyric for n in read_musicxml(write(tmp_path, marked(*marks))).notes)


@pytest.mark.parametrize(
    ("marks", "order"),
    [
        (("", "", ""), "あいう"),
        (("|:", ":|", ""), "あいあいう"),
        (("", ":|", ""), "あいあいう"),
        (("", "|:", ":|=3", ""), "あいういういうえ"),
        (("|:", ":|", "|:", ":|"), "あいあいうえうえ"),
        (("", ":|", "", ":|", ""), "あいあいうえうえお"),
        (("", "|:;:|", ""), "あいいう"),
        (("|:", "[=1;];:|", "[=2;]=2", ""), "あいあうえ"),
        (("|:", "[=1, 2;];:|", "[=3;]", ""), "あいあいあうえ"),
        (("|:", "[=1-2;];:|", "[=3;]", ""), "あいあいあうえ"),
        (("|:", "[=1", "];:|", "[=2;];:|", ""), "あいうあえお"),
        (("|:", "[=1;];:|", "", ""), "あいあうえ"),
        (("|:", "[=1;];:|", "[=2;]", "|:", "[=1;];:|", "[=2;]"), "あいあうえおえか"),
        (("|:", ":|=3", "[=3;]", ""), "あいあいあいうえ"),
        (("", SAY.format("Fine"), "", SAY.format("D.C. al Fine")), "あいうえあい"),
        (("", SOUND.format('fine="yes"'), "", SOUND.format('dacapo="yes"')), "あいうえあい"),
        (("", SIGN.format("segno"), SAY.format("Fine"), SAY.format("D.S. al Fine")), "あいうえいう"),
        (("", SOUND.format('segno="a"'), "", SOUND.format('dalsegno="a"')), "あいうえいうえ"),
        (
            ("", SIGN.format("segno"), SAY.format("To Coda"), SAY.format("D.S. al Coda"), SAY.format("Coda")),
            "あいうえいうお",
        ),
        (("", SIGN.format("coda"), SAY.format("D.C. al Coda"), SIGN.format("coda")), "あいうあいえ"),
        (
            ("", SOUND.format('tocoda="x"'), SOUND.format('dacapo="yes"'), SOUND.format('coda="x"')),
            "あいうあいえ",
        ),
        # After the jump repeats are not taken, the last ending is.
        (("|:", ":|", SAY.format("D.C.")), "あいあいうあいう"),
        (("|:", "[=1;];:|", "[=2;]", SAY.format("D.C.")), "あいあうえあうえ"),
        (("|:", "[=1;];:|", "[=2;];" + SAY.format("D.C."), ""), "あいあうあうえ"),
        # Unless the jump says so.
        (("|:", ":|", SAY.format("D.C. con rep.")), "あいあいうあいあいう"),
        (("|:", "[=1;];:|", "[=2;]", SAY.format("D.C. with repeats")), "あいあうえあいあうえ"),
        *(
            (("|:", ":|", SAY.format(f"D.C. {how} repeats")), "あいあいうあいう")
            for how in ("with no", "without", "con senza", "sans", "ohne", "mit keinen")
        ),
        # Where it ends after a repeat, that is after the last pass.
        (("|:", ":|;" + SAY.format("Fine"), SAY.format("D.C. al Fine con rep.")), "あいあいうあいあい"),
        (
            ("|:", "[=1;];:|;" + SAY.format("Fine"), "[=2;]", SAY.format("D.C. al Fine con rep.")),
            "あいあうえあい",
        ),
        (
            ("|:", ":|;" + TO_CODA, SAY.format("D.C. al Coda con rep."), SAY.format("Coda")),
            "あいあいうあいあいえ",
        ),
        (
            ("|:", ":|", SIGN.format("segno"), "|:", ":|;" + SAY.format("D.S. senza rep.")),
            "あいあいうえおえおうえお",
        ),
    ],
)
def test_order(tmp_path, marks, order):
    assert played(tmp_path, *marks) == order


def test_repeats_that_say_so_are_taken_after_a_jump_too(tmp_path):
    text = song(
        f"{repeat('forward')}, C4 4 あ|い",
        f"D4 4 う|え, {repeat('backward')}",
        f"{repeat('forward')}, E4 4 お, {repeat('backward')}, {SAY.format('D.C.')}",
    )
    text = text.replace('"backward"/>', '"backward" after-jump="yes"/>', 1)
    assert "".join(n.lyric for n in read_musicxml(write(tmp_path, text)).notes) == "あういえおおあういえお"
    text = marked("|:", ":|;" + SAY.format("Fine"), SAY.format("D.C. al Fine"))
    assert "".join(n.lyric for n in read_musicxml(write(tmp_path, text)).notes) == "あいあいうあい"
    text = text.replace('"backward"', '"backward" after-jump="yes"')
    assert "".join(n.lyric for n in read_musicxml(write(tmp_path, text)).notes) == "あいあいうあいあい"


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (("1.-5.", "6."), "あい" * 5 + "あう"),
        (("[1. 2. times only]", "3."), "あいあいあう"),
        (("1. und 2. Strophe", "Zur 3. Strophe"), "あいあいあう"),
        (("1.–3.", "4."), "あいあいあいあう"),
        (("", ""), "あいあう"),
        (("Da capo", "Schluss"), "あいあう"),
        # These name verses of which the first stands elsewhere; the numbers make sense.
        (("2.", "3."), "あいあう"),
    ],
)
def test_text_of_an_ending_goes_before_its_number(tmp_path, texts, order):
    text = marked("|:", "[=1;];:|", "[=2;]")
    for number, words in zip("12", texts):
        start = f'<ending number="{number}" type="start"'
        text = text.replace(f"{start}/>", f"{start}>{words}</ending>")
    assert "".join(n.lyric for n in read_musicxml(write(tmp_path, text)).notes) == order


@pytest.mark.parametrize(
    ("marks", "order", "warning"),
    [
        (
            ("|:", "", "|:", ":|", ""),
            "あいうえうえお",
            "repeats without an end are passed over: 1, the first at measure 4",
        ),
        (("|:", "|:", "[=1;];:|", "[=2;]"), "あいういえ", "repeats without an end are passed over: 1"),
        (
            ("", SOUND.format('tocoda="x"'), SOUND.format('dacapo="yes"')),
            "あいうあいう",
            "ways to a coda that is not marked are passed over: 1, the first at measure 2",
        ),
    ],
)
def test_marks_that_lead_nowhere_are_passed_over(tmp_path, caplog, marks, order, warning):
    assert played(tmp_path, *marks) == order
    assert warning in caplog.text
    assert refused(write(tmp_path, marked(*marks)))


@pytest.mark.parametrize(
    ("marks", "order", "lost"),
    [
        # A bracket that ends before its repeat sign lasts until there.
        (("", "|:", "[=1;]", ":|", "[=2;]"), "あいうえいお", 0),
        (("|:", "[=1;]", "", ":|", "[=2;]", ""), "あいうえあおか", 0),
        (("|:", "[=1,2;]", ":|", "[=3;]"), "あいうあいうあえ", 0),
        (("|:", "[=1;]", ":|", ""), "あいうあうえ", 0),
        # Without a repeat sign nothing is lost.
        (("", "[=1;]", "[=2;]", ""), "あいうえ", 1),
        (("[=2;]", ""), "あい", 1),
        (("|:", ":|", "[=1;]", "[=2;]", "[=3;]"), "あいあいうえお", 2),
    ],
)
def test_brackets_apart_from_their_repeat(tmp_path, caplog, marks, order, lost):
    assert played(tmp_path, *marks) == order
    assert (f"endings that no repeat leads to are played without it: {lost}" in caplog.text) == (lost > 0)
    assert refused(write(tmp_path, marked(*marks))) == (lost > 0)


MIDDLE = '<barline location="middle"><repeat direction="{}"/></barline>'
LEFT = '<barline location="left"><repeat direction="{}"/></barline>'
RIGHT = '<barline location="right"><repeat direction="backward"/></barline>'


@pytest.mark.parametrize(
    ("measures", "sung"),
    [
        ((f"C4 2 か, {MIDDLE.format('backward')}, C4 2 き", "C4 4 く"), "か0 か2 き4 く6"),
        (
            ("C4 4 ら", f"C4 2 か, {MIDDLE.format('forward')}, C4 2 き", f"C4 4 く, {RIGHT}"),
            "ら0 か4 き6 く8 き12 く14",
        ),
        (
            (f"C4 1 か, {MIDDLE.format('forward')}, C4 1 き, {MIDDLE.format('backward')}, C4 2 く",),
            "か0 き1 き2 く3",
        ),
        # An upbeat inside the bar, as in a repeat of eight bars and a beat.
        (
            (
                f"C4 3 か, {MIDDLE.format('forward')}, C4 1 き",
                f"C4 3 く, {MIDDLE.format('backward')}, C4 1 け",
                "C4 4 こ",
            ),
            "か0 き3 く4 き7 く8 け11 こ12",
        ),
        # A note that sounds across the sign goes on where the first time leads to.
        (
            (f"C4 4 か, <backup><duration>48</duration></backup>, {MIDDLE.format('backward')}", "C4 4 き"),
            "か0 か2 き6",
        ),
        (("C4 4 か", f"{LEFT.format('backward')}, C4 4 き"), "か0 か4 き8"),
    ],
)
def test_repeat_signs_inside_a_bar(tmp_path, measures, sung):
    notes = read_musicxml(write(tmp_path, song(*measures, bpm=60))).notes
    assert " ".join(f"{n.lyric}{n.start:g}" for n in notes if n.lyric) == sung


DACAPO = SOUND.format('dacapo="yes"')


@pytest.mark.parametrize(
    ("mark", "order"),
    [
        (SOUND.format('fine="yes"'), "かきくけか"),
        (SAY.format("Fine"), "かきくけかき"),  # printed above the last note: after it
        (SOUND.format('tocoda="x"'), "かきくけかこ"),
        (SOUND.format('segno="s"'), "かきくけかきくけ"),
    ],
)
def test_jumps_inside_a_bar(tmp_path, mark, order):
    jump = DACAPO if "segno" not in mark else SOUND.format('dalsegno="s"')
    coda = SOUND.format('coda="x"') + "," if "tocoda" in mark else ""
    measures = (
        f"C4 2 か, {mark}, C4 2 き",
        "C4 4 く",
        f"C4 4 け, {jump}",
        *([f"{coda} C4 4 こ"] if coda else []),
    )
    text = "".join(n.lyric for n in read_musicxml(write(tmp_path, song(*measures))).notes)
    assert text == (order if "segno" not in mark else "かきくけきくけ")


def test_printed_fine_before_other_notes_of_its_bar_holds_there(tmp_path):
    measures = (f"C4 2 か, {SAY.format('Fine')}, C4 1 き, C4 1 く", f"C4 4 け, {SAY.format('D.C. al Fine')}")
    assert "".join(n.lyric for n in read_musicxml(write(tmp_path, song(*measures))).notes) == "かきくけか"


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (("|:", "|:", ":|", ":|"), "measure 3: repeats inside repeats"),
        (("", SAY.format("D.S.")), "measure 2: dal segno, but no segno"),
        (("", SAY.format("D.C. al Fine")), "measure 2: al fine, but no fine"),
        (("", SAY.format("D.C. al Coda")), "measure 2: al coda, but no way"),
        (
            ("", SAY.format("Coda"), SAY.format("To Coda"), SAY.format("D.C. al Coda")),
            "measure 3: to coda, but",
        ),
        (("|:", ":|=1000000"), "measure 2: a repeat of '1000000' times"),
        (("|:", ":|=" + "9" * 5000), "measure 2: a repeat of '99999"),
        (("|:", ":|=many"), "measure 2: a repeat of 'many' times"),
    ],
)
def test_contradictions(tmp_path, marks, message):
    with pytest.raises(DataError, match=message):
        played(tmp_path, *marks)


def test_endless_repeats_are_refused_fast(tmp_path):
    with pytest.raises(DataError, match="more than 50000 measures"):
        read_musicxml(
            write(tmp_path, song(*[f"{repeat('forward')}, C4 4 あ, {repeat('backward', '100')}"] * 600))
        )


def test_marks_that_cut_a_score_to_pieces_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(repeats, "MAX_STRETCHES", 3)
    sign = SIGN.format("segno")
    path = write(tmp_path, song(f"C4 1 か, {sign}, C4 1 き, {sign}, C4 2 く"))
    assert "".join(n.lyric for n in read_musicxml(path).notes) == "かきく"
    with pytest.raises(DataError, match="its marks cut it in 4; at most 3"):
        read_musicxml(write(tmp_path, song(f"C4 1 か, {sign}, C4 1 き, {sign}, C4 1 く, {sign}, C4 1 け")))


def test_repeat_marked_in_another_part_counts(tmp_path):
    voice = measure(f"{attributes()}, C4 4 か", 1) + measure("C4 4 き", 2)
    sign = '<barline location="right"><repeat direction="backward"/></barline>'
    piano = measure(f"{attributes()}, C3 4, {sign}", 1) + measure("C3 4", 2)
    score = read_musicxml(write(tmp_path, document(voice, piano)))
    assert "".join(n.lyric for n in score.notes) == "かかき"


def test_tempo_in_a_repeat_is_the_one_written_there(tmp_path):
    slow = '<direction><direction-type><words>x</words></direction-type><sound tempo="60"/></direction>'
    sign = '<barline location="right"><repeat direction="backward"/></barline>'
    score = read_musicxml(write(tmp_path, song("C4 4 か", f"{slow}, C4 4 き, {sign}", bpm=120)))
    assert [n.duration for n in score.notes] == [2.0, 4.0, 2.0, 4.0]


def test_verse_under_an_ending_is_that_of_the_pass(tmp_path):
    text = marked("|:", "[=1;];:|", "[=2;]").replace(
        "<text>あ</text></lyric>",
        '<text>あ</text></lyric><lyric number="2"><text>わ</text></lyric>',
    )
    assert "".join(n.lyric for n in read_musicxml(write(tmp_path, text)).notes) == "あいわう"


def test_agrees_with_music21_on_plain_repeats(tmp_path):
    from music21 import converter

    for marks in [
        ("|:", ":|", ""),
        ("", "|:", ":|=3", ""),
        ("|:", "[=1;];:|", "[=2;]=2", ""),
        ("", SAY.format("Fine"), "", SAY.format("D.C. al Fine")),
        ("", SIGN.format("segno"), SAY.format("Fine"), SAY.format("D.S. al Fine")),
    ]:
        expanded = converter.parseData(marked(*marks), format="musicxml").parts[0].expandRepeats()
        assert played(tmp_path, *marks) == "".join(n.lyric for n in expanded.recurse().notes), marks


def test_verses_that_sibelius_names_and_lyrics_of_single_passes(tmp_path):
    text = song(f"{repeat('forward')}, C4 2 か|さ, D4 2 |し, {repeat('backward')}", "E4 4 あ")
    text = text.replace('number="2"><syl', 'number="part1verse2"><syl')
    assert [n.lyric for n in read_musicxml(write(tmp_path, text)).notes] == ["か", "", "さ", "し", "あ"]
    text = song(f"{repeat('forward')}, C4 4 か|さ, {repeat('backward', '3')}", "E4 4 あ")
    for verse, passes in (("1", "1,3"), ("2", "2")):
        text = text.replace(f'number="{verse}"><syl', f'number="1" time-only="{passes}"><syl')
    assert [n.lyric for n in read_musicxml(write(tmp_path, text)).notes] == ["か", "さ", "か", "あ"]


def test_repeat_signs_for_measures_stand_for_their_notes(tmp_path):
    def sign(kind: str, count: str = "") -> str:
        style = f'<measure-style><measure-repeat type="{kind}">{count}</measure-repeat></measure-style>'
        return f"<attributes>{style}</attributes>"

    text = song("C4 2 か, D4 2 き", f"{sign('start', '1')}, r 4", "", f"{sign('stop')}, E4 4 く")
    found = read_musicxml(write(tmp_path, text)).notes
    assert "".join(n.lyric for n in found) == "かきかきかきく"
    assert [n.start for n in found] == [0, 1, 2, 3, 4, 5, 6]
    text = song("C4 4 か", "D4 4 き", f"{sign('start', '2')}, r 4", "r 4", f"{sign('stop')}, E4 4 く")
    found = read_musicxml(write(tmp_path, text)).notes
    assert [(n.pitch, n.measure) for n in found] == [(60, 1), (62, 2), (60, 3), (62, 4), (64, 5)]
