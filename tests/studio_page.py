"""The studio's page for tests in a real browser: its address, and what a person does on it."""

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
import uvicorn
from browser import holds
from studio_common import studio

LEFT, TOP = 46, 40
"""Pixels of the roll's keys and ruler."""


@contextmanager
def served(parts) -> Iterator[str]:
    """Address of a studio, as long as it runs."""
    from nnsvs_lite.studio.server import listen

    with listen(0) as listener:
        server = uvicorn.Server(uvicorn.Config(parts.app(), log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def url(toy_voice, tmp_path_factory):
    with studio(toy_voice, tmp_path_factory.mktemp("studio")) as parts, served(parts) as address:
        yield address


def ready(browser, url, **window):
    """The page, with its tune loaded."""
    page = browser.open(url, **window)
    page.wait_for_selector("body.ready")
    return page


def empty(browser, url, **window):
    page = ready(browser, url, **window)
    page.get_by_role("button", name="New").click()
    assert notes(page) == []
    return page


def notes(page) -> list[dict]:
    """The song's notes as the page would send them."""
    return song(page)["notes"]


def said(page, text: str) -> None:
    """Waits for a message that holds a text."""
    page.locator("#message").filter(has_text=text).wait_for()


def song(page) -> dict:
    return page.evaluate("JSON.parse(sessionStorage.getItem('nnsvs-lite studio song'))")


def at(page, beat: float, pitch: int) -> tuple[float, float]:
    """The place of a beat and a pitch in the window."""
    return tuple(
        page.evaluate(
            """([beat, pitch]) => {
                const box = document.querySelector(".sheet").getBoundingClientRect();
                const rows = document.querySelectorAll(".key").length;
                const names = [...document.querySelectorAll(".key-name")];
                const c5 = names.find((n) => n.textContent === "C5");
                const y = Number(c5.getAttribute("y")) + 5 - 9 + (72 - pitch) * 18;
                return [box.left + beat * 52, box.top + y];
            }""",
            [beat, pitch],
        )
    )


def draw(page, beat: float, beats: float, pitch: int) -> None:
    """Draws a note with the mouse."""
    x, y = at(page, beat + 0.1, pitch)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + (beats - 0.2) * 52, y, steps=4)
    page.mouse.up()


def places(page) -> list[tuple]:
    return [(n["at"], n["beats"], n["pitch"]) for n in notes(page)]


def sing(page) -> None:
    page.get_by_role("button", name="Sing").click()
    page.wait_for_selector("#audio:not([hidden])", timeout=60_000)


def sung_again(page, seconds: float = 60) -> None:
    """Waits until what is heard is the song as it is."""
    holds(
        page,
        "() => document.getElementById('old').hidden && document.getElementById('working').hidden",
        seconds=seconds,
    )


def result(page) -> dict:
    """What the server told of the song that is heard."""
    return page.evaluate(
        "fetch(document.getElementById('audio').src.replace(/audio$/, 'result')).then((a) => a.json())"
    )


def wave(page) -> np.ndarray:
    """What is heard, (samples,) whole numbers of 16 bits."""
    text = page.evaluate(
        """async () => {
            const answer = await fetch(document.getElementById("audio").src);
            const bytes = new Uint8Array(await answer.arrayBuffer());
            let text = "";
            for (let i = 0; i < bytes.length; i += 8192)
                text += String.fromCharCode(...bytes.subarray(i, i + 8192));
            return btoa(text);
        }"""
    )
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(text)), dtype="int16")
    return samples


def drag(page, start, end, steps: int = 6, button: str = "left") -> None:
    page.mouse.move(*start)
    page.mouse.down(button=button)
    page.mouse.move(*end, steps=steps)
    page.mouse.up(button=button)
