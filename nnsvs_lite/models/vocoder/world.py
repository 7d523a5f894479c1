"""WORLD as a vocoder (Morise, Yokomori and Ozawa 2016)."""

from collections.abc import Mapping

import numpy as np

from nnsvs_lite.models.vocoder.signal import SignalVocoder


class World(SignalVocoder):
    """Pitch, spectrum and noise apart, so that each can be changed; no chance in it."""

    inputs = ("lf0", "vuv", "mgc", "bap")
    controls = ("pitch", "breathiness", "gender")

    def waveform(self, streams: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
        # pyworld and scipy are slow to load.
        from nnsvs_lite.features.world import synthesize

        return synthesize(**streams, config=self.spec.feature_config)
