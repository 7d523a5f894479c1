"""``nnsvs-lite serve`` as a program: it starts, answers, ends, and says in one line why it cannot."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import uvicorn
from killing import is_alive, until
from studio_common import OWN, song

from nnsvs_lite.bin.main import main
from nnsvs_lite.io.jobs import python
from nnsvs_lite.studio import server as server_module
from nnsvs_lite.studio.jobs import Worker


@pytest.fixture
def server(toy_voice, tmp_path):
    """A running program, its address, and the only place it may use for temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "nnsvs_lite.bin.main", "serve", "--model", str(toy_voice), "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
        # Ctrl-C goes to a whole group of processes; the tests are not of this one.
        start_new_session=True,
    )
    line = process.stdout.readline()
    assert line.startswith("voice sings at http://127.0.0.1:"), line + process.stderr.read()
    yield process, line.split()[3], temporary
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(url: str, value: object = None, method: str | None = None):
    data = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(url, data, OWN, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def children(process) -> list[int]:
    """Processes that a process has started."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in found.read_text().split()] if found.exists() else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_answers_and_ends_without_a_trace(server, number):
    process, url, temporary = server
    assert ask(f"{url}api/voice")["name"] == "voice"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{url}api/voice", headers={"Host": "evil.example"}))
    assert refused.value.code == 403
    if sys.platform == "linux":
        # Another address of this machine; taken if the server listened on all.
        with socket.socket() as other:
            other.bind(("127.0.0.2", int(url.rstrip("/").rsplit(":", 1)[1])))
    job = ask(f"{url}api/jobs", {"song": song([(60 + i % 5, "ら", 1.0) for i in range(900)])})
    assert job["state"] in ("waiting", "singing")
    workers = children(process)
    assert [path.name.startswith("nnsvs-lite-studio-") for path in temporary.iterdir()] == [True]
    os.killpg(process.pid, number)
    # Workers hold its standard error too, and let go of it in the middle of a song.
    out, err = process.communicate(timeout=30)
    assert err == "" and out == ("ended\n" if number == signal.SIGINT else ""), err
    assert process.returncode == {signal.SIGINT: 0, signal.SIGKILL: -9}.get(number, 143)
    if number != signal.SIGKILL:
        assert list(temporary.iterdir()) == []
    assert workers
    until(lambda: not any(is_alive(pid) for pid in workers))


def test_modules_of_the_working_folder_are_not_run(tmp_path, monkeypatch):
    for name in ("json", "music21", "nnsvs_lite", "traceback"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\n")
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Worker("reader", {"lang": "ja"})) as reader:
        assert reader.start() == {}
    command = python("import json, sys; print(json.dumps(sys.argv[1:]))")
    assert subprocess.check_output([*command, "a b"], text=True) == '["a b"]\n'
    assert not (tmp_path / "ran").exists()


def test_a_killed_studio_leaves_its_folder_to_the_next_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f"nnsvs-lite-studio-{pid}-x" for pid in (ended.pid, os.getpid(), "odd")] + [
        "nnsvs-lite-other-1-x"
    ]
    for name in names:
        (tmp_path / name).mkdir()
    server_module._remove_left_behind()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_a_connection_that_says_nothing_is_closed(monkeypatch):
    from starlette.responses import PlainTextResponse

    from nnsvs_lite.studio import guard

    monkeypatch.setattr(guard, "REQUEST_SECONDS", 0.4)

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(0.8)  # an answer may take its time
            await PlainTextResponse("done")(scope, receive, send)

    listener = server_module.listen(0)
    runner = uvicorn.Server(uvicorn.Config(app, http=guard.Impatient, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    address = ("127.0.0.1", listener.getsockname()[1])
    for words in (
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1",
    ):
        with socket.create_connection(address, timeout=5) as client:
            client.sendall(words)
            while client.recv(1000):
                pass
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    runner.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive()


def said(capfd, *words: object) -> str:
    capfd.readouterr()
    assert main([str(word) for word in words]) == 1
    line = capfd.readouterr().err
    assert line.count("\n") == 1 and line.startswith("nnsvs-lite serve: error: "), line
    return line


def test_a_port_in_use_is_told_before_the_voice_is_loaded(capfd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = said(capfd, "serve", "--model", "nowhere", "--port", port)
    assert f"port {port} of 127.0.0.1 is in use; choose another with --port" in line
    assert "out of 0..65535" in said(capfd, "serve", "--model", "nowhere", "--port", 70000)


def test_a_voice_that_cannot_sing_is_told_as_in_sing(capfd, tmp_path, toy_exps):
    voice = toy_exps["timelag"]
    line = said(capfd, "serve", "--model", voice, "--port", 0)
    assert main(["sing", "x.musicxml", "--model", str(voice), "-o", str(tmp_path / "a.wav")]) == 1
    assert line.split("error: ")[1] == capfd.readouterr().err.split("error: ")[1]
