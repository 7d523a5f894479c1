"""Comparisons for papers and for other programs: a table in LaTeX, and all numbers as CSV."""

import csv
import io

from nnsvs_lite.evaluation.measures import Measure
from nnsvs_lite.io.errors import printable
from nnsvs_lite.report.comparison import Comparison

COLUMNS = ("system", "measure", "unit", "mean", "spread", "low", "high", "seeds", "utterances")
"""Of the CSV: ``spread`` is the standard deviation between seeds, ``low`` and ``high`` the 95 % interval."""
_ESCAPES = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
}


def escape(text: str) -> str:
    """Text as LaTeX that shows it and does nothing else."""
    return "".join(_ESCAPES.get(letter, letter) for letter in printable(text))


def _heading(measure: Measure) -> str:
    lines = r" \\ ".join(map(escape, measure.heading.split()))
    return rf"\shortstack{{{lines}}}"


def _row(*cells: str) -> str:
    return f"    {' & '.join(cells)} \\\\"


def latex_table(comparison: Comparison) -> str:
    r"""The main numbers as a ``table`` of plain LaTeX, to be ``\input``: no package is needed.

    Numbers are means over seeds; below each, where there are several, is the standard deviation between them.
    """
    measures, rows = comparison.numbers("main")
    utterances = f"{len(comparison.utts)} utterances."
    spread = r" Means over seeds $\pm$ standard deviation between them." if comparison.has_seeds else ""
    lines = [
        r"\begin{table}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{2.5pt}",
        rf"  \caption{{Objective measures on {utterances}{spread}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(measures) + 1)}}}",
        r"    \hline",
        _row("system", "seeds", *map(_heading, measures)),
        r"    \hline",
    ]
    for name, cells in rows:
        pairs = list(zip(measures, cells))
        numbers = [f"${m.show(found.value)}$" if found else "--" for m, found in pairs]
        lines.append(_row(escape(name), str(len(comparison.runs[name])), *numbers))
        if len(comparison.runs[name]) > 1:
            shown = [m.show(found.spread) if found else "" for m, found in pairs]
            lines.append(_row("", "", *(rf"\scriptsize$\pm{spread}$" if spread else "" for spread in shown)))
    return "\n".join([*lines, r"    \hline", r"  \end{tabular}", r"\end{table}"]) + "\n"


def csv_table(comparison: Comparison) -> str:
    """Every number as CSV, a system and a measure a row, in the unit of the row (shares in per cent)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in comparison.runs:
        for measure in comparison.measures():
            found = comparison.estimate(name, measure)
            if found is None:
                continue
            ends = found.interval or (None, None)
            numbers = [
                "" if x is None else f"{x * measure.factor:.8g}" for x in (found.value, found.spread, *ends)
            ]
            writer.writerow([name, measure.key, measure.unit, *numbers, found.seeds, found.utterances])
    return out.getvalue()
