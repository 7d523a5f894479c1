"""A voice's models as graphs for onnxruntime, each the whole way from what it is told to what it gives.

What is drawn by chance comes in: graphs draw nothing. Each is compared with its model before it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.export.onnxfile import graph_of
from nnsvs_lite.export.sharing import check_alike, share, simpler
from nnsvs_lite.export.wavegraphs import vocoder_graphs
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph, package
from nnsvs_lite.models.base import AcousticModel, SvsModel
from nnsvs_lite.models.batch import Batch, ScoreBatch
from nnsvs_lite.models.example import Example
from nnsvs_lite.models.graphfacts import Draw, GraphFacts, GriffinLimFacts, HabitFacts, VoiceFacts
from nnsvs_lite.models.layers.noise import drawn_by
from nnsvs_lite.models.layers.vibrato_habit import VibratoHabit
from nnsvs_lite.models.neural import NeuralAcoustic
from nnsvs_lite.models.onnxvoice import REPITCH, SPEC, OnnxModel, inputs_of, loaded
from nnsvs_lite.models.pack import FACTS, GRAPHS
from nnsvs_lite.models.voice import PROGRAMS
from nnsvs_lite.score.types import Note, Score
from nnsvs_lite.synthesis.phrases import example_of
from nnsvs_lite.synthesis.vocoder import checked, choose_vocoder

SHAPES = {"note_context": "1NC", "phone_context": "1PC", "note_index": "1P", "note_frames": "1N2"}
SHAPES |= {"note_seed": "1N", "singer": "1", "language": "1"}
TIMED = {"duration": "1P", "phone": "1T", "temperature": ""}
TUNES = ((2, 0.1), (5, 0.2), (9, 0.5))
"""Notes, and seconds of the shortest one, of what graphs are traced with, and compared in."""
HEAT = 0.7


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
    acoustic = models["acoustic"]
    spec, files, facts = acoustic.spec, {}, {}
    for family in ("timelag", "duration", "acoustic"):
        files[family], facts[family] = graph_and_facts(models[family], checkpoints[family])
    tunes = [_sung(acoustic, tune(spec, *size)) for size in TUNES]
    with _named(acoustic):
        if isinstance(acoustic, NeuralAcoustic) and "mel" in spec.streams:
            files[REPITCH], facts[REPITCH] = _repitched(acoustic, tunes), GraphFacts()
    owner = "vocoder" if "vocoder" in models else "acoustic"
    vocoder, wave = choose_vocoder(spec, models.get("vocoder") or acoustic.own_vocoder()), None
    if vocoder.name not in PROGRAMS:
        sung = [Example("tune", streams=checked(vocoder, example.streams)) for example in tunes]
        with _named(vocoder):
            more, told, wave = vocoder_graphs(vocoder, checkpoints[owner], owner, sung)
        files, facts = files | more, facts | told
    griffin_lim = GriffinLimFacts(**vocoder.options) if vocoder.name == "GriffinLim" else None
    voice = VoiceFacts(facts, vocoder.name, griffin_lim, wave)
    files = {f"{GRAPHS}{name}.onnx": data for name, data in files.items()}
    files[SPEC] = json.dumps(spec.to_dict(), ensure_ascii=False).encode()
    files[FACTS] = json.dumps(asdict(voice), ensure_ascii=False).encode()
    return files


@contextmanager
def _named(model: SvsModel) -> Iterator[None]:
    """Whatever goes wrong within is a DataError that says of which model."""
    try:
        yield
    except Exception as error:  # the exporter raises anything
        kind, reason = type(model).__name__, (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{kind} cannot be sung with by onnxruntime: {reason[:200]}") from None


def _sung(model: AcousticModel, example: Example) -> Example:
    """With the streams that a model sings."""
    streams = {name: value[0] for name, value in model.compute([example]).items()}
    return replace(example, streams={name: streams[name] for name in model.spec.streams})


class RepitchedGraph(nn.Module):
    """What another pitch makes of spectra."""

    inputs = {"lf0": "1TD", "vuv": "1TD", "mel": "1TD", "before": "1TD"}
    outputs = ("sung",)

    def __init__(self, model: NeuralAcoustic):
        super().__init__()
        self.steps = model.space.floor.steps

    def forward(self, lf0: Tensor, vuv: Tensor, mel: Tensor, before: Tensor) -> Tensor:
        return self.steps.sung({"lf0": lf0, "vuv": (vuv > 0.5).float(), "mel": mel}, before)["mel"]


def _repitched(model: NeuralAcoustic, examples: Sequence[Example]) -> bytes:
    """The graph of :meth:`NeuralAcoustic.repitched`, which was compared with it."""
    data = None
    for example in examples:
        told = example.streams | {"before": example.streams["lf0"] - 0.1}
        told = {name: told[name][None] for name in RepitchedGraph.inputs}
        data = data or graph_of(RepitchedGraph(model), told).SerializeToString()
        made = Graph(REPITCH, data)(**told)["sung"][0]
        check_alike("mel", model.repitched(example.streams, told["before"][0])["mel"], made)
    return data


def graph_and_facts(model: SvsModel, checkpoint: bytes = b"") -> tuple[bytes, GraphFacts]:
    """A model's graph that was compared with it, and its facts; without weights that a checkpoint holds.

    Raises DataError as :func:`graph_files`.
    """
    with _named(model):
        return _compared(model, checkpoint)


def _compared(model: SvsModel, checkpoint: bytes) -> tuple[bytes, GraphFacts]:
    timed, spec = model.family == "acoustic", model.spec
    short, *others = (tune(spec, *size) if timed else tune(spec, *size).timed(None) for size in TUNES)
    others[-1] = replace(others[-1], singer=max(len(spec.speakers) - 1, 0))
    draws: list[Draw] = []
    with drawn_by(lambda *what: draws.append(Draw(*what))):
        outputs = [*model.compute([short])]
    habit = next((part.learnt for part in model.modules() if isinstance(part, VibratoHabit)), None)
    told = habit and HabitFacts(*(x.tolist() for x in habit))
    facts = GraphFacts(tuple(draws), getattr(model, "curves", ()), told)
    module = Told(model, facts, outputs)
    inputs = inputs_of(short, facts, spec)
    graph = graph_of(module, {name: inputs[name] for name in module.inputs}, fold=False)
    weights = share(graph, checkpoint)
    facts, made = replace(facts, weights=weights), simpler(graph, weights)
    run = OnnxModel(loaded(model.family, made, facts, checkpoint), facts, spec)
    for seed, example in enumerate(others):
        sung = run.compute([example], seed, HEAT)
        for which, value in model.compute([example], seed, HEAT).items():
            check_alike(which, value, sung[which])
    return made, facts
