"""Several experiments set side by side: the same utterances, their numbers, and paired differences."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.evaluation.gains import Gain, gain
from nnsvs_lite.evaluation.intervals import Estimate, estimate
from nnsvs_lite.evaluation.measures import MEASURES, Measure, group
from nnsvs_lite.evaluation.results import FLOOR, REFERENCES
from nnsvs_lite.evaluation.scoring import NATURAL
from nnsvs_lite.evaluation.sums import Sums, decode_sums
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError, nearest

SEED = re.compile(r"[_-]?seed[_-]?\d+$")
"""The end of a label that tells one run of a system from another."""


def find_results(path: str | os.PathLike) -> Path:
    """``results.json`` of an experiment.

    Args:
        path: the file itself, the decode folder that it lies in, or the exp dir of an
            acoustic model.

    Raises:
        DataError: where there is none, or more than one under an exp dir.
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
        raise DataError(f"{len(found)} results in it; name one: {', '.join(map(str, found))}", path)
    return found[0]


@dataclass(frozen=True)
class Run:
    """One system of one experiment.

    Attributes:
        results: ``results.json``. system: its row there.
        sums: what its utterances add to each measure.
        rtf: seconds of computing per second of audio.
    """

    results: Path
    system: str
    sums: Sums
    rtf: float | None = None

    @cached_property
    def utts(self) -> set[str]:
        """Utterances that were scored."""
        return {utt for utts in self.sums.values() for utt in utts}

    def parts(self, measure: Measure) -> dict[str, np.ndarray]:
        """Utterance to its vector."""
        return self.sums.get(measure.key, {})


@dataclass(frozen=True)
class Comparison:
    """Systems with all that is known about them.

    Attributes:
        runs: name to its runs, one for each seed; experiments in the order given, then
            the rows that are there for reference.
        baseline: the system that the others are set against.
        utts: utterances, the same for all, sorted.
        notes: what a reader must know, such as features that differ.
    """

    runs: Mapping[str, Sequence[Run]]
    baseline: str
    utts: Sequence[str]
    notes: Sequence[str] = field(default_factory=list)

    def measures(self, name: str = "main") -> list[Measure]:
        """Measures of a group that at least one system has."""
        return [m for m in group(name) if any(run.parts(m) for runs in self.runs.values() for run in runs)]

    def gain_measures(self, name: str = "main") -> list[Measure]:
        """Measures of a group on which one system can be better than the baseline.

        A bias is best at zero and not counted. Tuning is not set against the floor: that sings
        the score's pitch by construction.
        """
        return [
            measure
            for measure in self.measures(name)
            if measure.better != "zero" and not (self.baseline == FLOOR and measure.key == "in_tune_cents")
        ]

    def estimate(self, name: str, measure: Measure) -> Estimate | None:
        """A system's number, with its interval over utterances and seeds."""
        return estimate(measure, [run.parts(measure) for run in self.runs[name]])

    def gain(self, name: str, measure: Measure) -> Gain | None:
        """By how much a system is better than the baseline."""
        runs, others = ([run.parts(measure) for run in self.runs[key]] for key in (name, self.baseline))
        return gain(measure, runs, others)

    @cached_property
    def compared(self) -> list[str]:
        """Systems that are set against the baseline: all others but the recording itself."""
        return [name for name in self.runs if name not in (self.baseline, NATURAL)]

    @cached_property
    def values(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """System to utterance to measure, the first run of each system."""
        return {
            name: {
                utt: {m.key: m.pool([runs[0].parts(m)[utt]]) for m in MEASURES if utt in runs[0].parts(m)}
                for utt in self.utts
            }
            for name, runs in self.runs.items()
        }


def labels(paths: Sequence[Path]) -> list[str]:
    """A short name for each ``results.json``: its exp dir, with more of the path where that is shared."""
    folders = [path.resolve().parent.parts for path in paths]

    def name(parts: Sequence[str], depth: int) -> str:
        # exp/<model>/decode_<how>/<set>: the model; then how it was decoded; then what lies above.
        decode = next((i for i in reversed(range(len(parts))) if parts[i].startswith("decode")), None)
        if decode is None or decode == 0:
            return "/".join(parts[-depth:])
        return "/".join(parts[max(1, decode - max(1, depth - 1)) : decode + (depth > 1)])

    found = [name(parts, 1) for parts in folders]
    for depth in range(2, max(map(len, folders), default=0) + 1):
        shared = {label for label in found if found.count(label) > 1}
        if not shared:
            break
        found = [
            name(parts, depth) if label in shared else label
            for parts, label in zip(folders, found, strict=True)
        ]
    return found


def read_words(words: Sequence[str], pool_seeds: bool = False) -> list[tuple[str, Path]]:
    """``[NAME=]PATH`` words to names and ``results.json`` files.

    Words of the same NAME are runs of one system with different seeds; so are, with
    ``pool_seeds``, unnamed ones whose labels differ in ``_seed<number>`` at the end only.

    Raises:
        DataError: as :func:`find_results`, or where a file is named twice.
    """
    named: list[str | None] = []
    paths: list[Path] = []
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not re.fullmatch(r"[\w.+-]+", name) or Path(word).exists():
            name, path = "", word
        named.append(name or None)
        paths.append(find_results(path))
    resolved = [path.resolve() for path in paths]
    for path in paths:
        if resolved.count(path.resolve()) > 1:
            raise DataError("is given twice", path)
    unnamed = iter(labels([path for path, name in zip(paths, named, strict=True) if name is None]))
    found = []
    for name, path in zip(named, paths, strict=True):
        label = name or next(unnamed)
        if name is None and pool_seeds:
            label = SEED.sub("", label) or label
        found.append((label, path))
    if not pool_seeds and len({label for label, _ in found}) < len(found):
        taken = [label for label, _ in found]
        clash = {label for label, name in zip(taken, named, strict=True) if name is None}
        twice = sorted(label for label in clash if taken.count(label) > 1)
        if twice:
            raise DataError(f"{twice[0]!r} names two experiments; give them names: NAME=PATH")
    return found


def _row(results: Path, name: str, row: Any) -> Run:
    if not isinstance(row, dict):
        raise DataError(f"{name}: not made by nnsvs-lite evaluate", results)
    rtf = row.get("rtf")
    return Run(results, name, decode_sums(row, name, results), rtf if isinstance(rtf, (int, float)) else None)


def _same(one: Run, other: Run) -> bool:
    if one.sums.keys() != other.sums.keys():
        return False
    return all(
        utts.keys() == other.sums[key].keys()
        and all(np.array_equal(vector, other.sums[key][utt]) for utt, vector in utts.items())
        for key, utts in one.sums.items()
    )


def _features(results: Path) -> Any:
    path = results.parent / "scored" / "utterances.json"
    return read_json(path).get("setup", {}).get("features") if path.exists() else None


def compare(words: Sequence[str], baseline: str | None = None, pool_seeds: bool = False) -> Comparison:
    """Reads several experiments.

    Rows that are there for reference (the recording, analysis-synthesis, the floor) appear
    once where all experiments agree on them, else once for each experiment that differs; the
    recording, which is the same in any case, always once, as the first experiment has it.

    Args:
        words: ``[NAME=]PATH``, see :func:`read_words`.
        baseline: what the others are set against; the floor if there is one, else the
            first system, where not given.
        pool_seeds: see :func:`read_words`.

    Raises:
        DataError: where results are missing, were made by an older version, or are of
            other utterances than those of the first.
    """
    if not words:
        raise DataError("nothing to compare; name experiments")
    own: dict[str, list[Run]] = {}
    references: dict[str, dict[str, Run]] = {name: {} for name in REFERENCES}
    experiments = read_words(words, pool_seeds)
    notes: list[str] = []
    features = {label: _features(path) for label, path in experiments}
    known = {label: value for label, value in features.items() if value is not None}
    first = next(iter(known), None)
    differing = [label for label, value in known.items() if first and value != known[first]]
    if differing:
        notes.append(
            f"Features of {', '.join(differing)} are analysed otherwise than those of {first}: "
            "compare MCD, BAP and F0 between them with care."
        )
    for label, path in experiments:
        rows = read_json(path)
        if not isinstance(rows, dict) or not rows:
            raise DataError("not made by nnsvs-lite evaluate", path)
        names = [name for name in rows if name not in REFERENCES]
        for name in names:
            shown = label if len(names) == 1 else f"{label}/{name}"
            own.setdefault(shown, []).append(_row(path, name, rows[name]))
        for name in rows:
            if name in REFERENCES:
                references[name][label] = _row(path, name, rows[name])
    runs = own | _references(references)
    _check_utterances(runs)
    for name, found in runs.items():
        if len(found) > 1:
            notes.append(f"{name}: {len(found)} seeds; intervals are over seeds and utterances.")
    chosen = baseline or (FLOOR if FLOOR in runs else next(iter(runs)))
    if chosen not in runs:
        raise DataError(
            f"no system {chosen!r}{nearest(chosen, runs)}; there are: {', '.join(runs)}", "--baseline"
        )
    utts = sorted(next(iter(runs.values()))[0].utts, key=str.encode)
    return Comparison(runs, chosen, utts, notes)


def _references(references: Mapping[str, Mapping[str, Run]]) -> dict[str, list[Run]]:
    shown: dict[str, list[Run]] = {}
    for name, found in references.items():
        kinds: list[tuple[str, Run]] = []
        for label, run in found.items():
            if name == NATURAL and kinds:
                break
            if not any(_same(run, other) for _, other in kinds):
                kinds.append((label, run))
        for label, run in kinds:
            shown[name if len(kinds) == 1 else f"{name} ({label})"] = [run]
    return shown


def _check_utterances(runs: Mapping[str, Sequence[Run]]) -> None:
    first_name, first = next((name, found[0]) for name, found in runs.items())
    for name, found in runs.items():
        for run in found:
            lacks, has = sorted(first.utts - run.utts), sorted(run.utts - first.utts)
            faults = [f"lacks {_some(lacks)}"] if lacks else []
            faults += [f"has {_some(has)}"] if has else []
            if faults:
                raise DataError(
                    f"{name} was not scored on the utterances of {first_name}: it {' and '.join(faults)}; "
                    "score both on the same set, without failures",
                    run.results,
                )


def _some(utts: Sequence[str], most: int = 5) -> str:
    more = f" and {len(utts) - most} more" if len(utts) > most else ""
    return ", ".join(utts[:most]) + more


def show(measure: Measure, found: Estimate | None) -> str:
    """A number with its interval, ``4.32 [4.10, 4.55]``."""
    if found is None:
        return "–"
    if found.interval is None:
        return measure.show(found.value)
    return f"{measure.show(found.value)} [{', '.join(map(measure.show, found.interval))}]"


def show_difference(found: Gain | None) -> str:
    """A difference with its interval, ``+0.75 [+0.57, +0.94]``."""
    if found is None:
        return "–"
    text = found.measure.show_signed(found.absolute)
    if found.interval is None:
        return text
    return f"{text} [{', '.join(map(found.measure.show_signed, found.interval))}]"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    rows = [[c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths))] for line in table]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (w - 1) + ":" for w in widths[1:])]
    return [f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:])]


def markdown(comparison: Comparison, group_name: str = "main") -> str:
    """Both tables as Markdown that also reads well as plain text."""
    measures = comparison.measures(group_name)
    head = ["system", "seeds", *(m.heading for m in measures)]
    body = [
        [name, str(len(runs)), *(show(m, comparison.estimate(name, m)) for m in measures)]
        for name, runs in comparison.runs.items()
    ]
    lines = [f"{len(comparison.utts)} utterances; in brackets 95 % intervals.", "", *_aligned([head, *body])]
    if comparison.compared:
        measures = comparison.gain_measures(group_name)
        head = [f"better than {comparison.baseline} by", *(m.heading for m in measures)]
        body = [
            [name, *(show_difference(comparison.gain(name, m)) for m in measures)]
            for name in comparison.compared
        ]
        lines += ["", *_aligned([head, *body])]
    return "\n".join([*lines, *(f"\n{note}" for note in comparison.notes)]) + "\n"
