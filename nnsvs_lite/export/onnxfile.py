"""Torch modules as ONNX files."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnsvs_lite.io.atomic import write_bytes
from nnsvs_lite.io.graph import package

if TYPE_CHECKING:
    from torch import nn

OPSET = 17
WHOLE = {"tokens", "durations", "ph_dur", "note_dur", "word_div", "word_dur", "ph_midi", "steps", "languages"}
TRUTH = {"note_rest", "retake", "x_masks"}
"""Inputs that are whole numbers or truth values; others are float32."""


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
    example = _examples(module.inputs, {"N": 5, "T": 40, "W": 2, "M": 3} | sizes)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, graph_of(module, example, all_inputs=True).SerializeToString())


def graph_of(
    module: nn.Module,
    example: dict[str, np.ndarray],
    all_inputs: bool = False,
    fold: bool = True,
    opset: int = OPSET,
) -> Any:
    """The ONNX model of a module that says its ``inputs`` and ``outputs``, traced with an example; with
    ``all_inputs`` also those that nothing is computed from. Without ``fold`` weights stay as they are.
    """
    import torch

    onnx = package("onnx")
    lengths = {
        name: {i: f"{name}_{letter}" for i, letter in enumerate(shape) if letter in "NPTWM"}
        for name, shape in module.inputs.items()
    }
    buffer = io.BytesIO()
    # What cannot be exported is printed whole.
    with torch.no_grad(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(torch.from_numpy(value) for value in example.values()),
            buffer,
            input_names=list(example),
            output_names=list(module.outputs),
            dynamic_axes=lengths | {name: {1: f"{name}_L"} for name in module.outputs},
            opset_version=opset,
            dynamo=False,
            do_constant_folding=fold,
        )
    model = onnx.load_from_string(buffer.getvalue())
    if all_inputs:
        kept = {value.name: value for value in model.graph.input}
        del model.graph.input[:]
        for name, value in example.items():
            kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            shape = [lengths[name].get(i, size) for i, size in enumerate(value.shape)]
            told = onnx.helper.make_tensor_value_info(name, kind, shape)
            model.graph.input.append(kept.get(name, told))
    onnx.checker.check_model(model)
    return model
