"""Label boundaries that stand in the wrong order."""

from collections.abc import Sequence

from nnsvs_lite.io.ctm import Segment

MOST = 0.5
"""Seconds by which sung boundaries may be crossed; more is no slip of the hand."""


def uncross(rows: Sequence[Segment], remarks: list[str]) -> list[Segment]:
    """Labels of which each begins where the one before ends, with boundaries that run backwards put in order.

    Where a file is contiguous and a label ends before it begins, two boundaries have changed places: which of
    them slipped is not known, and in order both are off by no more than they were apart. What is not
    contiguous there is left to :func:`nnsvs_lite.corpus.labels.reconcile`. Each mended label is remarked.
    """
    result = list(rows)
    for i, (start, end, name) in enumerate(result):
        chained = (i == 0 or result[i - 1].end == start) and (
            i + 1 == len(result) or result[i + 1].start == end
        )
        fits = (i == 0 or end >= result[i - 1].start) and (i + 1 == len(result) or start <= result[i + 1].end)
        if end >= start or not chained or not fits or start - end > MOST:
            continue
        result[i] = Segment(end, start, name)
        if i:
            result[i - 1] = result[i - 1]._replace(end=end)
        if i + 1 < len(result):
            result[i + 1] = result[i + 1]._replace(start=start)
        remarks.append(
            f"label {i + 1} ({name!r}) ends at {end:.4f} s before it begins at {start:.4f} s:"
            " its boundaries were put in order"
        )
    return result
