"""F0: four trackers, a search range taken from the score, and cleaning against it."""

import functools
import importlib.util
import math

import numpy as np

from nnsvs_lite.features.audio import resample
from nnsvs_lite.features.config import F0Config, FeatureConfig
from nnsvs_lite.io.errors import DataError

_PACKAGES = {
    "swift-f0": ("swift_f0", "swift-f0", "f0"),
    "praat": ("parselmouth", "praat-parselmouth", "pitch"),
}
"""Of trackers that are optional the module, the package it comes with, and our extra."""

FOLDED_WITHIN = 2.0
"""An octave fold must bring an F0 within this of a note, in semitones."""


DIO_DECIMATION = 4
"""By how much dio lowers the sampling rate before it searches, at most to four times the highest F0: with as
few errors on singing, in a quarter of the time."""


def hz_to_midi(hz: np.ndarray | float) -> np.ndarray:
    """Hz to MIDI numbers (69 = 440 Hz); element by element, positive input."""
    return 69.0 + 12.0 * np.log2(np.asarray(hz, np.float64) / 440.0)


def midi_to_hz(midi: np.ndarray | float) -> np.ndarray:
    """MIDI numbers to Hz, element by element."""
    return 440.0 * 2.0 ** ((np.asarray(midi, np.float64) - 69.0) / 12.0)


def search_range(pitches: np.ndarray, config: F0Config, where: str = "score") -> tuple[float, float]:
    """Where to search for the F0 of a phrase, (low, high) in Hz, by its MIDI ``pitches``; 0 is a rest.

    Raises DataError where a note itself lies outside ``floor`` .. ``ceil``.
    """
    sounding = np.asarray(pitches)[np.asarray(pitches) > 0]
    if not config.score_range or len(sounding) == 0:
        return config.floor, config.ceil
    lowest, highest = float(sounding.min()), float(sounding.max())
    if midi_to_hz(lowest) < config.floor or midi_to_hz(highest) > config.ceil:
        reach = f"its notes reach from {midi_to_hz(lowest):.0f} to {midi_to_hz(highest):.0f} Hz"
        limits = f"past f0.floor {config.floor:g} or f0.ceil {config.ceil:g}"
        raise DataError(f"{reach}, {limits}: widen them in the feature configuration", where)
    low = max(config.floor, float(midi_to_hz(lowest - config.margin)))
    high = min(config.ceil, float(midi_to_hz(highest + config.margin)))
    return low, high


def track(x: np.ndarray, config: FeatureConfig, n_frames: int, low: float, high: float) -> np.ndarray:
    """F0 of ``x`` (samples,) at ``config.sample_rate`` as the tracker gives it, from ``low`` to ``high`` Hz.

    Returns (n_frames,) float64 in Hz, 0 where unvoiced; audio that ends early is continued with silence.
    """
    needed = math.ceil(n_frames * config.frame_shift * config.sample_rate) + 1
    x = np.ascontiguousarray(np.pad(x, (0, max(0, needed - len(x)))), np.float64)
    if need := lacking(config.f0.tracker):
        raise DataError(need, "f0.tracker")
    if config.f0.tracker == "swift-f0":
        return _swift(x, config, n_frames, low, high)
    if config.f0.tracker == "praat":
        return _praat(x, config, n_frames, low, high)
    import pyworld

    rate = config.sample_rate
    options = {"f0_floor": low, "f0_ceil": high, "frame_period": config.frame_period}
    if config.f0.tracker == "harvest":
        return pyworld.harvest(x, rate, **options)[0][:n_frames]
    # StoneMask refines at the full rate what dio finds at a lower one.
    f0, times = pyworld.dio(x, rate, speed=min(DIO_DECIMATION, int(rate / high / 4)), **options)
    return pyworld.stonemask(x, f0, times, rate)[:n_frames]


def lacking(tracker: str) -> str:
    """What a tracker needs that is not installed, for people; empty if nothing."""
    module, package, extra = _PACKAGES.get(tracker, ("", "", ""))
    if not module or importlib.util.find_spec(module) is not None:
        return ""
    return f"tracker {tracker} needs the package {package}: pip install 'nnsvs_lite[{extra}]'"


@functools.lru_cache(maxsize=1)
def _swift_model():
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1)


def _swift(x: np.ndarray, config: FeatureConfig, n_frames: int, low: float, high: float) -> np.ndarray:
    """swift-f0 gives a frame every 16 ms; log F0 is interpolated between voiced ones."""
    found = _swift_model().detect(resample(x, config.sample_rate, 16000), 16000, fmin=low, fmax=high)
    times = np.arange(n_frames) * config.frame_shift
    voiced = found.confidence >= config.f0.confidence
    if not voiced.any():
        return np.zeros(n_frames)
    curve = np.exp(np.interp(times, found.timestamps[voiced], np.log(found.pitch_hz[voiced])))
    confidence = np.interp(times, found.timestamps, found.confidence)
    return np.where(confidence >= config.f0.confidence, curve, 0.0)


def _praat(x: np.ndarray, config: FeatureConfig, n_frames: int, low: float, high: float) -> np.ndarray:
    """Autocorrelation with a path through its candidates (Boersma, 1993), with Praat's own settings."""
    import parselmouth

    sound = parselmouth.Sound(x, sampling_frequency=config.sample_rate)
    if sound.duration < 3.0 / low:
        # Praat refuses what is shorter than its window.
        return np.zeros(n_frames)
    found = sound.to_pitch_ac(time_step=config.frame_shift, pitch_floor=low, pitch_ceiling=high)
    times = np.arange(n_frames) * config.frame_shift
    return at_times(found.xs(), found.selected_array["frequency"], times)


def at_times(times: np.ndarray, f0: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """F0 (T,) in Hz, 0 where unvoiced, at ``times`` in seconds, as it is at the times ``wanted``.

    A wanted time is voiced if the frame nearest to it is; log F0 is linear between two voiced frames. What is
    more than a frame before or after all is unvoiced.
    """
    if not len(times):
        return np.zeros(len(wanted))
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    before, after = after - 1, np.minimum(after, len(times) - 1)
    span = times[after] - times[before]
    part = np.clip((wanted - times[before]) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    nearest = np.where(part < 0.5, before, after)
    both = (f0[before] > 0) & (f0[after] > 0)
    logs = np.log(np.maximum(f0, 1e-9))
    between = np.exp(logs[before] * (1.0 - part) + logs[after] * part)
    edge = span.max(initial=0.0)
    inside = (wanted >= times[0] - edge) & (wanted <= times[-1] + edge)
    return np.where(inside, np.where(both, between, f0[nearest]), 0.0)


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Stretches ``(first, last + 1)`` where a mask (T,) holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]


def note_band(note_midi: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest note within ``reach`` frames of each frame; MIDI numbers (T,), not all rests.

    Rests take their neighbours' notes: a voice that starts early or trails off belongs to its note.
    """
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    sounding = np.flatnonzero(note_midi > 0)
    place = np.arange(len(note_midi))
    after = np.searchsorted(sounding, place)
    last = np.maximum(np.searchsorted(sounding, place, side="right") - 1, 0)
    next_note = note_midi[sounding[np.minimum(after, len(sounding) - 1)]]
    last_note = note_midi[sounding[last]]
    size = 2 * reach + 1
    low = minimum_filter1d(np.minimum(last_note, next_note), size, mode="nearest")
    high = maximum_filter1d(np.maximum(last_note, next_note), size, mode="nearest")
    return low, high


def clean(f0: np.ndarray, note_midi: np.ndarray | None, config: FeatureConfig) -> np.ndarray:
    """Mends octave errors, outliers, spikes and specks of voicing.

    In this order: F0 far from the notes sung around it is folded by octaves or dropped (options
    ``fold_octaves``, ``max_deviation``, ``window``); single frames that leave their neighbours take their
    median (``spike``); voiced stretches that are too short are dropped (``min_voiced``).

    ``f0`` is (T,) Hz, 0 where unvoiced, as is what is returned; ``note_midi`` (T,) is the note sung at each
    frame, 0 in rests, or None where no score is known.
    """
    f0, options = f0.copy(), config.f0
    if note_midi is not None and (note_midi > 0).any():
        f0 = _against_notes(f0, note_midi, config)
    if options.spike is not None:
        limit = options.spike / 12.0 * math.log(2.0)
        for a, b in runs(f0 > 0):
            curve = np.log(f0[a:b])
            neighbours = np.lib.stride_tricks.sliding_window_view(np.pad(curve, 2, mode="edge"), 5)
            median = np.median(neighbours, axis=1)
            spikes = np.abs(curve - median) > limit
            f0[a:b][spikes] = np.exp(median[spikes])
    for a, b in runs(f0 > 0):
        if (b - a) * config.frame_shift < options.min_voiced - 1e-9:
            f0[a:b] = 0.0
    return f0


def _against_notes(f0: np.ndarray, note_midi: np.ndarray, config: FeatureConfig) -> np.ndarray:
    options = config.f0
    voiced = np.flatnonzero(f0 > 0)
    low, high = (b[voiced] for b in note_band(note_midi, round(options.window / config.frame_shift)))
    pitch = hz_to_midi(f0[voiced])
    distance = _outside(pitch, low, high)
    if options.fold_octaves:
        for shift in (-24.0, -12.0, 12.0, 24.0):
            moved = _outside(pitch + shift, low, high)
            # More than half an octave off: nearer by an octave than as it is.
            fold = (distance > 6.0) & (moved <= FOLDED_WITHIN)
            pitch = np.where(fold, pitch + shift, pitch)
            distance = np.where(fold, moved, distance)
    if options.max_deviation is not None:
        pitch = np.where(distance > options.max_deviation, -np.inf, pitch)
    f0 = f0.copy()
    f0[voiced] = midi_to_hz(pitch)
    return f0


def _outside(pitch: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(low - pitch, pitch - high), 0.0)


def continuous_lf0(f0: np.ndarray) -> np.ndarray:
    """Natural log of F0 in Hz (T,), linear where that is 0, held at the ends; ValueError if all is 0."""
    voiced = np.flatnonzero(f0 > 0)
    if len(voiced) == 0:
        raise ValueError("no voiced frame")
    return np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced]))
