"""The ENUNU server that OpenUtau calls by ZeroMQ, over a voice.

A request is a JSON array, ``[what, ust, wav, ...]``; an answer ``{"result": ...}`` or ``{"error": ...}``. All
else passes by files beside the UST, in the folder ``<ust without suffix>_enutemp`` (OpenUtau.Core/Enunu of
OpenUtau, and SimpleENUNUServer).
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from nnsvs_lite import __version__
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import package
from nnsvs_lite.studio.jobs import SING_SECONDS, Cancelled, Fault, Worker
from nnsvs_lite.studio.server import HOST

if TYPE_CHECKING:
    import zmq

PORT = 15556
"""Where OpenUtau looks first; it takes 15555 where nobody answers ``ver_check`` there."""
LARGEST = 1 << 20
"""Bytes of a request; paths are all it holds."""
WAITING = 16
"""Requests of one client that may wait; of one that sends more, none is read meanwhile."""
ABOUT = {"name": "nnsvs_lite", "version": __version__, "author": "nnsvs_lite"}
STEPS = ("timing", "acoustic", "synthe")


def answer(worker: Worker, request: bytes) -> dict[str, Any]:
    """The answer to one request, whatever it is. Raises Cancelled where the server ends."""
    try:
        words = json.loads(request)
    except (ValueError, RecursionError):
        return {"error": "a request must be a JSON array"}
    if not isinstance(words, list) or not words or not isinstance(words[0], str):
        return {"error": "a request must be a JSON array that begins with a command"}
    what, *rest = words
    if what == "ver_check":
        return {"result": ABOUT}
    if what not in STEPS:
        return {"error": f"no command {what[:20]!r}; known: ver_check, {', '.join(STEPS)}"}
    count = 2 if what == "synthe" else 1
    paths = rest[:count]
    if len(paths) < count or not all(isinstance(path, str) for path in paths):
        return {"error": f"{what} needs the path of a UST{' and of a wav' if count == 2 else ''}"}
    try:
        return {"result": worker.call({"what": what, "paths": paths}, SING_SECONDS)}
    except (DataError, Fault) as error:
        return {"error": str(error)}


def listening(context: zmq.Context, port: int) -> zmq.Socket:
    """A socket of this machine alone. Raises DataError where the port cannot be had."""
    zmq = package("zmq", "enunu")
    if not 0 <= port <= 65535:
        raise DataError(f"port {port} is out of 0..65535")
    socket = context.socket(zmq.REP)
    for option, value in ((zmq.MAXMSGSIZE, LARGEST), (zmq.RCVHWM, WAITING), (zmq.LINGER, 0)):
        socket.setsockopt(option, value)
    try:
        socket.bind(f"tcp://{HOST}:{port or '*'}")
    except zmq.ZMQError as error:
        socket.close()
        raise DataError(
            f"port {port} of {HOST} cannot be had ({error.strerror}); choose another with --port"
        ) from None
    return socket


def answer_all(socket: zmq.Socket, worker: Worker) -> None:
    """Answers requests until it is interrupted or the worker is closed."""
    while True:
        request = socket.recv_multipart()
        try:
            told = answer(worker, request[0]) if len(request) == 1 else {"error": "one frame is expected"}
        except Cancelled:
            return
        socket.send_string(json.dumps(told, ensure_ascii=False))


def serve_enunu(
    model: str | os.PathLike,
    port: int = PORT,
    device: str = "cpu",
    trust_code: bool = False,
    runtime: str = "auto",
) -> None:
    """Answers as an ENUNU server on a port of this machine until it is interrupted.

    Raises DataError where pyzmq is missing, the port cannot be had or the voice cannot sing.
    """
    zmq = package("zmq", "enunu")
    setup = {"model": os.fspath(model), "device": device, "trust_code": trust_code, "runtime": runtime}
    with (
        contextlib.closing(Worker("phones", setup, "nnsvs_lite.export.phonewise")) as worker,
        zmq.Context() as context,
        listening(context, port) as socket,
    ):
        voice = worker.start()
        where = socket.getsockopt_string(zmq.LAST_ENDPOINT).removeprefix("tcp://")
        print(f"{voice['name']} sings at {where} as an ENUNU server does (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            answer_all(socket, worker)
        print("ended")
