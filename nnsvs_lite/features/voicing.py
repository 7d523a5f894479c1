"""Which frames of a singer are voiced: a logistic regression on phones and how near their ends are.

Where a voice sets in and stops depends on both phones at a boundary: a vowel ends early before a breath, the
closure of a stop is still voiced for a while after a vowel. Effects of single phones are drawn to those of
their kind (a ridge), so that a phone that was sung once, or never, is voiced as its kind is.
"""

from collections import Counter
from typing import Any

import numpy as np

from nnsvs_lite.features.spec import VOICING_CELLS, Spec

KINDS = 5
"""Silences; stops and affricates without voice; other phones without voice; voiced stops, affricates and
fricatives; all others."""
EDGES = (0.006, 0.011, 0.021, 0.036, 0.061)
"""Seconds from a phone's end that part near from far."""
RIDGE = {"kind": 0.1, "phone": 10.0, "edge": 3.0}
"""Penalties of squared effects, in frames."""
LIMIT = 4.0
"""Largest logit either way (98 %), so that a model may correct it."""


def kinds(spec: Spec) -> list[int]:
    """The kind, 0..4, of each phone id 0..len(phones); the outside is silence."""
    names = spec.languages[0].language.class_names
    found = []
    for row in spec.phone_classes:
        held = {name for name, value in zip(names, row) if value}
        stop, fricative = held & {"plosive", "affricate", "closure"}, "fricative" in held
        sung = (3 if stop or fricative else 4) if "voiced" in held else (1 if stop else 2)
        found.append(sung if held - {"silence", "breath"} else 0)
    return found


def edge_cell(kind: Any, neighbour: Any, seconds: Any) -> Any:
    """Numbers (arrays or tensors) for frames of one kind, so far from that end at which another is."""
    one = kind * 0 + 1  # Of the numbers' own kind: exported to ONNX, truth values times 1 stay truth values.
    return (kind * KINDS + neighbour) * (len(EDGES) + 1) + sum((seconds > edge) * one for edge in EDGES)


def frame_cells(ids: np.ndarray, duration: np.ndarray, kind: np.ndarray, shift: float) -> np.ndarray:
    """(T, 3) phone id and both edge cells of each frame, of phones with ids and durations (P,) in frames."""
    phone = np.repeat(np.arange(len(ids)), duration)
    place = np.arange(len(phone)) + 0.5
    ends, of = np.cumsum(duration), kind[np.concatenate([[0], ids, [0]])]
    before = edge_cell(of[phone + 1], of[phone], (place - (ends - duration)[phone]) * shift)
    after = edge_cell(of[phone + 1], of[phone + 2], (ends[phone] - place) * shift)
    return np.stack([ids[phone], before, after], axis=1)


def count_voicing(cells: np.ndarray, voiced: np.ndarray) -> Counter[tuple[int, ...]]:
    """How many frames have which (T, 3) cells of :func:`frame_cells` and (T,) voicing."""
    rows, number = np.unique(np.column_stack([cells, voiced]), axis=0, return_counts=True)
    return Counter(dict(zip(map(tuple, rows.tolist()), number.tolist())))


def fit_voicing(count: Counter[tuple[int, ...]], spec: Spec) -> tuple[float, ...]:
    """Effects on the logit: of each phone id, of each cell before a frame, of each after it.

    ``count`` is the sum over utterances of what :func:`count_voicing` gives.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    rows, weight = np.array(sorted(count)).reshape(-1, 4), np.array([n for _, n in sorted(count.items())])
    kind = np.array(kinds(spec))
    size = [KINDS, len(kind), VOICING_CELLS, VOICING_CELLS]
    columns = np.column_stack([kind[rows[:, 0]], rows[:, :3]]) + np.cumsum([0, *size[:-1]])
    ridge = np.repeat([RIDGE[name] for name in ("kind", "phone", "edge", "edge")], size)

    def loss(effect: np.ndarray) -> tuple[float, np.ndarray]:
        logit = effect[columns].sum(axis=1)
        value = weight @ (np.logaddexp(0, logit) - rows[:, 3] * logit) + ridge @ effect**2 / 2
        slope = np.zeros_like(effect)
        np.add.at(slope, columns, (weight * (expit(logit) - rows[:, 3]))[:, None])
        return value, slope + ridge * effect

    effect = minimize(loss, np.zeros(sum(size)), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    phones = effect[KINDS : KINDS + len(kind)] + effect[kind]
    return tuple(np.round(np.concatenate([phones, effect[KINDS + len(kind) :]]), 6).tolist())
