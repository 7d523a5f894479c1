"""OpenUtau projects (``.ustx``, YAML) to a score.

Format after the files that OpenUtau 0.1 writes (``ustx_version`` 0.1 to 0.7):
``voice_parts`` with notes in ticks, ``tracks``, ``tempos`` and ``time_signatures``
(``bpm``, ``beat_per_bar`` and ``beat_unit`` in older files).

- *parts* are tracks: all voice parts of a track together.
- *lyrics*: ``+`` sings the next syllable of the word (kept as lyric in languages that
  space words, holding on in others), ``+~``, ``+*`` and ``-`` hold on; phonetic hints
  in brackets (``hello[hh ax l ow]``) are left out; aliases are read as in
  :mod:`nnsvs_lite.score.formats.ust`.
- pitch curves, vibrato, expressions, colours and phonemisers are left out.
"""

from __future__ import annotations

import os
import re
from fractions import Fraction
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import Sung, assemble, bar_positions, choose_part, timeline_of
from nnsvs_lite.score.formats.limits import MAX_TEXT_BYTES, checked_count
from nnsvs_lite.score.formats.rawfile import decode, get_number, get_rows, get_text, naming, read_bytes
from nnsvs_lite.score.formats.ust import RESTS, clean_alias
from nnsvs_lite.score.formats.yamlfile import parse_yaml
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Score


def read_ustx(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of an OpenUtau project; phones are attached later.

    Args:
        path: ``.ustx``.
        lang: language of the lyrics, kept in the score.
        part: number from 1 or name of the track; the first with lyrics if not given.

    Raises:
        DataError: where the file is not a score that can be sung; names file, part
            and note.
    """
    with naming(path):
        value = parse_yaml(decode(read_bytes(path, MAX_TEXT_BYTES), lang))
        if not isinstance(value, dict) or "voice_parts" not in value:
            raise DataError("not an OpenUtau project: it has no voice_parts")
        ticks = int(get_number(value.get("resolution", 480), "resolution", 1, 1e6))
        timeline = _timeline(value, ticks)
        tracks: dict[int, list[Sung]] = {}
        for number, row in enumerate(get_rows(value["voice_parts"], "voice_parts"), 1):
            track = int(get_number(row.get("track_no", 0), f"voice part {number}: track_no", 0, 1e6))
            tracks.setdefault(track, []).extend(_notes(row, number, ticks, lang))
        tracks = {track: notes for track, notes in sorted(tracks.items()) if notes}
        rows = get_rows(value.get("tracks"), "tracks")
        names = [get_text(rows[i].get("track_name")) if i < len(rows) else "" for i in tracks]
        counts = [sum(bool(note.lyric) for note in notes) for notes in tracks.values()]
        notes = list(tracks.values())[choose_part(part, names, counts)]
        return assemble(notes, timeline, lang=lang, title=get_text(value.get("name")))


def _timeline(value: dict[str, Any], ticks: int) -> Timeline:
    tempi = [
        (
            Fraction(get_number(row.get("position", 0), "a tempo's position", 0, 1e9)) / ticks,
            get_number(row.get("bpm"), "a tempo's bpm"),
        )
        for row in get_rows(value.get("tempos"), "tempos")
    ]
    if not tempi and "bpm" in value:
        tempi = [(Fraction(0), get_number(value["bpm"], "bpm"))]
    rows = get_rows(value.get("time_signatures"), "time_signatures") or [value]
    metres = [
        (
            int(get_number(row.get("bar_position", 0), "a time signature's bar_position", 0, 1e6)),
            int(get_number(row.get("beat_per_bar", 4), "beat_per_bar", 0, 1e6)),
            int(get_number(row.get("beat_unit", 4), "beat_unit", 0, 1e6)),
        )
        for row in rows
    ]
    return timeline_of(tempi, bar_positions(metres))


def _notes(part: dict[str, Any], number: int, ticks: int, lang: str) -> list[Sung]:
    notes = []
    offset = get_number(part.get("position", 0), f"voice part {number}: position")
    rows = get_rows(part.get("notes"), f"voice part {number}: notes")
    checked_count(len(rows))
    for index, row in enumerate(rows, 1):
        place = f"voice part {number}, note {index}"
        start = get_number(row.get("position"), f"{place}: position", -1e9, 1e9)
        length = get_number(row.get("duration"), f"{place}: duration", -1e9, 1e9)
        pitch = get_number(row.get("tone"), f"{place}: tone", -1e4, 1e4)
        lyric = clean_alias(re.sub(r"\s*\[[^\]]*\]\s*$", "", get_text(row.get("lyric"))), lang)
        if lyric and lyric.lower() in RESTS:
            continue
        notes.append(
            Sung(
                (Fraction(offset) + Fraction(start)) / ticks,
                Fraction(length) / ticks,
                pitch,
                lyric or "",
                place=place,
            )
        )
    return notes
