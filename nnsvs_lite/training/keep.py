"""What a training keeps: all it needs to go on, and a model: the last, the best, or the mean of several."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models import checkpoint
from nnsvs_lite.models.base import SvsModel
from nnsvs_lite.models.config import Config


class State:
    """Things with ``state_dict``, saved to ``path`` and taken up by name.

    ``identity``, plain values, tells this run from others.
    """

    def __init__(self, path: Path, identity: Any):
        self.path = path
        self.identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self._things: dict[str, Any] = {}

    def register(self, name: str, thing: Any) -> None:
        """Raises: ValueError for a name that is taken."""
        if name in self._things:
            raise ValueError(f"{name!r} is registered already")
        self._things[name] = thing

    def save(self) -> None:
        states = {name: thing.state_dict() for name, thing in self._things.items()}
        checkpoint.save(self.path, {"identity": self.identity, "states": states})

    def read(self) -> dict[str, Any] | None:
        """The saved states by name; None where there are none, or another run's, which is said.

        Raises DataError for a damaged file.
        """
        if not self.path.exists():
            return None
        state = checkpoint.load(self.path)
        if state.get("identity") != self.identity:
            print(f"{self.path} is of another configuration or other data: training starts anew", flush=True)
            return None
        return state["states"]

    def take_up(self, states: dict[str, Any]) -> None:
        for name, thing in self._things.items():
            thing.load_state_dict(states[name])


def _is_whole(path: Path) -> bool:
    try:
        return bool(checkpoint.load(path))
    except DataError:
        return False


class Keeper:
    """``model.pt`` of an exp dir, and ``best/`` where more than one is kept.

    Args:
        out: the exp dir. count: models to keep. name: of what is counted: ``epoch`` or ``update``.
        latest: whether to keep the last ones, where dev losses cannot choose; else those of the lowest.

    Attributes:
        kept: (dev loss, epoch or update), best first.
    """

    def __init__(self, out: Path, config: Config, count: int, name: str, latest: bool = False):
        self.out, self.config, self.count, self.name, self.latest = out, config, count, name, latest
        self.kept: list[tuple[float, int]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self.kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.kept = [(loss, at) for loss, at in state["kept"]]

    def offer(self, loss: float, at: int) -> None:
        """Notes a test, on all ranks alike."""
        rank = (lambda test: -test[1]) if self.latest else None
        self.kept = sorted([*self.kept, (loss, at)], key=rank)[: self.count]

    def write(self, model: SvsModel, loss: float, at: int) -> None:
        """Writes the model just noted, if it is one to keep."""
        extra = {self.name: at, "dev_loss": loss}
        if self.kept[:1] == [(loss, at)]:
            checkpoint.save_model(self.out / "model.pt", model, self.config, extra)
        if self.count > 1 and (loss, at) in self.kept:
            checkpoint.save_model(self._path(at), model, self.config, extra)

    def sweep(self) -> None:
        """Removes models that are no longer kept; once the state that says so is saved."""
        names = {self._path(at).name for _, at in self.kept}
        for path in (self.out / "best").glob("*.pt"):
            if path.name not in names:
                path.unlink()

    def missing(self) -> list[Path]:
        """Files that should be there and are not, or are damaged."""
        paths = [self._path(at) for _, at in self.kept] if self.count > 1 else []
        model = [self.out / "model.pt"] if self.kept else []
        return [path for path in (*model, *paths) if not _is_whole(path)]

    def finish(self) -> None:
        """Puts the mean of the weights of all kept models into ``model.pt``."""
        if self.count == 1:
            return
        self.sweep()
        states = [checkpoint.load(self._path(at)) for _, at in self.kept]
        weights = dict(states[0]["weights"])
        for name, value in weights.items():
            if value.is_floating_point():
                values = torch.stack([state["weights"][name].double() for state in states])
                weights[name] = values.mean(0).to(value.dtype)
        mean = {"weights": weights, "mean_of": [at for _, at in self.kept]}
        checkpoint.save(self.out / "model.pt", states[0] | mean)

    def _path(self, at: int) -> Path:
        return self.out / "best" / f"{at}.pt"
