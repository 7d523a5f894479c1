"""Stage 6, scoring: decode folders of several systems to ``results.json`` and ``RESULTS.md``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nnsvs_lite.evaluation.experiments import read_experiment
from nnsvs_lite.evaluation.markdown import Setup, render
from nnsvs_lite.evaluation.measures import group
from nnsvs_lite.evaluation.reference import Reference
from nnsvs_lite.evaluation.results import Row, collect, order_rows, write_results
from nnsvs_lite.evaluation.scoring import NATURAL, make_jobs, run_jobs
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError

SCORING = 3
"""Number of the scoring; raised whenever the same waveforms would give other results."""


@dataclass(frozen=True)
class Options:
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


def git_commit(folder: Path) -> str:
    """Short commit of the repository around ``folder``; empty where there is none."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


def _check(options: Options) -> None:
    if not options.systems:
        raise DataError("nothing to score; name at least one --system NAME=DIR")
    if NATURAL in options.systems:
        raise DataError(f"{NATURAL!r} is the name of the recording's own row; choose another", "--system")
    if options.truth is not None and options.data is None:
        raise DataError("--truth needs --data: its segments say where a phrase lies in its song")
    if options.espnet and options.data is None:
        raise DataError("--espnet needs --data: it compares with the recordings themselves")


def _done(options: Options, systems: Mapping[str, System]) -> Done:
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


def evaluate(options: Options) -> int:
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
    jobs = make_jobs(
        reference, options.dump, options.set_name, systems, options.data, options.truth, options.espnet
    )
    rows = collect(run_jobs(jobs, options.jobs))
    for name, system in systems.items():
        rows[name].rtf = system.rtf()
        unknown = system.unknown(reference.utts)
        rows[name].failed += [(utt, "is not in the reference set") for utt in unknown]
    rows = {name: rows[name] for name in order_rows(rows)}
    write_results(options.out, rows, _setup_json(options, reference))
    if options.results_md is not None:
        write_text(options.results_md, render(_setup(options, reference, rows), rows, experiments))
    for line in summary(rows):
        print(line)
    faults = [(name, utt, why) for name, row in rows.items() for utt, why in row.failed]
    for name, utt, why in faults:
        print(f"evaluate: error: {name}: {utt}: {why}", file=sys.stderr)
    for name, row in rows.items():
        for utt, seconds in row.length_differences.items():
            print(
                f"evaluate: warning: {name}: {utt}: {seconds:+.3f} s longer than the recording",
                file=sys.stderr,
            )
    if faults:
        print(f"evaluate: error: {len(faults)} utterances could not be scored", file=sys.stderr)
        return 1
    outputs = [options.out, options.out.parent / "scored" / "utterances.json"]
    outputs += [options.out.parent / "scored" / name / "f0.scp" for name in rows]
    done.set(outputs + ([] if options.results_md is None else [options.results_md]))
    return 0


def _setup(options: Options, reference: Reference, rows: Mapping[str, Row]) -> Setup:
    frames = sum(len(outcome.f0) for outcome in rows[NATURAL].outcomes if outcome.f0 is not None)
    return Setup(
        title=options.title,
        command=options.command,
        commit=git_commit(Path.cwd()),
        set_name=options.set_name,
        dump=str(options.dump),
        n_utts=len(reference.utts),
        seconds=frames * reference.frame_shift,
    )


def _setup_json(options: Options, reference: Reference) -> dict[str, object]:
    """What the results page needs to find everything again."""
    return {
        "dump": str(options.dump),
        "set": options.set_name,
        "systems": {name: str(path) for name, path in options.systems.items()},
        "data": None if options.data is None else str(options.data),
        "experiments": {kind: str(path) for kind, path in options.experiments.items()},
        "title": options.title,
        "command": options.command,
        "features": reference.spec.feature_config.to_dict(),
    }


def summary(rows: Mapping[str, Row]) -> list[str]:
    """The main table as aligned text."""
    measures = group("main")
    table = [["system", *(m.heading for m in measures), "utterances"]]
    for name, row in rows.items():
        table.append([name, *(m.show(row.value(m)) for m in measures), str(len(row.outcomes))])
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return [
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths)))
        for line in table
    ]
