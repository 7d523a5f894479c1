"""A packed voice's graphs, sung with by onnxruntime: what singing asks of models, without torch."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph
from nnsvs_lite.io.settings import Settings, Within
from nnsvs_lite.models.chance import frame_noise, note_noise
from nnsvs_lite.models.example import Example, note_seeds, utterance_seed
from nnsvs_lite.models.habit import Habit
from nnsvs_lite.models.pack import GRAPHS, Pack
from nnsvs_lite.models.voice import Program, WorldProgram

PROGRAMS: dict[str, type[Program]] = {"World": WorldProgram}
"""Vocoders that need no graph."""
GIVEN = {"timelag": ("time_lag",), "duration": ("mean",)}
"""Outputs that timing models have at least."""
FACTS, SPEC = f"{GRAPHS}graphs.json", f"{GRAPHS}spec.json"
"""In a packed voice: :class:`VoiceFacts`, and the specification. Beside them lies ``FAMILY.onnx``."""
HOW = "'nnsvs-lite pack --onnx' makes one with graphs; torch (nnsvs_lite[recipes]) needs none"


@dataclass(frozen=True)
class Draw:
    """What an input is that is drawn by chance: ``frame``, ``note`` or ``habit``, its size and its step."""

    what: Literal["frame", "note", "habit"]
    size: Annotated[int, Within(1, 1 << 16)]
    step: Annotated[int, Within(-1, 1 << 16)] = 0


@dataclass(frozen=True)
class Stored:
    """Where in the model's checkpoint a graph's weights lie: entry of the archive, type and shape."""

    entry: str
    kind: Literal["float32", "float16", "int64"]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class HabitFacts:
    """:class:`~nnsvs_lite.models.habit.Habit` in numbers."""

    presence: tuple[tuple[float, ...], ...]
    habit: tuple[tuple[tuple[float, ...], ...], ...]
    spread: tuple[tuple[tuple[float, ...], ...], ...]

    @cached_property
    def arrays(self) -> Habit:
        """To be drawn from."""
        return Habit(*(np.array(value) for value in (self.presence, self.habit, self.spread)))


@dataclass(frozen=True)
class GraphFacts:
    """What is not in a graph and must be known to run it.

    Attributes:
        draws: what is drawn by chance for its inputs ``draw0`` and so on. curves: those that it may be told.
        habit: what vibrato is drawn from. weights: of the graph, by name, that its checkpoint holds.
    """

    draws: tuple[Draw, ...] = ()
    curves: tuple[str, ...] = ()
    habit: HabitFacts | None = None
    weights: dict[str, Stored] = field(default_factory=dict)


@dataclass(frozen=True)
class VoiceFacts:
    """Of a voice's graphs by family; ``vocoder``: one of :data:`PROGRAMS`."""

    models: dict[str, GraphFacts]
    vocoder: str


def inputs_of(
    example: Example, facts: GraphFacts, spec: Spec, seed: int = 0, temperature: float = 1.0
) -> dict[str, np.ndarray]:
    """All that graphs may be told of an utterance, a batch of one."""
    score, shift = example.score, spec.frame_shift
    seeds = score.note_seed
    if seeds is None:
        seeds = note_seeds(utterance_seed(seed, example.utt), len(score.note_context))
    told = {
        "note_context": score.note_context.astype(np.float32),
        "phone_context": score.phone_context.astype(np.float32),
        "note_index": score.note_index.astype(np.int64),
        "note_frames": (score.note_time / shift).astype(np.float32),
        "note_seed": seeds.astype(np.int64),
        "singer": np.int64(example.singer),
        "language": np.int64(example.language),
    }
    if score.duration is not None:
        told["duration"] = score.duration.astype(np.int64)
        told["phone"] = np.repeat(np.arange(len(score.duration)), score.duration)
    seeded = replace(example, score=replace(score, note_seed=seeds))
    for number, draw in enumerate(facts.draws):
        if draw.what == "habit":
            drawn = facts.habit.arrays.wave(seeded, spec, temperature)[:, None]
        elif draw.what == "note":
            drawn = note_noise(seeded, draw.size)
        else:
            drawn = frame_noise(example, draw.size, seed, draw.step)
        told[f"draw{number}"] = drawn.astype(np.float32)
    for name in facts.curves:
        # Where none is told the voice has its own.
        told[f"told_{name}"] = example.given.get(name, np.full((example.frames, 1), np.nan, np.float32))
    whole = {name: np.asarray(value)[None] for name, value in told.items()}
    return whole | {"temperature": np.array(temperature, np.float32)}


class OnnxModel:
    """A time-lag, duration or acoustic model, computed by its graph, an utterance at a time."""

    def __init__(self, graph: Graph, facts: GraphFacts, spec: Spec):
        self.graph, self.facts, self.spec = graph, facts, spec
        self.curves = facts.curves
        if any(draw.what == "habit" for draw in facts.draws):
            if facts.habit is None:
                raise ValueError("draws by a habit that is not there")
            facts.habit.arrays.check_fits(spec)

    def compute(
        self, examples: Sequence[Example], seed: int = 0, temperature: float = 1.0
    ) -> dict[str, np.ndarray]:
        """See :meth:`nnsvs_lite.models.voice.Model.compute`."""
        rows = []
        for example in examples:
            told = inputs_of(example, self.facts, self.spec, seed, temperature)
            if unknown := self.graph.inputs.keys() - told.keys():
                raise DataError(f"asks for an unknown input, {min(unknown)}", self.graph.path)
            rows.append(self.graph(**{name: told[name] for name in self.graph.inputs}))
        out = {}
        for name in rows[0]:
            values = [row[name][0] for row in rows]
            longest = max(map(len, values))
            out[name] = np.zeros((len(rows), longest, *values[0].shape[1:]), values[0].dtype)
            for place, value in zip(out[name], values):
                place[: len(value)] = value
        return out

    def repitched(self, streams: dict[str, np.ndarray], before: np.ndarray) -> dict[str, np.ndarray]:
        """See :meth:`nnsvs_lite.models.voice.FeatureModel.repitched`: there is no mel without torch."""
        return streams


def load_graphs(path: str | os.PathLike, vocoder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The models of a packed voice by family, for :class:`~nnsvs_lite.synthesis.singer.Singer`.

    ``vocoder`` names another than its own, ``world``.

    Raises DataError where it is no packed voice, has no graphs, or they are not what it says.
    """
    if not Path(path).is_file():
        raise DataError(f"onnxruntime sings with a packed voice; {HOW}", path)
    pack = Pack.read(path)
    if FACTS not in pack.files:
        raise DataError(f"has no graphs for onnxruntime; {HOW}", path)
    try:
        spec = Spec.from_dict(json.loads(pack.files[SPEC]), pack.path, "pack it again")
        facts = Settings(json.loads(pack.files[FACTS]), f"{pack.path}/{FACTS}").build(VoiceFacts)
        graphs = {}
        for name, told in facts.models.items():
            checkpoint = pack.checkpoint(name).getvalue() if told.weights else b""
            graphs[name] = loaded(f"{pack.path}/{name}", pack.files[f"{GRAPHS}{name}.onnx"], told, checkpoint)
        models: dict[str, Any] = {}
        for family, given in (GIVEN | {"acoustic": tuple(spec.streams)}).items():
            if missing := set(given) - graphs[family].outputs.keys():
                raise ValueError(f"that of {family} gives no {min(missing)}")
            models[family] = OnnxModel(graphs[family], facts.models[family], spec)
        programs = {name.lower(): kind for name, kind in PROGRAMS.items()}
        wanted = facts.vocoder.lower() if vocoder is None else os.fspath(vocoder)
        if wanted not in programs or not set(programs[wanted].inputs) <= set(spec.streams):
            raise DataError(f"{wanted} is no vocoder that sings without torch", path)
        return models | {"vocoder": programs[wanted](spec)}
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"damaged: its graphs are not as it says: {reason}", pack.path) from None


def loaded(name: str, data: bytes, facts: GraphFacts, checkpoint: bytes) -> Graph:
    """A graph, with the weights that it shares with its model's checkpoint."""
    weights = {}
    if facts.weights:
        with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
            for weight, at in facts.weights.items():
                weights[weight] = np.frombuffer(archive.read(at.entry), at.kind).reshape(at.shape)
    return Graph(name, data, weights, simplified=True)
