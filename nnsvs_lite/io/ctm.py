"""CTM: timed labels, one ``utt channel start duration label`` a line (Kaldi, NIST)."""

import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from nnsvs_lite.io.atomic import write_lines
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.packed import Packed
from nnsvs_lite.io.tables import table_lines


class Segment(NamedTuple):
    """One timed label; times in seconds."""

    start: float
    end: float
    label: str


def parse_segment(value: str, where: str | None = None) -> Segment:
    """The segment of a line without its utterance; times are rounded to 100 ns.

    So a segment's end equals its successor's start.

    Raises DataError where it is malformed.
    """
    try:
        _, start, duration, label = value.split()
        segment = Segment(round(float(start), 7), round(float(start) + float(duration), 7), label)
        if math.isfinite(segment.end):
            return segment
    except ValueError:
        pass
    raise DataError("malformed line, 'utt 1 start duration label' is needed", where)


def read_ctm(path: str | os.PathLike) -> Packed[Sequence[Segment]]:
    """Reads a CTM to ``{utt: (Segment, ...)}`` in file order; raises as :func:`parse_segment`."""
    table: Packed[Sequence[Segment]] = Packed()
    lines = table_lines(path, repeats=True, ids=False)
    for utt, own in itertools.groupby(lines, key=lambda line: line[1]):
        rows = [parse_segment(value, f"{path}:{number}") for number, _, value in own]
        table[utt] = (*table.get(utt, ()), *rows)
    return table


def write_ctm(path: str | os.PathLike, table: Mapping[str, Iterable[Segment]]) -> None:
    """Writes a CTM sorted by utterance, with seven decimals, atomically."""
    write_lines(path, (ctm_lines(utt, table[utt]) for utt in sorted(table, key=str.encode)))


def ctm_lines(utt: str, segments: Iterable[Segment]) -> str:
    """One utterance's lines in a CTM."""
    # The difference of the rounded times, so that neighbours stay neighbours.
    lengths = [(start, round(end, 7) - round(start, 7), label) for start, end, label in segments]
    return "".join(f"{utt} 1 {start:.7f} {length:.7f} {label}\n" for start, length, label in lengths)
