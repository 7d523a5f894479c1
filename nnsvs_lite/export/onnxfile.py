"""Torch modules as ONNX files, and ONNX files as what a player sees of them."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from nnsvs_lite.io.atomic import write_bytes
from nnsvs_lite.io.errors import DataError

if TYPE_CHECKING:
    import onnxruntime
    from torch import nn

OPSET = 17
WHOLE = {"tokens", "durations", "ph_dur", "note_dur", "word_div", "word_dur", "ph_midi", "steps", "languages"}
TRUTH = {"note_rest", "retake", "x_masks"}
"""Inputs that are whole numbers or truth values; others are float32."""


def package(name: str, extra: str = "export") -> ModuleType:
    """A package of an extra. Raises DataError where it is missing."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise DataError(f"this needs {name}: pip install 'nnsvs_lite[{extra}]'") from None


def kind_of(name: str) -> type:
    """The type of an input's numbers."""
    return np.int64 if name in WHOLE else np.bool_ if name in TRUTH else np.float32


def _examples(inputs: dict[str, str], sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Something that can be computed: lengths add up, and all else is 1."""
    out, parts = {}, {"durations": "T", "ph_dur": "T", "note_dur": "T", "word_div": "N"}
    for name, shape in inputs.items():
        value = np.ones([sizes.get(letter, 1) for letter in shape], kind_of(name))
        if name in parts:
            value[0, -1] += sizes[parts[name]] - value.sum()
        out[name] = value
    return out


def write_onnx(module: nn.Module, path: Path, **sizes: int) -> None:
    """Writes a module as ONNX. It says of itself ``inputs``, names with a letter (or 1) for each dimension,
    and the names of its ``outputs``; ``sizes`` are of letters that do not vary, as B=128.

    Inputs that nothing is computed from are kept, since a player tells them whether they are needed or not.
    """
    import torch

    onnx = package("onnx")
    example = _examples(module.inputs, {"N": 5, "T": 40, "W": 2, "M": 3} | sizes)
    lengths = {
        name: {i: f"{name}_{letter}" for i, letter in enumerate(shape) if letter in "NTWM"}
        for name, shape in module.inputs.items()
    }
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(torch.from_numpy(value) for value in example.values()),
            buffer,
            input_names=list(example),
            output_names=list(module.outputs),
            dynamic_axes=lengths | {name: {1: f"{name}_L"} for name in module.outputs},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    kept = {value.name: value for value in model.graph.input}
    del model.graph.input[:]
    for name, value in example.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        shape = [lengths[name].get(i, size) for i, size in enumerate(value.shape)]
        told = onnx.helper.make_tensor_value_info(name, kind, shape)
        model.graph.input.append(kept.get(name, told))
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, model.SerializeToString())


@dataclass(frozen=True)
class Value:
    """An input or output of a graph: ``kind`` as ``int64``, ``shape`` with None for lengths that vary."""

    kind: str
    shape: tuple[int | None, ...]


class Graph:
    """An ONNX file, as a player loads it.

    Attributes:
        inputs, outputs: by name, in order.
    """

    def __init__(self, path: str | os.PathLike):
        """Raises DataError where it cannot be loaded."""
        ort = package("onnxruntime")
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0) or 0)
        try:
            self.session: onnxruntime.InferenceSession = ort.InferenceSession(
                os.fspath(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises classes of its own
            reason = str(error).strip().splitlines()[0]
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
