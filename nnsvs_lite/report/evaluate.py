"""Stage 6, scoring: decode folders of several systems to ``results.json`` and ``RESULTS.md``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nnsvs_lite.evaluation.reference import Reference
from nnsvs_lite.evaluation.results import collect, write_results
from nnsvs_lite.evaluation.scoring import NATURAL, Material, make_jobs, score_utterance
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.report.comparison import Comparison
from nnsvs_lite.report.experiments import read_experiment
from nnsvs_lite.report.markdown import results_md, summary

SCORING = 4
"""Number of the scoring; raised whenever the same waveforms would give other results."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What is scored, and where the results go.

    Attributes:
        dump: dump dir. set_name: its set.
        systems: name to decode folder, in the order of the table.
        out: ``results.json``; ``scored/`` goes beside it.
        results_md: ``RESULTS.md``, if wanted.
        data: data dir of the set, for the natural recordings.
        truth: folder with the known truth of synthetic recordings; needs ``data``.
        experiments: kind of model to exp dir, for the table of models.
        title, command: for ``RESULTS.md``.
        jobs: processes.
        espnet: whether to compute the metrics of ESPnet too, which takes longer; needs ``data``.
    """

    dump: Path
    set_name: str
    systems: Mapping[str, Path]
    out: Path
    results_md: Path | None = None
    data: Path | None = None
    truth: Path | None = None
    experiments: Mapping[str, Path] = field(default_factory=dict)
    title: str = "Results"
    command: str = ""
    jobs: int = 1
    espnet: bool = False

    @property
    def material(self) -> Material:
        """What the systems are compared with."""
        data, truth = (None if path is None else os.fspath(path) for path in (self.data, self.truth))
        return Material(os.fspath(self.dump), self.set_name, data, truth, self.espnet)


def git_commit(folder: Path) -> str:
    """Short commit of the repository around ``folder``; empty where there is none."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


def _check(options: EvaluateOptions) -> None:
    if not options.systems:
        raise DataError("nothing to score; name at least one --system NAME=DIR")
    if NATURAL in options.systems:
        raise DataError(f"{NATURAL!r} is the name of the recording's own row; choose another", "--system")
    if options.truth is not None and options.data is None:
        raise DataError("--truth needs --data: its segments say where a phrase lies in its song")
    if options.espnet and options.data is None:
        raise DataError("--espnet needs --data: it compares with the recordings themselves")


def _done(options: EvaluateOptions, systems: Mapping[str, System]) -> Done:
    inputs = [options.dump / "schema.json", options.dump / options.set_name]
    for system in systems.values():
        inputs += system.inputs
    for path in options.experiments.values():
        inputs += [path / "config.yaml", path / "model.pt"]
    inputs += [path for path in (options.data, options.truth) if path is not None]
    settings = {
        "scoring": SCORING,
        "systems": {name: str(path) for name, path in options.systems.items()},
        "results_md": str(options.results_md),
        "title": options.title,
        "command": options.command,
        "espnet": options.espnet,
    }
    return Done(options.out.parent, "evaluate", inputs, settings)


def evaluate(options: EvaluateOptions) -> int:
    """Scores every utterance of every system, writes the results, prints the table.

    Returns:
        0, or 1 where an utterance could not be scored: each is named on standard
        error, after the others have been scored and written.

    Raises:
        DataError: where a folder or table as a whole cannot be read; nothing is written.
    """
    _check(options)
    reference = Reference(options.dump, options.set_name)
    systems = {name: System(name, path) for name, path in options.systems.items()}
    done = _done(options, systems)
    if done.is_current():
        print(f"evaluate: {options.out} is up to date")
        return 0
    done.clear()
    experiments = [read_experiment(kind, path) for kind, path in options.experiments.items()]
    jobs = make_jobs(options.material, reference.utts, options.systems)
    outcomes = list(run_jobs(score_utterance, jobs, options.jobs))
    runs = collect(outcomes, systems, reference.utts)
    # What the results page needs to find everything again.
    setup = {
        "dump": str(options.dump),
        "set": options.set_name,
        "systems": {name: str(path) for name, path in options.systems.items()},
        "data": None if options.data is None else str(options.data),
        "experiments": {kind: str(path) for kind, path in options.experiments.items()},
        "title": options.title,
        "command": options.command,
        "features": reference.spec.feature_config.to_dict(),
    }
    outputs = write_results(options.out, outcomes, runs, setup)
    comparison = Comparison.of_one(runs)
    if options.results_md is not None:
        recorded = (outcome.f0 for outcome in outcomes if outcome.system == NATURAL)
        frames = sum(len(f0) for f0 in recorded if f0 is not None)
        more = {
            "commit": git_commit(Path.cwd()),
            "n_utts": len(reference.utts),
            "seconds": frames * reference.spec.frame_shift,
        }
        write_text(options.results_md, results_md(comparison, experiments, setup | more))
        outputs.append(options.results_md)
    for line in summary(comparison):
        print(line)
    for name, utt, why in comparison.failed:
        print(f"evaluate: error: {name}: {utt}: {why}", file=sys.stderr)
    for name, run in runs.items():
        for utt, seconds in run.length_differences.items():
            print(
                f"evaluate: warning: {name}: {utt}: {seconds:+.3f} s longer than the recording",
                file=sys.stderr,
            )
    if comparison.failed:
        print(f"evaluate: error: {len(comparison.failed)} utterances could not be scored", file=sys.stderr)
        return 1
    done.set(outputs)
    return 0
