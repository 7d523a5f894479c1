"""A voice's models as graphs for onnxruntime, each the whole way from what it is told to what it gives.

What is drawn by chance comes in: graphs draw nothing. Each is compared with its model before it is kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.export.onnxfile import graph_of
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import package
from nnsvs_lite.models.base import SvsModel
from nnsvs_lite.models.batch import Batch, ScoreBatch
from nnsvs_lite.models.example import Example
from nnsvs_lite.models.layers.noise import drawn_by
from nnsvs_lite.models.layers.vibrato_habit import VibratoHabit
from nnsvs_lite.models.onnxvoice import (
    FACTS,
    PROGRAMS,
    SPEC,
    Draw,
    GraphFacts,
    HabitFacts,
    OnnxModel,
    Stored,
    VoiceFacts,
    inputs_of,
    loaded,
)
from nnsvs_lite.models.pack import GRAPHS
from nnsvs_lite.score.types import Note, Score
from nnsvs_lite.synthesis.phrases import example_of
from nnsvs_lite.synthesis.vocoder import choose_vocoder

ALIKE = 1e-3
"""How far a graph's numbers may be from its model's; of those above 1, as a part of them."""
SHAPES = {"note_context": "1NC", "phone_context": "1PC", "note_index": "1P", "note_frames": "1N2"}
SHAPES |= {"note_seed": "1N", "singer": "1", "language": "1"}
TIMED = {"duration": "1P", "phone": "1T", "temperature": ""}
TUNES = ((2, 0.1), (5, 0.2), (9, 0.5))
"""Notes, and seconds of the shortest one, of what graphs are traced with, and compared in."""
HEAT = 0.7
TYPES = {1: "float32", 10: "float16", 7: "int64"}
"""Of weights, by ONNX' numbers."""
SMALLEST = 4096
"""Bytes of weights that are worth sharing with a checkpoint."""


class Told(nn.Module):
    """A model that is told single tensors, of one utterance."""

    def __init__(self, model: SvsModel, facts: GraphFacts, outputs: list[str]):
        super().__init__()
        self.model, self.facts, self.outputs = model, facts, outputs
        self.inputs = dict(SHAPES)
        if model.family == "acoustic":
            self.inputs |= TIMED | {f"draw{i}": "1TD" for i in range(len(facts.draws))}
            self.inputs |= {f"told_{name}": "1T1" for name in facts.curves}

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        told = dict(zip(self.inputs, values))
        heat, phone = told.pop("temperature", 1.0), told.get("phone")
        singer, language = told.pop("singer"), told.pop("language")
        draws = [told.pop(f"draw{i}") for i in range(len(self.facts.draws))]
        given = {name: told.pop(f"told_{name}") for name in self.facts.curves}
        counts = {
            f"{name}_lengths": torch.ones_like(told[f"{name}_context"][..., 0]).long().sum(1)
            for name in ("note", "phone")
        }
        score = ScoreBatch(**told, **counts)
        frames, lengths = (0, singer * 0) if phone is None else (phone.shape[1], score.duration.sum(1))
        batch = Batch(["song"], lengths, frames, singer, language, score=score, temperature=heat, given=given)
        wanted = [*zip(self.facts.draws, draws)]

        def draw(what: str, size: int, step: int) -> Tensor:
            known, value = wanted.pop(0)
            if known != Draw(what, size, step):
                raise ValueError("it draws otherwise each time")
            return value

        with drawn_by(draw):
            out = self.model.infer(self.model.heard(batch))
        return tuple(out[name] for name in self.outputs)


def tune(spec: Spec, notes: int, length: float) -> Example:
    """So many notes between two rests, each a consonant and a vowel of the voice, with durations."""
    own = spec.languages[0].language
    vowels = [p for p in own.features if p in own.vowels]
    others = [p for p in own.features if p not in own.vowels] or vowels
    rows = [Note(0.0, 0.2, 0, phones=("pau",))]
    for n in range(notes):
        start = rows[-1].end
        phones = (others[n % len(others)], vowels[n % len(vowels)])
        rows.append(Note(start, start + length * (1 + n % 3), 60 + 3 * n % 11, "a", phones))
    rows.append(Note(rows[-1].end, rows[-1].end + 0.2, 0, phones=("pau",)))
    example = example_of(f"tune{notes}", Score(tuple(rows), own.code), spec)
    frames = np.round(np.diff(example.score.note_time, axis=1)[:, 0] / spec.frame_shift).astype(int)
    parts = np.bincount(example.score.note_index)
    duration = np.concatenate([[n] if k == 1 else [n // 3, n - n // 3] for n, k in zip(frames, parts)])
    return example.timed(duration)


def graph_files(models: Mapping[str, SvsModel], checkpoints: Mapping[str, bytes]) -> dict[str, bytes]:
    """What goes into a packed voice beside its models, given by family: graphs, and what is to be known of
    them.

    Raises DataError for a model that cannot be a graph, or whose graph gives other numbers.
    """
    package("onnx")
    spec, files, facts = models["acoustic"].spec, {}, {}
    vocoder = choose_vocoder(spec, models.get("vocoder") or models["acoustic"].own_vocoder()).name
    if vocoder not in PROGRAMS:
        raise DataError(f"the vocoder {vocoder} cannot be sung with by onnxruntime")
    for family in ("timelag", "duration", "acoustic"):
        made, facts[family] = graph_and_facts(models[family], checkpoints[family])
        files[f"{GRAPHS}{family}.onnx"] = made
    files[SPEC] = json.dumps(spec.to_dict(), ensure_ascii=False).encode()
    files[FACTS] = json.dumps(asdict(VoiceFacts(facts, vocoder)), ensure_ascii=False).encode()
    return files


def graph_and_facts(model: SvsModel, checkpoint: bytes = b"") -> tuple[bytes, GraphFacts]:
    """A model's graph that was compared with it, and its facts; without weights that a checkpoint holds."""
    name, timed, spec = type(model).__name__, model.family == "acoustic", model.spec
    short, *others = (tune(spec, *size) if timed else tune(spec, *size).timed(None) for size in TUNES)
    others[-1] = replace(others[-1], singer=max(len(spec.speakers) - 1, 0))
    draws: list[Draw] = []
    try:
        with drawn_by(lambda *what: draws.append(Draw(*what))):
            outputs = [*model.compute([short])]
        habit = next((part.learnt for part in model.modules() if isinstance(part, VibratoHabit)), None)
        told = habit and HabitFacts(*(x.tolist() for x in habit))
        facts = GraphFacts(tuple(draws), getattr(model, "curves", ()), told)
        module = Told(model, facts, outputs)
        inputs = inputs_of(short, facts, spec)
        graph = graph_of(module, {name: inputs[name] for name in module.inputs}, fold=False)
        weights = _share(graph, checkpoint) if checkpoint else {}
        facts, made = replace(facts, weights=weights), _simpler(graph, weights)
        run = OnnxModel(loaded(name, made, facts, checkpoint), facts, spec)
        for seed, example in enumerate(others):
            sung = run.compute([example], seed, HEAT)
            for which, value in model.compute([example], seed, HEAT).items():
                away = (np.abs(value - sung[which]) / np.maximum(1.0, np.abs(value))).max()
                if not away <= ALIKE:
                    raise ValueError(f"its {which} would be {away:.2g} off")
    except Exception as error:  # the exporter raises anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{name} cannot be sung with by onnxruntime: {reason[:200]}") from None
    return made, facts


def _share(graph: Any, checkpoint: bytes) -> dict[str, Stored]:
    """Takes weights out of a graph that its model's checkpoint holds byte by byte; where they are there."""
    shared = {}
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        entries = {hashlib.sha256(archive.read(n)).digest(): n for n in archive.namelist()}
    for weight in list(graph.graph.initializer):
        kind = TYPES.get(weight.data_type)
        entry = entries.get(hashlib.sha256(weight.raw_data).digest())
        if kind and entry and len(weight.raw_data) >= SMALLEST:
            shared[weight.name] = Stored(entry, kind, tuple(weight.dims))
            graph.graph.initializer.remove(weight)
    return shared


def _simpler(graph: Any, shared: Mapping[str, Stored]) -> bytes:
    """The graph with all computed that hangs on no input: it loads in a third of the time. Weights that lie
    elsewhere are inputs meanwhile, so that they stay as they are.
    """
    onnx, ort = package("onnx"), package("onnxruntime")
    numbers = {kind: number for number, kind in TYPES.items()}
    for name, at in shared.items():
        graph.graph.input.append(onnx.helper.make_tensor_value_info(name, numbers[at.kind], at.shape))
    with tempfile.TemporaryDirectory() as folder:
        options, path = ort.SessionOptions(), f"{folder}/graph.onnx"
        options.log_severity_level, options.optimized_model_filepath = 4, path
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(path)
    for value in list(graph.graph.input):
        if at := shared.get(value.name):
            graph.graph.input.remove(value)
            place = {"data_type": numbers[at.kind], "dims": at.shape}
            weight = graph.graph.initializer.add(name=value.name, data_location=1, **place)
            weight.external_data.add(key="location", value="checkpoint")
    return graph.SerializeToString()
