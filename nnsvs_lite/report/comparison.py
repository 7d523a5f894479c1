"""One comparison of systems: their numbers, the differences from a baseline, and what a reader must know.

All reports are views of it: ``RESULTS.md``, the results page, the page and the tables of ``compare``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from nnsvs_lite.evaluation.intervals import Estimate, Gain, estimate, gain
from nnsvs_lite.evaluation.measures import MEASURES, Measure, group
from nnsvs_lite.evaluation.results import FLOOR, REFERENCES, Run, read_results
from nnsvs_lite.evaluation.scoring import NATURAL
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError, nearest

SEED = re.compile(r"[_-]?seed[_-]?\d+$")
"""The end of a label that tells one run of a system from another."""


class Grid(NamedTuple):
    """A table over systems: the measures of its columns, and a name and a cell for each of its rows."""

    measures: list[Measure]
    rows: list[tuple[str, list[Any]]]


@dataclass(frozen=True)
class Comparison:
    """Systems with all that is known about them.

    Attributes:
        runs: name to its runs, one for each seed, in the order of tables.
        baseline: the system that the others are set against.
        notes: what a reader must know, such as features that differ.
    """

    runs: Mapping[str, Sequence[Run]]
    baseline: str
    notes: Sequence[str] = field(default_factory=list)

    @classmethod
    def of_one(cls, runs: Mapping[str, Run]) -> Comparison:
        """Of what was scored together, against the floor if there is one."""
        return cls({name: [run] for name, run in runs.items()}, FLOOR if FLOOR in runs else next(iter(runs)))

    @property
    def all_runs(self) -> list[Run]:
        """Runs of all systems."""
        return [run for runs in self.runs.values() for run in runs]

    @cached_property
    def utts(self) -> list[str]:
        """Utterances that some system has, sorted."""
        return sorted({utt for run in self.all_runs for utt in run.utts}, key=str.encode)

    @property
    def order(self) -> list[str]:
        """Systems as pages list them: the recording first."""
        return sorted(self.runs, key=lambda name: name != NATURAL)

    @property
    def compared(self) -> list[str]:
        """Systems that are set against the baseline: all others but the recording itself."""
        return [name for name in self.runs if name not in (self.baseline, NATURAL)]

    @property
    def models(self) -> list[str]:
        """Systems that are no reference themselves, where there is a floor to set them against."""
        return [name for name in self.runs if name not in REFERENCES] if self.baseline == FLOOR else []

    @property
    def vocoders(self) -> dict[str, str]:
        """What made each system's waveforms, of several seeds the first; empty where it is not known."""
        setups = {name: (runs[0].system, runs[0].results) for name, runs in self.runs.items()}
        setups = {name: (system, path and read_setup(path)) for name, (system, path) in setups.items()}
        return {name: (told or {}).get("vocoders", {}).get(key, "") for name, (key, told) in setups.items()}

    @property
    def failed(self) -> list[tuple[str, str, str]]:
        """System, utterance and reason, of all that could not be scored."""
        return [(name, *fault) for name, runs in self.runs.items() for run in runs for fault in run.failed]

    @property
    def has_seeds(self) -> bool:
        """Whether some system has several runs."""
        return len(self.all_runs) > len(self.runs)

    def measures(self, *groups: str) -> list[Measure]:
        """Measures that at least one system has a number of; of all groups where none is named."""
        wanted = group(*groups) if groups else MEASURES
        return [m for m in wanted if any(run.value(m) is not None for run in self.all_runs)]

    def gain_measures(self, *groups: str) -> list[Measure]:
        """Measures on which one system can be better than the baseline, which excludes a bias.

        Tuning is not set against the floor: that sings the score's pitch by construction.
        """
        found = [measure for measure in self.measures(*groups) if measure.better != "zero"]
        return [m for m in found if not (self.baseline == FLOOR and m.key == "in_tune_cents")]

    def estimate(self, name: str, measure: Measure) -> Estimate | None:
        """A system's number, with its interval over utterances and seeds."""
        return estimate(measure, [run.vectors(measure) for run in self.runs[name]])

    def gain(self, name: str, measure: Measure) -> Gain | None:
        """By how much a system is better than the baseline."""
        own, others = ([run.vectors(measure) for run in self.runs[key]] for key in (name, self.baseline))
        return gain(measure, own, others)

    def numbers(self, *groups: str) -> Grid:
        """An estimate, or None, for each system and measure; but in ``main``, only systems that have one."""
        return self._grid(groups, self.runs, self.measures(*groups), self.estimate)

    def gains(self, *groups: str, names: Iterable[str] | None = None) -> Grid:
        """A gain, or None, for each system (all that are compared, if not named) and each measure."""
        names = self.compared if names is None else names
        return self._grid(groups, names, self.gain_measures(*groups), self.gain)

    def _grid(self, groups: Sequence[str], names: Iterable[str], measures: list[Measure], cell) -> Grid:
        rows = [(name, [cell(name, measure) for measure in measures]) for name in names]
        rows = [row for row in rows if "main" in groups or any(found is not None for found in row[1])]
        return Grid(measures, rows)


def find_results(path: str | os.PathLike) -> Path:
    """``results.json`` of an experiment: the file itself, its decode folder, or an acoustic model's exp dir.

    Raises DataError where there is none, or more than one under an exp dir.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError("no such results.json, decode folder or exp dir", path)
    if (path / "results.json").is_file():
        return path / "results.json"
    found = sorted({*path.glob("*/results.json"), *path.glob("*/*/results.json")})
    if not found:
        raise DataError("no results.json in it; score it first (stage 6, or nnsvs-lite evaluate)", path)
    if len(found) > 1:
        folders = ", ".join(str(results.parent) for results in found)
        raise DataError(
            f"was sung {len(found)} ways; name one of these folders in its place: {folders}", path
        )
    return found[0]


def labels(paths: Sequence[Path]) -> list[str]:
    """A short name for each ``results.json``: its exp dir, with more of the path where that is shared."""

    def name(path: Path, depth: int) -> str:
        parts = path.resolve().parent.parts
        # exp/<model>/decode_<how>/<set>: the model; then how it was decoded; then what lies above.
        decode = next((i for i in reversed(range(len(parts))) if parts[i].startswith("decode")), None)
        if decode is None or decode == 0:
            return "/".join(parts[-depth:])
        return "/".join(parts[max(1, decode - max(1, depth - 1)) : decode + (depth > 1)])

    found = [name(path, 1) for path in paths]
    for depth in range(2, max((len(path.resolve().parts) for path in paths), default=0)):
        clash = {label for label in found if found.count(label) > 1}
        found = [name(path, depth) if label in clash else label for path, label in zip(paths, found)]
    return found


def read_words(words: Sequence[str], pool_seeds: bool = False) -> list[tuple[str, Path]]:
    """``[NAME=]PATH`` words to names and ``results.json`` files; those of one NAME are seeds of one system.

    So are, with ``pool_seeds``, unnamed ones whose labels differ in ``_seed<number>`` at the end only.
    Raises DataError as :func:`find_results`, or where a file is named twice.
    """
    found: list[tuple[str, Path]] = []
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not re.fullmatch(r"[\w.+-]+", name) or Path(word).exists():
            name, path = "", word
        found.append((name, find_results(path)))
    resolved = [path.resolve() for _, path in found]
    for _, path in found:
        if resolved.count(path.resolve()) > 1:
            raise DataError("is given twice", path)
    unnamed = labels([path for name, path in found if not name])
    if pool_seeds:
        unnamed = [SEED.sub("", label) or label for label in unnamed]
    waiting = iter(unnamed)
    found = [(name or next(waiting), path) for name, path in found]
    taken = [label for label, _ in found]
    if twice := sorted(label for label in unnamed if taken.count(label) > 1 and not pool_seeds):
        raise DataError(f"{twice[0]!r} names two experiments; give them names: NAME=PATH")
    return found


def read_setup(results: Path) -> dict[str, Any] | None:
    """How results were scored, by ``scored/utterances.json`` beside them, if it is there."""
    path = results.parent / "scored" / "utterances.json"
    if not path.exists():
        return None
    details = read_json(path)
    setup = details.get("setup") if isinstance(details, dict) else None
    if not isinstance(setup, dict) or not {"dump", "set", "systems"} <= setup.keys():
        raise DataError("not made by nnsvs-lite evaluate", path)
    return setup


def compare(words: Sequence[str], baseline: str | None = None, pool_seeds: bool = False) -> Comparison:
    """Reads several experiments, ``[NAME=]PATH`` as in :func:`read_words`.

    Rows that are there for reference (analysis-synthesis, the floor) appear once where all experiments agree
    on them, else once for each experiment that differs, with its seeds where these differ (a vocoder of each
    seed sings them too); the recording once, as the first experiment has it.
    The ``baseline`` is, if not given, the floor if there is one, else the first.

    Raises DataError where results are missing, were made by an older version, or are of other utterances than
    those of the first.
    """
    if not words:
        raise DataError("nothing to compare; name experiments")
    own: dict[str, list[Run]] = {}
    references: dict[str, dict[str, list[Run]]] = {name: {} for name in REFERENCES}
    features: dict[str, Any] = {}
    for label, path in read_words(words, pool_seeds):
        found = read_results(path)
        alone = len(found.keys() - REFERENCES.keys()) == 1
        for name, run in found.items():
            if name in REFERENCES:
                known = references[name].setdefault(label, [])
                if not any(_same(run, other) for other in known):
                    known.append(run)
            else:
                own.setdefault(label if alone else f"{label}/{name}", []).append(run)
        analysed = (read_setup(path) or {}).get("features")
        if analysed is not None:
            features[label] = analysed
    notes: list[str] = []
    first = next(iter(features), None)
    if differing := [label for label, value in features.items() if value != features[first]]:
        told = f"Features of {', '.join(differing)} are analysed otherwise than those of {first}"
        notes.append(f"{told}: compare MCD, BAP and F0 between them with care.")
    runs = own | _references(references)
    _check_utterances(runs)
    seeds = {name: len(found) for name, found in runs.items() if len(found) > 1}
    notes += [
        f"{name}: {n} seeds; ± is the deviation between them, intervals are over seeds and utterances."
        for name, n in seeds.items()
    ]
    chosen = baseline or (FLOOR if FLOOR in runs else next(iter(runs)))
    if chosen not in runs:
        what = f"no system {chosen!r}{nearest(chosen, runs)}; there are: {', '.join(runs)}"
        raise DataError(what, "--baseline")
    return Comparison(runs, chosen, notes)


def _references(references: Mapping[str, Mapping[str, list[Run]]]) -> dict[str, list[Run]]:
    """Rows for reference, from the runs of each experiment that differ from one another."""
    shown: dict[str, list[Run]] = {}
    for name, found in references.items():
        kinds: dict[str, list[Run]] = {}
        for label, runs in found.items():
            if name == NATURAL:
                kinds = kinds or {label: runs[:1]}
            elif not any(
                len(runs) == len(other) and all(map(_same, runs, other)) for other in kinds.values()
            ):
                kinds[label] = runs
        for label, runs in kinds.items():
            shown[name if len(kinds) == 1 else f"{name} ({label})"] = runs
    return shown


def _same(one: Run, other: Run) -> bool:
    mine, theirs = (
        {(key, utt): v.tolist() for key, utts in run.sums.items() for utt, v in utts.items()}
        for run in (one, other)
    )
    return mine == theirs


def _check_utterances(runs: Mapping[str, Sequence[Run]]) -> None:
    first_name, first = next((name, set(found[0].utts)) for name, found in runs.items())
    for name, run in ((name, run) for name, found in runs.items() for run in found):
        apart = {"lacks": sorted(first - set(run.utts)), "has": sorted(set(run.utts) - first)}
        if faults := [f"{word} {_some(utts)}" for word, utts in apart.items() if utts]:
            what = f"{name} was not scored on the utterances of {first_name}: it {' and '.join(faults)}"
            raise DataError(f"{what}; score both on the same set, without failures", run.results)


def _some(utts: Sequence[str]) -> str:
    return ", ".join(utts[:5]) + (f" and {len(utts) - 5} more" if len(utts) > 5 else "")
