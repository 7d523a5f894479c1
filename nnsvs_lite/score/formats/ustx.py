"""OpenUtau projects (``.ustx``, YAML) to a score: ``voice_parts`` with notes in ticks, ``tracks``, ``tempos``
and ``time_signatures`` (``bpm``, ``beat_per_bar`` and ``beat_unit`` in older files), as OpenUtau 0.1 writes
them (``ustx_version`` 0.1 to 0.7). All voice parts of a track are read together."""

import os

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_TEXT_BYTES
from nnsvs_lite.score.formats.projects import FORMS, Group, sing_project
from nnsvs_lite.score.formats.rawfile import decode, get_number, get_rows, parse_yaml, read_bytes
from nnsvs_lite.score.lyrics import bank_lyric
from nnsvs_lite.score.types import Score


def read_ustx(path: str | os.PathLike, *, lang: str = "ja", part: int | str | None = None) -> Score:
    """One track of an OpenUtau project; phones are attached later.

    Raises DataError where it is no score that can be sung; names track and note.
    """

    def sung(lyric: str) -> str | None:
        text = bank_lyric(lyric, lang) or ""
        return None if text == "R" else text

    value = parse_yaml(decode(read_bytes(path, MAX_TEXT_BYTES), lang))
    if not isinstance(value, dict) or "voice_parts" not in value:
        raise DataError("not an OpenUtau project: it has no voice_parts")
    ticks = int(get_number(value.get("resolution", 480), "resolution", 1, 1e6))
    tempi = get_rows(value.get("tempos"), "tempos") or ([{"bpm": value["bpm"]}] if "bpm" in value else [])
    metres = get_rows(value.get("time_signatures"), "time_signatures") or [value]
    metres = [{"beat_per_bar": 4, "beat_unit": 4} | row for row in metres]
    groups: dict[int, list[Group]] = {}
    for number, row in enumerate(get_rows(value["voice_parts"], "voice_parts"), 1):
        place = f"voice part {number}"
        track = int(get_number(row.get("track_no", 0), f"{place}: track_no", 0, 1e6))
        groups.setdefault(track, []).append(Group(place, row, row.get("position", 0)))
    names = [row.get("track_name") for row in get_rows(value.get("tracks"), "tracks")]
    tracks = [(names[i] if i < len(names) else "", found) for i, found in sorted(groups.items())]
    return sing_project(
        FORMS["ustx"]._replace(ticks=ticks),
        tempi,
        metres,
        tracks,
        part=part,
        lang=lang,
        title=value.get("name"),
        lyric=sung,
    )
