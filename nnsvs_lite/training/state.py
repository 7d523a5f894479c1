"""What a training must remember to go on: everything that was registered, in one file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nnsvs_lite.models import checkpoint


class State:
    """Things with ``state_dict`` and ``load_state_dict``, saved and taken up by name.

    Args:
        path: the file. identity: plain values that tell this run from others.
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
        """Writes the state of all things, whole or not at all."""
        states = {name: thing.state_dict() for name, thing in self._things.items()}
        checkpoint.save(self.path, {"identity": self.identity, "states": states})

    def read(self) -> dict[str, Any] | None:
        """The saved states by name; None where there are none, or another run's, which is said.

        Raises:
            DataError: for a damaged file.
        """
        if not self.path.exists():
            return None
        state = checkpoint.load(self.path)
        if state.get("identity") != self.identity:
            print(f"{self.path} is of another configuration or other data: training starts anew", flush=True)
            return None
        return state["states"]

    def take_up(self, states: dict[str, Any]) -> None:
        """Gives every thing its state."""
        for name, thing in self._things.items():
            thing.load_state_dict(states[name])
