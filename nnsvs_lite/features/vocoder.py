"""One way from features to a waveform, whatever the features are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.errors import DataError

WORLD_STREAMS = ("lf0", "vuv", "mgc", "bap")
MEL_STREAMS = ("lf0", "vuv", "mel")


def vocoder_streams(config: FeatureConfig) -> tuple[str, ...]:
    """The streams that a waveform is made of: WORLD's where there are any, else mel with pitch.

    Raises:
        DataError: for features of neither kind.
    """
    if config.world is not None:
        return WORLD_STREAMS
    if config.mel is not None:
        return MEL_STREAMS
    raise DataError("no waveform can be made of these features: they have neither 'world' nor 'mel'")


def waveform_of(streams: Mapping[str, np.ndarray], config: FeatureConfig, seed: int = 0) -> np.ndarray:
    """WORLD synthesis, or Griffin-Lim where there are only mel spectra.

    Args:
        streams: those of :func:`vocoder_streams`, (T, D) each; others are not read.
        config: of the analysis.
        seed: of Griffin-Lim's phases; WORLD needs none.

    Returns:
        float64 (samples,), ``round(T * frame_shift * sample_rate)`` of them. The peak may
        exceed 1.

    Raises:
        DataError: for features of neither kind. ValueError: for lengths that differ.
    """
    from nnsvs_lite.features.griffin_lim import griffin_lim
    from nnsvs_lite.features.world import synthesize

    values = [streams[name] for name in vocoder_streams(config)]
    if config.world is not None:
        return synthesize(*values, config)
    lf0, vuv, mel = values
    return griffin_lim(mel, lf0, vuv, config, seed)
