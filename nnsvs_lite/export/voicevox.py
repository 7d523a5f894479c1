"""The song part of VOICEVOX ENGINE's HTTP interface over a voice, as its published schema has it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nnsvs_lite import __version__
from nnsvs_lite.export.frames import FRAME_RATE, RATE
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.studio.app import json_body
from nnsvs_lite.studio.guard import Guard
from nnsvs_lite.studio.jobs import SING_SECONDS, Cancelled, Fault, Worker
from nnsvs_lite.studio.server import HOST, listen, run_app

PORT = 50021
"""Of VOICEVOX ENGINE, where clients look for it."""
TEACHER = 6000
"""The style that clients ask for a query where they know no other."""
WAITING = 4
"""Requests that are sung or wait; more are refused."""
NAMES = uuid.UUID("8a6f5d2e-1f57-4f0c-9a53-2d5c2f7e9b11")
EMPTY_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel, where clients must have a picture."""


class Engine:
    """What the addresses share; ``folder`` is for sound, and the caller's to remove."""

    def __init__(self, voice: dict[str, Any], worker: Worker, folder: Path, terms: str = ""):
        self.voice, self.worker, self.folder, self.terms = voice, worker, folder, terms
        self.names = voice["singers"] or [voice["name"]]
        self.waiting = 0

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/version", self.version),
            Route("/engine_manifest", self.manifest),
            Route("/supported_devices", self.devices),
            Route("/speakers", self.none),
            Route("/singers", self.singers),
            Route("/singer_info", self.singer_info),
            Route("/is_initialized_speaker", self.ready),
            Route("/initialize_speaker", self.initialize, methods=["POST"]),
            Route("/sing_frame_audio_query", self.query, methods=["POST"]),
            Route("/sing_frame_f0", self.f0, methods=["POST"]),
            Route("/sing_frame_volume", self.volume, methods=["POST"]),
            Route("/frame_synthesis", self.synthesis, methods=["POST"]),
        ]
        handlers: dict[Any, Any] = {HTTPException: _told, DataError: _refused, Fault: _refused}
        return Starlette(
            routes=routes,
            exception_handlers=handlers,
            middleware=[Middleware(Guard, own_header=False)],
            lifespan=self._living,
        )

    @contextlib.asynccontextmanager
    async def _living(self, app: Starlette) -> AsyncIterator[None]:
        """Ends the song that is being sung with the server, whose threads would wait for it."""
        yield
        self.worker.close()

    async def version(self, request: Request) -> Response:
        return JSONResponse(__version__)

    async def devices(self, request: Request) -> Response:
        return JSONResponse({"cpu": True, "cuda": False, "dml": False})

    async def none(self, request: Request) -> Response:
        return JSONResponse([])  # it sings and does not speak

    async def ready(self, request: Request) -> Response:
        self._singer(request)
        return JSONResponse(True)

    async def initialize(self, request: Request) -> Response:
        self._singer(request)
        return Response(status_code=204)

    async def manifest(self, request: Request) -> Response:
        can = ("adjust_volume_scale", "sing")
        cannot = (
            *("adjust_mora_pitch", "adjust_phoneme_length", "adjust_speed_scale", "adjust_pitch_scale"),
            *(
                "adjust_intonation_scale",
                "interrogative_upspeak",
                "synthesis_morphing",
                "adjust_pause_length",
            ),
            *("manage_library", "return_resource_url"),
        )
        return JSONResponse(
            {
                "manifest_version": "0.13.1",
                "name": "nnsvs_lite",
                "brand_name": "nnsvs_lite",
                "uuid": str(uuid.uuid5(NAMES, "engine")),
                "url": f"http://{HOST}/",
                "icon": EMPTY_IMAGE,
                "default_sampling_rate": RATE,
                "frame_rate": FRAME_RATE,
                "terms_of_service": self.terms,
                "update_infos": [],
                "dependency_licenses": [],
                "supported_vvlib_manifest_version": None,
                "supported_features": dict.fromkeys(can, True) | dict.fromkeys(cannot, False),
            }
        )

    async def singers(self, request: Request) -> Response:
        rows = []
        for number, name in enumerate(self.names):
            styles = [{"name": "song", "id": number, "type": "sing"}]
            if number == 0:
                styles.append({"name": "song", "id": TEACHER, "type": "singing_teacher"})
            features = {"permitted_synthesis_morphing": "NOTHING"}
            row = {"name": name, "speaker_uuid": self._uuid(name), "styles": styles, "version": __version__}
            rows.append(row | {"supported_features": features})
        return JSONResponse(rows)

    def _uuid(self, name: str) -> str:
        return str(uuid.uuid5(NAMES, f"{self.voice['name']}/{name}"))

    async def singer_info(self, request: Request) -> Response:
        asked = request.query_params.get("speaker_uuid", "")
        numbers = [i for i, name in enumerate(self.names) if self._uuid(name) == asked]
        if not numbers:
            raise HTTPException(404, "no such singer")
        style = {"id": numbers[0], "icon": EMPTY_IMAGE, "portrait": None, "voice_samples": []}
        return JSONResponse({"policy": self.terms, "portrait": EMPTY_IMAGE, "style_infos": [style]})

    async def query(self, request: Request) -> Response:
        return JSONResponse(await self._ask(request, "query"))

    async def f0(self, request: Request) -> Response:
        return JSONResponse((await self._ask(request, "f0"))["f0"])

    async def volume(self, request: Request) -> Response:
        return JSONResponse((await self._ask(request, "volume"))["volume"])

    async def synthesis(self, request: Request) -> Response:
        path = self.folder / f"{secrets.token_hex(8)}.wav"
        try:
            await self._ask(request, "wave", wav=str(path))
            return Response(path.read_bytes(), media_type="audio/wav")
        finally:
            path.unlink(missing_ok=True)

    def _singer(self, request: Request) -> int:
        asked = request.query_params.get("speaker", "")
        number = int(asked[:9]) if asked.isdecimal() else -1
        number = 0 if number == TEACHER else number
        if not 0 <= number < len(self.names):
            raise HTTPException(422, f"no style {asked[:20]!r}; /singers lists them")
        return number

    async def _ask(self, request: Request, what: str, **more: Any) -> Any:
        task = {"what": what, "singer": self._singer(request), "value": await json_body(request), **more}
        if self.waiting >= WAITING:
            raise HTTPException(503, "too many songs wait to be sung; try again in a moment")
        self.waiting += 1
        try:
            return await asyncio.to_thread(self.worker.call, task, SING_SECONDS)
        except (asyncio.CancelledError, Cancelled):
            raise HTTPException(503, "the server ends") from None
        finally:
            self.waiting -= 1


def serve_voicevox(
    model: str | os.PathLike,
    port: int = PORT,
    device: str = "cpu",
    trust_code: bool = False,
    runtime: str = "auto",
) -> None:
    """Answers as VOICEVOX ENGINE on a port of this machine until it is interrupted.

    Raises DataError where the port cannot be had or the voice cannot sing.
    """
    from nnsvs_lite.models.pack import terms_of

    setup = {"model": os.fspath(model), "device": device, "trust_code": trust_code, "runtime": runtime}
    with (
        listen(port) as listener,
        tempfile.TemporaryDirectory(prefix="nnsvs-lite-voicevox-") as folder,
        contextlib.closing(Worker("frames", setup, "nnsvs_lite.export.frames")) as worker,
    ):
        voice = worker.start()
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        print(f"{voice['name']} sings at {url} as VOICEVOX ENGINE does (Ctrl-C ends it)", flush=True)
        terms = terms_of(model, set(voice["singers"]))
        run_app(Engine(voice, worker, Path(folder), terms).app(), listener)


async def _told(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"detail": error.detail}, error.status_code)


async def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 500 if isinstance(error, Fault) else 422)
