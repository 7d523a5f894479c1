"""ONNX files, as who runs them sees them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.onnxdata import ELSEWHERE, outside

if TYPE_CHECKING:
    import onnxruntime


def threads() -> int:
    """To compute with: what ``OMP_NUM_THREADS`` says (of a list the first), else the cores that are ours."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if told.isdigit() and int(told):
        return int(told)
    # Not every system can bind processes to cores.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def package(name: str, extra: str = "export") -> ModuleType:
    """A package of an extra. Raises DataError where it is missing."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise DataError(f"this needs {name}: pip install 'nnsvs_lite[{extra}]'") from None


@dataclass(frozen=True)
class Value:
    """An input or output of a graph: ``kind`` as ``int64``, ``shape`` with None for lengths that vary."""

    kind: str
    shape: tuple[int | None, ...]


class Graph:
    """An ONNX file, loaded.

    Args:
        data: its content, where ``path`` is only its name. weights: those that are not in it, by name.
        simplified: whether it is already, so that it need not be before it is run.

    Attributes:
        inputs, outputs: by name, in order.

    Raises DataError where it cannot be loaded, or names other files than what ``weights`` holds.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        data: bytes | None = None,
        weights: Mapping[str, np.ndarray] | None = None,
        simplified: bool = False,
    ):
        ort = package("onnxruntime")
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads()
        # Of its own format onnxruntime could read other files just the same.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        if simplified:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        if weights:
            values = [ort.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
            options.add_external_initializers([*weights], values)
        try:
            data = Path(path).read_bytes() if data is None else data
            if sorted(outside(data)) != sorted(weights or ()):
                raise ValueError(ELSEWHERE)
            self.session: onnxruntime.InferenceSession = ort.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises classes of its own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DataError(f"no ONNX network that can be loaded ({reason[:200]})", path) from None
        self.inputs = {v.name: _value(v) for v in self.session.get_inputs()}
        self.outputs = {v.name: _value(v) for v in self.session.get_outputs()}
        self.path = Path(path)

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name. Raises DataError where it cannot be computed."""
        try:
            return dict(zip(self.outputs, self.session.run(None, inputs)))
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"cannot be run: {reason[:300]}", self.path) from None


def _value(told) -> Value:
    names = {"float": "float32", "double": "float64"}
    kind = told.type.removeprefix("tensor(").removesuffix(")")
    return Value(names.get(kind, kind), tuple(n if isinstance(n, int) else None for n in told.shape))
