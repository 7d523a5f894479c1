"""The studio's page in a real browser: a tune is written, sung, heard, looked at and saved."""

import io
import re

import pytest
import soundfile
from browser import holds
from scorexml import song as xml_song
from studio_page import at, draw, empty, notes, places, ready, said, sing, song, url

from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.studio.options import ROWS

__all__ = ["url"]


def test_a_tune_is_written_sung_heard_and_saved(browser, url, tmp_path):
    page = empty(browser, url)
    draw(page, 1, 1, 69)
    draw(page, 2, 1, 71)
    draw(page, 3, 2, 72)
    assert places(page) == [(1, 1, 69), (2, 1, 71), (3, 2, 72)]
    # Lyrics by typing, Tab leads on.
    x, y = at(page, 1.5, 69)
    page.mouse.dblclick(x, y)
    for lyric in ("さ", "く", "ら"):
        page.keyboard.insert_text(lyric)
        page.keyboard.press("Tab")
    assert [n["lyric"] for n in notes(page)] == ["さ", "く", "ら"]
    assert page.locator("#lyrics").input_value() == "さ く ら"
    page.locator("#title").fill("花見")
    page.locator("#title").press("Enter")
    sing(page)
    assert browser.advances(page.locator("#audio"))
    assert page.locator("#audio").evaluate("a => a.duration") == pytest.approx(6 * 0.6, abs=0.02)
    head = page.locator(".sheet .head")
    assert head.get_attribute("visibility") == "visible" and float(head.get_attribute("x1")) > 10
    # Sung pitch lies within the notes' time, phones are named.
    box = page.locator(".f0").evaluate("path => { const b = path.getBBox(); return [b.x, b.x + b.width]; }")
    assert 0.5 * 52 < box[0] < 1.6 * 52 and 4 * 52 < box[1] < 5.5 * 52
    assert "".join(page.locator(".phone").all_text_contents()).endswith("ra")
    assert page.locator(".phone-edge").count() == 1
    with page.expect_download() as wav:
        page.get_by_role("link", name="WAV").click()
    assert wav.value.suggested_filename == "花見.wav"
    with open(wav.value.path(), "rb") as file:
        wave, rate = soundfile.read(io.BytesIO(file.read()))
    assert rate == 24000 and len(wave) / rate == pytest.approx(3.6, abs=0.02)
    with page.expect_download() as saved:
        page.get_by_role("button", name="MusicXML").click()
    assert saved.value.suggested_filename == "花見.musicxml"
    path = tmp_path / "saved.musicxml"
    saved.value.save_as(path)
    score = read_score(path)
    assert [(n.pitch, n.lyric, n.beats) for n in score.notes if n.pitch] == [
        (69, "さ", 1),
        (71, "く", 1),
        (72, "ら", 2),
    ]
    assert score.notes[1].start == pytest.approx(0.6) and score.title == "花見"
    browser.screenshot(page, "studio-sung")
    # Changed, the old pitch says so.
    assert not page.locator("#old").is_visible()
    page.locator("#tempo").fill("120")
    page.locator("#tempo").press("Enter")
    assert page.locator("#old").is_visible() and song(page)["tempi"] == [[0, 120]]


def test_notes_are_edited_by_mouse(browser, url):
    page = empty(browser, url)
    draw(page, 0, 1, 60)
    draw(page, 2, 1, 64)

    def drag(start, end):
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*end, steps=4)
        page.mouse.up()

    drag(at(page, 0.3, 60), at(page, 1.3, 62))
    assert places(page) == [(1, 1, 62), (2, 1, 64)]
    drag(at(page, 2.96, 64), at(page, 3.96, 64))
    assert places(page) == [(1, 1, 62), (2, 2, 64)]
    # A note drawn over another's end cuts it short; one may not begin where another does.
    draw(page, 3, 1, 67)
    assert places(page) == [(1, 1, 62), (2, 1, 64), (3, 1, 67)]
    drag(at(page, 3.3, 67), at(page, 1.3, 67))
    assert places(page) == [(1, 1, 62), (2, 1, 64), (3, 1, 67)]
    assert "on top of each other" in page.locator("#message").inner_text()
    # Several at once.
    page.keyboard.down("Shift")
    drag(at(page, 0.2, 70), at(page, 2.8, 60))
    page.keyboard.up("Shift")
    assert page.locator(".note.selected").count() == 2
    page.keyboard.press("Delete")
    assert places(page) == [(3, 1, 67)]
    page.mouse.dblclick(*at(page, 5.1, 65))
    assert places(page) == [(3, 1, 67), (5, 1, 65)]
    for _ in range(7):
        page.get_by_role("button", name="Undo").click()
    assert places(page) == []
    # The song before New comes back, too; there is none before that.
    page.get_by_role("button", name="Undo").click()
    assert places(page) and page.get_by_role("button", name="Undo").is_disabled()
    for _ in range(2):
        page.get_by_role("button", name="Redo").click()
    assert places(page) == [(0, 1, 60)]


def test_notes_are_edited_by_keys_alone(browser, url):
    page = empty(browser, url)
    page.locator("#roll").focus()
    press = page.keyboard.press
    press("Shift+Enter")
    press("Shift+Enter")
    press("Shift+Enter")
    assert places(page) == [(0, 1, 60), (1, 1, 60), (2, 1, 60)]
    press("ArrowUp")
    press("Shift+ArrowUp")
    press("Shift+ArrowRight")
    press("Alt+ArrowRight")
    assert places(page) == [(0, 1, 60), (1, 1, 60), (2.5, 1.5, 73)]
    press("Home")
    press("k")
    press("a")
    press("Tab")
    page.keyboard.type("ki")
    press("Enter")
    assert [n["lyric"] for n in notes(page)] == ["ka", "ki", "ら"]
    assert page.locator("#about-note").inner_text() == "C4 “ki” at bar 1, beat 2, 1 beat"
    press("Enter")
    page.keyboard.type("ignored")
    press("Escape")
    assert notes(page)[1]["lyric"] == "ki"
    press("Delete")
    press("ArrowLeft")
    press("Shift+ArrowLeft")
    assert places(page) == [(0, 0.5, 60), (2.5, 1.5, 73)]
    press("Control+z")
    press("Control+z")
    press("Control+Shift+Z")
    assert places(page) == [(0, 1, 60), (2.5, 1.5, 73)]
    # A note between others makes room for itself.
    press("Control+z")
    press("Home")
    press("Shift+Enter")
    assert places(page) == [(0, 1, 60), (1, 1, 60), (2, 1, 60), (3.5, 1.5, 73)]
    press("Control+a")
    press("Delete")
    assert places(page) == []


def test_no_song_is_lost_to_another(browser, url):
    page = empty(browser, url)
    draw(page, 0, 1, 60)
    mine = notes(page)
    assert len(mine) == 1
    for tune in ("tune 0", "tune 1"):
        page.locator("#examples").select_option(tune)
    page.get_by_role("button", name="New").click()
    assert notes(page) == []
    # Undo goes back through the songs that were opened.
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    assert notes(page) == mine
    page.reload()
    page.wait_for_selector("body.ready")
    assert notes(page) == mine
    # The songs in between were seen again, but nobody changed them.
    stored = """Object.keys(localStorage).filter((key) => key.startsWith("nnsvs-lite studio"))
        .map((key) => JSON.parse(localStorage.getItem(key)).song.notes.length)"""
    assert page.evaluate(stored) == [1]
    # What was edited is among the kept songs, what was only opened is not.
    page.locator("#examples").select_option("tune 1")
    page.locator("#examples").focus()
    kept = page.locator("#kept option").filter(has_text=re.compile("^ら ·"))
    page.locator("#examples").select_option(kept.first.get_attribute("value"))
    # It comes once its name is known to be free.
    holds(page, "JSON.parse(sessionStorage.getItem('nnsvs-lite studio song')).notes.length === 1")
    assert notes(page) == mine
    # Removed, a song that was only opened again is kept again by Undo.
    page.locator("#forget").dispatch_event("click")
    holds(page, f"({stored}).length === 0")
    page.get_by_role("button", name="Undo").click()
    holds(page, f"({stored}).length === 1")
    assert notes(page) == mine


def test_two_tabs_keep_two_songs(browser, url):
    first = empty(browser, url)
    draw(first, 0, 1, 60)
    second = first.context.new_page()
    second.goto(url)
    second.wait_for_selector("body.ready")
    assert notes(second) == notes(first), "a new tab begins with the song that was kept last"
    second.get_by_role("button", name="New").click()
    draw(second, 2, 1, 62)
    draw(first, 4, 1, 64)
    for page, beats in ((first, [0, 4]), (second, [2])):
        page.reload()
        page.wait_for_selector("body.ready")
        assert [note["at"] for note in notes(page)] == beats
    kept = second.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('nnsvs-lite studio'))")
    assert len(kept) >= 2


def test_running_lyrics_are_spread_over_the_notes(browser, url):
    page = empty(browser, url)
    page.locator("#roll").focus()
    for _ in range(6):
        page.keyboard.press("Shift+Enter")
    page.locator("#lyrics").fill("きょうはー[こん] ば")
    page.locator("#title").focus()
    assert [n["lyric"] for n in notes(page)] == ["きょ", "う", "は", "", "こん", "ば"]
    assert page.locator("#lyrics").input_value() == "きょ う は ー [こん] ば"
    page.locator("#lyrics").fill("さっ か\u3099")
    page.locator("#title").focus()
    assert [n["lyric"] for n in notes(page)] == ["さっ", "が", "は", "", "こん", "ば"]
    assert page.locator("#message").inner_text().startswith("4 more notes than syllables")
    # Whatever a lyric is, the others stay where they are.
    odd = [
        "a[",
        "か[[z e]",
        "[",
        "か[",
        "さ[k a]",
        "[z e]",
        "さか[[z e]",
        "a b",
        "a [b] [c]",
        "a[b",
        "[z e]",
        "さ",
    ]
    back = page.evaluate(
        """async (lyrics) => {
            const { join, split } = await import("/static/lyrics.js");
            return split(join(lyrics.map((lyric, at) => ({ at, beats: 1, lyric })), "ja"), "ja");
        }""",
        odd,
    )
    assert back == odd


def test_a_score_is_opened_and_a_bad_one_says_what_is_wrong(browser, url, tmp_path):
    page = ready(browser, url)
    good = tmp_path / "good.musicxml"
    good.write_text(xml_song("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2"))
    page.locator("#file").set_input_files(good)
    said(page, "good.musicxml: 4 notes")
    assert places(page) == [(1, 1, 60), (2, 1, 62), (3, 1, 64), (4, 2, 67)]
    bad = tmp_path / "bad.musicxml"
    bad.write_text(xml_song("r 4"))
    browser.allow(r"status of 422")
    page.locator("#file").set_input_files(bad)
    page.wait_for_selector("#message.error:not([hidden])")
    text = page.locator("#message p").inner_text()
    assert text == "bad.musicxml: the score is empty: it has no notes"
    # The song that was open stays.
    assert len(notes(page)) == 4
    large = tmp_path / "large.musicxml"
    large.write_bytes(b" " * (5 * 2**20 + 1))
    page.locator("#file").set_input_files(large)
    said(page, "larger than 5 MB")
    # Dropped files take the same way.
    page.evaluate(
        """(text) => {
            const data = new DataTransfer();
            data.items.add(new File([text], "dropped.musicxml"));
            for (const kind of ["dragenter", "dragover", "drop"])
                document.getElementById("roll").dispatchEvent(
                    new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        good.read_text(),
    )
    said(page, "dropped.musicxml: 4 notes")
    assert not page.locator("#drop").is_visible()


def test_a_song_can_be_cancelled_and_a_failure_is_told(browser, url):
    page = empty(browser, url)
    page.evaluate(
        """() => {
            const song = JSON.parse(sessionStorage.getItem("nnsvs-lite studio song"));
            song.notes = Array.from({ length: 900 }, (_, i) =>
                ({ at: i, beats: 1, pitch: 60 + i % 7, lyric: "ら" }));
            sessionStorage.setItem("nnsvs-lite studio song", JSON.stringify(song));
        }"""
    )
    page.reload()
    page.wait_for_selector("body.ready")
    assert len(notes(page)) == 900
    page.get_by_role("button", name="Sing").click()
    page.get_by_role("button", name="Cancel").click()
    said(page, "Cancelled")
    assert page.get_by_role("button", name="Sing").is_visible()
    page.get_by_role("button", name="New").click()
    page.locator("#roll").focus()
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Enter")
    page.keyboard.insert_text("☃")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#message.error:not([hidden])", timeout=60_000)
    assert "measure 1, beat 1: cannot read lyric '☃'" in page.locator("#message").inner_text()


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_everything(browser, url, dark):
    page = ready(browser, url, width=375, height=812, dark=dark)
    assert browser.overflow(page) == 0
    sing(page)
    assert browser.overflow(page) == 0
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(int(value) for value in re.findall(r"\d+", back)[:3]) > 380
    assert light is not dark
    for name in ("Sing", "MusicXML", "Open…", "New"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375 and box["height"] >= 36
    browser.screenshot(page, f"studio-phone-{'dark' if dark else 'light'}")


def test_a_finger_adds_selects_drags_and_scrolls(chromium, url):
    context = chromium.new_context(viewport={"width": 375, "height": 812}, has_touch=True, is_mobile=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector("body.ready")
    page.get_by_role("button", name="New").tap()
    touch = context.new_cdp_session(page)

    def twice(beat: float, pitch: int) -> None:
        for _ in range(2):
            page.touchscreen.tap(*at(page, beat, pitch))

    def drag(start: tuple, end: tuple) -> None:
        for kind, part in [("touchStart", 0.0), *[("touchMove", i / 5) for i in range(1, 6)]]:
            x, y = (a + (b - a) * part for a, b in zip(start, end))
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    twice(1.2, 67)
    assert places(page) == [(1, 1, 67)]
    # Longer than two taps may be apart.
    page.wait_for_timeout(600)
    drag(at(page, 1.3, 67), at(page, 2.3, 69))
    assert places(page) == [(2, 1, 69)]
    page.wait_for_timeout(600)
    twice(2.3, 69)
    page.keyboard.insert_text("は")
    page.keyboard.press("Enter")
    assert [n["lyric"] for n in notes(page)] == ["は"]
    # Elsewhere a finger scrolls.
    before = page.locator("#roll").evaluate("roll => roll.scrollTop")
    drag(at(page, 4, 67), at(page, 4, 74))
    holds(page, "before => document.getElementById('roll').scrollTop > before + 50", arg=before)
    assert places(page) == [(2, 1, 69)] and errors == []
    context.close()


HELP = """() => {
    const box = (one) => one.getBoundingClientRect();
    const dock = box(document.querySelector("#dock")).top;
    const help = [...document.querySelectorAll(".option small, #about-lyrics")];
    return help.filter((one) => one.checkVisibility()).map((one) => {
        const input = one.parentElement.querySelector("input, textarea");
        const over = box(one).top - box(input).bottom;
        return { text: one.textContent, below: dock - box(one).bottom, over };
    });
}"""
"""Of each help that is shown: pixels from its lower edge to the dock, and from what it explains to it."""


@pytest.mark.parametrize("width, height", [(1280, 900), (1440, 900), (1366, 768), (1920, 1080)])
def test_help_is_seen_whole_without_scrolling(browser, url, width, height):
    page = ready(browser, url, width=width, height=height)
    found = page.evaluate(HELP)
    assert len(found) == 1 + sum("more" not in row for row in ROWS), "of the lyrics and of each option"
    # A line of another font may be a little higher.
    assert [one["text"] for one in found if one["below"] < 8] == []
    assert [one["text"] for one in found if one["over"] < -4.5] == []
    page.get_by_text("More", exact=True).click()
    assert len(page.evaluate(HELP)) == 1 + len(ROWS)


@pytest.mark.parametrize("width, height", [(1280, 600), (1024, 768), (375, 812)])
def test_in_a_small_window_the_end_of_the_page_comes_out_from_under_the_dock(browser, url, width, height):
    page = ready(browser, url, width=width, height=height)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    end = page.evaluate("document.querySelector('main').getBoundingClientRect().bottom")
    assert end <= page.evaluate("document.querySelector('#dock').getBoundingClientRect().top")
