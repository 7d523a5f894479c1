"""What a packed voice says of its graphs: all that is not in them and must be known to run them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np

from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.habit import Habit


@dataclass(frozen=True)
class Draw:
    """What an input is that is drawn by chance: what is asked for by :mod:`nnsvs_lite.models.layers.noise`,
    its size and its step; of running noise, of which a piece has ``rows``, the step is the number of the
    first one in a piece that begins after as many frames as it has itself.
    """

    what: Literal["frame", "note", "habit", "running", "uniform"]
    size: Annotated[int, Within(1, 1 << 16)]
    step: Annotated[int, Within(-1, 1 << 26)] = 0
    rows: Annotated[int, Within(0, 1 << 26)] = 0


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
class WaveFacts:
    """What is not in a vocoder's graph, which is for pieces of one length.

    Attributes:
        inputs, controls: as of :class:`~nnsvs_lite.models.base.VocoderModel`. features: of its analysis.
        frames: of a piece. around: of them, those at an inner end that are not heard.
        running: streams that another graph makes of the whole utterance.
        weights_of: the family in whose checkpoint its weights lie.
    """

    inputs: tuple[str, ...]
    controls: tuple[str, ...]
    features: dict[str, Any]
    frames: Annotated[int, Within(1, 1 << 16)]
    around: Annotated[int, Within(0, 1 << 16)]
    running: tuple[str, ...] = ()
    weights_of: Literal["vocoder", "acoustic"] = "vocoder"


@dataclass(frozen=True)
class GriffinLimFacts:
    """Options of :class:`~nnsvs_lite.models.voice.GriffinLimProgram`."""

    iterations: Annotated[int, Within(0, 10_000)]
    momentum: Annotated[float, Within(0, 1)]


@dataclass(frozen=True)
class VoiceFacts:
    """Of a voice's graphs by family, and its ``vocoder`` by name, with what is to be known of it."""

    models: dict[str, GraphFacts]
    vocoder: str
    griffin_lim: GriffinLimFacts | None = None
    wave: WaveFacts | None = None
