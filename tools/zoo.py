"""Trains every small system of the zoo on one recipe's data, and writes the tables of docs/zoo.md.

    tools/zoo.py run --recipe egs/demo/svs1:world_24k           train, sing and score; only what is missing
    tools/zoo.py speed --recipe egs/demo/svs1:world_24k         time them, on a machine that does nothing else
    tools/zoo.py table --recipe egs/demo/svs1:world_24k --recipe egs/nit_song070/svs1:world_48k    docs/zoo.md

The recipe's features and its rule and timing models must be there: stages 0 to 5 with ``--timelag-config mdn
--duration-config mdn``. All acoustic systems are
shown the same number of frames, and sing with the same time-lag and duration models.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from zoo_table import TIMING_EPOCHS, Entry, Recipe, page

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import write_json, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.config import hears_recordings

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
SECOND = ("diffsinger_fewstep_tiny",)


def entries(wanted: Sequence[str] = ()) -> list[Entry]:
    """Small configurations: those that are tiny, or have no tiny one; ``wanted`` picks some by name."""
    found = []
    for family in ("timelag", "duration", "acoustic"):
        for path in sorted((CONF / family).glob("[!_]*.yaml")):
            # What learns from another system's training is none to set beside it.
            if not path.with_name(f"{path.stem}_tiny.yaml").exists() and path.stem not in ("rule", *SECOND):
                # Nor what learns from recordings, for other epochs, and sings without these vocoders.
                if hears_recordings(path):
                    continue
                found.append(Entry(family, path))
    unknown = set(wanted) - {e.name for e in found}
    if unknown:
        sys.exit(f"zoo: no system {sorted(unknown)[0]!r}; there are: {', '.join(e.name for e in found)}")
    return [e for e in found if not wanted or e.name in wanted]


def suited(found: Sequence[Entry], recipe: Recipe) -> list[Entry]:
    """Those that a recipe's features are for: some systems are of mel spectra alone, as their heads say,
    others refuse them.
    """
    spec = Spec.read(recipe.dump)
    if "mel" not in spec.streams:
        return [entry for entry in found if "\n# Features: " not in entry.path.read_text()]
    return [entry for entry in found if takes(entry.path, spec)]


def takes(config: Path, spec: Spec) -> bool:
    """Whether a system can be built for features."""
    import torch

    from nnsvs_lite.models.config import Config

    try:
        with torch.device("meta"):
            Config.read(config).build(spec)
    except DataError:
        return False
    return True


def call(log: Path, *words: object, made: Path | None = None) -> None:
    """Runs ``nnsvs-lite``; a failure ends this program with the place of its log, unless the command has
    written ``made`` all the same, as ``evaluate`` does where phrases could not be scored.
    """
    command = [os.fspath(Path(sys.executable).parent / "nnsvs-lite"), *map(str, words)]
    before = made and made.exists() and made.stat().st_mtime_ns
    with log.open("a") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    if status and not (made and made.exists() and made.stat().st_mtime_ns != before):
        sys.exit(f"zoo: {' '.join(map(str, words[:3]))} failed; see {log}")


def sing_and_score(recipe: Recipe, decode: Path, log: Path) -> None:
    """Makes waveforms of what was decoded, and scores them."""
    call(log, "vocode", "--decode-dir", decode)
    call(
        log,
        *("evaluate", "--dump", recipe.dump, "--set", "eval", "--system", f"model={decode}"),
        *("--out", decode / "results.json"),
    )


def score_times(recipe: Recipe, decode: Path) -> None:
    """Scores predicted phone times, for which no waveform is needed."""
    from nnsvs_lite.evaluation.measures import vectors
    from nnsvs_lite.evaluation.reference import Reference, Rendition
    from nnsvs_lite.evaluation.results import Run
    from nnsvs_lite.io.ctm import read_ctm

    reference, found = Reference(recipe.dump, "eval"), read_ctm(decode / "pred.ctm")
    sums: dict[str, dict[str, np.ndarray]] = {}
    for utt in reference.utts:
        utterance = reference[utt]
        sung = Rendition(**utterance.times(found[utt]))
        for key, vector in vectors(utterance.rendition, sung, "main", "more").items():
            sums.setdefault(key, {})[utt] = vector
    write_json(decode / "results.json", {"model": Run("model", sums).to_json()})


def run_one(recipe: Recipe, entry: Entry, seed: int, epochs: int) -> None:
    """Trains, sings and scores one system with one seed; ``epochs`` of an acoustic system."""
    out = recipe.zoo / entry.family / entry.path.stem / f"seed{seed}"
    out.mkdir(parents=True, exist_ok=True)
    log = out / "zoo.log"
    epochs = epochs if entry.family == "acoustic" else TIMING_EPOCHS
    # min_steps and patience would give some systems more passes than others.
    same = [f"--training.epochs={epochs}", "--training.min_steps=0", "--training.patience=0"]
    call(
        log,
        *("train", "--config", entry.path, "--dump", recipe.dump, "--out", out, "--seed", seed),
        *("--train-set", "train", "--dev-set", "dev", *same),
    )
    models = {
        "acoustic": recipe.exp("acoustic_rule"),
        "timelag": recipe.exp("timelag_mdn"),
        "duration": recipe.exp("duration_mdn"),
    }
    models[entry.family] = out
    decode = out / "eval"
    words = [w for family, path in models.items() for w in (f"--{family}", path)]
    call(log, "decode", "--dump", recipe.dump, "--set", "eval", "--out", decode, "--seed", seed, *words)
    if entry.family == "acoustic":
        sing_and_score(recipe, decode, log)
    else:
        score_times(recipe, decode)
    print(f"{recipe.folder.parent.name} {entry.name} seed {seed}: done", flush=True)


def run_references(recipe: Recipe) -> None:
    """Scores the floor and the ceiling, which the recipe has sung already."""
    out = recipe.zoo / "references"
    out.mkdir(parents=True, exist_ok=True)
    rule = recipe.exp("acoustic_rule") / "decode_rule" / "eval"
    natural = recipe.folder / "exp" / "analysis_synthesis" / recipe.features / "eval"
    systems = [
        word
        for name, path in (("rule", rule), ("analysis_synthesis", natural))
        for word in ("--system", f"{name}={path}")
    ]
    call(
        out / "zoo.log",
        "evaluate",
        "--dump",
        recipe.dump,
        "--set",
        "eval",
        *systems,
        "--out",
        out / "results.json",
    )


def measure_speed(recipe: Recipe, entry: Entry) -> dict[str, float]:
    """Frames trained a second, and seconds of inference per second of singing, on one thread.

    The fastest of three: noise only ever slows down. A batch of the recipe's own budget for
    training; the whole eval set, in batches, for inference.
    """
    import time

    import torch

    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.models.batch import collate
    from nnsvs_lite.models.checkpoint import load_model
    from nnsvs_lite.models.config import Config
    from nnsvs_lite.synthesis.predict import predict_acoustic
    from nnsvs_lite.training.data import DumpDataset, pack

    torch.set_num_threads(1)
    config, spec = Config.read(entry.path), Spec.read(recipe.dump)
    model = config.model_class(spec, **config.init_args)
    if model.fits:
        # What it costs to sing depends on what was grown.
        model = load_model(recipe.zoo / entry.family / entry.path.stem / "seed0", entry.family)
    found: dict[str, float] = {"parameters": sum(p.numel() for p in model.parameters())}
    data = DumpDataset(recipe.dump, "train", spec, streams=True)
    if model.trains:
        indices = pack(data.frames, config.training.batch_length(entry.family))[-2]
        batch = collate([data[i] for i in indices], spec.frame_shift)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        times = []
        for _ in range(4):
            began = time.perf_counter()
            model.loss(batch)["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
            times.append(time.perf_counter() - began)
        found["train_frames_per_second"] = sum(data.frames[i] for i in indices) / min(times[1:])
    model.eval()
    sung = DumpDataset(recipe.dump, "eval", spec)
    examples = [sung[i] for i in range(len(sung))]
    times = []
    for _ in range(3):
        began = time.perf_counter()
        list(predict_acoustic(examples, model))
        times.append(time.perf_counter() - began)
    found["rtf"] = min(times) / (sum(sung.frames) * spec.frame_shift)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "speed", "table"))
    parser.add_argument(
        "--recipe", action="append", required=True, help="recipe folder, a colon, features in dump/"
    )
    parser.add_argument(
        "--systems", nargs="+", default=[], help="such as acoustic/sinsy_tiny; all if not given"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--frames", type=int, default=500_000, help="frames that acoustic systems are shown in all"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "zoo.md", help="page whose tables are written anew"
    )
    args = parser.parse_args()
    recipes = [Recipe(Path(word.rpartition(":")[0]), word.rpartition(":")[2]) for word in args.recipe]
    if args.what == "table":
        write_text(args.out, page(args.out.read_text(encoding="utf-8"), recipes, entries()))
        return
    chosen = entries(args.systems)
    for recipe in recipes:
        if args.what == "speed":
            for entry in (e for e in suited(chosen, recipe) if e.family == "acoustic"):
                found = measure_speed(recipe, entry)
                write_json(recipe.zoo / entry.family / entry.path.stem / "speed.json", found)
                print(entry.name, found, flush=True)
            continue
        run_references(recipe)
        epochs = recipe.epochs(args.frames)
        # One seed of everything first: an interrupted run leaves a whole table.
        for seed in args.seeds:
            for entry in suited(chosen, recipe):
                run_one(recipe, entry, seed, epochs)


if __name__ == "__main__":
    main()
