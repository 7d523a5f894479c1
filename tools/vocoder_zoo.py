"""Trains vocoders for the same CPU time each, sings recordings' own features through them, and compares.

    python tools/vocoder_zoo.py --dump dump/world_mel_24k --data data --out exp/zoo vocos_tiny:0,1,2 hn@world

A word is a vocoder's name in conf/vocoder, what it hears (``world`` or ``mel_f0``) where that is a
choice, and seeds. Each is trained by the steps of ``nnsvs-lite train``, on one thread, until ``--seconds`` of
CPU time are over (the learning rate falls with them); those that learn nothing cost none. What is there is
not made again, and stands in the tables too. All are heard on the results page, ``report/index.html``. The
stages 0 to 2 of a recipe make the dump and the data.
"""

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from zoo import call
from zoo_table import unscored

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.evaluation.measures import BY_KEY
from nnsvs_lite.evaluation.results import NATURAL, Run, read_results
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.wave_losses import StftDistance
from nnsvs_lite.synthesis.decode import decode_natural
from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.tasks.vocoder import VocoderTask
from nnsvs_lite.training.update import Updater

CONF = Path(__file__).parents[1] / "conf" / "vocoder"
KEYS = ("mcd_db", "lf0_rmse_cents", "vuv_error", "distillmos", "dnsmos")


def train(config: Config, dump: Path, data: Path, seconds: float) -> tuple[VocoderModel, dict[str, float]]:
    """A vocoder after so much CPU time, and how many steps that were."""
    options = config.training
    torch.manual_seed(options.seed)
    task = VocoderTask(config, dump, "train", "dev", data)
    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    updaters: dict[str, Updater] = {}
    networks = []

    def optimise(name, network, given=None, **more) -> None:
        networks.append(network.train())
        updaters[name] = Updater(fabric, network, given or options, **more)

    def update(name, loss, weight=1.0) -> None:
        updaters[name].add(loss.float(), torch.as_tensor(weight, dtype=torch.float32))
        updaters[name].step(steps, spent() / seconds)

    task.start(optimise, lambda *state: None)
    began, steps = time.process_time(), 0

    def spent() -> float:
        return time.process_time() - began

    for batch in batches(task):
        task.updates = steps
        task.step(batch, update)
        steps += 1
        if spent() >= seconds:
            break
    return task.model.eval(), {"steps": steps, "train_seconds": spent()}


def batches(task: VocoderTask) -> Iterator[Batch]:
    """Of one epoch after the other, without end."""
    for epoch in itertools.count(1):
        examples = task.examples(epoch)
        for indices, _ in task.plan(epoch, 0, 1):
            yield collate([examples[i] for i in indices], task.spec.frame_shift)


@torch.inference_mode()
def measure(model: VocoderModel, examples: list[Example]) -> dict[str, Any]:
    """Multi-resolution STFT distance of each (Yamamoto et al. 2020), and seconds a second of singing, of the
    longest: CPU time on one thread, the clock's on two.
    """
    rate, frame = model.spec.sample_rate, model.spec.frame_shift
    sizes = [
        [round(n * rate / 24000) for n in size]
        for size in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
    ]
    distance, parts = StftDistance(sizes), {}
    for example in examples:
        batch = collate([example], frame)
        wav, real = model.synthesize(batch).float(), batch.streams["wav"].squeeze(-1)
        parts[example.utt] = float(distance(wav, real, torch.tensor([real.shape[1]]))[1])
    longest = max(examples, key=lambda e: e.frames)
    batch, spent = collate([longest], frame), []
    for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
        torch.set_num_threads(threads)
        spent.append(min(seconds_of(model, batch, clock) for _ in range(5)) / (longest.frames * frame))
    torch.set_num_threads(1)
    parameters = sum(p.numel() for p in model.parameters())
    return {"log_stft": parts, "rtf": spent[0], "rtf_two": spent[1], "parameters": parameters}


def seconds_of(model: VocoderModel, batch: Batch, clock: Callable[[], float]) -> float:
    """Seconds that a batch takes."""
    began = clock()
    model.synthesize(batch)
    return clock() - began


def run_one(word: str, seed: int, args: argparse.Namespace) -> None:
    """Trains, sings and measures one vocoder."""
    out = args.out / word / f"seed{seed}"
    name, _, heard = word.partition("@")
    overrides = [f"--training.seed={seed}", *(args.option or [])]
    overrides += [f"--model.init_args.conditioned_on={heard}"] if heard else []
    config, spec = Config.read(CONF / f"{name}.yaml", overrides), Spec.read(args.dump)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "trained.json").exists():
        model, found = config.build(spec).eval(), {"steps": 0, "train_seconds": 0.0}
        if model.trains:
            model, found = train(config, args.dump, args.data, args.seconds)
        save_model(out / "model.pt", model, config, {})
        (out / "measured.json").unlink(missing_ok=True)
        write_json(out / "trained.json", found)
    if (out / "measured.json").exists() and "hears" in read_json(out / "measured.json"):
        return
    model, found = load_model(out, "vocoder"), read_json(out / "trained.json")
    given = {"streams": model.inputs, "score": False, "recordings": DataDir.read(args.data / args.set)}
    sung = DumpDataset(args.dump, args.set, model.spec, **given)
    found |= measure(model, [sung[i] for i in range(len(sung))])
    natural = args.out / "natural"
    decode_natural(args.dump, args.set, natural)
    call(out / "log", "vocode", "--decode-dir", natural, "--vocoder", out, "--out", out / "decode")
    write_json(out / "measured.json", found | {"hears": "WORLD" if "mgc" in model.inputs else "mel"})
    print(f"{word} seed {seed}: made and measured", flush=True)


def tables(args: argparse.Namespace) -> str:
    """Markdown, a table for each singer; all is scored together, and heard on one page."""
    folders = [path.parent for path in sorted(args.out.glob("*/seed*/measured.json"))]
    label = {folder: f"{folder.parent.name.replace('@', '_')}_{folder.name}" for folder in folders}
    systems = [word for folder in folders for word in ("--system", f"{label[folder]}={folder / 'decode'}")]
    results, data = args.out / "results.json", args.data / args.set
    mos, title = ["--mos"] if args.mos else [], ["--title", "Copy-synthesis"]
    sets = ["--dump", args.dump, "--set", args.set, "--data", data]
    call(args.out / "log", "evaluate", *sets, *systems, *mos, *title, "--out", results, made=results)
    page = args.out / "report" / "index.html"
    call(args.out / "log", "report", "--results", results, *systems, "--megabytes", 100, "--out", page)
    scored, singers = read_results(results), defaultdict(list)
    for utt, singer in DataDir.read(data).utt2spk.items():
        singers[singer].append(utt)
    runs = defaultdict(list)
    for folder in folders:
        runs[folder.parent.name].append((read_json(folder / "measured.json"), scored[label[folder]]))
    return "\n".join(table(runs, scored[NATURAL], singer, utts) for singer, utts in singers.items())


def table(runs: dict[str, list[tuple[dict, Run]]], natural: Run, singer: str, utts: list[str]) -> str:
    """That of one singer: means over seeds, and their range where there are several."""
    head = ["vocoder", "hears", "seeds", "CPU s", "steps", "parameters", "STFT, log"]
    head += [*(BY_KEY[key].heading for key in KEYS), "RTF", "on two"]
    lines = [head, ["---"] * len(head)]
    digits = [3, *(BY_KEY[key].digits for key in KEYS), 3, 3]
    for name, found in runs.items():
        own = [run.of(utts) for _, run in found]
        columns = [[np.mean([m["log_stft"][utt] for utt in utts]) for m, _ in found]]
        columns += [[value(run, key) for run in own] for key in KEYS]
        columns += [[min(m[key] for m, _ in found)] for key in ("rtf", "rtf_two")]
        cells = [spread(values, n) for values, n in zip(columns, digits)]
        spent, steps = (f"{np.mean([m[key] for m, _ in found]):,.0f}" for key in ("train_seconds", "steps"))
        first = found[0][0]
        parts = [f"`{name.partition('@')[0]}`{unscored(own)}", first["hears"], str(len(found)), spent, steps]
        lines.append([*parts, f"{first['parameters']:,}", *cells])
    cells = [spread([value(natural.of(utts), key)], BY_KEY[key].digits) for key in KEYS]
    lines.append(["the recording", *[""] * 6, *cells, "", ""])
    lines[2:-1] = sorted(lines[2:-1], key=lambda line: float(line[6].split()[0]))
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{singer}, {len(utts)} phrases:\n\n{rows}\n"


def value(run: Run, key: str) -> float | None:
    """One number, in the unit of its heading."""
    found = run.value(BY_KEY[key])
    return None if found is None else found * BY_KEY[key].factor


def spread(values: list[float | None], digits: int) -> str:
    """The mean, with the least and the most where there are several."""
    if any(value is None for value in values):
        return "–"
    text = f"{np.mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="NAME[@HEARS][:SEEDS]")
    parser.add_argument("--dump", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data dirs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", default="eval")
    parser.add_argument("--seconds", type=float, default=600.0, help="of CPU time for training, each")
    parser.add_argument("--mos", action="store_true", help="predict opinions too; needs the extra mos")
    parser.add_argument("--option", action="append", help="of all, such as --option=--training.lr=1e-3")
    args = parser.parse_intermixed_args()
    torch.set_num_threads(1)
    for word in args.words:
        name, _, seeds = word.partition(":")
        for seed in map(int, (seeds or "0").split(",")):
            run_one(name, seed, args)
    print(tables(args))


if __name__ == "__main__":
    main()
