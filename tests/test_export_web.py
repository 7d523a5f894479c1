"""A voice as a web page, opened in a real browser: what it sings, and what is not written."""

import contextlib
import functools
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from export_common import make_voice
from models_common import ROOT, build, shaken
from toy import LYRICS, make_dump

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.export.webpage import PAGE, STUDIO
from nnsvs_lite.features.f0 import midi_to_hz
from nnsvs_lite.features.spec import PhoneSet, Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.chance import normal
from nnsvs_lite.models.checkpoint import save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.pack import assemble
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_of
from nnsvs_lite.synthesis.singer import Singer

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
def vocoder(toy_mel_dump, tmp_path_factory) -> Path:
    """One that knows another logarithm than the voice."""
    spec = Spec.read(toy_mel_dump)
    mel = replace(spec.feature_config.mel, log="log10", log_floor=1e-10)
    spec = replace(spec, feature_config=replace(spec.feature_config, mel=mel))
    folder, path = tmp_path_factory.mktemp("vocoder"), ROOT / "conf" / "vocoder" / "hn.yaml"
    save_model(folder / "model.pt", build(path, spec), Config.read(path), {})
    return folder


@pytest.fixture(scope="module")
def site(voice, vocoder, runtime, tmp_path_factory) -> Path:
    from nnsvs_lite.export.webpage import export_web

    out = tmp_path_factory.mktemp("web") / "page"
    made = export_web(voice, out, vocoder=vocoder, name="トイ", author="tests", runtime=runtime)
    assert made.path == out and max(made.record["differences_from_torch"].values()) < 1e-3
    return out


@pytest.fixture(scope="module")
def served():
    """Gives the address of a folder: a server of files and no more, as anybody's."""
    with contextlib.ExitStack() as servers:

        def serve(folder: Path) -> str:
            handler = functools.partial(Files, directory=str(folder))
            server = servers.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            servers.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}/"

        yield serve


def world_voice(spec: Spec, folder: Path, **names: str) -> Path:
    """An exp dir of untrained models of these configurations by family, with noise on their weights."""
    for family, name in names.items():
        path = ROOT / "conf" / family / f"{name}.yaml"
        save_model(folder / family / "model.pt", shaken(build(path, spec), 0.02), Config.read(path), {})
    others = {family: folder / family / "model.pt" for family in names if family != "acoustic"}
    assemble(folder / "acoustic", **others)
    return folder / "acoustic"


def sing(page) -> tuple[np.ndarray, int]:
    """Presses the button; what the page then offers to be kept."""
    page.locator("#sing").click()
    page.wait_for_selector("#wav:not([hidden]), #message.error:not([hidden])", timeout=120_000)
    assert page.locator("#wav").is_visible(), page.locator("#message").inner_text()
    with page.expect_download() as download:
        page.locator("#wav").click()
    assert download.value.suggested_filename == "song.wav"
    return soundfile.read(download.value.path())


def first_song(site: Path, language: int = 0) -> dict:
    return json.loads((site / "voice.json").read_text())["languages"][language]["song"]


def sung_by(page, song: dict) -> dict:
    """What the page's voice makes of a song."""
    script = """song => new Promise((done, failed) => {
        const worker = new Worker("worker.js", { type: "module" });
        worker.onmessage = ({ data }) => {
            if (data.error) failed(data.error);
            if (data.sung) done({ ...data.sung.result, wav: [...data.sung.wav] });
        };
        worker.postMessage({ song, singer: 0, take: 0 });
    })"""
    return page.evaluate(script, song)


def assert_alike(wav: np.ndarray, other: np.ndarray) -> None:
    assert wav.shape == other.shape and np.abs(wav).max() > 1e-3
    assert np.abs(wav - other).max() < 1e-3 * np.abs(other).max()


def hertz(wav: np.ndarray, rate: int, spans) -> np.ndarray:
    import pyworld

    f0, times = pyworld.harvest(wav, rate, f0_floor=100, f0_ceil=900)
    parts = [(times > a + 0.4 * (b - a)) & (times < b - 0.2 * (b - a)) & (f0 > 0) for a, b in spans]
    return np.array([np.median(f0[part]) for part in parts])


@pytest.mark.slow
def test_a_mel_voice_sings_in_tune_in_the_browser(browser, served, site, voice, vocoder):
    """A tune with other lyrics, at another tempo, by two singers, and nothing but the folder's own files; as
    the voice sings it.
    """
    page = browser.open(served(site))
    page.wait_for_selector("body.ready")
    assert page.title() == "トイ" and page.locator("#singer option").all_inner_texts() == ["ann", "bob"]
    notes = first_song(site)["notes"][:6]
    page.locator("#tempo").fill("100")
    page.locator("#tempo").dispatch_event("change")
    page.locator("#lyrics").fill("さ % ら")
    page.locator("#sing").click()
    page.wait_for_selector("#message.error:not([hidden])")
    assert "cannot sing the lyric “%”" in page.locator("#message").inner_text()
    page.locator("#lyrics").fill("ほ [sh i] kaっ カ ー しゃ")
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
    ours = Singer.load(voice, vocoder=vocoder).sing(score_of(Song.from_json(first_song(site))))
    assert_alike(np.array(sung_by(page, first_song(site))["wav"]), ours.waveform)


@pytest.mark.slow
def test_the_page_sings_what_the_voice_sings(browser, served, runtime, tmp_path):
    """Networks for all, a vocoder of WORLD's streams among them, and noise; two languages; phrases, bars,
    tempi, keys, held notes and breaths: sound, pitch and times of phones as of ``sing``.
    """
    from nnsvs_lite.export.webpage import export_web

    languages = (("ja", LYRICS), ("zh", ["ni3", "hao3", "tian1", "men", "yue4"]))
    spec = Spec.read(make_dump(tmp_path / "dump", {"train": 6}, languages=languages))
    names = {"timelag": "mdn", "duration": "mdn", "acoustic": "diffsinger_tiny", "vocoder": "hn_istft_tiny"}
    voice = world_voice(spec, tmp_path / "voice", **names)
    made = export_web(voice, tmp_path / "page", runtime=runtime)
    assert max(made.record["differences_from_torch"].values()) < 1e-3
    page, singer = browser.open(served(tmp_path / "page")), Singer.load(voice)
    page.wait_for_selector("body.ready")
    assert page.locator("#language option").all_inner_texts() == ["ja", "zh"]
    rows = [(0, 1, "き"), (1, 2, "らっ"), (3, 1, ""), (4, 1.5, "ー"), (6, 1, "br"), (7, 1.5, "し[sh i]")]
    rows += [(8.5, 1.5, "kyo"), (12.25, 1, "ん"), (13.25, 2.5, "ほ"), (17, 0.75, "し"), (18, 1, "ラ")]
    notes = [{"at": at, "beats": n, "pitch": 60 + k, "lyric": text} for k, (at, n, text) in enumerate(rows)]
    notes[4] |= {"pitch": 0}
    notes[6] |= {"breath": True, "velocity": 0.8}
    time = {"tempi": [[0, 90], [8, 120]], "bars": [[0, 1, 3, 1], [8, 4, 4, 0]], "keys": [[0, 3], [12, -2]]}
    song = {"lang": "ja", "length": 21, "notes": notes, **time}
    mandarin = {**song, "lang": "zh", "notes": [{**notes[0], "lyric": "ni3"}, {**notes[1], "lyric": "tian1"}]}
    script = "async ([count, seed]) => [...(await import('./chance.js')).normals(count, seed)]"
    for count, seed in ((15, 3), (48, 2**33 + 5), (1003, 7)):
        assert np.allclose(page.evaluate(script, [count, seed]), normal(count, seed), atol=1e-5)
    for one in (song, mandarin):
        ours, theirs = singer.sing(score_of(Song.from_json(one))), sung_by(page, one)
        assert [symbol for symbol, *_ in theirs["phones"] if symbol != "pau"] == [
            phone.symbol for phone in ours.phones if phone.symbol != "pau"
        ]
        f0 = np.array(theirs["f0"][: len(ours.f0)])
        both = (f0 > 0) & (ours.f0 > 0)
        assert np.array_equal(f0 > 0, ours.f0 > 0)
        assert np.abs(1200 * np.log2(f0[both] / ours.f0[both])).max() < 0.1
        assert_alike(np.array(theirs["wav"]), ours.waveform)
    page.locator("#language").select_option("zh")
    assert page.locator("#lyrics").input_value().split()[0] == "la"
    assert np.abs(sing(page)[0]).max() > 1e-3


@pytest.mark.slow
def test_the_voice_in_the_box_becomes_a_page(browser, served, runtime, tmp_path):
    """It has WORLD alone, so ``hn`` sings; its vibrato is drawn by chance: another take is another song, in
    tune both.
    """
    from nnsvs_lite.export.webpage import export_web

    export_web(BOXED_VOICE, tmp_path / "page", runtime=runtime)
    page = browser.open(served(tmp_path / "page"))
    page.wait_for_selector("body.ready")
    score = score_of(Song.from_json(first_song(tmp_path / "page")))
    notes = [note for note in score.notes if not note.is_rest]
    takes = []
    for take in ("0", "0", "7"):
        page.locator("#take").fill(take)
        wav, rate = sing(page)
        known = midi_to_hz(np.array([note.pitch for note in notes], float))
        off = 1200 * np.log2(hertz(wav, rate, [(note.start, note.end) for note in notes]) / known)
        assert abs(np.median(off)) < 20 and np.abs(off).max() < 50, off
        takes.append(wav)
    assert np.array_equal(takes[0], takes[1]) and not np.array_equal(takes[0], takes[2])


def test_the_folder_holds_what_the_page_names_and_its_terms(site):
    info = json.loads((site / "voice.json").read_text())
    kinds = {"", ".css", ".html", ".js", ".json", ".onnx", ".svg", ".txt"}
    assert {path.suffix for path in site.iterdir()} == kinds
    assert all((site / f"{name}.onnx").is_file() for name in info["networks"])
    for path in site.glob("*.js"):
        for name in re.findall(r'from "\./(.*?)"', path.read_text()):
            assert (site / name).is_file(), f"{path.name} asks for {name}"
    (language,) = info["languages"]
    assert language["words"]["きゃ"] == ["ky", "a"] and "a" in language["vowels"]
    assert info["singers"] == ["ann", "bob"] and info["wave"]["mel"] == pytest.approx([np.log10(np.e), -10])
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
    with pytest.raises(DataError, match="the vocoder World is no network, which a page needs"):
        export_web(BOXED_VOICE, tmp_path / "page", vocoder="world")
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
def test_the_first_lyric_of_a_language_is_listed(code, lyric):
    from nnsvs_lite.export.dictionary import words_of
    from nnsvs_lite.score.languages import get_language

    language = get_language(code)
    assert words_of(PhoneSet.of(language))[lyric] == [
        phone for unit in language.units(lyric) for phone in unit
    ]


SOUND = """
import { Voice } from "./voice.js";
class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
const wave = { frames: 300, around: 20, inputs: ["f0"] }, networks = { vocoder: { draws: [] } };
const run = async ({ f0 }) => {
  const data = Float32Array.from({ length: 300 * 110.25 }, (_, i) => f0.data[Math.floor(i / 110.25)]);
  return { wav: { data } };
};
const sessions = { vocoder: { inputNames: ["f0"], run } };
const voice = new Voice({ Tensor }, { frame: 0.005, rate: 22050, wave, networks }, sessions);
for (let total = 281; total < 1000; total += 1) {
  const data = Float32Array.from({ length: total }, (_, i) => i + 1);
  const sound = await voice.sound({ f0: new Tensor("float32", data, [1, total, 1]) }, total, 0);
  const wrong = sound.findIndex((value, i) => Math.abs(value - i / 110.25 - 0.5) > 0.52);
  if (wrong >= 0) throw new Error(`${total} frames: sample ${wrong} is ${sound[wrong]}`);
}
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_pieces_make_whole_songs_where_frames_are_no_whole_samples(tmp_path):
    """Of 110.25 samples a frame: each sample is that of its frame, at every length."""
    for folder, files in (("export/web", PAGE), ("studio/static", STUDIO)):
        for name in files:
            if name.endswith(".js"):
                (tmp_path / name).write_bytes((ROOT / "nnsvs_lite" / folder / name).read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}')  # not all versions of node can tell
    (tmp_path / "sound.mjs").write_text(SOUND)
    command = ["node", tmp_path / "sound.mjs"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
