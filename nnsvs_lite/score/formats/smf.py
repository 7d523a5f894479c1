"""Standard MIDI Files: notes, lyrics, tempo, metre and key of each track; nothing else.

Format after "The Complete MIDI 1.0 Detailed Specification" (Standard MIDI Files 1.0).
music21 reads MIDI as well, but rounds times to a grid, splits voices and guesses the
encoding of lyrics; a score to be sung must keep what stands in the file.
"""

import bisect
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_NOTES

MAX_EVENTS = 3_000_000
MAX_TRACKS = 1000
MAX_LYRIC_BYTES = 1000

_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_TEXT, _TRACK_NAME, _LYRIC, _TEMPO, _METRE, _KEY = 0xFF01, 0xFF03, 0xFF05, 0xFF51, 0xFF58, 0xFF59
_END = b"\0\xff\x2f\0"
_NUMBER = rb"([\x80-\xff]{0,3}[\x00-\x7f])"
_EVENT = re.compile(_NUMBER + rb"(?:(\xff.|[\xf0\xf7])" + _NUMBER + rb"|([\x80-\xef]?))", re.DOTALL)
"""Ticks from the event before, then a meta or exclusive event's kind and length, or a status byte."""


@dataclass
class MidiNote:
    """A note in ticks; ``velocity`` is 1..127, ``endless`` one that nothing ends."""

    start: int
    end: int
    pitch: int
    velocity: int
    channel: int
    endless: bool = False


@dataclass
class MidiTrack:
    """What one track chunk holds; lyric and text events (which karaoke uses) as (tick, bytes)."""

    name: bytes = b""
    notes: list[MidiNote] = field(default_factory=list)
    lyrics: list[tuple[int, bytes]] = field(default_factory=list)
    texts: list[tuple[int, bytes]] = field(default_factory=list)
    length: int = 0


@dataclass
class MidiFile:
    """A whole file; ``ticks`` per quarter note."""

    ticks: int
    tracks: list[MidiTrack] = field(default_factory=list)
    tempi: list[tuple[int, float]] = field(default_factory=list)  # (tick, quarter notes a minute)
    metres: list[tuple[int, int, int]] = field(default_factory=list)  # (tick, numerator, denominator)
    keys: list[tuple[int, int]] = field(default_factory=list)  # (tick, sharps), flats negative
    ends: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """Ticks where notes of a (channel, pitch) end that do not sound in that track; channel -1: any."""


def parse_midi(data: bytes) -> MidiFile:
    """Reads the bytes of a Standard MIDI File of format 0 or 1, also within RIFF.

    Raises DataError where it is none, is cut off or damaged, counts time in SMPTE frames, or has too many
    notes.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"RMID" and data[12:16] == b"data":
        data = data[20:]
    if data[:4] != b"MThd" or len(data) < 14:
        raise DataError("not a MIDI file: it does not begin with MThd")
    size, kind, _, division = struct.unpack_from(">IHHH", data, 4)
    if kind > 1:
        raise DataError(f"a MIDI file of format {kind}; only formats 0 and 1 hold one piece of music")
    if division & 0x8000 or not division:
        raise DataError("its time is counted in SMPTE frames; export it with ticks per quarter note")
    midi = MidiFile(division)
    position, events = 8 + size, 0
    while position + 8 <= len(data):
        chunk, size = struct.unpack_from(">4sI", data, position)
        position += 8 + size
        if chunk == b"MTrk":
            place = f"track {len(midi.tracks) + 1}"
            # Some writers forget a part of the last end-of-track event, which says nothing.
            if (missing := position - len(data)) > len(_END):
                raise DataError(f"{place}: the file is cut off")
            data += _END[len(_END) - max(missing, 0) :]
            events += _read_track(data, position - size, position, midi, place)
            if events > MAX_EVENTS or len(midi.tracks) > MAX_TRACKS:
                raise DataError(f"it has more than {MAX_EVENTS} events or {MAX_TRACKS} tracks")
    if not midi.tracks:
        raise DataError("the MIDI file is cut off: it holds no track")
    for ticks in midi.ends.values():
        ticks.sort()
    for track in midi.tracks:
        starts = sorted({note.start for note in track.notes})
        for note in track.notes:
            if note.end < 0:
                _end_note(note, midi, starts, track.length)
    return midi


def _end_note(note: MidiNote, midi: MidiFile, starts: list[int], length: int) -> None:
    """Ends a note that its own track does not end: as another one says, else where the next note begins."""
    for channel in (note.channel, -1):
        ticks = midi.ends.get((channel, note.pitch), [])
        if (i := bisect.bisect_right(ticks, note.start)) < len(ticks):
            note.end = ticks[i]
            return
    note.endless = True
    i = bisect.bisect_right(starts, note.start)
    note.end = starts[i] if i < len(starts) else max(length, note.start + midi.ticks)


def _read_track(data: bytes, start: int, end: int, midi: MidiFile, place: str) -> int:
    """Adds a track, and its tempi, metres and keys, to the file; returns the number of events."""
    room = MAX_NOTES - sum(len(track.notes) for track in midi.tracks)
    track = MidiTrack()
    midi.tracks.append(track)
    sounding: dict[tuple[int, int], list[MidiNote]] = {}
    count = 0
    for count, (tick, kind, body) in enumerate(_events(data, start, end, place), 1):
        if 0x90 <= kind <= 0x9F and body[1]:
            note = MidiNote(tick, -1, body[0], body[1], kind & 0xF)
            sounding.setdefault((note.channel, note.pitch), []).append(note)
            track.notes.append(note)
        elif 0x80 <= kind <= 0x9F:
            if pending := sounding.get((kind & 0xF, body[0])):
                pending.pop(0).end = tick
            else:
                midi.ends.setdefault((kind & 0xF, body[0]), []).append(tick)
                midi.ends.setdefault((-1, body[0]), []).append(tick)
        elif kind in (_LYRIC, _TEXT):
            (track.lyrics if kind == _LYRIC else track.texts).append((tick, body[:MAX_LYRIC_BYTES]))
        elif kind == _TRACK_NAME:
            track.name = track.name or body[:MAX_LYRIC_BYTES]
        elif kind == _TEMPO and len(body) == 3:
            microseconds = int.from_bytes(body, "big")
            # 60 beats a minute are 1,000,000 microseconds; 58 must not come back as 57.99997.
            midi.tempi.append((tick, round(60e6 / microseconds, 4) if microseconds else float("inf")))
        elif kind == _METRE and len(body) >= 2:
            midi.metres.append((tick, body[0], 2 ** min(body[1], 16)))
        elif kind == _KEY and len(body) == 2 and -7 <= (sharps := struct.unpack_from("b", body)[0]) <= 7:
            midi.keys.append((tick, sharps))
        if len(track.notes) > room or count > MAX_EVENTS:
            raise DataError(f"{place}: more than {MAX_NOTES} notes or {MAX_EVENTS} events")
        track.length = tick
    return count


def _events(data: bytes, position: int, end: int, place: str) -> Iterator[tuple[int, int, bytes]]:
    """(tick, status byte or ``0xFF00`` and kind of meta event, data bytes) of each event of a track."""
    tick = running = 0
    while position < end:
        match = _EVENT.match(data, position, end)
        if match is None:
            raise DataError(f"{place}: damaged at byte {position} of the file")
        ticks, meta, length, channel = match.groups()
        tick += _number(ticks)
        if meta:
            # By the book this ends a running status, but many writers think otherwise.
            kind, size = int.from_bytes(meta, "big"), _number(length)
        else:
            running = kind = channel[0] if channel else running
            size = _DATA_BYTES.get(kind >> 4, 0)
        position = match.end() + size
        body = data[match.end() : position]
        if position > end or not (meta or (body and max(body) < 0x80)):
            raise DataError(f"{place}: damaged at byte {match.end()} of the file")
        # Some writers put events behind the end-of-track event, so that is passed over.
        yield tick, kind, body


def _number(data: bytes) -> int:
    """A variable-length number, seven bits a byte."""
    return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(reversed(data)))
