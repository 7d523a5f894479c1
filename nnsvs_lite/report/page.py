"""The results page and the page of comparisons: one HTML file, with nothing loaded from anywhere."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnsvs_lite.evaluation.measures import BY_KEY, PREFIXES
from nnsvs_lite.evaluation.results import REFERENCES, read_results
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.stagelog import git_commit, versions
from nnsvs_lite.report import media, plots
from nnsvs_lite.report.comparison import Comparison, Grid, read_setup
from nnsvs_lite.report.experiments import Experiment, read_experiment
from nnsvs_lite.report.markdown import LIVELY, told_vocoders
from nnsvs_lite.report.phrases import PhraseSources, build_phrase, gather

LAYOUT = 8
"""Number of the layout; raised whenever the same results would give another page."""

COMPRESSIONS = {0.35: 60, 0.7: 34, 0.99: 24}
"""How tightly sound is packed, tried until the page is small enough, and about what kbit/s that is."""

SHOWN = ("mcd_db", "lf0_rmse_cents", "onset_mae_ms", "in_tune_cents")
"""Measures under a player."""


def packing_note(compression: float) -> str:
    """A warning where sound is packed so tightly that it can be heard; else empty."""
    rate = COMPRESSIONS[compression]
    note = f"To keep this page small its sound is packed tightly (MP3, about {rate} kbit/s)"
    return f"{note}: do not judge fine differences of timbre by it." if rate < 60 else ""


def loss_charts(experiment: Experiment) -> list[str]:
    """A plot for each loss, training and dev set together."""
    by_loss: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, points in experiment.curves.items():
        head, _, loss = name.rpartition(" ")
        by_loss.setdefault(loss, {})[head or loss] = points
    # The whole loss first; and training first, so that it has the same colour in every plot.
    return [
        plots.loss_chart(loss, dict(sorted(by_loss[loss].items(), key=lambda item: item[0] != "train")))
        for loss in sorted(by_loss, key=lambda loss: loss != "loss")
    ]


def interval_charts(numbers: Grid, baseline: str) -> list[str]:
    """A plot of all systems' intervals for each measure."""
    charts = []
    for i, measure in enumerate(numbers.measures):
        rows = []
        for name, cells in numbers.rows:
            if cells[i] is not None:
                ends = cells[i].interval and tuple(end * measure.factor for end in cells[i].interval)
                rows.append((name, cells[i].value * measure.factor, ends))
        charts.append(plots.intervals(measure.heading, rows, baseline))
    return charts


def environment() -> dict[str, str]:
    """Where the page was made: commit, machine, versions."""
    found = {"commit": git_commit(), "machine": f"{platform.platform()}, {os.cpu_count()} CPUs"}
    return {name: text for name, text in found.items() if text} | versions()


def spread(utts: Sequence[str], count: int | None) -> list[str]:
    """``count`` of the utterances, evenly spread, the first among them; all where ``count`` is None."""
    if count is None or count >= len(utts):
        return list(utts)
    return [utts[i * len(utts) // count] for i in range(count)]


def renderer(
    comparison: Comparison, sources: PhraseSources | None, heard: Sequence[str], **more: Any
) -> Callable[[float], str]:
    """Renders a page: from how tightly sound is packed, 0 to 1, to its text.

    Args:
        sources: where sounds are; None for a page without.
        heard: utterances that can be looked at and listened to.
        more: ``title``, ``command``, ``notes``, ``gains`` (group to grid) and ``report``: None for the page
            of comparisons, and for the results page the ``set``, ``experiments`` and ``features``.
    """
    import jinja2

    blocks = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    loader = jinja2.PackageLoader("nnsvs_lite.report")
    templates = jinja2.Environment(loader=loader, autoescape=True, **blocks)
    numbers = {name: comparison.numbers(name) for name in ("main", "life", "truth", "espnet", "more")}
    common = {
        "comparison": comparison,
        "numbers": numbers,
        "lively": LIVELY,
        "interval_charts": interval_charts(numbers["main"], comparison.baseline),
        "heard": heard,
        "shown": [BY_KEY[key] for key in SHOWN],
        "prefixes": PREFIXES,
        "references": REFERENCES,
        "vocoders": told_vocoders(comparison.vocoders),
        "environment": environment(),
        "colour_bar": plots.colour_bar(media.palette(), media.SPAN),
        "left": plots.LEFT,
        "sources": sources,
    }

    def render(compression: float) -> str:
        phrases = (build_phrase(sources, utt, compression) for utt in heard) if sources else ()
        page = templates.get_template("page.html.j2")
        return page.render(common | more, phrases=phrases, packing=packing_note(compression))

    return render


def _write_bounded(out: Path, megabytes: float, render: Callable[[float], str]) -> None:
    """Writes a page, its sound packed tightly enough; DataError where no page is within ``megabytes``."""
    for compression in COMPRESSIONS:
        text = render(compression)
        size = len(text.encode())
        if size <= megabytes * 1e6:
            write_text(out, text)
            return
    told = f"the page would have {size / 1e6:.1f} MB, the limit is {megabytes:g}"
    raise DataError(f"{told}: show fewer phrases, or raise --megabytes", out)


def build_comparison(
    comparison: Comparison,
    out: Path,
    title: str = "Comparison",
    command: str = "",
    phrases: int | None = None,
    megabytes: float = 30.0,
) -> None:
    """Writes the page of comparisons to an HTML file within ``megabytes``, with ``command`` stated on it.

    ``phrases`` of them can be heard, spread over the set; all where None.

    Raises DataError where a dump or table is damaged, or the page cannot be made smaller than ``megabytes``.
    """
    sources, missing = gather(comparison)
    render = renderer(
        comparison,
        sources,
        spread(comparison.utts, phrases) if sources else [],
        title=title,
        command=command,
        notes=[*comparison.notes, *missing],
        gains={name: comparison.gains(name) for name in ("main", "more")},
        report=None,
    )
    _write_bounded(out, megabytes, render)


def build_page(
    results: Path,
    out: Path,
    systems: Mapping[str, Path],
    exps: Mapping[str, Path],
    data: Path | None = None,
    megabytes: float = 30.0,
) -> bool:
    """Writes the results page; returns False where it was up to date.

    Args:
        results: ``results.json``; ``scored/`` lies beside it. out: the HTML file.
        systems, exps, data: as when scoring; taken from there where not given.
        megabytes: bound on the size of the file.

    Raises DataError where something it is made of is missing, or it cannot be made small enough.
    """
    import yaml

    comparison = Comparison.of_one(read_results(results))
    setup = read_setup(results)
    if setup is None:
        raise DataError("no scored/utterances.json beside it; score again", results)
    sources, missing = gather(comparison, systems, data)
    if sources is None or missing:
        raise DataError(" ".join(missing), results)
    experiments = {kind: Path(path) for kind, path in setup.get("experiments", {}).items()}
    experiments |= exps
    inputs = [results, results.parent / "scored", sources.reference.path]
    inputs += [path for system in sources.systems.values() for path in system.inputs]
    logged = ("config.yaml", "losses.jsonl", "model.pt")
    inputs += [path / name for path in experiments.values() for name in logged]
    if sources.data is not None:
        inputs += [sources.data.path, *sorted(set(sources.data.wavs.values()))]
    folders = {name: os.fspath(system.path) for name, system in sources.systems.items()}
    settings = {"layout": LAYOUT, "systems": folders, "size": megabytes}
    done = Done(out.parent, f"report.{out.stem}", inputs, settings)
    if done.is_current():
        return False
    done.clear()
    found = [read_experiment(kind, path) for kind, path in experiments.items()]
    report = {"set": setup["set"], "experiments": [(one, loss_charts(one)) for one in found]}
    report["features"] = yaml.safe_dump(sources.reference.spec.feature_config.to_dict(), sort_keys=False)
    render = renderer(
        comparison,
        sources,
        sources.reference.utts,
        title=setup["title"],
        command=setup["command"],
        notes=[],
        gains={"main": comparison.gains("main", names=comparison.models)},
        report=report,
    )
    _write_bounded(out, megabytes, render)
    done.set([out])
    return True
