"""A real headless browser for tests, driven by Playwright's Python package.

Nothing is downloaded: the Chromium or Chrome of the machine is used, found on PATH or named by the
environment variable ``CHROMIUM``. Where there is none, tests that ask for it skip and say so.

    def test_page_opens(browser, tmp_path):
        page = browser.open(tmp_path / "index.html")  # or "http://127.0.0.1:8000/"
        phone = browser.open(url, width=375, height=800, dark=True)
        page.get_by_role("button", name="sing").click()  # a playwright.sync_api.Page, see its manual
        assert browser.advances(page.locator("audio").first)
        assert browser.overflow(phone) == 0
        browser.screenshot(phone, "phone")  # a PNG's path: look at it

``browser`` is the fixture of ``conftest.py``. When the test ends, it fails the test if any page it opened
wrote an error to its console, threw an exception that nobody caught, or asked for anything that is not on
this machine (a file, ``data:``, ``blob:``, or 127.0.0.1). An error that belongs to the test is allowed
beforehand: ``browser.allow(r"status of 422")``, a regular expression searched in the message.

Screenshots go to the test's temporary folder, or to the folder that ``SCREENSHOTS`` names.
Tests that take over ten seconds are marked ``slow`` like all others. One browser serves a whole module;
Playwright keeps an event loop open in the main thread meanwhile, so such a module must not call
``asyncio.run`` there (a server under test belongs into a thread or process of its own).
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from killing import PATIENCE, until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LOCAL = ("127.0.0.1", "localhost", "::1")


def find_chromium() -> str | None:
    """Path of the browser: what ``CHROMIUM`` names, else the first of ``NAMES`` on PATH, else None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def launched(program: str) -> Iterator:
    """A running headless browser, a ``playwright.sync_api.Browser``."""
    from playwright.sync_api import sync_playwright

    # In a container there is no sandbox to be had, and only our own pages are opened.
    # Without a sound card a muted player still keeps time.
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--mute-audio", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


def holds(page, script: str, arg: object = None, seconds: float = PATIENCE) -> None:
    """Waits until an expression, or a function of ``arg``, is true in a page.

    Playwright's own ``wait_for_function`` compiles the text inside the page at its second try, which the
    Content-Security-Policy of our pages forbids.
    """
    until(lambda: page.evaluate(script, arg), seconds)


class Browser:
    """What the fixture hands to a test: opens pages and collects what goes wrong in them.

    Args:
        chromium: a ``playwright.sync_api.Browser``.
        folder: where screenshots go.
    """

    def __init__(self, chromium, folder: Path):
        self._chromium = chromium
        self._folder = Path(os.environ.get("SCREENSHOTS") or folder)
        self._contexts: list = []
        self._allowed: list[str] = []
        self._errors: list[str] = []

    def open(self, target: str | os.PathLike, width: int = 1200, height: int = 900, dark: bool = False):
        """A page in a window of its own that shows a file or a URL; returns when it has loaded."""
        context = self._chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self._errors.append(f"exception: {error}"))
        page.on("request", self._asked)
        url = str(target)
        page.goto(url if "://" in url else Path(target).resolve().as_uri())
        return page

    def _heard(self, message) -> None:
        if message.type == "error":
            self._errors.append(f"console: {message.text}")

    def _asked(self, request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOCAL:
            self._errors.append(f"asks the network: {request.url[:200]}")

    def allow(self, pattern: str) -> None:
        """Errors that match this regular expression are part of the test."""
        self._allowed.append(pattern)

    @property
    def errors(self) -> list[str]:
        """Errors so far, without the allowed ones."""
        return [e for e in self._errors if not any(re.search(pattern, e) for pattern in self._allowed)]

    def screenshot(self, page, name: str, full: bool = False) -> Path:
        """Writes ``<name>.png``, of what the window shows or of the full page, and returns its path."""
        path = self._folder / f"{name}.png"
        page.screenshot(path=path, full_page=full)
        return path

    def overflow(self, page) -> int:
        """Pixels by which the page is wider than its window; 0 where nothing scrolls sideways."""
        return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def advances(self, audio, seconds: float = 0.3) -> bool:
        """Plays an ``<audio>`` (a locator) until its clock has passed ``seconds``; False if it never does."""
        return audio.evaluate(
            """async (audio, seconds) => {
                const from = audio.currentTime;
                const late = performance.now() + 1000 * seconds + 10000;
                await audio.play();
                while (audio.currentTime < from + seconds && !audio.ended && performance.now() < late)
                    await new Promise((done) => setTimeout(done, 20));
                const passed = audio.currentTime - from;
                audio.pause();
                return passed >= seconds;
            }""",
            seconds,
        )

    def close(self) -> None:
        """Closes all windows."""
        for context in self._contexts:
            context.close()
