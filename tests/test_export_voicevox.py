"""A voice that answers as VOICEVOX ENGINE: its addresses with the real process, and what they refuse."""

import importlib.util
import io
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from export_common import make_voice, spec_44k

from nnsvs_lite.features.f0 import midi_to_hz

if not any(importlib.util.find_spec(name) for name in ("httpx2", "httpx")):
    pytest.skip("needs httpx2: pip install nnsvs_lite[dev]", allow_module_level=True)

NOTES = [
    {"id": "a", "key": None, "frame_length": 47, "lyric": ""},
    {"id": "b", "key": 60, "frame_length": 60, "lyric": "さ"},
    {"id": "c", "key": 64, "frame_length": 60, "lyric": "く"},
    {"id": "d", "key": 62, "frame_length": 94, "lyric": "ら"},
    {"id": "e", "key": None, "frame_length": 47, "lyric": ""},
]
FRAMES = sum(note["frame_length"] for note in NOTES)


@pytest.fixture(scope="module")
def client(toy_mel_dump, tmp_path_factory):
    from starlette.testclient import TestClient

    from nnsvs_lite.export.voicevox import Engine
    from nnsvs_lite.studio.jobs import Worker

    voice = make_voice(spec_44k(toy_mel_dump), tmp_path_factory.mktemp("voice44"))
    worker = Worker("frames", {"model": str(voice), "device": "cpu"}, "nnsvs_lite.export.frames")
    folder = tmp_path_factory.mktemp("voicevox")
    try:
        engine = Engine(worker.start(), worker, folder, "terms")
        with TestClient(engine.app(), base_url="http://127.0.0.1:50021") as client:
            yield client
        assert not list(folder.iterdir()), "no sound is left behind"
    finally:
        worker.close()


@pytest.fixture(scope="module")
def query(client):
    answer = client.post("/sing_frame_audio_query?speaker=6000", json={"notes": NOTES})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_engine_says_what_its_schema_asks(client):
    manifest = client.get("/engine_manifest").json()
    assert manifest["frame_rate"] == 93.75 and manifest["default_sampling_rate"] == 24000
    assert manifest["supported_features"]["sing"] is True
    asked = "manifest_version name brand_name uuid url icon terms_of_service update_infos dependency_licenses"
    assert set(asked.split()) < set(manifest)
    (singer,) = client.get("/singers").json()
    assert set(singer) == {"name", "speaker_uuid", "styles", "version", "supported_features"}
    assert singer["styles"] == [
        {"name": "song", "id": 0, "type": "sing"},
        {"name": "song", "id": 6000, "type": "singing_teacher"},
    ]
    info = client.get("/singer_info", params={"speaker_uuid": singer["speaker_uuid"]}).json()
    assert set(info) == {"policy", "portrait", "style_infos"} and info["policy"] == "terms"
    assert set(info["style_infos"][0]) == {"id", "icon", "portrait", "voice_samples"}
    assert client.get("/singer_info?speaker_uuid=x").status_code == 404
    assert client.get("/speakers").json() == []
    assert isinstance(client.get("/version").json(), str)


def test_a_query_has_phonemes_f0_and_volume_of_every_frame(query):
    assert set(query) == {"f0", "volume", "phonemes", "volumeScale", "outputSamplingRate", "outputStereo"}
    assert [row["phoneme"] for row in query["phonemes"]] == ["pau", "s", "a", "k", "u", "r", "a", "pau"]
    assert [row["note_id"] for row in query["phonemes"]] == ["a", "b", "b", "c", "c", "d", "d", "e"]
    assert sum(row["frame_length"] for row in query["phonemes"]) == FRAMES
    assert len(query["f0"]) == len(query["volume"]) == FRAMES
    assert min(query["volume"]) >= 0 and max(query["volume"]) > 0


def test_the_wave_is_in_tune_and_has_the_phones(client, query):
    """F0 drawn at the notes' pitch is what is heard."""
    import pyworld

    drawn, at = np.array(query["f0"]), 0
    for note in NOTES:
        part = slice(at, at + note["frame_length"])
        drawn[part] = np.where(drawn[part] > 0, midi_to_hz(note["key"] or 60), 0)
        at += note["frame_length"]
    answer = client.post("/frame_synthesis?speaker=0", json=query | {"f0": drawn.tolist()})
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav", answer.text[:200]
    wav, rate = soundfile.read(io.BytesIO(answer.content))
    assert rate == 24000 and len(wav) == round(FRAMES / 93.75 * 24000) and np.abs(wav).max() > 1e-3
    f0, times = pyworld.harvest(wav, rate, f0_floor=150, f0_ceil=600)
    at = 0
    for note in NOTES:
        start, end = at / 93.75, (at + note["frame_length"]) / 93.75
        at += note["frame_length"]
        if note["key"]:
            inside = (times > start + 0.2) & (times < end - 0.15) & (f0 > 0)
            assert abs(1200 * np.log2(np.median(f0[inside]) / midi_to_hz(note["key"]))) < 10


def test_f0_and_volume_are_told_for_phonemes_that_were_moved(client, query):
    moved = [dict(row) for row in query["phonemes"]]
    moved[2]["frame_length"] -= 5
    moved[3]["frame_length"] += 5
    body = {"score": {"notes": NOTES}, "frame_audio_query": query | {"phonemes": moved}}
    f0 = client.post("/sing_frame_f0?speaker=0", json=body).json()
    volume = client.post("/sing_frame_volume?speaker=0", json=body).json()
    assert len(f0) == len(volume) == FRAMES and f0 != query["f0"]


def test_volume_and_rate_are_obeyed(client, query):
    def heard(**changes):
        answer = client.post("/frame_synthesis?speaker=0", json=query | changes)
        return soundfile.read(io.BytesIO(answer.content))

    plain, _ = heard()
    soft, _ = heard(volumeScale=0.1)
    middle = slice(len(plain) // 4, len(plain) // 2)
    level = 10 * np.log10(np.mean(soft[middle] ** 2) / np.mean(plain[middle] ** 2))
    assert level == pytest.approx(-20, abs=1)
    stereo, rate = heard(outputStereo=True, outputSamplingRate=48000)
    assert rate == 48000 and stereo.shape == (round(FRAMES / 93.75 * 48000), 2)


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/sing_frame_audio_query?speaker=0", {"notes": []}, "1 to 10000 notes"),
        ("/sing_frame_audio_query?speaker=0", {"notes": NOTES[1:]}, "first note must be a rest"),
        (
            "/sing_frame_audio_query?speaker=0",
            {"notes": [NOTES[0], NOTES[1] | {"key": None}]},
            "without a key",
        ),
        ("/sing_frame_audio_query?speaker=0", {"notes": [NOTES[0], NOTES[1] | {"key": 1e9}]}, "key must be"),
        ("/sing_frame_audio_query?speaker=0", {"notes": [NOTES[0], NOTES[1] | {"lyric": "%"}]}, "%"),
        ("/sing_frame_audio_query?speaker=77", {"notes": NOTES}, "no style '77'"),
        ("/frame_synthesis?speaker=0", {"f0": [1]}, "a query must be an object with"),
        ("/sing_frame_f0?speaker=0", [], "the request must be an object"),
    ],
)
def test_bad_requests_are_refused_in_one_line(client, path, body, told):
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert told in answer.json()["detail"] and "Traceback" not in answer.text


def test_a_query_of_another_length_is_refused(client, query):
    answer = client.post("/frame_synthesis?speaker=0", json=query | {"f0": query["f0"][1:]})
    assert answer.status_code == 422 and f"f0 must be {FRAMES} numbers" in answer.json()["detail"]
    rows = [query["phonemes"][0] | {"phoneme": "nothing"}, *query["phonemes"][1:]]
    answer = client.post("/frame_synthesis?speaker=0", json=query | {"phonemes": rows})
    assert answer.status_code == 422 and "'nothing' is not a phoneme" in answer.json()["detail"]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_phonemes_of_short_notes_have_a_frame_each(toy_voice, length):
    """Of a voice whose frames, of 5 ms, are shorter than those of a query."""
    from nnsvs_lite.export.frames import frames

    _, do = frames({"model": str(toy_voice), "device": "cpu"})
    short = {"key": 60, "frame_length": length, "lyric": "さ"}
    last = {"id": "last", "key": 64, "frame_length": 40, "lyric": "ら"}
    score = {"notes": [NOTES[0], *(short | {"id": str(i), "key": 60 + i} for i in range(6)), last]}
    query = do({"what": "query", "singer": 0, "value": score}, None)
    lengths = [row["frame_length"] for row in query["phonemes"]]
    assert min(lengths) >= 1 and sum(lengths) == len(query["f0"]) == 47 + 6 * length + 40
    for what in ("f0", "volume"):
        body = {"score": score, "frame_audio_query": query}
        assert len(do({"what": what, "singer": 0, "value": body}, None)[what]) == sum(lengths)


def test_numbers_beyond_all_bounds_are_refused(client, query):
    for name, value in (("f0", 10**400), ("volume", 1e300), ("f0", -1)):
        rows = [value, *query[name][1:]]
        answer = client.post("/frame_synthesis?speaker=0", json=query | {name: rows})
        assert answer.status_code == 422 and f"{name} must be {FRAMES} numbers" in answer.json()["detail"]


SLOW = """
import pathlib, time
from nnsvs_lite.studio.worker import run_role

def frames(setup):
    def do(task, say):
        pathlib.Path(setup["begun"]).touch()
        time.sleep(600)
    return {"name": "slow", "singers": []}, do

def main():
    run_role({"frames": frames})
"""
SERVER = """
import contextlib, pathlib, sys
from nnsvs_lite.export.voicevox import Engine
from nnsvs_lite.studio.jobs import Worker
from nnsvs_lite.studio.server import listen, run_app

folder = pathlib.Path(sys.argv[1])
with listen(0) as listener, contextlib.closing(
    Worker("frames", {"begun": str(folder / "begun")}, "slow_role")
) as worker:
    voice = worker.start()
    print(listener.getsockname()[1], flush=True)
    run_app(Engine(voice, worker, folder).app(), listener)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_ends_the_song_that_is_sung_and_those_that_wait(tmp_path):
    (tmp_path / "slow_role.py").write_text(SLOW)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/sing_frame_audio_query?speaker=0"

        def ask(_) -> int:
            try:
                return urllib.request.urlopen(url, b"{}").status
            except urllib.error.HTTPError as error:
                return error.code

        with ThreadPoolExecutor(2) as threads:
            asked = threads.map(ask, range(2))
            while not (tmp_path / "begun").exists():
                assert server.poll() is None, server.stderr.read()
                time.sleep(0.05)
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=120)
            assert list(asked) == [503, 503]
        assert server.returncode == 0 and out.strip() == "ended" and "Traceback" not in err, err
    finally:
        server.kill()


def test_other_sites_and_hosts_are_refused(client):
    assert client.get("/singers", headers={"Host": "evil.example"}).status_code == 403
    elsewhere = {"Origin": "http://evil.example"}
    assert client.post("/sing_frame_audio_query?speaker=0", json={}, headers=elsewhere).status_code == 403
    large = client.post("/sing_frame_audio_query?speaker=0", content=b" " * (3 << 20))
    assert large.status_code == 413
