"""Full-context labels and DiffSinger files: scores that impose their phones."""

import dataclasses
import json
import re

import pytest
from scorefiles import JAPANESE, musicxml
from scorefuzz import ds, full_label
from scorexml import contiguous
from test_score_leftout import refused

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import read_score


def failure(path, **options):
    with pytest.raises(DataError) as caught:
        read_score(path, **options)
    assert str(caught.value).startswith(f"{path}") and "\n" not in str(caught.value)
    return str(caught.value)[len(f"{path}") :].lstrip(": ")


def write(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_labels_of_the_same_tune(tmp_path):
    """A tune, made into full-context labels by the demo singer's writer, comes back as it was."""
    from nnsvs_lite.virtual.labels import SINGING, full_context

    score = read_score(write(tmp_path, "a.musicxml", musicxml(JAPANESE)))
    lines = full_context(score, SINGING)
    times = [f"{i * 1000000} {(i + 1) * 1000000} {line}" for i, line in enumerate(lines)]
    for name in ("a.lab", "a.full"):
        label = read_score(write(tmp_path, name, "\n".join(times)))
        for mine, theirs in zip(label.notes, score.notes, strict=True):
            assert (mine.pitch, mine.phones, mine.slur) == (theirs.pitch, theirs.phones, theirs.slur)
            assert (mine.beats, mine.beat, mine.measure) == (theirs.beats, theirs.beat, theirs.measure)
        # Labels have whole tempi only: 132.5 is written as 132 or 133.
        assert label.duration == pytest.approx(score.duration, abs=0.01)
        assert label.lyrics == "ha ru ga kicl ta kya N"


def test_labels_that_sinsy_writes(tmp_path):
    """Sinsy gives a note without lyric the phone xx; here it carries on the vowel before it."""
    pysinsy = pytest.importorskip("pysinsy")
    song = dataclasses.replace(JAPANESE, tempi=[(0, 100.0)])
    path = write(tmp_path, "a.xml", musicxml(song))
    label = read_score(write(tmp_path, "a.lab", "\n".join(pysinsy.extract_fullcontext(str(path)))))
    score = read_score(path)
    assert [(n.pitch, n.phones, n.slur, n.start) for n in label.notes if not n.is_rest] == [
        (n.pitch, n.phones, n.slur, pytest.approx(n.start, abs=1e-3)) for n in score.notes if not n.is_rest
    ]


@pytest.mark.parametrize(("song", "count", "seconds"), [("004", 73, 31.2), ("007", 65, 43.2)])
def test_labels_of_a_real_corpus(shared_data, song, count, seconds):
    folder = shared_data / "nit_song070"
    label = read_score(folder / f"nitech_jp_song070_f001_{song}.lab")
    assert (len(label.notes), label.duration) == (count, pytest.approx(seconds))
    written = read_score(folder / f"{song}_score.musicxml")
    assert [n.pitch for n in label.notes if n.pitch] == [n.pitch for n in written.notes if n.pitch]
    assert [p for p in label.phones if p not in ("pau", "br")] == [
        p for p in written.phones if p not in ("pau", "br")
    ]
    assert "a mono label: it has phones and times but no notes" in failure(folder / f"{song}_mono.lab")


@pytest.mark.parametrize(
    ("centiseconds", "tempo", "length", "times", "expected"),
    [
        ("499", "60", 192, (0.0, 8.0), 8.0),  # the rest's length is right, its centiseconds are full
        ("499", "60", 192, (0.0, 12.5), 12.5),  # the tempo changes within it
        ("499", "60", 100, (1.0, 9.0), 8.0),  # its length is full as well
        ("499", "60", 192, (0.0, 0.0), 8.0),  # without times of its own
        ("60", "199", 48, (0.0, 0.6), 0.6),  # the tempo is 200, and full
        ("12", "199", 12, (0.0, 0.125), 0.125),
        ("25", "199", 24, (0.0, 0.0), 0.25),
        ("300", "60", 48, (0.0, 9.0), 3.0),  # the tempo changes, and nothing is full
    ],
)
def test_full_fields_of_labels(tmp_path, caplog, centiseconds, tempo, length, times, expected):
    lines = full_label().decode().splitlines()
    fields = re.match(r"(.*/E:[^~]*~)[^!]*(![^@]*@)[^#]*(#)[^+]*(.*)", lines[0].split(maxsplit=2)[2]).groups()
    head = f"{fields[0]}{tempo}{fields[1]}{centiseconds}{fields[2]}{length}{fields[3]}"
    lines[0] = f"{times[0] * 1e7:.0f} {times[1] * 1e7:.0f} {head}"
    notes = read_score(write(tmp_path, "a.lab", "\n".join(lines))).notes
    assert [notes[0].end, notes[1].duration] == pytest.approx([expected, 0.5])
    believed = times[1] > 0 and expected != 3.0
    assert ("last as the label's own times say" in caplog.text) == believed


@pytest.mark.parametrize(("first", "left"), [(True, "h a"), (False, "r u")])
def test_labels_with_notes_without_phones(tmp_path, caplog, first, left):
    """After a rest such a note is one as well."""
    lines = full_label().decode().splitlines()
    consonant = "-h+" if first else "-r+"
    at = next(i for i, line in enumerate(lines) if consonant in line)
    lines[at : at + 2] = [lines[at].replace(consonant, "-xx+")]
    text = "\n".join(lines[: at if first else at - 2] + lines[at:])
    notes = read_score(write(tmp_path, "a.lab", text)).notes
    assert left not in " ".join(phone for note in notes for phone in note.phones)
    assert notes[0].is_rest and not notes[1].is_rest and contiguous(notes)
    assert "notes without phones are left out as rests: 1, the first at measure 1" in caplog.text
    assert refused(tmp_path / "a.lab")


def test_faulty_labels(tmp_path):
    text = full_label().decode()
    assert "give the score" in failure(write(tmp_path, "a.lab", "0 100 pau\n100 200 a\n"))
    assert "malformed line" in failure(write(tmp_path, "a.lab", "0 100"))
    assert "the file is empty" in failure(write(tmp_path, "a.lab", " \n"))
    assert "not UTF-8" in failure(write(tmp_path, "a.lab", b"\xff\xff a b"))
    assert "line 1: longer than any label" in failure(write(tmp_path, "a.lab", "0 1 " + "/" * 5000))
    assert "not a full-context label" in failure(write(tmp_path, "a.lab", text.replace("/E:", "/Z:", 1)))
    for field in ("~0!", "~1000000!", "~nan!", "~x!"):
        assert "a note of its /E: part cannot be read" in failure(
            write(tmp_path, "a.lab", text.replace("~120!", field))
        ), field
    assert "phone 'q7' is not one of Japanese" in failure(
        write(tmp_path, "a.lab", text.replace("-h+", "-q7+"))
    )


def segment(**values):
    first = json.loads(ds())[0] | values
    return json.dumps([{k: v for k, v in first.items() if v is not None}], ensure_ascii=False)


def test_diffsinger_file(tmp_path):
    """Consonants, which a word has behind its vowel, go to the note of the next vowel."""
    score = read_score(write(tmp_path, "a.ds", ds()))
    assert contiguous(score.notes)
    assert [(n.lyric, n.pitch, n.phones, n.slur, n.start) for n in score.notes] == [
        ("", 0, ("pau",), False, 0.0),
        ("は", 60, ("h", "a"), False, 0.8),
        ("る", 61, ("r", "u"), False, 1.3),
        ("が", 62, ("g", "a"), False, 1.8),
        ("", 64, ("a",), True, 2.3),
        ("", 0, ("pau",), False, 2.55),
        ("br", 0, ("br",), False, 3.0),
        ("き", 60, ("k", "i"), False, 3.3),
        ("", 0, ("pau",), False, 3.8),
    ]
    assert {n.tempo for n in score.notes} == {120.0}
    assert [n.tempo for n in read_score(tmp_path / "a.ds", tempo=90).notes][0] == 90.0


def test_diffsinger_words_with_their_onsets(tmp_path):
    """Some tools put a word's own consonant into it, and closures stay where they are."""
    text = segment(
        ph_seq="SP k i cl t a N SP", ph_num="1 3 3 1", note_seq="rest C♯4 D4 rest", note_dur="0.2 0.5 1 0.2",
        note_slur="0 0 0 0", text="きった",
    )  # fmt: skip
    notes = read_score(write(tmp_path, "a.ds", text)).notes
    assert [(n.pitch, n.phones) for n in notes[1:3]] == [(61, ("k", "i", "cl")), (62, ("t", "a", "N"))]
    assert [n.lyric for n in notes[1:3]] == ["kicl", "taN"]


@pytest.mark.parametrize(
    ("phones", "counts", "notes", "expected"),
    [
        ("SP k a SP z e SP", "2 3 1 1", "rest C4 D4 rest", "pau | k a | pau | z e | pau"),
        ("SP k a AP z e SP", "2 3 1 1", "rest C4 D4 rest", "pau | k a | br | z e | pau"),
        ("SP k a z e SP", "2 2 2", "rest C4 D4", "pau | k a | z e"),
        ("SP k a z e SP SP", "2 2 2 1", "rest C4 D4 rest", "pau | k a | z e | pau"),
        ("SP k a AP AP SP", "2 3 1", "rest C4 rest", "pau | k a | br | pau"),
        ("SP AP k a SP i SP", "1 5 1", "rest C4 rest", "pau | br | k a | pau | i | pau"),
        ("SP k a SP SP", "2 2 1", "rest C4 C4+slur rest", "pau | k a | a | pau"),
    ],
)
def test_diffsinger_pauses_among_the_phones_of_a_note(tmp_path, phones, counts, notes, expected):
    """All phones are sung, and the notes keep their places."""
    pitches = [pitch.partition("+") for pitch in notes.split()]
    text = segment(
        offset=0, ph_seq=phones, ph_num=counts, note_seq=" ".join(pitch for pitch, _, _ in pitches),
        note_dur=" ".join("1" for _ in pitches), text="",
        note_slur=" ".join("01"[bool(slur)] for _, _, slur in pitches),
    )  # fmt: skip
    score = read_score(write(tmp_path, "a.ds", text))
    assert " | ".join(" ".join(note.phones) for note in score.notes) == expected
    assert contiguous(score.notes) and score.duration == len(pitches)
    starts = {note.start for note in score.notes}
    assert {float(i) for i, pitch in enumerate(pitches) if pitch[0] != "rest"} <= starts


def test_diffsinger_languages_before_phones(tmp_path):
    score = read_score(write(tmp_path, "a.ds", segment(ph_seq="SP ja/h ja/a ja/r ja/u ja/g ja/a SP")))
    assert score.phones[1:3] == ["h", "a"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ph_seq": None}, "segment 1: it has no ph_seq"),
        ({"ph_seq": ["SP", "h", "a"]}, "segment 1: ph_seq is no text: write it with blanks between"),
        ({"note_dur": [0.3, 0.5]}, "segment 1: note_dur is no text: write it with blanks between"),
        (
            {"ph_num": "2 2 2 1"},
            "segment 1: ph_num has 4 words of 7 phones; there are 5 notes without slur and 8",
        ),
        ({"note_dur": "0.3 0.5"}, "segment 1: 6 notes in note_seq, 2 lengths and 6 slurs"),
        ({"note_seq": "rest C4 H4 D4 E4 rest"}, "segment 1, note 3: no pitch: 'H4'"),
        ({"note_seq": "rest rest C4 D4 E4 rest"}, "segment 1, note 2: phones h a on a rest"),
        ({"note_dur": "0.3 0.5 0 0.5 0.25 0.2"}, "segment 1, note 3: a note of no length"),
        ({"note_dur": "0.3 0.5 -1 0.5 0.25 0.2"}, "segment 1, note 3: length of -1 is out of range"),
        ({"note_dur": "0.3 0.5 nan 0.5 0.25 0.2"}, "segment 1, note 3: length is 'nan', not a number"),
        ({"note_slur": "1 0 0 0 0 0"}, "segment 1, note 1: a slur without a note before it"),
        ({"offset": -1}, "segment 1: offset of -1 is out of range"),
        ({"offset": 14390}, ""),
        ({"offset": 14400}, "the score lasts more than 4 hours"),
        ({"ph_seq": "SP h a r u g qq SP"}, "phone 'qq' is not one of Japanese"),
        (
            {"note_seq": "rest rest rest rest rest rest", "ph_seq": "SP SP SP SP SP SP SP SP"},
            "it has no notes",
        ),
    ],
)
def test_faulty_diffsinger_files(tmp_path, values, message):
    path = write(tmp_path, "a.ds", segment(**values))
    if message:
        assert message in failure(path)
    else:
        assert read_score(path).duration > 14390


def test_diffsinger_segments_in_order(tmp_path):
    """Segments are put in order; closing rests may overlap, notes may not."""
    first, second = json.loads(ds())
    second["offset"] = 2.65
    expected = read_score(write(tmp_path, "a.ds", json.dumps([second, first])))
    assert [round(n.start, 3) for n in expected.notes[5:8]] == [2.55, 2.65, 2.95]
    second["offset"] = 1.0
    assert "segment 2, note 1: it begins before the segment before it ends" in failure(
        write(tmp_path, "a.ds", json.dumps([first, second]))
    )
    assert "is not a list of tables" in failure(write(tmp_path, "a.ds", "[1, 2]"))
    assert failure(write(tmp_path, "a.ds", "[]"))
