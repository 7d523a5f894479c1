"""What the graphs of a packed voice have in common: they are simplified, share weights with checkpoints, and
are compared with their models.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from nnsvs_lite.io.graph import package
from nnsvs_lite.models.graphfacts import Stored

ALIKE = 1e-3
"""The largest :func:`difference` that is allowed."""
TYPES = {1: "float32", 10: "float16", 7: "int64"}
"""Of weights, by ONNX' numbers."""
NUMBERS = {kind: number for number, kind in TYPES.items()}
SMALLEST = 4096
"""Bytes of weights that are worth sharing with a checkpoint."""


def difference(there: np.ndarray, made: np.ndarray) -> float:
    """The largest between what is there and what a graph ``made``; of numbers above 1, as a part of them."""
    if there.shape != made.shape:
        return float("inf")
    return float((np.abs(there - made) / np.maximum(1.0, np.abs(there))).max(initial=0.0))


def check_alike(name: str, there: np.ndarray, made: np.ndarray) -> None:
    """Raises ValueError where a graph ``made`` other numbers than there are."""
    if not (away := difference(there, made)) <= ALIKE:
        raise ValueError(f"its {name} would be {away:.2g} off")


def share(graph: Any, checkpoint: bytes) -> dict[str, Stored]:
    """Takes weights out of a graph that its model's checkpoint holds byte by byte; where they are there."""
    shared: dict[str, Stored] = {}
    if not checkpoint:
        return shared
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        entries = {hashlib.sha256(archive.read(n)).digest(): n for n in archive.namelist()}
    for weight in list(graph.graph.initializer):
        kind = TYPES.get(weight.data_type)
        entry = entries.get(hashlib.sha256(weight.raw_data).digest())
        if kind and entry and len(weight.raw_data) >= SMALLEST:
            shared[weight.name] = Stored(entry, kind, tuple(weight.dims))
            graph.graph.initializer.remove(weight)
    return shared


def simpler(graph: Any, shared: Mapping[str, Stored]) -> bytes:
    """The graph with all computed that hangs on no input: it loads in a third of the time. Weights that lie
    elsewhere are inputs meanwhile, so that they stay as they are.
    """
    onnx, ort = package("onnx"), package("onnxruntime")
    for name, at in shared.items():
        graph.graph.input.append(onnx.helper.make_tensor_value_info(name, NUMBERS[at.kind], at.shape))
    with tempfile.TemporaryDirectory() as folder:
        options, path = ort.SessionOptions(), f"{folder}/graph.onnx"
        options.log_severity_level, options.optimized_model_filepath = 4, path
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(path)
    for value in list(graph.graph.input):
        if value.name in shared:
            graph.graph.input.remove(value)
    return written(graph, shared)


def written(graph: Any, shared: Mapping[str, Stored]) -> bytes:
    """The graph with weights that lie in a checkpoint."""
    for name, at in shared.items():
        weight = graph.graph.initializer.add(name=name, data_type=NUMBERS[at.kind], dims=at.shape)
        weight.data_location = 1
        weight.external_data.add(key="location", value="checkpoint")
    return graph.SerializeToString()
