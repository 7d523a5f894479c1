"""Scores that cannot be sung: each ends in one line that says what and where, never in a traceback."""

import io
import os
import random
import tracemalloc
import zipfile
import zlib

import pytest
import scorefiles
from scorexml import attributes, document, measure, song, write

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats import xmlfile
from nnsvs_lite.score.formats.rawfile import text_codec
from nnsvs_lite.score.formats.readers import READERS, read_score

GOOD = song("C4 1 か, D4 3 き", "E4 4 く")


def failure(path, **options):
    with pytest.raises(DataError) as caught:
        read_score(path, **options)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(path))
    return message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("hello", "not XML"),
        ("<a><b></a>", "not XML: mismatched tag"),
        ("<html><body/></html>", "not a MusicXML score: its root element is <html>"),
        ("<opus/>", "not a MusicXML score"),
        ("<score-partwise/>", "the score is empty: it has no measures"),
        (document(""), "the score is empty: it has no measures"),
        (document(measure(attributes())), "the score is empty: it has no notes"),
        (song("r 4", "r 4"), "the score is empty: it has no notes"),
        (song("r 4 か", "r 4"), "lyrics without notes"),
        (song("C4 4", "D4 4"), "notes without lyrics: all 2, the first at measure 1, beat 1"),
        (song("C4 4 か", "r 2, C4 2 xqz"), "measure 2, beat 3: cannot read lyric 'xqz': "),
        (song("C4 4 ♪"), "notes without lyrics: all 1, the first at measure 1, beat 1"),
        (GOOD.replace("<step>C</step>", "<step>H</step>"), "measure 1: a pitch of step 'H'"),
        (
            GOOD.replace("<octave>4</octave>", "<octave>12</octave>", 1),
            "measure 1, beat 1: pitch 156 is out of",
        ),
        (GOOD.replace("<duration>24", "<duration>x"), "measure 1: duration of 'x' is not a number"),
        (GOOD.replace("<duration>24", "<duration>0"), "a note of no length"),
        (GOOD.replace("<duration>24", "<duration>-24"), ""),
        (GOOD.replace("<duration>24", "<duration>1e300"), ""),
        (GOOD.replace("<duration>24", "<duration>nan"), ""),
        (GOOD.replace("<divisions>24", "<divisions>0"), ""),
        (GOOD.replace("<beats>4", "<beats>0"), ""),
        (GOOD.replace("<beats>4", "<beats>four"), "measure 1: beats of 'four' is not a number"),
        (GOOD.replace("<beats>4", "<beats>99999999"), "measure 1: beats of 99999999 is out of range"),
        (GOOD.replace("<duration>96", "<duration>9600000"), "the score lasts more than 4 hours"),
        (
            GOOD.replace("<pitch><step>C</step><octave>4</octave></pitch>", "<unpitched/>"),
            "measure 1, beat 1: a note without pitch cannot be sung",
        ),
        ("<a>" * 200 + "</a>" * 200, "refused: its elements are nested more than 100 deep"),
    ],
)
def test_malformed_scores(tmp_path, text, message):
    assert message in failure(write(tmp_path, text))


def test_line_of_broken_xml_is_named(tmp_path):
    path = write(tmp_path, GOOD.replace("</part>", "\n</prat>"))
    assert failure(path).startswith(f"{path}:2: not XML")


def test_paths_that_cannot_be_read(tmp_path):
    assert "cannot read the score: No such file" in failure(tmp_path / "none.musicxml")
    (tmp_path / "folder.xml").mkdir()
    assert "cannot read the score: Is a directory" in failure(tmp_path / "folder.xml")
    for suffix in READERS:
        os.mkfifo(tmp_path / f"pipe{suffix}")
        assert failure(tmp_path / f"pipe{suffix}").endswith("is not a regular file")
        (tmp_path / f"empty{suffix}").write_bytes(b"")
        assert failure(tmp_path / f"empty{suffix}").endswith("the file is empty")
    assert "no reader for score files named *.musicxm (did you mean '.musicxml'?)" in failure(
        tmp_path / "a.musicxm"
    )


SONG = scorefiles.tune("60 1 か, 62 1 き, 64 2 く")


def packed(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "{}")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "hint"),
    [
        ("a.musicxml", scorefiles.midi(SONG), "(its contents are those of a *.mid: rename it)"),
        ("a.ust", GOOD.encode("utf-16"), "(its contents are those of a *.musicxml: rename it)"),
        ("a.mid", scorefiles.ust(SONG), "(its contents are those of a *.ust: rename it)"),
        ("a.svp", scorefiles.ustx(SONG), "(its contents are those of a *.ustx: rename it)"),
        ("a.vpr", scorefiles.vsqx(SONG), "(its contents are those of a *.vsqx: rename it)"),
        ("a.ds", scorefiles.svp(SONG), "(its contents are those of a *.svp: rename it)"),
        ("a.musicxml", packed("Project\\sequence.json"), "(its contents are those of a *.vpr: rename it)"),
        ("a", GOOD.encode(), "without a suffix (its contents are those of a *.musicxml: rename it)"),
        ("a.json", b'[{"ph_seq": "k a"}]', "*.json (its contents are those of a *.ds: rename it)"),
        ("a.mscz", packed("a.mscx"), "*.mscz (a MuseScore file: in MuseScore, File, Export makes MusicXML"),
        ("a.mxl", packed("a.mscx"), "(a MuseScore file: in MuseScore, File, Export makes MusicXML of it)"),
        (
            "a.vsq",
            scorefiles.midi(scorefiles.tune("60 1 DM:0000:[")),
            "*.vsq (save it as MusicXML or MIDI in",
        ),
        ("a.WAV", b"RIFF", "*.WAV (a recording: 'nnsvs-lite transcribe' writes its notes); known: .musicxml"),
        ("a.pdf", b"%PDF", "*.pdf (a printed score, of which no notes are read"),
        ("a.xyz", b"x", "named *.xyz; known: .musicxml, .xml, .mxl"),
    ],
)
def test_files_of_another_kind_than_their_name_says(tmp_path, name, data, hint):
    path = tmp_path / name
    path.write_bytes(data)
    assert hint in failure(path)


@pytest.mark.parametrize("name", ["a.musicxml", "a.xml"])
def test_no_hint_about_a_file_that_is_what_its_name_says(tmp_path, name):
    assert "rename" not in failure(write(tmp_path, "<score-partwise/>", name))


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("Shift_JIS", "cp932"),
        ("windows-31j", "cp932"),
        ("EUC-JP", "euc_jp"),
        ("GB18030", "gb18030"),
        ("UTF-16", "utf-16"),
        ("UTF-8", "utf-16"),
        ("UTF-16", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("punycode", "utf-8"),
        ("", "utf-16-be"),
    ],
)
def test_encodings_of_xml(tmp_path, declared, written):
    path = tmp_path / "score.musicxml"
    text = GOOD.replace('encoding="UTF-8"', f'encoding="{declared}"' if declared else "")
    path.write_bytes(text.encode(written))
    assert [note.lyric for note in read_score(path).notes] == ["か", "き", "く"]


def test_blanks_before_the_declaration(tmp_path):
    assert len(read_score(write(tmp_path, "\n  " + GOOD)).notes) == 3


@pytest.mark.parametrize(("declared", "said"), [("UTF-8", "UTF-8"), ("EUC-JP", "euc_jp")])
def test_xml_of_another_encoding_than_it_says(tmp_path, declared, said):
    path = tmp_path / "score.musicxml"
    path.write_bytes(GOOD.replace("UTF-8", declared).encode("cp932"))
    assert f"its text is not {said}, as it says; save it as UTF-8" in failure(path)


@pytest.mark.parametrize(
    "name", ["punycode", "idna", "zip", "rot13", "unicode_escape", "undefined", "mbcs", "\0"]
)
def test_codecs_that_are_no_encoding_of_texts_are_not_called(tmp_path, name):
    """Punycode takes a time that grows with the square of a text: days for one of 20 MB."""
    assert text_codec(name) is None
    path = tmp_path / "a.ust"
    path.write_bytes(f"[#VERSION]\nCharset={name}\n".encode() + scorefiles.ust(SONG, "utf-8"))
    assert [note.lyric for note in read_score(path).notes][:3] == ["か", "き", "く"]


def test_unknown_language(tmp_path):
    with pytest.raises(DataError, match="no language 'xx'"):
        read_score(write(tmp_path, GOOD), lang="xx")


def entities(levels):
    lines = ['<!ENTITY a0 "lol">']
    lines += [f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, levels)]
    return f"<!DOCTYPE score-partwise [{''.join(lines)}]>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entity_bombs_are_refused(tmp_path, encoding):
    text = GOOD.replace("<score-partwise", entities(10) + "<score-partwise", 1).replace("か", "&a9;")
    path = tmp_path / "bomb.xml"
    path.write_bytes(text.replace("UTF-8", encoding).encode(encoding))
    assert "refused: it has an XML entity (a0)" in failure(path)


def test_files_named_by_entities_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("か")
    head = f'<!DOCTYPE score-partwise [<!ENTITY x SYSTEM "file://{secret}">]>'
    text = GOOD.replace("<score-partwise", head + "<score-partwise", 1).replace("か", "&x;")
    assert "refused: it has an XML entity (x)" in failure(write(tmp_path, text))


def test_usual_doctype_is_welcome(tmp_path):
    head = (
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
        '"http://www.musicxml.org/dtds/partwise.dtd">'
    )
    text = GOOD.replace("<score-partwise", head + "<score-partwise", 1)
    assert read_score(write(tmp_path, text)).phones == ["k", "a", "k", "i", "k", "u"]
    assert "refused: it has an XML entity (nbsp)" in failure(write(tmp_path, text.replace("か", "&nbsp;")))


@pytest.mark.parametrize(
    "declared",
    [
        f'<!ATTLIST note more CDATA "{"x" * 2_000_000}">',
        "<!ELEMENT note ANY><!ATTLIST note color CDATA #IMPLIED>",
        '<!NOTATION gif SYSTEM "gif">',
    ],
)
def test_files_that_bring_a_dtd_are_refused(tmp_path, declared):
    text = GOOD.replace("<score-partwise", f"<!DOCTYPE score-partwise [{declared}]><score-partwise", 1)
    path = tmp_path / "defaults.mxl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", text.replace("</measure>", "<note/>" * 20_000 + "</measure>", 1))
    assert path.stat().st_size < 10_000
    tracemalloc.start()
    assert "refused: it brings a DTD of its own" in failure(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(xmlfile, "MAX_BYTES", 2**20)
    path = tmp_path / "bomb.mxl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b" " * 2**21)
    assert path.stat().st_size < 10_000
    assert "unpacks to more than 1 MiB" in failure(path)


def test_too_large_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(xmlfile, "MAX_BYTES", 1000)
    assert "larger than" in failure(write(tmp_path, GOOD + " " * 1000))


def test_too_many_notes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(xmlfile, "MAX_NOTES", 2)
    assert "more than 2 <note> elements" in failure(write(tmp_path, GOOD))


def test_broken_zips(tmp_path):
    path = tmp_path / "score.mxl"
    path.write_text("a score")
    assert "it is not a zip file" in failure(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", GOOD)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "broken zip file" in failure(path)
    path.write_bytes(whole[:60] + bytes(b ^ 255 for b in whole[60:80]) + whole[80:])
    assert "broken zip file" in failure(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "holds no MusicXML score" in failure(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", "<broken")
        archive.writestr("score.xml", GOOD)
    assert "not XML" in failure(path)


def test_container_cannot_point_outside(tmp_path):
    (tmp_path / "outside.xml").write_text(GOOD)
    path = tmp_path / "score.mxl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", '<c><rootfile full-path="../outside.xml"/></c>')
    assert "holds no MusicXML score" in failure(path)


def test_damaged_scores_never_end_in_a_traceback(tmp_path):
    """A few hundred random cuts and swaps: read, or refused in one line."""
    source = song(
        "C4 1 か|さ, D4~ 1 き, ~D4 1, r 1",
        "<barline location='left'><repeat direction='forward'/></barline>, gE4 0, F4 2 く, +A4 2, r 2",
        "G4 4 け, <barline location='right'><repeat direction='backward'/></barline>",
        more="<transpose><chromatic>-2</chromatic></transpose>",
    )
    rng = random.Random(zlib.crc32(b"damage"))
    pieces = source.replace("><", ">\0<").split("\0")
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        damaged = list(pieces)
        for _ in range(rng.randint(1, 3)):
            i = rng.randrange(5, len(damaged))
            kind = rng.randrange(4)
            if kind == 0:
                del damaged[i]
            elif kind == 1:
                damaged[i] = damaged[rng.randrange(5, len(damaged))]
            elif kind == 2:
                damaged.insert(i, damaged[rng.randrange(5, len(damaged))])
            else:
                damaged[i] = damaged[i].translate(
                    str.maketrans("0123456789", "".join(rng.sample("0123456789-x", 10)))
                )
        try:
            read_score(write(tmp_path, "".join(damaged)))
            outcomes["read"] += 1
        except DataError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10
