"""Writes scores as a Standard MIDI File with lyrics (format 1)."""

import struct
from collections.abc import Iterable, Sequence

from nnsvs_lite.score.formats.written import Written
from nnsvs_lite.score.types import Score

TICKS = 480
_FLAT = 64
"""Velocity where no dynamics are known; 0.5 is what that is read as."""


def midi(scores: Sequence[Score]) -> bytes:
    """A track of tempo, bars and keys, those of the first score, and a track for each score; text in UTF-8.

    Notes that carry a syllable on have no lyric.
    """
    head = Written(scores[0], TICKS)
    marks = [(tick, _meta(0x51, round(60e6 / bpm).to_bytes(3, "big"))) for tick, bpm in head.tempi]
    for _, tick, (top, low) in head.bars:
        marks.append((tick, _meta(0x58, bytes([min(top, 255), low.bit_length() - 1, 24, 8]))))
    for at, sharps in head.song.timeline.keys:
        marks.append((head.tick(at), _meta(0x59, struct.pack(">bB", sharps, 0))))
    tracks = [_track([(0, _meta(0x03, scores[0].title.encode())), *marks])]
    for number, score in enumerate(scores, 1):
        written = Written(score, TICKS)
        flat = len({row.note.velocity for row in written.notes}) == 1
        rows = [(0, _meta(0x03, f"Voice {number}".encode()))]
        for start, end, note in written.notes:
            if lyric := note.lyric:
                rows.append((start, _meta(0x05, lyric.encode())))
            pitch = note.pitch or 60
            velocity = _FLAT if flat else min(max(round(note.velocity * 127), 1), 127)
            rows += [(start, bytes([0x90, pitch, velocity])), (end, bytes([0x80, pitch, 0]))]
        tracks.append(_track(rows))
    return b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS) + b"".join(tracks)


def _track(rows: Iterable[tuple[int, bytes]]) -> bytes:
    """A track of (tick, event); at one tick notes end before others begin."""
    data, now = b"", 0
    for tick, event in sorted(rows, key=lambda row: (row[0], row[1][0] != 0x80)):
        data += _length(tick - now) + event
        now = tick
    data += _length(0) + _meta(0x2F, b"")
    return b"MTrk" + struct.pack(">I", len(data)) + data


def _length(value: int) -> bytes:
    """A number in groups of seven bits, all but the last with the highest bit set."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + _length(len(data)) + data
