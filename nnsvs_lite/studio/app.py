"""The studio's pages and its JSON interface; ``docs/studio.md`` describes each address."""

import asyncio
import json
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.otherfiles import advice
from nnsvs_lite.score.formats.readers import READERS
from nnsvs_lite.score.formats.write_musicxml import musicxml
from nnsvs_lite.score.formats.writers import WRITERS
from nnsvs_lite.score.song import Song
from nnsvs_lite.score.timeline import checked_list, checked_number
from nnsvs_lite.studio.convert import MAX_SECONDS, score_of
from nnsvs_lite.studio.drawn import PageMarks
from nnsvs_lite.studio.examples import examples, new_lyric
from nnsvs_lite.studio.guard import Guard
from nnsvs_lite.studio.jobs import READ_SECONDS, Busy, Fault, Jobs, SongJob, Worker
from nnsvs_lite.studio.options import checked
from nnsvs_lite.studio.voices import KnownVoices

STATIC = Path(__file__).parent / "static"
UPLOAD_BYTES = 5 * 2**20
SONG_BYTES = 2 * 2**20
DRAWN_BYTES = 16 * 2**20
BODY_SECONDS = 30.0
TRACK = {"song", "voice", "options", "drawn", "gain", "pan", "heard"}
MAX_OTHERS = 63
"""Tracks beside the one that is edited."""
GAIN = (-60, 12)
"""dB of a track."""
READS_AT_ONCE = 4
"""Files being read or waiting for it; more are refused."""


class Studio:
    """What the addresses share; ``folder`` is for uploads and sound, and the caller's to remove."""

    def __init__(self, voices: KnownVoices, reader: Worker, folder: Path):
        self.voices, self.reader, self.folder = voices, reader, folder
        self.jobs = Jobs(voices.singer, folder)
        self.reading = 0

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/", self.page),
            Route("/static/{name}", self.static),
            Route("/api/voices", self.tell_voices),
            Route("/api/voice", self.tell_voice),
            Route("/api/examples", self.tell_examples),
            Route("/api/score", self.read, methods=["POST"]),
            Route("/api/musicxml", self.write, methods=["POST"]),
            Route("/api/export", self.export, methods=["POST"]),
            Route("/api/check", self.check, methods=["POST"]),
            Route("/api/jobs", self.sing, methods=["POST"]),
            Route("/api/jobs/{id}", self.tell_job, methods=["GET"]),
            Route("/api/jobs/{id}", self.cancel, methods=["DELETE"]),
            Route("/api/jobs/{id}/result", self.tell_result),
            Route("/api/jobs/{id}/audio", self.audio),
        ]
        handlers: dict[Any, Any] = {HTTPException: _http_error, DataError: _refused, Fault: _refused}
        return Starlette(routes=routes, exception_handlers=handlers, middleware=[Middleware(Guard)])

    async def page(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def static(self, request: Request) -> Response:
        # A name that is not one of the files found in the folder never becomes a path.
        path = {item.name: item for item in STATIC.iterdir()}.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404, "no such file")
        return FileResponse(path)

    async def tell_voices(self, request: Request) -> Response:
        return JSONResponse(self.voices.rows())

    async def _voice(self, request: Request) -> dict[str, Any]:
        """The voice that a request names, else the first."""
        name = self.voices.find(request.query_params.get("voice"))
        return await asyncio.to_thread(self.voices.told, name)

    async def tell_voice(self, request: Request) -> Response:
        voice = await self._voice(request)
        limits = {"bytes": UPLOAD_BYTES, "project": DRAWN_BYTES, "seconds": MAX_SECONDS}
        limits["tracks"] = MAX_OTHERS + 1
        lyrics = {lang: new_lyric(lang) for lang in voice["langs"]}
        more = {"formats": sorted(READERS), "limits": limits, "new_lyric": lyrics}
        more["writes"] = {suffix: writer.form for suffix, writer in WRITERS.items()}
        return JSONResponse(voice | more)

    async def tell_examples(self, request: Request) -> Response:
        langs = (await self._voice(request))["langs"]
        songs = [await asyncio.to_thread(examples, lang) for lang in langs]
        return JSONResponse([song.to_json() for found in songs for song in found])

    async def read(self, request: Request) -> Response:
        """A score file to a song."""
        name = display_name(request.query_params.get("name", ""))
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in READERS:
            hint, known = advice(suffix, READERS), ", ".join(sorted(READERS))
            raise DataError(f"not a score file that can be read{hint}; known: {known}", name)
        options: dict[str, Any] = {}
        if part := request.query_params.get("part", ""):
            options["part"] = part[:200]
        if verse := request.query_params.get("verse", ""):
            if not verse.isdecimal() or not 1 <= int(verse[:4]) <= 99:
                raise DataError("verse must be a number from 1 to 99")
            options["verse"] = int(verse[:4])
        if lang := request.query_params.get("lang", ""):
            langs = (await self._voice(request))["langs"]
            if lang not in langs:
                raise DataError(f"the voice sings {', '.join(langs)}, not {lang[:20]!r}")
            options["lang"] = lang
        data = await body(request, UPLOAD_BYTES)
        if self.reading >= READS_AT_ONCE:
            raise HTTPException(503, "too many files are being read; try again in a moment")
        self.reading += 1
        try:
            return JSONResponse(await asyncio.to_thread(self._read, data, suffix, name, options))
        finally:
            self.reading -= 1

    def _read(self, data: bytes, suffix: str, name: str, options: dict[str, Any]) -> Any:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            # Of the name that came with it only a suffix that we know is used.
            path = Path(folder) / f"score{suffix}"
            path.write_bytes(data)
            try:
                task = {"path": str(path), "options": options}
                found = self.reader.call(task, READ_SECONDS)
            except DataError as error:
                where = name if error.where is None else error.where.replace(str(path), name)
                raise DataError(error.what.replace(str(path), name), where) from None
            found["warning"] = found["warning"].replace(str(path), name)
            found["song"]["title"] = found["song"]["title"] or PurePosixPath(name).stem[:200]
            return found

    async def write(self, request: Request) -> Response:
        """A song to MusicXML."""
        song = Song.from_json(await json_body(request))
        score_of(song)
        data = await asyncio.to_thread(musicxml, song)
        return Response(data, headers=_attachment(song.title, ".musicxml"), media_type="application/xml")

    async def export(self, request: Request) -> Response:
        """Tracks to a file of another editor; what the format cannot hold is named in a header."""
        suffix = request.query_params.get("suffix", "").lower()
        if suffix not in WRITERS:
            raise DataError(f"no format {suffix[:20]!r}; known: {', '.join(WRITERS)}")
        tracks = await self._tracks(request)
        data, warning = await asyncio.to_thread(self._export, suffix, tracks)
        told = {"X-Warning": quote(warning[:1000])} if warning else {}
        return Response(data, headers=_attachment(tracks[0]["song"]["title"], suffix) | told)

    def _export(self, suffix: str, tracks: list[dict[str, Any]]) -> tuple[bytes, str]:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / f"score{suffix}"
            try:
                told = self.reader.call({"write": str(path), "tracks": tracks}, READ_SECONDS)
            except DataError as error:
                raise DataError(error.what, None) from None
            return path.read_bytes(), told["warning"]

    async def check(self, request: Request) -> Response:
        """Whether tracks could be sung; so a project is looked at before it is opened."""
        await self._tracks(request)
        return JSONResponse({})

    async def sing(self, request: Request) -> Response:
        tracks = await self._tracks(request)
        return JSONResponse(self.jobs.submit(tracks, tracks[0]["song"]["title"]).to_json(), 202)

    async def _tracks(self, request: Request) -> list[dict[str, Any]]:
        """The track that is edited, and the others."""
        value = await json_body(request, DRAWN_BYTES)
        if not isinstance(value, dict) or set(value) - {*TRACK, "others"}:
            raise DataError("a JSON object of song and options is needed")
        others = checked_list(value, "others", "the song", MAX_OTHERS) if "others" in value else []
        first = {name: value[name] for name in TRACK & set(value)}
        return [self._track(track) for track in (first, *others)]

    def _track(self, value: Any) -> dict[str, Any]:
        """A track as the singing process takes it; refused here rather than there, where it may be busy."""
        if not isinstance(value, dict) or set(value) - TRACK:
            raise DataError("a track is a JSON object of song, voice, options, drawn, gain, pan and heard")
        song = Song.from_json(value.get("song"))
        options = checked(value.get("options", {}), self._options())
        score_of(song)
        drawn = value.get("drawn", {})
        PageMarks.from_json(drawn, len(song.notes))
        gain = checked_number(value.get("gain", 0), "the gain of a track", *GAIN)
        pan = checked_number(value.get("pan", 0), "the pan of a track", -1, 1)
        heard = bool(value.get("heard", True))
        row = {"song": song.to_json(), "voice": self.voices.find(value.get("voice")), "options": options}
        return row | {"drawn": drawn, "gain": gain, "pan": pan, "heard": heard}

    def _options(self) -> list[dict[str, Any]]:
        """The options of any voice: which of them can be heard differs, their limits do not."""
        return self.voices.told(self.voices.find(None))["options"]

    async def tell_job(self, request: Request) -> Response:
        return JSONResponse(self._job(request).to_json())

    async def cancel(self, request: Request) -> Response:
        job = self._job(request)
        self.jobs.cancel(job)
        return JSONResponse(job.to_json())

    async def tell_result(self, request: Request) -> Response:
        return JSONResponse(self._done(request).result)

    async def audio(self, request: Request) -> Response:
        job = self._done(request)
        headers = _attachment(job.title, ".wav") if "download" in request.query_params else {}
        return FileResponse(job.wav, media_type="audio/wav", headers=headers)

    def _job(self, request: Request) -> SongJob:
        job = self.jobs.get(request.path_params["id"])
        if job is None:
            raise HTTPException(404, "no such song; only the last few are kept")
        return job

    def _done(self, request: Request) -> SongJob:
        job = self._job(request)
        if job.state != "done":
            raise HTTPException(409, f"the song is not ready: it is {job.state}")
        return job


async def body(request: Request, most: int) -> bytes:
    """The body of a request, read no further than allowed.

    Raises HTTPException 413 where it is larger than ``most`` bytes, 408 where it takes too long.
    """
    too_large = HTTPException(413, f"the file is larger than {most / 2**20:g} MB")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > most:
        raise too_large

    async def collect() -> bytes:
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                raise too_large
        return bytes(data)

    try:
        return await asyncio.wait_for(collect(), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise HTTPException(408, "the file takes too long to arrive") from None


async def json_body(request: Request, most: int = SONG_BYTES) -> Any:
    """The JSON that a request brings; DataError where it is not JSON."""
    try:
        return json.loads(await body(request, most))
    except (ValueError, RecursionError):
        raise DataError("the request is not JSON") from None


def display_name(name: str) -> str:
    """The last part of a file name, to be shown; never a path."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[-120:] or "score"


def _attachment(title: str, suffix: str) -> dict[str, str]:
    """The header that makes a browser save a file under the song's title."""
    kept = "".join(c if c.isalnum() or c in " ._-()" else "_" for c in title).strip(" .")[:80] or "song"
    name = f"filename=\"song{suffix}\"; filename*=UTF-8''{quote(kept + suffix)}"
    return {"Content-Disposition": f"attachment; {name}"}


async def _http_error(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code)


async def _refused(request: Request, error: Exception) -> Response:
    status = 500 if isinstance(error, Fault) else 409 if isinstance(error, Busy) else 422
    return JSONResponse({"error": str(error)}, status)
