"""Starts the studio and ends it: one port of this machine, two processes, a temporary folder."""

import contextlib
import errno
import os
import shutil
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.studio.jobs import Worker
from nnsvs_lite.studio.voices import KnownVoices, find_voices

HOST = "127.0.0.1"
FOLDER = "nnsvs-lite-studio-"


def serve(
    models: Sequence[str | os.PathLike],
    port: int = 8000,
    device: str = "cpu",
    open_page: bool = False,
    trust_code: bool = False,
    folders: Sequence[str | os.PathLike] = (),
    runtime: str = "auto",
) -> None:
    """Runs the studio until it is interrupted.

    Args:
        models: voices, as ``nnsvs-lite sing`` takes them; the first sings songs that name none.
        port: 0 takes any that is free.
        trust_code: see :func:`nnsvs_lite.models.checkpoint.load_model`.
        folders: of packed voices, which can be chosen as well, as can the one in the box.
        runtime: see :meth:`nnsvs_lite.synthesis.singer.Singer.load`.

    Raises DataError where the port cannot be had, or the first voice cannot sing.
    """
    _remove_left_behind()
    with listen(port) as listener, tempfile.TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-") as folder:
        found = find_voices(models, folders)
        setup = {"voices": found, "device": device, "trust_code": trust_code, "runtime": runtime}
        with contextlib.closing(Worker("singer", setup)) as singer:
            voices = KnownVoices(found, singer)
            first = voices.told(voices.find(None))
            with contextlib.closing(Worker("reader", {"lang": first["lang"]})) as reader:
                _run(voices, first["name"], reader, Path(folder), listener, open_page)


def _run(
    voices: KnownVoices, first: str, reader: Worker, folder: Path, listener: socket.socket, open_page: bool
) -> None:
    from nnsvs_lite.studio.app import Studio

    url = f"http://{HOST}:{listener.getsockname()[1]}/"
    # The first score is then read as fast as the others.
    threading.Thread(target=_get_ready, args=(reader,), daemon=True).start()
    app = Studio(voices, reader, folder).app()
    print(f"{first} sings at {url} (Ctrl-C ends it)", flush=True)
    if open_page:
        threading.Timer(0.5, webbrowser.open, [url]).start()
    run_app(app, listener)


def run_app(app: Any, listener: socket.socket) -> None:
    """Answers on a socket until it is interrupted; slow requests, and too many at once, are ended."""
    import uvicorn

    from nnsvs_lite.studio.guard import Impatient

    quiet = {"log_level": "warning", "access_log": False, "server_header": False, "ws": "none"}
    limits = {"timeout_keep_alive": 20, "timeout_graceful_shutdown": 2, "limit_concurrency": 64}
    config = uvicorn.Config(app, http=Impatient, **quiet, **limits)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
    print("ended")


def _remove_left_behind() -> None:
    """Removes the folders of studios that were killed; another user's stay, since they cannot be removed."""
    folders = Path(tempfile.gettempdir()).glob(f"{FOLDER}*-*") if os.name == "posix" else ()
    for folder in folders:
        pid = folder.name.removeprefix(FOLDER).partition("-")[0]
        with contextlib.suppress(PermissionError, ValueError):
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)


def _get_ready(reader: Worker) -> None:
    # Whoever reads a score is told.
    with contextlib.suppress(Exception):
        reader.start()


def listen(port: int) -> socket.socket:
    """A socket bound to a port of this machine, so that nobody else's is answered."""
    if not 0 <= port <= 65535:
        raise DataError(f"port {port} is out of 0..65535")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Lets a studio be started again at once; it does not share a port with one that runs.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        reason = {errno.EADDRINUSE: "is in use", errno.EACCES: "may not be used"}.get(error.errno or 0)
        reason = reason or f"cannot be used ({error.strerror})"
        raise DataError(f"port {port} of {HOST} {reason}; choose another with --port") from None
    return listener
