"""The package's process pool: jobs run in worker processes, results come in the jobs' order.

Workers are started by a fork server and never forked from the program itself, which may hold
torch's threads. They ignore Ctrl-C, which the program alone answers, and end when it ends,
however it ends. The program talks to each by a pipe and has no threads or locks of its own: a
worker that is killed, or a signal at any moment, leaves nothing to wait for.
"""

import fcntl
import itertools
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from nnsvs_lite.io.errors import DataError

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 2
"""Jobs taken ahead of the result that is waited for, by worker."""


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
        DataError, OSError: as ``function`` raises them, in the place of its result; the first also
            where a worker was killed.
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
    first = "nnsvs_lite.io.forkserver"
    context.set_forkserver_preload([first, getattr(owner, "__module__", __name__)])
    numbered = enumerate(queue)
    processes: dict[connection.Connection, BaseProcess] = {}
    idle: list[connection.Connection] = []
    busy: dict[connection.Connection, int] = {}
    done: dict[int, tuple[bool, Any]] = {}
    try:
        for due in itertools.count():
            while due not in done:
                while len(busy) < nj and len(busy) + len(done) < AHEAD * nj:
                    taken = next(numbered, None)
                    if taken is None:
                        break
                    pipe = idle.pop() if idle else _start(context, function, processes)
                    busy[pipe] = taken[0]
                    _send(pipe, taken[1], processes[pipe])
                if not busy:
                    return
                for pipe in connection.wait(list(busy)):
                    done[busy.pop(pipe)] = _receive(pipe, processes[pipe])
                    idle.append(pipe)
            fine, result = done.pop(due)
            if not fine:
                raise result
            yield result
    finally:
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.join()


def _start(context: Any, function: Callable, processes: dict) -> connection.Connection:
    """Starts a worker; the server and its children inherit that no Ctrl-C reaches them."""
    pipe, end = context.Pipe()
    # A daemon: where this program is interrupted in here, it does not wait for the worker.
    process = context.Process(target=_work, args=(pickle.dumps(function), end), daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process.start()
        processes[pipe] = process
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    end.close()
    return pipe


def _send(pipe: connection.Connection, job: Any, process: BaseProcess) -> None:
    try:
        pipe.send(job)
    except BrokenPipeError:
        raise _lost(process) from None


def _receive(pipe: connection.Connection, process: BaseProcess) -> tuple[bool, Any]:
    try:
        return pipe.recv()
    except (EOFError, OSError):
        raise _lost(process) from None


def _lost(process: BaseProcess) -> DataError:
    """What to say where a worker has ended by itself."""
    process.join()
    status = process.exitcode or 0
    how = f"by signal {-status}" if status < 0 else f"with status {status}"
    return DataError(f"a worker process was ended {how}; if memory ran out, use fewer jobs (--nj)")


def _work(pickled: bytes, pipe: connection.Connection) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    # Only now, since this imports what may take long.
    function = pickle.loads(pickled)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        outcome = _outcome(function, job)
        try:
            pipe.send(outcome)
        except OSError:
            return
        except Exception as error:  # of pickling: nothing was sent yet
            pipe.send((False, error))


def _outcome(function: Callable, job: Any) -> tuple[bool, Any]:
    try:
        return True, function(job)
    except (DataError, OSError) as error:
        return False, error
    except Exception:
        return False, RuntimeError(f"a job failed:\n{traceback.format_exc()}")
    finally:
        sys.stdout.flush()


def _end_with_parent() -> None:
    """Has the kernel end this process when its parent is gone, whatever it is computing then."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    if connection.wait([parent.sentinel], 0):
        os._exit(1)
