"""MIDI: lyric conventions, encodings, tracks and channels, and what cannot be sung."""

import logging
import struct

import pytest
from scorefiles import meta, midi, midi_file, track, tune

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.formats.smf import parse_midi

TEMPO = meta(0x51, (500_000).to_bytes(3, "big"))


def on(tick, pitch=60, channel=0, velocity=90):
    return tick, bytes([0x90 | channel, pitch, velocity])


def off(tick, pitch=60, channel=0):
    return tick, bytes([0x80 | channel, pitch, 0])


def lyric(tick, text, encoding="utf-8", kind=5):
    return tick, meta(kind, text.encode(encoding))


def notes(*starts, pitch=60, length=480):
    """Events of notes one after another."""
    return [event for start in starts for event in (on(start, pitch), off(start + length, pitch))]


def write(tmp_path, *tracks, name="a.mid", **options):
    path = tmp_path / name
    path.write_bytes(midi_file(track([(0, TEMPO)]), *(track(events) for events in tracks), **options))
    return path


def failure(path, **options):
    with pytest.raises(DataError) as caught:
        read_score(path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)[len(f"{path}: ") :]


def sung(path, **options):
    return [n.lyric for n in read_score(path, phones=False, **options).notes if not n.is_rest]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["hel", "lo ", "my ", "love"], ["hel-", "lo", "my", "love"]),
        (["hel", "lo", " my", " love"], ["hel-", "lo", "my", "love"]),
        (["\\Hel", "lo ", "/my ", "love"], ["Hel-", "lo", "my", "love"]),
        (["hel-", "lo", "my", "love"], ["hel-", "lo", "my", "love"]),
        (["hel-", "lo ", "my ", "love"], ["hel-", "lo", "my", "love"]),
        (["hello", "my", "dear", "love"], ["hello", "my", "dear", "love"]),
        (["hello ", "+", "my\r", "love\n"], ["hello", "+", "my", "love"]),
        (["hel", "lo ", "-", "love"], ["hel-", "lo", "", "love"]),
    ],
)
def test_words_of_lyric_events(tmp_path, texts, expected):
    events = [lyric(i * 480, text) for i, text in enumerate(texts)] + notes(0, 480, 960, 1440)
    assert sung(write(tmp_path, events), lang="en") == expected


def test_karaoke_file(tmp_path):
    """Words in a track of their own, as text events with tags; the melody is found by its starts."""
    words = [(0, meta(3, b"Words")), (0, meta(1, b"@LENGL")), (0, meta(1, b"@TMy song"))]
    words += [lyric(480, "\\Hel", kind=1), lyric(960, "lo ", kind=1), lyric(1440, "there", kind=1)]
    bass = [(0, meta(3, b"Bass")), *notes(0, 960, pitch=40, length=960)]
    melody = [(0, meta(3, b"Melody")), *notes(480, 960, 1440)]
    path = write(tmp_path, words, bass, melody, name="a.kar")
    score = read_score(path, lang="en", phones=False)
    assert [(n.lyric, n.pitch) for n in score.notes] == [("", 0), ("Hel-", 60), ("lo", 60), ("there", 60)]
    assert failure(path, lang="en", phones=False, part=3).startswith(
        "no part '3'; there are: 1 Bass, 2 Melody"
    )
    assert "without a note" in failure(path, lang="en", phones=False, part="Bass")


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "utf-8-sig"])
def test_japanese_encodings(tmp_path, encoding):
    path = write(tmp_path, [lyric(0, "春", encoding), lyric(480, "き", encoding), *notes(0, 480)])
    assert sung(path) == ["春", "き"]


def test_other_encodings(tmp_path):
    rows = (("zh", "gb18030", "春"), ("ko", "cp949", "봄"), ("de", "cp1252", "schön"), ("fr", "utf-8", "été"))
    for lang, encoding, text in rows:
        assert sung(write(tmp_path, [lyric(0, text, encoding), *notes(0)]), lang=lang) == [text]
    tagged = [(0, meta(5, b"{@LATIN}")), (0, meta(5, b"sch\xf6n")), *notes(0)]
    assert sung(write(tmp_path, tagged), lang="ja") == ["schön"]
    assert "the text's encoding is none of" in failure(
        write(tmp_path, [(0, meta(5, b"\xff\x81")), *notes(0)])
    )


def test_melisma_and_short_gaps(tmp_path):
    """A note without lyric carries on; gaps that players leave are closed, longer ones are rests."""
    events = [lyric(0, "か"), *notes(0, length=470), *notes(480, pitch=62, length=430), lyric(960, "き")]
    score = read_score(write(tmp_path, [*events, *notes(960, length=400), lyric(1440, "く"), *notes(1440)]))
    assert [(n.beats, n.pitch, n.slur, n.phones) for n in score.notes] == [
        (1.0, 60, False, ("k", "a")),
        (1.0, 62, True, ("a",)),
        (pytest.approx(400 / 480), 60, False, ("k", "i")),
        (pytest.approx(80 / 480), 0, False, ("pau",)),
        (1.0, 60, False, ("k", "u")),
    ]


def test_overlaps_and_chords(tmp_path, caplog):
    short = [lyric(0, "か"), *notes(0, length=500), lyric(480, "き"), *notes(480, pitch=62)]
    with caplog.at_level(logging.WARNING):
        score = read_score(write(tmp_path, short))
    assert [n.beats for n in score.notes] == [1.0, 1.0, 2.0]
    assert "1 notes that ran into the next were shortened" in caplog.text
    chord = [lyric(0, "か"), *notes(0), *notes(0, pitch=64), *notes(0, pitch=67)]
    with caplog.at_level(logging.WARNING):
        score = read_score(write(tmp_path, chord))
    assert [(n.pitch, n.lyric) for n in score.notes] == [(67, "か"), (0, "")]
    assert "2 chords are sung on their highest note" in caplog.text
    voices = [lyric(0, "か"), *notes(0, length=1920), lyric(480, "き"), *notes(480, pitch=64)]
    assert failure(write(tmp_path, voices)) == (
        "measure 1, beat 2 (tick 480): notes overlap: pitch 60 'か' lasts until measure 2, beat 1; "
        "one voice is needed: choose another part or move the notes"
    )


def test_one_track_of_several_channels(tmp_path):
    """Format 0 holds all channels in a track; drums are no part."""
    events = [lyric(0, "か"), on(0, 60, 0), off(480, 60, 0), on(0, 36, 9), off(480, 36, 9)]
    path = tmp_path / "a.mid"
    path.write_bytes(midi_file(track([(0, TEMPO), *events]), kind=0))
    assert [n.pitch for n in read_score(path).notes] == [60, 0]
    path.write_bytes(midi_file(track([(0, TEMPO), *events, on(0, 72, 3), off(480, 72, 3)]), kind=0))
    assert [n.pitch for n in read_score(path, part=2).notes] == [72, 0]
    assert read_score(path, part="channel 4").notes[0].pitch == 72


def test_dynamics_are_velocities_where_they_differ(tmp_path):
    song = [lyric(0, "か"), lyric(480, "き")]
    flat = read_score(write(tmp_path, [*song, *notes(0, 480)]))
    assert {n.velocity for n in flat.notes} == {0.5}
    loud = read_score(write(tmp_path, [*song, on(0, velocity=127), off(480), on(480, velocity=32), off(960)]))
    assert [n.velocity for n in loud.notes[:2]] == [1.0, pytest.approx(32 / 127, abs=1e-3)]


def test_key_and_metre(tmp_path):
    head = [(0, meta(0x59, b"\xfd\x00")), (0, meta(0x58, bytes([3, 2, 24, 8])))]
    score = read_score(write(tmp_path, [*head, lyric(1440, "か"), *notes(1440)]))
    assert [(n.key, n.measure, n.beat, n.measure_beats) for n in score.notes] == [
        (-3, 1, 0.0, 3.0), (-3, 2, 0.0, 3.0), (-3, 2, 1.0, 3.0)
    ]  # fmt: skip


def test_running_status_and_ends_by_velocity_zero(tmp_path):
    body = b"\0" + lyric(0, "か")[1] + b"\0\x90\x3c\x50\x83\x60\x3c\x00\0\x3e\x50\x83\x60\x3e\x00\0\xff\x2f\0"
    data = midi_file(track([(0, TEMPO)])) + b"MTrk" + struct.pack(">I", len(body)) + body
    path = tmp_path / "a.mid"
    path.write_bytes(data.replace(b"\0\x01\0\x01", b"\0\x01\0\x02", 1))
    assert [(n.pitch, n.beats) for n in read_score(path).notes[:2]] == [(60, 1.0), (62, 1.0)]
    riff = b"RIFF" + struct.pack("<I", len(data) + 12) + b"RMIDdata" + struct.pack("<I", len(data)) + data
    assert len(parse_midi(riff).tracks) == 2


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([], "the score is empty: it has no notes"),
        (notes(0, 480), "notes without lyrics: the MIDI file has no lyric events, so none of its 2 notes"),
        ([lyric(0, "か"), *notes(480)], "measure 1, beat 1: lyric 'か' without a note"),
        ([lyric(0, "か"), on(0)], "track 2: the note of pitch 60 that begins at tick 0 has no end"),
        ([lyric(0, "か"), on(0), off(0)], "measure 1, beat 1 (tick 0): a note of no length"),
        ([lyric(0, "か"), *notes(0, pitch=0)], "measure 1, beat 1 (tick 0): pitch 0 is out of range"),
        (
            [lyric(0, "か"), *notes(0), (0, meta(0x58, bytes([0, 2])))],
            "a time signature of 0/4 cannot be read",
        ),
        ([lyric(0, "か"), *notes(0, length=30_000_000)], "the score lasts more than 4 hours"),
        ([(0, meta(1, b"DM:0000:[Common]"))], "a sequence of VOCALOID 2"),
    ],
)
def test_what_cannot_be_sung(tmp_path, events, message):
    assert message in failure(write(tmp_path, events))


@pytest.mark.parametrize("microseconds", [0, 1, 2**24 - 1])
def test_absurd_tempo(tmp_path, caplog, microseconds):
    """One among others is passed over; one alone is refused."""
    mark = meta(0x51, microseconds.to_bytes(3, "big"))
    song = [lyric(0, "か"), *notes(0, 480)]
    assert read_score(write(tmp_path, [*song, (480, mark)])).notes[1].duration == 0.5
    assert "1 tempi are passed over; the first: quarter 2: a tempo of" in caplog.text
    path = tmp_path / "b.mid"
    path.write_bytes(midi_file(track([*song, (0, mark)])))
    assert failure(path).startswith("quarter 1: a tempo of")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"RIFF" + data, "not a MIDI file: it does not begin with MThd"),
        (lambda data: data[:10], "not a MIDI file"),
        (lambda data: data[:14], "the MIDI file is cut off: it holds no track"),
        (lambda data: data[:-9], "track 2: the file is cut off"),
        (lambda data: data[:9] + b"\2" + data[10:], "a MIDI file of format 2"),
        (lambda data: data[:12] + b"\xe2\x50" + data[14:], "SMPTE frames; export it with ticks per quarter"),
        (lambda data: data[:12] + b"\0\0" + data[14:], "SMPTE frames"),
        (lambda data: data.replace(b"\x90\x3c", b"\x90\xbc", 1), "track 2: damaged at byte"),
        (lambda data: data.replace(b"\x90\x3c", b"\xf4\x3c", 1), "track 2: damaged at byte"),
    ],
)
def test_damaged_files(tmp_path, change, message):
    path = tmp_path / "a.mid"
    path.write_bytes(change(midi(tune("60 1 か, 62 1 き"))))
    assert message in failure(path)
