"""Voices sung with onnxruntime: as torch sings them, without torch, or refused in one line."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from models_common import ROOT, build, shaken
from scorexml import song, write

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.bin.main import main
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import threads
from nnsvs_lite.models import onnxvoice
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.chance import frame_noise, normal, note_noise
from nnsvs_lite.models.checkpoint import save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers import noise
from nnsvs_lite.models.layers.acoustic_floor import smooth_pitch
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.melody import SCORE_PITCH, smooth_score
from nnsvs_lite.models.onnxvoice import OnnxModel
from nnsvs_lite.models.pack import Pack, assemble, pack
from nnsvs_lite.studio import server, worker
from nnsvs_lite.studio.voices import find_voices
from nnsvs_lite.synthesis.byhand import ByHand, NoteVibrato, PhoneStart
from nnsvs_lite.synthesis.singer import RUNTIMES, Singer
from nnsvs_lite.synthesis.vocoder import waveform_of

pytest.importorskip("onnx", reason="needs onnx: pip install nnsvs_lite[export]")

from nnsvs_lite.export import enunu, frames, voicegraphs, voicevox

ALIKE = 1e-3


def voice_of(folder: Path, spec: Spec, **names: str) -> Path:
    """An exp dir of untrained models of these configurations by family, with noise on their weights."""
    exps = {}
    for family, name in names.items():
        path = ROOT / "conf" / family / f"{name}.yaml"
        save_model(folder / family / "model.pt", shaken(build(path, spec), 0.02), Config.read(path), {})
        exps[family] = folder / family / "model.pt"
    acoustic = exps.pop("acoustic").parent
    assemble(acoustic, **exps)
    return acoustic


def packed(exp: Path, out: Path) -> Path:
    terms = out.with_suffix(".txt")
    terms.write_text("Sing as you like.\n")
    pack(exp, out, terms, "songs", graphs=voicegraphs.graph_files)
    return out


@pytest.fixture(scope="module")
def neural(spec, tmp_path_factory) -> Path:
    """Networks for lags, durations and features; these draw by chance."""
    folder = tmp_path_factory.mktemp("neural")
    names = {"timelag": "vp_mdn_tiny", "duration": "vp_mdn_tiny", "acoustic": "diffsinger_tiny"}
    return packed(voice_of(folder, spec, **names), folder / "voice.nnsvs")


@pytest.fixture(scope="module")
def mel(toy_mel_dump, tmp_path_factory) -> Path:
    """Mel spectra, and a vocoder of networks that draws by chance."""
    folder = tmp_path_factory.mktemp("mel")
    names = {"timelag": "rule", "duration": "rule", "acoustic": "resf0_conv", "vocoder": "nsf_hifigan_tiny"}
    return packed(voice_of(folder, Spec.read(toy_mel_dump), **names), folder / "voice.nnsvs")


@pytest.fixture(scope="module")
def tune(tmp_path_factory) -> Path:
    """Three phrases."""
    folder = tmp_path_factory.mktemp("tune")
    bars = ("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2", "E4 3 な, D4 1 の", "r 2, C4 2 いろ", "D4 4 は")
    return write(folder, song(*bars))


def both(voice: Path, score: Path, **options):
    """A song as each runtime sings it."""
    return [Singer.load(voice, runtime=name).sing(score, **options) for name in ("torch", "onnx")]


def assert_alike(one, other) -> None:
    assert len(one.phrases) == len(other.phrases) > 1
    for a, b in zip(one.phrases, other.phrases):
        np.testing.assert_array_equal(a.duration, b.duration)
        np.testing.assert_allclose(a.time_lag, b.time_lag, atol=ALIKE)
        assert list(a.streams) == list(b.streams)
        for name, value in a.streams.items():
            np.testing.assert_allclose(value, b.streams[name], atol=ALIKE, err_msg=name)
    # WORLD's noise begins anew with each period: a sample sooner or later, for a rounding, it is another one.
    off = np.abs(one.waveform - other.waveform) / max(1.0, np.abs(one.waveform).max())
    assert np.sqrt(np.mean(off**2)) < 1e-4 and np.mean(off > ALIKE) < 1e-3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seed": 7, "temperature": 0.5},
        {"retake": [([2, 3], 42)], "transpose": 2, "tempo": 1.25},
        {"vibrato_depth": 80.0, "pitch_deviation": 0.5, "breathiness": 3.0, "gender": 1.1},
        {"by_hand": ByHand((PhoneStart(2, 1, 0.2),), {4: NoteVibrato(90.0)})},
    ],
    ids=["plain", "seed", "retake", "style", "by hand"],
)
def test_the_voice_in_the_box_sings_the_same(tune, options):
    assert_alike(*both(BOXED_VOICE, tune, **options))


def test_drawn_curves_are_sung_the_same(tune):
    length = len(Singer.load(BOXED_VOICE, runtime="onnx").sing(tune).f0)
    drawn = {"f0": np.full(length, 300.0), "loudness_change": np.linspace(-6, 0, length)}
    one, other = both(BOXED_VOICE, tune, curves=drawn)
    assert_alike(one, other)
    assert np.abs(1200 * np.log2(other.f0[other.f0 > 0] / 300)).max() < 1


def test_networks_sing_the_same_and_draw_the_same(neural, tune):
    assert_alike(*both(neural, tune, seed=3))
    one, other = both(neural, tune, seed=4, temperature=0.5, retake=[([3], 5)])
    assert_alike(one, other)
    assert Pack.read(neural).describe().count("graphs for onnxruntime") == 1


def test_mel_voices_sing_the_same(mel, tune):
    one, other = both(mel, tune, seed=3)
    assert_alike(one, other)
    assert np.abs(one.waveform - other.waveform).max() < ALIKE and other.waveform.std() > 1e-3
    # Harmonics in the spectra move along with an F0 that is drawn.
    drawn = both(mel, tune, seed=3, curves={"f0": np.full(len(one.f0), 300.0)})
    assert_alike(*drawn)
    assert np.abs(drawn[1].phrases[0].streams["mel"] - other.phrases[0].streams["mel"]).max() > 0.1
    ours = Singer.load(mel, runtime="onnx")
    assert (ours.vocoder.name, ours.vocoder.controls) == ("HifiGan", ("pitch",))
    streamed = np.concatenate([*ours.stream(tune, seed=3)[1]])
    np.testing.assert_allclose(streamed, other.waveform, atol=1e-6)


def test_griffin_lim_needs_no_torch(toy_mel_dump, tune, tmp_path):
    names = {"timelag": "rule", "duration": "rule", "acoustic": "rule", "vocoder": "griffin_lim"}
    exp = voice_of(tmp_path, Spec.read(toy_mel_dump), **names)
    voice = packed(exp, tmp_path / "voice.nnsvs")
    torchs, ours = (Singer.load(voice, runtime=name) for name in ("torch", "onnx"))
    (one,), (other,) = (singer.phrases(singer.plan(tune), [0]) for singer in (torchs, ours))
    np.testing.assert_allclose(one.streams["mel"], other.streams["mel"], atol=ALIKE)
    # Its iterations make much of what rounding left: of the same features it makes the same.
    torchs, ours = torchs.vocoder, ours.vocoder
    streams = {name: one.streams[name][:100] for name in ours.inputs}
    np.testing.assert_array_equal(waveform_of(torchs, streams, 5), waveform_of(ours, streams, 5))
    assert ours.options == {"iterations": 32, "momentum": 0.99}


def test_networks_on_streams_of_world_sing_the_same(spec, tune, tmp_path):
    names = {"timelag": "rule", "duration": "rule", "acoustic": "rule", "vocoder": "hn"}
    voice = packed(voice_of(tmp_path, spec, **names), tmp_path / "voice.nnsvs")
    options = {"breathiness": 3.0, "gender": 1.1, "seed": 2}
    one, other = both(voice, tune, **options)
    assert np.abs(one.waveform - other.waveform).max() < ALIKE * max(1.0, np.abs(one.waveform).max())
    named = Singer.load(voice, vocoder="world", runtime="onnx")
    assert named.vocoder.name == "World" and Singer.load(voice, runtime="onnx").vocoder.name == "Hn"


@pytest.mark.slow
def test_end_to_end_voices_sing_the_same(spec, tune, tmp_path):
    names = {"timelag": "rule", "duration": "rule", "acoustic": "visinger2_tiny"}
    voice = packed(voice_of(tmp_path, spec, **names), tmp_path / "voice.nnsvs")
    one, other = both(voice, tune, seed=3)
    assert np.abs(one.waveform - other.waveform).max() < ALIKE and one.waveform.std() > 1e-3
    # The graph is not the size of its pieces.
    assert len(Pack.read(voice).files["graphs/vocoder.onnx"]) < 4e6


def test_a_vocoder_of_other_features_is_refused(mel, monkeypatch):
    made = Pack.read(mel)
    data = made.files[onnxvoice.FACTS]
    assert b'"fft_size": 1024' in data
    made.files[onnxvoice.FACTS] = data.replace(b'"fft_size": 1024', b'"fft_size": 2048')
    monkeypatch.setattr(Pack, "read", lambda path: made)
    with pytest.raises(DataError, match="the vocoder was trained on features of mel.fft_size 2048, not 1024"):
        Singer.load(mel, runtime="onnx")


@pytest.mark.parametrize("which", ["boxed", "mel"])
def test_torch_is_never_imported(which, tune, tmp_path, request):
    out = tmp_path / "song.wav"
    voice = BOXED_VOICE if which == "boxed" else request.getfixturevalue("mel")
    words = ["sing", str(tune), "--model", str(voice), "--runtime", "onnx", "-o", str(out)]
    code = f"""
import sys
from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.bin.main import main
status = main({words!r})
print(status, sorted({{"torch", "sklearn", "lightning_fabric", "matplotlib"}} & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "0 []", said.stdout + said.stderr
    assert out.stat().st_size > 100_000


def test_normal_numbers_are_those_of_torch():
    for count in (1, 2, 7, 15, 16, 17, 31, 32, 1000, 4 * 333):
        for seed in (0, 1, 2**40 + 5, 2**63 - 1):
            drawn = torch.randn(count, generator=torch.Generator().manual_seed(seed)).numpy()
            np.testing.assert_allclose(normal(count, seed), drawn, atol=1e-5)


def test_noise_and_melody_are_those_of_the_layers(items, spec):
    seeds = np.arange(len(items[0].score.note_context), dtype=np.int64) * 12345
    example = replace(items[0], score=replace(items[0].score, note_seed=seeds))
    batch = collate([example], spec.frame_shift, seed=9)
    size = batch.max_frames
    drawn = noise.frame_noise(batch.frame_lengths, size, 3, batch.seeds, 2)[0]
    np.testing.assert_allclose(frame_noise(example, 3, 9, 2), drawn, atol=1e-5)
    lengths = np.bincount(example.score.note_index, example.score.duration).astype(int)
    drawn = noise.note_noise(batch.score.note_seed, torch.tensor(lengths)[None], size, 2)[0]
    np.testing.assert_allclose(note_noise(example, 2), drawn, atol=1e-5)
    column = spec.column("note", SCORE_PITCH)
    line = smooth_pitch(batch, phone_of_frame(batch), column, spec.frame_shift)[0, :, 0]
    np.testing.assert_allclose(smooth_score(example, spec), line, atol=1e-5)


def test_a_model_that_cannot_be_a_graph_is_named(spec, tmp_path, capfd):
    names = {"timelag": "rule", "duration": "rule", "acoustic": "nnsvs_world_v4_tiny"}
    exp = voice_of(tmp_path, spec, **names)
    (exp / "LICENSE").write_text("Sing.")
    assert main(["pack", str(exp), "-o", str(tmp_path / "v.nnsvs"), "--corpus", "songs", "--onnx"]) == 1
    said = capfd.readouterr().err
    assert "cannot be sung with by onnxruntime: " in said and said.count("\n") == 1
    assert not (tmp_path / "v.nnsvs").exists()


def test_what_has_no_graphs_is_refused(toy_voice, tune, tmp_path, capfd):
    plain = tmp_path / "plain.nnsvs"
    pack(toy_voice, plain, _terms(tmp_path), "songs")
    for model, more, message in (
        (toy_voice, (), "onnxruntime sings with a packed voice; 'nnsvs-lite pack --onnx' makes one"),
        (plain, (), "plain.nnsvs: has no graphs for onnxruntime; 'nnsvs-lite pack --onnx' makes one"),
        (BOXED_VOICE, ("--device", "cuda"), "onnxruntime sings on the CPU, not on 'cuda'"),
        (BOXED_VOICE, ("--vocoder", "hn"), "hn is no vocoder that sings without torch"),
    ):
        out = str(tmp_path / "a.wav")
        words = ["sing", str(tune), "--model", str(model), "--runtime", "onnx", "-o", out, *more]
        assert main(words) == 1
        said = capfd.readouterr().err
        assert message in said and said.count("\n") == 1


def test_auto_is_onnxruntime_wherever_it_can_sing(toy_voice, tmp_path):
    plain, cut = tmp_path / "plain.nnsvs", tmp_path / "cut.nnsvs"
    pack(toy_voice, plain, _terms(tmp_path), "songs")
    cut.write_bytes(BOXED_VOICE.read_bytes()[:1000])
    for voice, options, computes in (
        (BOXED_VOICE, {}, "onnx"),
        (BOXED_VOICE, {"vocoder": "world"}, "onnx"),
        (BOXED_VOICE, {"vocoder": "hn"}, "torch"),
        (BOXED_VOICE, {"runtime": "torch"}, "torch"),
        (plain, {}, "torch"),
        (toy_voice, {}, "torch"),
    ):
        loaded = Singer.load(voice, **options)
        assert isinstance(loaded.acoustic, OnnxModel) == (computes == "onnx"), (voice, options)
    with pytest.raises(DataError, match="damaged or cut short"):
        Singer.load(cut)
    with pytest.raises(DataError, match="no runtime 'hum'; there are auto, torch, onnx"):
        Singer.load(BOXED_VOICE, runtime="hum")


def test_servers_take_the_same_rule(toy_voice, monkeypatch):
    found = find_voices([BOXED_VOICE, toy_voice], [])
    for runtime, both_sing in (("auto", True), ("torch", True), ("onnx", False)):
        _, work = worker.singer({"voices": found, "device": "cpu", "runtime": runtime})
        assert work({"describe": found[0].id}, print)["lang"] == "ja"
        if both_sing:
            assert work({"describe": found[1].id}, print)["lang"] == "ja"
        else:
            with pytest.raises(DataError, match="onnxruntime sings with a packed voice"):
                work({"describe": found[1].id}, print)
    computing = [isinstance(frames.loaded(BOXED_VOICE, runtime=r).acoustic, OnnxModel) for r in RUNTIMES]
    assert computing == [True, False, True]
    asked = []
    for module, name in ((server, "serve"), (voicevox, "serve_voicevox"), (enunu, "serve_enunu")):
        monkeypatch.setattr(module, name, lambda *args: asked.append(args[-1]))
    for more in ([], ["--voicevox"], ["--enunu"]):
        assert main(["serve", "--runtime", "onnx", *more]) == 0
        assert main(["serve", *more]) == 0
    assert asked == ["onnx", "auto"] * 3


def _terms(folder: Path) -> Path:
    (folder / "terms.txt").write_text("Sing as you like.\n")
    return folder / "terms.txt"


def with_habit(data, *none, **changes):
    """Facts with another habit of the acoustic model, or with none."""
    facts = json.loads(data)
    model = facts["models"]["acoustic"]
    model["habit"] = None if none else model["habit"] | changes
    return json.dumps(facts).encode()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (onnxvoice.FACTS, lambda data: b"[]", "graphs.json"),
        (onnxvoice.FACTS, lambda data: data.replace(b'"World"', b'"Hum"'), "Hum is no vocoder"),
        (onnxvoice.FACTS, lambda data: data.replace(b"archive/data/", b"elsewhere/"), "damaged"),
        (onnxvoice.FACTS, lambda data: data.replace(b'"habit"', b'"habits"'), "graphs.json"),
        (onnxvoice.FACTS, lambda data: with_habit(data, None), "a habit that is not there"),
        (onnxvoice.FACTS, lambda data: with_habit(data, presence=[]), "not of its singers and phones"),
        (onnxvoice.FACTS, lambda data: with_habit(data, presence=[[0.0]]), "not of its singers and phones"),
        (onnxvoice.FACTS, lambda data: with_habit(data, presence=[[0.0], []]), "damaged"),
        (onnxvoice.FACTS, lambda data: data.replace(b'"step": ', b'"step": -9'), "graphs.json"),
        (onnxvoice.FACTS, lambda data: data.replace(b'"World"', b'"GriffinLim"'), "needs mel"),
        (onnxvoice.SPEC, lambda data: b"{}", "features of version None"),
        ("graphs/acoustic.onnx", lambda data: data[:1000], "no ONNX network that can be loaded"),
        ("graphs/acoustic.onnx", lambda data: b"hello", "no ONNX network that can be loaded"),
    ],
)
def test_forged_graphs_are_refused(name, change, message, monkeypatch):
    made = Pack.read(BOXED_VOICE)
    made.files[name] = change(made.files[name])
    monkeypatch.setattr(Pack, "read", lambda path: made)
    with pytest.raises(DataError, match=message) as caught:
        onnxvoice.load_graphs(BOXED_VOICE)
    assert "\n" not in str(caught.value)


def test_options_of_another_vocoder_are_not_heard(monkeypatch):
    made = Pack.read(BOXED_VOICE)
    facts = json.loads(made.files[onnxvoice.FACTS])
    facts["griffin_lim"] = {"iterations": 3, "momentum": 0.5}
    made.files[onnxvoice.FACTS] = json.dumps(facts).encode()
    monkeypatch.setattr(Pack, "read", lambda path: made)
    assert onnxvoice.load_graphs(BOXED_VOICE)["vocoder"].name == "World"


def test_graphs_of_one_family_are_not_those_of_another(monkeypatch):
    made = Pack.read(BOXED_VOICE)
    made.files["graphs/duration.onnx"] = made.files["graphs/timelag.onnx"]
    monkeypatch.setattr(Pack, "read", lambda path: made)
    with pytest.raises(DataError, match="that of duration gives no mean"):
        onnxvoice.load_graphs(BOXED_VOICE)


def test_graphs_stay_in_a_voice_that_is_packed_anew(tmp_path):
    pack(BOXED_VOICE, tmp_path / "voice.nnsvs", corpus="other")
    made, boxed = Pack.read(tmp_path / "voice.nnsvs"), Pack.read(BOXED_VOICE)
    assert made.files == boxed.files and made.manifest["corpus"] == "other"


@pytest.mark.parametrize(("told", "number"), [("3", 3), ("4,2", 4), ("0", None), ("many", None)])
def test_threads_are_those_that_openmp_would_take(monkeypatch, told, number):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.delattr("os.sched_getaffinity")
    assert threads() == (number or os.cpu_count())


def test_graphs_are_put_into_a_packed_voice(tune, tmp_path):
    pack(BOXED_VOICE, tmp_path / "voice.nnsvs", graphs=voicegraphs.graph_files)
    made, boxed = Pack.read(tmp_path / "voice.nnsvs"), Pack.read(BOXED_VOICE)
    assert made.manifest["version"] == 3 and made.licence == boxed.licence
    assert made.files.keys() == boxed.files.keys() and made.manifest["corpus"] == "demo"
    size = sum(len(data) for name, data in made.files.items() if name.startswith("graphs/"))
    assert size < 0.6e6 and made.files[onnxvoice.SPEC] == boxed.files[onnxvoice.SPEC]
