"""The code that CONTRIBUTING.md walks through, as if it stood where the text says."""

import re
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from nnsvs_lite.models import config


def blocks(heading: str) -> dict[str, str]:
    """The code blocks of a section by language: ``python`` and ``yaml``."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"```(python|yaml)\n(.*?)```", section, re.DOTALL))


@contextmanager
def installed(heading: str) -> Iterator[types.ModuleType]:
    """A section's module, where its YAML says that it is."""
    written, known = blocks(heading), config.model_modules
    name = str(yaml.safe_load(written["yaml"])["model"]["class_path"]).rpartition(".")[0]
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(written["python"], "CONTRIBUTING.md", "exec"), vars(module))  # our own words, not data
    config.model_modules = lambda: sorted({*known(), name})
    try:
        yield module
    finally:
        config.model_modules = known
        del sys.modules[name]
