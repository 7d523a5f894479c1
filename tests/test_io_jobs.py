"""The process pool: order, bounds, and what happens when somebody is killed."""

import errno
import functools
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from killing import PATIENCE, is_alive, until

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import AHEAD, run_jobs


def square(job: int) -> tuple[int, int]:
    return job * job, os.getpid()


def add(more: int, job: int) -> int:
    return more + job


def slow_first(folder: Path, job: int) -> int:
    """The first job ends only when the others of its window have."""
    if job == 0:
        until(lambda: (folder / "1").exists())
    (folder / str(job)).touch()
    return job


def fails(job: int) -> int:
    if job == 3:
        raise DataError("is wrong", "table:3")
    return job


def breaks(job: int) -> int:
    return 1 // (job - 1)


def unpicklable(job: int) -> object:
    return threading.Lock()


def dies(job: int) -> int:
    if job == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def hangs(folder: Path, job: int) -> int:
    """Says who it is; all but the first job never end."""
    if job:
        (folder / f"pid{os.getpid()}").touch()
        time.sleep(PATIENCE)
    return job


def computes(folder: Path, job: int) -> int:
    """Says who it is, and computes for ever without a look at anything: no other thread of it runs."""
    if job:
        (folder / f"pid{os.getpid()}").touch()
        sum(itertools.repeat(1))
    return job


def fills_the_disk(job: int) -> int:
    if job == 3:
        raise OSError(errno.ENOSPC, "No space left on device", "some/file")
    return job


def workers(folder: Path) -> list[int]:
    return [int(path.name[3:]) for path in folder.glob("pid*")]


@pytest.mark.parametrize("nj", [1, 2, 3])
def test_results_come_in_the_order_of_the_jobs(nj):
    found = list(run_jobs(square, (k for k in range(20)), nj))
    assert [value for value, _ in found] == [k * k for k in range(20)]
    pids = {pid for _, pid in found}
    assert pids == {os.getpid()} if nj == 1 else os.getpid() not in pids and len(pids) <= nj


@pytest.mark.parametrize("jobs", [[], [7]])
def test_one_job_or_none_runs_here(jobs):
    assert list(run_jobs(square, jobs, 4)) == [(k * k, os.getpid()) for k in jobs]


def test_a_later_job_may_end_before_an_earlier_one(tmp_path):
    assert list(run_jobs(functools.partial(slow_first, tmp_path), range(5), 2)) == list(range(5))


def test_what_all_jobs_share_may_be_a_partial():
    assert list(run_jobs(functools.partial(add, 10), range(4), 2)) == [10, 11, 12, 13]


@pytest.mark.parametrize("nj", [1, 2])
def test_few_jobs_are_taken_ahead(nj):
    taken: list[int] = []

    def jobs():
        for job in range(100):
            taken.append(job)
            yield job

    ahead = [taken[-1] - value for value in run_jobs(functools.partial(add, 0), jobs(), nj)]
    assert max(ahead) <= AHEAD * nj
    assert len(ahead) == 100


@pytest.mark.parametrize("nj", [1, 2])
def test_a_data_error_comes_in_its_place_and_as_it_was(nj):
    found = run_jobs(fails, range(6), nj)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError) as info:
        next(found)
    assert (info.value.what, info.value.where) == ("is wrong", "table:3")


def test_a_full_disk_is_told_as_such():
    with pytest.raises(OSError) as info:
        list(run_jobs(fills_the_disk, range(6), 2))
    assert (info.value.errno, info.value.filename) == (errno.ENOSPC, "some/file")


def test_another_fault_brings_the_traceback_of_the_worker():
    with pytest.raises(RuntimeError, match="(?s)in breaks.*ZeroDivisionError"):
        list(run_jobs(breaks, range(3), 2))


def test_a_result_that_cannot_be_pickled_is_a_fault():
    with pytest.raises(TypeError, match="cannot pickle"):
        list(run_jobs(unpicklable, range(3), 2))


def test_a_killed_worker_is_one_clear_fault():
    with pytest.raises(DataError, match=r"ended by signal 9; .*fewer jobs \(--nj\)$"):
        list(run_jobs(dies, range(50), 2))


def test_workers_end_when_the_consumer_stops(tmp_path):
    found = run_jobs(functools.partial(hangs, tmp_path), range(9), 2)
    assert next(found) == 0
    until(lambda: workers(tmp_path))
    found.close()
    assert not any(is_alive(pid) for pid in workers(tmp_path))


PROGRAM = """
import functools, sys
from pathlib import Path
from nnsvs_lite.io.jobs import run_jobs
import test_io_jobs
if __name__ == "__main__":
    try:
        work = getattr(test_io_jobs, sys.argv[2])
        list(run_jobs(functools.partial(work, Path(sys.argv[1])), range(1, 9), 2))
    except KeyboardInterrupt:
        sys.exit("interrupted")
"""


@pytest.mark.parametrize(
    ("number", "work"),
    [
        (signal.SIGINT, "hangs"),
        (signal.SIGTERM, "hangs"),
        (signal.SIGTERM, "computes"),
        (signal.SIGKILL, "computes"),
    ],
)
def test_workers_end_with_their_parent(tmp_path, number, work):
    (tmp_path / "program.py").write_text(PROGRAM)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    child = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", tmp_path, work],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: len(workers(tmp_path)) == 2)
    if number == signal.SIGINT:  # Ctrl-C reaches all processes of a terminal
        os.killpg(child.pid, number)
    else:
        child.send_signal(number)
    _, said = child.communicate(timeout=PATIENCE)
    assert said.strip() == ("interrupted" if number == signal.SIGINT else "")
    until(lambda: not any(is_alive(pid) for pid in workers(tmp_path)))
