"""The same work here and in NNSVS 0.1.1, in turn, and how many times less processor time it takes here.

    python tools/bench_peers.py [--wav FILE] [--rounds 5]

Makes an environment for NNSVS under bench/nnsvs (some GB, minutes) at the first run. Work is analysis at
48 kHz (there harvest, as its recipes have it; here dio, and harvest), and of Sinsy's network at its published
size (42 M) one training step and inference, on one batch of 4 phrases. Each side runs in its own process,
on one thread, one after the other in each round; start-up is not counted.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = (
    ("setuptools<81", "wheel", "numpy==1.26.4", "scipy==1.11.4", "cython==0.29.37"),
    ("torch==2.13.0",),
    ("pyworld==0.3.5", "pysptk==1.0.1", "pysinsy==0.0.5", "nnmnkwii==0.1.3"),
    ("hydra-core", "hydra_colorlog", "librosa", "pyloudnorm", "h5py", "tensorboard", "torchaudio"),
    ("setuptools<81",),
)
"""Installed one after the other; then NNSVS without what it asks for, which no longer resolves."""
BATCH, FRAMES, FEATURES, OUTPUTS = 4, 600, 86, 65
WORK = ("analysis", "analysis, harvest", "training step", "training step, bf16", "inference")


def make_environment(folder: Path) -> Path:
    """The Python of an environment that holds NNSVS, made unless it is there."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "-q", "--no-build-isolation"]
        for packages in (*PINS, ("--no-deps", "nnsvs==0.1.1")):
            subprocess.run([*pip, *packages], check=True)
        (folder / "ready").touch()
    return python


def least(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of processor time of the quickest of a few runs."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def theirs(wav: str) -> dict[str, float]:
    """Seconds of each work; what NNSVS' analysis calls, and its own model."""
    import librosa
    import pysptk
    import pyworld
    import torch
    from nnsvs.acoustic_models.sinsy import ResSkipF0FFConvLSTM

    x = librosa.load(wav, sr=48000)[0].astype("float64")

    def analyse() -> None:
        f0, times = pyworld.harvest(x, 48000, frame_period=5, f0_floor=150, f0_ceil=700)
        spectra = pyworld.cheaptrick(x, f0, times, 48000, f0_floor=150)
        aperiodicity = pyworld.d4c(x, f0, times, 48000, threshold=0.15)
        pysptk.sp2mc(spectra, 59, pysptk.util.mcepalpha(48000))
        pyworld.code_aperiodicity(aperiodicity, 48000)

    torch.set_num_threads(1)
    torch.manual_seed(0)
    place = {"in_lf0_idx": 51, "out_lf0_idx": 60}
    model = ResSkipF0FFConvLSTM(FEATURES, out_dim=OUTPUTS, **place)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    batch = torch.rand(BATCH, FRAMES, FEATURES), torch.full((BATCH,), FRAMES)
    target = torch.rand(BATCH, FRAMES, OUTPUTS)

    def step() -> None:
        out = model(*batch, target)
        torch.nn.functional.mse_loss(out[0] if isinstance(out, tuple) else out, target).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    taken = dict.fromkeys(("analysis", "analysis, harvest"), least(analyse))
    taken |= dict.fromkeys(("training step", "training step, bf16"), least(step))
    model.eval()
    with torch.no_grad():
        taken["inference"] = least(
            lambda: [model.inference(batch[0][i : i + 1], [FRAMES]) for i in range(BATCH)]
        )
    return taken


def ours(wav: str) -> dict[str, float]:
    """Seconds of each work here."""
    import tempfile

    import numpy as np
    import torch

    from nnsvs_lite.features.audio import read_wav, resample
    from nnsvs_lite.features.config import F0Config, FeatureConfig, WorldConfig
    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.features.utterance import analyse
    from nnsvs_lite.models.config import Config
    from nnsvs_lite.synthesis.predict import predict_acoustic
    from nnsvs_lite.training.data import DumpDataset, collate

    sys.path.insert(0, os.fspath(ROOT / "tests"))
    from toy import make_dump

    x, rate = read_wav(wav)
    x = resample(x, rate, 48000)
    taken = {}
    for name, tracker in (("analysis", "dio"), ("analysis, harvest", "harvest")):
        config = FeatureConfig(48000, 0.005, f0=F0Config(tracker), world=WorldConfig())
        taken[name] = least(lambda config=config: analyse(x, config))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        dump = make_dump(Path(folder) / "dump", {"train": BATCH}, mgc=60, notes=(5, 6))
        spec = Spec.read(dump)
        data = DumpDataset(dump, "train", spec, streams=True)
        examples = [data[i] for i in range(BATCH)]
    for example in examples:
        # All of one length, as there.
        cells = np.arange(len(example.score.duration))
        example.score.duration = np.diff(np.r_[0, (cells + 1) * FRAMES // len(cells)])
        streams = {name: np.resize(v, (FRAMES, v.shape[1])) for name, v in example.streams.items()}
        example.streams.update(streams)
    batch = collate(examples, spec.frame_shift)
    assert (batch.frame_lengths == FRAMES).all()
    model = Config.read(ROOT / "conf" / "acoustic" / "sinsy.yaml").build(spec).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def step(half: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model.loss(batch)["loss"]
        loss.float().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    taken["training step"], taken["training step, bf16"] = (least(lambda h=h: step(h)) for h in (False, True))
    sung = [example.timed(example.score.duration) for example in examples]
    model.eval()
    taken["inference"] = least(lambda: list(predict_acoustic(sung, model)))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--wav", help="recording to analyse; a song of the demo corpus if not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--env", type=Path, default=ROOT / "bench" / "nnsvs")
    parser.add_argument("--side", choices=("theirs", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps({"theirs": theirs, "ours": ours}[args.side](args.wav)))
        return
    wav = args.wav or next(map(os.fspath, sorted(ROOT.glob("egs/demo/svs1/downloads/**/*.wav"))), None)
    if wav is None:
        sys.exit("bench_peers: no recording: run 'make demo' first, or give --wav")
    pythons = {"theirs": make_environment(args.env.absolute()), "ours": Path(sys.executable)}
    env, rows = {**os.environ, "OMP_NUM_THREADS": "1"}, []
    env.pop("PYTHONPATH", None)
    for _ in range(args.rounds):
        row = {}
        for side, python in pythons.items():
            path = {"PYTHONPATH": os.fspath(ROOT)} if side == "ours" else {}
            command = [python, __file__, "--side", side, "--wav", wav]
            said = subprocess.run(command, env=env | path, stdout=subprocess.PIPE, text=True, check=True)
            row[side] = json.loads(said.stdout.splitlines()[-1])
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
    print(f"{'work':<22}  NNSVS s   here s    ratio    least     most")
    for work in WORK:
        there, here = ([row[side][work] for row in rows] for side in pythons)
        ratios = sorted(a / b for a, b in zip(there, here))
        middle = [statistics.median(values) for values in (there, here, ratios)]
        numbers = " ".join(f"{value:8.2f}" for value in (*middle, ratios[0], ratios[-1]))
        print(f"{work:<22} {numbers}")


if __name__ == "__main__":
    main()
