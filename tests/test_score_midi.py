"""MIDI: lyric conventions, encodings, tracks and channels, and what cannot be sung."""

import logging
import struct

import pytest
from scorefiles import meta, midi, midi_file, track, tune
from test_score_leftout import refused

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import strictly
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


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Hel", "lo ", "きみ", "と "], ["Hel-", "lo", "きみ", "と"]),
        (["sa", "ku", "ra ", "ha"], ["sa", "ku", "ra", "ha"]),
        # Lines alone do not part words.
        (["I", "love", "you\r", "la"], ["I", "love", "you", "la"]),
    ],
)
def test_english_words_among_japanese_ones(tmp_path, texts, expected):
    events = [lyric(i * 480, text) for i, text in enumerate(texts)] + notes(0, 480, 960, 1440)
    assert [n.lyric for n in read_score(write(tmp_path, events)).notes if not n.is_rest] == expected


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
    assert sung(path, lang="en", part="Bass") == ["Hel-", "lo there"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "utf-8-sig"])
def test_japanese_encodings(tmp_path, encoding):
    path = write(tmp_path, [lyric(0, "春", encoding), lyric(480, "き", encoding), *notes(0, 480)])
    assert sung(path) == ["春", "き"]


def test_other_encodings(tmp_path):
    """In the language's older encodings the likeliest letters are taken, those of DOS and Macintosh too."""
    rows = [("zh", "gb18030", "春"), ("ko", "cp949", "봄"), ("zh", "big5", "我們"), ("zh", "gb18030", "我們")]
    rows += [("fr", encoding, "été") for encoding in ("utf-8", "cp1252", "cp850", "mac_roman")]
    rows += [("de", encoding, "schön") for encoding in ("latin-1", "cp850")] + [("en", "cp1252", "don’t…")]
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
    assert "shortened: 1, the first at measure 1, beat 2" in caplog.text
    with strictly(), pytest.raises(DataError, match="notes that ran into the next were shortened: 1"):
        read_score(write(tmp_path, short))
    chord = [lyric(0, "か"), *notes(0), *notes(0, pitch=64), *notes(0, pitch=67)]
    with caplog.at_level(logging.WARNING):
        score = read_score(write(tmp_path, chord))
    assert [(n.pitch, n.lyric) for n in score.notes] == [(67, "か"), (0, "")]
    assert (
        "notes of a second voice or of chords are left out: 2, the first at measure 1, beat 1" in caplog.text
    )
    with strictly(), pytest.raises(DataError, match="of a second voice or of chords are left out: 2"):
        read_score(write(tmp_path, chord))


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([lyric(480, "き"), *notes(480, pitch=55)], [("か", 60, 1.0), ("き", 55, 1.0)]),  # it has a syllable
        (notes(480, pitch=64, length=960), [("か", 60, 1.0), ("", 64, 2.0)]),  # it is higher
        (notes(480, pitch=55), [("か", 60, 4.0)]),  # it begins and ends below a held note
        (notes(1440, pitch=55, length=960), [("か", 60, 3.0), ("", 55, 2.0)]),  # it goes on after it
        (notes(480, pitch=55, length=1920), [("か", 60, 4.0)]),
        (notes(8, pitch=64, length=1912), [("か", 64, 4.0)]),  # a chord, struck from below
    ],
)
def test_a_note_that_begins_while_another_sounds(tmp_path, second, expected):
    path = write(tmp_path, [lyric(0, "か"), *notes(0, length=1920), *second])
    assert [(n.lyric, n.pitch, n.beats) for n in read_score(path).notes if not n.is_rest] == expected


@pytest.mark.parametrize(
    ("ticks", "expected", "lost"),
    [
        ([480, 960, 1440], ["か", "き", "く"], 0),
        ([400, 980, 1380], ["か", "き", "く"], 0),
        ([480, 960, 2400], ["か", "き", ""], 1),  # two beats from the last note
        ([300, 780, 1260], ["か", "き", "く"], 0),  # all shown early
        ([0, 960, 1440], ["か", "き", "く"], 0),  # one by a whole beat
        ([480, 720, 1440], ["か", "き", "く"], 0),  # the second finds the note that is free
    ],
)
def test_lyrics_off_their_notes(tmp_path, caplog, ticks, expected, lost):
    words = [lyric(tick, text) for tick, text in zip(ticks, "かきく")]
    path = write(tmp_path, [*words, *notes(480, 960, 1440)])
    assert sung(path) == expected
    assert ("lyrics without a note are left out: 1, the first at measure" in caplog.text) == bool(lost)
    assert refused(path) == bool(lost)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["か", "か"], ["か", "き"]),
        (["か", "か", "か"], ["か", "き"]),
        (["か", "か ", "\r"], ["か", "き"]),
        (["か", "ん"], ["かん", "き"]),  # two different ones are both sung
    ],
)
def test_lyrics_at_one_tick(tmp_path, texts, expected):
    """Where two voices share a track their lyrics stand twice."""
    words = [lyric(0, text) for text in texts] + [lyric(480, "き")] * 2
    assert sung(write(tmp_path, [*words, *notes(0, 480), *notes(0, 480, pitch=64)])) == expected


@pytest.mark.parametrize(
    ("ends", "expected", "warned"),
    [
        ([off(480), off(960)], [1.0, 1.0], False),
        ([off(960)], [1.0, 1.0], True),  # until the next note
        ([off(480)], [1.0, 1.0], True),  # the last one, for a beat
        ([(480, bytes([0x85, 60, 0])), off(960)], [1.0, 1.0], False),  # on another channel
        ([(240, bytes([0x95, 60, 0])), off(960)], [0.5, 1.0], False),
    ],
)
def test_notes_without_their_ends(tmp_path, caplog, ends, expected, warned):
    song = [lyric(0, "か"), lyric(480, "き"), on(0, 60), on(480, 62)]
    song += [(tick, bytes([event[0], 62 if tick == 960 else 60, 0])) for tick, event in ends]
    path = write(tmp_path, song)
    score = read_score(path)
    assert [n.beats for n in score.notes if not n.is_rest] == expected
    assert ("notes without an end are held until the next: 1" in caplog.text) == warned
    assert refused(path) == warned
    # The same ends in a track of their own.
    apart = [row for row in song if row[1][0] & 0xF0 == 0x80]
    other = read_score(write(tmp_path, [row for row in song if row not in apart], apart))
    assert [(n.pitch, n.beats) for n in other.notes] == [(n.pitch, n.beats) for n in score.notes]


def test_another_track_without_ends_does_no_harm(tmp_path, caplog):
    song = [lyric(0, "か"), *notes(0)]
    assert read_score(write(tmp_path, song, [on(0, 36), on(480, 38), off(960, 38)])).duration == 2.0
    assert not caplog.text


def test_the_vocal_part_is_the_one_that_its_lyrics_fit(tmp_path):
    """Lyrics in a track of their own, or in that of another instrument."""
    words = [(i * 480 + 10, meta(1, f"{text} ".encode())) for i, text in enumerate("かきくけ")]
    piano = [event for i in range(16) for event in notes(i * 120, pitch=70, length=120)]
    bass = notes(0, 960, pitch=40, length=960)
    voice = notes(0, 480, 960, 1440, pitch=60)
    for tracks in ([words, piano, bass, voice], [piano + words, voice, bass], [voice, bass + words, piano]):
        score = read_score(write(tmp_path, *tracks))
        assert [(n.lyric, n.pitch) for n in score.notes] == [(text, 60) for text in "かきくけ"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["@KMIDI", "\\{M}Look -", "at -", "show-", "ing-", "/me-"], ["Look", "at", "show-", "ing", "me"]),
        (["[Verse] ", "Look ", "at ", "[Solo]me "], ["Look", "at", "me"]),
        (["Look ", "at ", "... ", "me "], ["Look", "at", "", "me"]),
        (["Hal-", "le-", "lu-", "jah "], ["Hal-", "le-", "lu-", "jah"]),
        (["Look\0", " at\0 ", "\0\0", "me"], ["Look", "at", "", "me"]),
    ],
)
def test_marks_in_karaoke_texts(tmp_path, texts, expected):
    shown = [text for text in texts if text[:2] not in ("@K", "[V")]
    words = [lyric(0, text, kind=1) for text in texts if text not in shown]
    words += [lyric((i + 1) * 480, text, kind=1) for i, text in enumerate(shown)]
    melody = notes(*range(480, 480 * (len(shown) + 1), 480))
    assert sung(write(tmp_path, words, melody), lang="en") == expected


def test_notes_of_no_length_and_a_lost_end_mark(tmp_path, caplog):
    song = [lyric(0, "か"), *notes(0), on(240, 64), off(240, 64)]
    path = write(tmp_path, song)
    assert [n.beats for n in read_score(path).notes] == [1.0, 3.0]
    assert "notes of no length are left out: 1, the first at measure 1, beat 1.5" in caplog.text
    assert refused(path)
    for missing in (1, 3, 4):
        path.write_bytes(
            path.read_bytes()[:-1] if missing == 1 else write(tmp_path, song).read_bytes()[:-missing]
        )
        assert len(read_score(path).notes) == 2


def test_texts_that_are_no_lyrics(tmp_path):
    """Comments before the music, and a few among many notes."""
    maker = [(0, meta(1, b"creator: ")), (0, meta(1, b"GNU LilyPond 2.22"))]
    assert "the MIDI file has no lyric events" in failure(write(tmp_path, maker, notes(0, 480)))
    many = [(i, meta(5, b"a")) for i in range(50_001)]
    assert "it has 50001 lyrics; at most 50000 can be read" in failure(write(tmp_path, many, notes(0, 480)))
    reset = [event for i in range(60) for event in notes(i * 480)]
    assert "no lyric events" in failure(write(tmp_path, [*reset, lyric(480, "Reset Volume", kind=1)]))


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
    # A meta event between does not end it, as many writers have it.
    between = body.replace(b"\x83\x60\x3c\x00", b"\0" + meta(6, b"x") + b"\x83\x60\x3c\x00", 1)
    path.write_bytes(
        midi_file(track([(0, TEMPO)])).replace(b"\0\x01\0\x01", b"\0\x01\0\x02", 1)
        + b"MTrk" + struct.pack(">I", len(between)) + between
    )  # fmt: skip
    assert [(n.pitch, n.beats) for n in read_score(path).notes[:2]] == [(60, 1.0), (62, 1.0)]
    riff = b"RIFF" + struct.pack("<I", len(data) + 12) + b"RMIDdata" + struct.pack("<I", len(data)) + data
    assert len(parse_midi(riff).tracks) == 2


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([], "the score is empty: it has no notes"),
        (notes(0, 480), "notes without lyrics: the MIDI file has no lyric events, so none of its 2 notes"),
        ([lyric(0, "か"), *notes(1920)], "notes without lyrics: all 1, the first at measure 2, beat 1"),
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
    assert "tempi are passed over: 1, the first at quarter 2: a tempo of" in caplog.text
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
