"""Ranks: processes that train one model together, on one machine or several.

``torchrun`` and ``srun`` start them all; on one machine alone the first rank starts the others itself.
Whichever is lost, the run ends with one line that says so.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.training.device import check_gpus

PATIENCE = 10.0
"""Seconds in which ranks end by themselves once one is lost: a GPU may wait for it for ever."""

AGAIN = "the same command goes on from the last test, with as many ranks as it likes"


def launch(ngpu: int, num_nodes: int, precision: str, cpus: int = 1) -> Fabric:
    """Fabric, with all ranks started.

    Args:
        ngpu: GPUs of each machine, a rank each; 0 computes on the CPU. num_nodes: machines.
        precision: of computing, in Fabric's words.
        cpus: ranks to start where there are no GPUs, unless ``torchrun`` or ``srun`` has started some.

    Raises DataError where that does not go together.
    """
    check_gpus(ngpu)
    environment, world, nodes = _started()
    if environment is None:
        environment, world, nodes = LightningEnvironment(), ngpu or cpus, 1
        if num_nodes > 1:
            raise DataError(f"--num-nodes {num_nodes}: start it on each machine, by torchrun or srun")
        _start_others(world)
    elif nodes != num_nodes or (ngpu and ngpu * nodes != world):
        asked = f"--num-nodes {num_nodes}{f' --ngpu {ngpu}' if ngpu else ''}"
        raise DataError(f"{asked}: {world} processes on {nodes} machines were started")
    try:
        with warnings.catch_warnings():
            # Fabric would have srun used wherever it is installed.
            warnings.filterwarnings("ignore", ".*srun")
            fabric = Fabric(
                accelerator="cuda" if ngpu else "cpu",
                devices=world // nodes,
                num_nodes=nodes,
                precision=precision,
                strategy="ddp" if world > 1 else "auto",
                plugins=[environment],
            )
    except ValueError as error:
        raise DataError(f"training.precision or devices: {error}") from None
    if first := os.environ.get(_FIRST):
        threading.Thread(target=_follow, args=(int(first),), daemon=True).start()
    with together():
        fabric.launch()
    if not fabric.is_global_zero:
        # All say the same; the first is heard. Errors are each rank's own.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the end
    return fabric


def _started() -> tuple[ClusterEnvironment | None, int, int]:
    """What has started this process together with others, how many in all, and on how many machines."""
    env = os.environ
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment(), int(env["WORLD_SIZE"]), int(env.get("GROUP_WORLD_SIZE", 1))
    # A batch script has the other variables too, but is no step: srun has not started it.
    if "SLURM_STEP_ID" in env and int(env.get("SLURM_NTASKS", 1)) > 1:
        if "SLURM_NTASKS_PER_NODE" not in env:
            raise DataError("sbatch or srun must be told the ranks of each machine, by --ntasks-per-node")
        return SLURMEnvironment(), int(env["SLURM_NTASKS"]), int(env["SLURM_NNODES"])
    if "WORLD_SIZE" in env and "LOCAL_RANK" in env:
        return LightningEnvironment(), int(env["WORLD_SIZE"]), 1
    return None, 1, 1


_others: list[subprocess.Popen] = []
_FIRST = "NNSVS_LITE_FIRST_RANK"
"""Variable that tells the ranks which the first one starts its process."""


def _start_others(world: int) -> None:
    """Starts ranks 1 and up with the command line of this one, which becomes the first."""
    if world == 1:
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    # Those who are logged end with their parent.
    shared = os.environ | {"NNSVS_LITE_LOGGED": "1", _FIRST: str(os.getpid())}
    for rank in range(1, world):
        env = shared | {"LOCAL_RANK": str(rank)}
        _others.append(subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env=env))
    os.environ["LOCAL_RANK"] = "0"
    threading.Thread(target=_watch, daemon=True).start()


def _follow(first: int) -> None:
    """Ends this rank after the first one: a signal would not be heard while a GPU is waited for."""
    while os.getppid() == first:
        time.sleep(0.1)
    time.sleep(PATIENCE)
    os._exit(1)


def _watch() -> None:
    """Ends all ranks once one is lost, this one too if it does not end by itself."""
    while not (lost := _lost()):
        if all(process.poll() == 0 for process in _others):
            return
        time.sleep(0.1)
    for process in _others:
        process.kill()
    time.sleep(PATIENCE)
    print(f"nnsvs-lite: error: {lost}", file=sys.stderr, flush=True)
    os._exit(1)


def _lost() -> str:
    """What became of the first rank that did not end well."""
    for rank, process in enumerate(_others, start=1):
        if status := process.poll():
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            return f"rank {rank} {how}, and all others with it; {AGAIN}"
    return ""


@contextmanager
def together() -> Iterator[None]:
    """Makes one line of what communication raises where another rank is lost."""
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, torch.distributed.DistError) or "gloo" in str(error)):
            raise
        # Whoever started the ranks ends them, and knows which was lost.
        end = time.monotonic() + PATIENCE / 2
        while not (lost := _lost()) and time.monotonic() < end:
            time.sleep(0.1)
        why = f"another rank was lost, or cannot be reached ({str(error).splitlines()[0]}); {AGAIN}"
        raise DataError(lost or why) from None
