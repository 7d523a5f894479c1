"""Curves over what a voice sings that a musician may draw: loudness, breathiness, voicing, tension.

What players call energy, breathiness, voicing and tension (OpenUtau, DiffSinger), as functions of the
streams, so that they follow from any model's features, and change them. All are in dB, one number a frame, of
the power spectrum ``P``, the ``lf0`` and the aperiodicity ``a`` (1 where unvoiced) by which WORLD's synthesis
parts ``P`` into noise ``a^2 P`` and harmonics ``(1 - a^2) P``:

- ``loudness``: power of the signal, 0 at full scale (a mean square of 1);
- ``breathiness``: noise against all; 0 where unvoiced;
- ``voicing``: power of the harmonics, as loudness; :data:`FLOOR` where unvoiced;
- ``tension``: overtones against the fundamental, as of a pressed voice: power above F0, from 2 F0 on whole,
  against that about F0, which falls to nothing at 0 and 2 F0, in straight lines; 0 where unvoiced.

Mel spectra have a loudness alone: the summed power of all bands. Latents of end-to-end systems have none.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from nnsvs_lite.features.config import FeatureConfig

FLOOR = -96.0
"""dB of silence, and of what a curve has where nothing is sung."""
NAMES = ("tension", "breathiness", "voicing", "loudness")
"""In the order in which they are changed: of two that disagree the later one is heard."""
WITHOUT = {"tension": 0.0, "breathiness": 0.0, "voicing": FLOOR, "loudness": FLOOR}
"""The values between phrases."""
LARGEST = 60.0
"""dB that a frame is changed by at most."""
FFT_SIZE, _STEPS, _LOWEST = 1024, 22, 50.0
NEPER = math.log(10.0) / 20.0
Streams = Mapping[str, np.ndarray]


def curve_names(streams: Mapping[str, object]) -> tuple[str, ...]:
    """Which curves streams of these names have."""
    if {"mgc", "bap", "lf0", "vuv"} <= set(streams):
        return NAMES
    return ("loudness",) if "mel" in streams else ()


def _level(power: np.ndarray) -> np.ndarray:
    return 10.0 * np.log10(np.maximum(power.sum(axis=1), 10 ** (FLOOR / 10)))


def mel_unit(config: FeatureConfig) -> float:
    """What a dB is in log-mel spectra."""
    return config.mel.power / 20.0 * (1.0 if config.mel.log == "log10" else np.log(10.0))


def _power(mgc: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """(T, bins) whose sum over bins is the power of a frame."""
    from nnsvs_lite.features.world import alpha_of, mgc_to_spectrum

    power = mgc_to_spectrum(mgc, alpha_of(config), FFT_SIZE)
    power[:, 1:-1] *= 2
    return power / FFT_SIZE


def noise_of(bap: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """(T, bins) part of the power that is noise, in voiced frames."""
    import pyworld

    bands = np.ascontiguousarray(np.minimum(bap, 0.0), np.float64)
    return pyworld.decode_aperiodicity(bands, config.sample_rate, FFT_SIZE) ** 2


def _number(lf0: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """(T, bins) frequencies as parts of F0."""
    hertz = np.linspace(0, config.sample_rate / 2, FFT_SIZE // 2 + 1)
    return hertz / np.exp(lf0.astype(np.float64).reshape(-1, 1))


def _tension(power: np.ndarray, number: np.ndarray) -> np.ndarray:
    fundamental = np.clip(1 - np.abs(number - 1), 0, 1)
    return _level(power * np.clip(number - 1, 0, 1)) - _level(power * fundamental)


def _breathiness(power: np.ndarray, bap: np.ndarray, config: FeatureConfig) -> np.ndarray:
    return _level(power * noise_of(bap, config)) - _level(power)


def measure(streams: Streams, config: FeatureConfig) -> dict[str, np.ndarray]:
    """The curves (T,) of streams (T, D), float64; see the module; none of streams without any."""
    if not curve_names(streams):
        return {}
    if "mel" in streams:
        decibel = np.asarray(streams["mel"], np.float64) / mel_unit(config)
        return {"loudness": _level(10 ** (decibel / 10))}
    voiced = streams["vuv"].reshape(-1) >= 0.5
    power = _power(streams["mgc"], config)
    harmonics = _level(power * (1 - noise_of(streams["bap"], config)))
    return {
        "tension": np.where(voiced, _tension(power, _number(streams["lf0"], config)), 0.0),
        "breathiness": np.where(voiced, _breathiness(power, streams["bap"], config), 0.0),
        "voicing": np.where(voiced, harmonics, FLOOR),
        "loudness": _level(power),
    }


def _solve(rising: Callable[[np.ndarray], np.ndarray], target: np.ndarray, reach: float) -> np.ndarray:
    """(T,) where a rising function of (T,) meets its target, within ``reach`` either way, by halving."""
    low, high = np.full(len(target), -reach), np.full(len(target), reach)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        under = rising(middle) < target
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return (low + high) / 2


def change(streams: Streams, config: FeatureConfig, by: Streams) -> dict[str, np.ndarray]:
    """Streams (T, D) whose curves are moved by so many dB, (T,) each, as far as streams can say it.

    ``tension`` tilts the spectrum by as many dB an octave as that takes, and keeps the loudness;
    ``breathiness`` raises all bands of the aperiodicity alike, and keeps the spectrum; ``voicing`` moves the
    harmonics and leaves the noise; ``loudness`` moves all. The first three change voiced frames alone.
    Streams that stay the same are the same arrays.
    """
    out = dict(streams)
    by = {n: np.clip(by[n], -LARGEST, LARGEST) for n in curve_names(streams) if n in by and np.any(by[n])}
    if not by:
        return out
    if "mel" in streams:
        out["mel"] = (streams["mel"] + by["loudness"][:, None] * mel_unit(config)).astype(np.float32)
        return out
    voiced = streams["vuv"].reshape(-1) >= 0.5
    mgc, bap = np.array(streams["mgc"], np.float64), np.array(streams["bap"], np.float64)

    def breathe(to: np.ndarray) -> None:
        power, own = _power(mgc[moved], config), bap[moved]
        shift = _solve(lambda x: _breathiness(power, own + x[:, None], config), to, 2 * LARGEST)
        bap[moved] = np.minimum(own + shift[:, None], 0.0)

    for name, delta in by.items():
        moved = (delta != 0) & (voiced | (name == "loudness"))
        if not moved.any():
            continue
        power, delta = _power(mgc[moved], config), delta[moved]
        if name == "tension":
            mgc[moved] += _tilted(power, streams["lf0"][moved], delta, mgc.shape[1], config)
        elif name == "breathiness":
            breathe(_breathiness(power, bap[moved], config) + delta)
        elif name == "voicing":
            before = _breathiness(power, bap[moved], config)
            noise = 10 ** (before / 10)
            gain = 10.0 * np.log10((1 - noise) * 10 ** (delta / 10) + noise)
            breathe(before - gain)
            mgc[moved, 0] += gain * NEPER
        else:
            mgc[moved, 0] += delta * NEPER
    changed = {"mgc": by, "bap": {"breathiness", "voicing"} & by.keys()}
    arrays = {"mgc": mgc, "bap": bap}
    return out | {name: arrays[name].astype(np.float32) for name, why in changed.items() if why}


def _tilted(
    power: np.ndarray, lf0: np.ndarray, delta: np.ndarray, columns: int, config: FeatureConfig
) -> np.ndarray:
    """(T, columns) what makes mel-cepstra of this power tenser by ``delta`` (T,) dB and no louder."""
    from nnsvs_lite.features.world import alpha_of, mgc_to_spectrum, spectrum_to_mgc

    hertz = np.linspace(0, config.sample_rate / 2, FFT_SIZE // 2 + 1)
    octaves = np.log2(np.maximum(hertz, _LOWEST) / _LOWEST)
    # A dB an octave, as near as so few mel-cepstra have it.
    slope = spectrum_to_mgc(10 ** (octaves[None] / 10), columns - 1, alpha_of(config))
    decibel = 10.0 * np.log10(mgc_to_spectrum(slope, alpha_of(config), FFT_SIZE))
    number = _number(lf0, config)

    def tilt(by: np.ndarray) -> np.ndarray:
        return power * 10 ** (by[:, None] * decibel / 10)

    by = _solve(lambda x: _tension(tilt(x), number), _tension(power, number) + delta, LARGEST / 2)
    added = by[:, None] * slope
    added[:, 0] += (_level(power) - _level(tilt(by))) * NEPER
    return added
