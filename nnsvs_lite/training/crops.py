"""What a vocoder sees in an epoch: pieces of phrases, perhaps louder, softer, higher or lower."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.models.batch import Example
from nnsvs_lite.models.config import TrainingOptions
from nnsvs_lite.training.data import DumpDataset

DECIBEL = math.log(10.0) / 20.0
"""As a difference of natural logarithms of amplitudes."""
LARGEST = 40
"""Denominator of speeds: the filters that resample grow with it; pitches are within 15 cents of any."""


def cropped(data: DumpDataset, index: int, rng: np.random.Generator, options: TrainingOptions) -> Example:
    """A random piece of an utterance, at a random level and speed.

    Args:
        data: with recordings. options: ``crop_frames`` (utterances stay whole where they are shorter, or for
            0), ``loudness`` and ``transpose``.
    """
    total = data.frames[index]
    speed = speed_of(rng.uniform(-options.transpose, options.transpose) if options.transpose else 0.0)
    # A faster recording is shorter; a batch has room for no more than the whole.
    frames = min(options.crop_frames or total, total, max(1, int(total / speed)))
    if speed != 1:
        first = int(rng.integers(int(total / speed) - frames + 1))
        example = faster(data, index, first, frames, speed)
    elif total > frames:
        example = data.piece(index, int(rng.integers(total - frames + 1)), frames)
    else:
        example = data[index]
    if options.loudness:
        decibels = rng.uniform(-options.loudness, options.loudness)
        example = louder(example, decibels, data.spec.feature_config)
    return example


def louder(example: Example, decibels: float, config: FeatureConfig) -> Example:
    """A recording at another level, with the spectra that it has then; peaks stay within full scale.

    A gain moves log mel spectra, and the first mel-cepstrum, by its logarithm; what lies at the floor of the
    logarithm stays there.
    """
    peak = float(np.abs(example.streams["wav"]).max(initial=1e-9))
    gain = min(math.exp(decibels * DECIBEL), max(0.99 / peak, 1.0))
    streams = dict(example.streams) | {"wav": example.streams["wav"] * np.float32(gain)}
    if "mel" in streams:
        options = config.mel
        log = math.log if options.log == "natural" else math.log10
        floor, mel = log(options.log_floor), streams["mel"]
        moved = np.maximum(mel + options.power * log(gain), floor)
        streams["mel"] = np.where(mel > floor + 1e-6, moved, mel).astype(np.float32)
    if "mgc" in streams:
        streams["mgc"] = streams["mgc"].copy()
        streams["mgc"][:, 0] += math.log(gain)
    return replace(example, streams=streams)


def speed_of(semitones: float) -> Fraction:
    """The speed at which a recording is so much higher, nearly."""
    return Fraction(2.0 ** (semitones / 12.0)).limit_denominator(LARGEST)


def faster(data: DumpDataset, index: int, first: int, frames: int, speed: Fraction) -> Example:
    """A piece of a recording that is played faster and so is higher, formants and all, analysed anew.

    Its F0 is that of the recording, moved; nothing is tracked.

    Args:
        first, frames: of the piece, counted in the faster recording.
    """
    config = data.spec.feature_config
    whole, hop = data.features(index), config.frame_shift * config.sample_rate
    data.recordings.check(whole.utt, data.frames[index])
    # What the analysis of a frame hears around it: a mel window, or three periods of the lowest F0.
    window = config.mel.fft_size / 2 / config.sample_rate if config.mel is not None else 0.0
    around = math.ceil(max(window, 3.0 / config.f0.floor) / config.frame_shift)
    total = frames + 2 * around
    x = data.recordings.piece(whole.utt, round((first - around) * hop), config.n_samples(total) + 1, speed)
    places = np.arange(first - around, first - around + total) * float(speed)
    streams = {name: whole.streams[name] for name in ("lf0", "vuv")}
    frame = np.arange(len(streams["lf0"]))
    lf0 = np.interp(places, frame, streams["lf0"][:, 0]) + math.log(speed)
    vuv = streams["vuv"][np.clip(np.round(places), 0, frame[-1]).astype(int), 0]
    x = x + config.dither * np.random.default_rng(0).standard_normal(len(x))
    made = {"lf0": lf0[:, None], "vuv": vuv[:, None]}
    if "mel" in whole.streams:
        from nnsvs_lite.features.mel import log_mel

        made["mel"] = log_mel(x, config, total)
    if "mgc" in whole.streams:
        from nnsvs_lite.features import world

        made["mgc"], made["bap"] = world.analyse(x, np.exp(lf0) * (vuv > 0.5), config)
    made = {name: made[name][around : around + frames].astype(np.float32) for name in whole.streams}
    start = round(first * hop) - round((first - around) * hop)
    made["wav"] = x[start : start + config.n_samples(frames), None].astype(np.float32)
    return replace(whole, streams=made)
