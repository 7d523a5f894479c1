"""The order in which the measures of a score are played: repeats, endings and jumps."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from nnsvs_lite.io.errors import DataError

MAX_PASSES = 100
MAX_MEASURES = 50_000

_WORDS = re.compile(
    r"(?:(?P<capo>d\.?\s*c\.?|da\s*capo)|(?P<segno>d\.?\s*s\.?|dal\s*segno)"
    r"|(?P<to_coda>to\s*coda)|(?P<coda>coda)|(?P<fine>fine))\b",
    re.IGNORECASE,
)


@dataclass
class Marks:
    """What one measure says about the order, gathered from all parts."""

    number: str
    forward: bool = False
    backward: int = 0  # how often the section is played in all, where a repeat ends here; else 0
    ending: tuple[int, ...] = ()  # passes in which a measure under a bracket is played
    ending_starts: bool = False
    segno: str = ""
    coda: str = ""
    to_coda: str = ""
    fine: bool = False
    jump: str = ""  # "capo", or "segno" and the label of the segno to go back to
    al_fine: bool = False
    al_coda: bool = False
    coda_sign: bool = False


def read_marks(parts: Sequence[Element]) -> list[Marks]:
    """Marks of each measure; what any part says holds for all.

    Raises DataError where a repeat's count is not a number from 1 to ``MAX_PASSES``.
    """
    marks: list[Marks] = []
    for part in parts:
        ending: tuple[int, ...] = ()
        for index, measure in enumerate(part.findall("measure")):
            if index == len(marks):
                marks.append(Marks(measure.get("number", str(index + 1))))
            _read_directions(measure, marks[index])
            ending = _read_barlines(measure, marks[max(index - 1, 0) : index + 1], ending)
    # Coda signs without a word: the first is where to leave, the last where to go.
    signs = [mark for mark in marks if mark.coda_sign and not mark.coda and not mark.to_coda]
    if any(mark.to_coda for mark in marks) and signs:
        signs[-1].coda = "coda"
    elif any(mark.coda for mark in marks) and signs:
        signs[0].to_coda = "coda"
    elif len(signs) >= 2:
        signs[0].to_coda, signs[-1].coda = "coda", "coda"
    return marks


def _read_barlines(measure: Element, marks: Sequence[Marks], ending: tuple[int, ...]) -> tuple[int, ...]:
    """Reads those of the last of two ``marks``; takes and returns the ending under whose bracket it is."""
    mark, closes = marks[-1], False
    for barline in measure.findall("barline"):
        for bracket in barline.findall("ending"):
            if bracket.get("type") == "start":
                ending, mark.ending_starts = _ending_numbers(bracket), True
            else:
                ending, closes = ending or _ending_numbers(bracket), True
        for repeat in barline.findall("repeat"):
            if repeat.get("direction") == "forward":
                mark.forward = True
            else:
                times = repeat.get("times", "2")
                if not re.fullmatch(r"\s*\d{1,9}\s*", times) or not 1 <= int(times) <= MAX_PASSES:
                    what = f"a repeat of {times[:20]!r} times; 1 to {MAX_PASSES} can be played"
                    raise DataError(f"measure {mark.number}: {what}")
                left = barline.get("location") == "left"
                marks[0 if left else -1].backward = int(times)
    mark.ending = ending or mark.ending
    return () if closes else ending


def _ending_numbers(ending: Element) -> tuple[int, ...]:
    """Passes of an ending: ``1``, ``1, 2`` or ``1-3``; a text such as ``2.`` goes first."""
    text = ending.get("number", "1")
    if re.fullmatch(r"\s*\d+\.?\s*", ending.text or ""):
        text = ending.text
    numbers: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:\s*-\s*(\d+))?", text):
        numbers.update(range(int(first[:4]), min(int(last[:4] or first[:4]), MAX_PASSES) + 1))
    return tuple(sorted(numbers)) or (1,)


def _read_directions(measure: Element, mark: Marks) -> None:
    for sound in [*measure.findall("sound"), *measure.findall("direction/sound")]:
        mark.segno = mark.segno or sound.get("segno", "")
        mark.coda = mark.coda or sound.get("coda", "")
        mark.to_coda = mark.to_coda or sound.get("tocoda", "")
        mark.fine = mark.fine or "fine" in sound.attrib
        if sound.get("dacapo") == "yes":
            mark.jump = "capo"
        elif sound.get("dalsegno"):
            mark.jump = "segno " + sound.get("dalsegno")
    if measure.find("direction/direction-type/segno") is not None:
        mark.segno = mark.segno or "segno"
    mark.coda_sign |= measure.find("direction/direction-type/coda") is not None
    for words in measure.findall("direction/direction-type/words"):
        text = " ".join((words.text or "").split())
        kind = match.lastgroup if (match := _WORDS.match(text)) else ""
        if kind in ("capo", "segno"):
            mark.jump = mark.jump or ("capo" if kind == "capo" else "segno segno")
            mark.al_fine |= "fine" in text.lower()
            mark.al_coda |= "coda" in text.lower()
        elif kind == "to_coda":
            mark.to_coda = mark.to_coda or "coda"
        elif kind == "coda":
            mark.coda = mark.coda or "coda"
        mark.fine |= kind == "fine"


def playing_order(marks: Sequence[Marks]) -> list[tuple[int, int]]:
    """Indices of measures as played, each with the pass, from 1, which says which verse is sung.

    A repeat without a beginning goes back to the end of the repeat before it, or to the
    start. After a jump (D.C., D.S.) repeats are not taken again and the last ending is
    played; Fine and the way to the coda count only then.

    Raises DataError where the marks contradict each other.
    """
    _check_jumps(marks)
    groups = _ending_groups(marks)
    order: list[tuple[int, int]] = []
    visits = [0] * len(marks)
    taken: set[int] = set()
    begin = index = 0
    count = 1
    while index < len(marks):
        mark = marks[index]
        if mark.forward and index != begin:
            begin, count = index, 1
        last_pass, group_end = groups.get(index, (0, -1))
        played = not mark.ending or (last_pass if taken else count) in mark.ending
        if played:
            visits[index] += 1
            order.append((index, visits[index] if taken else max(visits[index], count)))
            if len(order) > MAX_MEASURES:
                raise DataError(f"its repeats unfold to more than {MAX_MEASURES} measures")
            if taken and mark.fine:
                break
            if taken and mark.to_coda:
                coda = _labelled([m.coda for m in marks], mark.to_coda)
                if coda <= index:
                    raise DataError(f"measure {mark.number}: to coda, but the coda stands before it")
                index = coda
                continue
            if mark.backward and not taken:
                if count < (last_pass if mark.ending else mark.backward):
                    count, index = count + 1, begin
                    continue
                # An ending for this pass may come after a repeat sign outside any bracket.
                if not mark.ending and not any(count in m.ending for m in marks[index + 1 : index + 2]):
                    begin, count = index + 1, 1
        if index == group_end:
            begin, count = index + 1, 1
        if played and mark.jump and index not in taken:
            taken.add(index)
            label = mark.jump.partition(" ")[2]
            index = 0 if mark.jump == "capo" else _labelled([m.segno for m in marks], label)
            continue
        index += 1
    return order


def _check_jumps(marks: Sequence[Marks]) -> None:
    to_coda = next((m for m in marks if m.to_coda), None)
    coda = next((m for m in marks if m.coda), None)
    forwards = 0
    for mark in marks:
        where = f"measure {mark.number}"
        if mark.jump and mark.jump != "capo" and not any(m.segno for m in marks):
            raise DataError(f"{where}: dal segno, but no segno is marked")
        if mark.al_fine and not any(m.fine for m in marks):
            raise DataError(f"{where}: al fine, but no fine is marked")
        if mark.al_coda and not (to_coda and coda):
            raise DataError(f"{where}: al coda, but no way to a coda is marked")
        forwards += mark.forward
        if mark.backward and forwards > 1:
            raise DataError(f"{where}: repeats inside repeats cannot be played")
        if mark.backward:
            forwards = 0
    if to_coda and not coda and any(m.jump for m in marks):
        raise DataError(f"measure {to_coda.number}: to coda, but no coda is marked")


def _labelled(labels: Sequence[str], wanted: str) -> int:
    """Where a label stands, or else the first one there is."""
    return labels.index(wanted) if wanted in labels else next(i for i, label in enumerate(labels) if label)


def _ending_groups(marks: Sequence[Marks]) -> dict[int, tuple[int, int]]:
    """For each measure under a bracket: the last pass of its group, and the group's end."""
    groups: dict[int, tuple[int, int]] = {}
    first, brackets, seen = 0, 0, set()
    for index, mark in enumerate([*marks, Marks("")]):
        again = mark.ending_starts and bool(seen & set(mark.ending))
        if index > first and (again or not mark.ending):
            alone = brackets == 1 and any(m.backward for m in marks[first:index])
            groups.update({i: (max(seen) + alone, index - 1) for i in range(first, index)})
            first, brackets, seen = index, 0, set()
        if not mark.ending:
            first = index + 1
        elif mark.ending_starts or index == first:
            brackets += 1
            seen.update(mark.ending)
    return groups
