"""Griffin-Lim as a vocoder: in tune, but with the sound of phases that were guessed."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from nnsvs_lite.features.griffin_lim import griffin_lim
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.options import Rate
from nnsvs_lite.models.vocoder.signal import SignalVocoder
from nnsvs_lite.models.voice import GriffinLimProgram


class GriffinLim(SignalVocoder):
    """Args: iterations, momentum: see :func:`nnsvs_lite.features.griffin_lim.griffin_lim`."""

    inputs = GriffinLimProgram.inputs

    def __init__(self, spec: Spec, iterations: Annotated[int, Within(0, 10_000)] = 32, momentum: Rate = 0.99):
        super().__init__(spec)
        self.options = {"iterations": iterations, "momentum": momentum}

    def waveform(self, streams: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
        return griffin_lim(**streams, config=self.spec.feature_config, seed=seed, **self.options)
