"""Standard MIDI Files: notes, lyrics, tempo, metre and key of each track; nothing else.

Format after "The Complete MIDI 1.0 Detailed Specification" (Standard MIDI Files 1.0).
music21 reads MIDI as well, but rounds times to a grid, splits voices and guesses the
encoding of lyrics; a score to be sung must keep what stands in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_NOTES

MAX_EVENTS = 3_000_000
MAX_LYRIC_BYTES = 1000

_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_TEXT, _TRACK_NAME, _LYRIC, _TEMPO, _METRE, _KEY = 0x01, 0x03, 0x05, 0x51, 0x58, 0x59


@dataclass
class MidiNote:
    """A note in ticks; ``velocity`` is 1..127."""

    start: int
    end: int
    pitch: int
    velocity: int
    channel: int


@dataclass
class MidiTrack:
    """What one track chunk holds; lyric and text events (which karaoke uses) as (tick, bytes)."""

    name: bytes = b""
    notes: list[MidiNote] = field(default_factory=list)
    lyrics: list[tuple[int, bytes]] = field(default_factory=list)
    texts: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass
class MidiFile:
    """A whole file; ``ticks`` per quarter note."""

    ticks: int
    tracks: list[MidiTrack] = field(default_factory=list)
    tempi: list[tuple[int, float]] = field(default_factory=list)  # (tick, quarter notes a minute)
    metres: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, numerator, denominator)
    keys: list[tuple[int, int]] = field(default_factory=list)  # (tick, sharps), flats negative


def parse_midi(data: bytes) -> MidiFile:
    """Reads the bytes of a Standard MIDI File of format 0 or 1, also within RIFF.

    Raises:
        DataError: where it is none, is cut off or damaged, counts time in SMPTE
            frames, or has too many notes.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"RMID" and data[12:16] == b"data":
        data = data[20:]
    if data[:4] != b"MThd" or len(data) < 14:
        raise DataError("not a MIDI file: it does not begin with MThd")
    size = int.from_bytes(data[4:8], "big")
    kind, _, division = (int.from_bytes(data[i : i + 2], "big") for i in (8, 10, 12))
    if kind > 1:
        raise DataError(f"a MIDI file of format {kind}; only formats 0 and 1 hold one piece of music")
    if division & 0x8000 or not division:
        raise DataError("its time is counted in SMPTE frames; export it with ticks per quarter note")
    midi = MidiFile(division)
    position, events = 8 + size, 0
    while position + 8 <= len(data):
        chunk, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "big")
        position += 8
        if chunk == b"MTrk":
            number = len(midi.tracks) + 1
            if position + size > len(data):
                raise DataError(f"track {number}: the file is cut off")
            track = MidiTrack()
            midi.tracks.append(track)
            events += _read_track(data, position, position + size, track, midi, number)
            if sum(len(t.notes) for t in midi.tracks) > MAX_NOTES:
                raise DataError(f"it has more than {MAX_NOTES} notes")
            if events > MAX_EVENTS or number > 1000:
                raise DataError(f"it has more than {MAX_EVENTS} events or 1000 tracks")
        position += size
    if not midi.tracks:
        raise DataError("the MIDI file is cut off: it holds no track")
    return midi


def _read_track(data: bytes, start: int, end: int, track: MidiTrack, midi: MidiFile, number: int) -> int:
    """Fills a track and the file's tempi, metres and keys; returns the number of events."""
    sounding: dict[tuple[int, int], list[MidiNote]] = {}
    tick = count = 0
    try:
        for tick, status, kind, body in _events(data, start, end):
            count += 1
            if status == 0xFF:
                _read_meta(tick, kind, body, track, midi)
            elif status >> 4 == 0x9 and body[1]:
                note = MidiNote(tick, -1, body[0], body[1], status & 0xF)
                sounding.setdefault((note.channel, note.pitch), []).append(note)
                track.notes.append(note)
            elif status >> 4 in (0x8, 0x9) and (pending := sounding.get((status & 0xF, body[0]))):
                pending.pop(0).end = tick
            if len(track.notes) > MAX_NOTES or count > MAX_EVENTS:
                raise DataError(f"track {number}: more than {MAX_NOTES} notes or {MAX_EVENTS} events")
    except _Damaged as error:
        raise DataError(f"track {number}: damaged at byte {error.args[0]} of the file") from None
    for note in track.notes:
        if note.end < 0:
            raise DataError(
                f"track {number}: the note of pitch {note.pitch} that begins at tick {note.start} has no end"
            )
    return count


def _read_meta(tick: int, kind: int, body: bytes, track: MidiTrack, midi: MidiFile) -> None:
    if kind == _LYRIC:
        track.lyrics.append((tick, body[:MAX_LYRIC_BYTES]))
    elif kind == _TEXT:
        track.texts.append((tick, body[:MAX_LYRIC_BYTES]))
    elif kind == _TRACK_NAME and not track.name:
        track.name = body[:MAX_LYRIC_BYTES]
    elif kind == _TEMPO and len(body) == 3:
        microseconds = int.from_bytes(body, "big")
        # 60 beats a minute are 1,000,000 microseconds; 58 must not come back as 57.99997.
        midi.tempi.append((tick, round(60e6 / microseconds, 4) if microseconds else float("inf")))
    elif kind == _METRE and len(body) >= 2:
        midi.metres.append((tick, body[0], 2 ** min(body[1], 16)))
    elif kind == _KEY and len(body) == 2:
        sharps = body[0] - 256 if body[0] > 127 else body[0]
        if -7 <= sharps <= 7:
            midi.keys.append((tick, sharps))


class _Damaged(Exception):
    """Bytes that no event can have; holds their position."""


def _events(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int, bytes]]:
    """(tick, status, kind of meta event, data bytes) of each event of a track."""
    tick = running = 0
    while position < end:
        delta, position = _length(data, position, end)
        tick += delta
        if position >= end:
            raise _Damaged(position)
        status = data[position]
        if status & 0x80:
            position += 1
        elif running:
            status = running
        else:
            raise _Damaged(position)
        kind = 0
        if status in (0xFF, 0xF0, 0xF7):
            if status == 0xFF:
                if position >= end:
                    raise _Damaged(position)
                kind, position = data[position], position + 1
            size, position = _length(data, position, end)
            running = 0
        elif status < 0xF0:
            size, running = _DATA_BYTES[status >> 4], status
        else:
            raise _Damaged(position - 1)
        body = data[position : position + size]
        if position + size > end or (status < 0xF0 and max(body) > 127):
            raise _Damaged(position)
        position += size
        # Some writers put events behind the end-of-track event, so that is passed over.
        yield tick, status, kind, body


def _length(data: bytes, position: int, end: int) -> tuple[int, int]:
    """A variable-length number of at most four bytes, and where it ends."""
    value = 0
    for i in range(position, min(position + 4, end)):
        value = value << 7 | data[i] & 0x7F
        if not data[i] & 0x80:
            return value, i + 1
    raise _Damaged(position)
