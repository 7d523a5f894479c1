"""What each utterance adds to each number, kept in ``results.json`` so that results can be pooled later.

A row of ``results.json`` holds ``"sums": {measure: {utterance: [numbers]}}``. What the
numbers are is the measure's own (:mod:`nnsvs_lite.evaluation.measures`): mostly a sum and
a count. ``null`` stands for infinity, a note that was not sung at all.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from nnsvs_lite.evaluation.measures import BY_KEY
from nnsvs_lite.io.errors import DataError

Sums = dict[str, dict[str, np.ndarray]]
"""Measure to utterance to vector."""


def encode_sums(sums: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, list[float | None]]]:
    """Ready for JSON, with ten significant digits."""
    return {
        key: {utt: [_number(x) for x in np.asarray(vector).ravel()] for utt, vector in rows.items()}
        for key, rows in sums.items()
    }


def _number(value: float) -> float | int | None:
    value = float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else float(f"{value:.10g}")


def decode_sums(row: Mapping[str, Any], system: str, where: str | os.PathLike) -> Sums:
    """The sums of one system's row; measures that are unknown here are left out.

    Raises:
        DataError: where the row has none, having been scored by an older version, or
            they are malformed.
    """
    if "sums" not in row:
        raise DataError(f"{system}: no sums of utterances; score again with nnsvs-lite evaluate", where)
    try:
        return {
            key: {str(utt): _vector(numbers) for utt, numbers in utts.items()}
            for key, utts in row["sums"].items()
            if key in BY_KEY
        }
    except (TypeError, ValueError, AttributeError):
        raise DataError(f"{system}: malformed sums; score again with nnsvs-lite evaluate", where) from None


def _vector(numbers: Any) -> np.ndarray:
    if not isinstance(numbers, list):
        raise TypeError("not a list")
    return np.array([math.inf if x is None else float(x) for x in numbers], dtype=np.float64)
