"""The studio's addresses with its real processes and a toy voice: what they give and what they refuse."""

import importlib.util
import io
import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest
import soundfile
from scorefiles import tune, ustx
from scorexml import attributes, document, measure, tempo
from scorexml import song as xml_song
from studio_common import OWN, finished, long_song, song, studio

from nnsvs_lite.bin.main import main
from nnsvs_lite.score.formats.readers import read_score

if not any(importlib.util.find_spec(name) for name in ("httpx2", "httpx")):
    pytest.skip("needs httpx2: pip install nnsvs_lite[dev]", allow_module_level=True)

GOOD = xml_song("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2")


@pytest.fixture(scope="module")
def place(toy_voice, tmp_path_factory):
    """The studio, and the folder that is all it may write to."""
    folder = tmp_path_factory.mktemp("studio")
    with studio(toy_voice, folder) as parts:
        yield parts


@pytest.fixture
def client(place):
    from starlette.testclient import TestClient

    with TestClient(place.app(), base_url="http://127.0.0.1:8000", headers=OWN) as client:
        yield client


def send(client, data: bytes | str, name: str = "song.musicxml", **query):
    content = data.encode() if isinstance(data, str) else data
    return client.post("/api/score", params={"name": name, **query}, content=content)


def test_the_page_and_its_files_are_given(client):
    page = client.get("/")
    assert page.status_code == 200 and "<title>Studio" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert "javascript" in client.get("/static/app.js").headers["content-type"]
    assert client.get("/static/nothing.js").status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e%2fapp.py", "/static//etc/passwd"]
)
def test_names_do_not_become_paths(client, path):
    answer = client.get(path)
    assert answer.status_code == 404 and "import" not in answer.text and "root:" not in answer.text


def test_the_voice_says_what_it_can(client):
    voice = client.get("/api/voice").json()
    assert voice["lang"] == "ja" and voice["sample_rate"] == 24000 and voice["singers"] == ["toy"]
    assert {row["name"] for row in voice["options"]} >= {"transpose", "tempo", "vibrato", "gender", "seed"}
    depth = next(row for row in voice["options"] if row["name"] == "vibrato_depth")
    assert (depth["low"], depth["high"], depth["neutral"]) == (0, 200, None), "empty: as the voice sings"
    assert ".musicxml" in voice["formats"] and ".ust" in voice["formats"]
    assert client.get("/api/examples").json()[0]["notes"]


def test_a_score_is_read_sung_and_saved(client, tmp_path):
    found = send(client, GOOD, "../../夜/さくら.musicxml").json()
    assert found["warning"] == "" and found["song"]["title"] == "さくら"
    assert [(n["at"], n["pitch"], n["lyric"]) for n in found["song"]["notes"]] == [
        (1, 60, "さ"),
        (2, 62, "く"),
        (3, 64, "ら"),
        (4, 67, "は"),
    ]
    answer = client.post(
        "/api/jobs", json={"song": found["song"], "options": {"transpose": 2, "tempo": 1.25}}
    )
    assert answer.status_code == 202
    job = finished(client, answer.json())
    assert job["state"] == "done" and job["progress"] == 1 and job["seconds"] == pytest.approx(3.2)
    audio = client.get(f"/api/jobs/{job['id']}/audio")
    wave, rate = soundfile.read(io.BytesIO(audio.content))
    assert rate == 24000 and len(wave) / rate == pytest.approx(3.2)
    part = client.get(f"/api/jobs/{job['id']}/audio", headers={"Range": "bytes=0-99"})
    assert part.status_code == 206 and part.content == audio.content[:100]
    saved = client.get(f"/api/jobs/{job['id']}/audio?download=1").headers["content-disposition"]
    assert saved.startswith("attachment") and saved.endswith("%E3%81%95%E3%81%8F%E3%82%89.wav")
    result = client.get(f"/api/jobs/{job['id']}/result").json()
    phones = [p[0] for p in result["phones"]]
    assert phones == ["pau", "s", "a", "k", "u", "r", "a", "h", "a", "pau"]
    assert all(a[2] == b[1] for a, b in zip(result["phones"], result["phones"][1:]))
    assert len(result["f0"]) * result["frame_shift"] == pytest.approx(3.2, abs=0.1)
    file = client.post("/api/musicxml", json=found["song"])
    path = tmp_path / "saved.musicxml"
    path.write_bytes(file.content)
    original = tmp_path / "original.musicxml"
    original.write_text(GOOD)
    assert read_score(path) == read_score(original)


def test_the_same_as_the_command_sings(client, toy_voice, tmp_path):
    path = tmp_path / "song.musicxml"
    path.write_text(GOOD)
    assert (
        main(["sing", str(path), "--model", str(toy_voice), "-o", str(tmp_path / "a.wav"), "--gender", "0.9"])
        == 0
    )
    body = {"song": send(client, GOOD).json()["song"], "options": {"gender": 0.9}}
    job = finished(client, client.post("/api/jobs", json=body).json())
    assert client.get(f"/api/jobs/{job['id']}/audio").content == (tmp_path / "a.wav").read_bytes()


BAD = {
    "no notes": xml_song("r 4"),
    "cut off": GOOD[:200],
    "nothing": "",
    "entities": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><score-partwise>&b;</score-partwise>',
    "not xml": "hello",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_score_says_what_the_command_says(client, toy_voice, tmp_path, capfd, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("bad.musicxml").write_text(BAD[name])
    capfd.readouterr()
    assert main(["sing", "bad.musicxml", "--model", str(toy_voice), "-o", "a.wav"]) == 1
    said = capfd.readouterr().err.removeprefix("nnsvs-lite sing: error: ").rstrip("\n")
    answer = send(client, BAD[name], "bad.musicxml")
    assert answer.status_code == 422
    assert answer.json() == {"error": said}
    assert "\n" not in said and said.startswith("bad.musicxml")


def test_a_lyric_that_cannot_be_read_can_be_mended(client):
    found = send(client, xml_song("C4 1 さ, D4 1 Ж, E4 2 ら")).json()
    assert len(found["song"]["notes"]) == 3
    assert found["warning"].startswith("song.musicxml: measure 1, beat 2: cannot read lyric 'Ж'")
    # Sung as it is, it fails with the same place.
    job = finished(client, client.post("/api/jobs", json={"song": found["song"]}).json())
    assert job["state"] == "failed" and "measure 1, beat 2: cannot read lyric 'Ж'" in job["error"]


def test_a_tune_without_lyrics_is_opened_to_be_given_words(client):
    found = send(client, xml_song("C4 1, D4 1, E4 2")).json()
    assert [(n["pitch"], n["lyric"]) for n in found["song"]["notes"]] == [(60, "ら"), (62, "ら"), (64, "ら")]
    told = "it has no lyrics: every note has ら until you write them"
    assert found["warning"] == told
    absurd = '<direction><sound tempo="0"/></direction>'
    found = send(client, xml_song(f"{absurd}, C4 4")).json()
    assert found["warning"].count("tempi that nobody can sing are passed over") == 1
    found = send(client, ustx(tune("60 1")), "tune.ustx").json()
    assert [n["lyric"] for n in found["song"]["notes"]] == ["ら"] and found["warning"] == told


def test_reading_has_memory_for_dictionaries_and_no_more(client, place, tmp_path):
    assert send(client, xml_song("C4 2 桜, D4 2 花")).json()["warning"] == ""
    warning = send(client, xml_song("C4 1 桜, r 1 ん, D4 2 ")).json()["warning"]
    assert warning.startswith(
        "words on rests are left out: 1, the first at measure 1, beat 2; notes without lyrics"
    )
    if sys.platform == "linux":
        limits = Path(f"/proc/{place.reader._process.pid}/limits").read_text()
        soft = re.search(r"Max address space +(\d+)", limits)
        assert soft and int(soft[1]) <= 4 * 2**30


def test_parts_and_verses_are_chosen(client):
    first = attributes() + tempo(120)
    text = document(
        measure(f"{first},C4 4 さ|し", 1),
        measure(f"{attributes()},E4 4 ら|り", 1),
    )

    def lyrics(**query):
        return [n["lyric"] for n in send(client, text, **query).json()["song"]["notes"]]

    assert lyrics() == ["さ"] and lyrics(part="2") == ["ら"] and lyrics(part="Part 2", verse="2") == ["り"]
    assert "no part 'Part 3'" in send(client, text, part="Part 3").json()["error"]
    assert "no verse 3" in send(client, text, verse="3").json()["error"]
    assert "from 1 to 99" in send(client, text, verse="-1").json()["error"]


def test_uploads_are_bounded(client):
    from nnsvs_lite.studio.app import UPLOAD_BYTES

    large = send(client, b"x" * (UPLOAD_BYTES + 1))
    assert large.status_code == 413 and "larger than 5 MB" in large.json()["error"]

    def chunks():
        for _ in range(UPLOAD_BYTES // 2**16 + 2):
            yield b"x" * 2**16

    unmeasured = client.post("/api/score?name=a.musicxml", content=chunks())
    assert unmeasured.status_code == 413
    assert client.post("/api/jobs", content=b"[" * 17 * 2**20).status_code == 413
    assert client.post("/api/jobs", content=b"[" * 10**6).status_code == 422
    assert client.post("/api/jobs", content=b'{"song": NaN}').status_code == 422
    assert "known: .ds" in send(client, "x", "song.exe").json()["error"]


def test_reading_that_takes_too_long_is_stopped(client, place, monkeypatch):
    monkeypatch.setattr("nnsvs_lite.studio.app.READ_SECONDS", 0.02)
    slow = send(client, long_xml(), "slow.musicxml")
    assert slow.status_code == 422
    assert slow.json()["error"] == "slow.musicxml: it took longer than 0.02 seconds and was stopped"
    monkeypatch.undo()
    assert send(client, GOOD).status_code == 200


def long_xml() -> str:
    return xml_song(*["C4 1 さ, D4 1 く, E4 2 ら"] * 1000)


def test_nothing_is_left_of_uploads(client, place):
    send(client, GOOD)
    send(client, BAD["cut off"])
    assert [p.name for p in place.folder.iterdir() if p.suffix != ".wav"] == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "the song must be"),
        ({"song": song(), "model": "x"}, "song and options"),
        ({"song": song(), "options": {"volume": 3}}, "unknown option 'volume'"),
        ({"song": song(), "options": {"tempo": "fast"}}, "Speed must be a number in 0.25..4"),
        ({"song": song(), "options": {"tempo": 9}}, "Speed must be a number in 0.25..4"),
        ({"song": song(), "options": {"transpose": 0.5}}, "Transpose must be a whole number"),
        ({"song": song([])}, "the song is empty"),
    ],
)
def test_what_cannot_be_sung_is_refused(client, value, said):
    answer = client.post("/api/jobs", json=value)
    assert answer.status_code == 422 and said in answer.json()["error"]


@pytest.mark.parametrize("options", [{"singer": "nobody"}, {"transpose": 24}])
def test_what_the_voice_refuses_is_told(client, options):
    high = song([(100, "ら", 1.0)])
    job = finished(client, client.post("/api/jobs", json={"song": high, "options": options}).json())
    assert job["state"] == "failed" and ("nobody" in job["error"] or "24..108" in job["error"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8000"}, 403),
        ({"Host": "[bad"}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_other_sites_are_kept_out(client, headers, status):
    answer = client.post("/api/musicxml", json=song(), headers=headers)
    assert answer.status_code == status, answer.text
    assert "content-security-policy" in answer.headers


def test_the_own_header_is_needed_and_pages_elsewhere_may_only_link(client):
    del client.headers["X-Studio"]
    assert client.post("/api/musicxml", json=song()).status_code == 403
    assert client.get("/api/voice").status_code == 200
    assert client.get("/api/voice", headers={"Host": "evil.example"}).status_code == 403
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/api/voice", headers=cross).status_code == 403
    assert client.get("/", headers=cross | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_the_page_answers_while_a_song_is_sung_and_it_can_be_cancelled(client):
    job = client.post("/api/jobs", json={"song": long_song(900)}).json()
    second = client.post("/api/jobs", json={"song": song()})
    assert second.status_code == 409
    assert second.json()["error"] == "another song is being sung; wait for it, or cancel it"
    assert client.get("/").status_code == 200
    assert send(client, GOOD).status_code == 200
    assert client.get(f"/api/jobs/{job['id']}").json()["state"] in ("waiting", "singing")
    assert client.get(f"/api/jobs/{job['id']}/audio").status_code == 409
    stopped = client.delete(f"/api/jobs/{job['id']}").json()
    assert stopped["state"] == "cancelled"
    assert client.get(f"/api/jobs/{job['id']}").json()["state"] == "cancelled"
    # The next song is sung by a new process.
    job = finished(client, client.post("/api/jobs", json={"song": song()}).json())
    assert job["state"] == "done"
    assert client.delete(f"/api/jobs/{job['id']}").json()["state"] == "done"


def test_a_process_that_dies_is_told_and_started_again(client, place):
    job = client.post("/api/jobs", json={"song": long_song(900)}).json()
    while client.get(f"/api/jobs/{job['id']}").json()["state"] == "waiting":
        time.sleep(0.02)
    os.kill(place.jobs.singer._process.pid, 9)
    job = finished(client, job)
    assert job["state"] == "failed" and "ended by itself" in job["error"]
    assert finished(client, client.post("/api/jobs", json={"song": song()}).json())["state"] == "done"


def test_only_the_last_songs_are_kept(client, place):
    from nnsvs_lite.studio.jobs import KEPT

    first = finished(client, client.post("/api/jobs", json={"song": song()}).json())
    for _ in range(KEPT):
        finished(client, client.post("/api/jobs", json={"song": song()}).json())
    assert client.get(f"/api/jobs/{first['id']}").status_code == 404
    assert len(list(place.folder.glob("*.wav"))) <= KEPT


def test_files_are_read_at_the_same_time_as_each_other(client):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(send(client, GOOD).status_code)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200, 200, 200]
