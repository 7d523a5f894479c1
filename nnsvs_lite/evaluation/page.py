"""The results page: one HTML file to look at and listen to, with nothing loaded from anywhere."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.evaluation import media, plots
from nnsvs_lite.evaluation.evaluate import git_commit
from nnsvs_lite.evaluation.experiments import Experiment, read_experiment
from nnsvs_lite.evaluation.measures import BY_KEY, MEASURES, Measure, group
from nnsvs_lite.evaluation.reference import Reference, Utterance
from nnsvs_lite.evaluation.results import REFERENCES, order_rows
from nnsvs_lite.evaluation.scoring import NATURAL
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.atomic import read_json, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.stagelog import versions
from nnsvs_lite.io.tables import FeatureReader

HOP = 0.01
TOP_HZ = 12000.0
LAYOUT = 2
"""Number of the layout; raised whenever the same results would give another page."""

COMPRESSIONS = (0.35, 0.7, 0.99)
"""Tried in this order until the page is small enough."""


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


@dataclass(frozen=True)
class Voice:
    """One player of a phrase.

    Attributes:
        name: system. audio: data URI. spectrogram: SVG. figures: short text of its metrics.
    """

    name: str
    audio: str
    spectrogram: str
    figures: str


@dataclass(frozen=True)
class Phrase:
    """All that is shown of one utterance."""

    utt: str
    lyrics: str
    seconds: float
    axis: plots.TimeAxis
    roll: str
    voices: list[Voice]
    missing: list[str]


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

    def wave(self, name: str, utt: str) -> tuple[np.ndarray, int] | None:
        """Audio and rate of a system's utterance; None where there is none that can be played."""
        if name == NATURAL:
            return None if self.data is None else self.data.audio(utt)
        try:
            return self.systems[name].audio(utt)
        except DataError:
            # Named among the failed utterances already.
            return None

    def phones(self, utterance: Utterance) -> dict[str, Sequence[Segment]]:
        """Labelled phone times, and those of the first system that predicts its own."""
        strips: dict[str, Sequence[Segment]] = {NATURAL: utterance.phones}
        for name in order_rows(self.systems):
            try:
                found = self.systems[name].phones(
                    utterance.utt, utterance.symbols, utterance.silences, utterance.seconds
                )
            except DataError:
                continue
            if found is not None:
                strips[name] = found
                break
        return strips


def _figures(values: Mapping[str, float | None]) -> str:
    shown = ("mcd_db", "lf0_rmse_cents", "onset_mae_ms", "in_tune_cents")
    parts = [
        f"{BY_KEY[key].label} {BY_KEY[key].show(values[key])} {BY_KEY[key].unit}"
        for key in shown
        if values.get(key) is not None
    ]
    return " · ".join(parts)


def build_phrase(sources: Sources, utt: str, compression: float) -> Phrase:
    """Audio, spectrograms and piano roll of one utterance."""
    utterance = sources.reference[utt]
    seconds = max(utterance.seconds, utterance.score.duration)
    axis = plots.TimeAxis.of(seconds)
    found = {name: sources.wave(name, utt) for name in sources.order}
    waves = {name: pair for name, pair in found.items() if pair is not None}
    high = min([TOP_HZ, *(rate / 2 for _, rate in waves.values())])
    mels = {
        name: media.mel_spectrogram(wave, rate, hop=HOP, high=high) for name, (wave, rate) in waves.items()
    }
    loudest = max((float(mel.max()) for mel in mels.values()), default=0.0)
    voices = []
    for name, (wave, rate) in waves.items():
        # One scale for all: a system that is too quiet should look so.
        picture = media.data_uri("image/png", media.spectrogram_png(mels[name], loudest))
        voices.append(
            Voice(
                name=name,
                audio=media.data_uri("audio/mpeg", media.mp3(wave, rate, compression)),
                spectrogram=plots.spectrogram(picture, mels[name].shape[1], HOP, high, axis, name),
                figures=_figures(sources.values.get(name, {}).get(utt, {})),
            )
        )
    curves = {name: sources.f0[name][utt][:, 0] for name in sources.order if utt in sources.f0.get(name, ())}
    roll = plots.piano_roll(utterance.score, curves, utterance.frame_shift, sources.phones(utterance), axis)
    return Phrase(
        utt=utt,
        lyrics=utterance.score.lyrics,
        seconds=seconds,
        axis=axis,
        roll=roll,
        voices=voices,
        missing=[name for name, pair in found.items() if pair is None and name != NATURAL],
    )


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
            hint = (
                ""
                if not interval
                else f"95 % interval {measure.show(interval[0])} to {measure.show(interval[1])}"
            )
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


def _environment() -> dict[str, str]:
    """Where the page was made: commit, machine, versions."""
    commit = git_commit(Path.cwd())
    machine = {"machine": f"{platform.platform()}, {os.cpu_count()} CPUs"}
    return ({"commit": commit} if commit else {}) | machine | versions()


def _utterance_rows(sources: Sources, measures: Sequence[Measure]) -> list[dict[str, Any]]:
    rows = []
    for utt in sources.reference.utts:
        for name in sources.order:
            values = sources.values.get(name, {}).get(utt)
            if values is None:
                continue
            cells = [
                {"text": m.show(values.get(m.key)), "value": values.get(m.key), "key": m.key}
                for m in measures
            ]
            rows.append({"utt": utt, "system": name, "cells": cells})
    return rows


def render(options: PageOptions, sources: Sources, compression: float) -> str:
    """The page as text."""
    import jinja2
    import yaml

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nnsvs_lite.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    measures = group("main")
    experiments = [read_experiment(kind, path) for kind, path in sources.experiment_paths.items()]
    config = yaml.safe_dump(sources.reference.schema["feature_config"], sort_keys=False)
    failed = [
        {"system": name, **row}
        for name in order_rows(sources.results)
        for row in sources.results[name]["failed"]
    ]
    return environment.get_template("page.html.j2").render(
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
        rows=_utterance_rows(sources, measures),
        phrases=(build_phrase(sources, utt, compression) for utt in sources.reference.utts),
        n_phrases=len(sources.reference.utts),
        experiments=[{"about": e, "charts": _charts(e)} for e in experiments],
        feature_config=config,
        environment=_environment(),
        left=plots.LEFT,
        lang=sources.reference.schema["lang"],
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
    limit = options.megabytes * 1e6
    for compression in COMPRESSIONS:
        text = render(options, sources, compression)
        size = len(text.encode())
        if size <= limit:
            break
    else:
        raise DataError(
            f"the page would have {size / 1e6:.1f} MB, the limit is {options.megabytes:g}: score fewer "
            "utterances, or raise --megabytes",
            options.out,
        )
    write_text(options.out, text)
    done.set([options.out])
    return True
