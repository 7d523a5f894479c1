"""A real Slurm of two nodes on this machine, for tests of what runs on a cluster."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """The environment in which jobs are submitted; skips the test where Slurm is not installed."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [program for program in PROGRAMS if not shutil.which(program, path=path)]:
        pytest.skip(f"needs {' and '.join(missing)}: apt-get install slurm-wlm munge")
    tool = ROOT / "tools" / "slurm_local.sh"
    # The names of sockets are short.
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        subprocess.run([tool, "start", folder], check=True, timeout=60)
        try:
            yield {**os.environ, "SLURM_CONF": f"{folder}/slurm.conf"}
        finally:
            subprocess.run([tool, "stop", folder], check=True, timeout=60)
            assert not list(Path(folder).glob("*.pid"))
