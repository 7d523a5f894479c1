"""The order in which the measures of a score are played: repeats, endings and jumps."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.formats.musicxml_written import WrittenMeasure

MAX_PASSES = 100
MAX_MEASURES = 50_000  # as played
MAX_STRETCHES = 10_000

_WORDS = re.compile(
    r"(?:(?P<capo>d\.?\s*c\.?|da\s*capo)|(?P<segno>d\.?\s*s\.?|dal\s*segno)"
    r"|(?P<to_coda>to\s*coda)|(?P<coda>coda)|(?P<fine>fine))\b",
    re.IGNORECASE,
)

_WITH_REPEATS = re.compile(
    r"\b(?:con|with|mit|avec)\W+(?:(?!(?:no|without|sans|senza|ohne|kein\w*)\b)\w+\W+)?(?:rep|wdh|wiederh)",
    re.IGNORECASE,
)


@dataclass
class Marks:
    """What one stretch says about the order, gathered from all parts; ``ending`` follows from brackets."""

    number: str  # of its measure
    forward: bool = False
    bracket: tuple[tuple[int, ...], ...] = ()  # passes of an ending that begins here, by text and by number
    segno: str = ""
    coda: str = ""
    # What follows holds at its end.
    backward: int = 0  # how often the section is played in all, where a repeat ends here; else 0
    again: bool = False  # that repeat is taken after a jump too
    closes: tuple[tuple[int, ...], ...] = ()  # the same of an ending that ends here
    to_coda: str = ""
    fine: bool = False
    jump: str = ""  # "capo", or "segno" and the label of the segno to go back to
    al_fine: bool = False
    al_coda: bool = False
    with_repeats: bool = False  # after this jump all repeats are taken again
    ending: tuple[int, ...] = ()  # passes in which a stretch under a bracket is played


class Stretch(NamedTuple):
    """A measure, or what lies between two marks inside it."""

    measure: int  # its index
    start: Fraction  # quarters from the measure's beginning
    end: Fraction
    marks: Marks


_Row = tuple[Fraction, str, Any]
"""Where a mark stands, a field of :class:`Marks` or ``sign`` (a coda sign without a word), its value."""

_BEGINS = ("forward", "bracket", "segno", "coda")


def read_stretches(measures: Sequence[WrittenMeasure]) -> list[Stretch]:
    """The measures, cut wherever a mark stands inside one, with the marks of all parts.

    Where they are only printed, without a sound that plays them, D.C. and D.S. hold at the measure's end, and
    To Coda and Fine above its last note hold after that note.

    Raises DataError where a repeat's count is not a number from 1 to ``MAX_PASSES``.
    """
    rows = []
    for measure in measures:
        placed = [(min(max(at, Fraction(0)), measure.length), *mark) for at, *mark in measure.marks]
        rows.append([row for mark in placed for row in _played(*mark[:2], measure)])
        rows[-1] += [row for mark in placed for row in _printed(*mark, measure.length)]
    stretches: list[Stretch] = []
    first: list[int] = []
    for index, (measure, row) in enumerate(zip(measures, rows)):
        first.append(len(stretches))
        cuts = sorted({Fraction(0), measure.length, *(at for at, *_ in row)})
        stretches += [Stretch(index, a, b, Marks(str(measure.number))) for a, b in zip(cuts, cuts[1:])]
    if len(stretches) > MAX_STRETCHES:
        raise DataError(f"its marks cut it in {len(stretches)}; at most {MAX_STRETCHES} can be read")
    starts = {(stretch.measure, stretch.start): i for i, stretch in enumerate(stretches)}
    marks = [stretch.marks for stretch in stretches]
    signs: list[tuple[int, int]] = []
    for index, (row, after) in enumerate(zip(rows, [*first[1:], len(stretches)])):
        for at, kind, value in row:
            begins = starts.get((index, at), after)
            # What a bar line at the beginning ends is the measure before; words there speak of their measure.
            ends = begins - 1 if at or kind in ("backward", "again", "closes") else after - 1
            if kind == "sign":
                signs.append((ends, min(begins, len(stretches) - 1)))
                continue
            mark = marks[min(begins, len(stretches) - 1) if kind in _BEGINS else max(ends, 0)]
            setattr(mark, kind, getattr(mark, kind) or value)
        if any(m.coda or m.to_coda for m in marks[first[index] : after]):
            while signs and signs[-1][0] >= first[index]:
                signs.pop()
    # Coda signs without a word: the first is where to leave, the last where to go.
    leaves, goes = any(mark.to_coda for mark in marks), any(mark.coda for mark in marks)
    if signs and (goes or len(signs) > 1) and not leaves:
        marks[signs[0][0]].to_coda = "coda"
    if signs and (leaves or len(signs) > 1) and (leaves or not goes):
        marks[signs[-1][1]].coda = marks[signs[-1][1]].coda or "coda"
    return stretches


def _played(at: Fraction, item: Element, measure: WrittenMeasure) -> Iterator[_Row]:
    """What bar lines and sounds say."""
    if item.tag == "barline":
        place = {"left": Fraction(0), "middle": at}.get(item.get("location", ""), measure.length)
        for bracket in item.findall("ending"):
            number, text = bracket.get("number", "1"), bracket.text or ""
            passes = [
                _ending_numbers(said if re.search("[1-9]", said) else number) for said in (text, number)
            ]
            yield place, "bracket" if bracket.get("type") == "start" else "closes", passes
        for repeat in item.findall("repeat"):
            times = repeat.get("times", "2")
            if repeat.get("direction") == "forward":
                yield place, "forward", True
            elif re.fullmatch(r"\s*\d{1,9}\s*", times) and 1 <= int(times) <= MAX_PASSES:
                yield place, "backward", int(times)
                yield place, "again", repeat.get("after-jump") == "yes"
            else:
                what = f"a repeat of {times[:20]!r} times; 1 to {MAX_PASSES} can be played"
                raise DataError(f"measure {measure.number}: {what}")
    for sound in [item] if item.tag == "sound" else item.findall("sound"):
        for kind, name in (("segno", "segno"), ("coda", "coda"), ("to_coda", "tocoda")):
            if sound.get(name):
                yield at, kind, sound.get(name)
        if "fine" in sound.attrib:
            yield at, "fine", True
        if sound.get("dacapo") == "yes":
            yield at, "jump", "capo"
        elif sound.get("dalsegno"):
            yield at, "jump", "segno " + sound.get("dalsegno")


def _printed(at: Fraction, item: Element, later: bool, length: Fraction) -> Iterator[_Row]:
    """What signs and words say."""
    if item.find("direction-type/segno") is not None:
        yield at, "segno", "segno"
    if item.find("direction-type/coda") is not None:
        yield at, "sign", True
    sounds = {name for sound in item.findall("sound") for name in sound.attrib}
    for words in item.findall("direction-type/words"):
        text = " ".join((words.text or "").split())
        kind = match.lastgroup if (match := _WORDS.match(text)) else ""
        if kind in ("capo", "segno"):
            place = at if sounds & {"dacapo", "dalsegno"} else length
            yield place, "jump", "capo" if kind == "capo" else "segno segno"
            yield place, "al_fine", "fine" in text.lower()
            yield place, "al_coda", "coda" in text.lower()
            yield place, "with_repeats", bool(_WITH_REPEATS.search(text))
        elif kind in ("to_coda", "fine"):
            yield (
                at if later or sounds & {"tocoda", "fine"} else length,
                kind,
                "coda" if kind == "to_coda" else True,
            )
        elif kind == "coda":
            yield at, "coda", "coda"


def _ending_numbers(text: str) -> tuple[int, ...]:
    """Passes of an ending: ``1``, ``1, 2``, ``1-3`` or ``[1.-3. time]``."""
    numbers: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:[.\s]*(?:[-‐-―~]|bis|to)\s*(\d+))?", text):
        numbers.update(range(int(first[:4]), min(int(last[:4] or first[:4]), MAX_PASSES) + 1))
    return tuple(sorted(numbers)) or (1,)


def _hold_endings(marks: Sequence[Marks], which: int) -> None:
    """Gives each stretch under a bracket its passes; a bracket shorter than its repeat lasts until there."""
    held: tuple[int, ...] = ()
    repeats = False
    for i, mark in enumerate(marks):
        if mark.bracket:
            held, repeats = mark.bracket[which], False
        mark.ending = mark.ending or held or (mark.closes and mark.closes[which])
        repeats |= mark.backward > 0
        if mark.closes and held and not repeats:
            ahead = range(i + 1, len(marks) - 1)
            stop = next((k for k in ahead if marks[k].bracket or marks[k].forward or marks[k].backward), i)
            if marks[stop].backward and not marks[stop].bracket and marks[stop + 1].bracket:
                for between in marks[i + 1 : stop + 1]:
                    between.ending = mark.ending
        held = () if mark.closes else held


def playing_order(marks: Sequence[Marks]) -> list[tuple[int, int]]:
    """Indices of stretches as played, each with the pass, from 1, which says which verse is sung.

    A repeat without a beginning goes back to the end of the repeat before it, or to the
    start. After a jump (D.C., D.S.) repeats are not taken again and the last ending is
    played, unless the repeat (``after-jump``) or the jump (*con rep.*) says so; Fine and the way to the coda
    count only then. An ending that no pass reaches is played like any other measure, with a warning.

    Raises DataError where the marks contradict each other.
    """
    _check_jumps(marks)
    everywhere = any(mark.with_repeats for mark in marks)
    for mark in marks:
        mark.again |= everywhere
    for which in (0, 1):
        for mark in marks:
            mark.ending = ()
        _hold_endings(marks, which)
        order = _unfolded(marks)
        played = {index for index, _ in order}
        lost = [mark for index, mark in enumerate(marks) if mark.ending and index not in played]
        if not lost:
            return order
    left_out("endings that no repeat leads to are played without it", [f"measure {m.number}" for m in lost])
    for mark in lost:
        mark.ending = mark.bracket = ()
    return _unfolded(marks)


def _unfolded(marks: Sequence[Marks]) -> list[tuple[int, int]]:
    groups = _ending_groups(marks)
    order: list[tuple[int, int]] = []
    visits = [0] * len(marks)
    taken: set[int] = set()
    begin = index = 0
    count = 1
    anew = any(mark.again for mark in marks)
    while index < len(marks):
        mark = marks[index]
        if mark.forward and index != begin:
            begin, count = index, 1
        last_pass, group_end, again = groups.get(index, (0, -1, False))
        played = not mark.ending or (last_pass if taken and not again else count) in mark.ending
        if played:
            visits[index] += 1
            # Where repeats are taken anew after a jump, so are their words.
            passed = count if taken and anew else visits[index] if taken else max(visits[index], count)
            order.append((index, passed))
            if len(order) > MAX_MEASURES:
                raise DataError(f"its repeats unfold to more than {MAX_MEASURES} measures")
            # At the end of a repeat that is taken again they count in its last pass.
            more = mark.backward and mark.again and count < (max(mark.ending, default=0) or mark.backward)
            if taken and mark.fine and not more:
                break
            if taken and mark.to_coda and not more:
                coda = _labelled([m.coda for m in marks], mark.to_coda)
                if coda <= index:
                    raise DataError(f"measure {mark.number}: to coda, but the coda stands before it")
                index = coda
                continue
            if mark.backward and (mark.again or not taken):
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
            begin, count = index, 1
            continue
        index += 1
    return order


def _check_jumps(marks: Sequence[Marks]) -> None:
    to_coda = next((m for m in marks if m.to_coda), None)
    coda = next((m for m in marks if m.coda), None)
    forwards = 0
    for index, mark in enumerate(marks):
        where = f"measure {mark.number}"
        if mark.jump and mark.jump != "capo" and not any(m.segno for m in marks):
            raise DataError(f"{where}: dal segno, but no segno is marked")
        if mark.al_fine and not any(m.fine for m in marks):
            raise DataError(f"{where}: al fine, but no fine is marked")
        if mark.al_coda and not (to_coda and coda):
            raise DataError(f"{where}: al coda, but no way to a coda is marked")
        forwards += mark.forward
        if mark.backward and forwards > 1:
            if next((m.backward for m in marks[index + 1 :] if m.forward or m.backward), 0):
                raise DataError(f"{where}: repeats inside repeats cannot be played")
            left_out("repeats without an end are passed over", [where])
        if mark.backward:
            forwards = 0
    if to_coda and not coda:
        left_out("ways to a coda that is not marked are passed over", [f"measure {to_coda.number}"])
        for mark in marks:
            mark.to_coda = ""


def _labelled(labels: Sequence[str], wanted: str) -> int:
    """Where a label stands, or else the first one there is."""
    return labels.index(wanted) if wanted in labels else next(i for i, label in enumerate(labels) if label)


def _ending_groups(marks: Sequence[Marks]) -> dict[int, tuple[int, int, bool]]:
    """For each stretch under a bracket: its group's last pass, its end if it repeats, whether after a jump
    too.
    """
    groups: dict[int, tuple[int, int, bool]] = {}
    first, brackets, seen = 0, 0, set()
    for index, mark in enumerate([*marks, Marks("")]):
        again = mark.bracket and seen & set(mark.ending)
        if index > first and (again or not mark.ending):
            repeats = any(m.backward for m in marks[first:index])
            end = index - 1 if repeats else -1
            last, again = max(seen) + (brackets == 1 and repeats), any(m.again for m in marks[first:index])
            groups.update(dict.fromkeys(range(first, index), (last, end, again)))
            first, brackets, seen = index, 0, set()
        if not mark.ending:
            first = index + 1
        elif mark.bracket or index == first:
            brackets += 1
            seen.update(mark.ending)
    return groups
