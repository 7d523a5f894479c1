"""UST, USTX, SVP, VSQX and VPR: what their editors' users write, and what is refused."""

import json

import pytest
import scorefiles
from scorefiles import JAPANESE, tune, zipped
from test_score_leftout import refused

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import strictly
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.lyrics import clean_alias

SONG = tune("60 1 か, 62 1 き, 64 2 く")


def failure(path, **options):
    with pytest.raises(DataError) as caught:
        read_score(path, **options)
    assert str(caught.value).startswith(f"{path}:") and "\n" not in str(caught.value)
    return str(caught.value)[len(f"{path}:") :].strip()


def write(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def sung(path, **options):
    return [(n.lyric, n.pitch) for n in read_score(path, phones=False, **options).notes]


@pytest.mark.parametrize(
    ("alias", "lyric"),
    [
        ("か", "か"),
        ("a か", "か"),
        ("- か", "か"),
        ("n か", "か"),
        ("N きゃ", "きゃ"),
        ("?か", "か"),
        ("か_C4", "か"),
        ("a か_D#4", "か"),
        ("かC4", "か"),
        ("か↑", "か"),
        ("o れ_B3", "れ"),
        ("カ゛", "カ゛"),
        ("ka", "ka"),
        ("a R", "R"),
        ("o -", "R"),
        ("R", "R"),
        ("a k", None),
        ("i ch", None),
        ("- k", None),
        ("a ky_C4", None),
        ("a a", "a"),
        ("息", "br"),
        ("Br", "br"),
        ("+", "+"),
        ("+~", "-"),
        ("-", "-"),
        ("ー", "ー"),
        ("", ""),
        ("春が", "春が"),
    ],
)
def test_aliases_of_voice_banks(alias, lyric):
    assert clean_alias(alias, "ja") == lyric


def test_ust_of_connected_vowels(tmp_path):
    """A VCV line as a bank's user writes it, with a release and a transition, is the plain tune."""
    song = tune("60 1 - か, 62 1/2 a き, 62 1/2 i k, 64 1 i くC4, 65 1 u R, 60 1 息, 60 1 - さ, 62 1 -")
    path = write(tmp_path, "a.ust", scorefiles.ust(song))
    assert [(n.lyric, n.pitch, n.beats, n.phones) for n in read_score(path).notes] == [
        ("か", 60, 1.0, ("k", "a")),
        ("き", 62, 1.0, ("k", "i")),
        ("く", 64, 1.0, ("k", "u")),
        ("", 0, 1.0, ("pau",)),
        ("br", 0, 1.0, ("br",)),
        ("さ", 60, 1.0, ("s", "a")),
        ("", 62, 1.0, ("a",)),
        ("", 0, 1.0, ("pau",)),
    ]


def test_ust_sections_and_encodings(tmp_path):
    text = "[#VERSION]\nUST Version1.2\nCharset=UTF-8\n[#SETTING]\nTempo=120,50\n[#PREV]\nLength=1\nLyric=x\n"
    note = "[#0000]\nLength=480\nLyric=ソ\nNoteNum=60\nTempo=\n[#INSERT]\nLength=480\nLyric=表\nNoteNum=62\n"
    for data in (
        (text + note).encode(),
        (text + note).encode("utf-8-sig"),
        (text + note).replace("UTF-8", "Shift_JIS").encode("cp932"),
        (text + note).replace("Charset=UTF-8\n", "").encode("cp932"),
        (text + note).encode("cp932"),
        (text + note).replace("\n", "\r\n").encode("utf-16"),
    ):
        score = read_score(write(tmp_path, "a.ust", data), phones=False)
        assert score.lyrics == "ソ 表"
        assert score.notes[0].tempo == 120.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[#", "#", "not a UST file: it has no [#...] sections"),
        ("Length=480", "Length=", "[#0000]: Length is '', not a number"),
        ("Length=480", "Size=480", "[#0000]: Length is missing"),
        ("Length=480", "Length=-480", "[#0000]: Length of -480 is out of range"),
        ("Length=480", "Length=0", "measure 1, beat 1 ([#0000]): a note of no length"),
        ("NoteNum=62", "NoteNum=C4", "[#0001]: NoteNum is 'C4', not a number"),
        ("NoteNum=62", "NoteNum=262", "measure 1, beat 2 ([#0001]): pitch 262 is out of range (1 to 127)"),
        ("Tempo=120.00", "Tempo=0", "quarter 1: a tempo of 0 quarter notes a minute; 10 to 1000 can be sung"),
        ("Tempo=120.00", "Tempo=1e9", "quarter 1: a tempo of 1e+09 quarter notes"),
        ("Tempo=120.00", "Tempo=500k", "quarter 1: a tempo is '500k', not a number"),
        ("Lyric=か", "Lyric=xqz", "measure 1, beat 1: cannot read lyric 'xqz'"),
        ("Lyric=か", f"Lyric={'か' * 201}", "measure 1, beat 1: a lyric of 201 characters on one note"),
    ],
)
def test_faulty_ust(tmp_path, old, new, message):
    text = scorefiles.ust(SONG, "utf-8").decode().replace(old, new, 1 if old != "[#" else -1)
    assert message in failure(write(tmp_path, "a.ust", text))


@pytest.mark.parametrize(
    ("setting", "on_notes", "starts"),
    [
        ("500k", {1: "90"}, [2 / 3, 4 / 3, 2]),
        ("50000,00", {2: "90"}, [2 / 3, 4 / 3, 2]),
        ("", {3: "60"}, [1, 2, 3]),
        ("120", {1: "500k"}, [0.5, 1, 1.5]),
        ("120", {2: "0", 3: "240"}, [0.5, 1, 1.5]),
        ("500k", {1: "1e9", 2: "-90", 3: "90"}, [2 / 3, 4 / 3, 2]),
    ],
)
def test_ust_tempi_that_are_absurd_or_out_of_place(tmp_path, caplog, setting, on_notes, starts):
    """Those are passed over; the first that is left holds from the beginning."""
    lines = ["[#SETTING]", f"Tempo={setting}"]
    for number, lyric in enumerate(["R", "か", "き", "く"]):
        lines += [f"[#{number:04}]", "Length=480", f"Lyric={lyric}", "NoteNum=60"]
        lines += [f"Tempo={on_notes[number]}"] if number in on_notes else []
    notes = read_score(write(tmp_path, "a.ust", "\n".join(lines))).notes
    assert [note.start for note in notes[1:4]] == pytest.approx(starts, abs=1e-6)
    assert "tempi are passed over: " in caplog.text
    with strictly(), pytest.raises(DataError, match="tempi are passed over"):
        read_score(tmp_path / "a.ust")


def test_two_tempi_at_one_place(tmp_path, caplog):
    """The last one counts, whatever the format, and says so where they differ."""
    for tempi, warned in (([(0, 60.0), (0, 90.0)], True), ([(0, 90.0), (0, 90.0)], False)):
        song = tune("60 1 か, 62 1 き", tempi)
        for name in ("a.ustx", "a.svp", "a.vsqx", "a.mid"):
            caplog.clear()
            form = {"a.mid": scorefiles.midi}.get(name) or getattr(scorefiles, name[2:])
            path = write(tmp_path, name, form(song))
            assert read_score(path).notes[0].end == pytest.approx(60 / 90)
            assert (
                (
                    "tempo marks stand where another does; the last one counts: 1, the first at quarter 1"
                    in caplog.text
                )
                == warned
                == refused(path)
            ), name


@pytest.mark.parametrize(
    ("position", "duration", "lengths"),
    [(180, 60, [180, 60]), (181, 59, [181, 59]), (120, 240, [120, 240]), (230, 240, [230, 240])],
)
def test_ustx_notes_that_overlap_a_little(tmp_path, caplog, position, duration, lengths):
    """Up to half of a note gives way to the next."""
    text = scorefiles.ustx(tune("60 1/2 か, 62 1 き")).decode()
    old = "  - position: 0\n    duration: 480"
    assert old in text
    path = write(
        tmp_path, "a.ustx", text.replace(old, f"  - position: {position - 240}\n    duration: {duration}")
    )
    assert [round(n.beats * 480) for n in read_score(path).notes if n.pitch] == lengths
    said = (
        f"{tmp_path / 'a.ustx'}: notes that ran into the next were shortened: 1, the first at measure 1, beat"
    )
    assert said in caplog.text
    with strictly(), pytest.raises(DataError, match="were shortened: 1"):
        read_score(path)


@pytest.mark.parametrize("name", ["a.ust", "a.ustx", "a.svp", "a.vsqx", "a.mid"])
def test_notes_without_lyrics(tmp_path, caplog, name):
    """After a rest they are rests, which is counted; after a syllable they hold it, but for UST's."""
    song = tune("60 1 x, 62 1 か, r 1, 62 1 x, 64 1 き, 65 1 x, 67 3 く")
    song.notes = [(start, beats, pitch, lyric.strip("x")) for start, beats, pitch, lyric in song.notes]
    path = write(
        tmp_path, name, {"a.mid": scorefiles.midi}.get(name, getattr(scorefiles, name[2:], None))(song)
    )
    phones = [note.phones for note in read_score(path).notes if not note.is_rest]
    held = [] if name == "a.ust" else [("i",)]
    assert phones == [("k", "a"), ("k", "i"), *held, ("k", "u")]
    assert f"notes without lyrics are left out as rests: {3 - len(held)}" in caplog.text
    with strictly(), pytest.raises(DataError, match="strict reading was asked for"):
        read_score(path)


def test_ustx_conventions(tmp_path):
    song = tune("60 1 a か, 62 1 +, 64 1 き [k i], 65 1 -, 67 1 no, 69 1 ~, 71 1 1_0", [(0, 120.0)])
    path = write(tmp_path, "a.ustx", scorefiles.ustx(song))
    assert sung(path) == [
        ("か", 60), ("", 62), ("き[k i]", 64), ("", 65), ("no", 67), ("", 69), ("1_0", 71), ("", 0)
    ]  # fmt: skip
    english = tune("60 1 beautiful, 62 1 +, 64 1 +, 65 1 +~, 67 1 love[l ah v], 69 1 R, 71 2 no")
    path = write(tmp_path, "b.ustx", scorefiles.ustx(english))
    assert sung(path, lang="en") == [
        ("beautiful", 60), ("+", 62), ("+", 64), ("", 65), ("love[en/l ah v]", 67), ("", 0), ("no", 71)
    ]  # fmt: skip


def test_next_syllable_sign_takes_a_syllable(tmp_path):
    """``+`` in USTX and SVP spreads a whole word as the syllables of MusicXML do."""
    whole = tune("60 1 beautiful, 62 1 +, 64 2 +")
    cut = tune("60 1 beau-, 62 1 ti-, 64 2 ful")
    expected = read_score(write(tmp_path, "a.musicxml", scorefiles.musicxml(cut)), lang="en")
    for name, data in (("a.ustx", scorefiles.ustx(whole)), ("a.svp", scorefiles.svp(whole))):
        score = read_score(write(tmp_path, name, data), lang="en")
        assert [n.phones for n in score.notes] == [n.phones for n in expected.notes], name


def test_old_ustx(tmp_path):
    """Before version 0.6 a project had one tempo and one metre."""
    text = scorefiles.ustx(SONG).decode()
    start, end = text.index("time_signatures"), text.index("tracks:")
    text = text[:start] + "bpm: 96\nbeat_per_bar: 3\nbeat_unit: 4\n" + text[end:]
    notes = read_score(write(tmp_path, "a.ustx", text)).notes
    assert [(n.tempo, n.measure, n.measure_beats) for n in notes][:3] == [(96.0, 1, 3.0)] * 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("voice_parts:", "parts:", "not an OpenUtau project: it has no voice_parts"),
        ("name: tune", "name: [tune", "not YAML"),
        ("name: tune", "name: &a tune", "line 1: refused: it has an alias or anchor"),
        ("name: tune", "name: !!python/name:os.system x", "line 1: refused: it has a tag"),
        ("tone: 60", "tone: sixty", "voice part 1, note 1: tone is 'sixty', not a number"),
        ("position: -240", "position: -480", "voice part 1, note 1: it begins 0.5 quarters before bar 1"),
        ("duration: 480", "duration: 0", "measure 1, beat 1 (voice part 1, note 1): a note of no length"),
        ("duration: 480", "duration: 1080", "measure 1, beat 2 (voice part 1, note 2): notes overlap"),
        ("bpm: 120.0", "bpm: .nan", "quarter 1: a tempo is '.nan', not a number"),
        ("beat_unit: 4", "beat_unit: 3", "a time signature of 4/3 cannot be read"),
        ("resolution: 480", "resolution: 0", "resolution of 0 is out of range"),
        ("notes:", "notes: x\n  others:", "voice part 1: notes is not a list of tables"),
    ],
)
def test_faulty_ustx(tmp_path, old, new, message):
    text = scorefiles.ustx(SONG).decode()
    assert old in text
    assert message in failure(write(tmp_path, "a.ustx", text.replace(old, new, 1)))


def test_yaml_bomb_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "alias or anchor" in failure(write(tmp_path, "a.ustx", "\n".join([*lines, "voice_parts: []"])))
    assert "nested more than 100 deep" in failure(write(tmp_path, "a.ustx", "a: " + "[" * 200))


def test_svp_groups(tmp_path):
    """A group placed twice is sung twice; instrumental references are not; offsets add up."""
    value = json.loads(scorefiles.svp(tune("60 1 か, 62 3 き")).rstrip(b"\0"))
    track = value["tracks"][0]
    blick = 705_600_000
    again = {"groupID": "u1", "blickOffset": 8 * blick, "pitchOffset": -10}
    hidden = {"groupID": "u1", "blickOffset": 0, "pitchOffset": 0, "isInstrumental": True}
    track["groups"] += [again, hidden]
    path = write(tmp_path, "a.svp", json.dumps(value))
    assert sung(path) == [("か", 60), ("き", 62), ("", 0), ("き", 64)]
    broken = json.dumps(value).replace('"groupID": "u1"', '"groupID": "u9"')
    assert failure(write(tmp_path, "a.svp", broken)) == (
        "track 1: it refers to a group 'u9' that the file does not hold"
    )
    value["tracks"][0]["groups"] = [again] * 30_000
    value["library"][0]["notes"] *= 2
    assert "notes; at most 50000 can be read" in failure(write(tmp_path, "a.svp", json.dumps(value)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"tracks"', '"track"', "not a Synthesizer V project: it has no tracks"),
        ('"bpm": 120.0', '"bpm": NaN', "NaN is not a number"),
        ('"bpm": 120.0', '"bpm": 5000', "a tempo of 5000 quarter notes a minute"),
        ('"bpm": 120.0', '"bpm": "x"', "quarter 1: a tempo is 'x', not a number"),
        ('"onset": 0', '"onset": -705600000', "track 1, note 1: it begins 1 quarters before bar 1"),
        ('"onset": 0', '"onset": null', "track 1, note 1: onset is missing"),
        ('"pitch": 60', '"pitch": 1e99', "track 1, note 1: pitch of 1e+99 is out of range"),
        ('"numerator": 4', '"numerator": 0', "a time signature of 0/4 cannot be read"),
        ('"notes": [{', '"notes": [1, {', "track 1: notes is not a list of tables"),
    ],
)
def test_faulty_svp(tmp_path, old, new, message):
    text = scorefiles.svp(SONG).decode()
    assert old in text
    assert message in failure(write(tmp_path, "a.svp", text.replace(old, new, 1)))


def test_json_bombs(tmp_path):
    assert "nested more than 100 deep" in failure(write(tmp_path, "a.svp", "[" * 100_000))
    assert "not JSON" in failure(write(tmp_path, "a.svp", '{"tracks": ' + "9" * 10_000 + "}"))
    half = scorefiles.svp(SONG).decode().replace("か", "\\ud800か")
    assert sung(write(tmp_path, "a.svp", half))[0] == ("?か", 60)


def test_vsqx_starts_after_its_first_bars(tmp_path):
    """Bars before the piece may have a metre of their own; positions count from there."""
    text = scorefiles.vsqx(JAPANESE).decode()
    plain = read_score(write(tmp_path, "a.vsqx", text))
    metre = "<timeSig><m>1</m><nu>4</nu><de>4</de></timeSig>"
    for old, new in (
        ("<preMeasure>1<", "<preMeasure>2<"),
        ("<t>1920</t><playTime>", "<t>3360</t><playTime>"),
        ("<nu>4</nu>", "<nu>3</nu>"),
        ("<tempo>", metre + "<tempo>"),
        ("<t>5760</t>", "<t>7200</t>"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    assert read_score(write(tmp_path, "b.vsqx", text)).notes == plain.notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("vsq4", "vsq5", "not a VOCALOID sequence (vsq3 or vsq4): its root element is <vsq5>"),
        ("masterTrack", "master", "not a VOCALOID sequence: it has no masterTrack"),
        ("<v>12000</v>", "<v>0</v>", "a tempo of 0 quarter notes a minute"),
        ("<t>1920</t><play", "<t>0</t><play", "track 1, note 1: it begins 4 quarters before bar 1"),
        ("<n>60</n>", "<n></n>", "track 1, note 1: n is '', not a number"),
        ("<n>60</n>", "", "track 1, note 1: n is missing"),
        ("<preMeasure>1", "<preMeasure>99999", "preMeasure of 99999 is out of range"),
        ("</vsq4>", "", "not XML"),
    ],
)
def test_faulty_vsqx(tmp_path, old, new, message):
    text = scorefiles.vsqx(SONG).decode()
    assert old in text
    assert message in failure(write(tmp_path, "a.vsqx", text.replace(old, new)))


def test_curves_and_vibrato_that_are_not_drawn_are_named(tmp_path, caplog):
    """In one line, whatever the format; defaults, empty ones, pitch and loudness are not."""
    value = json.loads(scorefiles.svp(SONG).rstrip(b"\0"))
    group = value["tracks"][0]["mainGroup"]
    group["parameters"] = {
        "pitchDelta": {"points": [0, 1]},
        "loudness": {"points": []},
        "tension": {"points": [5, 0.1]},
    }
    group["notes"][0]["attributes"] = {"tF0Left": 0.1, "dF0Vbr": 0.0, "dF0Left": 0.3}
    vpr = scorefiles.vpr_json(SONG)
    vpr["tracks"][0]["parts"][0]["controllers"] = [
        {"name": "pitchBend", "events": [{"pos": 0, "value": 5}]}, {"name": "dynamics", "events": []}
    ]  # fmt: skip
    vpr["tracks"][0]["parts"][0]["notes"][0]["vibrato"] = {"type": 1, "duration": 100}
    zipped(tmp_path / "a.vpr", "Project/sequence.json", json.dumps(vpr).encode())
    ustx = scorefiles.ustx(SONG).decode()
    curve = "curves:\n  - {xs: [0, 5], ys: [0, 100], abbr: pitd}\n  - {xs: [0], ys: [9], abbr: tenc}"
    ustx = ustx.replace("curves: []", curve).replace(
        "    pitch:", "    vibrato: {length: 75.0, period: 175}\n    pitch:"
    )
    style = '<nStyle><v id="accent">50</v><v id="vibLen">{}</v></nStyle></note>'
    vsq4 = scorefiles.vsqx(SONG).decode().replace("</note>", style.format(66), 1).replace(
        "</vsPart>", '<cc><t>0</t><v id="D">64</v></cc><cc><t>9</t><v id="P">99</v></cc></vsPart>'
    )  # fmt: skip
    vsq3 = scorefiles.vsqx(SONG, 3).decode().replace(
        "</musicalPart>", '<mCtrl><posTick>0</posTick><attr id="DYN">64</attr></mCtrl>'
        '<mCtrl><posTick>0</posTick><attr id="BRI">70</attr></mCtrl></musicalPart>'
    )  # fmt: skip
    ust = scorefiles.ust(SONG, "utf-8").decode().replace("Modulation=0", "VBR=65,180,35\nPBY=12.0,0", 1)
    for name, data, named in (
        ("a.svp", json.dumps(value), "tension, dF0Left"),
        ("a.ustx", ustx, "tenc"),
        ("b.vsqx", vsq3, "BRI"),
        ("a.vsqx", vsq4, "vibrato"),
        ("a.vpr", (tmp_path / "a.vpr").read_bytes(), "vibrato"),
        ("a.ust", ust, "pitch bends, vibrato"),
    ):
        caplog.clear()
        path = write(tmp_path, name, data)
        assert read_score(path).lyrics == "か き く"
        said = f"{path}: the file's own {named} are not sung: the voice makes its own"
        assert caplog.messages == [said], name
        with strictly(), pytest.raises(DataError, match="strict") as caught:
            read_score(path)
        assert str(caught.value).startswith(said)
    for name, form in (("a.ustx", "ustx"), ("a.svp", "svp"), ("a.vsqx", "vsqx"), ("a.ust", "ust")):
        caplog.clear()
        plain = getattr(scorefiles, form)(SONG).replace(b"</note>", style.format(0).encode())
        read_score(write(tmp_path, name, plain))
        assert not caplog.messages, name


def test_vpr(tmp_path):
    value = scorefiles.vpr_json(tune("60 1 か, 62 1 Asp, 64 2 き"))
    path = tmp_path / "a.vpr"
    zipped(path, "Project/sequence.json", json.dumps(value).encode())
    assert sung(path) == [("か", 60), ("br", 0), ("き", 64)]
    value["masterTrack"]["tempo"]["global"] = {"isEnabled": True, "value": 9000}
    zipped(path, "Project/sequence.json", json.dumps(value).encode())
    assert read_score(path).notes[0].tempo == 90.0
    zipped(path, "Project/other.json", b"{}")
    assert "the zip file holds no Project/sequence.json" in failure(path)
    path.write_bytes(b"PK\3\4")
    assert "broken zip file" in failure(path)
    path.write_bytes(b"{}")
    assert "it is not a zip file" in failure(path)
    zipped(path, "Project/sequence.json", b"[]")
    assert "the sequence is missing or not a table of fields" in failure(path)
