"""What the projects of singing editors (USTX, SVP, VSQX, VPR) have in common.

Each has tempi, time signatures and tracks of placed groups of notes, under names of its own.
A reader finds where these lie, says what is special, and leaves the rest to :func:`read_project`.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from importlib import resources
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from nnsvs_lite.io.leftout import leave_out
from nnsvs_lite.score.drawn import Canvas
from nnsvs_lite.score.formats.assemble import Sung, assemble, bar_positions, choose_part, timeline_of
from nnsvs_lite.score.formats.limits import checked_count
from nnsvs_lite.score.formats.rawfile import get_number, get_rows, get_text
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Score

_SHOWN = 12


class Names(NamedTuple):
    """Names of fields, and units."""

    tempo: Sequence[str] = ()  # of a tempo's position and its quarter notes a minute
    metre: Sequence[str] = ()  # of a time signature's bar (from 0), upper and lower number
    note: Sequence[str] = ()  # of a note's position, length, pitch and lyric
    track: Sequence[str] = ()  # of a track's name, its parts and their position
    ticks: int = 480  # positions and lengths count these to a quarter
    tempo_unit: float = 1.0  # what tempi are multiplied with
    tuning: Mapping[str, str] = {}  # paths to what shapes the singing, and how it is called: see _tuned
    taken: Sequence[str] = ()  # of these names, which are drawn on the score


_FORMS = resources.files(__package__).joinpath("projects.json").read_text(encoding="utf-8")
FORMS = {form: Names(**row) for form, row in json.loads(_FORMS).items()}
"""By format."""


class Group(NamedTuple):
    """Notes placed together: their name in messages, where the file has them, at which tick, and by how many
    semitones up.
    """

    place: str
    source: Any
    offset: Any = 0
    pitch: Any = 0


class Laid(NamedTuple):
    """A group with its place in quarter notes, and its notes with the rows of the file that they are of."""

    group: Group
    offset: Fraction
    notes: list[tuple[Sung, dict[str, Any]]]


Draw = Callable[[Canvas, Sequence[Laid]], None]
"""Lays the curves of a track's groups out on a canvas."""


class Voice(NamedTuple):
    """A track with notes."""

    name: str
    notes: list[Sung]
    laid: list[Laid]


class Project(NamedTuple):
    """A file that was read; each of its voices can be had as a score."""

    names: Names
    timeline: Timeline
    voices: list[Voice]
    lang: str
    title: str
    draw: Draw

    def score(self, part: int | str | None = None, bare: bool = False) -> Score:
        """One voice: number from 1 or name of its track, the first with lyrics if not given; phones are
        attached later. ``bare`` takes one without lyrics.

        Raises DataError where there is no such track, or its notes are not one voice.
        """
        counts = [sum(bool(note.lyric) for note in voice.notes) for voice in self.voices]
        _, notes, laid = self.voices[choose_part(part, [voice.name for voice in self.voices], counts)]
        name_tuning(self.names, {id(row.group.source): row.group.source for row in laid}.values())
        score = assemble(notes, self.timeline, lang=self.lang, title=self.title, bare=bare)
        canvas = Canvas(self.timeline, score.duration)
        self.draw(canvas, laid)
        return replace(score, drawn=canvas.drawn())


def read_project(
    names: Names,
    tempi: Sequence[dict[str, Any]],
    metres: Sequence[dict[str, Any]],
    tracks: Sequence[tuple[Any, Sequence[Group]]],
    *,
    lang: str,
    draw: Draw,
    title: Any = "",
    lyric: Callable[[str], str | None] = lambda text: text,
    skipped: int = 0,
) -> Project:
    """The voices of an editor's project.

    Args:
        tempi, metres: one table each.
        tracks: name and groups of each; those without notes are none.
        draw: lays out the format's curves.
        lyric: what is sung of a lyric; None for a rest.
        skipped: bars before the piece.

    Raises DataError where a number is missing or absurd.
    """

    def quarters(value: Any, what: str) -> Fraction:
        return Fraction(get_number(value, what)) / names.ticks

    bar = names.metre[0]
    signatures = bar_positions(
        [int(get_number(row.get(name), f"a time signature's {name}", 0, 1e6)) for name in names.metre]
        for row in ({bar: 0} | row for row in metres)
    )
    whole, begin = timeline_of((), signatures), Fraction(0)
    for _ in range(skipped):
        begin += whole.bar(begin)[2]
    at, bpm = names.tempo
    timeline = timeline_of(
        [(quarters(row.get(at, 0), f"a tempo's {at}") - begin, row.get(bpm)) for row in tempi],
        [(position - begin, *signature) for position, *signature in signatures],
        tempo_unit=names.tempo_unit,
    )
    start, length, pitch, text = names.note
    voices: list[Voice] = []
    for name, groups in tracks:
        notes: list[Sung] = []
        laid: list[Laid] = []
        counted: Counter[str] = Counter()
        for group in groups:
            held = group.source
            held = xml_rows(held, "note") if isinstance(held, Element) else held.get("notes")
            rows = get_rows(held, f"{group.place}: notes")
            # A file can place one group many thousand times.
            checked_count(len(notes) + len(rows))
            offset = quarters(group.offset, f"{group.place}: its position") - begin
            laid.append(Laid(group, offset, []))
            higher = get_number(group.pitch, f"{group.place}: its pitch offset", -200, 200)
            for row in rows:
                counted[group.place] += 1
                place = f"{group.place}, note {counted[group.place]}"
                sung = lyric(get_text(row.get(text)))
                note = Sung(
                    offset + quarters(row.get(start), f"{place}: {start}"),
                    quarters(row.get(length), f"{place}: {length}"),
                    higher + get_number(row.get(pitch), f"{place}: {pitch}", -1e4, 1e4),
                    sung or "",
                    place=place,
                )
                if sung is not None:
                    notes.append(note)
                    laid[-1].notes.append((note, row))
        if notes:
            voices.append(Voice(get_text(name), notes, laid))
    return Project(names, timeline, voices, lang, get_text(title), draw)


def name_tuning(names: Names, parts: Iterable[Any]) -> None:
    """Names the curves, vibrato and the like in parts of a file that nobody draws on the score."""
    tuned = (_tuned(part, path.split("."), name) for part in parts for path, name in names.tuning.items())
    texts = (get_text(name)[:40] for name in itertools.chain.from_iterable(tuned))
    found = [text for text in dict.fromkeys(texts) if text not in names.taken]
    if found:
        shown = ", ".join(found[:_SHOWN]) + (" and more" if len(found) > _SHOWN else "")
        leave_out(f"the file's own {shown} are not sung: the voice makes its own")


def _tuned(value: Any, path: list[str], name: Any) -> Iterator[Any]:
    """What is called ``name`` at the end of a path, unless it is nothing or zero.

    ``@x`` is what the field x beside the last one says, ``@`` the one that ``*`` stands for.
    """
    if not path:
        if str(value).strip(" 0.,-[]{}") not in ("", "None", "False"):
            yield name
    elif isinstance(value, list):
        for item in value:
            yield from _tuned(item, path, name)
    elif isinstance(value, Element):
        for child in value.iterfind(path[0]):
            if path[1:]:
                yield from _tuned(child, path[1:], name)
            else:
                yield from _tuned(child.text, [], child.get(name[1:], name))
    elif isinstance(value, dict):
        for key in value if path[0] == "*" else path[:1]:
            called = key if (path[0], name) == ("*", "@") else name if path[1:] else value.get(name[1:], name)
            yield from _tuned(value.get(key), path[1:], called)


def xml_rows(parent: Element, tag: str) -> list[dict[str, Any]]:
    """Tables of what elements hold."""
    return [{child.tag: child.text or "" for child in item} for item in parent.findall(tag)]


def breath(lyric: str) -> str:
    """VOCALOID's ``Asp`` is a breath."""
    return "br" if lyric.lower() == "asp" else lyric
