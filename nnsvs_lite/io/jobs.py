"""The package's process pool: jobs run in worker processes, results come in the jobs' order.

Workers are started by a fork server and never forked from the program itself, which may hold
torch's threads. They ignore Ctrl-C, which the program alone answers, and end when it ends,
however it ends.
"""

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from nnsvs_lite.io.errors import DataError

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 2
"""Jobs taken ahead of the result that is waited for, by worker."""

# A killed program's semaphores are cleaned up by multiprocessing's tracker, which need not warn of it.
sys.warnoptions.append("ignore:resource_tracker:UserWarning")


def python(code: str) -> list[str]:
    """The command that runs Python code, without modules that lie in the working folder."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = filter(None, sys.path); {code}"]


def run_jobs(function: Callable[[J], R], jobs: Iterable[J], nj: int = 1) -> Iterator[R]:
    """Yields ``function(job)`` for each job, in order, from at most ``nj`` processes.

    With ``nj`` 1, or one job, all runs in this process. No more than ``2 * nj`` jobs are taken
    from ``jobs`` (it may be a generator), and as many results held, ahead of the one that is
    yielded. Where the consumer stops early, or is interrupted, the workers are ended at once.

    Args:
        function: a module's function, a method or a partial; sent to each worker once, so that
            what all jobs share belongs to it and not to the jobs.
        jobs: arguments, pickled one by one, as are results.
        nj: processes.

    Raises:
        DataError: as ``function`` raises it, in the place of its result; or where a worker was
            killed.
        RuntimeError: with the worker's traceback, where ``function`` raises anything else.
        TypeError: or what else ``pickle`` raises, where a job or a result cannot be pickled.
    """
    queue = iter(jobs)
    head = list(itertools.islice(queue, 2))
    queue = itertools.chain(head, queue)
    if nj <= 1 or len(head) < 2:
        yield from map(function, queue)
        return
    context = multiprocessing.get_context("forkserver")
    owner = getattr(function, "func", function)  # of a partial
    # Imported by the server once; what is imported later, each worker imports.
    context.set_forkserver_preload([getattr(owner, "__module__", __name__)])
    pool = ProcessPoolExecutor(nj, context, initializer=_start, initargs=(function,))
    processes = pool._processes  # what kills them has no public name before Python 3.14
    pending: deque[Future] = deque()
    try:
        while True:
            for job in itertools.islice(queue, AHEAD * nj - len(pending)):
                pending.append(_submit(pool, job))
            if not pending:
                break
            yield pending.popleft().result()
    except BrokenProcessPool:
        pool.shutdown()
        raise _lost(processes.values()) from None
    except BaseException:
        for process in list(processes.values()):
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, job: Any) -> Future:
    """Hands a job to the pool; the server and its children inherit that no Ctrl-C reaches them."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        return pool.submit(_run, job)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _lost(processes: Iterable[BaseProcess]) -> DataError:
    """What to say where a process has ended by itself, and the pool has ended (SIGTERM) the others."""
    statuses = [process.exitcode or 0 for process in processes]
    status = next((s for s in statuses if s not in (0, -signal.SIGTERM)), -signal.SIGTERM)
    how = f"by signal {-status}" if status < 0 else f"with status {status}"
    return DataError(f"a worker process was ended {how}; if memory ran out, use fewer jobs (--nj)")


def _start(function: Callable) -> None:
    """Begins a worker's life."""
    global _function
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _run(job: Any) -> Any:
    """One job, in a worker."""
    try:
        return _function(job)
    except DataError:
        raise
    except Exception:
        raise RuntimeError(f"a job failed:\n{traceback.format_exc()}") from None
    finally:
        sys.stdout.flush()


def _follow_parent() -> None:
    """Ends the worker, whatever it is doing, when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
