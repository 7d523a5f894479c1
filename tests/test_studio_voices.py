"""Voices chosen within the studio: found, loaded when needed, one for each track, kept by projects."""

import importlib.util
import io
import json
import logging
import shutil
import threading

import numpy as np
import pytest
import soundfile
from browser import holds
from models_common import ROOT
from scipy.signal import resample_poly
from scorexml import song as xml_song
from studio_common import OWN, finished, song, studio
from studio_page import draw, empty, notes, result, said, served, sing, sung_again, wave
from studio_page import song as page_song
from toy import make_dump

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.pack import assemble, pack
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_of
from nnsvs_lite.studio.voices import FoundVoice, KnownVoices, find_voices, read_voice
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.training.run import train

if not any(importlib.util.find_spec(name) for name in ("httpx2", "httpx")):
    pytest.skip("needs httpx2: pip install nnsvs_lite[dev]", allow_module_level=True)


@pytest.fixture(scope="module")
def mandarin(tmp_path_factory):
    """A voice of another language and sampling rate than the toy voice."""
    folder = tmp_path_factory.mktemp("zh")
    languages = (("zh", ["ma", "shan", "hua"]),)
    dump = make_dump(folder / "dump", {"train": 4, "dev": 2}, languages=languages, sample_rate=26000)
    for family, name in (("timelag", "rule"), ("duration", "rule"), ("acoustic", "rule")):
        train(ROOT / "conf" / family / f"{name}.yaml", dump, "train", "dev", folder / family)
    voice = (folder / "acoustic").rename(folder / "meihua")
    assemble(voice, **{family: folder / family / "model.pt" for family in ("timelag", "duration")})
    return voice


@pytest.fixture(scope="module")
def packed(toy_voice, tmp_path_factory):
    """The toy voice as one file."""
    folder = tmp_path_factory.mktemp("packs")
    (folder / "terms.txt").write_text("Anything.\n")
    pack(toy_voice, folder / "toy.nnsvs", folder / "terms.txt", "toy")
    return folder / "toy.nnsvs"


@pytest.fixture(scope="module")
def parts(toy_voice, mandarin, tmp_path_factory):
    with studio(toy_voice, tmp_path_factory.mktemp("studio"), mandarin) as found:
        yield found


@pytest.fixture(scope="module")
def client(parts):
    from starlette.testclient import TestClient

    with TestClient(parts.app(), base_url="http://127.0.0.1", headers=OWN) as found:
        yield found


@pytest.fixture(scope="module")
def url(parts):
    with served(parts) as address:
        yield address


# --- found


def test_a_voice_is_known_by_its_weights(toy_voice, packed, tmp_path):
    folder, file = read_voice(toy_voice), read_voice(packed)
    assert (folder.id, folder.size) == (file.id, file.size)
    assert (folder.name, folder.langs) == ("voice", None)
    assert (file.name, file.langs, file.singers) == ("toy", ["ja"], ["toy"])
    other = shutil.copytree(toy_voice, tmp_path / "voice")
    (other / "timelag.pt").write_bytes((other / "duration.pt").read_bytes())
    assert read_voice(other).id != folder.id


def test_voices_come_in_order_once_and_by_different_names(toy_voice, mandarin, packed, tmp_path, caplog):
    shutil.copy(packed, tmp_path / "b.nnsvs")
    shutil.copy(BOXED_VOICE, tmp_path / "a.nnsvs")
    (tmp_path / "c.nnsvs").write_bytes(packed.read_bytes()[:5000])
    (tmp_path / "notes.txt").write_text("none")
    other = shutil.copytree(toy_voice, tmp_path / "voice")
    (other / "timelag.pt").write_bytes((other / "duration.pt").read_bytes())
    with caplog.at_level(logging.WARNING):
        found = find_voices([toy_voice, other, mandarin], [tmp_path])
    assert [voice.name for voice in found] == ["voice", "voice (2)", "meihua", "a"]
    assert "c.nnsvs" in caplog.text and "damaged or cut short" in caplog.text
    assert [voice.name for voice in find_voices([])] == ["demo"]
    for wrong in (tmp_path / "c.nnsvs", tmp_path / "nowhere"):
        with pytest.raises(DataError):
            find_voices([wrong])
    with pytest.raises(DataError, match="no such folder"):
        find_voices([], [tmp_path / "nowhere"])


def test_what_is_known_is_told_while_another_voice_is_loaded():
    begun, go_on = threading.Event(), threading.Event()

    class Loading:
        def call(self, task, seconds):
            if task["describe"] == "b":
                begun.set()
                go_on.wait(60)
            return {"name": task["describe"]}

    known = KnownVoices([FoundVoice(name, name, name, 1) for name in "ab"], Loading())
    known.told("a")
    loading = threading.Thread(target=known.told, args=["b"])
    loading.start()
    assert begun.wait(60)
    asking = threading.Thread(target=known.told, args=["a"])
    asking.start()
    asking.join(20)
    waits = asking.is_alive()
    go_on.set()
    loading.join()
    assert not waits and known.told("b") == {"name": "b"}


# --- sung


QUIET = -50
"""dB: the toys are too loud for a file."""


def wav(client, **body):
    body["gain"] = QUIET
    job = finished(client, client.post("/api/jobs", json=body).json())
    assert job["state"] == "done", job
    samples, rate = soundfile.read(io.BytesIO(client.get(f"/api/jobs/{job['id']}/audio").content))
    assert rate == job["sample_rate"] and job["gain"] == 1
    return samples, rate


def test_each_track_is_sung_by_its_own_voice(client, toy_voice, mandarin, tmp_path):
    rows = client.get("/api/voices").json()
    assert [row["name"] for row in rows] == ["voice", "meihua", "demo"]
    assert rows[2]["langs"] == ["ja"] and rows[2]["singers"] == ["f001"]
    ja, zh, _ = (row["id"] for row in rows)
    mine, theirs = song(), song([(67, "ma", 2.0), (69, "hua", 2.0)], lang="zh")
    assert client.get("/api/voice", params={"voice": zh}).json()["langs"] == ["zh"]
    assert client.get("/api/voice").json()["id"] == ja
    first, rate = wav(client, song=mine)
    assert rate == 24000
    second, rate = wav(client, song=theirs, voice=zh)
    assert rate == 26000
    # As the command sings it, to a step of 16 bits.
    alone = Singer.load(mandarin)
    wave = 10 ** (QUIET / 20) * alone.sing(score_of(Song.from_json(theirs))).waveform
    assert np.abs(wave).max() > 0.1 and np.abs(wave - second).max() < 2**-15
    # Together, at the higher rate.
    both, rate = wav(client, song=mine, others=[{"song": theirs, "voice": zh, "gain": QUIET}])
    assert rate == 26000
    told = np.zeros(len(both))
    for one in (resample_poly(first, 13, 12), second):
        told[: len(one)] += one
    assert np.abs(told - both).max() < 2**-13
    refused = client.post("/api/jobs", json={"song": mine, "voice": "0123"})
    assert refused.status_code == 422 and "no voice '0123' here" in refused.json()["error"]
    # A voice does not take what another kept of the same notes.
    demo, _ = wav(client, song=mine, voice=rows[2]["id"])
    assert not np.array_equal(demo[: len(first)], first)
    job = client.post("/api/jobs", json={"song": theirs, "voice": ja}).json()
    assert "the score is in 'zh', the voice sings 'ja'" in finished(client, job)["error"]


def test_voices_are_loaded_when_needed_and_few_are_kept(toy_voice, mandarin, tmp_path, monkeypatch):
    from nnsvs_lite.studio import worker

    mine = shutil.copytree(mandarin, tmp_path / "mine")
    found = find_voices([toy_voice, mine])[:2]
    ready, work = worker.singer({"voices": [list(voice) for voice in found], "device": "cpu"})
    assert ready == {}
    loaded, load = [], Singer.load
    monkeypatch.setattr(
        Singer, "load", staticmethod(lambda path, *a, **k: (loaded.append(path), load(path, *a, **k))[1])
    )
    monkeypatch.setattr(worker, "LOADED", max(voice.size for voice in found))
    _, work = worker.singer({"voices": [list(voice) for voice in found], "device": "cpu"})

    def sung(number: int, value: dict) -> bytes:
        track = {
            "song": value,
            "voice": found[number].id,
            "options": {},
            "drawn": {},
            "gain": 0,
            "pan": 0,
            "heard": True,
        }
        work({"tracks": [track], "wav": str(tmp_path / "a.wav")}, lambda said: None)
        return (tmp_path / "a.wav").read_bytes()

    ja, zh = song(), song([(67, "ma", 2.0)], lang="zh")
    before = sung(0, ja)
    assert loaded == [found[0].path], "the others are not"
    assert sung(0, ja) == before and len(loaded) == 1
    sung(1, zh)
    assert sung(0, ja) == before
    assert loaded == [found[0].path, found[1].path, found[0].path], "one had to go for the other"
    (mine / "timelag.pt").write_bytes((mine / "duration.pt").read_bytes())
    with pytest.raises(DataError, match="has changed since the studio started"):
        sung(1, zh)


# --- the page


def voice_of(page) -> str:
    return page.get_by_label("Voice of the track that is edited").evaluate("s => s.selectedOptions[0].text")


def has_voice(page, name: str) -> None:
    """Waits for a voice to be chosen; the message that tells of it goes when the song is sung anew."""
    chosen = "JSON.parse(sessionStorage.getItem('nnsvs-lite studio song')).voice.name"
    holds(page, f"name => {chosen} === name", arg=name)


def test_a_track_gets_a_voice_by_keyboard_and_a_project_keeps_it(browser, url, tmp_path, mandarin):
    page = empty(browser, url)
    draw(page, 1, 2, 69)
    page.locator("#lyrics").fill("さ")
    page.locator("#title").focus()
    sing(page)
    first = wave(page)
    assert voice_of(page) == "voice · ja"
    page.get_by_role("tab", name="Tracks").click()
    page.get_by_role("button", name="+ Track").click()
    draw(page, 3, 2, 64)
    # By the keyboard: the choice is typed in the header.
    page.get_by_label("Voice of the track that is edited").focus()
    page.keyboard.type("mei")
    page.keyboard.press("Enter")
    said(page, "meihua sings Track 2")
    assert voice_of(page) == "meihua · zh" and page_song(page)["lang"] == "zh"
    assert page.get_by_label("Voice of Track 2").evaluate("s => s.selectedOptions[0].text") == "meihua · zh"
    page.locator("#about-voice", has_text="26 kHz").wait_for()
    page.locator("#tab-lyrics").click()
    page.locator("#lyrics").fill("hua")
    page.locator("#title").focus()
    sung_again(page)
    assert [phone[0] for phone in result(page)["phones"]] == ["pau", "h", "ua", "pau"]
    both = wave(page)
    assert len(both) > len(first)
    assert not np.array_equal(both[: len(first)], first[: len(both)])
    page.locator("#tab-tracks").click()
    page.get_by_label("Edit Track 1").check()
    assert voice_of(page) == "voice · ja" and page_song(page)["lang"] == "ja"
    assert [note["lyric"] for note in notes(page)] == ["さ"]
    browser.screenshot(page, "studio-voices")
    with page.expect_download() as saved:
        page.keyboard.press("Control+s")
    project = json.loads(saved.value.path().read_text())
    assert project["voice"] == "voice" and project["song"]["voice"]["name"] == "voice"
    assert project["song"]["others"][0]["voice"] == {"id": read_voice(mandarin).id, "name": "meihua"}
    # Elsewhere neither is there: the nearest sing, in one line, and nothing is lost.
    project["song"]["voice"] = {"id": "0" * 16, "name": "gone"}
    project["song"]["others"][0]["voice"] = {"id": "1" * 16, "name": "meihua"}
    path = tmp_path / "a.studio.json"
    path.write_text(json.dumps(project))
    other = browser.open(url, width=390, height=844, dark=True)
    other.wait_for_selector("body.ready")
    other.locator("#file").set_input_files(path)
    said(other, "The voice gone is not here; voice sings in its place. ")
    said(other, "The voice meihua is not as it was when the song was made.")
    assert voice_of(other) == "gone: not here, voice sings"
    browser.screenshot(other, "studio-voices-phone")
    sing(other)
    assert np.array_equal(wave(other), both)
    with other.expect_download() as saved:
        other.keyboard.press("Control+s")
    again = json.loads(saved.value.path().read_text())
    assert again["song"]["voice"]["name"] == "gone"
    assert again["song"]["others"][0]["voice"] == {"id": "1" * 16, "name": "meihua"}
    # Chosen anew, and taken back.
    other.get_by_label("Voice of the track that is edited").select_option("demo · ja")
    has_voice(other, "demo")
    sung_again(other)
    assert not np.array_equal(wave(other)[: len(both)], both[: len(wave(other))])
    other.get_by_role("button", name="Undo").click()
    assert voice_of(other) == "gone: not here, voice sings"
    sung_again(other)
    assert np.array_equal(wave(other), both)


def test_tracks_of_old_projects_have_its_voice_and_files_open_beside_any_language(browser, url, tmp_path):
    page = empty(browser, url)
    path, score = tmp_path / "a.studio.json", tmp_path / "a.musicxml"
    others = [{"notes": song()["notes"], "curves": {}, "options": {}}]
    project = {"format": "nnsvs_lite studio project", "version": 1, "voice": "demo"}
    path.write_text(json.dumps(project | {"song": song(others=others, track=0)}))
    page.locator("#file").set_input_files(path)
    said(page, "a.studio.json: 3 notes")
    assert [row["voice"]["name"] for row in (page_song(page), *page_song(page)["others"])] == ["demo"] * 2
    # No voice here sings English.
    path.write_text(json.dumps(project | {"song": song([(60, "la", 1.0)], lang="en")}))
    page.locator("#file").set_input_files(path)
    said(page, "a.studio.json: 1 notes")
    assert page_song(page)["lang"] == "en"
    score.write_text(xml_song("C4 2 か, D4 2 さ"))
    page.locator("#file").set_input_files(score)
    said(page, "a.musicxml: 2 notes")
    assert page_song(page)["lang"] == "ja"


def test_a_voice_that_comes_late_is_not_chosen(browser, url):
    page = empty(browser, url)
    draw(page, 1, 2, 69)
    held = []
    page.route("**/api/voice?*", lambda route: held.append(route))
    choice = page.get_by_label("Voice of the track that is edited")

    def choose(name: str, asked: int) -> None:
        choice.select_option(name)
        while len(held) < asked:
            page.wait_for_timeout(20)

    # The second choice is known first.
    choose("meihua · zh" if "meihua · zh" in choice.inner_text() else "meihua", 1)
    choose("demo · ja", 2)
    held[1].continue_()
    has_voice(page, "demo")
    with page.expect_response("**/api/voice?*", timeout=60_000):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert page_song(page)["voice"]["name"] == "demo"


def test_a_voice_that_cannot_be_loaded_is_not_chosen(browser, parts, url, monkeypatch):
    page = empty(browser, url)
    draw(page, 1, 2, 69)
    told = parts.voices.told

    def broken(name: str):
        if name == parts.voices.rows()[2]["id"]:
            raise DataError("damaged: its manifest is of other models", "demo.nnsvs")
        return told(name)

    monkeypatch.setattr(parts.voices, "told", broken)
    browser.allow("status of 422")
    page.get_by_label("Voice of the track that is edited").select_option("demo · ja")
    said(page, "demo.nnsvs: damaged: its manifest is of other models")
    assert voice_of(page) == "voice · ja" and page_song(page)["voice"]["name"] == "voice"
