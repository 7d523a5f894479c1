"""Absurd scores: bombs, a million notes, days of music. Refused at once and in little memory."""

import json
import resource
import subprocess
import sys

import pytest
import scorefiles
import scorexml
from scorefiles import tune, zipped

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats import limits
from nnsvs_lite.score.formats.readers import read_score

MILLION = 1_000_000
SONG = tune("60 1 か, 62 1 き, 64 2 く")


def failure(path, **options):
    with pytest.raises(DataError) as caught:
        read_score(path, **options)
    return str(caught.value)


def notes_of_ust(count):
    return b"[#SETTING]\nTempo=120\n" + b"[#0000]\nLength=480\nLyric=a\nNoteNum=60\n" * count


def notes_of_midi(count):
    lyric = scorefiles.meta(5, b"a")
    body = b"\0" + lyric + b"\0\x90\x3c\x50\x83\x60\x80\x3c\0"
    data = body * count
    return scorefiles.midi_file(b"MTrk" + len(data).to_bytes(4, "big") + data)


def notes_of_yaml(count):
    note = "  - {position: 0, duration: 480, tone: 60, lyric: a}\n"
    return ("voice_parts:\n- position: 0\n  notes:\n" + note * count).encode()


def notes_of_json(count):
    row = '{"onset":0,"duration":1,"lyrics":"a","pitch":60}'
    head = '{"time":{},"tracks":[{"mainGroup":{"notes":['
    return (head + ",".join([row] * count) + "]}}]}").encode()


def notes_of_vsqx(count):
    text = scorefiles.vsqx(SONG).decode()
    start = text.index("<note>")
    end = text.index("</note>") + len("</note>")
    return (text[:start] + text[start:end] * count + text[end:]).encode()


def notes_of_musicxml(count):
    return scorexml.song("r 4 " + ", C4 1 a" * count).encode()


def write_bombs(folder):
    """Every absurd file, by name, with what must be said of it."""
    few = 60_000
    big = b"[" + b"0," * (limits.MAX_TEXT_BYTES // 2 - 2) + b"0]"
    files = {
        "million.ust": (notes_of_ust(MILLION), "more than 50000 notes"),
        "million.mid": (notes_of_midi(MILLION), "more than 50000 notes"),
        "million.ustx": (notes_of_yaml(MILLION), "larger than 24 MiB"),
        "many.ustx": (notes_of_yaml(300_000), "notes: 300000 of them; at most 50000 can be read"),
        "values.ustx": (b"voice_parts: [" + b"10," * (8 * MILLION) + b"]", "more than 5000000 values"),
        "some.ustx": (notes_of_yaml(few), "notes: 60000 of them; at most 50000 can be read"),
        "million.svp": (notes_of_json(MILLION), "larger than 24 MiB"),
        "some.svp": (notes_of_json(few), "track 1: notes: 60000 of them; at most 50000"),
        "million.vsqx": (notes_of_vsqx(MILLION // 2), "more than 50000 <note> elements"),
        "many.musicxml": (notes_of_musicxml(MILLION // 5), "more than 50000 <note> elements"),
        "measures.musicxml": (scorexml.song(*["C4 4 a"] * 5001).encode(), "it has 5001 measures"),
        "elements.xml": (b"<a>" + b"<b/>" * MILLION + b"</a>", "more than 1000000 elements and attributes"),
        "attributes.xml": (
            b"<a " + b" ".join(b'a%d=""' % i for i in range(MILLION)) + b"/>",
            "more than 1000000 elements and attributes",
        ),
        "numbers.svp": (big, "not a Synthesizer V project"),
        "lists.svp": (b"[" + b"[]," * (8 * MILLION - 1) + b"[]]", "not a Synthesizer V project"),
        "deep.svp": (b"[" * 10 * MILLION, "nested more than 100 deep"),
        "deep.ustx": (b"[" * MILLION, "nested more than 100 deep"),
        "deep.xml": (b"<a>" * MILLION, "nested more than 100 deep"),
        "digits.svp": (b'{"tracks":' + b"9" * MILLION + b"}", "not JSON that can be read"),
        "million.lab": (b"0 1 a/\n" * MILLION, "at most 50000 can be read"),
        "million.ds": (
            json.dumps({"ph_seq": "a " * few, "note_seq": "C4 " * few, "note_dur": "0.1 " * few}).encode(),
            "it has 60000 notes; at most 50000 can be read",
        ),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    expected = {name: message for name, (_, message) in files.items()}
    for name, member in (("bomb.mxl", "score.xml"), ("bomb.vpr", "Project/sequence.json")):
        zipped(folder / name, member, b" " * (80 << 20))
        expected[name] = "unpacks to more than 64 MiB"
    return expected


READER = """
import json, resource, sys
from pathlib import Path
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import read_score
resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))
for path in sys.argv[1:]:
    try:
        read_score(path)
        said = "it was read"
    except DataError as error:
        said = str(error)
    print(json.dumps([Path(path).name, said]), flush=True)
# Not ru_maxrss, in which the size of the process that started this one counts as well.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps(["peak", int(status["VmHWM"].split()[0]) / 1024]))
"""


@pytest.mark.slow
def test_bombs_in_one_gibibyte(tmp_path):
    """All of them in one process whose address space is limited; processor time is limited as well."""
    expected = write_bombs(tmp_path)

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (240, 240))

    command = [sys.executable, "-c", READER, *(str(tmp_path / name) for name in expected)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    said = dict(json.loads(line) for line in done.stdout.splitlines())
    assert said.pop("peak") < 1024
    assert set(said) == set(expected)
    for name, message in expected.items():
        assert message in said[name], name


def test_song_of_ten_hours(tmp_path):
    """Ten hours in any format; MusicXML is tested with its other faults."""
    long = tune("60 1 か, 62 1 き")
    long.notes.append((long.end + 72_000, long.end, 64, "く"))
    (tmp_path / "a.mid").write_bytes(scorefiles.midi(long))
    (tmp_path / "a.ust").write_bytes(scorefiles.ust(long))
    (tmp_path / "a.ustx").write_bytes(scorefiles.ustx(long))
    (tmp_path / "a.svp").write_bytes(scorefiles.svp(long))
    (tmp_path / "a.vsqx").write_bytes(scorefiles.vsqx(long))
    zipped(tmp_path / "a.vpr", "Project/sequence.json", json.dumps(scorefiles.vpr_json(long)).encode())
    for suffix in ("mid", "ust", "ustx", "svp", "vsqx", "vpr"):
        path = tmp_path / f"a.{suffix}"
        assert failure(path) == f"{path}: the score lasts more than 4 hours", suffix


@pytest.mark.parametrize("tempo", [0, 1e9, -120, 9.99, 1000.01])
def test_absurd_tempi(tmp_path, tempo):
    song = tune("60 1 か, 62 1 き", [(0, tempo), (1, tempo)])
    files = {"a.ust": scorefiles.ust(song), "a.ustx": scorefiles.ustx(song), "a.svp": scorefiles.svp(song)}
    files["a.vsqx"] = scorefiles.vsqx(song)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert "quarter notes a minute; 10 to 1000 can be sung" in failure(tmp_path / name), name


def test_far_away_notes(tmp_path):
    song = tune("60 1 か")
    song.notes.append((song.end + 10**9, song.end, 62, "き"))
    path = tmp_path / "a.svp"
    path.write_bytes(scorefiles.svp(song))
    assert "out of range" in failure(path)
    song.notes[-1] = (song.notes[0][1] + 1_100_000, song.notes[0][1], 62, "き")
    path.write_bytes(scorefiles.svp(song))
    assert "it ends at quarter 1.1e+06, too far away" in failure(path)
