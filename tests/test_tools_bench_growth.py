"""The benchmark of growth runs every stage that it names."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "bench_growth.py"


@pytest.mark.slow
def test_every_stage_is_measured(tmp_path):
    found = subprocess.run(
        [sys.executable, TOOL, "--counts", "6"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    rows = [line.split()[:2] for line in found.stdout.splitlines()]
    names = ("prepare", "align", "extract", "validate", "sound", "decode", "vocode")
    assert rows == [[name, "6"] for name in names]
