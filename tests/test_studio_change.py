"""The page where one song takes the place of another, and where something is typed meanwhile."""

import json

import numpy as np
import pytest
import soundfile
from browser import holds
from studio_page import at, drag, draw, empty, notes, places, said, sing, song, sung_again, url

__all__ = ["url"]


def kept(page) -> list[list[float]]:
    """Where notes of the songs begin that the browser keeps."""
    texts = page.evaluate(
        "Object.entries(localStorage).filter(([k]) => /^nnsvs-lite studio \\d/.test(k)).map(([, v]) => v)"
    )
    return [[note["at"] for note in json.loads(text)["song"]["notes"]] for text in texts]


def pitch_cells(page) -> list[int]:
    return [run[0] + i for run in song(page)["curves"].get("pitch", []) for i in range(len(run[1]))]


def bend(page, beat: float, end: float) -> None:
    """Draws the pitch from one beat to another."""
    page.get_by_role("radio", name="Pitch").click()
    drag(page, at(page, beat, 70), at(page, end, 70))
    page.get_by_role("radio", name="Notes").click()
    page.locator("#roll").focus()


def test_undo_into_another_song_overwrites_none(browser, url):
    page = empty(browser, url)
    draw(page, 1, 1, 60)
    page.get_by_role("button", name="New").click()
    draw(page, 2, 1, 62)
    draw(page, 5, 1, 62)
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    assert [note["at"] for note in notes(page)] == [1] and "load" not in song(page)
    draw(page, 7, 1, 64)
    # Each under its own name, however often one leads to the other: the second as it was when it was left.
    mine = [[1, 7], [2]]
    assert sorted(row for row in kept(page) if row in ([1], [1, 7], [2], [2, 5])) == mine
    for _ in range(3):
        page.get_by_role("button", name="New").click()
        page.get_by_role("button", name="Undo").click()
    assert places(page) == [(1, 1, 60), (7, 1, 64)]
    draw(page, 9, 1, 64)
    holds(page, "Object.values(localStorage).some((row) => row.includes('\"at\":9'))")
    assert sorted(row for row in kept(page) if 1 in row or 2 in row) == [[1, 7, 9], [2]]


def test_undo_into_a_song_that_another_tab_has_changed_overwrites_none(browser, url):
    page = empty(browser, url)
    draw(page, 1, 1, 60)
    page.get_by_role("button", name="New").click()
    draw(page, 2, 1, 62)
    other = page.context.new_page()
    other.goto(url)
    other.wait_for_selector("body.ready")
    other.locator("#examples").focus()
    theirs = other.evaluate(
        "Object.keys(localStorage).find((key) => localStorage[key].includes('\"at\":1,'))"
    )
    other.locator("#examples").select_option(f"kept {theirs.split()[-1]}")
    holds(other, "sessionStorage.getItem('nnsvs-lite studio song').includes('\"at\":1,')")
    draw(other, 5, 1, 60)
    assert [1, 5] in kept(other)
    other.get_by_role("button", name="New").click()
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    assert [note["at"] for note in notes(page)] == [1]
    draw(page, 7, 1, 64)
    holds(page, "Object.values(localStorage).some((row) => row.includes('\"at\":7'))")
    assert [1, 5] in kept(page) and [1, 7] in kept(page)


def test_a_song_that_came_meanwhile_is_not_taken_for_the_sung_one(browser, url):
    page = empty(browser, url)
    draw(page, 1, 1, 69)
    held = []
    page.route("**/api/jobs/*/result", lambda route: held.append(route))
    page.get_by_role("button", name="Sing").click()
    for _ in range(600):
        page.wait_for_timeout(50)
        if held:
            break
    page.get_by_role("button", name="New").click()
    draw(page, 3, 1, 69)
    held[0].continue_()
    page.wait_for_selector("#working", state="hidden")
    assert page.locator("#audio").get_attribute("src") is None and page.locator("#audio").is_hidden()
    page.unroute("**/api/jobs/*/result")
    sing(page)


def test_what_is_being_typed_outlives_a_singing_in_the_background(browser, url):
    page = empty(browser, url)
    draw(page, 1, 1, 69)
    sing(page)
    page.locator("#roll").focus()
    page.keyboard.press("Home")

    def typed(field, text: str) -> None:
        page.evaluate("document.querySelector('#roll').focus()")
        page.keyboard.press("ArrowUp")
        field.focus()
        field.press("Control+a")
        field.press_sequentially(text)
        sung_again(page)
        assert field.input_value() == text and field.evaluate("f => f === document.activeElement")

    title = page.locator("#title")
    typed(title, "花")
    title.press("Enter")
    assert song(page)["title"] == "花"
    page.get_by_role("tab", name="Selected notes").click()
    typed(page.get_by_label("Loudness, dB"), "-1")
    assert not song(page)["curves"].get("loudness"), "not before it is said"
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    assert {v for run in song(page)["curves"]["loudness"] for v in run[1]} == {-12}
    page.get_by_role("tab", name="Tracks").click()
    typed(page.get_by_label("Name of track 1"), "lead")
    page.keyboard.press("Enter")
    assert song(page)["name"] == "lead"
    assert page.get_by_label("Name of track 1").evaluate("f => f === document.activeElement")


def test_a_drawn_pitch_moves_with_its_note_however_it_is_moved(browser, url):
    page = empty(browser, url)
    draw(page, 1, 1, 69)
    draw(page, 2, 1, 69)
    bend(page, 2, 2.5)
    assert pitch_cells(page) == list(range(96, 121))
    page.keyboard.press("Home")
    # It goes, and the next note's first moment stays.
    page.keyboard.press("Delete")
    assert pitch_cells(page) == list(range(96, 121))
    page.keyboard.press("Control+z")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+Enter")
    assert places(page) == [(1, 1, 69), (2, 1, 69), (3, 1, 69)]
    assert pitch_cells(page) == list(range(144, 169))
    # All a little late, the later first: no note's curve ends in another's.
    bend(page, 2.25, 2.75)
    before = pitch_cells(page)
    page.keyboard.press("Control+a")
    page.keyboard.down("Alt")
    drag(page, at(page, 1.3, 69), at(page, 1.4, 69))
    page.keyboard.up("Alt")
    assert min(pitch_cells(page)) > min(before)
    page.keyboard.press("Control+q")
    assert [place[0] for place in places(page)] == [1, 2, 3] and pitch_cells(page) == before


def test_a_split_breath_stays_at_the_end_and_a_pick_up_as_long_as_it_is(browser, url, tmp_path):
    page = empty(browser, url)
    draw(page, 1, 2, 69)
    project = tmp_path / "a.studio.json"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Project").click()
    value = json.loads(saved.value.path().read_text())
    value["song"]["bars"] = [[0, 0, 4, 3]]
    value["song"]["notes"][0]["breath"] = True
    project.write_text(json.dumps(value))
    page.locator("#file").set_input_files(project)
    said(page, "1 notes")
    page.locator("#roll").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Control+e")
    assert ["breath" in note for note in notes(page)] == [False, True]
    metre = page.get_by_label("Time signature", exact=True)
    for text, row in (("3/4", [0, 0, 3, 2, 4]), ("4/4", [0, 0, 4, 3, 4]), ("6/8", [0, 0, 3, 2, 8])):
        metre.fill(text)
        metre.press("Enter")
        assert song(page)["bars"] == [row]


def band(page, what: str, text: str) -> None:
    """Waits for what is told of the accompaniment: its file, or how long the one is that plays."""
    holds(page, "([what, text]) => document.getElementById('backing-name')[what] === text", arg=[what, text])


def test_an_accompaniment_is_of_its_song_alone(browser, url, tmp_path):
    page = empty(browser, url)
    draw(page, 1, 1, 69)
    soundfile.write(tmp_path / "band.wav", np.zeros(8000), 8000)
    page.locator("#backing-file").set_input_files(tmp_path / "band.wav")
    band(page, "textContent", "band.wav")
    band(page, "title", "1.0 s")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Project").click()
    value = json.loads(saved.value.path().read_text())
    value["song"]["backing"] = {"name": "band.wav", "offset": 0, "volume": 7, "id": "0123"}
    (tmp_path / "b.json").write_text(json.dumps(value))
    page.locator("#file").set_input_files(tmp_path / "b.json")
    said(page, "1 notes")
    band(page, "textContent", "band.wav (choose the file again)")
    assert page.locator("#backing-volume").input_value() == "1"
    # Another file of the same name: each song plays its own.
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "band.wav", np.zeros(16000), 8000)
    page.locator("#backing-file").set_input_files(tmp_path / "other" / "band.wav")
    band(page, "textContent", "band.wav")
    band(page, "title", "2.0 s")
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    band(page, "textContent", "band.wav")
    band(page, "title", "1.0 s")


@pytest.mark.parametrize("track", ["edited", "other"])
def test_a_project_is_looked_at_where_a_track_has_no_notes(browser, url, tmp_path, track):
    page = empty(browser, url)
    page.get_by_role("tab", name="Tracks").click()
    page.get_by_role("button", name="+ Track").click()
    draw(page, 1, 1, 69)
    if track == "edited":
        page.get_by_label("Edit Track 1").check()
        assert notes(page) == [] and [] in kept(page), "kept for the other track's notes"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Project").click()
    value = json.loads(saved.value.path().read_text())
    (tmp_path / "good.json").write_text(json.dumps(value))
    page.get_by_role("button", name="New").click()
    page.locator("#file").set_input_files(tmp_path / "good.json")
    said(page, "notes.")
    assert len(song(page)["others"]) == 1
    empty_one = value["song"] if track == "edited" else value["song"]["others"][0]
    assert empty_one["notes"] == []
    empty_one["curves"] = {"loudness": [[0, [99]]]}
    (tmp_path / "bad.json").write_text(json.dumps(value))
    browser.allow("status of 422")
    page.locator("#file").set_input_files(tmp_path / "bad.json")
    said(page, "loudness")
