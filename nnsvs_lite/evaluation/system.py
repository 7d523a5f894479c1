"""A system that is scored: the waveforms and phone times in its decode folder, and what is heard in them."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnsvs_lite.evaluation.reference import Rendition, Utterance, f0_in_hertz, mel_in_decibel
from nnsvs_lite.features.audio import read_wav
from nnsvs_lite.features.config import FeatureConfig, WorldConfig
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.tables import read_table
from nnsvs_lite.score.types import Score

SILENT = 10 ** (-80 / 20)
"""A waveform that never exceeds this (-80 dB of full scale) is no singing."""

TUNING_FLOOR = 60.0
TUNING_CEILING = 1100.0
"""F0 range in Hz of the tuning measure; the ceiling rises with the score's highest note."""


def named_paths(words: Iterable[str], option: str) -> dict[str, Path]:
    """``NAME=DIR`` words to a dict in that order; DataError for another form, or a name given twice."""
    found: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        # A name becomes a folder and a row of a table.
        if not equals or not path or not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name):
            raise DataError(f"{word!r}: NAME=DIR is needed", option)
        if name in found:
            raise DataError(f"{name!r} is given twice", option)
        found[name] = Path(path)
    return found


class System:
    """One decode folder: ``wav.scp``, and if they are there ``pred.ctm`` and ``timing.json``.

    Raises DataError where the folder or its ``wav.scp`` is missing or malformed.
    """

    def __init__(self, name: str, path: str | os.PathLike):
        self.name = name
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(f"no such decode folder, for system {name!r}", self.path)
        self.wavs = {utt: self._resolve(Path(wav)) for utt, wav in read_table(self.path / "wav.scp").items()}
        ctm = self.path / "pred.ctm"
        self._phones: dict[str, list[Segment]] | None = read_ctm(ctm) if ctm.exists() else None

    def _resolve(self, wav: Path) -> Path:
        # From the working folder, as Kaldi has it; or beside the scp, so that a moved folder still opens.
        places = (wav, self.path / wav, self.path / "wav" / wav.name)
        return next((place for place in places if place.exists()), wav)

    @property
    def vocoder(self) -> str:
        """What made its waveforms, by ``vocoder.json``; empty where that is not known."""
        path = self.path / "vocoder.json"
        told = read_json(path) if path.exists() else {}
        words = [told.get(key) for key in ("class", "experiment")] if isinstance(told, dict) else [None]
        if not all(word is None or isinstance(word, str) for word in words):
            raise DataError("not what vocoding writes", path)
        return " of ".join(filter(None, words))

    @property
    def inputs(self) -> list[Path]:
        """All files that scoring reads from it."""
        names = ("wav.scp", "pred.ctm", "timing.json", "vocoder.json")
        return [self.path / name for name in names] + sorted(set(self.wavs.values()))

    def audio(self, utt: str) -> tuple[np.ndarray, int]:
        """The waveform of an utterance, float64 ``(samples,)``, and its rate in Hz.

        Raises DataError where it is missing, unreadable, empty, not mono, silent, or holds NaN or infinity.
        """
        if utt not in self.wavs:
            raise DataError(f"no waveform of {utt!r}{nearest(utt, self.wavs)}", self.path / "wav.scp")
        wave, rate = read_wav(self.wavs[utt])
        if not np.isfinite(wave).all():
            raise DataError("holds NaN or infinity", self.wavs[utt])
        if np.abs(wave).max() < SILENT:
            raise DataError("is silent", self.wavs[utt])
        return wave, rate

    def phones(self, utterance: Utterance) -> list[Segment] | None:
        """Predicted times of an utterance's phones; None where the system has no ``pred.ctm`` at all.

        Raises DataError where the utterance is missing, or its sung phones are not the score's.
        """
        if self._phones is None:
            return None
        utt, where = utterance.utt, self.path / "pred.ctm"
        if utt not in self._phones:
            raise DataError(f"no phone times of {utt!r}{nearest(utt, self._phones)}", where)
        return utterance.match(self._phones[utt], f"{where}: {utt}")

    def rtf(self) -> float | None:
        """Seconds of computing per second of audio, by the ``*_seconds`` of ``timing.json``, if any."""
        path = self.path / "timing.json"
        if not path.exists():
            return None
        timing = read_json(path)
        try:
            spent = {key: float(value) for key, value in timing.items() if key.endswith("_seconds")}
            audio = spent.pop("audio_seconds")
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError("needs 'audio_seconds' and other '..._seconds', in numbers", path) from None
        return sum(spent.values()) / audio if audio > 0 else None


def scoring_config(config: FeatureConfig) -> FeatureConfig:
    """The recipe's configuration without what corrects F0 by the score, which would hide a system's errors.

    Where the dump has no WORLD features they are analysed as by default, so that MCD means the same for all.
    """
    f0 = replace(config.f0, fold_octaves=False, max_deviation=None)
    return replace(config, f0=f0, world=config.world or WorldConfig())


def analyse(
    wave: np.ndarray, score: Score, phones: Sequence[Segment], config: FeatureConfig, where: str = "audio"
) -> Rendition:
    """Finds F0 and spectra in a waveform ``(samples,)``, -1..1, by the configuration of the dump.

    Args:
        wave: at the configuration's rate. score: for the F0 search range.
        phones: this performance's own phone times, where ``f0.vuv_labels`` asks for them.

    Returns as many frames as have their centre inside the waveform. Raises DataError where no F0 is found, or
    the score lies outside the F0 range of the configuration.
    """
    from nnsvs_lite.features import utterance

    config = scoring_config(config)
    n_frames = config.n_frames(len(wave))
    # The notes only set the search range here, so their place in time is of no account.
    notes = np.resize(np.array([note.pitch for note in score.notes], dtype=np.float64), n_frames)
    voicable = np.ones(n_frames, dtype=bool)
    allowed = utterance.may_be_voiced([phone.label for phone in phones], score.lang, config)
    for phone, value in zip(phones, allowed):
        voicable[round(phone.start / config.frame_shift) : round(phone.end / config.frame_shift)] = value
    streams = utterance.analyse(wave, config, n_frames, notes, voicable, where)
    mel = mel_in_decibel(streams["mel"], config.mel) if config.mel is not None else None
    return Rendition(f0_in_hertz(streams["lf0"], streams["vuv"]), streams["mgc"], streams["bap"], mel)


def analyse_recording(
    wave: np.ndarray, f0: np.ndarray, config: FeatureConfig
) -> tuple[np.ndarray, np.ndarray]:
    """``mgc`` ``(frames, order + 1)`` and ``bap`` ``(frames, bands)`` of a recording whose dump lacks them.

    Args:
        wave: ``(samples,)``, -1..1, at the configuration's rate. f0: ``(frames,)`` Hz, as the dump has it.
    """
    from nnsvs_lite.features import world

    config = scoring_config(config)
    wave = np.pad(wave, (0, max(0, config.n_samples(len(f0)) + 1 - len(wave))))
    # The noise that stage 2 adds, see features.utterance.analyse.
    wave = wave + config.dither * np.random.default_rng(0).standard_normal(len(wave))
    mgc, bap = world.analyse(wave, f0, config)
    return mgc.astype(np.float32), bap.astype(np.float32)


def tuning_f0(wave: np.ndarray, score: Score, config: FeatureConfig) -> np.ndarray:
    """F0 over the whole range of voices, ``(frames,)`` Hz: DIO (Morise et al., 2010) refined by StoneMask.

    From ``TUNING_FLOOR`` to ``TUNING_CEILING`` or four semitones above the score's highest note, so that no
    note can fall out of the range and pass as silence. ``wave`` is at the configuration's rate.
    """
    from nnsvs_lite.features.f0 import midi_to_hz, track

    config = replace(config, f0=replace(config.f0, tracker="dio"))
    highest = max((note.pitch for note in score.notes), default=0)
    ceiling = max(TUNING_CEILING, float(midi_to_hz(highest + 4.0)))
    return track(wave, config, config.n_frames(len(wave)), TUNING_FLOOR, ceiling)
