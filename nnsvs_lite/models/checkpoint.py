"""Checkpoints: tensors and plain values only, written whole, read without running code."""

import hashlib
import io
import math
import os
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import check_regular, check_stored, write_bytes
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import SvsModel
from nnsvs_lite.models.config import Config

FORMAT = "nnsvs_lite model 2"
_SUM = "sum"
_read: list[tuple[dict[str, Any], Spec]] = []
"""The specification read last, as it was written: most models of a voice hold the same."""


def save(path: str | os.PathLike, state: dict[str, Any]) -> None:
    """Writes tensors, numbers, strings, lists and dicts atomically, with a sum; same state, same bytes."""
    write_bytes(path, _written(state))


def _written(state: dict[str, Any]) -> bytes:
    # Given a path, torch would write its name into the file, and hide a full disk's OSError.
    buffer = io.BytesIO()
    torch.save(_plain(state | {_SUM: _digest(state)}), buffer)
    return buffer.getvalue()


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

    What is read takes little more memory than the file has bytes.
    Raises DataError where the file is missing, damaged, or holds anything but plain values.
    """
    if file is None:
        check_regular(path)
    try:
        with warnings.catch_warnings(), open(path, "rb") if file is None else file as opened:
            # torch warns of foreign pickles that are refused right after.
            warnings.simplefilter("ignore")
            if opened.read(4) != b"PK\x03\x04":
                raise pickle.UnpicklingError
            size = opened.seek(0, os.SEEK_END)
            with zipfile.ZipFile(opened) as archive:
                check_stored(archive, size, path)
                # CRCs of the container; checkpoints of older versions have no other sum.
                if broken := archive.testzip():
                    raise ValueError(f"{broken} is not what was written")
            opened.seek(0)
            state = torch.load(opened, map_location="cpu", weights_only=True)
        made = state.pop(_SUM, None) if isinstance(state, dict) else None
        if made not in (None, _digest(state, size)):
            raise ValueError("it holds other values than were written")
    except FileNotFoundError:
        raise DataError("no such checkpoint; train the model first", path) from None
    except (PermissionError, IsADirectoryError) as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    except pickle.UnpicklingError:
        raise DataError("not a checkpoint of plain tensors; it is not loaded", path) from None
    except DataError:
        raise
    except Exception as error:
        # Damaged bytes can make a reader of pickles and zip files raise anything.
        reason = str(error).partition("\n")[0] or "it ends early"
        raise DataError(f"damaged checkpoint: {reason}; remove it and train, or pack, again", path) from None
    if not isinstance(state, dict):
        raise DataError("not a checkpoint of this toolkit", path)
    return state


def _digest(state: Any, size: float = math.inf) -> str:
    """A hash of all values of a state, however they are written down.

    Raises ValueError where they are more than a file of ``size`` bytes holds: a pickle may name one value
    many times, and tensors may share their numbers.
    """
    digest, room = hashlib.blake2b(digest_size=16), 2.0 * size + (1 << 20)

    def add(value: Any) -> None:
        nonlocal room
        room -= value.numel() * value.element_size() if isinstance(value, Tensor) else 1
        if room < 0:
            raise ValueError("its values are more than its bytes")
        if isinstance(value, dict):
            digest.update(b"dict %d " % len(value))
            for key, item in value.items():
                add(key)
                add(item)
        elif isinstance(value, (list, tuple)):
            digest.update(b"list %d " % len(value))
            for item in value:
                add(item)
        elif isinstance(value, Tensor):
            digest.update(f"{value.dtype} {list(value.shape)} ".encode())
            # A copy has usual strides, whatever those of the tensor are.
            copy = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            digest.update(copy.reshape(-1).view(torch.uint8).numpy())
        else:
            digest.update(f"{type(value).__name__} {value!r} ".encode())

    add(state)
    return digest.hexdigest()


def save_model(path: str | os.PathLike, model: SvsModel, config: Config, extra: dict[str, Any]) -> None:
    """Writes all that singing needs: weights, configuration and specification."""
    write_bytes(path, model_bytes(model, config, extra))


def model_bytes(model: SvsModel, config: Config, extra: dict[str, Any] | None = None) -> bytes:
    """What :func:`save_model` writes."""
    state = {"format": FORMAT, "revision": model.revision}
    state |= {"config": config.to_dict(), "spec": model.spec.to_dict()}
    state |= {"weights": model.state_dict(), "parameters": sum(p.numel() for p in model.parameters())}
    return _written(state | (extra or {}))


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
    spec = _spec_of(state["spec"], path)
    if spec.stats is None:
        raise DataError("lacks statistics; train the model again", path)
    found = config.model_class.family
    if found != (family or found):
        raise DataError(f"holds a {found} model, a {family} model is needed", path)
    try:
        model = _build(config, spec, state["weights"])
        if state.get("revision", 1) != model.revision:
            older = f"is of revision {state.get('revision', 1)} of {type(model).__name__}"
            raise DataError(f"{older}, this version sings revision {model.revision}: train it again", path)
        model.load_state_dict(state["weights"])
    except DataError as error:
        raise DataError(error.what, error.where or path) from None
    except Exception as error:
        # Foreign sizes can make a constructor raise anything.
        reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise DataError(f"weights do not fit the model: {reason}", path) from error
    return model.eval()


def _spec_of(value: dict[str, Any], path: Path) -> Spec:
    """The specification of a checkpoint. To check one takes as long as to read the weights: done once."""
    if not _read or _read[0][0] != value:
        _read[:] = [(value, Spec.from_dict(value, path, "train it again"))]
    return _read[0][1]


def _build(config: Config, spec: Spec, weights: dict[str, Any]) -> SvsModel:
    """The model, of the same names and sizes as these weights; none of its own is filled where it has more.

    Raises ValueError where weights are not those of the model.
    """
    tensors = [value for value in weights.values() if isinstance(value, Tensor)]
    # What is registered twice, or not stored, has room too.
    count, room = 2 * len(weights) + 100, 4 * sum(value.numel() for value in tensors) + (1 << 20)

    def bound(module: object, name: str, value: Tensor | None) -> None:
        # Called with memory that is asked for and not yet written to, so that it takes none.
        nonlocal count, room
        count, room = count - 1, room - (0 if value is None else value.numel())
        if count < 0 or room < 0:
            raise ValueError(f"the file has {len(weights)} tensors, the model has more, or larger ones")

    hooks = [
        register_module_parameter_registration_hook(bound),
        register_module_buffer_registration_hook(bound),
    ]
    try:
        model = config.build(spec)
    finally:
        for hook in hooks:
            hook.remove()
    outline = model.state_dict()
    for name in [*outline, *weights]:
        own, given = outline.get(name), weights.get(name)
        fits = isinstance(own, Tensor) and isinstance(given, Tensor) and own.dtype == given.dtype
        if not fits or own.shape != given.shape:
            raise ValueError(f"{name} is missing, or of another size")
        if given.is_floating_point() and not given.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite")
    return model
