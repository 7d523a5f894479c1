"""Public corpora: one module each, from its files to data dirs; and the door to them by name."""

import importlib
import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.facts import known_corpora, read_facts
from nnsvs_lite.corpus.prepare import finish
from nnsvs_lite.corpus.segment import Cutting
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import STRICT
from nnsvs_lite.io.settings import config_names, find_config

_OWN = re.compile(r"^def prepare\(\s*db_root\b(?![^)]*\bfacts: Facts\b)", re.MULTILINE)
"""Of a module that reads the one corpus of its name; readers of several are told which by its facts."""


def corpora() -> list[str]:
    """Names of the corpora that can be prepared: modules here with ``prepare(db_root, ...)``, and those whose
    YAML (``conf/corpus``) names such a module as its reader.
    """
    # Their text is looked at, so that none is imported for it.
    files = sorted(Path(__file__).parent.glob("*.py"))
    own = {file.stem for file in files if _OWN.search(file.read_text(encoding="utf-8"))}
    return sorted(own | set(known_corpora()))


def find(name: str) -> Callable[..., dict[str, DataDir]]:
    """The ``prepare(db_root, out, **options)`` of a corpus.

    Raises DataError for an unknown name, with the nearest and all known ones.
    """
    known = corpora()
    if name not in known:
        raise DataError(f"unknown corpus {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    if name not in known_corpora():
        return importlib.import_module(f"nnsvs_lite.corpora.{name}").prepare
    facts = read_facts(name)
    module = importlib.import_module(f"nnsvs_lite.corpora.{facts.reader}")
    takes = inspect.signature(module.prepare).parameters
    return partial(module.prepare, facts=facts) if "facts" in takes else module.prepare


def prepare(
    name: str, db_root: str | os.PathLike, out: str | os.PathLike, options: Mapping[str, Any]
) -> bool:
    """Prepares the corpus at ``db_root`` unless it is up to date: ``out/{train,dev,eval}``, checked.

    Returns:
        False where all was done before, with the same files and options.

    Raises DataError for an unknown corpus or option, and for any fault of its data.
    """
    run = find(name)
    parameters = [p for f in (run, finish) for p in inspect.signature(f).parameters.values()]
    known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} | {f.name for f in fields(Cutting)}
    known -= {"facts", "cut"}
    for option in options:
        if option not in known:
            raise DataError(f"unknown option {option!r} of {name}{nearest(option, known)}")
    asked = {"corpus": name, **options} | ({"strict": True} if STRICT.get() else {})
    rules = [find_config(kind, name) for kind in ("corpus", "split") if name in config_names(kind)]
    done = Done(out, "prepare", [db_root, *rules], asked)
    if done.is_current():
        return False
    done.clear()
    parts = run(Path(db_root), Path(out), **options)
    faults = [fault for part in parts.values() for fault in validate(part.path)]
    if faults:
        more = f" ({len(faults)} faults in all; nnsvs-lite validate lists them)"
        raise DataError(faults[0].what + more, faults[0].place)
    written = {path for part in parts.values() for path in part.path.iterdir()}
    # Stage 1 carves the breaths that it hears into the scores.
    scores = {path for path in written if path.name == "score"}
    done.set(sorted(written - scores), sorted(scores))
    return True
