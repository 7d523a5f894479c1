"""Collects outcomes into ``results.json`` and ``utterances.json``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.evaluation.gains import Gain, gain, rounded, rounded_pair
from nnsvs_lite.evaluation.intervals import estimate
from nnsvs_lite.evaluation.measures import BY_KEY, MEASURES, Measure, group
from nnsvs_lite.evaluation.scoring import NATURAL, TOLERANCE, Outcome
from nnsvs_lite.evaluation.sums import encode_sums
from nnsvs_lite.io.atomic import write_json
from nnsvs_lite.io.tables import FeatureWriter

ALWAYS = (
    "mcd_db",
    "lf0_rmse_cents",
    "vuv_error",
    "bap_db",
    "onset_mae_ms",
    "phone_duration_mae_ms",
    "in_tune_cents",
)
"""Keys that every row of ``results.json`` has, null where they do not apply."""


FLOOR = "rule"

REFERENCES = {
    "hts_voice": "the HMM system of 2010: the HTS voice itself, with its own durations and F0",
    FLOOR: "the floor: score pitch as steps, rule durations, mean spectrum of each phone",
    "analysis_synthesis": "the ceiling: WORLD features of the recording, re-synthesised",
    NATURAL: "the recording itself",
}
"""Rows that a model is set against, in the order of the table, and what they are."""


@dataclass
class Row:
    """All that is known about one system.

    Attributes:
        name: of the system.
        outcomes: of the utterances that could be scored, sorted by id.
        failed: utterance and reason, of those that could not.
        rtf: seconds of computing per second of audio.
    """

    name: str
    outcomes: list[Outcome] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    rtf: float | None = None

    def parts(self, measure: Measure) -> dict[str, np.ndarray]:
        """Utterance to its vector, for those that the measure applies to."""
        return {o.utt: o.parts[measure.key] for o in self.outcomes if measure.key in o.parts}

    def value(self, measure: Measure) -> float | None:
        """The number over all utterances; None where it does not apply."""
        return measure.pool(list(self.parts(measure).values()))

    @property
    def length_differences(self) -> dict[str, float]:
        """Utterances whose length differs from the recording's by more than the tolerance, seconds."""
        return {o.utt: round(o.difference, 3) for o in self.outcomes if abs(o.difference) > TOLERANCE}


def collect(outcomes: Iterable[Outcome]) -> dict[str, Row]:
    """Rows by system, in the order in which systems first appear."""
    rows: dict[str, Row] = {}
    for outcome in outcomes:
        row = rows.setdefault(outcome.system, Row(outcome.system))
        if outcome.fault is None:
            row.outcomes.append(outcome)
        else:
            row.failed.append((outcome.utt, outcome.fault))
    return rows


def row_json(row: Row) -> dict[str, Any]:
    """One system's entry: each measure, its interval ``<key>_ci``, ``n_utts``, ``rtf``, ``failed``,
    and ``sums`` (:mod:`nnsvs_lite.evaluation.sums`)."""
    entry: dict[str, Any] = {}
    for measure in MEASURES:
        found = estimate(measure, [row.parts(measure)])
        if found is None and measure.key not in ALWAYS:
            continue
        entry[measure.key] = None if found is None else rounded(found.value)
        if found is not None:
            entry[f"{measure.key}_ci"] = rounded_pair(found.interval)
    entry["n_utts"] = len(row.outcomes)
    entry["rtf"] = rounded(row.rtf)
    entry["failed"] = [{"utt": utt, "why": why} for utt, why in row.failed]
    if row.length_differences:
        entry["length_differences_s"] = row.length_differences
    parts = {measure.key: row.parts(measure) for measure in MEASURES}
    entry["sums"] = encode_sums({key: utts for key, utts in parts.items() if utts})
    return entry


def results_json(rows: Mapping[str, Row]) -> dict[str, Any]:
    """What ``results.json`` holds: an entry per system."""
    return {name: row_json(row) for name, row in rows.items()}


def utterances_json(rows: Mapping[str, Row], setup: Mapping[str, Any]) -> dict[str, Any]:
    """What ``utterances.json`` holds: how the scores were made, and every utterance's own."""
    return {
        "setup": dict(setup),
        "systems": {
            name: {o.utt: {key: rounded(value) for key, value in o.values.items()} for o in row.outcomes}
            for name, row in rows.items()
        },
        "comparisons": {name: [gain.to_json() for gain in found] for name, found in against_floor(rows)},
    }


def gains(row: Row, floor: Row, keys: Sequence[str]) -> list[Gain]:
    """Compares two systems on the measures that both have."""
    measures = [BY_KEY[key] for key in keys]
    found = [gain(measure, [row.parts(measure)], [floor.parts(measure)]) for measure in measures]
    return [one for one in found if one is not None]


def against_floor(rows: Mapping[str, Row]) -> list[tuple[str, list[Gain]]]:
    """Every system that is no reference row itself, set against the floor on the main measures.

    Tuning is left out: the floor sings the score's pitch by construction, and nobody sings better in tune.
    """
    if FLOOR not in rows:
        return []
    keys = [measure.key for measure in group("main") if measure.key != "in_tune_cents"]
    names = [name for name in order_rows(rows) if name not in REFERENCES]
    compared = [(name, gains(rows[name], rows[FLOOR], keys)) for name in names]
    return [(name, found) for name, found in compared if found]


def write_scored(folder: str | os.PathLike, rows: Mapping[str, Row]) -> list[Path]:
    """Writes the F0 that was scored, ``<folder>/<system>/f0.{scp,ark}``, Hz, for the results page."""
    written = []
    for name, row in rows.items():
        with FeatureWriter(Path(folder) / name, "f0") as writer:
            for outcome in row.outcomes:
                if outcome.f0 is not None:
                    writer.write(outcome.utt, outcome.f0.reshape(-1, 1))
        written.append(Path(folder) / name / "f0.scp")
    return written


def write_results(path: str | os.PathLike, rows: Mapping[str, Row], setup: Mapping[str, Any]) -> None:
    """Writes ``results.json``, and beside it ``scored/``: each utterance's figures and F0."""
    path = Path(path)
    write_scored(path.parent / "scored", rows)
    write_json(path.parent / "scored" / "utterances.json", utterances_json(rows, setup))
    write_json(path, results_json(rows))


def order_rows(names: Iterable[str]) -> list[str]:
    """Rows as tables show them: models first, then floor, ceiling and the recording."""
    last = list(REFERENCES)
    return sorted(names, key=lambda name: last.index(name) if name in last else -1)
