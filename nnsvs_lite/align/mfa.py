"""The Montreal Forced Aligner (MFA) 3.x as a back end, checked against what 3.4.3 read and wrote.

MFA needs libraries that pip does not have, so it lives in an environment of its own, made by
``tools/install_mfa.sh``. It is never replaced silently by the other back end.
"""

import csv
import math
import os
import re
import shlex
import shutil
from contextlib import suppress
from pathlib import Path

from nnsvs_lite.align.backend import Aligner, run_program, telling_line
from nnsvs_lite.align.config import MfaConfig
from nnsvs_lite.align.phrases import CorpusFolder
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.errors import DataError

TOOLS = Path(__file__).parents[2] / "tools"
"""Where ``install_mfa.sh`` is, which puts the environment beside itself; a package alone has neither."""
_MAJOR = 3
_LIKELIHOODS = ("speech_log_likelihood", "overall_log_likelihood")
"""Columns of ``alignment_analysis.csv``, the better first: that of the phones without silence."""
_PROGRAMS = ("compute-mfcc-feats", "fstcompile")


def training_config(config: MfaConfig) -> str:
    """The YAML that ``mfa train --config_path`` reads."""
    import yaml

    stages = {"monophone": {"max_gaussians": config.max_gaussians, "boost_silence": 1.25}}
    if config.triphones:
        stages["triphone"] = {"num_leaves": 2000, "max_gaussians": 10 * config.max_gaussians}
    value = {
        "beam": config.beam,
        "retry_beam": config.retry_beam,
        "features": {"type": "mfcc", "use_energy": False, "frame_shift": 10},
        "training": [{name: {"num_iterations": config.iterations, **rest}} for name, rest in stages.items()],
    }
    return yaml.safe_dump(value, sort_keys=False)


def find_command(config: MfaConfig) -> list[str]:
    """The words that start MFA. Raises DataError where it is nowhere: says how to install it."""
    if config.command:
        words = shlex.split(config.command)
        if shutil.which(words[0]) is None:
            raise DataError(
                f"{words[0]} cannot be started; it is named by mfa: command", "alignment configuration"
            )
        return words
    place = TOOLS / "mfa/bin/mfa"
    found = str(place) if place.exists() else shutil.which("mfa")
    if found:
        return [found]
    missing, installer = "no mfa on the path", TOOLS / "install_mfa.sh"
    if installer.exists():
        missing = f"no {os.path.relpath(place)}, {missing}; run {os.path.relpath(installer)}"
    raise DataError(
        f"the Montreal Forced Aligner is not installed ({missing}), or do without: --align-config score "
        "needs no aligner, viter is the embedded one"
    )


class MfaAligner(Aligner):
    """Runs ``mfa train`` and ``mfa align``."""

    name = "mfa"
    model_suffix = ".zip"

    def _run(self, words: list[str], log: Path) -> str:
        root = self._root()
        root.mkdir(parents=True, exist_ok=True)
        environment = {"MFA_ROOT_DIR": str(root.resolve()), "PATH": self._path()}
        environment |= {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"}
        return run_program("mfa", [*find_command(self.options), *words], log, environment)

    def _root(self) -> Path:
        return Path(self.options.root or self.work / "root")

    def _path(self) -> str:
        """The path with the launcher's own folder first: there lie the programs that MFA calls by name.

        A command of several words is a runner's, which opens the environment and its path.
        """
        path, (launcher, *more) = os.environ.get("PATH", os.defpath), find_command(self.options)
        own = Path(shutil.which(launcher)).resolve().parent
        return path if more else f"{own}{os.pathsep}{path}"

    def check(self) -> str:
        said = self._run(["version"], self.log / "version.log")
        found = re.findall(r"^(?:[^\d\n]* )?v?((\d+)\.\d[\w.]*)\s*$", said, re.M)
        if not found:
            raise DataError(f"mfa version says no version: {telling_line(said)}")
        version, major = found[-1]
        if int(major) != _MAJOR:
            raise DataError(f"mfa is version {version}; {_MAJOR}.x is needed")
        path = self._path()
        lost = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
        if lost and len(find_command(self.options)) == 1:
            where = f"neither in {path.partition(os.pathsep)[0]} nor on the path"
            raise DataError(f"mfa {version} lacks {', '.join(lost)} ({where}); its environment is not whole")
        return f"mfa {version}"

    def _shared(self) -> list[str]:
        words = ["--clean", "--final_clean", "-j", str(self.jobs)]
        words += ["--single_speaker"] if self.options.single_speaker else []
        return [*words, "--use_mp" if self.options.use_mp else "--no_use_mp", "--quiet"]

    def given_model(self) -> Path | None:
        name = self.options.model  # a path, or the name of a downloaded one, which MFA looks up itself
        if ("/" in name or name.endswith(".zip")) and not Path(name).exists():
            raise DataError("no such acoustic model", name)
        place = self._root() / "pretrained_models" / "acoustic" / f"{name}.zip"
        return (place if place.exists() else Path(name)) if name else None

    def make_model(self, corpus: CorpusFolder, model: Path) -> None:
        settings = self.work / "train_config.yaml"
        write_text(settings, training_config(self.options))
        words = ["train", str(corpus.training), str(corpus.dictionary), str(model)]
        self._run([*words, "--config_path", str(settings), *self._shared()], self.log / "train.log")

    def align_folder(self, corpus: CorpusFolder, folder: Path, model: Path, out: Path, log: Path) -> None:
        settings = self.work / "align_config.yaml"
        write_text(settings, f"beam: {self.options.beam}\nretry_beam: {self.options.retry_beam}\n")
        words = ["align", str(folder), str(corpus.dictionary), str(model), str(out)]
        # From 3.4.0 on its analysis has to be asked for; older ones pass over what they do not know.
        words += ["--config_path", str(settings), "--output_analysis"]
        self._run([*words, *self._shared(), *self.options.options], log)
        if not any(out.rglob("*.TextGrid")):
            raise DataError(f"mfa align ended well but wrote no TextGrid (full log: {log})")

    def likelihoods(self, folder: Path) -> dict[str, float]:
        rows: list[dict] = []
        for path in sorted(folder.rglob("alignment_analysis.csv")):
            with suppress(csv.Error), open(path, encoding="utf-8", errors="replace", newline="") as file:
                rows += csv.DictReader(file)
        for column in _LIKELIHOODS:
            found = {row["file"]: _number(row.get(column)) for row in rows if row.get("file")}
            if found := {name: value for name, value in found.items() if math.isfinite(value)}:
                return found
        return {}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
