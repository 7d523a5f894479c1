"""Stage 6, scoring: decode folders of several systems to ``results.json`` and ``RESULTS.md``."""

import sys
from collections.abc import Mapping
from pathlib import Path

from nnsvs_lite.corpus.datadir import audio_files
from nnsvs_lite.corpus.prepare import provenance
from nnsvs_lite.evaluation import others
from nnsvs_lite.evaluation.reference import Reference
from nnsvs_lite.evaluation.results import collect, write_results
from nnsvs_lite.evaluation.scoring import NATURAL, Material, make_jobs, score_utterance
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.stagelog import git_commit
from nnsvs_lite.report.comparison import Comparison
from nnsvs_lite.report.experiments import read_experiment
from nnsvs_lite.report.markdown import results_md, summary

SCORING = 6
"""Number of the scoring; raised whenever the same waveforms would give other results."""


def evaluate(
    material: Material,
    systems: Mapping[str, Path],
    out: Path,
    table: Path | None,
    experiments: Mapping[str, Path],
    title: str,
    command: str,
    jobs: int,
) -> int:
    """Scores every utterance of every system, writes the results, prints the table.

    Args:
        systems: name to decode folder, in the order of the table.
        out: ``results.json``; ``scored/`` goes beside it. table: ``RESULTS.md``, if wanted.
        experiments, title, command: for it; the first are kind of model to exp dir. jobs: processes.

    Returns 0, or 1 where an utterance could not be scored: each is named on standard error, after the others
    have been scored and written. Raises DataError where a folder or table as a whole cannot be read; nothing
    is written.
    """
    data, truth = material.data, material.truth
    if not systems:
        raise DataError("nothing to score; name at least one --system NAME=DIR")
    if NATURAL in systems:
        raise DataError(f"{NATURAL!r} is the name of the recording's own row; choose another", "--system")
    if truth is not None and data is None:
        raise DataError("--truth needs --data: its segments say where a phrase lies in its song")
    if material.espnet and data is None:
        raise DataError("--espnet needs --data: it compares with the recordings themselves")
    if material.mos and data is None:
        raise DataError("--mos needs --data: opinions say something beside those of the recordings")
    if material.mos:
        others.predictors()
    reference = Reference(material.dump, material.set_name)
    opened = {name: System(name, path) for name, path in systems.items()}
    inputs = [material.dump / "schema.json", reference.path, *(p for p in (data, truth) if p is not None)]
    inputs += audio_files(data) if data is not None else []
    inputs += [path for system in opened.values() for path in system.inputs]
    inputs += [
        path / name for path in experiments.values() for name in ("config.yaml", "model.pt", "trained.json")
    ]
    folders = {name: str(path) for name, path in systems.items()}
    vocoders = {name: system.vocoder for name, system in opened.items()}
    told = {"systems": folders, "vocoders": vocoders, "title": title, "command": command}
    settings = told | {
        "scoring": SCORING,
        "results_md": str(table),
        "espnet": material.espnet,
        "mos": material.mos,
    }
    done = Done(out.parent, "evaluate", inputs, settings)
    if done.is_current():
        print(f"evaluate: {out} is up to date")
        return 0
    done.clear()
    found = [read_experiment(kind, path) for kind, path in experiments.items()]
    outcomes = list(run_jobs(score_utterance, make_jobs(material, reference.utts, systems), jobs))
    runs = collect(outcomes, opened, reference.utts)
    # What the results page needs to find everything again.
    setup = told | {
        "dump": str(material.dump),
        "set": material.set_name,
        "data": data and str(data),
        "experiments": {kind: str(path) for kind, path in experiments.items()},
        "features": reference.spec.feature_config.to_dict(),
    }
    outputs = write_results(out, outcomes, runs, setup)
    comparison = Comparison.of_one(runs)
    if table is not None:
        recorded = [o.f0 for o in outcomes if o.system == NATURAL and o.f0 is not None]
        seconds = sum(map(len, recorded)) * reference.spec.frame_shift
        more = {"commit": git_commit(), "n_utts": len(reference.utts), "seconds": seconds}
        more["voices"] = reference.voices
        more["provenance"] = provenance(data) if data is not None else []
        write_text(table, results_md(comparison, found, setup | more))
        outputs.append(table)
    for line in summary(comparison):
        print(line)
    for name, utt, why in comparison.failed:
        print(f"evaluate: error: {name}: {utt}: {why}", file=sys.stderr)
    for name, run in runs.items():
        for utt, seconds in run.length_differences.items():
            told = f"{name}: {utt}: {seconds:+.3f} s longer than the recording"
            print(f"evaluate: warning: {told}", file=sys.stderr)
    if comparison.failed:
        print(f"evaluate: error: {len(comparison.failed)} utterances could not be scored", file=sys.stderr)
        return 1
    done.set(outputs)
    return 0
