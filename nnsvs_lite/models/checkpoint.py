"""Checkpoints: tensors and plain values only, written whole, read without running code."""

import io
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import torch

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import check_regular, write_bytes
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import SvsModel
from nnsvs_lite.models.config import Config

FORMAT = "nnsvs_lite model 2"


def save(path: str | os.PathLike, state: dict[str, Any]) -> None:
    """Writes tensors, numbers, strings, lists and dicts atomically; same state, same bytes."""
    # Given a path, torch would write its name into the file, and hide a full disk's OSError.
    buffer = io.BytesIO()
    torch.save(_plain(state), buffer)
    write_bytes(path, buffer.getvalue())


def _plain(value: Any) -> Any:
    """The same state without its history: a pickle writes an object that it meets twice only once, and
    what was read from a file shares other objects than what was made here.
    """
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(item) for item in value])
    return sys.intern(value) if isinstance(value, str) else value


def load(path: str | os.PathLike, file: BinaryIO | None = None) -> dict[str, Any]:
    """Reads what :func:`save` wrote, to the CPU, from ``file`` where ``path`` is only its name.

    Raises DataError where the file is missing, damaged, or holds anything but plain values.
    """
    if file is None:
        check_regular(path)
    try:
        with warnings.catch_warnings():
            # torch warns of foreign pickles that are refused right after.
            warnings.simplefilter("ignore")
            state = torch.load(path if file is None else file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError("no such checkpoint; train the model first", path) from None
    except (PermissionError, IsADirectoryError) as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    except pickle.UnpicklingError:
        raise DataError("not a checkpoint of plain tensors; it is not loaded", path) from None
    except Exception as error:
        # Damaged bytes can make a reader of pickles and zip files raise anything.
        reason = str(error).partition("\n")[0] or "it ends early"
        raise DataError(f"damaged checkpoint: {reason}", path) from None
    if not isinstance(state, dict):
        raise DataError("not a checkpoint of this toolkit", path)
    return state


def save_model(path: str | os.PathLike, model: SvsModel, config: Config, extra: dict[str, Any]) -> None:
    """Writes all that singing needs: weights, configuration and specification."""
    state = {"format": FORMAT, "config": config.to_dict(), "spec": model.spec.to_dict()}
    state |= {"weights": model.state_dict(), "parameters": sum(p.numel() for p in model.parameters())}
    save(path, state | extra)


def _load_state(path: str | os.PathLike, file: BinaryIO | None = None) -> tuple[Path, dict[str, Any]]:
    """What :func:`save_model` wrote, and its path."""
    path = Path(path)
    if path.is_dir():
        path = path / "model.pt"
    state = load(path, file)
    made = state.get("format")
    if not str(made).startswith(FORMAT[:-1]):
        raise DataError("not a model of this toolkit", path)
    if made != FORMAT:
        raise DataError(f"is of {made!r}, this version reads {FORMAT!r}: train it again", path)
    for name in ("config", "spec", "weights"):
        if not isinstance(state.get(name), dict):
            raise DataError(f"lacks {name}; train the model again", path)
    return path, state


def count_parameters(path: str | os.PathLike) -> int:
    """Trained parameters of a checkpoint, whose model is not built; raises as :func:`load_model`."""
    path, state = _load_state(path)
    if not isinstance(state.get("parameters"), int):
        raise DataError("lacks the number of parameters; train the model again", path)
    return state["parameters"]


def load_model(
    path: str | os.PathLike, family: str | None = None, file: BinaryIO | None = None, trust_code: bool = False
) -> SvsModel:
    """Builds the model of a checkpoint (see :func:`load`), or of the ``model.pt`` of an exp dir.

    ``trust_code`` lets the checkpoint name a class of any module, which is then imported and run.

    Raises DataError as :func:`load`; where it is no model, of another family, or its weights do not fit its
    configuration.
    """
    path, state = _load_state(path, file)
    config = Config.from_dict(state["config"], str(path), trust_code)
    spec = Spec.from_dict(state["spec"], path, "train it again")
    if spec.stats is None:
        raise DataError("lacks statistics; train the model again", path)
    model = config.build(spec)
    if family is not None and model.family != family:
        raise DataError(f"holds a {model.family} model, a {family} model is needed", path)
    try:
        model.load_state_dict(state["weights"])
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"weights do not fit the model: {reason}", path) from None
    return model.eval()
