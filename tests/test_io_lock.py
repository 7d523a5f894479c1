"""Two runs never write one folder at the same time; what is dead holds nothing."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nnsvs_lite.bin.main import main
from nnsvs_lite.io import lock
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.lock import locked

HOLD = """
import sys, time
from nnsvs_lite.io.lock import locked
with locked(sys.argv[1], ["nnsvs-lite", "train", "a b"], sys.argv[2] == "shared"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path, kind: str = "alone") -> subprocess.Popen:
    """A process that holds a folder until it is killed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder, kind],
        env={**os.environ, "PYTHONPATH": os.fspath(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    return holder


def end(holder: subprocess.Popen) -> None:
    holder.kill()
    holder.wait()
    holder.stdout.close()


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)


def test_a_second_run_is_refused_and_names_the_first(tmp_path, capfd, monkeypatch):
    out = tmp_path / "an exp"
    holder = hold(out)
    told = f"{out}: another run writes here (pid {holder.pid} on "
    with pytest.raises(DataError) as error, locked(out, ["x"]):
        pass
    assert str(error.value).startswith(told) and "nnsvs-lite train 'a b'" in str(error.value)
    name = os.fspath(out)
    assert main(["train", "--config", "duration/mdn", "--dump", "d", "--out", name]) == 1
    assert main(["stats", "--dump", name]) == 1
    assert main(["vocode", "--decode-dir", name]) == 1
    assert main(["evaluate", "--dump", "d", "--out", f"{name}/results.json"]) == 1
    assert capfd.readouterr().err.count(told) == 4
    # Another folder, one inside, and another rank of the same run are free.
    for folder in (tmp_path / "other", out / "inside"):
        with locked(folder, ["x"]):
            pass
    monkeypatch.setenv("RANK", "1")
    assert main(["stats", "--dump", name]) == 1
    assert told not in capfd.readouterr().err
    end(holder)
    with locked(out, ["x"]):
        assert f"pid {os.getpid()} " in (out / ".lock").read_text()
    assert not (out / ".lock").exists()


def test_parts_of_one_folder_are_shared_and_no_whole_beside_them(tmp_path):
    holders = [hold(tmp_path, "shared"), hold(tmp_path, "shared")]
    with locked(tmp_path, ["x"], shared=True):
        pass
    for holder in holders:
        with pytest.raises(DataError, match="another run"), locked(tmp_path, ["y"]):
            pass
        end(holder)
    with locked(tmp_path, ["x"]), pytest.raises(DataError), locked(tmp_path, ["y"], shared=True):
        pass


def test_a_run_waits_a_moment_for_one_that_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 60.0)
    holder = hold(tmp_path)
    threading.Timer(0.3, end, [holder]).start()
    with locked(tmp_path, ["x"]):
        assert holder.poll() is not None


def test_a_run_of_the_same_command_is_waited_for(tmp_path, capfd):
    holder = hold(tmp_path)
    threading.Timer(1.0, end, [holder]).start()
    with locked(tmp_path, ["nnsvs-lite", "train", "a b"]):
        assert holder.poll() is not None
    said = capfd.readouterr().err
    assert said.count(f"waiting for pid {holder.pid} on ") == 1


@pytest.mark.parametrize("fault", [DataError("no"), KeyboardInterrupt(), None])
def test_nothing_is_left_of_a_lock(tmp_path, fault):
    try:
        with locked(tmp_path / "a" / "b", ["x"]):
            assert (tmp_path / "a" / "b" / ".lock").exists()
            if fault:
                raise fault
    except (DataError, KeyboardInterrupt):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_locked_is_left_to_the_stage(tmp_path):
    (tmp_path / "file").write_text("")
    with locked(tmp_path / "file", ["x"]), locked(tmp_path / "file" / "in", ["x"]):
        pass
    assert (tmp_path / "file").read_text() == ""
