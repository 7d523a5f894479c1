"""One experiment: trained unless it is up to date, and never trained over by another."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from nnsvs_lite.corpus.datadir import audio_files
from nnsvs_lite.io.atomic import read_summed, read_text, write_json
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import read_settings
from nnsvs_lite.io.stagelog import git_commit
from nnsvs_lite.models.config import FAMILIES, UNHEARD, Config, hears_recordings

TRAINED = "trained.json"
"""By what a model was trained: configuration, options, seed, commit."""
_WRITTEN = ("last.pt", "losses.jsonl", "tensorboard", "best", "data.json", "config.yaml", TRAINED, "model.pt")
"""What training writes, the model last: it tells that there is something to lose."""
_NAMED = 3
"""Differences that a refusal names."""


def train(
    config_path: str | os.PathLike,
    dump: str | os.PathLike,
    train_set: str,
    dev_set: str,
    out: str | os.PathLike,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    ngpu: int = 0,
    num_nodes: int = 1,
    overwrite: bool = False,
    data: str | os.PathLike | None = None,
    init: str | os.PathLike | None = None,
    features_from: str | os.PathLike | None = None,
) -> bool:
    """Trains a model, or takes up its training, unless the exp dir is up to date.

    Args:
        config_path: YAML. dump: dump dir. train_set, dev_set: its sets. out: exp dir.
        overrides: words such as ``--model.hidden 64 --training.lr=1e-4``.
        seed: in place of ``training.seed``. ngpu: GPUs on each machine; 0 trains on the CPU.
        num_nodes: machines, as launched by ``torchrun`` or Slurm.
        overwrite: whether a model of another configuration or other data may be replaced.
        data: folder with data dirs of both sets, for vocoders and end-to-end systems; others read none.
        init: exp dir, or checkpoint, of a voice whose weights are where training starts.
        features_from: folder of decode dirs of both sets, made with true times, whose spectra vocoders learn
            from in place of the recordings' own.

    Returns whether anything was done. Raises DataError for bad data or configuration, a loss that is not
    finite, or an exp dir that holds another experiment.
    """
    out, dump = Path(out), Path(dump)
    data = data if hears_recordings(config_path, overrides) else None
    inputs = [dump / "schema.json", dump / "stats.json", dump / train_set, dump / dev_set]
    folders = [] if data is None else [Path(data) / name for name in (train_set, dev_set)]
    for path in inputs + folders:
        if not path.exists():
            raise DataError("no such file or folder; run stage 2 first", path)
    predicted = [] if features_from is None else [Path(features_from) / name for name in (train_set, dev_set)]
    inputs += [path for folder in predicted for path in sorted(folder.glob("*.ark"))]
    inputs += [path for folder in folders for path in (folder, *audio_files(folder))]
    start = None if init is None else checkpoint_of(init)
    inputs += [] if start is None else [start]
    settings = read_settings(config_path, FAMILIES).value
    options = {"config": settings, "overrides": list(overrides), "seed": seed}
    done = Done(out, "train", inputs, options)
    if done.is_current():
        return False

    # torch and Fabric are slow to import; a finished stage must not wait for them.
    from nnsvs_lite.training.loop import Loop
    from nnsvs_lite.training.ranks import launch, together
    from nnsvs_lite.training.tasks import TASKS

    config = Config.read(config_path, overrides)
    if seed is not None:
        config.training.seed = seed
    source = _identity(dump, train_set, dev_set, data, done.hashes)
    if start is not None:
        source["init"] = done.hashes[start][:12]
    if predicted:
        held = [done.hashes[path] for folder in predicted for path in sorted(folder.glob("*.ark"))]
        source["features_from"] = hashlib.sha256("".join(held).encode()).hexdigest()[:12]
    # Of damage it is known that nothing else differs.
    changes = [] if done.damaged else differences(out, config.to_dict(), source)
    if changes and not overwrite:
        more = f", and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
        raise DataError(
            f"another experiment stands here: {', '.join(changes[:_NAMED])}{more}; "
            "give this one a name of its own (--tag) or replace the other (--overwrite true)",
            out,
        )
    fabric = launch(ngpu, num_nodes, config.training.precision)
    task = TASKS[config.model_class.task or config.model_class.family](
        config,
        dump,
        train_set,
        dev_set,
        data,
        None if start is None else (start, source["init"]),
        features_from,
    )
    loop = Loop(task, out, fabric)
    if fabric.is_global_zero:
        done.clear()
        if changes or "model.pt" in done.damaged:
            _remove(out)
        is_new = not (out / "model.pt").exists()
        if is_new or TRAINED in done.damaged or not (out / TRAINED).exists():
            told = {"config": Path(config_path).stem, "options": list(overrides)}
            told |= {"seed": config.training.seed, "commit": git_commit() if is_new else ""}
            told |= {} if init is None else {"init": os.fspath(init)}
            write_json(out / TRAINED, told)
        write_json(out / "data.json", source)
        config.write(out / "config.yaml")
        print(f"training {Path(config_path).stem}", flush=True)
    with together():
        fabric.barrier()
        loop.run()
    if fabric.is_global_zero:
        done.set([out / name for name in ("model.pt", "config.yaml", "losses.jsonl", TRAINED)])
    return True


def checkpoint_of(path: str | os.PathLike) -> Path:
    """The checkpoint that a path, of it or of its exp dir, names. Raises DataError where there is none."""
    path = Path(path)
    path = path / "model.pt" if path.is_dir() else path
    if not path.is_file():
        raise DataError("no such model; train it first", path)
    return path


def _identity(
    dump: Path, train_set: str, dev_set: str, data: str | os.PathLike | None, hashes: Mapping[Path, str]
) -> dict[str, Any]:
    """What a model is trained on, as ``data.json`` of its exp dir holds it."""
    found: dict[str, Any] = {
        "features": read_summed(dump / "schema.json"),
        "stats": hashes[dump / "stats.json"][:12],
    }
    for name, subset in (("train_set", train_set), ("dev_set", dev_set)):
        utterances = len(read_text(dump / subset / "utt2spk").splitlines())
        found[name] = {"name": subset, "utterances": utterances, "contents": hashes[dump / subset][:12]}
        if data is not None:
            heard = [hashes[path] for path in audio_files(Path(data) / subset)]
            found[name]["recordings"] = hashlib.sha256("".join(heard).encode()).hexdigest()[:12]
    return found


def differences(out: Path, config: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """Where an exp dir that holds a model differs: ``key old -> new``, of the configuration first.

    Raises DataError where the dir's own record of itself cannot be read.
    """
    if not (out / "model.pt").exists():
        return []
    changes = []
    for name, new in (("config.yaml", config), ("data.json", data)):
        if not (out / name).exists():
            changes.append(f"no {name}")
            continue
        # What is new is written and read like the old, so that both have the same types: YAML
        # takes JSON's 1e-05 for text.
        write, read = (json.dumps, json.loads) if name.endswith(".json") else (yaml.safe_dump, yaml.safe_load)
        try:
            held = read(read_text(out / name))
        except (yaml.YAMLError, ValueError) as error:
            raise DataError(f"cannot be read: {str(error).splitlines()[0]}", out / name) from None
        if name == "config.yaml":
            # Options that came later are at their defaults; what cannot be read so any more is another.
            with suppress(DataError):
                held = read(write(Config.from_dict(held, str(out / name)).to_dict()))
        old, now = dict(_flat(held)), dict(_flat(read(write(new))))
        for key in {**old, **now}:
            if old.get(key) != now.get(key) and key not in [f"training.{name}" for name in UNHEARD]:
                changes.append(f"{key} {_short(old.get(key))} -> {_short(now.get(key))}")
    return changes


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _remove(out: Path) -> None:
    for name in _WRITTEN:
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        else:
            (out / name).unlink(missing_ok=True)
