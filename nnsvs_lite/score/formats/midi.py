"""MIDI with lyrics (``.mid``, ``.midi``, ``.kar``) to a score of one voice.

How parts, lyrics and words are found is said in ``docs/scores.md``; the rest is as in
:mod:`nnsvs_lite.score.formats.assemble`.
"""

import bisect
import os
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import (
    UNSPACED,
    Sung,
    assemble,
    choose_part,
    tempo_without_marks,
    timeline_of,
)
from nnsvs_lite.score.formats.rawfile import decode, naming, read_bytes
from nnsvs_lite.score.formats.smf import MidiFile, MidiNote, MidiTrack, parse_midi
from nnsvs_lite.score.lyrics import is_continuation
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Score

_NEAR = Fraction(1, 4)  # quarters
_DRUMS = 9


class _Part(NamedTuple):
    name: str
    track: MidiTrack
    notes: list[MidiNote]


def read_midi(
    path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None, tempo: float | None = None
) -> Score:
    """One sung voice of a MIDI file, with lyrics; phones are attached later.

    ``part`` is the number from 1 or name of the part; the one that its lyrics fit if not given.
    ``tempo`` (quarter notes a minute) holds in a file that has none of its own.

    Raises DataError where the file is not a score that can be sung; names file, measure and beat.
    """
    with naming(path):
        midi = parse_midi(read_bytes(path))
        timeline = timeline_of(
            [(Fraction(tick, midi.ticks), bpm) for tick, bpm in midi.tempi]
            or [(Fraction(0), tempo_without_marks(tempo))],
            [(Fraction(tick, midi.ticks), top, bottom) for tick, top, bottom in midi.metres],
            [(Fraction(tick, midi.ticks), sharps) for tick, sharps in midi.keys],
        )
        parts = _parts(midi, lang)
        if not parts and any(text.startswith(b"DM:") for track in midi.tracks for _, text in track.texts):
            raise DataError("a sequence of VOCALOID 2; open it in an editor and save it as VSQX or MusicXML")
        shared = max(map(_syllables, midi.tracks), key=len)
        texts = [_syllables(p.track) or shared for p in parts]
        fits = []
        for p, syllables in zip(parts, texts):
            starts = {note.start for note in p.notes}
            fits.append(sum(tick in starts for tick, _ in syllables))
        index = choose_part(part, [p.name for p in parts], [int(fit == max(fits)) for fit in fits])
        chosen = parts[index]
        lyrics = _lyrics(texts[index], lang)
        if not lyrics:
            raise DataError(
                f"notes without lyrics: the MIDI file has no lyric events, so none of its {len(chosen.notes)}"
                " notes can be sung; export it with lyrics, or as MusicXML"
            )
        notes = _sing(chosen.notes, lyrics, midi.ticks, timeline, lang)
        return assemble(notes, timeline, lang=lang, title=_name(midi.tracks[0], lang))


def _parts(midi: MidiFile, lang: str) -> list[_Part]:
    parts = []
    for track in midi.tracks:
        channels = sorted({note.channel for note in track.notes} - {_DRUMS})
        for channel in channels:
            suffix = f" channel {channel + 1}" if len(channels) > 1 else ""
            notes = [note for note in track.notes if note.channel == channel]
            parts.append(_Part(f"{_name(track, lang)}{suffix}".strip(), track, notes))
    return parts


def _name(track: MidiTrack, lang: str) -> str:
    name = decode(track.name, lang) if track.name.strip() else ""
    return " ".join(name.replace("\0", " ").split())


def _syllables(track: MidiTrack) -> list[tuple[int, bytes]]:
    """Lyric events, or text events as in karaoke files."""
    if track.lyrics:
        return track.lyrics
    tags, lines = (b"@", b"%", b"#"), (b"/", b"\\")
    texts = [(tick, text) for tick, text in track.texts if not text.startswith(tags)]
    # Texts at the very beginning are comments, but for those that begin a line, and the last one
    # where a note begins there too.
    later = [(tick, text) for tick, text in texts if tick > 0]
    first = [(tick, text) for tick, text in texts if tick <= 0]
    if not any(text.startswith(lines) for _, text in first):
        first = first[-1:] if later and any(note.start == 0 for note in track.notes) else []
    return [row for row in first if row[1].startswith(lines) or len(first) == 1] + later


def _lyrics(syllables: Sequence[tuple[int, bytes]], lang: str) -> list[tuple[int, str]]:
    """Text of each syllable, with ``-`` where its word goes on."""
    syllables = sorted(syllables, key=lambda row: row[0])
    joined, encoding = b"\0".join(text for _, text in syllables), None
    for tag, name in ((b"{@JP}", "cp932"), (b"{@LATIN}", "cp1252"), (b"{@LATIN1}", "cp1252")):
        if tag in joined:
            joined, encoding = joined.replace(tag, b""), name
    texts = decode(joined, lang, encoding).split("\0")
    lyrics: list[tuple[int, str]] = []
    starts = [text[:1].isspace() or text.startswith(("/", "\\")) for text in texts]
    ends = [text[-1:].isspace() or after for text, after in zip(texts, [*starts[1:], True])]
    marked = lang not in UNSPACED and any(ends[:-1])
    for (tick, _), text, end in zip(syllables, texts, ends):
        text = " ".join(text.lstrip("/\\").split())
        if text.startswith(("{", "@")) or not text:
            continue
        if marked and not end and not text.endswith("-") and not is_continuation(text):
            text += "-"
        lyrics.append((tick, text))
    return lyrics


def _sing(
    notes: Sequence[MidiNote], lyrics: Sequence[tuple[int, str]], ticks: int, timeline: Timeline, lang: str
) -> list[Sung]:
    """The notes with each lyric on the one that begins with it, or nearest to it."""
    notes = sorted(notes, key=lambda note: (note.start, -note.pitch))
    starts = [note.start for note in notes]
    sung = [""] * len(notes)
    for tick, text in lyrics:
        i = bisect.bisect_left(starts, tick)
        k = min({max(i - 1, 0), min(i, len(notes) - 1)}, key=lambda k: (abs(starts[k] - tick), k))
        if abs(starts[k] - tick) > _NEAR * ticks:
            if is_continuation(text):
                continue
            raise DataError(f"{timeline.place(Fraction(tick, ticks))}: lyric {text!r} without a note")
        blank = "" if not sung[k] or sung[k].endswith("-") or lang in UNSPACED else " "
        sung[k] = sung[k].removesuffix("-") + blank + text
    flat = len({note.velocity for note in notes}) == 1
    return [
        Sung(
            Fraction(note.start, ticks),
            Fraction(note.end - note.start, ticks),
            note.pitch,
            lyric,
            velocity=0.5 if flat else round(note.velocity / 127, 3),
            place=f"tick {note.start}",
        )
        for note, lyric in zip(notes, sung)
    ]
