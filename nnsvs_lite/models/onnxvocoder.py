"""A vocoder's graph, run by onnxruntime a piece at a time: what singing asks of vocoders, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph
from nnsvs_lite.models.chance import running_noise, uniform
from nnsvs_lite.models.example import Example
from nnsvs_lite.models.graphfacts import Draw, WaveFacts
from nnsvs_lite.models.voice import check_streams

MOST = 1 << 26
"""Numbers that a piece may draw at once."""


def _numbers(draw: Draw) -> int:
    """How many are drawn for a piece; none of what only models ask for."""
    return {"running": draw.rows * draw.size, "uniform": draw.size}.get(draw.what, 0)


class OnnxVocoder:
    """See :class:`~nnsvs_lite.models.voice.Vocoder`.

    Args:
        graph: of pieces; ``running`` of what runs on from an utterance's start, if anything does.
        draws: what is drawn by chance for the first. spec: of what sings.
    """

    threads = 1
    given: FeatureConfig | None = None

    def __init__(
        self,
        name: str,
        graph: Graph,
        running: Graph | None,
        facts: WaveFacts,
        draws: Sequence[Draw],
        spec: Spec,
    ):
        self.name, self.graph, self.running, self.facts, self.draws = name, graph, running, facts, draws
        self.inputs, self.controls = facts.inputs, facts.controls
        config = FeatureConfig.from_dict(facts.features, graph.path)
        self.spec = replace(spec, feature_config=config)
        samples = config.n_samples(facts.frames)
        if facts.frames <= 2 * facts.around or [*graph.outputs] != ["wav"]:
            raise ValueError("its vocoder's pieces are none")
        if graph.outputs["wav"].shape != (1, samples) or self._whole(facts.frames) != samples:
            raise ValueError("its vocoder makes another number of samples")
        if any(not 0 < _numbers(draw) <= MOST for draw in draws):
            raise ValueError("its vocoder draws what no vocoder does")
        if self._whole(facts.around) != config.n_samples(facts.around):
            raise ValueError("its vocoder's pieces begin between two samples")

    def _whole(self, frames: int) -> float:
        return round(frames * self.spec.frame_shift * self.spec.sample_rate, 6)

    def check_fits(self, spec: Spec, path: str | os.PathLike) -> None:
        """See :meth:`nnsvs_lite.models.base.VocoderModel.check_fits`."""
        check_streams(self.inputs, self.spec.feature_config, spec, path)

    def pieces(
        self, examples: Sequence[Example], seed: int, seconds: float | None = None
    ) -> Iterator[np.ndarray]:
        """See :meth:`nnsvs_lite.models.voice.Vocoder.pieces`; of the graph's length, whatever is asked."""
        if len(examples) == 1:
            yield from self._pieces(examples[0], seed)
            return
        rows = [np.concatenate([*self._pieces(example, seed)], 1)[0] for example in examples]
        out = np.zeros((len(rows), max(map(len, rows))))
        for place, row in zip(out, rows):
            place[: len(row)] = row
        yield out

    def _pieces(self, example: Example, seed: int) -> Iterator[np.ndarray]:
        total, size, around = example.frames, self.facts.frames, self.facts.around
        samples = self.spec.feature_config.n_samples
        streams = {name: example.streams[name][None] for name in self.inputs}
        if self.running is not None:
            streams |= self.running(**{name: streams[name] for name in self.running.inputs})
        done = 0
        while done < total:
            first = max(done - around, 0)
            last = min(first + size, total)
            until = total if last == total else last - around
            wav = self._piece({name: value[:, first:last] for name, value in streams.items()}, first, seed)
            start = samples(first)
            yield wav[:, samples(done) - start : samples(until) - start].astype(np.float64)
            done = until

    def _piece(self, streams: dict[str, np.ndarray], first: int, seed: int) -> np.ndarray:
        """(1, samples) of a piece that begins with the frame ``first``, and no noise but its own."""
        frames = len(next(iter(streams.values()))[0])
        size = self.facts.frames
        told = {n: np.pad(v, ((0, 0), (0, size - frames), (0, 0))) for n, v in streams.items()}
        told["frames"] = np.array([frames])
        for number, draw in enumerate(self.draws):
            if draw.what == "uniform":
                drawn = uniform(draw.size, seed)
            else:
                drawn = running_noise(first * draw.step // size, draw.rows, draw.size, seed)
            told[f"draw{number}"] = drawn[None]
        if unknown := self.graph.inputs.keys() - told.keys():
            raise DataError(f"asks for an unknown input, {min(unknown)}", self.graph.path)
        return self.graph(**{name: told[name] for name in self.graph.inputs})["wav"]
