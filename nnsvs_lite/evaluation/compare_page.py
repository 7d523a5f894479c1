"""The page of comparisons: numbers with intervals, differences, and each phrase from all systems."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnsvs_lite.evaluation import media, plots
from nnsvs_lite.evaluation.compare import Comparison, Run
from nnsvs_lite.evaluation.gains import Gain
from nnsvs_lite.evaluation.measures import MEASURES, PREFIXES, Measure
from nnsvs_lite.evaluation.page import environment, packing_note, templates, write_bounded
from nnsvs_lite.evaluation.phrases import Material, build_phrase, utterance_rows
from nnsvs_lite.evaluation.reference import Reference
from nnsvs_lite.evaluation.results import REFERENCES
from nnsvs_lite.evaluation.scoring import NATURAL
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader


@dataclass(frozen=True)
class CompareOptions:
    """What goes on the page.

    Attributes:
        out: the HTML file. title: its heading. command: stated on it.
        phrases: how many can be heard, spread over the set; all where None.
        megabytes: bound on its size.
    """

    out: Path
    title: str = "Comparison"
    command: str = ""
    phrases: int | None = None
    megabytes: float = 30.0


def _setup(run: Run) -> dict[str, Any] | None:
    """How a run was scored, with paths that open from here; None where that is not known."""
    path = run.results.parent / "scored" / "utterances.json"
    if not path.exists():
        return None
    setup = read_json(path).get("setup")
    if not isinstance(setup, dict) or not {"dump", "set", "systems"} <= setup.keys():
        raise DataError("not made by nnsvs-lite evaluate", path)
    # Paths were written from the recipe's folder, which lies somewhere above the results.
    for root in (Path(), *run.results.resolve().parents):
        if (root / setup["dump"] / "schema.json").exists():
            break
    else:
        return None
    systems = {name: root / place for name, place in setup["systems"].items()}
    data = None if setup.get("data") is None else root / setup["data"]
    return {"dump": root / setup["dump"], "set": setup["set"], "systems": systems, "data": data}


def gather(comparison: Comparison) -> tuple[Material | None, list[str]]:
    """Sounds and curves of all systems, of several seeds the first, and what could not be found."""
    setups = {name: _setup(runs[0]) for name, runs in comparison.runs.items()}
    known = {name: setup for name, setup in setups.items() if setup is not None}
    notes = [
        f"{name}: its recordings were not found, so it cannot be heard."
        for name in setups
        if name not in known
    ]
    if not known:
        return None, ["No sounds were found: the dump and decode folders that were scored are not here."]
    first = next(iter(known.values()))
    systems, f0 = {}, {}
    for name, setup in known.items():
        run = comparison.runs[name][0]
        place = setup["systems"].get(run.system)
        if place is not None:
            try:
                systems[name] = System(name, place)
            except DataError as error:
                notes.append(f"{name} cannot be heard: {error}")
        scp = run.results.parent / "scored" / run.system / "f0.scp"
        if scp.exists():
            f0[name] = FeatureReader(scp)
    data = None
    if first["data"] is not None and first["data"].is_dir():
        from nnsvs_lite.corpus.datadir import DataDir

        data = DataDir.read(first["data"])
    heard = [name for name in comparison.runs if name in systems]
    order = [NATURAL, *heard] if NATURAL in comparison.runs and data is not None else heard
    reference = Reference(first["dump"], first["set"])
    lacking = [utt for utt in comparison.utts if utt not in reference.utts]
    if lacking:
        return None, [*notes, f"The dump {first['dump']} lacks {lacking[0]}, so nothing can be heard."]
    return Material(reference, order, systems, comparison.values, f0, data), notes


def _scores(comparison: Comparison, measures: Sequence[Measure]) -> dict[str, Any]:
    rows = []
    for name, runs in comparison.runs.items():
        cells = []
        for measure in measures:
            found = comparison.estimate(name, measure)
            pair = None if found is None else found.interval
            spread = None if found is None else found.spread
            cells.append(
                {
                    "text": measure.show(None if found is None else found.value),
                    "interval": measure.show_interval(pair),
                    "spread": "" if spread is None else measure.show(spread),
                }
            )
        if any(cell["text"] != "–" for cell in cells):
            rows.append({"name": name, "about": REFERENCES.get(name, ""), "cells": cells, "seeds": len(runs)})
    return {"measures": measures, "rows": rows}


def _mood(found: Gain) -> str:
    if found.verdict == "equal" or "chance" in found.verdict:
        return "chance"
    return "good" if found.absolute > 0 else "bad"


def _gains(comparison: Comparison, group_name: str) -> dict[str, Any]:
    measures = comparison.gain_measures(group_name)
    rows = []
    for name in comparison.compared:
        cells = []
        for measure in measures:
            found = comparison.gain(name, measure)
            if found is None:
                cells.append({"text": "–", "interval": "", "mood": "", "verdict": ""})
                continue
            pair = found.interval
            cells.append(
                {
                    "text": measure.show_signed(found.absolute),
                    "interval": "" if pair is None else " to ".join(map(measure.show_signed, pair)),
                    "mood": _mood(found),
                    "verdict": found.verdict,
                }
            )
        if any(cell["text"] != "–" for cell in cells):
            rows.append({"name": name, "cells": cells})
    return {"measures": measures, "rows": rows}


def _charts(comparison: Comparison) -> list[str]:
    charts = []
    for measure in comparison.measures():
        rows = []
        for name in comparison.runs:
            found = comparison.estimate(name, measure)
            if found is not None:
                pair = found.interval
                scaled = None if pair is None else (pair[0] * measure.factor, pair[1] * measure.factor)
                rows.append((name, found.value * measure.factor, scaled))
        charts.append(plots.intervals(measure.heading, rows, comparison.baseline))
    return [chart for chart in charts if chart]


def spread(utts: Sequence[str], count: int | None) -> list[str]:
    """``count`` of the utterances, evenly spread, the first among them; all where ``count`` is None."""
    if count is None or count >= len(utts):
        return list(utts)
    return [utts[i * len(utts) // count] for i in range(count)]


def build_comparison(comparison: Comparison, options: CompareOptions) -> None:
    """Writes the page.

    Raises:
        DataError: where a dump or table is damaged, or the page cannot be made smaller than
            ``megabytes``.
    """
    material, missing = gather(comparison)
    measures = comparison.measures()
    used = [m for name in ("main", "truth", "more", "espnet") for m in comparison.measures(name)]
    keys = [measure.key for measure in measures]
    common = {
        "title": options.title,
        "command": options.command,
        "notes": [*comparison.notes, *missing],
        "n_phrases": len(comparison.utts),
        "systems": list(comparison.runs),
        "baseline": comparison.baseline,
        "seeds": any(len(runs) > 1 for runs in comparison.runs.values()),
        "scores": _scores(comparison, measures),
        "gains": _gains(comparison, "main"),
        "truth": _scores(comparison, comparison.measures("truth")),
        "espnet": _scores(comparison, comparison.measures("espnet")),
        "more": _scores(comparison, comparison.measures("more")),
        "more_gains": _gains(comparison, "more"),
        "definitions": [measure for measure in MEASURES if measure in used],
        "prefixes": PREFIXES,
        "charts": _charts(comparison),
        "measures": measures,
        "rows": utterance_rows(comparison.utts, list(comparison.runs), comparison.values, keys),
        "sources": {name: [os.fspath(run.results) for run in runs] for name, runs in comparison.runs.items()},
        "environment": environment(),
        "colour_bar": plots.colour_bar(media.palette()),
        "left": plots.LEFT,
        "lang": material.reference.spec.codes[0] if material else "",
        "order": list(material.order) if material else [],
    }
    template = templates().get_template("compare.html.j2")
    heard = spread(comparison.utts, options.phrases) if material else []

    def render(compression: float) -> str:
        phrases = (build_phrase(material, utt, compression) for utt in heard) if material else ()
        return template.render(**common, heard=heard, phrases=phrases, packing=packing_note(compression))

    write_bounded(options.out, options.megabytes, render)
