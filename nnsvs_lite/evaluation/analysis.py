"""Re-analysis of waveforms: every system is scored by what is heard, not by what it predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnsvs_lite.evaluation.reference import f0_in_hertz
from nnsvs_lite.features.audio import resample
from nnsvs_lite.features.config import FeatureConfig, WorldConfig
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.types import Score

TUNING_FLOOR = 60.0
TUNING_CEILING = 1100.0
"""F0 range in Hz of the tuning measure; the ceiling rises with the score's highest note."""


@dataclass(frozen=True)
class Analysis:
    """What was found in a waveform.

    Attributes:
        f0: ``(frames,)`` Hz, 0 where unvoiced, by the recipe's tracker.
        mgc: ``(frames, order + 1)``. bap: ``(frames, bands)`` dB.
        wide_f0: ``(frames,)`` Hz, searched over the whole range of voices.
        mel: ``(frames, bins)`` log-mel spectra, where the configuration has them.
    """

    f0: np.ndarray
    mgc: np.ndarray
    bap: np.ndarray
    wide_f0: np.ndarray
    mel: np.ndarray | None = None


def scoring_config(config: FeatureConfig) -> FeatureConfig:
    """The recipe's configuration without what corrects F0 by the score, and with WORLD's spectra.

    Folding an octave error back, or dropping an F0 far from every note, is right
    for training data and would hide a system's errors here. Where the dump has no WORLD
    features they are analysed as by default, so that MCD means the same for all.
    """
    f0 = replace(config.f0, fold_octaves=False, max_deviation=None)
    return replace(config, f0=f0, world=config.world or WorldConfig())


def analyse(
    wave: np.ndarray,
    sample_rate: int,
    score: Score,
    phones: Sequence[Segment],
    config: FeatureConfig,
    where: str = "audio",
) -> Analysis:
    """Analyses the waveform of one utterance with the configuration of the dump.

    Args:
        wave: ``(samples,)``, -1..1.
        sample_rate: Hz; another rate than the configuration's is resampled.
        score: for the F0 search range.
        phones: this performance's own phone times, where ``f0.vuv_labels`` asks
            for them.
        config: of the dump.
        where: for messages.

    Returns:
        As many frames as have their centre inside the waveform.

    Raises:
        DataError: where no F0 is found, or the score lies outside the F0 range of
            the configuration.
    """
    from nnsvs_lite.features import utterance, world

    config = scoring_config(config)
    wave = resample(wave, sample_rate, config.sample_rate)
    n_frames = world.n_frames_of(len(wave), config)
    pitches = np.array([note.pitch for note in score.notes], dtype=np.float64)
    # The notes only set the search range here, so their place in time is of no account.
    notes = np.resize(pitches, n_frames)
    allowed = utterance.may_be_voiced([phone.label for phone in phones], score.lang, config)
    voicable = _over_frames(phones, allowed, config.frame_shift, n_frames)
    streams = utterance.analyse(wave, config, n_frames, notes, voicable, where)
    f0 = f0_in_hertz(streams["lf0"], streams["vuv"])
    wide = tuning_f0(wave, float(pitches.max(initial=0)), config)
    return Analysis(f0, streams["mgc"], streams["bap"], wide, streams.get("mel"))


def spectrum_of_recording(
    wave: np.ndarray, sample_rate: int, f0: np.ndarray, config: FeatureConfig
) -> tuple[np.ndarray, np.ndarray]:
    """``mgc`` and ``bap`` of a natural recording whose dump lacks them.

    Args:
        wave: ``(samples,)``, -1..1. sample_rate: Hz.
        f0: ``(frames,)`` Hz, 0 where unvoiced, as the dump has it.
        config: of the dump.

    Returns:
        ``(frames, order + 1)`` and ``(frames, bands)``, float32.
    """
    from nnsvs_lite.features import world

    config = scoring_config(config)
    wave = resample(wave, sample_rate, config.sample_rate)
    wave = np.pad(wave, (0, max(0, config.n_samples(len(f0)) + 1 - len(wave))))
    # The noise that stage 2 adds, see features.utterance.analyse.
    wave = wave + config.dither * np.random.default_rng(0).standard_normal(len(wave))
    mgc, bap = world.analyse(wave, f0, config)
    return mgc.astype(np.float32), bap.astype(np.float32)


def tuning_f0(wave: np.ndarray, highest: float, config: FeatureConfig) -> np.ndarray:
    """F0 over the whole range of voices: DIO (Morise et al., 2010) refined by StoneMask.

    From ``TUNING_FLOOR`` to ``TUNING_CEILING`` or four semitones above the score's
    highest note, so that no note can fall out of the range and pass as silence.

    Args:
        wave: ``(samples,)`` at the configuration's rate.
        highest: the score's highest MIDI number.

    Returns:
        ``(frames,)`` Hz, 0 where unvoiced.
    """
    from nnsvs_lite.features import world

    config = replace(config, f0=replace(config.f0, tracker="dio"))
    from nnsvs_lite.features.f0 import midi_to_hz, track

    ceiling = max(TUNING_CEILING, float(midi_to_hz(highest + 4.0)))
    return track(wave, config, world.n_frames_of(len(wave), config), TUNING_FLOOR, ceiling)


def _over_frames(
    phones: Sequence[Segment], values: np.ndarray, frame_shift: float, n_frames: int
) -> np.ndarray:
    """A value per phone laid over frames, ``(n_frames,)`` booleans; true where there is no phone."""
    frames = np.ones(n_frames, dtype=bool)
    for phone, value in zip(phones, values):
        frames[round(phone.start / frame_shift) : round(phone.end / frame_shift)] = value
    return frames
