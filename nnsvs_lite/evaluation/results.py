"""``results.json``: every number of each system, and what each utterance adds to it.

A system's row holds, beside its numbers, ``"sums": {measure: {utterance: [numbers]}}``: the vectors of
:mod:`nnsvs_lite.evaluation.measures`, mostly a sum and a count, so that results can be pooled over seeds and
compared later without scoring again. ``null`` stands for infinity, a note that was not sung at all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.evaluation.intervals import estimate
from nnsvs_lite.evaluation.measures import BY_KEY, MEASURES, Measure
from nnsvs_lite.evaluation.scoring import NATURAL, Outcome
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureWriter

TOLERANCE = 0.1
"""A difference in length above this many seconds is reported."""

FLOOR = "rule"

REFERENCES = {
    "hts_voice": "the HMM system of 2010: the HTS voice itself, with its own durations and F0",
    FLOOR: "the floor: score pitch as steps, rule durations, mean spectrum of each phone",
    "analysis_synthesis": "the ceiling: the recording's own features, made audible by the vocoder",
    NATURAL: "the recording itself",
}
"""Rows that a model is set against, in the order of the table, and what they are."""

Sums = Mapping[str, Mapping[str, np.ndarray]]
"""Measure to utterance to vector."""


def order_rows(names: Iterable[str]) -> list[str]:
    """Rows as tables show them: models first, then floor, ceiling and the recording."""
    last = list(REFERENCES)
    return sorted(names, key=lambda name: last.index(name) if name in last else -1)


@dataclass(frozen=True)
class Run:
    """One system as it was scored once.

    Attributes:
        system: its name. sums: what its utterances add to each measure.
        rtf: seconds of computing per second of audio. failed: utterances not scored, and why.
        length_differences: seconds, of utterances longer or shorter than recorded by over ``TOLERANCE``.
        results: the ``results.json`` that it was read from.
    """

    system: str
    sums: Sums
    rtf: float | None = None
    failed: Sequence[tuple[str, str]] = ()
    length_differences: Mapping[str, float] = field(default_factory=dict)
    results: Path | None = None

    @cached_property
    def utts(self) -> list[str]:
        """Utterances that were scored, sorted."""
        return sorted({utt for utts in self.sums.values() for utt in utts}, key=str.encode)

    def of(self, utts: Collection[str]) -> Run:
        """The same of some utterances alone."""
        sums = {key: {u: v for u, v in own.items() if u in utts} for key, own in self.sums.items()}
        return replace(self, sums=sums, failed=[fault for fault in self.failed if fault[0] in utts])

    def vectors(self, measure: Measure) -> Mapping[str, np.ndarray]:
        """Utterance to its vector, for those that the measure applies to."""
        return self.sums.get(measure.key, {})

    def value(self, measure: Measure) -> float | None:
        """The number over all utterances; None where it does not apply."""
        return measure.pool(list(self.vectors(measure).values()))

    @cached_property
    def values(self) -> dict[str, dict[str, float | None]]:
        """Utterance to measure to the number of that utterance alone."""
        found: dict[str, dict[str, float | None]] = {utt: {} for utt in self.utts}
        for measure in MEASURES:
            for utt, vector in self.vectors(measure).items():
                found[utt][measure.key] = _rounded(measure.pool([vector]))
        return found

    def to_json(self) -> dict[str, Any]:
        """Each measure (a main one that does not apply is null) with its interval ``<key>_ci``, ``n_utts``,
        ``rtf``, ``failed``, and ``sums``."""
        entry: dict[str, Any] = {}
        for measure in MEASURES:
            found = estimate(measure, [self.vectors(measure)])
            if found is not None:
                entry[measure.key] = _rounded(found.value)
                entry[f"{measure.key}_ci"] = found.interval and [_rounded(end) for end in found.interval]
            elif measure.group == "main":
                entry[measure.key] = None
        entry |= {"n_utts": len(self.utts), "rtf": _rounded(self.rtf)}
        entry["failed"] = [{"utt": utt, "why": why} for utt, why in self.failed]
        if self.length_differences:
            entry["length_differences_s"] = self.length_differences
        entry["sums"] = {
            key: {utt: [_number(x) for x in vector.ravel()] for utt, vector in utts.items()}
            for key, utts in self.sums.items()
        }
        return entry

    @classmethod
    def from_json(cls, row: Any, system: str, where: Path) -> Run:
        """Reads what :meth:`to_json` made, but for unknown measures; DataError for anything else."""
        if not isinstance(row, dict):
            raise DataError(f"{system}: not made by nnsvs-lite evaluate", where)
        if "sums" not in row:
            raise DataError(f"{system}: no sums of utterances; score again with nnsvs-lite evaluate", where)
        try:
            sums = {
                key: {str(utt): _vector(numbers) for utt, numbers in utts.items()}
                for key, utts in row["sums"].items()
                if key in BY_KEY
            }
            failed = [(str(fault["utt"]), str(fault["why"])) for fault in row.get("failed", [])]
            rtf = None if row.get("rtf") is None else float(row["rtf"])
        except (KeyError, TypeError, ValueError, AttributeError):
            what = f"{system}: malformed sums; score again with nnsvs-lite evaluate"
            raise DataError(what, where) from None
        return cls(system, sums, rtf, failed, row.get("length_differences_s", {}), where)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _number(value: float) -> float | int | None:
    """For JSON, with ten significant digits."""
    value = float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else float(f"{value:.10g}")


def _vector(numbers: Any) -> np.ndarray:
    if not isinstance(numbers, list):
        raise TypeError("not a list")
    return np.array([math.inf if x is None else float(x) for x in numbers], dtype=np.float64)


def collect(
    outcomes: Iterable[Outcome], systems: Mapping[str, System], utts: Iterable[str]
) -> dict[str, Run]:
    """Runs by system, in the order of tables; ``utts`` are those of the reference."""
    own: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        own.setdefault(outcome.system, []).append(outcome)
    runs = {}
    for name in order_rows(own):
        scored = [o for o in own[name] if o.fault is None]
        failed = [(o.utt, o.fault) for o in own[name] if o.fault is not None]
        if name in systems:
            unknown = sorted(systems[name].wavs.keys() - set(utts), key=str.encode)
            failed += [(utt, "is not in the reference set") for utt in unknown]
        sums = {key: {o.utt: o.vectors[key] for o in scored if key in o.vectors} for key in BY_KEY}
        sums = {key: utts for key, utts in sums.items() if utts}
        rtf = systems[name].rtf() if name in systems else None
        differing = {o.utt: round(o.difference, 3) for o in scored if abs(o.difference) > TOLERANCE}
        runs[name] = Run(name, sums, rtf, failed, differing)
    return runs


def write_results(
    path: Path, outcomes: Sequence[Outcome], runs: Mapping[str, Run], setup: Mapping[str, Any]
) -> list[Path]:
    """Writes ``results.json``, and beside it ``scored/``: how it was made, each utterance's figures and F0.

    Returns what was written, but for archives.
    """
    scored = path.parent / "scored"
    for name in runs:
        with FeatureWriter(scored / name, "f0") as writer:
            for outcome in outcomes:
                if outcome.system == name and outcome.f0 is not None:
                    writer.write(outcome.utt, outcome.f0.reshape(-1, 1))
    figures = {name: run.values for name, run in runs.items()}
    write_json(scored / "utterances.json", {"setup": dict(setup), "systems": figures})
    write_json(path, {name: run.to_json() for name, run in runs.items()})
    return [path, scored / "utterances.json", *(scored / name / "f0.scp" for name in runs)]


def read_results(path: Path) -> dict[str, Run]:
    """Runs of a ``results.json`` by system; DataError where it is missing or not made by this version."""
    rows = read_json(path)
    if not isinstance(rows, dict) or not rows:
        raise DataError("not made by nnsvs-lite evaluate", path)
    return {name: Run.from_json(row, name, path) for name, row in rows.items()}
