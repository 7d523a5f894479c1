"""MIDI with lyrics (``.mid``, ``.midi``, ``.kar``) to a score of one voice.

How parts, lyrics and words are found is said in ``docs/scores.md``; the rest is as in
:mod:`nnsvs_lite.score.formats.assemble`.
"""

import bisect
import os
import re
import statistics
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.formats.assemble import (
    UNSPACED,
    NoLyrics,
    Sung,
    assemble,
    choose_part,
    tempo_without_marks,
    timeline_of,
)
from nnsvs_lite.score.formats.limits import MAX_NOTES
from nnsvs_lite.score.formats.rawfile import decode, read_bytes
from nnsvs_lite.score.formats.smf import MidiFile, MidiNote, MidiTrack, parse_midi
from nnsvs_lite.score.languages import get_language, language_codes
from nnsvs_lite.score.lyrics import is_continuation
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Score

_BEAT = Fraction(1)  # quarters within which a lyric finds its note
_TOGETHER = Fraction(1, 16)  # quarters between what begins together
_DRUMS = 9
_SPARSE = 20  # notes to a lyric, beyond which texts are no lyrics
_STREAMS = 12  # tracks with lyrics, the longest, that are looked at
_VOCAL = re.compile("mel|vo[cixz]|lead|sing|sang|sop|cant|chant", re.IGNORECASE)

_REMARK = re.compile(r"\{.*?\}|\[.*?\]|^@.*")

Syllables = Sequence[tuple[int, bytes]]


class _Part(NamedTuple):
    name: str
    track: MidiTrack
    notes: list[MidiNote]


def read_midi(
    path: str | os.PathLike,
    *,
    lang: str = "ja",
    part: int | str | None = None,
    tempo: float | None = None,
    bare: bool = False,
) -> Score:
    """One sung voice of a MIDI file, with lyrics; phones are attached later.

    ``part`` is the number from 1 or name of the part; the one that its lyrics fit if not given.
    ``tempo`` (quarter notes a minute) holds in a file that has none of its own. ``bare`` takes a file without
    lyrics, or whose lyrics are not sung.

    Raises DataError where the file is not a score that can be sung; names measure and beat.
    """
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
    streams = [
        (track, rows, sorted({tick for tick, _ in rows}))
        for track in midi.tracks
        for rows in (track.lyrics, _texts(track))
        if rows
    ]
    streams.sort(key=lambda stream: len(stream[1]), reverse=True)
    if streams and len(streams[0][1]) > MAX_NOTES:
        raise DataError(f"it has {len(streams[0][1])} lyrics; at most {MAX_NOTES} can be read")
    found = [_best_stream(p, streams, midi.ticks) for p in parts]
    fits = [fit + 0.1 * bool(_VOCAL.search(p.name)) * (bare or fit > 0) for p, (fit, _) in zip(parts, found)]
    index = choose_part(part, [p.name for p in parts], [int(fit == max(fits)) for fit in fits])
    lyrics = _lyrics(found[index][1], lang)
    notes = parts[index].notes
    if len(lyrics) * _SPARSE < len(notes):
        lyrics = []
    if not lyrics and not bare:
        raise NoLyrics(
            f"notes without lyrics: the MIDI file has no lyric events, so none of its {len(notes)}"
            " notes can be sung; export it with lyrics, or as MusicXML"
        )
    for what, odd in (
        ("notes without an end are held until the next", [n for n in notes if n.endless]),
        ("notes of no length are left out", [n for n in notes if n.end <= n.start]),
    ):
        left_out(what, [timeline.place(Fraction(note.start, midi.ticks)) for note in odd])
    notes = [note for note in notes if note.end > note.start] or notes
    notes = _one_voice(notes, [tick for tick, _ in lyrics], midi.ticks, timeline)
    sung, lost = _sing(notes, lyrics, midi.ticks, timeline, lang)
    left_out("lyrics without a note are left out", [] if bare else lost)
    return assemble(sung, timeline, lang=lang, title=_name(midi.tracks[0], lang), bare=bare)


def _parts(midi: MidiFile, lang: str) -> list[_Part]:
    parts = []
    for track in midi.tracks:
        channels = sorted({note.channel for note in track.notes} - {_DRUMS})
        for channel in channels:
            suffix = f" channel {channel + 1}" if len(channels) > 1 else ""
            notes = [note for note in track.notes if note.channel == channel]
            notes.sort(key=lambda note: (note.start, -note.pitch))
            parts.append(_Part(f"{_name(track, lang)}{suffix}".strip(), track, notes))
    return parts


def _name(track: MidiTrack, lang: str) -> str:
    name = decode(track.name, lang) if track.name.strip() else ""
    return " ".join(name.replace("\0", " ").split())


def _texts(track: MidiTrack) -> Syllables:
    """Text events, as karaoke files have them, without what is tagged as none or stands before the music."""
    texts = [(tick, text) for tick, text in track.texts if not text.startswith((b"@", b"%", b"#"))]
    later = [row for row in texts if row[0] > 0]
    first = [row for row in texts if row[0] <= 0]
    lines = [row for row in first if row[1].startswith((b"/", b"\\"))]
    # Of others the last one is sung if a note begins there.
    last = first[-1:] if later and any(note.start == 0 for note in track.notes) else []
    return (lines or last) + later


def _best_stream(
    part: _Part, streams: Sequence[tuple[MidiTrack, Syllables, Sequence[int]]], ticks: int
) -> tuple[float, Syllables]:
    """The lyrics that a part's notes begin with, its own before others; and how well they fit, 0 to 1."""
    starts = sorted({note.start for note in part.notes})
    own = [stream for stream in streams if stream[0] is part.track]
    others = [stream for stream in streams[:_STREAMS] if stream[0] is not part.track]
    best: tuple[float, Syllables] = (0.0, [])
    for _, rows, times in own + others:
        near = sum(_distance(times, start) <= _TOGETHER * ticks for start in starts)
        fit = 2 * near / (len(starts) + len(times))
        if fit > best[0] or not best[1]:
            best = (fit, rows)
    return best


def _nearest(times: Sequence[int], tick: int) -> int:
    """Index of the time nearest to a tick, the first of two."""
    i = bisect.bisect_left(times, tick)
    return min({max(i - 1, 0), min(i, len(times) - 1)}, key=lambda k: (abs(times[k] - tick), k))


def _distance(times: Sequence[int], tick: int) -> int:
    return abs(times[_nearest(times, tick)] - tick)


def _lyrics(syllables: Syllables, lang: str) -> list[tuple[int, str]]:
    """Text of each syllable, with ``-`` where its word goes on; the same one twice at one tick is one."""
    once: dict[tuple[int, bytes], tuple[int, bytes]] = {}
    for tick, text in sorted(syllables, key=lambda row: row[0]):
        once.setdefault((tick, text.strip()), (tick, text))
    syllables = list(once.values())
    joined, encoding = b"\0".join(text.replace(b"\0", b"") for _, text in syllables), None
    for tag, name in ((b"{@JP}", "cp932"), (b"{@LATIN}", "cp1252"), (b"{@LATIN1}", "cp1252")):
        if tag in joined:
            joined, encoding = joined.replace(tag, b""), name
    texts = [_REMARK.sub("", text) for text in decode(joined, lang, encoding).split("\0")]
    hyphens = [text.rstrip().endswith("-") for text in texts if text.strip()]
    if sum(hyphens) > 0.9 * len(hyphens):
        # Here a hyphen follows every syllable; blanks and lines tell words.
        texts = [text.rstrip("\r\n")[:-1] if text.rstrip().endswith("-") else text for text in texts]
    starts = [text[:1].isspace() or text.startswith(("/", "\\")) for text in texts]
    ends = [text[-1:].isspace() or after for text, after in zip(texts, [*starts[1:], True])]
    # Beside kana only blanks part words in letters; lines hold many.
    spaced, letters = lang not in UNSPACED, lang == "ja" and any(" " in (t[:1], t[-1:]) for t in texts)
    marked = any(ends[:-1]) and (spaced or letters)
    lyrics: list[tuple[int, str]] = []
    for (tick, _), text, end in zip(syllables, texts, ends):
        text = " ".join(text.lstrip("/\\").split())
        if not is_continuation(text) and not any(c.isalnum() for c in text):
            continue
        goes_on = marked and not end and (spaced or text[-1:].isascii())
        if goes_on and not text.endswith("-") and not is_continuation(text):
            text += "-"
        lyrics.append((tick, text))
    if lang not in language_codes():
        return lyrics
    said = get_language(lang).without_marks([text for _, text in lyrics])
    return [(tick, text) for (tick, _), text in zip(lyrics, said)]


def _one_voice(
    notes: Sequence[MidiNote], lyrics: Sequence[int], ticks: int, timeline: Timeline
) -> list[MidiNote]:
    """The notes without chords and overlaps; ``lyrics`` are the ticks of syllables.

    The highest of a chord is sung. A note that sounds on gives way to one with a syllable, to a higher one,
    and to one that outlasts it; any other begins while a voice above it is held, and is left out.
    """
    voice: list[MidiNote] = []
    second, cut = [], []
    for note in notes:
        last = voice[-1] if voice else None
        if last is None or last.end <= note.start:
            voice.append(note)
        elif note.start - last.start <= _TOGETHER * ticks / 2:
            higher, lower = (last, note) if last.pitch >= note.pitch else (note, last)
            voice[-1] = replace(higher, start=last.start)
            second.append(lower)
        elif (
            note.pitch >= last.pitch
            or (lyrics and _distance(lyrics, note.start) <= _TOGETHER * ticks)
            or (note.end > last.end and 2 * (last.end - note.start) <= last.end - last.start)
        ):
            voice[-1] = replace(last, end=note.start)
            voice.append(note)
            cut.append(note)
        else:
            second.append(note)
    for what, which in (
        ("notes that ran into the next were shortened", cut),
        ("notes of a second voice or of chords are left out", second),
    ):
        left_out(what, [timeline.place(Fraction(note.start, ticks)) for note in which])
    return voice


def _sing(
    notes: Sequence[MidiNote], lyrics: Sequence[tuple[int, str]], ticks: int, timeline: Timeline, lang: str
) -> tuple[list[Sung], list[str]]:
    """The notes with each lyric on the one that begins with it, or nearest to it within a beat; places of
    lyrics without a note.
    """
    starts = [note.start for note in notes]
    sung = [""] * len(notes)
    # Many files show all their lyrics a little before or after they are sung.
    late = statistics.median_low([starts[_nearest(starts, tick)] - tick for tick, _ in lyrics] or [0])
    shift = late if 2 * abs(late) < _BEAT * ticks else 0
    lost = []
    for tick, text in lyrics:
        k = _nearest(starts, tick + shift)
        if sung[k] and k + 1 < len(notes) and 2 * abs(starts[k + 1] - tick - shift) <= _BEAT * ticks:
            k += 1
        if abs(starts[k] - tick - shift) > _BEAT * ticks:
            lost += [] if is_continuation(text) else [timeline.place(Fraction(tick, ticks))]
            continue
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
    ], lost
