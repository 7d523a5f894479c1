"""The studio's tools in a real browser: curves, phones, clipboard, playing, tracks, projects."""

import json
import re

import numpy as np
import pytest
import soundfile
from browser import holds
from killing import until
from studio_page import (
    at,
    drag,
    draw,
    empty,
    notes,
    places,
    ready,
    result,
    said,
    sing,
    song,
    sung_again,
    url,
    wave,
)

__all__ = ["url"]
CELLS = 48


def tune(browser, url, **window):
    """A page with three notes: beats 1, 2 and 3 to 5."""
    page = empty(browser, url, **window)
    for beat, beats, pitch in ((1, 1, 69), (2, 1, 71), (3, 2, 72)):
        draw(page, beat, beats, pitch)
    return page


def tool(page, name: str) -> None:
    page.get_by_role("radio", name=name).click()


def cells(page, curve: str) -> dict[int, float]:
    runs = song(page)["curves"].get(curve, [])
    return {first + i: value for first, values in runs for i, value in enumerate(values)}


def test_pitch_is_drawn_erased_and_smoothed(browser, url):
    page = tune(browser, url)
    tool(page, "Pitch")
    drag(page, at(page, 1.25, 70), at(page, 1.75, 73), steps=8)
    drawn = cells(page, "pitch")
    assert sorted(drawn) == list(range(60, 85)), "every cell from one end to the other, none beside"
    assert drawn[60] == pytest.approx(70, abs=0.1) and drawn[84] == pytest.approx(73, abs=0.1)
    assert drawn[72] == pytest.approx(71.5, abs=0.15), "a straight line"
    assert places(page) == [(1, 1, 69), (2, 1, 71), (3, 2, 72)]
    assert page.locator(".pen:not(.stroke)").get_attribute("d")
    tool(page, "Erase")
    drag(page, at(page, 1.5, 60), at(page, 1.9, 60))
    assert max(cells(page, "pitch")) == 71
    page.keyboard.press("Alt+2")
    drag(page, at(page, 2, 60), at(page, 2.5, 60))
    drag(page, at(page, 2.5, 72), at(page, 3, 72))
    before = cells(page, "pitch")
    page.keyboard.press("Alt+4")
    drag(page, at(page, 2.1, 65), at(page, 2.9, 65))
    after = cells(page, "pitch")
    step = max(abs(after[c + 1] - after[c]) for c in range(100, 140))
    assert abs(before[120] - before[119]) > 10 and step < 2.5
    assert min(after.values()) >= 59.9 and max(after.values()) <= 73.1
    # With its note it moves, and with its note it goes.
    page.keyboard.press("Alt+1")
    page.keyboard.press("Home")
    first = {c: v for c, v in after.items() if c < 96}
    page.keyboard.press("ArrowUp")
    assert {c: v for c, v in cells(page, "pitch").items() if c < 96} == pytest.approx(
        {c: v + 1 for c, v in first.items()}
    )
    page.keyboard.press("Delete")
    assert min(cells(page, "pitch")) >= 96
    for _ in range(20):
        page.keyboard.press("Control+z")
    assert cells(page, "pitch") == {}


def test_a_lane_is_drawn_by_mouse_and_set_by_keys(browser, url):
    page = tune(browser, url)
    page.locator("#lane").select_option("loudness")
    box = page.locator(".lane").bounding_box()
    left = at(page, 0, 60)[0]
    drag(page, (left + 52, box["y"] + 3), (left + 104, box["y"] + 3))
    drawn = cells(page, "loudness")
    assert min(drawn) == 48 and max(drawn) == 96 and set(drawn.values()) == {18.0}
    browser.screenshot(page, "studio-lane")
    # The right button takes away.
    page.evaluate("addEventListener('contextmenu', (e) => { window.menu = !e.defaultPrevented; })")
    drag(page, (left + 52, box["y"] + 3), (left + 104, box["y"] + 3), button="right")
    assert cells(page, "loudness") == {} and page.evaluate("window.menu") is False, "no menu comes up"
    page.locator("#roll").focus()
    page.keyboard.press("End")
    page.get_by_role("tab", name="Selected notes").click()
    field = page.get_by_label("Tension, dB")
    field.fill("-4")
    field.press("Enter")
    assert set(cells(page, "tension").values()) == {-4} and min(cells(page, "tension")) == 3 * CELLS
    assert field.input_value() == "-4"
    field.fill("-3.3")
    field.press("Enter")
    assert set(cells(page, "tension").values()) == {-3.3}
    field.fill("0")
    field.press("Enter")
    assert cells(page, "tension") == {}


def test_a_phone_is_dragged_and_typed(browser, url):
    page = tune(browser, url)
    page.locator("#lyrics").fill("さ く ら")
    page.locator("#title").focus()
    sing(page)
    own = result(page)["phones"]
    assert [p[0] for p in own] == ["pau", "s", "a", "k", "u", "r", "a", "pau"]
    ruler = page.locator(".ruler").bounding_box()
    x = at(page, 0, 60)[0] + own[4][1] * 100 / 60 * 52
    drag(page, (x, ruler["y"] + 32), (x + 8, ruler["y"] + 32))
    sung_again(page)
    moved = result(page)["phones"]
    assert moved[4][1] == pytest.approx(own[4][1] + 8 / 52 * 0.6, abs=0.012)
    assert [p[1] for i, p in enumerate(moved) if i != 4] == [p[1] for i, p in enumerate(own) if i != 4]
    # By the keyboard: from the note's beginning, in ms.
    page.locator("#roll").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="Selected notes").click()
    field = page.get_by_label("u at, ms")
    assert float(field.input_value()) == pytest.approx(1000 * (moved[4][1] - 1.2), abs=1)
    field.fill("150")
    field.press("Enter")
    sung_again(page)
    assert result(page)["phones"][4][1] == pytest.approx(1.35, abs=0.0026)
    page.get_by_role("button", name="As the voice times them").click()
    sung_again(page)
    assert result(page)["phones"] == own


def test_a_note_gets_a_vibrato_with_handles(browser, url):
    page = tune(browser, url)
    page.locator("#roll").focus()
    page.keyboard.press("End")
    page.get_by_role("tab", name="Selected notes").click()
    page.get_by_label("of its own").check()
    assert notes(page)[2]["vibrato"] == {"depth": 60, "rate": 5.8, "begin": 0.25}
    knob = page.locator(".vib-handle:not([hidden])").bounding_box()
    middle = (knob["x"] + 5, knob["y"] + 5)
    drag(page, middle, (middle[0] + 26, middle[1] + 9))
    assert notes(page)[2]["vibrato"] == {"depth": 110, "rate": 5.8, "begin": 0.5}
    assert page.get_by_label("Depth, cents").input_value() == "110"
    assert places(page)[2] == (3, 2, 72), "the note stays"
    browser.screenshot(page, "studio-vibrato")


def test_a_voice_without_chance_offers_no_takes_and_says_why(browser, url):
    page = tune(browser, url)
    page.locator("#roll").focus()
    page.keyboard.press("Home")
    page.get_by_role("tab", name="Selected notes").click()
    assert page.get_by_role("button", name="Another take").is_disabled()
    assert (
        "Cannot change the sound: all takes of this voice are alike."
        in page.locator("#panel-notes").inner_text()
    )
    seed = page.locator("[name=seed]")
    assert seed.is_disabled() and "no effect" in seed.locator("xpath=..").inner_text()


def test_notes_are_copied_cut_split_joined_and_quantised(browser, url):
    page = tune(browser, url)
    tool(page, "Pitch")
    drag(page, at(page, 1.25, 70), at(page, 1.75, 70))
    tool(page, "Notes")
    page.locator("#roll").focus()
    press = page.keyboard.press
    press("Home")
    page.keyboard.down("Shift")
    page.mouse.click(*at(page, 2.3, 71))
    page.keyboard.up("Shift")
    press("Control+c")
    # At the place that is heard, else after what is chosen.
    press("End")
    press("Control+v")
    assert places(page)[3:] == [(5, 1, 69), (6, 1, 71)]
    assert sorted({c for c in cells(page, "pitch") if c >= 240}) == list(range(240 + 12, 240 + 37))
    press("Control+x")
    assert len(places(page)) == 3 and max(cells(page, "pitch")) < 240
    press("End")
    press("Control+e")
    assert places(page)[2:] == [(3, 1, 72), (4, 1, 72)] and notes(page)[3]["lyric"] == ""
    press("Control+a")
    press("Control+j")
    assert places(page) == [(1, 4, 69)]
    press("Control+z")
    press("Control+z")
    assert places(page) == [(1, 1, 69), (2, 1, 71), (3, 2, 72)]
    page.keyboard.down("Alt")
    drag(page, at(page, 1.3, 69), at(page, 1.13, 69))
    page.keyboard.up("Alt")
    assert places(page)[0][0] == pytest.approx(0.83, abs=0.02)
    press("Control+a")
    press("Control+q")
    assert places(page)[0] == (1, 1, 69)
    # What was cut is still there for another tab.
    other = page.context.new_page()
    other.goto(url)
    other.wait_for_selector("body.ready")
    other.get_by_role("button", name="New").click()
    other.locator("#roll").focus()
    other.keyboard.press("Control+v")
    assert places(other) == [(0, 1, 69), (1, 1, 71)]


def test_the_wheel_zooms_both_ways_and_a_question_mark_shows_the_keys(browser, url):
    page = tune(browser, url)
    width = page.locator(".note .body").first.bounding_box()
    page.mouse.move(*at(page, 2, 70))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    wider = page.locator(".note .body").first.bounding_box()
    assert wider["width"] > 1.3 * width["width"] and wider["height"] == width["height"]
    page.keyboard.down("Shift")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Shift")
    page.keyboard.up("Control")
    holds(
        page,
        "h => document.querySelector('.note .body').getBoundingClientRect().height > h + 4",
        arg=width["height"],
    )
    page.locator("#roll").focus()
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible() and "Ctrl C" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


def test_tempo_and_time_signature_change_within_the_song(browser, url):
    page = empty(browser, url)
    draw(page, 1, 1, 69)
    draw(page, 9, 1, 69)
    page.locator("#from").select_option("here")
    page.mouse.click(*at(page, 9.5, 69))
    for name, value in (("Tempo", "120"), ("Time signature", "3/4")):
        page.get_by_label(name, exact=True).fill(value)
        page.get_by_label(name, exact=True).press("Enter")
    assert song(page)["tempi"] == [[0, 100], [8, 120]]
    assert song(page)["bars"] == [[0, 1, 4, 0], [8, 3, 3, 0, 4]]
    page.mouse.click(*at(page, 1.5, 69))
    assert page.get_by_label("Tempo", exact=True).input_value() == "100"
    page.get_by_label("Time signature", exact=True).fill("6/8")
    page.get_by_label("Time signature", exact=True).press("Enter")
    assert song(page)["bars"] == [[0, 1, 3, 0, 8], [8, 4, 3, 0, 4]], "bars are counted on"
    page.get_by_label("Time signature", exact=True).fill("6/7")
    page.get_by_label("Time signature", exact=True).press("Enter")
    assert page.get_by_label("Time signature", exact=True).input_value() == "6/8"
    page.locator("#from").select_option("all")
    page.get_by_label("Time signature", exact=True).fill("2/4")
    page.get_by_label("Time signature", exact=True).press("Enter")
    page.get_by_label("Tempo", exact=True).fill("50")
    page.get_by_label("Tempo", exact=True).press("Enter")
    assert song(page)["bars"] == [[0, 1, 2, 0, 4]] and song(page)["tempi"] == [[0, 50], [8, 60]]
    # Silence, note, silence: 9 beats, of which the first 8 are slow, then the note and a beat behind it.
    sing(page)
    assert page.locator("#audio").evaluate("a => a.duration") == pytest.approx(8 * 1.2 + 3 * 1.0, abs=0.02)


def test_it_plays_from_the_ruler_in_a_loop_with_metronome_and_accompaniment(browser, url, tmp_path):
    page = tune(browser, url)
    sing(page)
    audio = page.locator("#audio")
    time = "a => a.currentTime"
    # What was sung plays as soon as it is there.
    until(lambda: not audio.evaluate("a => a.paused"))
    audio.evaluate("a => a.pause()")
    ruler = page.locator(".ruler").bounding_box()
    x0, y = at(page, 0, 60)[0], page.locator(".ruler").bounding_box()["y"] + 8
    page.mouse.click(x0 + 3 * 52, y)
    assert audio.evaluate(time) == pytest.approx(1.8, abs=0.02)
    # A loop of one beat: it never gets further.
    drag(page, (x0 + 52, y), (x0 + 2 * 52, y))
    assert page.locator("#loop").is_checked() and ruler["height"] == 40
    page.locator("#metronome").check()
    tone = np.sin(np.arange(8000 * 4) * 0.2) * 0.1
    soundfile.write(tmp_path / "band.wav", tone, 8000)
    page.locator("#backing-file").set_input_files(tmp_path / "band.wav")
    page.locator("#backing-name").filter(has_text="band.wav").wait_for()
    page.locator("#backing-offset").fill("0.3")
    page.locator("#backing-offset").press("Enter")
    backing = song(page)["backing"]
    assert len(backing.pop("id")) == 16
    assert backing == {"name": "band.wav", "offset": 0.3, "volume": 0.7}
    page.locator("#roll").focus()
    seen = []
    page.keyboard.press("Space")
    for _ in range(15):
        page.wait_for_timeout(100)
        seen.append(audio.evaluate(time))
    page.keyboard.press("Space")
    assert max(seen) < 1.35 and min(seen[3:]) > 0.5, seen
    assert sum(b < a for a, b in zip(seen, seen[1:])) >= 1, "it came round"
    assert int(page.locator("#metronome").get_attribute("data-clicks")) >= 2
    # A note that is touched is heard, while nothing plays.
    page.mouse.click(*at(page, 3.3, 72))
    assert page.locator("#note-sound").get_attribute("data-pitch") == "72"
    browser.screenshot(page, "studio-playing")


def test_a_change_is_heard_where_it_was(browser, url):
    page = tune(browser, url)
    draw(page, 20, 1, 72)
    sing(page)
    audio = page.locator("#audio")
    audio.evaluate("a => { a.currentTime = 1.5; return a.play(); }")
    before = audio.get_attribute("src")
    page.locator("#roll").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    sung_again(page)
    moved = "(a, before) => a.getAttribute('src') !== before && a.currentTime > 1.4"
    until(lambda: audio.evaluate(moved, before))
    assert not page.locator("#message.error").is_visible()


def test_tracks_are_sung_together_and_apart(browser, url, tmp_path):
    page = tune(browser, url)
    sing(page)
    alone = wave(page)
    page.get_by_role("tab", name="Tracks").click()
    page.get_by_role("button", name="+ Track").click()
    assert notes(page) == [] and page.locator(".ghosts").get_attribute("d").count("M") == 3
    draw(page, 3, 2, 64)
    sung_again(page)
    both = wave(page)
    assert len(both) == len(alone) and not np.array_equal(both, alone)
    page.get_by_label("Edit Track 1").check()
    assert places(page) == [(1, 1, 69), (2, 1, 71), (3, 2, 72)]
    sung_again(page)
    assert np.array_equal(wave(page), both)
    page.get_by_role("listitem").nth(1).get_by_label("heard").uncheck()
    sung_again(page)
    assert np.array_equal(wave(page), alone)
    # Solo is heard alone; to one side, and half-way there.
    second = page.get_by_role("listitem").nth(1)
    second.get_by_label("heard").check()
    second.get_by_label("solo").check()
    sung_again(page)
    two = wave(page)
    assert two.any() and not np.array_equal(two, both) and not np.array_equal(two, alone)
    second.get_by_label("solo").uncheck()
    page.get_by_role("listitem").nth(0).get_by_label("solo").check()
    sung_again(page)
    assert np.array_equal(wave(page), alone)
    pan = page.get_by_label("Pan of Track 1")
    pan.focus()
    pan.press("Home")
    sung_again(page)
    assert np.array_equal(wave(page)[:, 0], alone) and not wave(page)[:, 1].any()
    pan.evaluate("p => { p.value = 50; p.dispatchEvent(new Event('change')); }")
    sung_again(page)
    sides = wave(page)
    assert np.array_equal(sides[:, 1], alone) and np.abs(sides[:, 0] - alone / 2).max() <= 1
    browser.screenshot(page, "studio-tracks")
    page.set_viewport_size({"width": 390, "height": 844})
    assert browser.overflow(page) == 0
    browser.screenshot(page, "studio-tracks-phone")
    pan.evaluate("p => { p.value = 0; p.dispatchEvent(new Event('change')); }")
    page.get_by_role("listitem").nth(0).get_by_label("solo").uncheck()
    second.get_by_label("heard").uncheck()
    sung_again(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save Track 1 alone").click()
    assert np.array_equal(soundfile.read(saved.value.path(), dtype="int16")[0], alone)
    page.get_by_role("button", name="Remove Track 2").click()
    assert page.get_by_role("listitem").count() == 1 and len(places(page)) == 3


def test_a_project_holds_everything_and_a_damaged_one_is_refused(browser, url, tmp_path):
    page = tune(browser, url)
    tool(page, "Pitch")
    drag(page, at(page, 1.25, 70), at(page, 1.75, 73))
    tool(page, "Notes")
    page.locator("#roll").focus()
    page.keyboard.press("End")
    page.get_by_role("tab", name="Selected notes").click()
    page.get_by_label("of its own").check()
    page.locator("[name=gender]").fill("0.9")
    page.get_by_role("tab", name="Tracks").click()
    page.get_by_role("button", name="+ Track").click()
    draw(page, 3, 2, 64)
    page.locator("#title").fill("花見")
    page.locator("#title").press("Enter")
    mine = song(page)
    with page.expect_download() as saved:
        page.keyboard.press("Control+s")
    assert saved.value.suggested_filename == "花見.studio.json"
    path = tmp_path / "a.studio.json"
    saved.value.save_as(path)
    other = ready(browser, url)
    other.locator("#file").set_input_files(path)
    said(other, "1 notes")

    def plain(value):
        return json.loads(re.sub(r'"id": \d+(, )?', "", json.dumps(value)))

    assert plain(song(other)) == plain(mine)
    browser.allow("status of 422")
    project = json.loads(path.read_text())
    for change, text in (
        (lambda p: p["song"]["notes"][0].update(pitch=999), "pitch"),
        (lambda p: p["song"].update(notes=3), "damaged"),
        (lambda p: p.update(version=2), "newer"),
        (lambda p: p.update(format="x"), "not a project"),
    ):
        bad = json.loads(json.dumps(project))
        change(bad)
        (tmp_path / "bad.json").write_text(json.dumps(bad))
        other.locator("#file").set_input_files(tmp_path / "bad.json")
        said(other, text)
        assert plain(song(other)) == plain(mine)


def test_a_copied_tab_gets_a_song_of_its_own(browser, url):
    page = tune(browser, url)
    copy = page.context.new_page()
    copy.goto(url)
    copy.wait_for_selector("body.ready")
    # As browsers do when a tab is duplicated: what the first one keeps for itself is in both.
    store = page.evaluate("JSON.stringify(sessionStorage)")
    copy.evaluate(
        "text => { for (const [k, v] of Object.entries(JSON.parse(text))) sessionStorage.setItem(k, v); }",
        store,
    )
    copy.reload()
    copy.wait_for_selector("body.ready")
    assert places(copy) == places(page)
    draw(copy, 6, 1, 68)
    draw(page, 7, 1, 68)
    for one, beat in ((page, 7), (copy, 6)):
        one.reload()
        one.wait_for_selector("body.ready")
        assert [row[0] for row in places(one)] == [1, 2, 3, beat]


def test_where_there_is_no_room_nothing_is_thrown_away(browser, url):
    page = tune(browser, url)
    before = page.evaluate("Object.keys(localStorage).length")
    page.evaluate(
        """() => {
            let size = 1 << 22;
            for (let n = 0; size > 64; n += 1) {
                try { localStorage.setItem(`full ${n}`, "x".repeat(size)); } catch { size >>= 1; }
            }
        }"""
    )
    for beat in (6, 7, 8):
        draw(page, beat, 1, 60)
    said(page, "no room to keep this song")
    assert page.evaluate("Object.keys(localStorage).filter((k) => !k.startsWith('full')).length") == before


@pytest.mark.parametrize("suffix", [".ustx", ".svp", ".mid", ".ds", ".lab"])
def test_it_saves_for_other_editors(browser, url, tmp_path, suffix):
    from nnsvs_lite.score.formats.readers import read_score

    page = tune(browser, url)
    page.locator("#lyrics").fill("さ く ら")
    page.locator("#title").focus()
    tool(page, "Pitch")
    drag(page, at(page, 3.25, 70), at(page, 4.5, 73))
    if suffix == ".lab":
        sing(page)
    with page.expect_download() as saved:
        page.locator("#export").select_option(suffix)
    path = tmp_path / f"song{suffix}"
    saved.value.save_as(path)
    if suffix == ".lab":
        rows = [line.split() for line in path.read_text().splitlines()]
        assert [row[2] for row in rows] == ["pau", "s", "a", "k", "u", "r", "a", "pau"]
        assert all(a[1] == b[0] for a, b in zip(rows, rows[1:])) and rows[0][0] == "0"
        return
    score = read_score(path, lang="ja")
    assert [(n.pitch, round(n.duration, 4)) for n in score.notes if n.pitch] == [
        (69, 0.6),
        (71, 0.6),
        (72, 1.2),
    ]
    text = path.read_bytes()
    drawn_in = {".mid": b"MThd", ".ds": b"f0_seq", ".ustx": b"pitd"}
    drawn_in[".svp"] = rb'"pitchDelta":\s*{[^}]*"points":\s*\[\s*\d'
    assert re.search(drawn_in[suffix], text)
