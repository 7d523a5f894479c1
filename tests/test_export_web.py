"""A voice as a web page, opened in a real browser: what it sings, and what is not written."""

import functools
import http.server
import io
import json
import os
import re
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from export_common import make_voice

from nnsvs_lite.features.f0 import midi_to_hz
from nnsvs_lite.features.spec import PhoneSet, Spec
from nnsvs_lite.io.errors import DataError

pytest.importorskip("onnx", reason="needs onnx: pip install nnsvs_lite[export]")


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> Path:
    """The archive of onnxruntime-web: what ``ONNXRUNTIME_WEB`` names, else from the registry."""
    from nnsvs_lite.export.webpage import VERSION, runtime_archive

    try:
        archive = runtime_archive(os.environ.get("ONNXRUNTIME_WEB"))
    except DataError as error:
        pytest.skip(f"needs onnxruntime-web {VERSION}: {error}")
    path = tmp_path_factory.mktemp("npm") / "onnxruntime-web.tgz"
    path.write_bytes(archive)
    return path


@pytest.fixture(scope="module")
def voice(toy_mel_dump, tmp_path_factory) -> Path:
    spec = replace(Spec.read(toy_mel_dump), speakers=("ann", "bob"))
    return make_voice(spec, tmp_path_factory.mktemp("voice44"))


@pytest.fixture(scope="module")
def site(voice, runtime, tmp_path_factory) -> Path:
    from nnsvs_lite.export.webpage import export_web

    out = tmp_path_factory.mktemp("web") / "page"
    made = export_web(voice, out, name="トイ", author="tests", runtime=runtime)
    assert made.path == out and max(made.record["differences_from_torch"].values()) < 1e-3
    return out


@pytest.fixture(scope="module")
def address(site):
    """A server of files and no more, as anybody's."""
    handler = functools.partial(Files, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def sing(page) -> tuple[np.ndarray, int]:
    """Presses the button; what the page then offers to be kept."""
    page.locator("#sing").click()
    page.wait_for_selector("#wav:not([hidden]), #message.error:not([hidden])", timeout=120_000)
    assert page.locator("#wav").is_visible(), page.locator("#message").inner_text()
    with page.expect_download() as download:
        page.locator("#wav").click()
    assert download.value.suggested_filename == "song.wav"
    return soundfile.read(download.value.path())


def hertz(wav: np.ndarray, rate: int, spans) -> np.ndarray:
    import pyworld

    f0, times = pyworld.harvest(wav, rate, f0_floor=100, f0_ceil=900)
    parts = [(times > a + 0.4 * (b - a)) & (times < b - 0.2 * (b - a)) & (f0 > 0) for a, b in spans]
    return np.array([np.median(f0[part]) for part in parts])


@pytest.mark.slow
def test_the_page_sings_in_tune_in_the_browser(browser, address, site):
    """A tune with other lyrics, at another tempo, by two singers, and nothing but the folder's own files."""
    page = browser.open(address)
    page.wait_for_selector("body.ready")
    assert page.title() == "トイ" and page.locator("#singer option").all_inner_texts() == ["ann", "bob"]
    notes = json.loads((site / "voice.json").read_text())["song"]["notes"][:6]
    page.locator("#tempo").fill("100")
    page.locator("#tempo").dispatch_event("change")
    page.locator("#lyrics").fill("さ % ら")
    page.locator("#sing").click()
    page.wait_for_selector("#message.error:not([hidden])")
    assert "cannot sing the lyric “%”" in page.locator("#message").inner_text()
    page.locator("#lyrics").fill("ほ し kaっ カ ー しゃ")
    wav, rate = sing(page)
    assert rate == 24000 and 1e-3 < np.abs(wav).max() <= 1
    spans = [(n["at"] * 0.6, (n["at"] + n["beats"]) * 0.6) for n in notes]
    off = 1200 * np.log2(hertz(wav, rate, spans) / midi_to_hz(np.array([n["pitch"] for n in notes], float)))
    assert np.abs(off).max() < 40, off
    sung = page.locator("#roll .phone").all_text_contents()
    assert sung[:9] == ["h", "o", "sh", "i", "k", "a", "cl", "k", "a"], sung
    page.set_viewport_size({"width": 375, "height": 800})
    assert browser.overflow(page) == 0
    browser.screenshot(page, "web")
    page.locator("#singer").select_option("bob")
    other, _ = sing(page)
    assert len(other) == len(wav) and not np.array_equal(other, wav)


def test_the_folder_holds_what_the_page_names_and_its_terms(site):
    info = json.loads((site / "voice.json").read_text())
    kinds = {"", ".css", ".html", ".js", ".json", ".onnx", ".svg", ".txt"}
    assert {path.suffix for path in site.iterdir()} == kinds
    assert all((site / file).is_file() for file in info["networks"].values())
    for path in site.glob("*.js"):
        for name in re.findall(r'from "\./(.*?)"', path.read_text()):
            assert (site / name).is_file(), f"{path.name} asks for {name}"
    assert (
        info["words"]["きゃ"] == ["ky", "a"] and info["kinds"]["a"] == "vowel" and len(info["vectors"]) == 2
    )
    assert "MIT License" in (site / "ort" / "LICENCE.txt").read_text() and (site / "LICENCE.txt").is_file()
    assert "http" not in (site / "index.html").read_text().replace("http-equiv", "")


def test_what_is_refused_leaves_nothing(voice, tmp_path):
    from nnsvs_lite.export.webpage import export_web

    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="is there already"):
        export_web(voice, tmp_path / "mine")
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("package/dist/ort.wasm.bundle.min.mjs")
        archive.addfile(member, io.BytesIO(b""))
    for runtime, told in (("other.tgz", "is not the archive"), ("none.tgz", "cannot be read")):
        with pytest.raises(DataError, match=told):
            export_web(voice, tmp_path / "page", runtime=tmp_path / runtime)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "other.tgz"]


def test_what_lies_beside_a_page_is_not_lost(site, voice, runtime, tmp_path):
    """A folder that is published has more in it: it is refused, and stays as it is."""
    from nnsvs_lite.export.webpage import OURS, export_web

    assert {path.name for path in site.iterdir()} == OURS
    (tmp_path / "page").mkdir()
    for name in ("voice.json", ".git"):
        (tmp_path / "page" / name).write_text("{}")
    with pytest.raises(DataError, match="holds .git besides a page of a voice"):
        export_web(voice, tmp_path / "page", runtime=runtime)
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == [".git", "voice.json"]


@pytest.mark.parametrize(("code", "lyric"), [("en", "la"), ("ko", "라"), ("de", "la"), ("ja", "ら")])
def test_the_first_lyric_of_a_language_is_listed(code, lyric, toy_mel_dump):
    from nnsvs_lite.export.dictionary import entries
    from nnsvs_lite.score.languages import get_language

    language = get_language(code)
    spec = replace(Spec.read(toy_mel_dump), languages=(PhoneSet.of(language),))
    listed = {row["grapheme"]: row["phonemes"] for row in entries(spec)}
    assert listed[lyric] == [phone for unit in language.units(lyric) for phone in unit]
