"""Alignments against labels that are known: onset errors and their figures."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nnsvs_lite.io.ctm import Segment

PUBLISHED = {
    "Montreal Forced Aligner on singing": 0.403,
    "aligner made for singing, first": 0.209,
    "aligner made for singing, second": 0.186,
}
"""Published boundary error rates at 20 ms, measured on other singing data."""


class OnsetError(NamedTuple):
    """One onset found, against the reference: ``error`` seconds, positive where it is late."""

    utt: str
    before: str
    phone: str
    time: float
    error: float


def onset_errors(utt: str, found: Sequence[Segment], reference: Sequence[Segment]) -> list[OnsetError]:
    """Errors of all onsets that both have; the onset of the first label is 0 by definition.

    Where the phones differ, as with a breath that only one of both has, the longest
    common blocks are compared.
    """
    mine, theirs = [s.label for s in found], [s.label for s in reference]
    if mine == theirs:
        pairs = [(i, i) for i in range(len(mine))]
    else:
        blocks = difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
        pairs = [(b.a + k, b.b + k) for b in blocks for k in range(b.size)]
    return [
        OnsetError(
            utt, theirs[j - 1], theirs[j], reference[j].start, round(found[i].start - reference[j].start, 7)
        )
        for i, j in pairs
        if i and j
    ]


def figures(errors: Iterable[OnsetError]) -> dict[str, float] | None:
    """``n_onsets``, ``median_ms``, ``mean_ms``, ``bias_ms`` and the shares within 20 and 50 ms.

    The median and the mean are of absolute errors, the bias is the median with its
    sign. None where there is no onset to compare.
    """
    seconds = np.array([e.error for e in errors])
    if not len(seconds):
        return None
    size = np.round(np.abs(seconds), 6)
    return {
        "n_onsets": len(seconds),
        "median_ms": round(1e3 * float(np.median(size)), 2),
        "mean_ms": round(1e3 * float(size.mean()), 2),
        "bias_ms": round(1e3 * float(np.median(seconds)), 2),
        "within_20ms": round(float((size <= 0.02).mean()), 4),
        "within_50ms": round(float((size <= 0.05).mean()), 4),
    }


def table(rows: Mapping[str, Mapping[str, float] | None]) -> str:
    """Figures as a table of text, one row a name; names without figures are left out."""
    lines = [f"{'':<12} {'onsets':>7} {'median':>8} {'mean':>8} {'bias':>8} {'<=20 ms':>8} {'<=50 ms':>8}"]
    for name, row in rows.items():
        if row:
            lines.append(
                f"{name:<12} {row['n_onsets']:>7} {row['median_ms']:>5.1f} ms {row['mean_ms']:>5.1f} ms "
                f"{row['bias_ms']:>+5.1f} ms {row['within_20ms']:>8.1%} {row['within_50ms']:>8.1%}"
            )
    return "\n".join(lines)
