"""Phones of a note that are written by hand: on the page, in the sound, and in files."""

import json

import pytest
from studio_page import draw, empty, notes, result, said, sing, sung_again, url

from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.formats.writers import write_score
from nnsvs_lite.score.lyrics import split_hint, with_hint
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_of

__all__ = ["url"]


def score(lang: str, *lyrics: str):
    rows = [{"at": 1.0 + i, "beats": 1, "pitch": 60 + i, "lyric": lyric} for i, lyric in enumerate(lyrics)]
    head = {"lang": lang, "length": len(rows) + 2, "tempi": [[0, 120]], "bars": [[0, 1, 4, 0]]}
    return score_of(Song.from_json(head | {"keys": [[0, 0]], "notes": rows}))


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("text", ["か", ""])
def test_phones_behind_a_lyric_are_read_as_they_are_written(lang, text):
    lyric = with_hint(text, ["k", "a"], lang)
    assert split_hint(lyric, lang) == (text, ["k", "a"])
    assert with_hint(text, [], lang) == text


WRITTEN = {
    "ja": (("か[ky a]", "く", "[z e]", ""), ["ky", "a", "k", "u", "z", "e", "e"]),
    "zh": (("ma[zh/n a]", "hua"), ["n", "a", "h", "ua"]),
}


@pytest.mark.parametrize("suffix", [".ustx", ".svp", ".ust", ".musicxml", ".ds"])
@pytest.mark.parametrize("lang", WRITTEN)
def test_files_of_other_editors_hold_them(lang, suffix, tmp_path):
    lyrics, phones = WRITTEN[lang]
    path = tmp_path / f"a{suffix}"
    write_score(path, score(lang, *lyrics))
    back = read_score(path, lang=lang)
    assert [phone for note in back.notes for phone in note.phones if not note.is_rest] == phones
    if suffix == ".svp":
        rows = json.loads(path.read_bytes().rstrip(b"\0"))["tracks"][0]["mainGroup"]["notes"]
        first = {"ja": ("か", "ky a"), "zh": ("ma", "n a")}[lang]
        assert (rows[0]["lyrics"], rows[0]["phonemes"]) == first and rows[1]["phonemes"] == ""
    if suffix == ".ds":
        assert json.loads(path.read_text())[0]["text"].split()[1] == {"ja": "か", "zh": "ma"}[lang]


def test_midi_has_no_place_for_them_and_says_so(tmp_path, caplog):
    write_score(tmp_path / "a.mid", score("ja", "か", "く"))
    assert "no place" not in caplog.text
    write_score(tmp_path / "a.mid", score("ja", "か[ky a]", "く"))
    assert "MIDI has no place for phones behind lyrics: not written" in caplog.text


def test_phonemes_that_the_language_does_not_have_leave_the_lyric_alone(tmp_path, caplog):
    path = tmp_path / "a.svp"
    write_score(path, score("ja", "か", "く"))
    project = json.loads(path.read_bytes().rstrip(b"\0"))
    rows = project["tracks"][0]["mainGroup"]["notes"]
    rows[0]["phonemes"], rows[1]["phonemes"] = "hh ow", ["k"]
    path.write_text(json.dumps(project))
    sung = [note for note in read_score(path, lang="ja").notes if not note.is_rest]
    assert [note.phones for note in sung] == [("k", "a"), ("k", "u")]
    assert "hints that are not phones of Japanese are left out: 1" in caplog.text


@pytest.mark.parametrize(
    ("lang", "lyric", "phones", "sung"),
    [
        ("ja", "br", "br", ["br"]),
        ("ja", "息1", "br", ["br"]),
        ("ja", "R", "pau", ["pau"]),
        ("zh", "br", "br", ["br"]),
        ("zh", "R", "a r", None),
    ],
)
def test_rests_and_breaths_with_phonemes_stay_without_a_pitch(lang, lyric, phones, sung, tmp_path):
    path = tmp_path / "a.svp"
    write_score(path, score(lang, "a" if lang == "zh" else "か", "a" if lang == "zh" else "か"))
    project = json.loads(path.read_bytes().rstrip(b"\0"))
    project["tracks"][0]["mainGroup"]["notes"][1] |= {"lyrics": lyric, "phonemes": phones}
    path.write_text(json.dumps(project))
    note = read_score(path, lang=lang).notes[2]
    assert note.is_rest == (sung is not None)
    assert sung is None or list(note.phones) == sung


def test_phones_are_typed_checked_sung_and_taken_back(browser, url):
    page = empty(browser, url)
    for beat in (1, 2, 3):
        draw(page, beat, 1, 69)
    page.locator("#lyrics").fill("さ く ら")
    page.locator("#title").focus()
    sing(page)
    page.locator("#roll").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="Selected notes").click()
    field = page.get_by_label("By hand")
    assert field.input_value() == "" and field.get_attribute("placeholder") == "k u"
    field.fill("ky o")
    field.press("Enter")
    sung_again(page)
    assert [phone[0] for phone in result(page)["phones"]] == ["pau", "s", "a", "ky", "o", "r", "a", "pau"]
    assert [note["lyric"] for note in notes(page)] == ["さ", "く[ky o]", "ら"]
    assert field.input_value() == "ky o" and "く[ky o]" in page.locator(".sheet").text_content()
    field.scroll_into_view_if_needed()
    browser.screenshot(page, "studio-phones")
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    field.scroll_into_view_if_needed()
    assert browser.overflow(page) == 0
    browser.screenshot(page, "studio-phones-phone")
    page.set_viewport_size({"width": 1200, "height": 900})
    # What the voice does not have is refused in one line, and nothing is changed.
    field.fill("k x")
    field.press("Enter")
    said(page, "voice has no phone “x” in ja. It has: a i u e o N cl k ky")
    assert field.input_value() == "ky o" and notes(page)[1]["lyric"] == "く[ky o]"
    # In the running text, and back.
    page.get_by_role("tab", name="Lyrics").click()
    lyrics = page.locator("#lyrics")
    assert lyrics.input_value() == "さ く[ky o] ら"
    lyrics.fill("さ く[g a]ら")
    page.locator("#title").focus()
    assert [note["lyric"] for note in notes(page)] == ["さ", "く[g a]", "ら"]
    assert lyrics.input_value() == "さ く[g a] ら"
    lyrics.fill("さ [か さ] く [[z e]]")
    page.locator("#title").focus()
    assert [note["lyric"] for note in notes(page)] == ["さ", "か さ", "く"]
    page.get_by_role("button", name="Undo").click()
    page.locator("#title").focus()
    # What is typed on a note is told when it is sung.
    page.locator("#roll").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.keyboard.type("さ[x]")
    page.keyboard.press("Escape")
    lyrics.fill("さ[x] く[g a] ら")
    page.locator("#title").focus()
    said(page, "hints that are not phones of Japanese are left out: 1, the first at measure 1, beat 2")
    sung_again(page)
    assert [phone[0] for phone in result(page)["phones"]] == ["pau", "s", "a", "g", "a", "r", "a", "pau"]
    # Emptied, it is the lyric's again.
    page.locator("#roll").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="Selected notes").click()
    field.fill("")
    field.press("Enter")
    assert notes(page)[1]["lyric"] == "く"
    sung_again(page)
    assert field.get_attribute("placeholder") == "k u"
