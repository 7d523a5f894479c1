"""Work done beside the page: processes with time limits, and the songs being sung."""

import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import python

READ_SECONDS = 30.0
SING_SECONDS = 900.0
START_SECONDS = 120.0
KEPT = 6
"""Sung songs whose sound is kept; older ones are removed."""


class Cancelled(Exception):
    """The work was ended because it is no longer wanted."""


class Busy(DataError):
    """Another song is being sung."""


class Fault(Exception):
    """A worker met a mistake of ours; its message is one line."""

    def __str__(self) -> str:
        return f"a fault of the studio, please report it ({super().__str__()})"


class Worker:
    """A ``reader`` or ``singer`` of :mod:`nnsvs_lite.studio.worker`, or a role of another such ``module``,
    started whenever it is needed.
    """

    def __init__(self, role: str, setup: dict[str, Any], module: str = "nnsvs_lite.studio.worker"):
        self.role, self.setup, self.module = role, setup, module
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()
        self._why: Exception | None = None
        self._closed = False

    def start(self) -> dict[str, Any]:
        """Starts the process and waits until it is ready; returns what it said of itself.

        Raises DataError where it cannot get ready: no such voice, a damaged checkpoint.
        """
        with self._turn:
            return self._start()

    def call(
        self,
        task: dict[str, Any],
        seconds: float,
        heard: Callable[[dict[str, Any]], None] | None = None,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> Any:
        """Has a task done, one at a time; after so many seconds the process is ended.

        ``heard`` is called with each report of progress; ``unwanted`` says whether the task was given up
        while it waited.

        Raises DataError where the input cannot be used or takes too long, Cancelled after :meth:`end`, and
        Fault where the worker failed through a mistake of ours.
        """
        with self._turn:
            if self._process is None or self._why is not None or self._process.poll() is not None:
                self._start()
            if unwanted():
                raise Cancelled
            self._send(task)
            return self._answer(seconds, heard)

    def end(self, why: Exception | None = None) -> None:
        """Ends the process at once; a call under way raises ``why`` (:class:`Cancelled`)."""
        self._why = self._why or why or Cancelled()
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """Ends the process for good."""
        self._closed = True
        self.end()
        if (process := self._process) is not None:
            process.wait()

    def _start(self) -> dict[str, Any]:
        if self._closed:
            raise Cancelled
        if self._process is not None:
            # Ended after its last answer, or about to be.
            self._process.kill()
            self._process.wait()
        command = [*python(f"from {self.module} import main; main()"), self.role]
        self._why = None
        environment = dict(os.environ)
        if self.role == "reader":
            # Threads of numerical libraries reserve memory by the core, and a reader may have little.
            names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
            environment |= dict.fromkeys(names, "1")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        # Ctrl-C reaches every process of a terminal's group, also one that is still importing.
        self._process = subprocess.Popen(command, **pipes, env=environment, start_new_session=True)
        if self._closed:
            # Closed meanwhile, from another thread, which knew of no process.
            self._process.kill()
        self._send(self.setup)
        return self._answer(START_SECONDS, None)

    def _send(self, value: dict[str, Any]) -> None:
        try:
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended, which the wait for its answer will tell

    def _answer(self, seconds: float, heard: Callable[[dict[str, Any]], None] | None) -> Any:
        process = self._process
        late = DataError(f"it took longer than {seconds:g} seconds and was stopped")
        timer = threading.Timer(seconds, self.end, [late])
        timer.daemon = True
        timer.start()
        try:
            for line in process.stdout:
                answer = json.loads(line)
                if "result" in answer:
                    return answer["result"]
                if "error" in answer:
                    raise DataError(answer["error"], answer["where"])
                if "fault" in answer:
                    raise Fault(answer["fault"])
                if heard is not None:
                    heard(answer)
        finally:
            timer.cancel()
            timer.join()
        process.wait()
        self._process = None
        why, self._why = self._why, None
        raise why or Fault(f"the {self.role} process ended by itself (status {process.returncode})")


@dataclass
class SongJob:
    """A song being sung, or sung.

    Attributes:
        state: ``waiting``, ``singing``, ``done``, ``failed`` or ``cancelled``.
        stage: what is being done, for people. progress: 0..1. error: why it failed, one line.
        result: what the singer process gave, see there.
    """

    id: str
    wav: Path
    title: str
    state: str = "waiting"
    stage: str = "getting ready"
    progress: float = 0.0
    error: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    took: float = 0.0

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    def to_json(self) -> dict[str, Any]:
        took = self.took if self.over else time.monotonic() - self.started
        row = {"id": self.id, "state": self.state, "stage": self.stage, "progress": round(self.progress, 3)}
        row |= {"took": round(took, 2), "error": self.error}
        if self.state == "done":
            row |= {name: self.result[name] for name in ("seconds", "sample_rate", "gain")}
        return row


class Jobs:
    """The songs of a studio, whose sound goes to ``folder``; one is sung at a time."""

    def __init__(self, singer: Worker, folder: Path):
        self.singer, self.folder = singer, folder
        self._jobs: dict[str, SongJob] = {}
        self._lock = threading.Lock()

    def submit(self, tracks: list[dict[str, Any]], title: str) -> SongJob:
        """Begins to sing; of each track song, options, what is drawn, gain in dB, and whether it is heard.

        Raises Busy while another song is being sung.
        """
        with self._lock:
            if any(not job.over for job in self._jobs.values()):
                raise Busy("another song is being sung; wait for it, or cancel it")
            name = secrets.token_hex(8)
            job = SongJob(name, self.folder / f"{name}.wav", title)
            self._jobs[name] = job
            for old in list(self._jobs)[:-KEPT]:
                self._jobs.pop(old).wav.unlink(missing_ok=True)
        threading.Thread(target=self._sing, args=(job, tracks), daemon=True).start()
        return job

    def get(self, name: str) -> SongJob | None:
        """A job by its id; None where there is none, or it is too old."""
        return self._jobs.get(name)

    def cancel(self, job: SongJob) -> None:
        """Stops a job; nothing where it is over."""
        with self._lock:
            if not job.over:
                job.state = "cancelled"
                job.took = time.monotonic() - job.started
                self.singer.end()

    def _sing(self, job: SongJob, tracks: list[dict[str, Any]]) -> None:
        def heard(report: dict[str, Any]) -> None:
            if not job.over:
                job.state, job.progress, job.stage = "singing", report["progress"], report["stage"]

        try:
            task = {"tracks": tracks, "wav": str(job.wav)}
            job.result = self.singer.call(task, SING_SECONDS, heard, lambda: job.over)
            state, error = "done", ""
        except Cancelled:
            state, error = "cancelled", ""
        except (DataError, Fault) as problem:
            state, error = "failed", str(problem)
        with self._lock:
            if not job.over:
                job.took = time.monotonic() - job.started
                job.state, job.error = state, error
        if job.state == "cancelled":
            job.wav.unlink(missing_ok=True)
