"""A voice's vocoder as a graph for onnxruntime: of pieces of one length, whatever is sung.

So a song of any length is made in bounded memory, and any vocoder that makes pieces is a graph, with all of
its sizes known. What is drawn by chance comes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.export.onnxfile import graph_of
from nnsvs_lite.export.sharing import check_alike, share, written
from nnsvs_lite.export.static import static
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch, collate
from nnsvs_lite.models.example import Example
from nnsvs_lite.models.graphfacts import Draw, GraphFacts, WaveFacts
from nnsvs_lite.models.layers.noise import drawn_by
from nnsvs_lite.models.onnxvocoder import OnnxVocoder
from nnsvs_lite.models.onnxvoice import RUNNING, loaded

HEARD = 1.5
"""Seconds that a piece is heard of at least: shorter phrases are made at once."""
OPSET = 18
"""The first that adds up frames that overlap."""


class PieceGraph(nn.Module):
    """A vocoder that is told all of a piece that has frames before it."""

    outputs = ("wav",)

    def __init__(self, model: VocoderModel, frames: int, running: Sequence[str]):
        super().__init__()
        self.model, self.frames, self.draws = model, frames, []
        self.streams = (*model.inputs, *running)
        self.inputs = dict.fromkeys((*self.streams, "frames"), "")

    def batch(self, streams: dict[str, Tensor], frames: Tensor) -> Batch:
        """The piece, which begins so many frames after the start as it has room for."""
        none, size = torch.zeros(1, dtype=torch.long), self.frames
        return Batch(["song"], frames, size, none, none, streams, first_frame=size)

    def forward(self, *values: Tensor) -> Tensor:
        told = dict(zip(self.inputs, values))
        wanted = [(draw, told[f"draw{i}"]) for i, draw in enumerate(self.draws)]

        def draw(*what) -> Tensor:
            known, value = wanted.pop(0)
            if known != Draw(*what):
                raise ValueError("it draws otherwise each time")
            return value

        with drawn_by(draw):
            return self.model.synthesize(self.batch({n: told[n] for n in self.streams}, told["frames"]))


class RunningGraph(nn.Module):
    """What runs on from an utterance's start."""

    def __init__(self, model: VocoderModel, outputs: Sequence[str]):
        super().__init__()
        self.model, self.outputs = model, tuple(outputs)
        self.inputs = dict.fromkeys(model.inputs, "1TD")

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        told = dict(zip(self.inputs, values))
        none, frames = torch.zeros(1, dtype=torch.long), values[0].shape[1]
        lengths = torch.ones_like(values[0][..., 0]).long().sum(1)
        running = self.model.running(Batch(["song"], lengths, frames, none, none, told))
        return tuple(running[name] for name in self.outputs)


def sizes_of(model: VocoderModel) -> tuple[int, int]:
    """Frames of a piece, and of what at its ends is not heard; pieces begin on whole samples."""
    if model.reach is None:
        raise ValueError("it makes no pieces")
    spec = model.spec
    unit = Fraction(spec.frame_shift * spec.sample_rate).limit_denominator(1000).denominator
    around = -(-model.reach // unit) * unit
    heard = max(HEARD / spec.frame_shift, 2 * around)
    return -int(-heard // unit) * unit + 2 * around, around


@torch.no_grad()
def vocoder_graphs(
    model: VocoderModel, checkpoint: bytes, owner: str, examples: Sequence[Example]
) -> tuple[dict[str, bytes], dict[str, GraphFacts], WaveFacts]:
    """A vocoder's graphs by name, that of pieces and perhaps one of what runs on, and what is to be known.

    Args:
        checkpoint: where its weights lie, that of the family ``owner``. examples: with its inputs, the
            shortest first, in which the graphs are compared with it.

    Raises ValueError, or what the exporter raises, for one that cannot be a graph.
    """
    frames, around = sizes_of(model)
    batch = collate(examples[:1], model.spec.frame_shift)
    running = model.running(batch)
    piece, streams = PieceGraph(model, frames, [*running]), {}
    for name in piece.streams:
        values = {**batch.streams, **running}[name][:, :frames]
        streams[name] = nn.functional.pad(values, (0, 0, 0, frames - values.shape[1]))
    drawn: list[Draw] = []
    length = torch.tensor([min(batch.max_frames, frames)])
    with drawn_by(lambda *what: drawn.append(Draw(*what))):
        model.synthesize(piece.batch(streams, length))
    values = {name: value.numpy() for name, value in {**streams, "frames": length}.items()}
    for number, draw in enumerate(drawn):
        values[f"draw{number}"] = np.zeros((1, draw.rows or 1, draw.size), np.float32)
    piece.draws, piece.inputs = drawn, dict.fromkeys(values, "")
    with static():
        graph = graph_of(piece, values, fold=False, opset=OPSET)
    weights = share(graph, checkpoint)
    config = model.spec.feature_config.to_dict()
    wave = WaveFacts(model.inputs, model.controls, config, frames, around, tuple(running), owner)
    # Simplified it may be large: what hangs on sizes alone is of as many rows as a piece has samples.
    files = {"vocoder": written(graph, weights)}
    facts = {"vocoder": GraphFacts(tuple(drawn), weights=weights)}
    if running:
        told = {name: batch.streams[name].numpy() for name in model.inputs}
        files[RUNNING] = graph_of(RunningGraph(model, [*running]), told).SerializeToString()
        facts[RUNNING] = GraphFacts()
    graphs = {name: loaded(name, files[name], told, checkpoint) for name, told in facts.items()}
    sings = (graphs["vocoder"], graphs.get(RUNNING), wave, drawn, model.spec)
    sung = OnnxVocoder(model.name, *sings)
    for seed, example in enumerate(examples):
        there, made = (np.concatenate([*x.pieces([example], seed)], 1) for x in (model, sung))
        check_alike("wav", there, made)
    return files, facts, wave
