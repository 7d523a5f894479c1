"""Comparisons as text: ``RESULTS.md``, and the tables on standard output. Equal results give equal bytes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from nnsvs_lite.evaluation.intervals import Estimate, Gain
from nnsvs_lite.evaluation.measures import PREFIXES, Measure
from nnsvs_lite.evaluation.results import FLOOR, REFERENCES
from nnsvs_lite.io.errors import printable
from nnsvs_lite.report.comparison import Comparison
from nnsvs_lite.report.experiments import Experiment

HOW = """\
## How it is measured

Every system is scored by its waveform, analysed again with the feature configuration of the dump (nothing
corrected by the score), so that all rows are comparable. Frames are compared at equal times: no DTW, over the
shorter length. Numbers pool the frames, notes or phones of all utterances. Intervals: 95 %, 1,000 paired
bootstrap draws over utterances.
"""


LIVELY = (
    "A lively voice has the values of the recording itself, natural; of distances and errors, lower is "
    "better, but they are least for a frozen mean: read both."
)


def safe(text: str) -> str:
    """A name or message from outside as Markdown that shows it and does nothing else."""
    return printable(text, "|<`*[]")


def show(measure: Measure, found: Estimate | None) -> str:
    """A number, its deviation between seeds, its interval: ``4.32 ± 0.03 [4.10, 4.55]``, as far as known."""
    if found is None:
        return measure.show(None)
    spread = "" if found.spread is None else f" ± {measure.show(found.spread)}"
    ends = "" if found.interval is None else f" [{', '.join(map(measure.show, found.interval))}]"
    return f"{measure.show(found.value)}{spread}{ends}"


def show_difference(found: Gain | None) -> str:
    """A difference with its interval, ``+0.75 [+0.57, +0.94]``."""
    if found is None:
        return "–"
    signed = found.measure.show_signed
    ends = "" if found.interval is None else f" [{', '.join(map(signed, found.interval))}]"
    return signed(found.absolute) + ends


def aligned(table: Sequence[Sequence[str]], line: str = "{}", joint: str = "  ") -> list[str]:
    """Rows of a table with columns of one width, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table)]
    return [
        line.format(joint.join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))))
        for row in table
    ]


def _aligned_table(table: Sequence[Sequence[str]]) -> list[str]:
    lines = aligned(table, "| {} |", " | ")
    first, *others = ("-" * (len(cell) - 3) for cell in lines[0].split("|")[1:-1])
    return [lines[0], f"| {' | '.join([f':{first}', *(f'{rule}:' for rule in others)])} |", *lines[1:]]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return [lines[0], "|---|" + "---:|" * (len(head) - 1), *lines[1:]]


def comparison_tables(comparison: Comparison) -> str:
    """Numbers and differences as Markdown that also reads well as plain text."""
    measures, rows = comparison.numbers("main")
    table = [["system", "seeds", *(m.heading for m in measures)]]
    table += [
        [safe(name), str(len(comparison.runs[name])), *map(show, measures, cells)] for name, cells in rows
    ]
    lines = [f"{len(comparison.utts)} utterances; in brackets 95 % intervals.", "", *_aligned_table(table)]
    measures, rows = comparison.gains("main")
    if rows:
        table = [[f"better than {safe(comparison.baseline)} by", *(m.heading for m in measures)]]
        table += [[safe(name), *map(show_difference, cells)] for name, cells in rows]
        lines += ["", *_aligned_table(table)]
    if table := _liveliness(comparison, lambda m, name: show(m, comparison.estimate(name, m))):
        lines += ["", *table, "", LIVELY]
    return "\n".join([*lines, *(f"\n{safe(note)}" for note in comparison.notes)]) + "\n"


def summary(comparison: Comparison) -> list[str]:
    """The main table of what was scored together as aligned text."""
    return aligned(_numbers(comparison, "main"))


def _numbers(comparison: Comparison, group: str) -> list[list[str]]:
    """Numbers without intervals, heading first; with counts of utterances for the main group."""
    measures, count = comparison.measures(group), group == "main"
    table = [["system", *(m.heading for m in measures)] + ["utterances"] * count]
    for name, (run, *_) in comparison.runs.items():
        values = [run.value(measure) for measure in measures]
        if count or any(value is not None for value in values):
            cells = [measure.show(value) for measure, value in zip(measures, values)]
            table.append([safe(name), *cells] + [str(len(run.utts))] * count)
    return table


def _by_voice(comparison: Comparison, voices: Mapping[tuple[str, str], Collection[str]]) -> list[str]:
    """The main numbers of models for each singer and language; empty where there is but one of these."""
    if len(voices) < 2:
        return []
    measures = comparison.measures("main")
    rows = []
    for name in comparison.models or comparison.runs:
        for voice, utts in voices.items():
            run = comparison.runs[name][0].of(utts)
            cells = [measure.show(run.value(measure)) for measure in measures]
            rows.append([*map(safe, (name, *voice)), *cells, str(len(run.utts))])
    head = ["system", "singer", "language", *(m.heading for m in measures), "utterances"]
    return markdown_table(head, rows)


def _liveliness(comparison: Comparison, cell: Callable[[Measure, str], str]) -> list[str]:
    """A measure a row and a system a column, as there are many measures; empty where there is none."""
    measures = comparison.measures("life")
    names = [n for n, runs in comparison.runs.items() if any(runs[0].value(m) is not None for m in measures)]
    rows = [[m.heading, *(cell(m, name) for name in names)] for m in measures]
    return _aligned_table([["measure", *map(safe, names)], *rows]) if rows else []


def _gain_cells(found: Gain) -> list[str]:
    measure = found.measure
    percent = "" if found.relative is None else f" ({100 * found.relative:+.0f} %)"
    return [
        measure.heading,
        measure.show(found.value),
        measure.show(found.floor),
        measure.show_signed(found.absolute) + percent,
        "–" if found.interval is None else " to ".join(map(measure.show_signed, found.interval)),
        found.verdict,
    ]


def _trained(told: Mapping[str, Any]) -> str:
    """What trained a model, in a line."""
    words = [f"`{safe(str(told.get('config')))}` trained with seed {safe(str(told.get('seed')))}"]
    if options := told.get("options"):
        words.append(f"`{safe(' '.join(map(str, options)))}`")
    if told.get("init"):
        words.append(f"from the weights of `{safe(str(told['init']))}`")
    commit = told.get("commit")
    return ", ".join(words) + (f", at commit {safe(str(commit))}" if commit else "")


def told_vocoders(vocoders: Mapping[str, str]) -> list[str]:
    """What made the waveforms of systems, as far as it is known: a line for each vocoder."""
    known: dict[str, list[str]] = {}
    for name, vocoder in vocoders.items():
        known.setdefault(vocoder, []).append(name)
    return [f"Vocoder of {', '.join(names)}: {vocoder}" for vocoder, names in known.items() if vocoder]


def results_md(comparison: Comparison, experiments: Sequence[Experiment], setup: Mapping[str, Any]) -> str:
    """``RESULTS.md``: command, models, tables, definitions; no date and no running time, to be comparable.

    Args:
        setup: ``title``, ``command``, ``commit`` (empty if unknown), ``set``, ``dump``, ``n_utts``, and
            ``seconds`` of recordings; perhaps ``vocoders`` by system, ``provenance``, lines on the set, and
            ``voices``, see :attr:`nnsvs_lite.evaluation.reference.Reference.voices`.
    """
    lines = [f"# {safe(setup['title'])}", "", "Made by", "", f"    {printable(setup['command'])}", ""]
    if setup["commit"]:
        lines += [f"scored at commit {setup['commit']}.", ""]
    failed = comparison.failed
    if failed:
        lines += [f"**{len(failed)} utterances could not be scored; their rows are incomplete:**", ""]
        lines += [f"- {', '.join(map(safe, fault[:2]))}: {safe(fault[2])}" for fault in failed] + [""]
    if experiments:
        classes = [f"`{safe(e.class_path)}`" if e.class_path else "–" for e in experiments]
        sizes = ["–" if e.parameters is None else f"{e.parameters:,}" for e in experiments]
        rows = zip((safe(e.kind) for e in experiments), classes, sizes)
        lines += ["## Models", "", *markdown_table(["part", "class", "parameters"], rows), ""]
        lines += [f"- {safe(e.kind)}: {_trained(e.trained)}" for e in experiments if e.trained] + [""]
    sung = f"{setup['n_utts']} utterances, {setup['seconds']:.1f} s"
    about = f"{sung}, features of `{safe(setup['dump'])}`. Lower is better."
    about += "".join(f" {safe(line)}." for line in told_vocoders(setup.get("vocoders", {})))
    about += "".join(f" {safe(line)}." for line in setup.get("provenance", ()))
    head, *rows = _numbers(comparison, "main")
    lines += [f"## Scores on `{safe(setup['set'])}`", "", about, "", *markdown_table(head, rows), ""]
    lines += [f"- `{name}`: {REFERENCES[name]}" for name in comparison.runs if name in REFERENCES]
    if table := _by_voice(comparison, setup.get("voices", {})):
        lines += ["", "## By singer and language", "", *table]
    for name in comparison.models:
        found = [cell for _, cells in comparison.gains("main", names=[name])[1] for cell in cells if cell]
        if found:
            shown = safe(name)
            head = ["metric", shown, FLOOR, f"{shown} better by", "95 % interval", "verdict"]
            lines += [
                "",
                f"## `{shown}` against the floor",
                "",
                *markdown_table(head, map(_gain_cells, found)),
            ]
    if table := _liveliness(comparison, lambda m, name: m.show(comparison.runs[name][0].value(m))):
        lines += ["", "## Liveliness", "", LIVELY, "", *table]
    titles = {"truth": "Against what the virtual singer meant", "more": "More metrics"}
    for group, title in (titles | {"espnet": "As ESPnet measures"}).items():
        head, *rows = _numbers(comparison, group)
        if rows:
            lines += ["", f"## {title}", "", *markdown_table(head, rows)]
    lines += ["", HOW]
    for group in ("main", "life", "truth", "more", "espnet"):
        prefix = PREFIXES.get(group, "")
        lines += [f"- **{prefix}{m.label}**: {m.definition}." for m in comparison.measures(group)]
    return "\n".join(lines).rstrip() + "\n"
