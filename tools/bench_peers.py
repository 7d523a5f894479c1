"""The same work here and in NNSVS 0.1.1, in turn, and how many times less processor time it takes here.

    python tools/bench_peers.py [--wav FILE] [--rounds 5] [--work KIND ...]

Makes an environment for NNSVS under bench/nnsvs (some GB, minutes) at the first run. Kinds of work:

analysis   at 48 kHz; there harvest, as its recipes have it, here dio, and harvest
training   one step of networks of NNSVS' published sizes, on one batch of 4 phrases of 3 s
inference  of 16 such phrases: there one by one, as NNSVS does it, here in batches
diffusion  of 1 s by NNSVS' diffusion network: 100 steps there and here, and 8 of a flow here
song       a score of three minutes to a wav file with Sinsy's network, NNSVS' models of timing and WORLD at
           24 kHz, on both sides as a user has it sung: start-up, reading and writing counted

Each side runs in its own process, on one thread, one after the other in each round; start-up is not counted
but in a song's time. Networks have no trained weights: what they compute takes the same time.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
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
BATCH, PHRASES, FRAMES, SHORT, FEATURES, OUTPUTS = 4, 16, 600, 200, 86, 65
KINDS = ("analysis", "training", "inference", "diffusion", "song")
TRAINED = {
    "Sinsy, 42.2 M": "sinsy",
    "v2 (F0 autoregressive), 33.9 M": "nnsvs_world_v2",
    "convolutions, .6 M": "resf0_conv",
}
"""Networks that are trained, and their YAML here; the last one is near NNSVS' in size, but not in form."""
SUNG = {"Sinsy, 42.2 M": "sinsy", "v4, 55.7 M": "nnsvs_world_v4"}
DIFFUSED = {"100 steps": "nnsvs_diffusion_world", "8 steps": "flow_world"}
PHONES = """a i u e o N cl br pau sil k ky kw g gy gw s sh z j t ch ts ty d dy n ny h hy f fy b by p py v m my
y r ry w A I U E"""
NUMBERS = r"""/D:(\NOTE)! /E:(\NOTE)] /F:(\NOTE)# /A:(\d+)- /B:(\d+)_ /C:(\d+)+ /G:(\d+)_ /H:(\d+)_ /I:(\d+)_
/J:(\d+)~ ~(\d+)! !(\d+)@ @(\d+)# #(\d+)+ $(\d+)| |(\d+)[ [(\d+)& &(\d+)] =(\d+)^ ^(\d+)~ ~(\d+)# #(\d+)_
_(\d+); ;(\d+)$ $(\d+)& &(\d+)% %(\d+)[ [(\d+)| |(\d+)] #(\d+)- +(\d+)% %(\d+);"""
"""What is asked of full-context labels: as many questions as NNSVS' recipes have, pitch where theirs is."""


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


def least(work: Callable[[], object], times: int = 2) -> float:
    """Seconds of processor time of the quickest of a few runs."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def their_network(name: str) -> "torch.nn.Module":  # noqa: F821
    """A network of NNSVS, of the sizes that its recipes publish, for streams of 60, 1, 1 and 3 numbers."""
    from nnsvs import acoustic_models as systems
    from nnsvs.diffsinger import DiffNet, GaussianDiffusion
    from nnsvs.model import FFConvLSTM, LSTMEncoder

    places = {"in_lf0_idx": 51, "out_lf0_idx": 60}
    if name.startswith("Sinsy"):
        return systems.ResSkipF0FFConvLSTM(FEATURES, out_dim=OUTPUTS, **places)
    if name.startswith("convolutions"):
        return systems.ResF0Conv1dResnet(FEATURES, 128, OUTPUTS, num_layers=6, **places)
    phones = {"in_ph_start_idx": 3, "in_ph_end_idx": 50, "embed_dim": 256}

    def encoder(inputs: int, outputs: int, ff: int, layers: int = 2, **more: object) -> FFConvLSTM:
        return FFConvLSTM(inputs, ff, ff // 2, ff // 4, outputs, num_lstm_layers=layers, **more)

    def decoder(outputs: int, ff: int, layers: int, hidden: int, depth: int, **more: object) -> dict:
        sizes = {"ff_hidden_dim": ff, "conv_hidden_dim": ff // 2, "lstm_hidden_dim": ff // 4}
        depths = {"num_lstm_layers": layers, "decoder_layers": depth, "decoder_hidden_dim": hidden}
        rest = {"out_dim": outputs, "prenet_layers": 0, "zoneout": 0.0, "downsample_by_conv": True}
        return {**sizes, **depths, **rest, **phones, **more}

    f0 = systems.BiLSTMResF0NonAttentiveDecoder(
        FEATURES, reduction_factor=4, in_lf0_idx=51, out_lf0_idx=0, **decoder(1, 256, 2, 256, 1)
    )
    shared = (FEATURES, OUTPUTS, [60, 1, 1, 3], 4)
    if name.startswith("v2"):
        return systems.MultistreamSeparateF0ParametricModel(
            *shared,
            encoder=LSTMEncoder(FEATURES, 512, 1024, num_layers=3, **phones),
            lf0_model=f0,
            mgc_model=encoder(1026, 60, 1024, dropout=0.1),
            vuv_model=encoder(1026, 1, 256, dropout=0.1),
            bap_model=FFConvLSTM(1026, 256, 128, 62, 3),
            in_rest_idx=0,
            **places,
        )
    if name.startswith("v4"):
        postnet = {"reduction_factor": 2, "postnet_layers": 5}
        spectra, bands = (
            systems.BiLSTMNonAttentiveDecoder(FEATURES + 1, **decoder(outputs, 1024, 3, hidden, 2, **postnet))
            for outputs, hidden in ((60, 1024), (3, 256))
        )
        voicing = encoder(FEATURES + 4, 1, 256, dropout=0.1, **phones)
        return systems.NPSSMultistreamParametricModel(
            *shared, lf0_model=f0, mgc_model=spectra, bap_model=bands, vuv_model=voicing, **places
        )

    def diffused(outputs: int, channels: int, layers: int) -> GaussianDiffusion:
        return GaussianDiffusion(
            FEATURES + 1,
            outputs,
            DiffNet(outputs, channels, layers, channels, 4),
            encoder(FEATURES + 1, channels, 2 * channels, **phones),
        )

    return systems.NPSSMDNMultistreamParametricModel(
        *shared,
        lf0_model=f0,
        mgc_model=diffused(60, 256, 20),
        bap_model=diffused(3, 128, 10),
        vuv_model=encoder(FEATURES + 61, 1, 256, dropout=0.1, **phones),
        vuv_model_bap_conditioning=False,
        vuv_model_mgc_conditioning=True,
        **places,
    )


def theirs(wav: str, kinds: Sequence[str]) -> dict[str, float]:
    """Seconds of each work; what NNSVS' analysis calls, and its own models."""
    import librosa
    import pysptk
    import pyworld
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)

    def analyse(x: "np.ndarray") -> None:  # noqa: F821
        f0, times = pyworld.harvest(x, 48000, frame_period=5, f0_floor=150, f0_ceil=700)
        spectra = pyworld.cheaptrick(x, f0, times, 48000, f0_floor=150)
        aperiodicity = pyworld.d4c(x, f0, times, 48000, threshold=0.15)
        pysptk.sp2mc(spectra, 59, pysptk.util.mcepalpha(48000))
        pyworld.code_aperiodicity(aperiodicity, 48000)

    scores, target = torch.rand(BATCH, FRAMES, FEATURES), torch.rand(BATCH, FRAMES, OUTPUTS)
    scores[:, :, 3:50] = torch.eye(47)[torch.randint(0, 47, (BATCH, FRAMES))]

    def trained(name: str) -> float:
        model = their_network(name)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

        def step() -> None:
            out = model(scores, torch.full((BATCH,), FRAMES), target)
            torch.nn.functional.mse_loss(out[0] if isinstance(out, tuple) else out, target).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        return least(step)

    @torch.no_grad()
    def sung(name: str) -> float:
        model = their_network(name).eval()
        phrases = scores[:1, :SHORT] if name == "diffusion" else [*scores] * (PHRASES // BATCH)
        return least(lambda: [model.inference(x[None], [len(x)]) for x in phrases], 1)

    taken = {}
    if "analysis" in kinds:
        x = librosa.load(wav, sr=48000)[0].astype("float64")
        taken |= dict.fromkeys(("analysis", "analysis, harvest"), least(lambda: analyse(x)))
    for name in TRAINED if "training" in kinds else ():
        taken |= dict.fromkeys((f"step, {name}", f"step, {name}, bf16"), trained(name))
    for name in SUNG if "inference" in kinds else ():
        taken[f"inference, {name}"] = sung(name)
    if "diffusion" in kinds:
        taken |= dict.fromkeys([f"diffusion, {name}" for name in DIFFUSED], sung("diffusion"))
    return taken


def their_voice(folder: Path) -> None:
    """Writes what NNSVS' engine reads of a voice, with networks of NNSVS' own sizes."""
    import numpy as np
    import torch
    import yaml
    from hydra.utils import instantiate

    low, high = np.log([80.0, 1000.0]).tolist()
    mean, deviation = (low + high) / 2, (high - low) / 6
    steps = {"in_lf0_min": low, "in_lf0_max": high, "out_lf0_mean": mean, "out_lf0_scale": deviation}
    predictor = {"_target_": "nnsvs.model.VariancePredictor", "in_dim": FEATURES - 4, "out_dim": 1}
    mixture = {"use_mdn": True, "num_gaussians": 4}
    networks = {
        "timelag": predictor | mixture | {"num_layers": 3, "hidden_dim": 32, "kernel_size": 3},
        "duration": predictor | mixture | {"num_layers": 5, "hidden_dim": 256, "kernel_size": 5},
        "acoustic": {
            "_target_": "nnsvs.acoustic_models.ResSkipF0FFConvLSTM",
            **{"in_dim": FEATURES, "out_dim": OUTPUTS, "in_lf0_idx": 51, "out_lf0_idx": 60, **steps},
        },
    }
    # Mean and deviation of what comes out: frames, and of sound what F0 and voicing need.
    scales = {"timelag": ([0.0], [2.0]), "duration": ([15.0], [5.0])}
    scales["acoustic"] = [*[0.0] * 60, mean, 1.0, *[-10.0] * 3], [*[0.1] * 60, deviation, 0.1, *[1.0] * 3]
    folder.mkdir(parents=True)
    asked = [("QS", f"*-{phone}+*") for phone in ("pau", "sil", "br", *PHONES.split())]
    asked += [("CQS", number) for number in NUMBERS.split()]
    lines = (f'{kind} "q{number}" {{{pattern}}}\n' for number, (kind, pattern) in enumerate(asked))
    (folder / "qst.hed").write_text("".join(lines))
    clipped = {"force_clip_input_features": True}
    general = {"sample_rate": 24000, "frame_period": 5, "log_f0_conditioning": True, "use_world_codec": True}
    general |= {"timelag": {"allowed_range": [-20, 20], "allowed_range_rest": [-40, 40], **clipped}}
    general |= {"duration": clipped, "acoustic": {"relative_f0": False}}
    (folder / "config.yaml").write_text(yaml.safe_dump(general))
    for family, network in networks.items():
        sizes = [60, 1, 1, 3] if family == "acoustic" else [1]
        streams = {"stream_sizes": sizes, "has_dynamic_features": [False] * len(sizes), "num_windows": 1}
        (folder / f"{family}_model.yaml").write_text(yaml.safe_dump({"netG": network, **streams}))
        torch.save({"state_dict": instantiate(network).state_dict()}, folder / f"{family}_model.pth")
        scale, least_value = np.ones(network["in_dim"]), np.zeros(network["in_dim"])
        scale[50:53], least_value[50:53] = 1 / (high - low), -low / (high - low)
        means, deviations = map(np.array, scales[family])
        arrays = {"in_{}_min": least_value, "in_{}_scale": scale}
        arrays |= {"out_{}_mean": means, "out_{}_var": deviations**2, "out_{}_scale": deviations}
        for name, values in arrays.items():
            place, kind = name.format(family).rsplit("_", 1)
            np.save(folder / f"{place}_scaler_{kind}.npy", values.astype(np.float32))


def their_song(voice: str, score: str, wav: str) -> None:
    """Sings as the documentation of NNSVS' engine says."""
    import pysinsy
    from nnmnkwii.io import hts
    from nnsvs.svs import SPSVS
    from scipy.io import wavfile

    labels = hts.HTSLabelFile.create_from_contexts(pysinsy.extract_fullcontext(score))
    samples, rate = SPSVS(voice).svs(labels)
    wavfile.write(wav, rate, samples)


def our_voice(folder: Path) -> None:
    """Writes a voice of the same sizes."""
    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.models.checkpoint import save_model
    from nnsvs_lite.models.config import Config
    from nnsvs_lite.models.pack import FILES

    with tempfile.TemporaryDirectory() as dump:
        spec = Spec.read(toy_dump(Path(dump) / "dump", 2))
    for family, name in (("timelag", "vp_mdn"), ("duration", "vp_mdn"), ("acoustic", "sinsy")):
        config = Config.read(ROOT / "conf" / family / f"{name}.yaml")
        save_model(folder / FILES[family], config.build(spec), config, {})


def toy_dump(folder: Path, count: int) -> Path:
    """A dump of so many utterances with features of the recipes' sizes."""
    sys.path.insert(0, os.fspath(ROOT / "tests"))
    from toy import make_dump

    return make_dump(folder, {"train": count}, mgc=60, notes=(5, 6))


def even(frames: int, count: int):
    """Durations of so many phones, near alike, that are so many frames together."""
    import numpy as np

    return np.diff(np.r_[0, (np.arange(count) + 1) * frames // count])


def ours(wav: str, kinds: Sequence[str]) -> dict[str, float]:
    """Seconds of each work here."""
    import numpy as np
    import torch

    from nnsvs_lite.features.audio import read_wav, resample
    from nnsvs_lite.features.config import F0Config, FeatureConfig, WorldConfig
    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.features.utterance import analyse
    from nnsvs_lite.models.config import Config
    from nnsvs_lite.synthesis.predict import predict_acoustic
    from nnsvs_lite.training.data import DumpDataset, collate

    torch.set_num_threads(1)
    torch.manual_seed(0)
    taken = {}
    if "analysis" in kinds:
        x = resample(*read_wav(wav), 48000)
        for name, tracker in (("analysis", "dio"), ("analysis, harvest", "harvest")):
            config = FeatureConfig(48000, 0.005, f0=F0Config(tracker), world=WorldConfig())
            taken[name] = least(lambda config=config: analyse(x, config))
    with tempfile.TemporaryDirectory() as folder:
        dump = toy_dump(Path(folder) / "dump", PHRASES)
        spec = Spec.read(dump)
        data = DumpDataset(dump, "train", spec, streams=True)
        examples = [data[i] for i in range(PHRASES)]
    for example in examples:
        # All of one length, as there.
        example.score.duration = even(FRAMES, len(example.score.duration))
        streams = {name: np.resize(v, (FRAMES, v.shape[1])) for name, v in example.streams.items()}
        example.streams.update(streams)
    batch = collate(examples[:BATCH], spec.frame_shift)
    assert (batch.frame_lengths == FRAMES).all()

    def network(name: str) -> torch.nn.Module:
        return Config.read(ROOT / "conf" / "acoustic" / f"{name}.yaml").build(spec)

    def trained(name: str, half: bool) -> float:
        model = network(name).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

        def step() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = model.loss(batch)["loss"]
            loss.float().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        return least(step)

    def sung(name: str) -> float:
        model = network(name).eval()
        timed = [example.timed(example.score.duration) for example in examples]
        if name in DIFFUSED.values():
            timed = [examples[0].timed(even(SHORT, len(examples[0].score.duration)))]
        return least(lambda: list(predict_acoustic(timed, model)), 1)

    for name, system in TRAINED.items() if "training" in kinds else ():
        taken[f"step, {name}"], taken[f"step, {name}, bf16"] = (trained(system, h) for h in (False, True))
    for name, system in SUNG.items() if "inference" in kinds else ():
        taken[f"inference, {name}"] = sung(system)
    for name, system in DIFFUSED.items() if "diffusion" in kinds else ():
        taken[f"diffusion, {name}"] = sung(system)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--wav", help="recording to analyse; a song of the demo corpus if not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--work", nargs="+", choices=KINDS, default=KINDS, metavar="KIND", help="kinds of work"
    )
    parser.add_argument("--env", type=Path, default=ROOT / "bench" / "nnsvs")
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the song")
    parser.add_argument("--side", choices=("theirs", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--voice", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--song", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.song:
        their_song(*args.song)
    elif args.voice:
        {"theirs": their_voice, "ours": our_voice}[args.side](args.voice)
    elif args.side:
        print(json.dumps({"theirs": theirs, "ours": ours}[args.side](args.wav, args.work)))
    else:
        compare(args)


def compare(args: argparse.Namespace) -> None:
    """Runs both sides in turn, and prints their times."""
    from bench_sing import long_score, timed

    wav = args.wav or next(map(os.fspath, sorted(ROOT.glob("egs/demo/svs1/downloads/**/*.wav"))), "")
    if not wav and "analysis" in args.work:
        sys.exit("bench_peers: no recording: run 'make demo' first, or give --wav")
    pythons = {"theirs": make_environment(args.env.absolute()), "ours": Path(sys.executable)}
    env, rows = {**os.environ, "OMP_NUM_THREADS": "1"}, []
    env.pop("PYTHONPATH", None)
    envs = {"theirs": env, "ours": env | {"PYTHONPATH": os.fspath(ROOT)}}

    def side(name: str, *more: object) -> list[str]:
        return [os.fspath(pythons[name]), __file__, "--side", name, *map(str, more)]

    with tempfile.TemporaryDirectory() as folder:
        score, sung, voices = (Path(folder) / name for name in ("song.musicxml", "song.wav", "voices"))
        sing = {"theirs": side("theirs", "--song", voices / "theirs", score, sung)}
        sing["ours"] = [sys.executable, "-m", "nnsvs_lite.bin.main", "sing", os.fspath(score)]
        sing["ours"] += ["-o", os.fspath(sung), "--model", os.fspath(voices / "ours"), "--runtime", "torch"]
        if "song" in args.work:
            long_score(score, args.seconds)
            for name in pythons:
                subprocess.run(side(name, "--voice", voices / name), env=envs[name], check=True)
        for _ in range(args.rounds):
            row: dict[str, dict[str, float]] = {}
            for name in pythons:
                command = side(name, "--wav", wav, "--work", *args.work)
                said = subprocess.run(command, env=envs[name], stdout=subprocess.PIPE, text=True, check=True)
                row[name] = json.loads(said.stdout.splitlines()[-1])
                if "song" in args.work:
                    row[name]["song, Sinsy, 42.2 M"] = timed(sing[name], env=envs[name])[1]
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    print(f"{'work':<40}  NNSVS s   here s    ratio    least     most")
    for work in rows[0]["ours"]:
        there, here = ([row[side][work] for row in rows] for side in pythons)
        ratios = sorted(a / b for a, b in zip(there, here))
        middle = [statistics.median(values) for values in (there, here, ratios)]
        numbers = " ".join(f"{value:8.2f}" for value in (*middle, ratios[0], ratios[-1]))
        print(f"{work:<40} {numbers}")


if __name__ == "__main__":
    main()
