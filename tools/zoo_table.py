"""The page docs/zoo.md from what tools/zoo.py measured."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from nnsvs_lite.evaluation.measures import BY_KEY
from nnsvs_lite.evaluation.results import Run
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.models.config import Config
from nnsvs_lite.report.comparison import Comparison, compare
from nnsvs_lite.report.markdown import show

TIMING_EPOCHS = 40
"""Passes of a timing system."""
FLOOR, CEILING = "rule", "analysis_synthesis"
ACOUSTIC = ("mcd_db", "lf0_rmse_cents", "vuv_error", "in_tune_cents")
TIMING = ("onset_mae_ms", "vowel_onset_mae_ms", "phone_duration_mae_ms")
SEEDS = ("0", "1", "2")


@dataclass(frozen=True)
class Entry:
    """One system: its family and the YAML that is trained."""

    family: str
    path: Path

    @property
    def name(self) -> str:
        """As it is called in the table."""
        return f"{self.family}/{self.path.stem}"


@dataclass(frozen=True)
class Recipe:
    """Where a recipe keeps what the zoo needs."""

    folder: Path
    features: str

    @property
    def dump(self) -> Path:
        return self.folder / "dump" / self.features

    @property
    def zoo(self) -> Path:
        return self.folder / "exp" / "zoo"

    def epochs(self, frames: int) -> int:
        """Passes over the training set in which about so many frames are shown."""
        from nnsvs_lite.features.spec import Spec
        from nnsvs_lite.training.data import DumpDataset

        return max(1, round(frames / sum(DumpDataset(self.dump, "train", Spec.read(self.dump)).frames)))

    def exp(self, name: str) -> Path:
        return self.folder / "exp" / f"{name}_{self.features}"


def head_of(path: Path) -> tuple[str, str]:
    """What a YAML says of itself in its first sentence, and its parameters."""
    text = path.read_text(encoding="utf-8")
    comment = " ".join(line.lstrip("# ") for line in text.split("\nmodel:")[0].splitlines())
    sentence = re.split(r"(?<!\bal\.)(?<=[.:]) ", comment)[0].rstrip(".:;")
    count = re.search(r"^# Parameters: ([\d,]+)", text, re.MULTILINE)
    return sentence, count[1] if count else ""


def full_size(entry: Entry) -> Path:
    """The configuration of the published size; the small one itself where there is no other."""
    path = entry.path.with_name(entry.path.name.replace("_tiny.yaml", ".yaml"))
    return path if path.exists() else entry.path


def compared(recipe: Recipe, entries: Sequence[Entry]) -> Comparison | None:
    """All runs that were scored, and the references."""
    words = []
    for entry in entries:
        folder = recipe.zoo / entry.family / entry.path.stem
        label = entry.path.stem.removesuffix("_tiny")
        words += [
            f"{label}={folder / f'seed{s}' / 'eval' / 'results.json'}"
            for s in SEEDS
            if (folder / f"seed{s}" / "eval" / "results.json").exists()
        ]
    if not words:
        return None
    return compare([*words, f"references={recipe.zoo / 'references' / 'results.json'}"], FLOOR, True)


def cells(found: Comparison, name: str, keys: Sequence[str]) -> list[str]:
    """A system's numbers, bold where it is better than the floor beyond doubt."""
    row = []
    for key in keys:
        measure = BY_KEY[key]
        text = show(measure, found.estimate(name, measure))
        better = name not in (FLOOR, CEILING) and found.gain(name, measure)
        sure = better and better.interval is not None and better.interval[0] > 0
        row.append(f"**{text}**" if sure and key != "in_tune_cents" else text)
    return row


def unscored(runs: Sequence[Run]) -> str:
    """What a row's name is followed by where phrases of its runs could not be scored, else nothing."""
    lost = sum(len(run.failed) for run in runs)
    return f" (without {lost} of {lost + sum(len(run.utts) for run in runs)} phrases)" if lost else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def titles(keys: Sequence[str]) -> list[str]:
    """Names and units of measures."""
    return [BY_KEY[key].heading for key in keys]


def acoustic_table(recipe: Recipe, entries: Sequence[Entry], found: Comparison) -> str:
    """One row for each system, then floor and ceiling."""
    rows = []
    for entry in entries:
        label = entry.path.stem.removesuffix("_tiny")
        if label not in found.runs:
            continue
        speed_path = recipe.zoo / entry.family / entry.path.stem / "speed.json"
        speed = read_json(speed_path) if speed_path.exists() else {}
        rows.append(
            [
                f"`{entry.path.stem}`",
                head_of(entry.path)[1],
                f"{speed['train_frames_per_second']:,.0f}" if "train_frames_per_second" in speed else "",
                f"{speed['rtf']:.3f}" if "rtf" in speed else "",
                *cells(found, label, ACOUSTIC),
                str(len(found.runs[label])),
            ]
        )
    for name in (FLOOR, CEILING):
        rows.append([name.replace("_", "-"), "", "", "", *cells(found, name, ACOUSTIC), ""])
    head = ["system", "parameters", "frames/s in training", "RTF", *titles(ACOUSTIC), "seeds"]
    return table(head, rows)


def timing_table(entries: Sequence[Entry], found: Comparison) -> str:
    """One row for each system, and the floor."""
    rows = [
        [f"`{e.name}`", head_of(e.path)[1], *cells(found, label, TIMING), str(len(found.runs[label]))]
        for e in entries
        if (label := e.path.stem.removesuffix("_tiny")) in found.runs
    ]
    rows.append([FLOOR, "", *cells(found, FLOOR, TIMING), ""])
    return table(["system", "parameters", *titles(TIMING), "seeds"], rows)


def below_floor(found: Comparison) -> str:
    """Names of the systems that are not better than the floor on MCD and F0 RMSE."""
    worse = []
    for name in found.runs:
        if name in (FLOOR, CEILING, "natural"):
            continue
        for key in ("mcd_db", "lf0_rmse_cents"):
            measure = BY_KEY[key]
            better = found.gain(name, measure)
            if better is None or better.absolute <= 0:
                worse.append(f"`{name}` on {measure.label}")
    if not worse:
        return "Every system is better than the floor on MCD and on F0 RMSE.\n"
    return f"Not better than the floor: {', '.join(worse)}.\n"


def passes(recipe: Recipe, entries: Sequence[Entry]) -> int:
    """How often the acoustic systems saw the training set: all the same."""
    found = {
        yaml.safe_load(path.read_text(encoding="utf-8"))["training"]["epochs"]
        for entry in entries
        if Config.read(entry.path).model_class.trains
        for path in (recipe.zoo / entry.family / entry.path.stem).glob("seed*/config.yaml")
    }
    if len(found) != 1:
        sys.exit(f"zoo: systems of {recipe.folder} were trained for {sorted(found)} passes; run them again")
    return found.pop()


def page(old: str, recipes: Sequence[Recipe], entries: Sequence[Entry]) -> str:
    """docs/zoo.md with the sections of what was measured written anew; all others stay as they stand."""
    rows = [
        [f"`{e.family}/{path.stem}`", *head_of(path), head_of(e.path)[1]]
        for e in entries
        for path in [full_size(e)]
    ]
    made = {"## The systems": [table(["YAML", "what it is", "parameters", "tiny"], rows)]}
    for recipe in recipes:
        for family in ("acoustic", "timelag", "duration"):
            own = [e for e in entries if e.family == family]
            found = compared(recipe, own)
            if found is None:
                continue
            if family == "acoustic":
                text = f"Features `{recipe.features}`; {passes(recipe, own)} passes over the training set.\n"
                body = [text, acoustic_table(recipe, own, found), below_floor(found)]
            else:
                text = "The other timing model is `mdn`, seed 0; the floor is the rule for both.\n"
                body = [text, timing_table(own, found)]
            made[f"## {recipe.folder.parent.name}: {family} systems"] = body
    sections = re.split("^(?=## )", old, flags=re.MULTILINE)
    kept = {section.partition("\n")[0]: section for section in sections}
    return "".join(
        (kept | {title: "\n".join([f"{title}\n", *body, ""]) for title, body in made.items()}).values()
    )
