"""What an exp dir tells about its model: configuration, size, training curves."""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nnsvs_lite.io.atomic import read_json, read_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import parse_settings


class Experiment(NamedTuple):
    """One trained model.

    Attributes:
        kind: what it does, such as ``acoustic``. path: its exp dir.
        config: its ``config.yaml`` as text, class_path: model class; empty if unknown.
        parameters: number of trained parameters, None without a checkpoint.
        trained: what trained it, as ``trained.json`` has it: configuration, options, seed, commit.
        curves: loss name to points ``(epoch, value)``, from ``losses.jsonl``.
    """

    kind: str
    path: Path
    config: str
    class_path: str
    parameters: int | None
    trained: dict[str, Any]
    curves: dict[str, list[tuple[float, float]]]


def read_experiment(kind: str, path: str | os.PathLike) -> Experiment:
    """Reads an exp dir; a missing checkpoint or log is left out, a missing folder is an error.

    Raises DataError where the folder is missing or a file in it is malformed.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"no such experiment, for {kind!r}", path)
    from nnsvs_lite.models.checkpoint import count_parameters

    model = path / "model.pt"
    config = read_text(path / "config.yaml") if (path / "config.yaml").exists() else ""
    parameters = count_parameters(model) if model.exists() else None
    trained = read_json(path / "trained.json") if (path / "trained.json").exists() else {}
    if not isinstance(trained, dict):
        raise DataError("not what training writes", path / "trained.json")
    curves = read_curves(path / "losses.jsonl")
    return Experiment(kind, path, config, _class_path(config, path), parameters, trained, curves)


def _class_path(config: str, path: Path) -> str:
    value = parse_settings(config, str(path / "config.yaml")).value
    model = value.get("model") if isinstance(value, dict) else None
    return str(model.get("class_path", "")) if isinstance(model, dict) else ""


def read_curves(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Training curves from ``losses.jsonl``: one JSON object a line, with ``epoch`` and losses.

    Numbers in a nested object (``{"train": {"loss": 1.0}}``) are named ``train loss``. What is not finite is
    left out, such as the loss before the first epoch. Raises DataError at a line that is not such an object.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    if not path.exists():
        return curves
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            row = json.loads(line)
            x = float(row.get("epoch", row.get("step", number)))
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise DataError("not a line of losses in JSON", f"{path}:{number}") from None
        for name, value in _numbers(row):
            if name not in ("epoch", "step", "seconds", "lr"):
                curves.setdefault(name, []).append((x, value))
    return curves


def _numbers(row: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in row.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key} ")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{prefix}{key}", float(value)
