"""Keeps other people's pages away from a server that listens on this machine alone.

A page from anywhere can have a browser send requests to 127.0.0.1, and a name of its own can be made to
mean 127.0.0.1 (DNS rebinding). So requests must name this machine as their host; what changes anything must
come from our own page and carry a header that no other page may set; and our page may load nothing but
what is ours.
"""

import asyncio
from urllib.parse import urlsplit

import h11
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
OWN_HEADER = "X-Studio"
REQUEST_SECONDS = 20.0
"""How long a request may take to arrive; a connection that only stays open is closed."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware; see the module. ``own_header``: whether what changes anything must carry it, which
    programs that speak a published interface do not know.
    """

    def __init__(self, app: ASGIApp, own_header: bool = True):
        self.app, self.own_header = app, own_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        reason = refusal(scope["method"], Headers(scope=scope), self.own_header)
        app = self.app if reason is None else JSONResponse({"error": reason}, 403)
        await app(scope, receive, guarded)


def refusal(method: str, headers: Headers, own_header: bool = True) -> str | None:
    """Why a request is refused; None if it is not."""
    host = headers.get("host", "")
    if _name(f"//{host}") not in HOSTS:
        return "this studio answers to 127.0.0.1 and localhost only"
    site = headers.get("sec-fetch-site", "none")
    if method in ("GET", "HEAD"):
        # A link from elsewhere may lead to the page; nothing else may be fetched from elsewhere.
        from_elsewhere = site not in ("none", "same-origin") and headers.get("sec-fetch-mode") != "navigate"
        return "the request comes from another site" if from_elsewhere else None
    origin = headers.get("origin")
    if site not in ("none", "same-origin") or (origin is not None and origin != f"http://{host}"):
        return "the request comes from another site"
    if own_header and OWN_HEADER not in headers:
        return f"the header {OWN_HEADER} is missing"
    return None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class Impatient(H11Protocol):
    """A connection that is closed where no whole request arrives for ``REQUEST_SECONDS``."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._asked = self.loop.time()
        self._look()

    def _look(self) -> None:
        if self.conn.their_state is h11.DONE:  # it is being answered
            self._asked = self.loop.time()
        if self.loop.time() - self._asked > REQUEST_SECONDS:
            self.transport.close()
        if not self.transport.is_closing():
            self.loop.call_later(REQUEST_SECONDS / 20, self._look)
