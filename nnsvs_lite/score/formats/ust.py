"""UTAU sequence text (``.ust``) to a score, after the files that UTAU 0.4 and OpenUtau write.

``[#0000]`` sections hold ``Length`` in ticks (480 a quarter), ``Lyric``, ``NoteNum`` and, where it changes,
``Tempo``; metres stand in ``TimeSignatures=(4/4/0),(3/4/8)`` of the settings, 4/4 without. What singing with
another voice bank's tuning needs is left out.
"""

import os
import re
from dataclasses import replace
from fractions import Fraction

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.formats.assemble import NoLyrics, Sung, assemble, bar_positions, timeline_of
from nnsvs_lite.score.formats.limits import MAX_NOTES
from nnsvs_lite.score.formats.projects import FORMS, name_tuning
from nnsvs_lite.score.formats.rawfile import decode, get_number, get_text, read_bytes
from nnsvs_lite.score.lyrics import bank_lyric
from nnsvs_lite.score.types import Score

TICKS = 480


def read_ust(path: str | os.PathLike, *, lang: str = "ja", bare: bool = False) -> Score:
    """The one track of a UST file; phones are attached later. ``bare`` takes notes without lyrics.

    Raises DataError where the file is not a score that can be sung; names section and what is wrong in it.
    """
    data = read_bytes(path)
    charset = re.search(rb"(?im)^Charset\s*=\s*([\w.-]+)", data[:4096])
    setting, sections = sections_of(
        decode(data, lang, charset[1].decode("ascii", "ignore") if charset else None)
    )
    tempi = []
    # A computer with another locale writes decimals with a comma.
    if "Tempo" in setting:
        tempi.append((Fraction(0), setting["Tempo"].replace(",", ".")))
    notes: list[Sung] = []
    mute: list[str] = []
    position = Fraction(0)
    for name, fields in sections:
        place = f"[#{name}]"
        length = Fraction(get_number(fields.get("Length"), f"{place}: Length", 0, 1e9)) / TICKS
        if fields.get("Tempo", "").strip():
            tempi.append((position, fields["Tempo"].replace(",", ".")))
        lyric = bank_lyric(get_text(fields.get("Lyric", "")), lang)
        if lyric is None:
            if notes and notes[-1].end == position:
                notes[-1] = replace(notes[-1], beats=notes[-1].beats + length)
        elif lyric == "" and not bare:
            mute.append(place)
        elif lyric != "R":
            pitch = get_number(fields.get("NoteNum"), f"{place}: NoteNum", -1e4, 1e4)
            notes.append(Sung(position, length, pitch, lyric, place=place))
        position += length
    left_out("notes without lyrics are left out as rests", mute if notes else [])
    if mute and not notes:
        raise NoLyrics(f"notes without lyrics: all {len(mute)}, the first at {mute[0]}")
    name_tuning(FORMS["ust"], [dict(sections)])
    found = re.findall(
        r"\(\s*(\d{1,4})\s*/\s*(\d{1,4})\s*/\s*(\d{1,6})\s*\)", setting.get("TimeSignatures", "")
    )
    timeline = timeline_of(tempi, bar_positions([(int(bar), int(top), int(low)) for top, low, bar in found]))
    return assemble(notes, timeline, lang=lang, title=get_text(setting.get("ProjectName", "")), bare=bare)


def sections_of(text: str) -> tuple[dict[str, str], list[tuple[str, dict[str, str]]]]:
    """The settings and the notes' fields, by section. Raises DataError where there is none."""
    setting: dict[str, str] = {}
    notes: list[tuple[str, dict[str, str]]] = []
    current: dict[str, str] | None = None
    heads = 0
    for line in text.splitlines():
        if head := re.fullmatch(r"\s*\[#(\w{1,20})\]\s*", line):
            heads += 1
            name = head[1].upper()
            if name == "SETTING":
                current = setting
            elif name in ("PREV", "NEXT", "DELETE", "VERSION", "TRACKEND"):
                current = None
            else:
                current = {}
                notes.append((head[1], current))
                if len(notes) > MAX_NOTES:
                    raise DataError(f"it has more than {MAX_NOTES} notes")
        elif current is not None and "=" in line:
            key, _, value = line.partition("=")
            current[key.strip()] = value
    if not heads:
        raise DataError("not a UST file: it has no [#...] sections")
    return setting, notes
