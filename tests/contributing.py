"""The code that CONTRIBUTING.md walks through, as if it stood where the text says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import yaml

from nnsvs_lite.models import config


def blocks(heading: str) -> dict[str, str]:
    """The code blocks of a section by language: ``python`` and ``yaml``."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"```(python|yaml)\n(.*?)```", section, re.DOTALL))


def install(heading: str) -> types.ModuleType:
    """Puts a section's module where its YAML says; returns it."""
    written = blocks(heading)
    name = yaml.safe_load(written["yaml"])["model"]["class_path"].rpartition(".")[0]
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(written["python"], "CONTRIBUTING.md", "exec"), vars(module))  # our own words, not data
    known = config.model_modules()
    if name not in known:
        config.model_modules = lambda: [*known, name]
    return module
