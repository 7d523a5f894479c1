"""VOCALOID 3 and 4 sequences (``.vsqx``, XML) to a score.

Format after the files of VOCALOID 3 (root ``vsq3``) and 4 (root ``vsq4``, the same
with short names). Positions count from the beginning of the bars before the piece
(``preMeasure``), which are left out.

- *parts* are tracks: all musical parts of a track together.
- *lyrics*: ``-`` and ``ー`` hold on; a word goes on after ``-`` at its end (``hel-``);
  ``br`` and ``Asp`` are breaths.
- phonemes typed by hand, velocity (the speed of consonants), controllers and styles
  are left out.
"""

from __future__ import annotations

import os
from fractions import Fraction
from xml.etree.ElementTree import Element

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import Sung, assemble, bar_positions, choose_part, timeline_of
from nnsvs_lite.score.formats.rawfile import get_number, get_text, naming
from nnsvs_lite.score.formats.xmlfile import read_xml
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Score

_NAMES = {
    "vsq3": {
        "tempo": ("tempo", "posTick", "bpm"),
        "metre": ("timeSig", "posMes", "nume", "denomi"),
        "track": ("vsTrack", "trackName", "musicalPart", "posTick"),
        "note": ("posTick", "durTick", "noteNum", "lyric"),
    },
    "vsq4": {
        "tempo": ("tempo", "t", "v"),
        "metre": ("timeSig", "m", "nu", "de"),
        "track": ("vsTrack", "name", "vsPart", "t"),
        "note": ("t", "dur", "n", "y"),
    },
}


def read_vsqx(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of a VOCALOID 3 or 4 sequence; phones are attached later.

    Args:
        path: ``.vsqx``.
        lang: language of the lyrics, kept in the score.
        part: number from 1 or name of the track; the first with lyrics if not given.

    Raises:
        DataError: where the file is not a score that can be sung; names file, track
            and note.
    """
    with naming(path):
        root = read_xml(path)
        for element in root.iter():
            if isinstance(element.tag, str):
                element.tag = element.tag.rpartition("}")[2]
        if root.tag not in _NAMES:
            raise DataError(f"not a VOCALOID sequence (vsq3 or vsq4): its root element is <{root.tag}>")
        names = _NAMES[root.tag]
        master = root.find("masterTrack")
        if master is None:
            raise DataError("not a VOCALOID sequence: it has no masterTrack")
        ticks = int(get_number(master.findtext("resolution", "480"), "resolution", 1, 1e6))
        timeline, begin = _timeline(master, names, ticks)
        tag, name, part_tag, _ = names["track"]
        tracks = [
            (get_text(track.findtext(name)), _notes(track, number, names, ticks, begin))
            for number, track in enumerate(root.findall(tag), 1)
            if track.find(f"{part_tag}/note") is not None
        ]
        counts = [sum(bool(note.lyric) for note in notes) for _, notes in tracks]
        index = choose_part(part, [title for title, _ in tracks], counts)
        return assemble(tracks[index][1], timeline, lang=lang, title=get_text(master.findtext("seqName")))


def _timeline(master: Element, names: dict[str, tuple[str, ...]], ticks: int) -> tuple[Timeline, Fraction]:
    """Tempo and bars from the piece's first bar on, and where in the file that is."""
    tag, bar, top, bottom = names["metre"]
    metres = bar_positions(
        (
            int(get_number(row.findtext(bar), "a time signature's bar", 0, 1e6)),
            int(get_number(row.findtext(top), "a time signature's numerator", 0, 1e6)),
            int(get_number(row.findtext(bottom), "a time signature's denominator", 0, 1e6)),
        )
        for row in master.findall(tag)
    )
    bars = int(get_number(master.findtext("preMeasure", "0"), "preMeasure", 0, 1000))
    begin = _bar_start(metres, bars)
    tag, position, bpm = names["tempo"]
    tempi = [
        (
            Fraction(get_number(row.findtext(position), "a tempo's position", 0, 1e12)) / ticks - begin,
            # Hundredths of quarter notes a minute.
            get_number(row.findtext(bpm), "a tempo") / 100,
        )
        for row in master.findall(tag)
    ]
    return timeline_of(tempi, [(q - begin, top, bottom) for q, top, bottom in metres]), begin


def _bar_start(metres: list[tuple[Fraction, int, int]], bars: int) -> Fraction:
    """Where a bar begins (from 0), in quarters."""
    if not metres:
        return Fraction(4 * bars)
    whole = timeline_of((), metres)
    position = Fraction(0)
    for _ in range(bars):
        position += whole.bar(position)[2]
    return position


def _notes(
    track: Element, number: int, names: dict[str, tuple[str, ...]], ticks: int, begin: Fraction
) -> list[Sung]:
    _, _, part_tag, offset_tag = names["track"]
    start_tag, length_tag, pitch_tag, lyric_tag = names["note"]
    notes = []
    for part in track.findall(part_tag):
        offset = get_number(part.findtext(offset_tag), f"track {number}: a part's position", 0, 1e12)
        for row in part.findall("note"):
            place = f"track {number}, note {len(notes) + 1}"
            start = get_number(row.findtext(start_tag), f"{place}: {start_tag}", -1e12, 1e12)
            length = get_number(row.findtext(length_tag), f"{place}: {length_tag}", -1e12, 1e12)
            pitch = get_number(row.findtext(pitch_tag), f"{place}: {pitch_tag}", -1e4, 1e4)
            lyric = get_text(row.findtext(lyric_tag))
            notes.append(
                Sung(
                    Fraction(offset + start) / ticks - begin,
                    Fraction(length) / ticks,
                    pitch,
                    "br" if lyric.lower() == "asp" else lyric,
                    place=place,
                )
            )
    return notes
