"""Which vocoder makes a waveform of which features; nothing else asks that."""

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nnsvs_lite.features.audio import write_audio
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import config_names, find_config
from nnsvs_lite.io.tables import FeatureReader
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Example, collate
from nnsvs_lite.models.vocoder.griffin_lim import GriffinLim
from nnsvs_lite.models.vocoder.world import World


def choose_vocoder(
    spec: Spec, trained: VocoderModel | None = None, path: str | os.PathLike = ""
) -> VocoderModel:
    """The ``trained`` vocoder of ``path`` if given; else WORLD, or where it lacks streams Griffin-Lim.

    Raises DataError where the trained one does not fit the features, or none makes a waveform of them.
    """
    if trained is not None:
        trained.check_fits(spec, path)
        return trained
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
    """:func:`choose_vocoder`, with the one that ``path`` names: a checkpoint, an exp dir, or the name of a
    configuration of one that has nothing to learn.
    """
    if path is None:
        return choose_vocoder(spec)
    from nnsvs_lite.models.checkpoint import load_model
    from nnsvs_lite.models.config import Config
    from nnsvs_lite.training.device import find_device

    if not Path(path).exists() and os.fspath(path) in config_names("vocoder"):
        config = Config.read(find_config("vocoder", path))
        if config.model_class.trains:
            raise DataError("is the name of a vocoder that learns: give the exp dir of one", path)
        made = config.build(spec)
        made.check_fits(spec, path)
        return made
    trained = load_model(path, "vocoder", trust_code=trust_code)
    return choose_vocoder(spec, trained.to(find_device(device)), path)


@torch.inference_mode()
def waveform_of(vocoder: VocoderModel, streams: Mapping[str, np.ndarray], seed: int = 0) -> np.ndarray:
    """The waveform of one utterance.

    ``streams`` has at least the vocoder's ``inputs``, (T, D) each; ``seed`` is of those that draw by chance.

    Returns float64 (samples,), ``round(T * frame_shift * sample_rate)`` of them. The peak may exceed 1.
    Raises DataError for lengths that differ, or numbers no voice has.
    """
    given = {name: np.asarray(streams[name], np.float32) for name in vocoder.inputs}
    lengths = {len(value) for value in given.values()}
    if len(lengths) != 1 or not all(np.isfinite(value).all() for value in given.values()):
        raise DataError(f"streams must be finite and of one length, not {sorted(lengths)} frames")
    highest = vocoder.spec.sample_rate / 2
    if "lf0" in given and (given["lf0"] > math.log(highest)).any():
        raise DataError(f"an F0 above {highest:g} Hz, half the sampling rate, is none of a voice")
    batch = collate([Example("utt", streams=given)], vocoder.spec.frame_shift, seed)
    device = next((tensor.device for tensor in vocoder.parameters()), torch.device("cpu"))
    made = vocoder.synthesize(batch.to(device))[0].double().cpu().numpy()
    if not np.isfinite(made).all():
        raise DataError("no finite waveform can be made of these streams; they, or the voice, are damaged")
    return made[: vocoder.spec.feature_config.n_samples(lengths.pop())]


class FolderVocoder:
    """Makes waveforms of a decode dir, whose tables it opens once; it can be sent to other processes.

    They are written below ``out``. ``trained`` are further arguments of :func:`load_vocoder`.

    Raises DataError as :func:`load_vocoder`, or where a table is missing.
    """

    def __init__(self, folder: Path, out: Path, spec: Spec, *trained: Any):
        self.out, self.model = out, load_vocoder(spec, *trained)
        for name in self.model.inputs:
            if not (folder / f"{name}.scp").exists():
                raise DataError(f"no {name} to make a waveform of; decode first", folder)
        self.tables = {name: FeatureReader(folder / f"{name}.scp") for name in self.model.inputs}

    def __call__(self, utt: str) -> tuple[int, float]:
        """Writes one waveform; returns its samples and the seconds that it took."""
        began = time.perf_counter()
        x = waveform_of(self.model, {name: table[utt] for name, table in self.tables.items()})
        write_audio(self.out / "wav" / f"{utt}.wav", x, self.model.spec.sample_rate)
        return len(x), time.perf_counter() - began
