"""The results page: one HTML file to look at and listen to, with nothing loaded from anywhere."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnsvs_lite.evaluation import media, plots
from nnsvs_lite.evaluation.evaluate import git_commit
from nnsvs_lite.evaluation.experiments import Experiment, read_experiment
from nnsvs_lite.evaluation.measures import BY_KEY, MEASURES, PREFIXES, Measure, group
from nnsvs_lite.evaluation.phrases import Material, build_phrase, utterance_rows
from nnsvs_lite.evaluation.reference import Reference
from nnsvs_lite.evaluation.results import REFERENCES, order_rows
from nnsvs_lite.evaluation.scoring import NATURAL
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.atomic import read_json, write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.stagelog import versions
from nnsvs_lite.io.tables import FeatureReader

if TYPE_CHECKING:
    import jinja2

LAYOUT = 5
"""Number of the layout; raised whenever the same results would give another page."""

COMPRESSIONS = {0.35: 60, 0.7: 34, 0.99: 24}
"""How tightly sound is packed, and about how many kbit/s it then has at 24 kHz.

Tried in this order until the page is small enough.
"""


def packing_note(compression: float) -> str:
    """A warning where sound is packed so tightly that it can be heard; else empty."""
    rate = COMPRESSIONS[compression]
    if rate >= 60:
        return ""
    return (
        f"To keep this page small its sound is packed tightly (MP3, about {rate} kbit/s): do not judge fine "
        "differences of timbre by it."
    )


@dataclass(frozen=True)
class PageOptions:
    """What goes on the page.

    Attributes:
        results: ``results.json``; ``scored/`` lies beside it.
        out: the HTML file.
        systems, experiments, data: as when scoring; taken from there where not given.
        megabytes: bound on the size of the file.
    """

    results: Path
    out: Path
    systems: Mapping[str, Path] = field(default_factory=dict)
    experiments: Mapping[str, Path] = field(default_factory=dict)
    data: Path | None = None
    megabytes: float = 30.0


class Sources:
    """Opens everything that the page is made of.

    Raises:
        DataError: where results, dump or a decode folder is missing.
    """

    def __init__(self, options: PageOptions):
        self.results: dict[str, Any] = read_json(options.results)
        self.scored = options.results.parent / "scored"
        details = read_json(self.scored / "utterances.json")
        try:
            self.setup: dict[str, Any] = details["setup"]
            self.values: dict[str, dict[str, dict[str, float | None]]] = details["systems"]
            self.comparisons: dict[str, list[dict[str, Any]]] = details["comparisons"]
            named = self.setup["systems"]
            dump, set_name = self.setup["dump"], self.setup["set"]
        except (KeyError, TypeError):
            raise DataError("not made by nnsvs-lite evaluate", self.scored / "utterances.json") from None
        paths = {**{name: Path(path) for name, path in named.items()}, **options.systems}
        self.reference = Reference(dump, set_name)
        self.systems = {name: System(name, path) for name, path in paths.items()}
        folders = {kind: Path(path) for kind, path in self.setup.get("experiments", {}).items()}
        self.experiment_paths = {**folders, **options.experiments}
        data = options.data or (self.setup["data"] and Path(self.setup["data"]))
        self.data = None
        if data:
            from nnsvs_lite.corpus.datadir import DataDir

            self.data = DataDir.read(data)
        self.f0 = {
            name: FeatureReader(self.scored / name / "f0.scp")
            for name in self.results
            if (self.scored / name / "f0.scp").exists()
        }

    @property
    def order(self) -> list[str]:
        """Systems with the recording, as they are shown: the recording first."""
        rows = [name for name in order_rows(self.results) if name != NATURAL]
        return ([NATURAL] if NATURAL in self.results else []) + rows

    def inputs(self, options: PageOptions) -> list[Path]:
        """All files that decide the page."""
        files = [options.results, self.scored, self.reference.path]
        for system in self.systems.values():
            files += system.inputs
        for path in self.experiment_paths.values():
            files += [path / name for name in ("config.yaml", "losses.jsonl", "model.pt")]
        if self.data is not None:
            files += [self.data.path, *sorted(set(self.data.wavs.values()))]
        return files

    @property
    def material(self) -> Material:
        """What the phrases are shown from."""
        return Material(self.reference, self.order, self.systems, self.values, self.f0, self.data)


def _charts(experiment: Experiment) -> list[str]:
    """A plot for each loss, training and dev set together."""
    by_loss: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, points in experiment.curves.items():
        head, _, loss = name.rpartition(" ")
        by_loss.setdefault(loss, {})[head or loss] = points
    charts = []
    for loss in sorted(by_loss, key=lambda loss: loss != "loss"):
        # Training first, so that it has the same colour in every plot.
        lines = dict(sorted(by_loss[loss].items(), key=lambda item: item[0] != "train"))
        charts.append(plots.loss_chart(loss, lines))
    return [chart for chart in charts if chart]


def _summary(sources: Sources, measures: Sequence[Measure]) -> dict[str, Any]:
    """Heading and rows of a table over systems; the best of each column is marked."""
    used = [m for m in measures if any(row.get(m.key) is not None for row in sources.results.values())]
    rows = []
    for name in order_rows(sources.results):
        row = sources.results[name]
        cells = []
        for measure in used:
            value, interval = row.get(measure.key), row.get(f"{measure.key}_ci")
            hint = measure.show_interval(interval)
            cells.append({"text": measure.show(value), "hint": hint})
        rtf = row.get("rtf")
        rows.append(
            {
                "name": name,
                "about": REFERENCES.get(name, ""),
                "cells": cells,
                "n_utts": row["n_utts"],
                "failed": len(row["failed"]),
                "rtf": "–" if rtf is None else f"{rtf:.3f}",
            }
        )
    return {"measures": used, "rows": [row for row in rows if any(c["text"] != "–" for c in row["cells"])]}


def _comparisons(sources: Sources) -> list[dict[str, Any]]:
    tables = []
    for name, gains in sources.comparisons.items():
        rows = []
        for gain in gains:
            measure = BY_KEY[gain["key"]]
            percent, interval = gain["relative"], gain["interval"]
            rows.append(
                {
                    "measure": measure.heading,
                    "value": measure.show(gain["value"]),
                    "floor": measure.show(gain["floor"]),
                    "better": measure.show_signed(gain["absolute"]),
                    "percent": "" if percent is None else f"{100 * percent:+.0f} %",
                    "interval": "–" if interval is None else " to ".join(map(measure.show_signed, interval)),
                    "verdict": gain["verdict"],
                }
            )
        tables.append({"name": name, "rows": rows})
    return tables


def environment() -> dict[str, str]:
    """Where the page was made: commit, machine, versions."""
    commit = git_commit(Path.cwd())
    machine = {"machine": f"{platform.platform()}, {os.cpu_count()} CPUs"}
    return ({"commit": commit} if commit else {}) | machine | versions()


def templates() -> jinja2.Environment:
    """Where the templates of all pages are."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("nnsvs_lite.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_bounded(out: Path, megabytes: float, render: Callable[[float], str]) -> None:
    """Writes a page, its sound packed the tighter the more there is.

    Args:
        render: from how much sound is packed, 0 to 1, to the page's text.

    Raises:
        DataError: where even the tightest page is larger than ``megabytes``.
    """
    for compression in COMPRESSIONS:
        text = render(compression)
        size = len(text.encode())
        if size <= megabytes * 1e6:
            write_text(out, text)
            return
    raise DataError(
        f"the page would have {size / 1e6:.1f} MB, the limit is {megabytes:g}: show fewer "
        "phrases, or raise --megabytes",
        out,
    )


def render(options: PageOptions, sources: Sources, compression: float) -> str:
    """The page as text."""
    import yaml

    material = sources.material
    measures = group("main")
    experiments = [read_experiment(kind, path) for kind, path in sources.experiment_paths.items()]
    config = yaml.safe_dump(sources.reference.spec.feature_config.to_dict(), sort_keys=False)
    failed = [
        {"system": name, **row}
        for name in order_rows(sources.results)
        for row in sources.results[name]["failed"]
    ]
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            title=sources.setup["title"],
            command=sources.setup["command"],
            set_name=sources.setup["set"],
            order=sources.order,
            descriptions=REFERENCES,
            failed=failed,
            summary=_summary(sources, measures),
            truth=_summary(sources, group("truth")),
            more=_summary(sources, group("more")),
            comparisons=_comparisons(sources),
            definitions=[m for m in MEASURES if any(m.key in row for row in sources.results.values())],
            measures=measures,
            rows=utterance_rows(
                sources.reference.utts, sources.order, sources.values, [m.key for m in measures]
            ),
            phrases=(build_phrase(material, utt, compression) for utt in sources.reference.utts),
            heard=sources.reference.utts,
            n_phrases=len(sources.reference.utts),
            packing=packing_note(compression),
            colour_bar=plots.colour_bar(media.palette()),
            espnet=_summary(sources, group("espnet")),
            prefixes=PREFIXES,
            experiments=[{"about": e, "charts": _charts(e)} for e in experiments],
            feature_config=config,
            environment=environment(),
            left=plots.LEFT,
            lang=sources.reference.spec.codes[0],
        )
    )


def build_page(options: PageOptions) -> bool:
    """Writes the page; returns False where it was up to date.

    Raises:
        DataError: where something it is made of is missing, or it cannot be made
            smaller than ``megabytes``.
    """
    sources = Sources(options)
    settings = {
        "layout": LAYOUT,
        "systems": {name: os.fspath(system.path) for name, system in sources.systems.items()},
        "size": options.megabytes,
    }
    done = Done(options.out.parent, f"report.{options.out.stem}", sources.inputs(options), settings)
    if done.is_current():
        return False
    done.clear()
    write_bounded(options.out, options.megabytes, lambda packed: render(options, sources, packed))
    done.set([options.out])
    return True
