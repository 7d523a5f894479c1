"""Many runs of recipes, every configuration with every seed, and then one comparison of them all."""

import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.errors import DataError, printable
from nnsvs_lite.io.parent import end_with_parent
from nnsvs_lite.io.settings import config_names, find_config
from nnsvs_lite.report.comparison import compare
from nnsvs_lite.report.latex import csv_table, latex_table
from nnsvs_lite.report.markdown import comparison_tables

STAGES = {"acoustic": 5, "timelag": 3, "duration": 4}
"""From which stage on a configuration of a family makes a difference; of one name the first is meant."""
_SCORES = "scores:"
_WAIT = 0.2


@dataclass(frozen=True)
class Trial:
    """One run of a recipe, or what all its runs have in common where there is no configuration.

    Attributes:
        recipe: folder with ``run.sh``. words: options of this run. system: short name of the configuration,
            empty for what is in common. seed: of the run. folder: for its logs.
    """

    recipe: Path
    words: tuple[str, ...]
    folder: Path
    system: str = ""
    seed: int = 0

    @property
    def name(self) -> str:
        """What it is called in messages."""
        what = f"{self.system}, seed {self.seed}" if self.system else "what all runs share"
        return f"{_called(self.recipe)}: {what}"

    @property
    def log(self) -> Path:
        return self.folder / "run.log"

    def start(self) -> subprocess.Popen:
        """Starts it; it ends with this program, however that ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as out:
            return subprocess.Popen(
                [self.recipe / "run.sh", *self.words, "--logdir", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: end_with_parent(SIGTERM),
            )

    def _told(self) -> list[str]:
        """Lines of its log, in which anything may stand."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def results(self) -> Path | None:
        """``results.json``, as the recipe names it in its last lines."""
        told = [line for line in self._told() if line.startswith(_SCORES)]
        return Path(told[-1][len(_SCORES) :].strip()) if told else None

    def why(self, status: int) -> str:
        """Why it failed, in a line."""
        errors = [line for line in self._told() if re.search("[Ee]rror: ", line)]
        told = f"ended with status {status}" if status else "names no scores at its end"
        told = printable(errors[0].strip()) if errors and status else told
        return f"{told}; all of it: {self.log}"


def _called(recipe: Path) -> str:
    """``egs/demo/svs1`` is ``demo``."""
    return recipe.parent.name if recipe.name.startswith("svs") else recipe.name


def read_seeds(text: str) -> list[int]:
    """``0,1,2`` as numbers. Raises DataError where it is no such list, or a seed comes twice."""
    words = text.split(",")
    if not all(word.strip().isdecimal() and len(word.strip()) < 10 for word in words):
        raise DataError(f"must be whole numbers parted by commas, such as 0,1,2, not {text!r}", "--seeds")
    seeds = [int(word) for word in words]
    if len(set(seeds)) < len(seeds):
        raise DataError(f"a seed comes twice: {text}", "--seeds")
    return seeds


def _family(config: str, recipe: Path) -> tuple[str, str, str]:
    """Family, word for ``run.sh`` and short name of a configuration. Raises DataError where there is none."""
    for family in STAGES:
        name = config.removeprefix(f"{family}/")
        if (recipe / "conf" / family / f"{name}.yaml").is_file() or name in config_names(family):
            return family, name, name
    path = find_config((*STAGES, "vocoder"), config).absolute()
    if path.parent.name not in STAGES:
        told = "must lie in a folder of its family: " + ", ".join(f"{name}/" for name in STAGES)
        raise DataError(f"{told}, not {path.parent.name}/", config)
    return path.parent.name, str(path), path.stem


def _shared(given: Sequence[str]) -> tuple[str, ...]:
    """Until which stage all runs of a recipe have one way, as options.

    A vocoder without options of its own is one for all seeds. The rule system has it trained, since runs at
    the same time would each find none; without a tag, as runs of any seed find it.
    """
    named = {word.partition("=")[0].replace("_", "-") for word in given if word.startswith("--")}
    if "--vocoder-config" in named and not named & {"--vocoder-args", "--vocoder-init"}:
        own = ("--acoustic-config", "rule", "--acoustic-args", "", "--acoustic-init", "", "--tag", "")
        return ("--stop-stage", "6", *own)
    return ("--stop-stage", "4")


def plan(
    configs: Sequence[str], seeds: Sequence[int], recipes: Sequence[Path], out: Path, given: Sequence[str]
) -> tuple[list[Trial], list[Trial]]:
    """What each recipe does once, and all its runs.

    Args:
        configs: names (``sinsy_tiny``, ``duration/mdn``) or paths of YAMLs. seeds: of training.
        recipes: folders with ``run.sh``. out: for logs. given: more options for every ``run.sh``.

    Raises DataError for a recipe or a configuration that is not there, or two of one name.
    """
    common, trials = [], []
    for recipe in recipes:
        if not (recipe / "run.sh").is_file():
            raise DataError("no run.sh in it: --recipe names the folder of a recipe", recipe)
        found = [_family(config, recipe) for config in configs]
        if len(families := sorted({family for family, _, _ in found})) > 1:
            # A run with a seed takes timing models with that seed, where another run has made some.
            raise DataError(f"{' and '.join(families)} models are compared in a sweep each")
        names = [name for _, _, name in found]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"two configurations are called {twice[0]}")
        folder = out.absolute() / "log" / _called(recipe)
        words = (*given, "--stage", "0", *_shared(given))
        common.append(Trial(recipe.absolute(), words, folder / "common"))
        for family, config, name in found:
            first = ("--stage", str(STAGES[family]), "--stop-stage", "6")
            for seed in seeds:
                words = (*given, *first, f"--{family}-config", config, "--seed", str(seed))
                trials.append(Trial(recipe.absolute(), words, folder / f"{name}_seed{seed}", name, seed))
    called = [_called(recipe) for recipe in recipes]
    if twice := sorted({name for name in called if called.count(name) > 1}):
        raise DataError(f"two recipes are called {twice[0]}", "--recipe")
    return common, trials


def run_all(trials: Iterable[Trial], jobs: int) -> dict[Trial, int]:
    """Runs all of them, ``jobs`` at a time, the rest too where one fails; returns 0 for each that succeeded.

    Failures are named on standard error as they come; a system that names no scores has failed too.
    """
    waiting, running, statuses = deque(trials), {}, {}
    total, started = len(waiting), time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                trial = waiting.popleft()
                running[trial.start()] = trial
            for process in [process for process in running if process.poll() is not None]:
                trial = running.pop(process)
                scoreless = not process.returncode and trial.system and trial.results() is None
                statuses[trial] = 1 if scoreless else process.returncode
                place = f"[{len(statuses)}/{total}]"
                minutes = (time.monotonic() - started) / 60
                left = minutes / len(statuses) * (total - len(statuses))
                if statuses[trial]:
                    why = trial.why(process.returncode)
                    print(f"sweep: error: {place} {trial.name}: {why}", file=sys.stderr, flush=True)
                else:
                    print(f"{place} {trial.name}: done, {left:.0f} min left", flush=True)
            time.sleep(_WAIT)
    finally:
        for process in running:
            process.send_signal(SIGTERM)
        for process in running:
            process.wait()
    return statuses


def sweep(
    configs: Sequence[str],
    seeds: Sequence[int],
    recipes: Sequence[Path],
    out: Path,
    given: Sequence[str] = (),
    jobs: int = 1,
    baseline: str | None = None,
) -> int:
    """Runs ``recipes`` x ``configs`` x ``seeds`` and compares what is scored, as :func:`plan` has it.

    A run that is finished is found up to date by its recipe: a sweep that was cut off goes on where it was.
    Writes ``<recipe>.md``, ``.tex`` and ``.csv`` into ``out``, and prints the first.

    Returns 1 where a run failed, or the runs of a recipe cannot be compared. The others go on, and the
    tables are of these; ``.md`` names the rest.
    """
    common, trials = plan(configs, seeds, recipes, out, given)
    ready = {trial.recipe for trial, status in run_all(common, 1).items() if status == 0}
    statuses = run_all([trial for trial in trials if trial.recipe in ready], jobs)
    failed = [trial for trial in trials if statuses.get(trial, 1)]
    untold = False
    for recipe in dict.fromkeys(trial.recipe for trial in trials):
        done = [trial for trial in trials if trial.recipe == recipe and trial not in failed]
        missing = [trial.name for trial in failed if trial.recipe == recipe]
        words = [f"{trial.system}={trial.results()}" for trial in done]
        if not words:
            continue
        try:
            comparison = compare(words, baseline)
        except DataError as error:
            untold = True
            print(f"sweep: error: {_called(recipe)}: {error}", file=sys.stderr)
            continue
        told = f"\nFailed, and not in the table: {'; '.join(missing)}.\n" if missing else ""
        text = f"# {_called(recipe)}\n\n{comparison_tables(comparison)}{told}"
        print(f"\n{text}", end="")
        made = {"md": text, "tex": latex_table(comparison), "csv": csv_table(comparison)}
        for suffix, written in made.items():
            write_text(out / f"{_called(recipe)}.{suffix}", written)
        print(f"\n{out / _called(recipe)}.md, .tex and .csv are written")
    if failed:
        told = (
            f"{len(failed)} of {len(trials)} runs failed or were not begun; the same command tries them again"
        )
        print(f"sweep: error: {told}", file=sys.stderr)
    return 1 if failed or untold else 0
