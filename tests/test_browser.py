"""The browser fixture itself: it sees what goes wrong in a page."""

import wave

PAGE = """<!DOCTYPE html><html><head><meta name="viewport" content="width=device-width"></head>
<body style="margin:0">{body}</body></html>"""


def write(path, body):
    path.write_text(PAGE.format(body=body), encoding="utf-8")
    return path


def test_a_page_without_faults_passes(browser, tmp_path):
    page = browser.open(write(tmp_path / "a.html", "<h1>sing</h1>"), width=375, dark=True)
    assert page.inner_text("h1") == "sing"
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert browser.overflow(page) == 0 and browser.errors == []
    assert browser.screenshot(page, "shot").read_bytes().startswith(b"\x89PNG")


def test_console_errors_exceptions_and_network_are_seen(browser, tmp_path):
    script = "console.error('wrong'); setTimeout(() => { throw new Error('thrown'); }, 0);"
    body = f"<img src='http://example.invalid/a.png'><script>{script}</script>"
    page = browser.open(write(tmp_path / "a.html", body))
    page.wait_for_timeout(200)
    text = "\n".join(browser.errors)
    assert "wrong" in text and "thrown" in text and "example.invalid" in text
    for pattern in ("wrong", "thrown", "asks the network", "ERR_"):
        browser.allow(pattern)
    assert browser.errors == []


def test_a_wide_page_overflows(browser, tmp_path):
    body = "<div style='width:500px;height:10px'></div>"
    page = browser.open(write(tmp_path / "a.html", body), width=375)
    assert browser.overflow(page) == 125


def test_a_player_that_is_too_short_does_not_advance_far(browser, tmp_path):
    for name, samples in (("long", 8000), ("short", 400)):
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
            file.writeframes(b"\0\0" * samples)
    body = "<audio id='long' src='long.wav'></audio><audio id='short' src='short.wav'></audio>"
    page = browser.open(write(tmp_path / "a.html", body))
    assert browser.advances(page.locator("#long"))
    assert not browser.advances(page.locator("#short"))
