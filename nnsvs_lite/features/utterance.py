"""All features of one utterance."""

from collections.abc import Sequence

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features import audio, f0
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score import context, timing
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score

AUDIO_TOLERANCE = 0.05
"""Seconds by which a recording may end before its labels do."""
SILENT = 1e-4
"""A recording whose peak stays below this (-80 dB) is silent."""


def extract(data: DataDir, utt: str, config: FeatureConfig) -> dict[str, np.ndarray]:
    """Tables and streams of one utterance by their names, (rows, columns) float32, ``note_time`` float64.

    Raises DataError naming the utterance, where its score, labels and audio do not fit together or its audio
    cannot be analysed.
    """
    where = f"{data.path}: {utt}"
    if utt not in data.scores:
        raise DataError("has no score", where)
    if not data.labels.get(utt):
        raise DataError("has no phone times; run the alignment (stage 1) first", where)
    score, labels = data.scores[utt], data.labels[utt]
    tables = score_tables(score, labels, config.frame_shift, where)
    x, rate = data.audio(utt)
    if rate != config.sample_rate and not config.resample:
        rates = f"is recorded at {rate} Hz, the configuration has {config.sample_rate} Hz"
        raise DataError(f"{rates} ('resample: true' converts)", where)
    x = audio.resample(x, rate, config.sample_rate)
    durations = tables["duration"][:, 0].astype(np.int64)
    missing = labels[-1].end - len(x) / config.sample_rate
    if missing > AUDIO_TOLERANCE:
        raise DataError(f"the labels end {missing:.3f} s after the audio", where)
    note_midi = np.repeat([score.notes[n].pitch for n in score.note_index], durations).astype(np.float64)
    voicable = np.repeat(may_be_voiced(score.phones, score.lang, config), durations)
    return tables | analyse(x, config, len(note_midi), note_midi, voicable, where)


def score_tables(
    score: Score, labels: Sequence[Segment], frame_shift: float, where: str
) -> dict[str, np.ndarray]:
    """Contexts, note index and times, time lags, durations; DataError where labels have other phones."""
    timing.check_agreement(score, labels, where)
    tables = {
        "note_context": context.note_context(score),
        "phone_context": context.phone_context(score),
        "note_index": np.array(score.note_index)[:, None],
        "time_lag": timing.time_lags(score, labels, frame_shift)[:, None],
        "duration": timing.phone_durations(labels, frame_shift)[:, None],
    }
    tables = {name: value.astype(np.float32) for name, value in tables.items()}
    tables["note_time"] = np.array([(n.start, n.end) for n in score.notes], np.float64)
    return tables


def may_be_voiced(phones: Sequence[str], lang: str, config: FeatureConfig) -> np.ndarray:
    """Whether the labels allow each phone to be voiced, bool (phones); see ``f0.vuv_labels``."""
    language, option = get_language(lang), config.f0.vuv_labels
    if option == "none":
        return np.ones(len(phones), bool)
    if option == "rests":
        return np.array([p not in language.silences for p in phones], bool)
    return np.array([language.is_voiced(p) for p in phones], bool)


def analyse(
    x: np.ndarray,
    config: FeatureConfig,
    n_frames: int | None = None,
    note_midi: np.ndarray | None = None,
    voicable: np.ndarray | None = None,
    where: str = "audio",
) -> dict[str, np.ndarray]:
    """Frame-level streams of a waveform.

    Args:
        x: (samples,) float64 at ``config.sample_rate``.
        n_frames: T; as many as the waveform has where not given.
        note_midi: (T,) the note sung at each frame as a MIDI number, 0 in rests; limits and cleans the F0.
            None where no score is known.
        voicable: (T,) bool; frames where it is false are unvoiced. None: all may be voiced.
        where: for messages.

    Returns ``lf0`` (T, 1), ``vuv`` (T, 1), and as configured ``mgc`` (T, order + 1), ``bap`` (T, bands),
    ``mel`` (T, bins), float32. Raises DataError where the audio is silent or has no F0.
    """
    if n_frames is None:
        n_frames = config.n_frames(len(x))
    if not np.abs(x).max(initial=0.0) > SILENT:
        raise DataError("the audio is silent", where)
    x = np.pad(x, (0, max(0, config.n_samples(n_frames) + 1 - len(x))))
    low, high = f0.search_range(np.zeros(0) if note_midi is None else note_midi, config.f0, where)
    # Without the dither: trackers hear voices in noise.
    curve = f0.track(x, config, n_frames, low, high)
    if voicable is not None:
        curve = np.where(voicable, curve, 0.0)
    curve = f0.clean(curve, note_midi, config)
    if not curve.any():
        raise DataError(f"no F0 found between {low:.0f} and {high:.0f} Hz", where)
    # The same noise for every utterance, so that no result depends on another.
    x = x + config.dither * np.random.default_rng(0).standard_normal(len(x))
    streams = {"lf0": f0.continuous_lf0(curve)[:, None], "vuv": (curve > 0)[:, None]}
    if config.world is not None:
        from nnsvs_lite.features import world

        streams["mgc"], streams["bap"] = world.analyse(x, curve, config)
    if config.mel is not None:
        from nnsvs_lite.features import mel

        streams["mel"] = mel.log_mel(x, config, n_frames)
    return {name: value.astype(np.float32) for name, value in streams.items()}
