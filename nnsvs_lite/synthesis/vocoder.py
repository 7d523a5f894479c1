"""Which vocoder makes a waveform of which features; nothing else asks that."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnsvs_lite.features.audio import write_audio
from nnsvs_lite.features.mel import converted
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader
from nnsvs_lite.models.example import Example, pack
from nnsvs_lite.models.voice import Vocoder

if TYPE_CHECKING:
    from nnsvs_lite.models.base import VocoderModel


def choose_vocoder(
    spec: Spec, trained: VocoderModel | None = None, path: str | os.PathLike = ""
) -> VocoderModel:
    """The ``trained`` vocoder of ``path`` if given; else WORLD, or where it lacks streams Griffin-Lim.

    Where only the logarithm of mel spectra is another than it was trained on, they are converted for it.

    Raises DataError where the trained one does not fit the features, or none makes a waveform of them.
    """
    if trained is not None:
        trained.check_fits(spec, path)
        trained.given = spec.feature_config
        return trained
    # torch is slow to import, and not needed by all that sings.
    from nnsvs_lite.models.vocoder.griffin_lim import GriffinLim
    from nnsvs_lite.models.vocoder.world import World

    for kind in (World, GriffinLim):
        if set(kind.inputs) <= set(spec.streams):
            return kind(spec)
    raise DataError(
        f"no waveform can be made of the streams {', '.join(spec.streams)}: WORLD needs "
        f"{', '.join(World.inputs)}, Griffin-Lim {', '.join(GriffinLim.inputs)}"
    )


def load_vocoder(
    spec: Spec, path: str | os.PathLike | None = None, device: str = "cpu", trust_code: bool = False
) -> VocoderModel:
    """:func:`choose_vocoder`, with the one that ``path`` names: a checkpoint or exp dir, of a vocoder or an
    end-to-end model, or what :func:`~nnsvs_lite.models.config.vocoder_by_name` knows.
    """
    if path is None:
        return choose_vocoder(spec)
    from nnsvs_lite.models.base import AcousticModel, VocoderModel
    from nnsvs_lite.models.checkpoint import load_model
    from nnsvs_lite.models.config import vocoder_by_name
    from nnsvs_lite.training.device import find_device

    if config := vocoder_by_name(path):
        return choose_vocoder(spec, config.build(spec).eval().to(find_device(device)), path)
    trained = load_model(path, trust_code=trust_code)
    own = trained.own_vocoder() if isinstance(trained, AcousticModel) else trained
    if not isinstance(own, VocoderModel):
        raise DataError(f"holds a {trained.family} model, a vocoder model is needed", path)
    return choose_vocoder(spec, own.to(find_device(device)), path)


def checked(vocoder: Vocoder, streams: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A vocoder's inputs among streams, (T, D) float32 each, with the logarithm that it knows of mel spectra.

    Raises DataError for lengths that differ, or numbers no voice has.
    """
    inputs = {name: np.asarray(streams[name], np.float32) for name in vocoder.inputs}
    lengths = {len(value) for value in inputs.values()}
    if len(lengths) != 1 or not all(np.isfinite(value).all() for value in inputs.values()):
        raise DataError(f"streams must be finite and of one length, not {sorted(lengths)} frames")
    highest = vocoder.spec.sample_rate / 2
    if "lf0" in inputs and (inputs["lf0"] > math.log(highest)).any():
        raise DataError(f"an F0 above {highest:g} Hz, half the sampling rate, is none of a voice")
    own, given = vocoder.spec.feature_config.mel, vocoder.given and vocoder.given.mel
    if "mel" in inputs and given not in (None, own):
        inputs["mel"] = converted(inputs["mel"], given, own).astype(np.float32)
    return inputs


def pieces_of(
    vocoder: Vocoder,
    several: Sequence[Mapping[str, np.ndarray]],
    seed: int = 0,
    seconds: float | None = None,
) -> Iterator[np.ndarray]:
    """The waveforms of utterances side by side, (B, samples) float64 at a time, as soon as they are made.

    Args:
        several: of each utterance at least the vocoder's ``inputs``, (T, D) each.
        seed: of those that draw by chance.
        seconds: computed at once, of all utterances together; by the device if not given.

    Raises DataError as :func:`checked`, or where no finite waveform is made.
    """
    examples = [Example("utt", streams=checked(vocoder, streams)) for streams in several]
    for made in vocoder.pieces(examples, seed, seconds):
        if not np.isfinite(made).all():
            raise DataError(
                "no finite waveform can be made of these streams; they, or the voice, are damaged"
            )
        yield made


def waveforms_of(
    vocoder: Vocoder, several: Sequence[Mapping[str, np.ndarray]], seed: int = 0
) -> list[np.ndarray]:
    """The waveforms of utterances, float64, ``round(T * frame_shift * sample_rate)`` samples each.

    The peak may exceed 1. Arguments and errors: as of :func:`pieces_of`.
    """
    joined = np.concatenate([*pieces_of(vocoder, several, seed)], axis=1)
    sizes = (vocoder.spec.feature_config.n_samples(len(s[vocoder.inputs[0]])) for s in several)
    return [row[:size] for row, size in zip(joined, sizes)]


def waveform_of(vocoder: Vocoder, streams: Mapping[str, np.ndarray], seed: int = 0) -> np.ndarray:
    """The waveform of one utterance, float64, ``round(T * frame_shift * sample_rate)`` samples.

    Args:
        vocoder: of :func:`load_vocoder`. streams: its ``inputs`` by name, (T, D) each.
        seed: of those that draw by chance.

    Raises DataError for lengths that differ or numbers no voice has. The peak may exceed 1.
    """
    return waveforms_of(vocoder, [streams], seed)[0]


def waveforms_in_turn(
    vocoder: Vocoder, phrases: Sequence[Mapping[str, np.ndarray]], seed: int = 0
) -> Iterator[np.ndarray]:
    """The waveform of each phrase on its own, as :func:`waveform_of` makes it, in order.

    Programs of signal processing use one thread each: several run at once. Networks share threads out
    themselves.
    """
    if vocoder.threads == 1:
        yield from (waveform_of(vocoder, streams, seed) for streams in phrases)
        return
    pool = ThreadPoolExecutor(vocoder.threads)
    try:
        yield from pool.map(lambda streams: waveform_of(vocoder, streams, seed), phrases)
    finally:
        pool.shutdown(cancel_futures=True)


class FolderVocoder:
    """Makes waveforms of a decode dir, whose tables it opens once; it can be sent to other processes.

    They are written below ``out``. ``trained`` are further arguments of :func:`load_vocoder`.

    Raises DataError as :func:`load_vocoder`, or where a table is missing.
    """

    def __init__(self, folder: Path, out: Path, spec: Spec, *trained: Any):
        self.out, self._given = out, (spec, *trained)
        self.model = load_vocoder(*self._given)
        for name in self.model.inputs:
            if not (folder / f"{name}.scp").exists():
                raise DataError(f"no {name} to make a waveform of; decode first", folder)
        self.tables = {name: FeatureReader(folder / f"{name}.scp") for name in self.model.inputs}

    def __getstate__(self) -> dict[str, Any]:
        # A network of weights that are computed from others cannot be sent: it is loaded anew.
        return {name: value for name, value in vars(self).items() if name != "model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.model = load_vocoder(*self._given)

    @property
    def utts(self) -> list[str]:
        """All utterances, in order."""
        return list(next(iter(self.tables.values())))

    def batches(self) -> list[list[str]]:
        """What is made at once: on a GPU some utterances, on a CPU each alone."""
        from nnsvs_lite.models.base import ON_GPU, device_of

        utts = self.utts
        if device_of(self.model).type == "cpu":
            return [[utt] for utt in utts]
        table = next(iter(self.tables.values()))
        lengths = [len(table[utt]) for utt in utts]
        groups = pack(lengths, int(ON_GPU / self.model.spec.frame_shift))
        return [[utts[i] for i in indices] for indices in groups]

    def __call__(self, utts: Sequence[str]) -> tuple[int, float]:
        """Writes waveforms of one batch; returns their samples and the seconds that they took."""
        began = time.perf_counter()
        several = [{name: table[utt] for name, table in self.tables.items()} for utt in utts]
        waves = waveforms_of(self.model, several)
        for utt, x in zip(utts, waves):
            write_audio(self.out / "wav" / f"{utt}.wav", x, self.model.spec.sample_rate)
        return sum(map(len, waves)), time.perf_counter() - began
