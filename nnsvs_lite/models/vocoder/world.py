"""WORLD as a vocoder (Morise, Yokomori and Ozawa 2016)."""

from collections.abc import Mapping

import numpy as np

from nnsvs_lite.models.vocoder.signal import SignalVocoder
from nnsvs_lite.models.voice import WorldProgram


class World(SignalVocoder):
    """:class:`~nnsvs_lite.models.voice.WorldProgram` among the models."""

    inputs, controls = WorldProgram.inputs, WorldProgram.controls

    def waveform(self, streams: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
        # pyworld and scipy are slow to load.
        from nnsvs_lite.features.world import synthesize

        return synthesize(**streams, config=self.spec.feature_config)
