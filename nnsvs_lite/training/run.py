"""One experiment: trained unless it is up to date."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError


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
    data: str | os.PathLike | None = None,
) -> bool:
    """Trains a model, or takes up its training, unless the exp dir is up to date.

    Args:
        config_path: YAML. dump: dump dir. train_set, dev_set: its sets. out: exp dir.
        overrides: words such as ``--model.hidden 64 --training.lr=1e-4``.
        seed: in place of ``training.seed``.
        ngpu: GPUs on each machine; 0 trains on the CPU.
        num_nodes: machines, as launched by ``torchrun`` or Slurm.
        data: folder with data dirs of both sets, for vocoders.

    Returns:
        Whether anything was done.

    Raises:
        DataError: for bad data or configuration, or a loss that is not finite.
    """
    out, dump = Path(out), Path(dump)
    inputs = [dump / "schema.json", dump / "stats.json", dump / train_set, dump / dev_set]
    inputs += [Path(data) / name for name in (train_set, dev_set)] if data is not None else []
    for path in inputs:
        if not path.exists():
            raise DataError("no such file or folder; run stage 2 first", path)
    options = {"config": read_text(config_path), "overrides": list(overrides), "seed": seed}
    done = Done(out, "train", inputs, options)
    if done.is_current():
        return False

    # torch and Fabric are slow to import; a finished stage must not wait for them.
    from lightning_fabric import Fabric

    from nnsvs_lite.models.config import Config
    from nnsvs_lite.training.device import check_gpus
    from nnsvs_lite.training.loop import Loop
    from nnsvs_lite.training.tasks import TASKS

    config = Config.read(config_path, overrides)
    if seed is not None:
        config.training.seed = seed
    check_gpus(ngpu)
    try:
        fabric = Fabric(
            accelerator="cuda" if ngpu else "cpu",
            devices=max(1, ngpu),
            num_nodes=num_nodes,
            precision=config.training.precision,
        )
    except ValueError as error:
        raise DataError(f"training.precision or devices: {error}", config_path) from None
    fabric.launch()
    task = TASKS[config.model_class.family](config, dump, train_set, dev_set, data)
    loop = Loop(task, out, fabric)
    if fabric.is_global_zero:
        done.clear()
        config.write(out / "config.yaml")
    loop.run()
    if fabric.is_global_zero:
        done.set([out / "model.pt", out / "config.yaml", out / "losses.jsonl"])
    return True
