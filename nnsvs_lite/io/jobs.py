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
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from nnsvs_lite.io.errors import DataError

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 2
"""Jobs taken ahead of the result that is waited for, by worker."""
_END = object()


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
    """
    queue = iter(jobs)
    head = list(itertools.islice(queue, 2))
    queue = itertools.chain(head, queue)
    if nj <= 1 or len(head) < 2:
        yield from map(function, queue)
        return
    pool = _Pool(function, nj)
    finished: dict[int, tuple[bool, Any]] = {}
    taken = wanted = 0
    more = True
    try:
        while True:
            while more and taken - wanted < AHEAD * nj and pool.has_room():
                job = next(queue, _END)
                more = job is not _END
                if more:
                    pool.send(taken, job)
                    taken += 1
            finished.update(pool.receive(wait=wanted not in finished))
            if wanted in finished:
                good, value = finished.pop(wanted)
                if not good:
                    raise value
                wanted += 1
                yield value
            elif not more and wanted == taken:
                break
    except BaseException:
        pool.kill()
        raise
    finally:
        pool.close()


class _Worker:
    """A process with the parent's end of its pipe; ``number`` is the job in hand, or None."""

    def __init__(self, context: Any, function: Callable):
        self.pipe, there = context.Pipe()
        self.number: int | None = None
        self.process = context.Process(target=_serve, args=(function, there), daemon=True)
        # The server and its children inherit the mask: no Ctrl-C reaches them while they start.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            there.close()

    def lost(self) -> DataError:
        """What to say where the process has ended by itself."""
        self.process.join(5.0)
        status = self.process.exitcode
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        return DataError(f"a worker process was ended {how}; if memory ran out, use fewer jobs (--nj)")


class _Pool:
    """Workers, started as they are needed; each has one job at a time, so no pipe can fill up."""

    def __init__(self, function: Callable, nj: int):
        self._function, self._nj = function, nj
        self._context = multiprocessing.get_context("forkserver")
        owner = getattr(function, "func", function)  # of a partial
        # Imported by the server once; what is imported later, each worker imports.
        self._context.set_forkserver_preload([getattr(owner, "__module__", __name__)])
        self._workers: list[_Worker] = []

    def has_room(self) -> bool:
        return len(self._workers) < self._nj or any(w.number is None for w in self._workers)

    def send(self, number: int, job: Any) -> None:
        worker = next((w for w in self._workers if w.number is None), None)
        if worker is None:
            worker = _Worker(self._context, self._function)
            self._workers.append(worker)
        try:
            worker.pipe.send(job)
        except (BrokenPipeError, ConnectionResetError):
            raise worker.lost() from None
        worker.number = number

    def receive(self, wait: bool) -> dict[int, tuple[bool, Any]]:
        """Results that are there, by number; where ``wait``, at least one if any is to come."""
        busy = {w.pipe: w for w in self._workers if w.number is not None}
        found = {}
        for pipe in connection.wait(list(busy), None if wait else 0) if busy else ():
            worker = busy[pipe]
            try:
                found[worker.number] = pipe.recv()
            except (EOFError, ConnectionResetError):
                raise worker.lost() from None
            worker.number = None
        return found

    def kill(self) -> None:
        for worker in self._workers:
            worker.process.kill()

    def close(self) -> None:
        """Lets the workers end: a closed pipe tells them."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join()


def _serve(function: Callable, pipe: connection.Connection) -> None:
    """A worker's life: jobs in, ``(good, value)`` out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            answer = ForkingPickler.dumps((True, function(job)))
        except DataError as error:
            answer = ForkingPickler.dumps((False, error))
        except Exception:
            error = RuntimeError(f"a job failed:\n{traceback.format_exc()}")
            answer = ForkingPickler.dumps((False, error))
        sys.stdout.flush()
        try:
            pipe.send_bytes(answer)
        except BrokenPipeError:
            return


def _follow_parent() -> None:
    """Ends the worker, whatever it is doing, when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
