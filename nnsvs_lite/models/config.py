"""An experiment's configuration: which model, with what arguments, trained how."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml

from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.settings import (
    Settings,
    Within,
    config_names,
    find_config,
    parse_settings,
    plain,
    read_settings,
)

if TYPE_CHECKING:
    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.models.base import SvsModel

FAMILIES = ("timelag", "duration", "acoustic", "vocoder")
_PREFIX = "nnsvs_lite.models."
UNHEARD = ("workers", "recompute")
"""Options of training that change nothing of what is learnt."""


@dataclass
class TrainingOptions:
    """How a model is trained.

    Attributes:
        epochs: passes over the training set.
        min_steps: with little data more passes are made, until there are so many steps.
        lr: peak learning rate of AdamW, reached after ``warmup`` steps and lowered to a
            hundredth along a half cosine.
        warmup: steps, at most half of all. weight_decay, beta1, beta2: of AdamW.
        clip: largest gradient norm, 0 for no limit.
        batch_frames: padded length of a batch of acoustic models and vocoders.
        batch_phones: padded length of a batch of time-lag and duration models.
        ema_decay: of the running mean of weights that is tested and kept; 0 for none. Kept are the weights
            of the best test, or, with under ten dev phrases or five minutes of training, the last.
        patience: epochs without a better dev loss before training ends; 0 for never.
        transpose: acoustic models also see phrases moved by up to so many semitones, score and
            F0 alike (:mod:`nnsvs_lite.training.augment`); vocoders hear recordings that are played so
            much faster or slower (:mod:`nnsvs_lite.training.crops`).
        stretch: and lengths multiplied by a factor of up to ``1 + stretch`` or its inverse.
        balance: how far singers with little data are made up for, by showing their phrases more
            often; 1 shows all singers about equally (:func:`nnsvs_lite.training.data.balanced`).
        precision: of computing; weights are kept in 32 bits.
        seed: of weights, dropout and the order of batches.
        updates: end after so many steps, whatever ``epochs`` and ``min_steps`` say; 0 to count epochs.
        eval_updates: with ``updates``, test and save each so many steps; 0 after each epoch.
        accumulate: batches whose gradients make one step.
        workers: processes that read batches ahead; results are the same whatever their number.
        compile: whether blocks that a network repeats are compiled, by ``torch.compile``; that takes minutes.
        recompute: whether what such blocks hold is computed again in the backward pass and not kept: half the
            memory, a fifth more time, the same numbers.
        crop_frames: vocoders see a random piece of so many frames of each utterance, end-to-end systems make
            one; 0 for all of it.
        loudness: vocoders hear pieces by up to so many dB louder or softer.
        n_best: the model kept is the mean of the weights at so many of the best, or last, tests.
    """

    epochs: Annotated[int, Within(0)] = 30
    min_steps: Annotated[int, Within(0)] = 0
    lr: Annotated[float, Within(above=0)] = 1e-3
    warmup: Annotated[int, Within(0)] = 50
    weight_decay: Annotated[float, Within(0)] = 0.01
    beta1: Annotated[float, Within(0, below=1)] = 0.9
    beta2: Annotated[float, Within(0, below=1)] = 0.999
    clip: Annotated[float, Within(0)] = 1.0
    batch_frames: Annotated[int, Within(1)] = 12000
    batch_phones: Annotated[int, Within(1)] = 12000
    ema_decay: Annotated[float, Within(0, below=1)] = 0.0
    patience: Annotated[int, Within(0)] = 0
    transpose: Annotated[int, Within(0, 24)] = 0
    stretch: Annotated[float, Within(0, 1)] = 0.0
    balance: Annotated[float, Within(0, 1)] = 0.0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0
    updates: Annotated[int, Within(0)] = 0
    eval_updates: Annotated[int, Within(0)] = 0
    accumulate: Annotated[int, Within(1)] = 1
    workers: Annotated[int, Within(0)] = 0
    compile: bool = False
    recompute: bool = False
    crop_frames: Annotated[int, Within(0)] = 0
    loudness: Annotated[float, Within(0, 60)] = 0.0
    n_best: Annotated[int, Within(1)] = 1

    def batch_length(self, family: str) -> int:
        """Padded length of a batch, in the unit that batches of a family are measured by."""
        return getattr(self, _batch_key(family))


def _batch_key(family: str, other: bool = False) -> str:
    return "batch_frames" if (family in ("acoustic", "vocoder")) != other else "batch_phones"


@dataclass
class Config:
    """``class_path`` of a model, its checked arguments, and the training."""

    class_path: str
    init_args: dict[str, Any] = field(default_factory=dict)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def to_dict(self) -> dict[str, Any]:
        """As in YAML, with every value in force."""
        training = plain(self.training)
        del training[_batch_key(self.model_class.family, other=True)]
        model = {"class_path": self.class_path, "init_args": plain(self.init_args)}
        return {"model": model, "training": training}

    def write(self, path: str | os.PathLike) -> None:
        """Writes the effective configuration as YAML."""
        write_text(path, yaml.safe_dump(self.to_dict(), sort_keys=False))

    @property
    def model_class(self) -> type[SvsModel]:
        """The class that ``class_path`` names; what could not be trusted was refused in reading."""
        return find_class(self.class_path, Settings({}, self.class_path), trust_code=True)

    def build(self, spec: Spec) -> SvsModel:
        """A new model for a dump."""
        return self.model_class(spec, **self.init_args)

    @staticmethod
    def from_dict(value: Any, where: str, trust_code: bool = False) -> Config:
        """Checks what a checkpoint holds; raises as :meth:`read`.

        ``trust_code`` says whether ``class_path`` may name a class outside this toolkit.
        """
        return _checked(Settings(value, where), trust_code)

    @staticmethod
    def read(path: str | os.PathLike, overrides: Sequence[str] = ()) -> Config:
        """Reads a YAML, then ``--model.NAME VALUE`` (of ``init_args``), ``--training.NAME=VALUE``.

        The model's ``class_path``, the only one there is, may name a class of any module that can
        be imported, since the user names the file: code runs.

        Raises DataError for YAML that does not parse, an unknown key (naming the nearest), a wrong type or
        range, with file and line; or a class that is no model.
        """
        settings = read_settings(path, FAMILIES)
        _apply(settings, overrides)
        return _checked(settings, trust_code=True)


def check_family(path: str | os.PathLike, family: str) -> None:
    """Refuses a configuration of a model of this toolkit of another family, without loading the model."""
    model = read_settings(path, FAMILIES).value.get("model")
    name = str(model.get("class_path") if isinstance(model, dict) else "")
    for other in FAMILIES:
        if other != family and name.startswith(f"{_PREFIX}{other}."):
            raise DataError(f"configures a model of the family {other}; one of {family} is needed", path)


def hears_recordings(path: str | os.PathLike, overrides: Sequence[str] = ()) -> bool:
    """Whether training by a configuration may read recordings, told without loading its model: of this
    toolkit vocoders do, and what else is shown pieces of phrases. Raises as :meth:`Config.read`.
    """
    settings = read_settings(path, FAMILIES)
    _apply(settings, overrides)
    model, training = (settings.value.get(name) for name in ("model", "training"))
    name = str(model.get("class_path") if isinstance(model, dict) else "")
    silent = [f"{_PREFIX}{family}." for family in FAMILIES if family != "vocoder"]
    cropped = isinstance(training, dict) and "crop_frames" in training
    return cropped or not name.startswith(tuple(silent))


def vocoder_by_name(given: str | os.PathLike) -> Config | None:
    """The configuration of a vocoder that has nothing to learn, whose name does wherever another's exp dir is
    asked for; None where ``given`` is the path of something.

    Raises DataError where it is neither, or the name of one that learns.
    """
    if Path(given).exists():
        return None
    known = {name: find_config("vocoder", name) for name in config_names("vocoder")}
    if os.fspath(given) in known:
        config = Config.read(known[os.fspath(given)])
        if not config.model_class.trains:
            return config
        raise DataError("is the name of a vocoder that learns: give the exp dir of one", given)
    names = [name for name, path in known.items() if not Config.read(path).model_class.trains]
    hint = nearest(os.fspath(given), names)
    raise DataError(
        f"no such checkpoint, and no vocoder that learns nothing{hint}; there are {', '.join(names)}", given
    )


def _checked(settings: Settings, trust_code: bool) -> Config:
    settings.check_keys(settings.value, ("model", "training"))
    model = settings.value.get("model", {})
    settings.check_keys(model, ("class_path", "init_args"), ("model",))
    cls = find_class(model.get("class_path"), settings, trust_code)
    place = ("model", "init_args")
    given = settings.arguments(cls, model.get("init_args") or {}, place, skip=("spec",))
    parameters = inspect.signature(cls).parameters.values()
    init_args = {p.name: p.default for p in parameters if p.default is not p.empty} | given
    other, training = _batch_key(cls.family, other=True), settings.value.get("training") or {}
    if isinstance(training, dict) and other in training:
        hint = f"(did you mean {_batch_key(cls.family)!r}?)"
        raise settings.fault(f"unknown key training.{other} {hint}", ("training", other))
    options = TrainingOptions(**settings.arguments(TrainingOptions, training, ("training",), (other,)))
    if options.eval_updates and not options.updates:
        raise settings.fault("training.eval_updates needs training.updates", ("training", "eval_updates"))
    return Config(model["class_path"], init_args, options)


def _apply(settings: Settings, overrides: Sequence[str]) -> None:
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
        settings.put(tuple(keys), parse_settings(text, name).value, name)


def find_class(class_path: Any, settings: Settings, trust_code: bool = False) -> type[SvsModel]:
    """The model class of a ``class_path``; one outside ``nnsvs_lite.models`` only with ``trust_code``.

    Raises DataError naming the nearest model.
    """
    from nnsvs_lite.models.base import SvsModel

    known, place = model_modules(), ("model", "class_path")
    module_name, _, name = settings.convert(str, class_path or "", place).rpartition(".")
    if module_name not in known:
        hint = nearest(module_name, known)
        if not trust_code and class_path and not module_name.startswith(_PREFIX):
            hint = "; --trust-code imports it, and runs what it says: know where it is from"
        if not trust_code or not module_name or module_name.startswith((".", _PREFIX)):
            raise settings.fault(
                f"model.class_path {class_path!r} is no model under {_PREFIX[:-1]}{hint}", place
            )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        # A module of the user's own can raise anything.
        what = f"{module_name} cannot be imported: {type(error).__name__}: {error}"
        raise settings.fault(what, place) from error
    cls = getattr(module, name, None)
    family = getattr(cls, "family", None)
    if not (inspect.isclass(cls) and issubclass(cls, SvsModel) and family in FAMILIES):
        found = [n for n, c in vars(module).items() if inspect.isclass(c) and c.__module__ == module_name]
        raise settings.fault(f"{module_name} has no model {name!r}{nearest(name, found)}", place)
    return cls


def model_modules() -> list[str]:
    """All modules of this package that may hold a model."""
    files = [f for family in FAMILIES for f in sorted((Path(__file__).parent / family).glob("*.py"))]
    return [f"{_PREFIX}{f.parent.name}.{f.stem}" for f in files if f.stem != "__init__"]
