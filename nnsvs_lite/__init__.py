"""nnsvs_lite: staged recipes for singing voice synthesis.

What is named here (with types in ``__init__.pyi``) is kept stable, and imported when it is first used: "In
Python" of docs/singing.md.
"""

import importlib
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

BOXED_VOICE = Path(__file__).parent / "voices" / "demo.nnsvs"
"""The packed voice of the demo recipe, made by ``make voice``: who sings where no other is named."""

_HOMES = {
    "DataDir": "corpus.datadir",
    "MEASURES": "evaluation.measures",
    "FeatureConfig": "features.config",
    "analyse": "features.utterance",
    "DataError": "io.errors",
    "FeatureReader": "io.tables",
    "read_score": "score.formats.readers",
    "Score": "score.types",
    "Singer": "synthesis.singer",
    "load_vocoder": "synthesis.vocoder",
    "waveform_of": "synthesis.vocoder",
}

__all__ = ["BOXED_VOICE", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
