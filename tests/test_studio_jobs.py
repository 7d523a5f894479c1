"""The studio's processes: how they answer, are ended, and start again."""

import io
import json
import signal
import subprocess
import threading

import pytest
from scorexml import song

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.studio.jobs import Cancelled, Fault, Worker
from nnsvs_lite.studio.voices import FoundVoice, KnownVoices
from nnsvs_lite.studio.worker import run


def answers(prepare, *tasks: dict) -> list[dict]:
    """What a process says to a setup and some tasks."""
    said = io.StringIO()
    run(prepare, io.StringIO("".join(json.dumps(task) + "\n" for task in tasks)), said)
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_every_task_has_an_answer(capsys):
    def prepare(setup):
        def do(task, say):
            say({"progress": 0.5, "stage": "half"})
            if task["do"] == "fail":
                raise DataError("no such thing", "a.ust:3")
            if task["do"] == "grow":
                raise MemoryError
            if task["do"] == "slip":
                raise ZeroDivisionError("by zero")
            return {"done": setup["name"]}

        return {"ready": True}, do

    half = {"progress": 0.5, "stage": "half"}
    tasks = [{"do": word} for word in ("work", "fail", "grow", "slip", "work")]
    assert answers(prepare, {"name": "さ"}, *tasks) == [
        {"result": {"ready": True}},
        half,
        {"result": {"done": "さ"}},
        half,
        {"error": "no such thing", "where": "a.ust:3"},
        half,
        {"error": "it needs more memory than the studio allows", "where": None},
        half,
        {"fault": "ZeroDivisionError: by zero"},
        half,
        {"result": {"done": "さ"}},
    ]
    # Our own mistakes are for the terminal.
    assert capsys.readouterr().err.count("Traceback") == 1


def test_what_cannot_get_ready_does_nothing():
    def prepare(setup):
        raise DataError("no such voice", "nowhere")

    assert answers(prepare, {}, {"do": "work"}) == [{"error": "no such voice", "where": "nowhere"}]


@pytest.fixture
def reader():
    worker = Worker("reader", {"lang": "ja"})
    yield worker
    worker.close()


def test_a_process_is_started_again_after_its_end(reader, tmp_path):
    path = tmp_path / "a.musicxml"
    path.write_text("hello")
    task = {"path": str(path), "options": {}}
    with pytest.raises(DataError, match="not XML"):
        reader.call(task, 60)
    first = reader._process.pid
    with pytest.raises(DataError, match="not XML"):
        reader.call(task, 60)
    assert reader._process.pid == first
    with pytest.raises(Fault, match="KeyError"):
        reader.call({}, 60)
    long = tmp_path / "long.musicxml"
    long.write_text(song(*["C4 1 さ, D4 1 く, E4 2 ら"] * 2000))
    with pytest.raises(DataError, match=r"longer than 0\.1 seconds"):
        reader.call({"path": str(long), "options": {}}, 0.1)
    with pytest.raises(DataError, match="not XML"):
        reader.call(task, 60)
    second = reader._process.pid
    assert second != first
    # Ended between two tasks, it owes the next nothing.
    reader.end()
    with pytest.raises(DataError, match="not XML"):
        reader.call(task, 60)
    assert reader._process.pid != second
    with pytest.raises(Cancelled):
        reader.call(task, 60, unwanted=lambda: True)


def test_an_ended_call_says_so_and_a_closed_process_stays_closed(reader, tmp_path):
    long = tmp_path / "long.musicxml"
    long.write_text(song(*["C4 1 さ, D4 1 く, E4 2 ら"] * 2000))
    reader.start()
    threading.Timer(0.1, reader.end).start()
    with pytest.raises(Cancelled):
        reader.call({"path": str(long), "options": {}}, 60)
    reader.close()
    with pytest.raises(Cancelled):
        reader.start()


def test_a_voice_that_cannot_be_loaded_is_told(tmp_path):
    path = tmp_path / "nowhere"
    row = FoundVoice("0123", "nowhere", str(path), 0)
    worker = Worker("singer", {"voices": [row], "device": "cpu"})
    with pytest.raises(DataError) as told:
        KnownVoices([row], worker).told("0123")
    assert told.value.where == str(path)
    worker.close()


def test_a_worker_that_is_closed_while_it_starts_is_ended(monkeypatch):
    """Another thread closes it just before its process is known; nobody else would end that one."""
    worker, started = Worker("reader", {"lang": "ja"}), []
    popen = subprocess.Popen

    def start(*args, **kwargs):
        worker.close()
        started.append(popen(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(Cancelled):
        worker.start()
    assert started[0].wait(timeout=30) == -signal.SIGKILL
