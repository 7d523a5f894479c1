"""Known faults of a corpus, mended as its YAML says; each is reported, and so is one that is gone."""

import dataclasses
from collections.abc import Sequence

from nnsvs_lite.corpus.facts import Quirk
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import REST, Note

_REST = "R"


def known(quirk: Quirk) -> str:
    """How remarks begin that are about a listed fault."""
    return f"known fault ({quirk.what}; {quirk.source})"


def mend_labels(
    rows: Sequence[Segment], quirks: Sequence[Quirk], silences: frozenset[str], remarks: list[str]
) -> list[Segment]:
    """Labels with the faults that ``quirks`` list mended; silences are no part of what is looked for.

    Raises DataError where a listed fault stands at more places than the list says.
    """
    result = list(rows)
    for quirk in quirks:
        if not quirk.labels:
            continue
        index = [i for i, row in enumerate(result) if row.label not in silences]
        find, make = quirk.labels.split(), quirk.make.split()
        at = _place([result[i].label for i in index], find, quirk, "labels", remarks)
        if at is None:
            continue
        first, last, new = _changed(find, make)
        left, right = index[at + first : at + last], index[at + last : at + len(find)]
        begin = left[0] if left else (right[0] if right else index[at + first - 1] + 1)
        end = left[-1] + 1 if left else begin
        span = result[begin:end]
        if len(new) == len(left):
            for i, name in zip(left, new):
                result[i] = result[i]._replace(label=name)
            continue
        if not new:
            _give_away(result, begin, end)
            continue
        if not span:
            # A phone more takes the second half of the one before, or the first of the one after.
            begin = index[at + first - 1] if first else begin
            old = result[begin]
            new = [old.label, *new] if first else [*new, old.label]
            span, end = [old], begin + 1
        result[begin:end] = _shared(span[0].start, span[-1].end, new)
    return result


def _shared(start: float, end: float, names: Sequence[str]) -> list[Segment]:
    step = (end - start) / len(names)
    times = [round(start + i * step, 7) for i in range(len(names))] + [end]
    return [Segment(a, b, name) for a, b, name in zip(times, times[1:], names)]


def _give_away(rows: list[Segment], begin: int, end: int) -> None:
    """Takes labels out; the one before, or else the one after, lasts instead."""
    if begin:
        rows[begin - 1] = rows[begin - 1]._replace(end=rows[end - 1].end)
    else:
        rows[end] = rows[end]._replace(start=rows[0].start)
    del rows[begin:end]


def mend_score(notes: Sequence[Note], quirks: Sequence[Quirk], remarks: list[str]) -> list[Note]:
    """Notes, before phones are attached, with the listed faults mended. Raises as :func:`mend_labels`."""
    result = list(notes)
    for quirk in quirks:
        if not quirk.score:
            continue
        find, make = quirk.score.split(), quirk.make.split()
        at = _place([_lyric(note) for note in result], find, quirk, "score", remarks)
        if at is None:
            continue
        first, last, new = _changed(find, make)
        begin, end = at + first, at + last
        span = result[begin:end]
        if not new:
            result[begin:end] = []
            result[begin - 1] = _until(result[begin - 1], span[-1].end)
            continue
        if not span:
            begin -= 1
            span, new, end = [result[begin]], [_lyric(result[begin]), *new], begin + 1
        if len(new) == len(span):
            result[begin:end] = [_as(note, lyric, quirk.pitch) for note, lyric in zip(span, new)]
            continue
        rows = _shared(span[0].start, span[-1].end, new)
        beats = sum(note.beats for note in span) / len(rows)
        result[begin:end] = [
            dataclasses.replace(
                _as(span[0], row.label, quirk.pitch),
                start=row.start,
                end=row.end,
                beats=beats,
                beat=span[0].beat + i * beats,
            )
            for i, row in enumerate(rows)
        ]
    return result


def _lyric(note: Note) -> str:
    return _REST if note.is_rest else "".join(note.lyric.split()) or "ー"


def _as(note: Note, lyric: str, pitch: int) -> Note:
    if lyric == _REST:
        return dataclasses.replace(note, pitch=REST, lyric="", slur=False)
    return dataclasses.replace(note, lyric=lyric, pitch=pitch or note.pitch, slur=False)


def _until(note: Note, end: float) -> Note:
    longer = (end - note.start) / note.duration if note.duration else 1.0
    return dataclasses.replace(note, end=end, beats=note.beats * longer)


def _changed(find: list[str], make: list[str]) -> tuple[int, int, list[str]]:
    """Where two sequences differ: from and to in the first, and what stands there in the second."""
    first = 0
    while first < min(len(find), len(make)) and find[first] == make[first]:
        first += 1
    same = 0
    while same < min(len(find), len(make)) - first and find[-1 - same] == make[-1 - same]:
        same += 1
    return first, len(find) - same, make[first : len(make) - same]


def _place(texts: Sequence[str], find: list[str], quirk: Quirk, where: str, remarks: list[str]) -> int | None:
    """Index of a listed fault, which is remarked; None, with another remark, where it is gone."""
    size = len(find)
    places = [i for i in range(len(texts) - size + 1) if list(texts[i : i + size]) == find]
    said = known(quirk)
    if not places or quirk.nth > len(places):
        remarks.append(
            f"{said}: {' '.join(find)!r} is not in the {where}: another edition? nothing is changed"
        )
        return None
    if len(places) > 1 and not quirk.nth:
        raise DataError(
            f"{said}: {' '.join(find)!r} stands {len(places)} times in the {where}, once is expected;"
            " which one is wrong is not known"
        )
    at = places[max(quirk.nth - 1, 0)]
    remarks.append(f"{said}: {' '.join(find)!r} of the {where} became {quirk.make!r}")
    return at
