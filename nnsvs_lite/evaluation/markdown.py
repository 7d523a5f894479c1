"""``RESULTS.md``: command, models, tables, definitions. The same results give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnsvs_lite.evaluation.experiments import Experiment
from nnsvs_lite.evaluation.gains import Gain
from nnsvs_lite.evaluation.measures import PREFIXES, Measure, group
from nnsvs_lite.evaluation.results import FLOOR, REFERENCES, Row, against_floor, order_rows


@dataclass(frozen=True)
class Setup:
    """What a table is about.

    Attributes:
        title: heading.
        command: how to make it again.
        commit: of the repository, empty if unknown.
        set_name: name of the scored set. dump: folder of its features.
        n_utts: utterances in the set.
        seconds: length of its recordings.
    """

    title: str
    command: str
    commit: str
    set_name: str
    dump: str
    n_utts: int
    seconds: float


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _measure_table(rows: Mapping[str, Row], measures: Sequence[Measure], count: bool) -> list[str]:
    used = [m for m in measures if any(row.value(m) is not None for row in rows.values())]
    if not used:
        return []
    head = ["system", *(m.heading for m in used)] + (["utterances"] if count else [])
    body = []
    for name in order_rows(rows):
        row = rows[name]
        cells = [m.show(row.value(m)) for m in used]
        if any(cell != "–" for cell in cells) or count:
            body.append([name, *cells] + ([str(len(row.outcomes))] if count else []))
    return _table(head, body)


def show_gain(gain: Gain) -> list[str]:
    """Cells: measure, model, floor, difference with per cent, its interval, verdict."""
    measure = gain.measure
    percent = "" if gain.relative is None else f" ({100 * gain.relative:+.0f} %)"
    return [
        measure.heading,
        measure.show(gain.value),
        measure.show(gain.floor),
        measure.show_signed(gain.absolute) + percent,
        "–" if gain.interval is None else " to ".join(map(measure.show_signed, gain.interval)),
        gain.verdict,
    ]


def render(setup: Setup, rows: Mapping[str, Row], experiments: Sequence[Experiment]) -> str:
    """The whole file as text. No date and no running time is in it, so that it can be compared."""
    lines = [f"# {setup.title}", ""]
    lines += ["Made by", "", f"    {setup.command}", ""]
    if setup.commit:
        lines += [f"at commit {setup.commit}.", ""]
    failed = [(name, utt, why) for name in order_rows(rows) for utt, why in rows[name].failed]
    if failed:
        lines += [f"**{len(failed)} utterances could not be scored; their rows are incomplete:**", ""]
        lines += [f"- {name}, {utt}: {why}" for name, utt, why in failed] + [""]
    if experiments:
        table = [
            [e.kind, f"`{e.class_path}`" if e.class_path else "–", _count(e.parameters)] for e in experiments
        ]
        lines += ["## Models", "", *_table(["part", "class", "parameters"], table), ""]
    lines += [
        f"## Scores on `{setup.set_name}`",
        "",
        f"{setup.n_utts} utterances, {setup.seconds:.1f} s, features of `{setup.dump}`. "
        "Small is good in every column.",
        "",
        *_measure_table(rows, group("main"), count=True),
        "",
    ]
    lines += [f"- `{name}`: {REFERENCES[name]}" for name in order_rows(rows) if name in REFERENCES]
    lines += _against_floor(rows)
    truth = _measure_table(rows, group("truth"), count=False)
    if truth:
        lines += ["", "## Against what the virtual singer meant", "", *truth]
    lines += ["", "## More metrics", "", *_measure_table(rows, group("more"), count=False)]
    espnet = _measure_table(rows, group("espnet"), count=False)
    if espnet:
        lines += ["", "## As ESPnet measures", "", *espnet]
    lines += ["", *_definitions(rows)]
    return "\n".join(lines).rstrip() + "\n"


def _count(parameters: int | None) -> str:
    return "–" if parameters is None else f"{parameters:,}"


def _against_floor(rows: Mapping[str, Row]) -> list[str]:
    lines: list[str] = []
    for name, found in against_floor(rows):
        head = ["metric", name, FLOOR, f"{name} better by", "95 % interval", "verdict"]
        lines += ["", f"## `{name}` against the floor", "", *_table(head, [show_gain(g) for g in found])]
    return lines


def _definitions(rows: Mapping[str, Row]) -> list[str]:
    lines = [
        "## How it is measured",
        "",
        "Every system is scored by its waveform, analysed again with the feature configuration of the "
        "dump (nothing corrected by the score), so that all rows are comparable. Frames are compared at "
        "equal times: no DTW, over the shorter length. Numbers pool the frames, notes or phones of all "
        "utterances. Intervals: 95 %, 1,000 paired bootstrap draws over utterances.",
        "",
    ]
    for name in ("main", "truth", "more", "espnet"):
        used = [m for m in group(name) if any(row.value(m) is not None for row in rows.values())]
        prefix = PREFIXES.get(name, "")
        lines += [f"- **{prefix}{m.label}**: {m.definition}." for m in used]
    return lines
