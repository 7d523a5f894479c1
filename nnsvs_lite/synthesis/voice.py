"""A voice is three checkpoints: in the folder of a finished acoustic model, or packed in one file.

Decoding puts the time-lag and duration models it used beside the acoustic model, so
that the folder can be copied elsewhere and still sings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nnsvs_lite.io.atomic import write_bytes
from nnsvs_lite.io.errors import DataError

if TYPE_CHECKING:
    import torch

    from nnsvs_lite.models.base import SvsModel

FILES = {"timelag": "timelag.pt", "duration": "duration.pt", "acoustic": "model.pt"}


class Voice(NamedTuple):
    """Checkpoints of the three models that sing together."""

    timelag: Path
    duration: Path
    acoustic: Path


def assemble(folder: str | os.PathLike, timelag: Path, duration: Path) -> list[Path]:
    """Copies timing checkpoints into an acoustic exp dir; returns the copies."""
    written = []
    for source, family in ((timelag, "timelag"), (duration, "duration")):
        target = Path(folder) / FILES[family]
        data = source.read_bytes()
        if not target.exists() or target.read_bytes() != data:
            write_bytes(target, data)
        written.append(target)
    return written


def find_voice(folder: str | os.PathLike) -> Voice:
    """The checkpoints of an exp dir.

    Raises:
        DataError: where it is no folder of a finished recipe, saying what is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("no such folder; a voice is the exp dir of an acoustic model", folder)
    for family, name in FILES.items():
        if not (folder / name).is_file():
            raise DataError(f"no {name}, the {family} model; run the recipe to stage 5", folder)
    return Voice(*(folder / FILES[family] for family in Voice._fields))


def load_voice(path: str | os.PathLike, device: torch.device, trust_code: bool = False) -> list[SvsModel]:
    """The time-lag, duration and acoustic model of an exp dir or a packed voice, for inference.

    Raises:
        DataError: where it is neither, or a checkpoint is damaged.
    """
    from nnsvs_lite.models.checkpoint import load_model
    from nnsvs_lite.synthesis.pack import Pack

    if Path(path).is_file():
        pack = Pack.read(path)
        models = [load_model(f"{path}/{f}", f, pack.checkpoint(f), trust_code) for f in Voice._fields]
    else:
        models = [load_model(p, f, trust_code=trust_code) for f, p in find_voice(path)._asdict().items()]
    return [model.to(device) for model in models]
