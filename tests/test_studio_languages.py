"""The studio with a voice that sings two languages."""

import pytest
from models_common import ROOT
from scorexml import song as xml_song
from studio_common import OWN, finished, song, studio
from studio_page import served
from toy import LYRICS, make_dump

from nnsvs_lite.training.run import train


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A studio of a voice of Japanese and Mandarin."""
    from nnsvs_lite.models.pack import assemble

    folder = tmp_path_factory.mktemp("two")
    languages = (("ja", LYRICS), ("zh", ["ma", "shan", "hua"]))
    dump = make_dump(folder / "dump", {"train": 4, "dev": 2}, languages=languages, shared=True)
    for family, name in (("timelag", "rule"), ("duration", "rule"), ("acoustic", "hmm")):
        train(ROOT / "conf" / family / f"{name}.yaml", dump, "train", "dev", folder / family)
    voice = folder / "acoustic"
    assemble(voice, **{family: folder / family / "model.pt" for family in ("timelag", "duration")})
    with studio(voice, tmp_path_factory.mktemp("studio")) as found:
        yield found


@pytest.fixture(scope="module")
def client(parts):
    from starlette.testclient import TestClient

    with TestClient(parts.app(), base_url="http://127.0.0.1", headers=OWN) as found:
        yield found


def send(client, lyrics: str, lang: str):
    text = xml_song(lyrics)
    return client.post(f"/api/score?name=a.musicxml&lang={lang}", content=text.encode())


def test_it_tells_its_languages(client):
    voice = client.get("/api/voice").json()
    assert (voice["lang"], voice["langs"]) == ("ja", ["ja", "zh"])
    assert voice["new_lyric"] == {"ja": "ら", "zh": "la"}
    assert {tune["lang"] for tune in client.get("/api/examples").json()} == {"ja", "zh"}


def test_a_file_is_read_and_sung_in_the_language_that_is_asked_for(client):
    found = send(client, "C4 1 ma, D4 1 hua, E4 2 shan", "zh").json()
    assert found["warning"] == "" and found["song"]["lang"] == "zh"
    job = finished(client, client.post("/api/jobs", json={"song": found["song"], "options": {}}).json())
    assert job["state"] == "done"
    phones = [row[0] for row in client.get(f"/api/jobs/{job['id']}/result").json()["phones"]]
    assert [phone for phone in phones if phone != "pau"] == ["m", "a", "h", "ua", "sh", "an"]
    job = finished(client, client.post("/api/jobs", json={"song": song(), "options": {}}).json())
    phones = [row[0] for row in client.get(f"/api/jobs/{job['id']}/result").json()["phones"]]
    assert [phone for phone in phones if phone != "pau"] == ["s", "a", "k", "u", "r", "a"]
    assert "cannot read lyric 'か'" in send(client, "C4 4 か", "zh").json()["warning"]


def test_other_languages_are_refused_in_a_line(client):
    refused = send(client, "C4 4 la", "en")
    assert (refused.status_code, refused.json()["error"]) == (422, "the voice sings ja, zh, not 'en'")
    job = client.post("/api/jobs", json={"song": song(lang="en"), "options": {}}).json()
    job = finished(client, job)
    assert job["state"] == "failed" and "the score is in 'en', the voice sings 'ja', 'zh'" in job["error"]


def test_the_page_changes_the_language_of_a_song(parts, browser, tmp_path):
    with served(parts) as address:
        page = browser.open(address)
        page.wait_for_selector("body.ready")
        language = page.get_by_label("Language")
        assert language.input_value() == "ja"
        path = tmp_path / "song.musicxml"
        path.write_text(xml_song("C4 1 ma, D4 1 hua, E4 2 shan"))
        language.select_option("zh")
        page.locator("#file").set_input_files(path)
        page.locator("#message").filter(has_text="3 notes").wait_for()
        assert language.input_value() == "zh"
        page.get_by_role("button", name="Sing", exact=True).click()
        page.locator("#message").filter(has_text="s of singing").wait_for()
        language.select_option("ja")
        page.get_by_role("button", name="Undo").click()
        assert language.input_value() == "zh"
        browser.screenshot(page, "languages")
        # What was changed is sung again in the background, which nobody waits for.
        browser.allow("ERR_CONNECTION_REFUSED")
