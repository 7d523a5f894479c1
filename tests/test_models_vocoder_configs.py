"""Every vocoder of the zoo: trained by the command, resumed to the same bytes, and sung with."""

import json
from pathlib import Path

import numpy as np
import pytest
from killing import check_same, killed_at
from models_common import ROOT
from toy import make_dump, make_recordings, make_score
from vocoder_common import TRAINED, head

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.pack import assemble, pack
from nnsvs_lite.models.vocoder.harmonic_noise import HarmonicNoise
from nnsvs_lite.models.vocoder.neural import NeuralVocoder
from nnsvs_lite.models.vocoder.signal import SignalVocoder
from nnsvs_lite.synthesis.decode import decode_natural
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocode import vocode
from nnsvs_lite.training.keep import State

EVERY = sorted((ROOT / "conf" / "vocoder").glob("[!_]*"))
TINY = [path for path in TRAINED if path.stem.endswith("_tiny")]
QUICK = ("nsf_hifigan_tiny", "hn_istft_tiny")
"""One with discriminators and one without; the others are slow."""
SMALL = ["--training.updates=4", "--training.eval_updates=2", "--training.crop_frames=20"]
SMALL += ["--training.batch_frames=20", "--training.warmup=1", "--training.lr=2e-3", "--training.loudness=6"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("vocoders")
    dump = make_dump(folder / "dump", {"train": 2, "dev": 1}, mgc=60, notes=(1, 1))
    make_recordings(dump, folder / "data")
    return dump


def run(dump: Path, path: Path, out: Path, *more: str) -> Path:
    words = ["train", "--config", path, "--dump", dump, "--data", dump.parent / "data", "--out", out]
    assert main([str(word) for word in (*words, *SMALL, *more)]) == 0
    return out


def adversarial_at_once(path: Path) -> list[str]:
    """Options by which discriminators judge from the second update on, where there are any."""
    kind = Config.read(path).model_class
    return ["--model.options.adversarial_from=1"] if issubclass(kind, NeuralVocoder) else []


@pytest.mark.parametrize("path", EVERY, ids=lambda p: p.stem)
def test_each_is_of_a_family_that_tests_run_over(path):
    kind = Config.read(path).model_class
    assert issubclass(kind, (NeuralVocoder, HarmonicNoise, SignalVocoder))
    assert (head(path, "Parameters") == "0") == (not kind.trains and not kind.fits)


@pytest.mark.parametrize(
    "path",
    [p if p.stem in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in TINY],
    ids=lambda p: p.stem,
)
def test_it_is_trained_and_resumed_to_the_same_bytes(path, dump, tmp_path):
    more = adversarial_at_once(path)
    whole = run(dump, path, tmp_path / "whole", *more)
    rows = [json.loads(line) for line in (whole / "losses.jsonl").read_text().splitlines()]
    assert [row["update"] for row in rows] == [0, 2, 4]
    assert all(np.isfinite(row["dev"]["loss"]) for row in rows)
    assert ("adversarial" in rows[-1]["train"]) == bool(more)
    with killed_at(State, "save", 2, True):
        run(dump, path, tmp_path / "exp", *more)
    check_same(run(dump, path, tmp_path / "exp", *more), whole)


def test_several_processes_make_what_one_makes(dump, tmp_path):
    """Of a network whose weights are computed from others, which cannot be sent to them."""
    path = TINY[0].with_name("nsf_hifigan_tiny.yaml")
    config = Config.read(path)
    save_model(tmp_path / "vocoder" / "model.pt", config.build(Spec.read(dump)), config, {})
    decode_natural(dump, "train", tmp_path / "eval")
    made = {}
    for nj in (1, 2):
        out = tmp_path / f"nj{nj}"
        assert vocode(tmp_path / "eval", nj, tmp_path / "vocoder", out=out)
        made[nj] = {wav.name: wav.read_bytes() for wav in out.rglob("*.wav")}
    assert len(made[1]) == 2 and made[1] == made[2]


def test_a_voice_with_a_vocoder_of_its_own_sings_and_is_packed(dump, toy_exps, tmp_path):
    trained = run(dump, TINY[0].with_name("hn_istft_tiny.yaml"), tmp_path / "vocoder_hn")
    voice, words = tmp_path / "voice", ["train", "--dump", str(dump)]
    for family in ("timelag", "duration", "acoustic"):
        out = voice if family == "acoustic" else tmp_path / family
        assert main([*words, "--config", f"{family}/rule", "--out", str(out)]) == 0
    given = {family: tmp_path / family / "model.pt" for family in ("timelag", "duration")}
    assemble(voice, **given, vocoder=trained / "model.pt")
    (tmp_path / "terms.txt").write_text("Sing as you like.\n")
    made = pack(voice, tmp_path / "v.nnsvs", licence=tmp_path / "terms.txt", corpus="toy")
    assert "vocoder model" in made.describe() and "HnIstft" in made.describe()
    song = make_score(np.random.default_rng(0), 3)
    alone, packed = (Singer.load(path).sing(song).waveform for path in (voice, tmp_path / "v.nnsvs"))
    world = Singer.load(voice, vocoder="world").sing(song).waveform
    assert np.array_equal(alone, packed) and len(alone) == len(world)
    assert np.abs(alone - world).max() > 0.01 * np.abs(world).max()
    assert type(load_model(trained, "vocoder")).__name__ == "HnIstft"
    assert Spec.read(dump).streams == load_model(trained, "vocoder").spec.streams
