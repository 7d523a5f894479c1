"""Writes one tune in every score format, each in the plain form that its editor saves."""

import json
import struct
import zipfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import scorexml

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass
class Tune:
    """A tune with at most one change of tempo; everything in quarters.

    Attributes:
        notes: (start, length, MIDI pitch, lyric) without overlaps.
        tempi: (position, quarter notes a minute).
        beats: quarters in a bar.
    """

    notes: list[tuple[Fraction, Fraction, int, str]]
    tempi: list[tuple[int, float]] = field(default_factory=lambda: [(0, 120.0)])
    beats: int = 4

    @property
    def end(self) -> Fraction:
        return self.notes[-1][0] + self.notes[-1][1]


def tune(text: str, tempi: list[tuple[int, float]] | None = None, beats: int = 4) -> Tune:
    """A tune of ``60 1 か, r 2, 62 1/2 -``: pitch, length and lyric of each note."""
    notes, position = [], Fraction(0)
    for item in text.split(","):
        pitch, length, *lyric = item.split()
        if pitch != "r":
            notes.append((position, Fraction(length), int(pitch), " ".join(lyric)))
        position += Fraction(length)
    return Tune(notes, tempi or [(0, 120.0)], beats)


JAPANESE = tune(
    "r 1, 60 1 は, 62 1 る, 64 1/2 が, 65 1/2 -, 64 1 きっ, r 2, 67 1/2 た, 69 1/2 きゃ, 67 4 ん",
    [(0, 90.0), (8, 132.5)],
)
"""A rest first, a syllable over two notes, a closure, a change of tempo, a nasal."""

ENGLISH = tune("62 1 hel-, 64 1 lo, 66 2 world, r 1, 67 1 my, 66 1 -, 62 1 love")
"""A word over two notes, and a syllable over two."""


def musicxml(song: Tune) -> bytes:
    """MusicXML by way of :mod:`scorexml`; notes must not cross barlines."""
    measures: list[str] = []
    position = Fraction(0)
    pending: list[tuple[Fraction, str]] = []
    words = {"-": ""}
    for start, length, pitch, lyric in song.notes:
        if start > position:
            pending.append((position, f"r {float(start - position)}"))
        name = NAMES[pitch % 12] + str(pitch // 12 - 1)
        goes_on = lyric.endswith("-") and lyric != "-"
        text = scorexml.note(f"{name} {float(length)} {words.get(lyric, lyric.rstrip('-'))}".strip())
        if goes_on:
            text = text.replace("single", "begin")
        pending.append((start, text))
        position = start + length
    changes = [(Fraction(at), scorexml.tempo(bpm)) for at, bpm in song.tempi]
    items = sorted(changes + pending, key=lambda item: item[0])
    for at, text in items:
        bar = int(at // song.beats)
        measures += [""] * (bar + 1 - len(measures))
        measures[bar] += ("," if measures[bar] else "") + text
    return scorexml.song(*measures, beats=song.beats, bpm=None).encode()


def _length(value: int) -> bytes:
    """A variable-length number of MIDI."""
    data = [value & 0x7F]
    while value := value >> 7:
        data.append(value & 0x7F | 0x80)
    return bytes(reversed(data))


def track(events: list[tuple[int, bytes]]) -> bytes:
    """A track chunk of (tick, event) rows."""
    data, now = b"", 0
    for tick, event in sorted(events, key=lambda row: row[0]):
        data += _length(tick - now) + event
        now = tick
    data += b"\0\xff\x2f\0"
    return b"MTrk" + struct.pack(">I", len(data)) + data


def meta(kind: int, data: bytes) -> bytes:
    """A meta event."""
    return bytes([0xFF, kind]) + _length(len(data)) + data


def midi_file(*tracks: bytes, ticks: int = 480, kind: int = 1) -> bytes:
    """A Standard MIDI File."""
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), ticks) + b"".join(tracks)


def midi(song: Tune, encoding: str = "utf-8", ticks: int = 480, text: int = 0x05) -> bytes:
    """MIDI of format 1: tempo and metre, then the voice with its lyrics."""
    head = [(int(at * ticks), meta(0x51, round(60e6 / bpm).to_bytes(3, "big"))) for at, bpm in song.tempi]
    head.append((0, meta(0x58, bytes([song.beats, 2, 24, 8]))))
    voice = [(0, meta(0x03, b"Voice"))]
    for start, length, pitch, lyric in song.notes:
        if lyric != "-":
            voice.append((int(start * ticks), meta(text, lyric.encode(encoding))))
        voice.append((int(start * ticks), bytes([0x90, pitch, 90])))
        voice.append((int((start + length) * ticks), bytes([0x80, pitch, 0])))
    # A note must end before the next one of the same pitch begins.
    voice.sort(key=lambda row: (row[0], row[1][0] != 0x80))
    return midi_file(track(head), track(voice), ticks=ticks)


def ust(song: Tune, encoding: str = "cp932") -> bytes:
    """UTAU: one track, rests as notes."""
    lines = ["[#VERSION]", "UST Version1.2", "[#SETTING]", f"Tempo={song.tempi[0][1]:.2f}", "Tracks=1"]
    if song.beats != 4:
        lines.append(f"TimeSignatures=({song.beats}/4/0),")
    tempi = {Fraction(at): bpm for at, bpm in song.tempi[1:]}
    rows, position = [], Fraction(0)
    for start, length, pitch, lyric in song.notes:
        if start > position:
            rows.append((position, start - position, 60, "R"))
        rows.append((start, length, pitch, lyric))
        position = start + length
    for number, (start, length, pitch, lyric) in enumerate(rows):
        lines += [f"[#{number:04}]", f"Length={int(length * 480)}", f"Lyric={lyric}", f"NoteNum={pitch}"]
        lines += ["PreUtterance=", "Intensity=100", "Modulation=0"]
        if start in tempi:
            lines.append(f"Tempo={tempi[start]:.2f}")
    return ("\r\n".join([*lines, "[#TRACKEND]"]) + "\r\n").encode(encoding)


def ustx(song: Tune) -> bytes:
    """OpenUtau; positions of notes are counted from their part's."""
    lines = ["name: tune", "ustx_version: 0.6", "resolution: 480", "time_signatures:"]
    lines += ["- bar_position: 0", f"  beat_per_bar: {song.beats}", "  beat_unit: 4", "tempos:"]
    for at, bpm in song.tempi:
        lines += [f"- position: {at * 480}", f"  bpm: {bpm}"]
    lines += ["tracks:", "- singer: x", "  track_name: Voice", "  mute: false", "voice_parts:"]
    lines += ["- duration: 99999", "  name: part", "  track_no: 0", "  position: 240", "  notes:"]
    for start, length, pitch, lyric in song.notes:
        lyric = {"-": "+~"}.get(lyric, lyric)
        lines += [f"  - position: {int(start * 480) - 240}", f"    duration: {int(length * 480)}"]
        lines += [f"    tone: {pitch}", f"    lyric: {json.dumps(lyric, ensure_ascii=False)}"]
        lines += ["    pitch:", "      data:", "      - {x: -40, y: 0, shape: io}"]
        lines += ["      - {x: 40, y: 0, shape: io}", "      snap_first: true"]
    return ("\n".join([*lines, "  curves: []", "wave_parts: []"]) + "\n").encode()


def svp(song: Tune) -> bytes:
    """Synthesizer V; the second half of the notes lies in a group an octave lower, moved by a bar."""
    blick = 705_600_000
    half = len(song.notes) // 2

    def rows(notes, move, transpose):
        return [
            {"onset": int((s - move) * blick), "duration": int(d * blick), "lyrics": lyric, "phonemes": "",
             "pitch": p - transpose, "detune": 0, "attributes": {}}
            for s, d, p, lyric in notes
        ]  # fmt: skip

    value = {
        "version": 113,
        "time": {
            "meter": [{"index": 0, "numerator": song.beats, "denominator": 4}],
            "tempo": [{"position": at * blick, "bpm": bpm} for at, bpm in song.tempi],
        },
        "library": [{"name": "g", "uuid": "u1", "parameters": {}, "notes": rows(song.notes[half:], 4, -12)}],
        "tracks": [
            {
                "name": "Voice",
                "mainGroup": {"name": "main", "uuid": "u0", "notes": rows(song.notes[:half], 0, 0)},
                "mainRef": {"groupID": "u0", "blickOffset": 0, "pitchOffset": 0, "isInstrumental": False},
                "groups": [{"groupID": "u1", "blickOffset": 4 * blick, "pitchOffset": -12}],
            }
        ],
    }
    return json.dumps(value, ensure_ascii=False).encode() + b"\0"


def vsqx(song: Tune, version: int = 4) -> bytes:
    """VOCALOID 3 or 4, with one bar before the piece."""
    names = {
        3: "posMes nume denomi posTick bpm posTick durTick noteNum lyric trackName musicalPart posTick no",
        4: "m nu de t v t dur n y name vsPart t tNo",
    }[version].split()
    m, nu, de, t, v, start_tag, dur, n, y, name, part, pos, number = names
    bar = song.beats * 480
    tempi = "".join(
        f"<tempo><{t}>{0 if not at else bar + at * 480}</{t}><{v}>{round(bpm * 100)}</{v}></tempo>"
        for at, bpm in song.tempi
    )
    notes = "".join(
        f"<note><{start_tag}>{int(s * 480)}</{start_tag}><{dur}>{int(d * 480)}</{dur}><{n}>{p}</{n}>"
        f"<{y}><![CDATA[{lyric}]]></{y}></note>"
        for s, d, p, lyric in song.notes
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><vsq{version} '
        f'xmlns="http://www.yamaha.co.jp/vocaloid/schema/vsq{version}/">'
        f"<masterTrack><seqName><![CDATA[tune]]></seqName><resolution>480</resolution><preMeasure>1</preMeasure>"
        f"<timeSig><{m}>0</{m}><{nu}>{song.beats}</{nu}><{de}>4</{de}></timeSig>{tempi}</masterTrack>"
        f"<vsTrack><{number}>0</{number}><{name}><![CDATA[Voice]]></{name}>"
        f"<{part}><{pos}>{bar}</{pos}><playTime>99999</playTime>{notes}</{part}></vsTrack></vsq{version}>"
    ).encode()


def vpr_json(song: Tune) -> dict:
    """The sequence in a VOCALOID 5 project."""
    return {
        "version": {"major": 5},
        "title": "tune",
        "masterTrack": {
            "tempo": {
                "global": {"isEnabled": False, "value": 12000},
                "events": [{"pos": at * 480, "value": round(bpm * 100)} for at, bpm in song.tempi],
            },
            "timeSig": {"events": [{"bar": 0, "numer": song.beats, "denom": 4}]},
        },
        "tracks": [
            {
                "type": 0,
                "name": "Voice",
                "parts": [
                    {
                        "pos": 480,
                        "notes": [
                            {"lyric": y, "phoneme": "", "pos": int((s - 1) * 480), "duration": int(d * 480),
                             "number": p, "velocity": 64}
                            for s, d, p, y in song.notes
                        ],
                    }
                ],
            },
            {"type": 1, "name": "audio", "parts": [{"pos": 0, "wav": {"name": "a.wav"}}]},
        ],
    }  # fmt: skip


def zipped(path: Path, name: str, data: bytes) -> None:
    """A zip file of one member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)


def write_all(folder: Path, song: Tune) -> dict[str, Path]:
    """The tune in every format that holds lyrics, by a name for each form."""
    forms = {
        "musicxml": ("a.musicxml", musicxml(song)),
        "midi": ("a.mid", midi(song)),
        "karaoke": ("a.kar", midi(song, text=0x01, ticks=960)),
        "ust": ("utf.ust", ust(song, "utf-8")),
        "ustx": ("a.ustx", ustx(song)),
        "svp": ("a.svp", svp(song)),
        "vsq3": ("three.vsqx", vsqx(song, 3)),
        "vsq4": ("four.vsqx", vsqx(song, 4)),
    }
    if all(lyric.isascii() or lyric > "あ" for _, _, _, lyric in song.notes):
        forms["midi-sjis"] = ("sjis.mid", midi(song, "cp932"))
        forms["ust-sjis"] = ("sjis.ust", ust(song, "cp932"))
    paths = {}
    for form, (name, data) in forms.items():
        paths[form] = folder / name
        paths[form].write_bytes(data)
    paths["mxl"], paths["vpr"] = folder / "a.mxl", folder / "a.vpr"
    zipped(paths["mxl"], "score.xml", musicxml(song))
    zipped(paths["vpr"], "Project/sequence.json", json.dumps(vpr_json(song)).encode())
    return paths
