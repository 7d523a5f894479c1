"""A packed voice's graphs, sung with by onnxruntime: what singing asks of models, without torch."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import check_stored
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph
from nnsvs_lite.io.settings import Settings
from nnsvs_lite.models.chance import frame_noise, note_noise
from nnsvs_lite.models.example import Example, note_seeds, utterance_seed
from nnsvs_lite.models.graphfacts import GraphFacts, VoiceFacts
from nnsvs_lite.models.onnxvocoder import OnnxVocoder
from nnsvs_lite.models.pack import FACTS, GRAPHS, Pack
from nnsvs_lite.models.voice import NAMED, PROGRAMS, GriffinLimProgram, Vocoder, check_streams

GIVEN = {"timelag": ("time_lag",), "duration": ("mean",)}
"""Outputs that timing models have at least."""
SPEC = f"{GRAPHS}spec.json"
"""In a packed voice, the specification. Beside it lie :class:`VoiceFacts` and ``FAMILY.onnx``."""
REPITCH, RUNNING = "repitch", "running"
"""Graphs beside those of families: for :meth:`OnnxModel.repitched`, and of what runs on in a vocoder."""
HOW = "'nnsvs-lite pack --onnx' makes one with graphs; torch (nnsvs_lite[recipes]) needs none"


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

    def __init__(self, graph: Graph, facts: GraphFacts, spec: Spec, repitch: Graph | None = None):
        self.graph, self.facts, self.spec, self._repitch = graph, facts, spec, repitch
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
        """See :meth:`nnsvs_lite.models.voice.FeatureModel.repitched`."""
        if self._repitch is None:
            return streams
        told = streams | {"before": before}
        made = self._repitch(**{name: told[name][None] for name in self._repitch.inputs})
        return streams | {"mel": made["sung"][0]}


def load_graphs(path: str | os.PathLike, vocoder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The models of a packed voice by family, for :class:`~nnsvs_lite.synthesis.singer.Singer`.

    ``vocoder`` names another than its own, ``world`` or ``griffin_lim``.

    Raises DataError where it is no packed voice, has no graphs, or they are not what it says.
    """
    if not Path(path).is_file():
        raise DataError(f"onnxruntime sings with a packed voice; {HOW}", path)
    pack = Pack.read(path)
    if FACTS not in pack.files:
        raise DataError(f"has no graphs for onnxruntime; {HOW}", path)
    return models_of(pack.files, pack.path, lambda family: pack.checkpoint(family).getvalue(), vocoder)


def models_of(
    files: Mapping[str, bytes],
    path: str | os.PathLike,
    checkpoint: Callable[[str], bytes],
    vocoder: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """:func:`load_graphs` of a voice's files by name; ``checkpoint`` gives that of a family."""
    try:
        spec = Spec.from_dict(json.loads(files[SPEC]), path, "pack it again")
        facts = Settings(json.loads(files[FACTS]), f"{path}/{FACTS}").build(VoiceFacts)
        graphs = {}
        for name, told in facts.models.items():
            family = facts.wave.weights_of if facts.wave and name == "vocoder" else name
            weights = checkpoint(family) if told.weights else b""
            graphs[name] = loaded(f"{path}/{name}", files[f"{GRAPHS}{name}.onnx"], told, weights)
        models: dict[str, Any] = {}
        for family, given in (GIVEN | {"acoustic": tuple(spec.streams)}).items():
            if missing := set(given) - graphs[family].outputs.keys():
                raise ValueError(f"that of {family} gives no {min(missing)}")
            more = (graphs.get(REPITCH),) if family == "acoustic" else ()
            models[family] = OnnxModel(graphs[family], facts.models[family], spec, *more)
        return models | {"vocoder": _vocoder(facts, graphs, spec, vocoder, path)}
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"damaged: its graphs are not as it says: {reason}", path) from None


def _vocoder(
    facts: VoiceFacts, graphs: dict[str, Graph], spec: Spec, named: Any, path: str | os.PathLike
) -> Vocoder:
    """That of the voice, or the one that is named."""
    if named is None and facts.wave is not None:
        told = (facts.wave, facts.models["vocoder"].draws, spec)
        return OnnxVocoder(facts.vocoder, graphs["vocoder"], graphs.get(RUNNING), *told)
    kind = PROGRAMS.get(facts.vocoder) if named is None else NAMED.get(os.fspath(named))
    if kind is None:
        raise DataError(f"{named or facts.vocoder} is no vocoder that sings without torch", path)
    check_streams(kind.inputs, spec.feature_config, spec, named or path)
    own = facts.griffin_lim if named is None and kind is GriffinLimProgram else None
    return kind(spec, **(asdict(own) if own else {}))


def loaded(name: str, data: bytes, facts: GraphFacts, checkpoint: bytes) -> Graph:
    """A graph, with the weights that it shares with its model's checkpoint."""
    weights = {}
    if facts.weights:
        with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
            check_stored(archive, len(checkpoint), name)
            for weight, at in facts.weights.items():
                weights[weight] = np.frombuffer(archive.read(at.entry), at.kind).reshape(at.shape)
    # Of a vocoder much hangs on weights alone, and it is run for long.
    return Graph(name, data, weights, simplified=not name.endswith("vocoder"))
