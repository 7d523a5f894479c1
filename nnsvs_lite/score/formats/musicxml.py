"""MusicXML (``.musicxml``, ``.xml``, ``.mxl``) to a score of one voice, read as plain XML.

What becomes of what is written is said in ``docs/scores.md``.
"""

import dataclasses
import os
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out, warn
from nnsvs_lite.score.formats.assemble import choose_part
from nnsvs_lite.score.formats.limits import MAX_MEASURES
from nnsvs_lite.score.formats.musicxml_played import play, timeline_of
from nnsvs_lite.score.formats.musicxml_voices import Voices, part_of, sung_measures
from nnsvs_lite.score.formats.musicxml_written import WrittenPart
from nnsvs_lite.score.formats.repeats import playing_order, read_stretches
from nnsvs_lite.score.formats.xmlfile import read_xml
from nnsvs_lite.score.languages import get_language, language_codes
from nnsvs_lite.score.types import REST, Score


def read_musicxml(
    path: str | os.PathLike,
    *,
    lang: str = "ja",
    part: int | str | None = None,
    verse: int = 1,
    voice: str | None = None,
    tempo: float | None = None,
    bare: bool = False,
) -> Score:
    """One sung voice of a MusicXML score, with lyrics; phones are attached later.

    Rests are notes (neighbouring ones are joined); times are contiguous seconds from 0.

    ``part`` is the number from 1, id or name of the part, ``voice`` one of a part that has several; the
    first with lyrics if not given. ``verse`` counts from 1. ``tempo`` (quarter notes a minute) holds in
    a score that has none of its own. ``bare`` takes one whose lyrics are not sung, or
    that has none.

    Raises DataError where the file is not a score that can be sung; names measure and beat.
    """
    root = _partwise(read_xml(Path(path)))
    parts = [WrittenPart(element, lang) for element in root.findall("part")]
    chosen, staff = _choose(root, parts, part)
    if chosen.undivided:
        quarter = f"{float(chosen.divisions):g}"
        warn(f"the part gives no <divisions>: a duration of {quarter} is taken for a quarter note")
    left_out("lyrics are signs that nobody sings", [] if bare else chosen.stray)
    measures = sung_measures(parts, chosen, staff, tempo)
    stretches = read_stretches(measures)
    order = playing_order([stretch.marks for stretch in stretches])
    cut = [part_of(measures[stretch.measure], stretch.start, stretch.end) for stretch in stretches]
    timeline = timeline_of(cut, order)
    language = get_language(lang) if lang in language_codes() else None
    notes = play(cut, order, timeline, verse, Voices(measures, voice), language, bare)
    if language:
        words = [i for i, note in enumerate(notes) if note.lyric and not note.slur]
        for i, lyric in zip(words, language.without_marks([notes[i].lyric for i in words])):
            notes[i] = dataclasses.replace(notes[i], lyric=lyric)
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    return Score(tuple(notes), lang, " ".join(title.split()), timeline.floats())


def _partwise(root: Element) -> Element:
    """The score by parts; a score by measures (``score-timewise``) is turned round.

    Raises DataError where it is neither, has no measures, or has too many.
    """
    if root.tag == "score-timewise":
        parts: dict[str | None, Element] = {}
        for measure in root.findall("measure"):
            for cell in measure.findall("part"):
                part = parts.setdefault(cell.get("id"), Element("part", cell.attrib))
                SubElement(part, "measure", measure.attrib).extend(list(cell))
            root.remove(measure)
        root.extend(parts.values())
        root.tag = "score-partwise"
    if root.tag != "score-partwise":
        raise DataError(f"not a MusicXML score: its root element is <{root.tag}>")
    measures = max((len(part.findall("measure")) for part in root.findall("part")), default=0)
    if not measures:
        raise DataError("the score is empty: it has no measures")
    if measures > MAX_MEASURES:
        raise DataError(f"it has {measures} measures; at most {MAX_MEASURES} can be read")
    return root


def _choose(root: Element, parts: list[WrittenPart], part: int | str | None) -> tuple[WrittenPart, int]:
    """The part asked for, and the number of its staff where it has several, which count as parts."""
    titles = {item.get("id"): item.findtext("part-name") for item in root.findall("part-list/score-part")}
    ids, names, counts, sung, rows = [], [], [], [], []
    for element, candidate in zip(root.findall("part"), parts):
        notes = [note for measure in candidate.measures for note in measure.notes]
        for staff in candidate.staff_numbers():
            ids.append(element.get("id"))
            names.append((titles.get(ids[-1]) or "").strip())
            own = [note for note in notes if not staff or note.staff in (0, staff)]
            counts.append(sum(bool(note.lyrics) for note in own))
            sung.append(int(any(note.pitch != REST for note in own)))
            rows.append((candidate, staff))
    if not any(counts):
        counts = sung
    same = [i for i, name in enumerate(ids) if part is not None and name == str(part)]
    return rows[max(same, key=lambda i: bool(counts[i])) if same else choose_part(part, names, counts)]
