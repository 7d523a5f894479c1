"""Public corpora: one module each, from its files to data dirs; and the door to them by name."""

import importlib
import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.facts import Facts, known_corpora, read_facts
from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.corpus.prepare import finish
from nnsvs_lite.corpus.segment import Cutting
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import STRICT
from nnsvs_lite.io.settings import config_names, find_config


def corpora() -> list[str]:
    """Names of the corpora that can be prepared: modules here with ``prepare(db_root, out, ...)``, and those
    whose YAML (``conf/corpus``) names a module with ``read(corpus, ...)`` as its reader.
    """
    return sorted({*_modules_with("prepare"), *known_corpora()})


def _modules_with(function: str) -> list[str]:
    """Names of the modules here that define it; their text is looked at, so that none is imported for it."""
    defined = re.compile(rf"^def {function}\(", re.MULTILINE)
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return [file.stem for file in files if defined.search(file.read_text(encoding="utf-8"))]


def reading(facts: Facts, key: str, function: str) -> Callable:
    """The function of the module that the facts of a corpus name by ``key``. Raises DataError where there is
    no such module.
    """
    name, known = getattr(facts, key), _modules_with(function)
    if name not in known:
        what = f"{key} {name!r} is no module of nnsvs_lite/corpora{nearest(name, known)}"
        raise DataError(f"{what}; there are {', '.join(known)}", find_config("corpus", facts.name))
    return getattr(importlib.import_module(f"nnsvs_lite.corpora.{name}"), function)


def find(name: str) -> tuple[Callable[..., dict[str, DataDir]], set[str]]:
    """The ``prepare(db_root, out, **options)`` of a corpus, and the options that it takes.

    Raises DataError for an unknown name, with the nearest and all known ones.
    """
    known = corpora()
    if name not in known:
        raise DataError(f"unknown corpus {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    shared = (_keywords(finish) | {field.name for field in fields(Cutting)}) - {"cut"}
    if name not in config_names("corpus"):
        run = importlib.import_module(f"nnsvs_lite.corpora.{name}").prepare
        return run, _keywords(run) | shared
    facts = read_facts(name)
    read = reading(facts, "reader", "read")
    own = _keywords(read)

    def run(db_root, out, *, bad_songs=None, **options):
        corpus = Gathering(facts, db_root, out, bad_songs)
        read(corpus, **{option: options.pop(option) for option in own & set(options)})
        return corpus.finish(**options)

    return run, own | {"bad_songs"} | _keywords(Gathering.finish) | shared


def _keywords(function: Callable) -> set[str]:
    """Names of its arguments that are given by name alone."""
    return {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}


def prepare(
    name: str, db_root: str | os.PathLike, out: str | os.PathLike, options: Mapping[str, Any]
) -> bool:
    """Prepares the corpus at ``db_root`` unless it is up to date: ``out/{train,dev,eval}``, checked.

    Returns:
        False where all was done before, with the same files and options.

    Raises DataError for an unknown corpus or option, and for any fault of its data.
    """
    run, known = find(name)
    for option in options:
        if option not in known:
            raise DataError(f"unknown option {option!r} of {name}{nearest(option, known)}")
    asked = {"corpus": name, **options} | ({"strict": True} if STRICT.get() else {})
    rules = [find_config(kind, name) for kind in ("corpus", "split") if name in config_names(kind)]
    done = Done(out, "prepare", [db_root, *rules], asked)
    if done.is_current():
        return False
    done.clear()
    # The tables are let go of before they are read anew.
    folders = [part.path for part in run(Path(db_root), Path(out), **options).values()]
    faults = [fault for folder in folders for fault in validate(folder)]
    if faults:
        more = f" ({len(faults)} faults in all; nnsvs-lite validate lists them)"
        raise DataError(faults[0].what + more, faults[0].place)
    written = {path for folder in folders for path in folder.iterdir()}
    # Stage 1 carves the breaths that it hears into the scores.
    scores = {path for path in written if path.name == "score"}
    done.set(sorted(written - scores), sorted(scores))
    return True
