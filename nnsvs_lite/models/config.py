"""An experiment's configuration: which model, with what arguments, trained how."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from nnsvs_lite.io.atomic import read_text, write_text
from nnsvs_lite.io.errors import DataError, nearest

_PREFIX = "nnsvs_lite.models."


@dataclass
class TrainingOptions:
    """How a model is trained.

    Attributes:
        epochs: passes over the training set.
        min_steps: with little data more passes are made, until there are so many steps.
        lr: peak learning rate of AdamW, reached after ``warmup`` steps and lowered to a
            hundredth along a half cosine.
        warmup: steps. weight_decay: of AdamW. clip: largest gradient norm.
        budget: padded length of a batch: frames for acoustic models, phones for timing.
        average: decay of the running mean of weights that is tested and kept; 0 for none.
        patience: epochs without a better dev loss before training ends; 0 for never.
        transpose: acoustic models also see phrases moved by up to so many semitones, score and
            F0 alike (:mod:`nnsvs_lite.training.augment`).
        stretch: and lengths multiplied by a factor of up to ``1 + stretch`` or its inverse.
        balance: how far singers with little data are made up for, by showing their phrases more
            often; 1 shows all singers about equally (:func:`nnsvs_lite.training.data.balanced`).
        precision: Fabric's name, such as ``32-true``, ``bf16-mixed``, ``16-mixed``.
        seed: of weights, dropout and the order of batches.
        updates: end after so many steps, whatever ``epochs`` and ``min_steps`` say; 0 to count epochs.
        eval_updates: with ``updates``, test and save each so many steps; 0 after each epoch.
        accumulate: batches whose gradients make one step.
        workers: processes that read batches ahead; results are the same whatever their number.
        crop_frames: vocoders see a random piece of so many frames of each utterance; 0 for all of it.
        n_best: the model kept is the mean of the weights at so many of the best tests.
    """

    epochs: int = 30
    min_steps: int = 0
    lr: float = 1e-3
    warmup: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    budget: int = 12000
    average: float = 0.0
    patience: int = 0
    transpose: int = 0
    stretch: float = 0.0
    balance: float = 0.0
    precision: str = "32-true"
    seed: int = 0
    updates: int = 0
    eval_updates: int = 0
    accumulate: int = 1
    workers: int = 0
    crop_frames: int = 0
    n_best: int = 1

    def check(self, where: str) -> None:
        """Raises DataError for a value that cannot be meant."""
        for name, low in (("epochs", 0), ("lr", 0), ("clip", 0), ("budget", 1), ("warmup", 0)):
            if getattr(self, name) < low:
                raise DataError(f"training.{name} must be at least {low}", where)
        for name, low, high in (("transpose", 0, 24), ("stretch", 0.0, 1.0), ("balance", 0.0, 1.0)):
            if not low <= getattr(self, name) <= high:
                raise DataError(f"training.{name} must be within {low}..{high}", where)
        if not 0 <= self.average < 1:
            raise DataError("training.average must be at least 0 and less than 1", where)
        least = {
            "updates": 0,
            "eval_updates": 0,
            "accumulate": 1,
            "workers": 0,
            "crop_frames": 0,
            "n_best": 1,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise DataError(f"training.{name} must be at least {low}", where)
        if self.eval_updates and not self.updates:
            raise DataError("training.eval_updates needs training.updates", where)
        if self.precision not in (known := ("32-true", "bf16-mixed", "16-mixed")):
            raise DataError(f"training.precision must be one of {', '.join(known)}", where)


@dataclass
class Config:
    """``class_path`` of a model under ``nnsvs_lite.models``, its arguments, and the training."""

    class_path: str
    init_args: dict[str, Any] = field(default_factory=dict)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def to_dict(self) -> dict[str, Any]:
        """As in YAML, with every value in force."""
        model = {"class_path": self.class_path, "init_args": self.init_args}
        return {"model": model, "training": asdict(self.training)}

    def write(self, path: str | os.PathLike) -> None:
        """Writes the effective configuration as YAML."""
        write_text(path, yaml.safe_dump(self.to_dict(), sort_keys=False))

    @property
    def model_class(self) -> type:
        """The class that ``class_path`` names; see :func:`find_class`."""
        return find_class(self.class_path, self.class_path)

    @staticmethod
    def from_dict(value: Any, where: str) -> Config:
        """Checks every key and type.

        Raises:
            DataError: for an unknown key (naming the nearest), a wrong type, or a class
                that is not a model of this package.
        """
        import jsonargparse

        _check_keys(value, ("model", "training"), "", where)
        model = value.get("model") or {}
        _check_keys(model, ("class_path", "init_args"), "model.", where)
        cls = find_class(model.get("class_path"), where)
        names = [p for p in inspect.signature(cls.__init__).parameters if p not in ("self", "spec")]
        _check_keys(model.get("init_args") or {}, names, "model.init_args.", where)
        options = [f.name for f in fields(TrainingOptions)]
        _check_keys(value.get("training") or {}, options, "training.", where)

        parser = jsonargparse.ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(cls, "init_args", skip={"spec"})
        parser.add_class_arguments(TrainingOptions, "training")
        given = {"init_args": model.get("init_args") or {}, "training": value.get("training") or {}}
        try:
            checked = parser.parse_object(given).as_dict()
        except Exception as error:
            raise DataError(str(error), where) from None
        config = Config(
            model["class_path"], checked.get("init_args") or {}, TrainingOptions(**checked["training"])
        )
        config.training.check(where)
        return config

    @staticmethod
    def read(path: str | os.PathLike, overrides: Sequence[str] = ()) -> Config:
        """Reads a YAML, then ``--model.hidden 64``, ``--training.lr=1e-4`` and the like.

        ``--model.NAME`` means ``model.init_args.NAME``.

        Raises:
            DataError: as :meth:`from_dict`, and for YAML that does not parse.
        """
        try:
            value = yaml.safe_load(read_text(path))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else path
            raise DataError(f"not YAML: {getattr(error, 'problem', error)}", where) from None
        if not isinstance(value, dict):
            raise DataError("a mapping with 'model' and 'training' is needed", path)
        _apply(value, overrides)
        return Config.from_dict(value, os.fspath(path))


def _check_keys(value: Any, known: Sequence[str], prefix: str, where: str) -> None:
    if not isinstance(value, dict):
        raise DataError(f"{prefix.rstrip('.')} must be a mapping", where)
    for key in value:
        if key not in known:
            raise DataError(f"unknown key {prefix}{key}{nearest(str(key), known)}", where)


def _apply(value: dict[str, Any], overrides: Sequence[str]) -> None:
    words = list(overrides)
    while words:
        word = words.pop(0)
        name, equals, text = word.partition("=")
        keys = name.removeprefix("--").replace("-", "_").split(".")
        if not word.startswith("--") or len(keys) < 2 or keys[0] not in ("model", "training"):
            raise DataError(f"unknown option {word!r}; there are --model.NAME and --training.NAME VALUE")
        if not equals:
            if not words:
                raise DataError(f"option {word!r} needs a value")
            text = words.pop(0)
        if keys[0] == "model" and keys[1] not in ("init_args", "class_path"):
            keys.insert(1, "init_args")
        target = value
        for key in keys[:-1]:
            if not isinstance(target.get(key), dict):
                target[key] = {}
            target = target[key]
        try:
            target[keys[-1]] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise DataError(f"value {text!r} of option {name} cannot be read") from None


def find_class(class_path: Any, where: str) -> type:
    """The model class of a ``class_path``.

    Only modules of ``nnsvs_lite.models`` are imported, and only subclasses of
    ``SvsModel`` are given back: a configuration or a checkpoint cannot run other code.

    Raises:
        DataError: naming the nearest model.
    """
    from nnsvs_lite.models.base import SvsModel

    path = str(class_path)
    module_name, _, name = path.rpartition(".")
    known = model_modules()
    if module_name not in known:
        last = difflib.get_close_matches(module_name, known, n=1, cutoff=0.3)
        hint = f" (did you mean {last[0]!r}?)" if last else ""
        raise DataError(f"model.class_path {path!r} is no model under {_PREFIX[:-1]}{hint}", where)
    module = importlib.import_module(module_name)
    cls = getattr(module, name, None)
    if not (inspect.isclass(cls) and issubclass(cls, SvsModel) and hasattr(cls, "family")):
        found = [n for n, c in vars(module).items() if inspect.isclass(c) and c.__module__ == module_name]
        raise DataError(f"{module_name} has no model {name!r}{nearest(name, found)}", where)
    return cls


def model_modules() -> list[str]:
    """All modules that may hold a model."""
    root = Path(__file__).parents[1] / "models"
    families = [root / family for family in ("timelag", "duration", "acoustic", "vocoder")]
    files = [f for folder in families if folder.is_dir() for f in sorted(folder.glob("*.py"))]
    return [f"{_PREFIX}{f.parent.name}.{f.stem}" for f in files if f.stem != "__init__"]
