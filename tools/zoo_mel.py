"""Sets systems that sing without WORLD side by side, and prints their tables for docs/zoo.md.

    python tools/zoo_mel.py rows     the rows of DiffSinger's published table
    python tools/zoo_mel.py steps    many steps and few, one encoder
    python tools/zoo_mel.py ends     end-to-end systems

Several words make several tables. Stages 0 to 2 of the recipe are run where their output is missing; what is
there is not made again. All sing the eval set in the times of the recordings, so that sound and F0 alone
differ. Those of mel spectra make the same number of passes over the training set, and sing through ``hn``, a
vocoder that learns nothing; end-to-end systems train as their YAMLs say, and make waveforms themselves. RTF:
CPU seconds of the network a second of singing, one thread, the least of three. ``--passes 1
--option=--training.updates=20 --option=--training.eval_updates=20`` tries the way in minutes.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from zoo import CONF, ROOT, call
from zoo_table import CEILING, FLOOR, Recipe, cells, head_of, table, titles, unscored

from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.checkpoint import load, load_model, save
from nnsvs_lite.models.config import Config
from nnsvs_lite.report.comparison import compare
from nnsvs_lite.synthesis.predict import predict_acoustic
from nnsvs_lite.synthesis.vocoder import waveform_of
from nnsvs_lite.training.data import DumpDataset

KEYS = ("mcd_db", "mel_db", "lf0_rmse_cents", "vuv_error", "in_tune_cents", "mel_gv_ratio")
PIPELINES = ("diffspeech", "diffsinger_popcs", "diffsinger", "fft_singer", "diffsinger_e2e")
PIPELINES += ("diffsinger_pndm", "diffspeech_pndm")
"""In the order of the published table."""
FLOW = ("--model.path=flow", "--model.sampler=euler", "--model.power=2")
DENOISERS = {
    "diffusion": ("fft_singer_tiny", ()),
    "flow": ("fft_singer_tiny", FLOW),
    "few": ("flow", (*FLOW, "--model.reflow=10", "--model.sampling_steps=4", "--training.lr=1e-3")),
}
"""What each starts from, and its options of diffsinger_tiny.yaml: all but the denoiser is frozen."""
ENDS = ("vits_singing", "visinger2", "fastspeech2s_singing")
WAYS = (
    *(("diffusion", "ddpm", 100), ("diffusion", "plms", 25), ("diffusion", "dpm", 10)),
    *(("flow", "euler", 100), ("flow", "euler", 20), ("flow", "euler", 4)),
    ("few", "euler", 4),
)


class Place(NamedTuple):
    """Where things are, how often the training set is shown, and options of all trainings."""

    dump: Path
    data: Path
    out: Path
    passes: int
    options: Sequence[str] = ()

    def folder(self, name: str, seed: int) -> Path:
        out = self.out / name / f"seed{seed}"
        out.mkdir(parents=True, exist_ok=True)
        return out

    def train(self, name: str, seed: int, config: str, *words: object) -> Path:
        """The experiment of a system, trained if it is not there."""
        out = self.folder(name, seed)
        same = f"--training.epochs={self.passes} --training.min_steps=0 --training.patience=0"
        same += f" --train-set train --dev-set dev --seed {seed}"
        where = ("--config", config, "--dump", self.dump, "--out", out)
        call(out / "zoo.log", "train", *where, *same.split(), *words, *self.options)
        return out

    def score(self, exp: Path, *words: object) -> None:
        """Decodes the eval set as ``words`` say, makes waveforms and scores them."""
        decode, log = exp / "eval", exp / "zoo.log"
        call(log, "decode", "--dump", self.dump, "--set", "eval", "--out", decode, *words)
        own = exp.parent.name.removesuffix("_tiny") in ENDS
        vocoder = ("--voice", exp) if own else ("--vocoder", "hn")
        call(log, "vocode", "--decode-dir", decode, *vocoder)
        results, system = decode / "results.json", f"{exp.parent.name}={decode}"
        sets = ("--dump", self.dump, "--set", "eval", "--data", self.data / "eval")
        call(log, "evaluate", *sets, "--system", system, "--out", results, made=results)

    def sing(self, exp: Path, seed: int) -> None:
        """Scores a model, and measures what its singing costs."""
        self.score(exp, "--acoustic", exp, "--true-times", "--seed", seed)
        if not (exp / "speed.json").exists():
            write_json(exp / "speed.json", {"rtf": cost(load_model(exp, "acoustic"), self.dump)})
        print(f"{exp.parent.name} seed {seed}: done", flush=True)

    def references(self) -> None:
        """The rule, and the recordings' own features, sung."""
        rule = self.train(FLOOR, 0, "acoustic/rule")
        self.score(rule, "--acoustic", rule, "--true-times")
        self.score(self.folder(CEILING, 0), "--natural")

    def table(self, head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
        """Markdown: a row for each system, with ``head`` words of its own, that has been scored."""
        rows = [(name, own) for name, own in rows if [*self.out.glob(f"{name}/seed*/eval/results.json")]]
        words = [
            f"{name}={path}"
            for name in (*(name for name, _ in rows), FLOOR, CEILING)
            for path in sorted(self.out.glob(f"{name}/seed*/eval/results.json"))
        ]
        found, lines = compare(words, FLOOR, True), []
        for name, runs in found.runs.items():
            if not any(run.utts for run in runs):
                sys.exit(f"zoo_mel: no phrase of {name} could be scored; see zoo.log in {self.out / name}")
        for name, own in (*rows, (FLOOR, [FLOOR]), (CEILING, ["copy-synthesis"])):
            speeds = [read_json(path)["rtf"] for path in self.out.glob(f"{name}/seed*/speed.json")]
            rtf = f"{min(speeds):.3f}" if speeds else ""
            seeds = str(len(found.runs[name])) if own[1:] else ""
            own = [own[0] + unscored(found.runs[name]), *own[1:]]
            lines.append([*own, *[""] * (len(head) - len(own)), *cells(found, name, KEYS), rtf, seeds])
        return table([*head, *titles(KEYS), "RTF", "seeds"], lines)


@torch.inference_mode()
def cost(model: AcousticModel, dump: Path, seconds: float = 20.0) -> float:
    """CPU seconds a second of singing, over the first phrases of the eval set; to waveforms where those are
    the model's own.
    """
    data, examples, frames, spent = DumpDataset(dump, "eval", model.spec), [], 0, []
    vocoder = model.own_vocoder()
    while frames * model.spec.frame_shift < seconds and len(examples) < len(data):
        examples.append(data[len(examples)])
        frames += examples[-1].frames
    torch.set_num_threads(1)
    for _ in range(3):
        began = time.process_time()
        for _, streams in predict_acoustic(examples, model):
            if vocoder is not None:
                waveform_of(vocoder, streams)
        spent.append(time.process_time() - began)
    return min(spent) / (frames * model.spec.frame_shift)


def resampled(exp: Path, out: Path, **options: object) -> Path:
    """A trained model with another sampler."""
    if not (out / "model.pt").exists():
        state = load(exp / "model.pt")
        state["config"]["model"]["init_args"].update(options)
        save(out / "model.pt", state)
    return out


def way(options: dict) -> str:
    """What a sampler does, in a cell."""
    if "sampler" not in options:
        return "none"
    steps, of = options["sampling_steps"], options["steps"]
    first = "" if options["depth"] == 1 else f" from step {round(options['depth'] * of)} of {of}"
    return f"{options['sampler'].upper()}, {min(steps, round(options['depth'] * of))}{first}"


def pipelines(place: Place, seeds: Sequence[int]) -> str:
    """Trains and scores the rows of the published table; Markdown."""
    rows = []
    for seed in seeds:
        for name in PIPELINES:
            exp = place.train(f"{name}_tiny", seed, f"acoustic/{name}_tiny")
            place.sing(exp, seed)
    for name in PIPELINES:
        path = CONF / "acoustic" / f"{name}_tiny.yaml"
        options = Config.read(path).init_args
        told = "notes" if "pitch" in options["inputs"] else "none"
        own = [f"`{path.stem}`", "F0" if options["f0"] == "given" else told, options["f0"], way(options)]
        rows.append((path.stem, [*own, head_of(path)[1]]))
    return place.table(["system", "pitch in", "F0", "sampler, steps", "parameters"], rows)


def few_steps(place: Place, seeds: Sequence[int]) -> str:
    """Trains and scores denoisers on one frozen encoder, and samplers; Markdown."""
    rows = [("fft_singer_tiny", ["`fft_singer`, frozen", "0"])]
    for seed in seeds:
        place.sing(place.train("fft_singer_tiny", seed, "acoustic/fft_singer_tiny"), seed)
        for name, (base, options) in DENOISERS.items():
            init = place.folder(base, seed)
            same = ("--model.freeze=true", "--model.depth=1.0", "--init", init)
            place.train(name, seed, "acoustic/diffsinger_tiny", *same, *options)
        for name, sampler, steps in WAYS:
            out = place.folder(f"{name}-{sampler}-{steps}", seed)
            exp = place.folder(name, seed)
            place.sing(resampled(exp, out, sampler=sampler, sampling_steps=steps), seed)
    for name, sampler, steps in WAYS:
        rows.append((f"{name}-{sampler}-{steps}", [f"{name}, {sampler}", str(steps + (sampler == "plms"))]))
    return place.table(["system", "network runs"], rows)


def end_to_end(place: Place, seeds: Sequence[int]) -> str:
    """Trains and scores systems that make waveforms themselves; Markdown."""
    for seed in seeds:
        for name in ENDS:
            exp = place.train(f"{name}_tiny", seed, f"acoustic/{name}_tiny", "--data", place.data)
            place.sing(exp, seed)
    rows = []
    for name in ENDS:
        path = CONF / "acoustic" / f"{name}_tiny.yaml"
        updates = f"{Config.read(path, place.options).training.updates:,}"
        rows.append((path.stem, [f"`{path.stem}`", updates, head_of(path)[1]]))
    return place.table(["system", "updates", "parameters"], rows)


TABLES = {"rows": pipelines, "steps": few_steps, "ends": end_to_end}


def prepare(recipe: Recipe) -> None:
    """Goes to the recipe's folder, from where recordings are named; runs stages 0 to 2 where no dump is."""
    os.chdir(recipe.folder)
    if not (recipe.dump / "stats.json").exists():
        words = ["./run.sh", "--stage", "0", "--stop-stage", "2", "--features-config", recipe.features]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        if subprocess.run(words, env={**os.environ, "PATH": path}, check=False).returncode:
            sys.exit(f"zoo_mel: {' '.join(words)} failed in {recipe.folder}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="+", choices=TABLES)
    parser.add_argument("--recipe", type=Path, default=ROOT / "egs" / "demo" / "svs1")
    parser.add_argument("--features", default="mel_24k")
    parser.add_argument("--out", type=Path, help="if not exp/zoo_FEATURES of the recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--passes", type=int, default=4, help="over the training set, of mel systems")
    parser.add_argument("--option", action="append", help="of all, such as --option=--training.updates=20")
    args = parser.parse_args()
    recipe = Recipe(args.recipe.resolve(), args.features)
    out, data = (args.out or recipe.exp("zoo")).resolve(), recipe.folder / "data"
    prepare(recipe)
    place = Place(recipe.dump, data, out, args.passes, args.option or [])
    place.references()
    for what in args.what:
        print(TABLES[what](place, args.seeds))


if __name__ == "__main__":
    main()
