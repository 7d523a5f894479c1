"""CPU time per utterance of a stage on few and on many utterances: does it grow with their number?

    python tools/bench_growth.py [STAGE ...] [--counts 100 1000 10000]

A stage is a line of ``STAGES``: a function ``(folder, count)`` that makes its input for so many
utterances in an empty folder and returns what is then measured, a function without arguments. Prints
milliseconds of CPU per utterance, peak memory, and their ratios to those of the first count; of stages that
write, how many files there are more, and how long it takes to find all done when they are run again. The exit
status is the number of stages that grow. A stage runs in a process of its own; what makes its input takes no
part of its memory, where that could be much.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

TIME, MEMORY = 1.15, 1.2
"""Largest ratios to the first count."""


def align_stage(folder: Path, count: int) -> Callable[[], object]:
    """Stage 1 with an aligner that gives all phones of a phrase the same length."""
    import soundfile

    from nnsvs_lite.align import stage
    from nnsvs_lite.align.backend import Aligner
    from nnsvs_lite.align.config import AlignConfig, RefineConfig
    from nnsvs_lite.corpus.datadir import DataDir
    from nnsvs_lite.io.ctm import Segment
    from nnsvs_lite.io.textgrid import write_textgrid
    from nnsvs_lite.score.types import Note, Score

    class EvenAligner(Aligner):
        name = "viter"

        def check(self):
            return "even"

        def make_model(self, corpus, model):
            model.write_text("none")

        def align_folder(self, corpus, folder, model, out, log):
            words = dict(line.split("\t") for line in corpus.dictionary.read_text().splitlines())
            for lab in sorted(folder.rglob("*.lab")):
                phones = " ".join(words[word] for word in lab.read_text().split()).split()
                edges = np.linspace(0.1, 0.7, len(phones) + 1)
                rows = [Segment(a, b, phone) for a, b, phone in zip(edges, edges[1:], phones)]
                write_textgrid(out / f"{lab.stem}.TextGrid", {"phones": rows}, 0.8)

    rate, rng = 16000, np.random.default_rng(0)
    times = np.arange(round(0.8 * rate)) / rate
    audio = 0.3 * np.sign(np.sin(2 * np.pi * 262 * times)) * ((times > 0.1) & (times < 0.7))
    soundfile.write(folder / "a.wav", audio + 1e-3 * rng.standard_normal(len(times)), rate)
    notes = (
        Note(0.0, 0.1, 0, "", ("pau",)),
        Note(0.1, 0.4, 60, "さ", ("s", "a")),
        Note(0.4, 0.7, 60, "い", ("i",)),
        Note(0.7, 0.8, 0, "", ("pau",)),
    )
    utts = [f"spk_{number:05d}" for number in range(count)]
    DataDir(
        folder / "data",
        wavs={utt: folder / "a.wav" for utt in utts},
        utt2spk=dict.fromkeys(utts, "spk"),
        scores=dict.fromkeys(utts, Score(notes)),
    ).write()
    stage.ALIGNERS["viter"] = EvenAligner
    config = AlignConfig("viter", refine=RefineConfig(iterations=1))
    return lambda: stage.align([folder / "data"], config, folder / "exp", say=lambda line: None)


def _large_dump(folder: Path, count: int, notes: tuple[int, int]) -> Path:
    """A dump whose set ``eval`` names the same few phrases over and over."""
    from toy import make_dump

    dump = make_dump(folder / "dump", {"train": 6, "eval": 20}, notes=notes)
    for table in [
        *(dump / "eval").glob("*.scp"),
        *map((dump / "eval").joinpath, ("score", "utt2spk", "utt2lang")),
    ]:
        values = [line.split(" ", 1)[1] for line in table.read_text().splitlines()]
        table.write_text("".join(f"toy_{k:05d} {values[k % len(values)]}\n" for k in range(count)))
    return dump


def decode_stage(folder: Path, count: int) -> Callable[[], object]:
    """Stage 5 with the tiny models of the tests."""
    from models_common import build

    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.models.checkpoint import save_model
    from nnsvs_lite.models.config import Config
    from nnsvs_lite.synthesis.decode import decode

    dump = _large_dump(folder, count, (2, 3))
    exps = {}
    for family, name in (("timelag", "mdn"), ("duration", "mdn"), ("acoustic", "resf0_conv")):
        path = ROOT / "conf" / family / f"{name}.yaml"
        exps[family] = folder / family
        save_model(exps[family] / "model.pt", build(path, Spec.read(dump)), Config.read(path), {})
    return lambda: decode(dump, "eval", folder / "out", **exps)


def vocode_stage(folder: Path, count: int) -> Callable[[], object]:
    """Stage 6 with WORLD, on natural features."""
    from nnsvs_lite.synthesis.vocode import vocode

    dump = _large_dump(folder, count, (1, 1))
    shutil.copy(dump / "schema.json", dump / "eval")
    return lambda: vocode(dump / "eval")


def _run(*command: object) -> None:
    subprocess.run([sys.executable, *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def prepare_stage(folder: Path, count: int) -> Callable[[], object]:
    """Stage 0: scores, labels and the lengths of recordings, cut into phrases, two of each song."""
    from nnsvs_lite.corpora import prepare

    _run(ROOT / "tools" / "synthetic_corpus.py", folder / "corpus", "--count", count // 2)
    return lambda: prepare("demo", folder / "corpus", folder / "data", {})


def _prepared(folder: Path, count: int) -> None:
    prepare_stage(folder, count)
    _run(
        "-m",
        "nnsvs_lite.bin.main",
        "prepare",
        "demo",
        "--db-root",
        folder / "corpus",
        "--out",
        folder / "data",
    )


def validate_stage(folder: Path, count: int) -> Callable[[], object]:
    """``nnsvs-lite validate --sound skip``: tables, scores, labels and the heads of recordings."""
    from nnsvs_lite.corpus.validate import validate

    _prepared(folder, count)
    return lambda: [validate(folder / "data" / part) for part in ("train", "dev", "eval")]


def sound_stage(folder: Path, count: int) -> Callable[[], object]:
    """What ``nnsvs-lite validate`` does beside: listening, and comparing all utterances with each other."""
    from nnsvs_lite.corpus.check_sets import check_sets

    _prepared(folder, count)
    return lambda: check_sets(folder / "data" / part for part in ("train", "dev", "eval"))


def extract_stage(folder: Path, count: int) -> Callable[[], object]:
    """Stage 2 of the training set. Phrases that are the same are analysed once: what may grow is the rest."""
    import re

    from synthetic_corpus import KEYS

    from nnsvs_lite.corpus.datadir import DataDir
    from nnsvs_lite.features import utterance
    from nnsvs_lite.features.config import FeatureConfig
    from nnsvs_lite.features.extract import Extraction
    from nnsvs_lite.io.settings import find_config

    analyse, known = utterance.extract, {}

    def remembered(data: DataDir, utt: str, config: FeatureConfig) -> dict[str, np.ndarray]:
        song, phrase = map(int, re.findall(r"\d+", utt)[-2:])
        key = song % len(KEYS), phrase
        if key not in known:
            known[key] = analyse(data, utt, config)
        return known[key]

    _prepared(folder, count)
    utterance.extract = remembered
    config = FeatureConfig.read(find_config("features", "world_24k"))
    extraction = Extraction(folder / "data" / "train", folder / "dump" / "train", config)

    def run() -> None:
        if not extraction.done().is_current():
            extraction.run_all(1)
            extraction.collect()

    # What is analysed once is no part of an utterance's time.
    for utt in extraction.data.utts[: 2 * len(KEYS) + 4]:
        remembered(extraction.data, utt, config)
    return run


STAGES = {
    "prepare": prepare_stage,
    "align": align_stage,
    "extract": extract_stage,
    "validate": validate_stage,
    "sound": sound_stage,
    "decode": decode_stage,
    "vocode": vocode_stage,
}


READ = ("validate", "sound")
"""Stages that write nothing."""


def measure(name: str, count: int) -> None:
    """Prints seconds of CPU, mebibytes of peak memory, files and seconds again, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = STAGES[name](Path(folder), count)
        before = _files(folder)
        began = time.process_time()
        run()
        seconds = time.process_time() - began
        memory, files = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, _files(folder) - before
        began = time.process_time()
        if name not in READ:
            run()
        print(seconds, memory, files, time.process_time() - began)


def _files(folder: str) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def measured(name: str, count: int) -> tuple[float, ...]:
    """Seconds of CPU per utterance, mebibytes, files, and seconds of CPU to find that all is done."""
    command = [sys.executable, __file__, name, "--count", str(count)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if found.returncode:
        sys.exit(found.stderr)
    seconds, memory, files, again = map(float, found.stdout.split()[-4:])
    return seconds / count, memory, files, again


def main() -> int:
    """Runs the stages that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000], help="of utterances")
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.count:
        measure(args.stages[0], args.count)
        return 0
    grown = set()
    for name in args.stages or STAGES:
        first = None
        for count in args.counts:
            seconds, memory, files, again = measured(name, count)
            first = first or (seconds, memory)
            slower, larger = seconds / first[0], memory / first[1]
            print(
                f"{name:<9} {count:6} utterances: {1e3 * seconds:6.2f} ms of CPU each ({slower:.2f}), "
                f"peak memory {memory:4.0f} MiB ({larger:.2f})"
                + (f", {files:.0f} files, again {again:.2f} s" if name not in READ else ""),
                flush=True,
            )
            # What aligning knows of all utterances at once (its model's statistics) may take memory.
            if slower > TIME or (larger > MEMORY and name != "align"):
                grown.add(name)
    return len(grown)


if __name__ == "__main__":
    sys.exit(main())
