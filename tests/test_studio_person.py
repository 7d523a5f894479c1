"""A person at the studio, in a real browser: with the voice in the box, and with a server that is killed."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from scorexml import song as xml_song
from studio_page import (
    at,
    drag,
    draw,
    empty,
    notes,
    places,
    result,
    said,
    sing,
    song,
    sung_again,
    uvicorn,
    wave,
)

pytestmark = pytest.mark.slow
LYRICS = "r 2, C4 1 さ, D4 1 く, E4 4 ら, r 4, E4 1 は, G4 1 な, C4 6 の, r 4"
BEAT = 0.5
"""Seconds: 120 quarter notes a minute."""


def unused(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def served(toy_voice, tmp_path_factory):
    """Starts and kills real servers of one port: ``served("start", voice)``, ``served("kill")``."""
    # Below those that the system gives to whoever connects, so that nobody takes it meanwhile.
    port = next(port for port in range(20_000 + os.getpid() % 5000, 32_000) if unused(port))
    running: list[subprocess.Popen] = []

    def do(what: str, voice=toy_voice) -> str:
        if what == "kill":
            killed = running.pop()
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            return ""
        code = "import sys; from nnsvs_lite.studio.server import serve; serve(sys.argv[2:], int(sys.argv[1]))"
        command = [sys.executable, "-c", code, str(port), str(voice)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        running.append(process)
        assert "sings at" in process.stdout.readline()
        return f"http://127.0.0.1:{port}/"

    assert uvicorn
    yield do
    for process in running:
        process.terminate()
        process.wait()


def differing(a: np.ndarray, b: np.ndarray, rate: int = 24000) -> tuple[float, float]:
    """First and last second at which two sounds of one length differ."""
    where = np.flatnonzero(a != b)
    assert len(a) == len(b) and len(where)
    return where[0] / rate, where[-1] / rate


@pytest.mark.parametrize("width, height, dark", [(1280, 900, False), (390, 844, True)])
def test_a_song_is_made_by_hand(served, browser, tmp_path, width, height, dark):
    from nnsvs_lite import BOXED_VOICE
    from nnsvs_lite.score.formats.readers import read_score

    url = served("start", BOXED_VOICE)
    page = browser.open(url, width=width, height=height, dark=dark)
    page.wait_for_selector("body.ready")
    path = tmp_path / "tune.musicxml"
    path.write_text(xml_song(LYRICS))
    page.locator("#file").set_input_files(path)
    said(page, "6 notes")
    page.locator("#note-sound").uncheck()
    sing(page)
    page.locator("#audio").evaluate("a => a.pause()")
    first, told = wave(page), result(page)
    shift = told["frame_shift"]
    # The second phrase begins at beat 12.
    page.locator("#narrower").click()
    page.locator("#narrower").click()
    scale = 52 / 1.4**2

    def place(beat: float, pitch: int) -> tuple[float, float]:
        page.locator("#roll").evaluate("(roll, x) => { roll.scrollLeft = x; }", max(0, beat * scale - 150))
        left, y = at(page, 0, pitch)
        return left + beat * scale, y

    # Pitch is drawn over the long note of the first phrase, at beats 4 to 8.
    page.get_by_role("radio", name="Pitch").click()
    x, y = place(5, 66)
    drag(page, (x, y), (x + 2 * scale, place(5, 66)[1]))
    page.get_by_role("radio", name="Notes").click()
    sung_again(page)
    bent, f0 = wave(page), np.array(result(page)["f0"])
    inside = f0[round(5.2 * BEAT / shift) : round(6.8 * BEAT / shift)]
    pitch = 69 + 12 * np.log2(inside[inside > 0] / 440)
    assert len(pitch) > 100 and np.abs(pitch - 66).max() < 0.35
    begin, end = differing(first, bent)
    assert begin > 1.0 and end < 12 * BEAT, "the second phrase is as it was"
    browser.screenshot(page, f"person-drawn-{width}")
    # A phone of the second phrase is dragged.
    phones = result(page)["phones"]
    k = next(i for i, p in enumerate(phones) if p[0] == "n" and p[1] > 11 * BEAT)
    x, _ = place(phones[k + 1][1] / BEAT, 60)
    y = page.locator(".ruler").bounding_box()["y"] + 32
    drag(page, (x, y), (x + 0.1 / BEAT * scale, y))
    sung_again(page)
    timed, moved = wave(page), result(page)["phones"]
    assert 0.05 < moved[k + 1][1] - phones[k + 1][1] < 0.15
    begin, end = differing(bent, timed)
    assert begin > 8 * BEAT
    # The last note is taken again; nothing else changes, to the bit.
    page.locator("#roll").focus()
    page.keyboard.press("End")
    page.get_by_role("tab", name="Selected notes").click()
    before = np.array(result(page)["f0"])
    page.get_by_role("button", name="Another take").click()
    sung_again(page)
    page.locator("#audio").evaluate("a => a.pause()")
    taken, f0 = wave(page), np.array(result(page)["f0"])
    changed = np.flatnonzero(f0 != before) * shift
    assert len(changed) and changed[0] > 14 * BEAT - 0.3 and changed[-1] < 20 * BEAT + 0.5
    assert differing(timed, taken)[0] > 13 * BEAT
    browser.screenshot(page, f"person-taken-{width}")
    # Both takes are there to be compared.
    page.get_by_label("Sung as").select_option("0")
    sung_again(page)
    assert np.array_equal(wave(page), timed)
    page.get_by_label("Sung as").select_option("1")
    sung_again(page)
    assert np.array_equal(wave(page), taken)
    page.locator("#audio").evaluate("a => a.pause()")
    # All is undone, and done again.
    for _ in range(5):
        page.get_by_role("button", name="Undo").click()
    sung_again(page)
    assert np.array_equal(wave(page), first)
    for _ in range(5):
        page.get_by_role("button", name="Redo").click()
    sung_again(page)
    assert np.array_equal(wave(page), taken)
    # Saved, reloaded, with another server.
    with page.expect_download() as saved:
        page.get_by_role("button", name="Project").click()
    project = tmp_path / "tune.studio.json"
    saved.value.save_as(project)
    mine = song(page)
    served("kill")
    served("start", BOXED_VOICE)
    page.reload()
    page.wait_for_selector("body.ready")
    assert song(page) == mine
    sing(page)
    assert np.array_equal(wave(page), taken), "whatever was kept before, it is the same"
    page.get_by_role("button", name="New").click()
    page.locator("#file").set_input_files(project)
    said(page, "6 notes")
    sing(page)
    assert np.array_equal(wave(page), taken)
    page.locator("#audio").evaluate("a => a.pause()")
    with page.expect_download() as saved:
        page.get_by_role("link", name="WAV").click()
    assert np.array_equal(soundfile.read(saved.value.path(), dtype="int16")[0], taken)
    with page.expect_download() as saved:
        page.locator("#export").select_option(".ustx")
    saved.value.save_as(tmp_path / "tune.ustx")
    score = read_score(tmp_path / "tune.ustx", lang="ja")
    assert [(n.pitch, n.beats) for n in score.notes if n.pitch] == [
        (n["pitch"], n["beats"]) for n in notes(page)
    ]
    assert browser.overflow(page) == 0
    served("kill")


def test_five_hundred_edits_in_two_tabs_outlive_the_server(served, browser):
    browser.allow("ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE")
    url = served("start")
    first = empty(browser, url)
    for i in range(4):
        draw(first, 2 * i, 1, 69)
    second = first.context.new_page()
    second.goto(url)
    second.wait_for_selector("body.ready")
    assert len(places(second)) == 4
    expected = [[list(place) for place in places(page)] for page in (first, second)]
    tabs = (first, second)

    def edit(n: int) -> None:
        """Now here, now there: a note is chosen and moved up, down or on, all of them counted."""
        which, note = n % 2, n // 2 % 4
        page = tabs[which]
        page.locator("#roll").focus()
        page.keyboard.press("Home")
        for _ in range(note):
            page.keyboard.press("ArrowRight")
        up = (n * 7 + which) % 3 != 0
        page.keyboard.press("ArrowUp" if up else "ArrowDown")
        expected[which][note][2] += 1 if up else -1
        if abs(expected[which][note][2] - 69) > 20:
            page.keyboard.press("Control+z")
            expected[which][note][2] -= 1 if up else -1

    for n in range(500):
        if n == 220:
            served("kill")
        if n == 260:
            served("start")
        edit(n)
    for page, wanted in zip(tabs, expected):
        assert [list(place) for place in places(page)] == wanted
    served("kill")
    served("start")
    for page, wanted in zip(tabs, expected):
        page.reload()
        page.wait_for_selector("body.ready")
        assert [list(place) for place in places(page)] == wanted
        page.get_by_role("button", name="Sing", exact=True).click()
        page.wait_for_selector("#audio:not([hidden])", timeout=60_000)
    # Each is kept for later, too.
    texts = first.evaluate(
        "Object.entries(localStorage).filter(([k]) => !k.endsWith('clipboard')).map(([, v]) => v)"
    )
    found = [[[n["at"], n["beats"], n["pitch"]] for n in json.loads(text)["song"]["notes"]] for text in texts]
    assert all(wanted in found for wanted in expected)
