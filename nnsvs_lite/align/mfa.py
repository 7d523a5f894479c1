"""The Montreal Forced Aligner (MFA) as a back end, through its command line.

Written for MFA 3.x and checked against what 3.4.3 read and wrote. MFA needs
libraries that pip does not have, so it lives in an environment of its own, made
by ``tools/install_mfa.sh``. It is never replaced silently by the other back end.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

from nnsvs_lite.align.backend import Aligner, run_program
from nnsvs_lite.align.config import MfaConfig
from nnsvs_lite.align.phrases import CorpusFolder
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.errors import DataError

HOME = Path("tools/mfa")
"""Where ``tools/install_mfa.sh`` puts the environment."""
_MAJOR = 3


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
    """The words that start MFA.

    Raises:
        DataError: where it is nowhere: says how to install it.
    """
    if config.command:
        words = shlex.split(config.command)
        if shutil.which(words[0]) is None:
            raise DataError(
                f"{words[0]} cannot be started; it is named by mfa: command", "alignment configuration"
            )
        return words
    package = Path(__file__).resolve().parents[2]
    for home in (HOME, package / HOME):
        launcher = home / "bin" / "mfa"
        if launcher.exists():
            return [str(launcher.resolve())]
    found = shutil.which("mfa")
    if found:
        return [found]
    raise DataError(
        "the Montreal Forced Aligner is not installed (no tools/mfa/bin/mfa, no mfa on the path); run "
        "tools/install_mfa.sh, or choose the embedded aligner with --align-config conf/mfa/viter.yaml"
    )


class MfaAligner(Aligner):
    """Runs ``mfa train`` and ``mfa align``."""

    name = "mfa"
    model_suffix = ".zip"

    def _run(self, words: list[str], log: Path) -> str:
        root = Path(self.config.mfa.root or self.work / "root")
        root.mkdir(parents=True, exist_ok=True)
        environment = {"MFA_ROOT_DIR": str(root.resolve())}
        environment |= {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"}
        return run_program("mfa", [*find_command(self.config.mfa), *words], log, environment)

    def check(self) -> str:
        """Says which version will run; a version other than 3 is an error."""
        command = find_command(self.config.mfa)
        try:
            found = subprocess.run(
                [*command, "version"],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                check=False,
                errors="replace",
            )
        except OSError as error:
            raise DataError(f"mfa cannot be started: {command[0]}: {error.strerror}") from None
        said = (found.stdout + found.stderr).strip()
        match = re.search(r"(\d+)\.(\d+)[\w.]*", found.stdout)
        if found.returncode != 0 or match is None:
            last = said.splitlines()[-1] if said else "it said nothing"
            raise DataError(f"mfa version failed with status {found.returncode}: {last}")
        if int(match[1]) != _MAJOR:
            raise DataError(f"mfa is version {match[0]}; {_MAJOR}.x is needed")
        return f"mfa {match[0]}"

    def _shared(self) -> list[str]:
        words = ["--clean", "--final_clean", "-j", str(self.jobs)]
        words += ["--single_speaker"] if self.config.mfa.single_speaker else []
        words += ["--use_mp" if self.config.mfa.use_mp else "--no_use_mp", "--quiet"]
        return words

    def given_model(self) -> Path | None:
        """The configured model: a path, or the name of a downloaded one, which MFA looks up itself."""
        name = self.config.mfa.model
        if ("/" in name or name.endswith(".zip")) and not Path(name).exists():
            raise DataError("no such acoustic model", name)
        return Path(name) if name else None

    def make_model(self, corpus: CorpusFolder, model: Path) -> None:
        """Trains on the corpus."""
        settings = self.work / "train_config.yaml"
        write_text(settings, training_config(self.config.mfa))
        words = ["train", str(corpus.training), str(corpus.dictionary), str(model)]
        self._run([*words, "--config_path", str(settings), *self._shared()], self.log / "train.log")

    def align_folder(self, corpus: CorpusFolder, folder: Path, model: Path, out: Path, log: Path) -> None:
        """Aligns one folder."""
        config = self.config.mfa
        settings = self.work / "align_config.yaml"
        write_text(settings, f"beam: {config.beam}\nretry_beam: {config.retry_beam}\n")
        words = ["align", str(folder), str(corpus.dictionary), str(model), str(out)]
        words += ["--config_path", str(settings)]
        self._run([*words, *self._shared(), *config.options], log)
        if not any(out.rglob("*.TextGrid")):
            raise DataError(f"mfa align ended well but wrote no TextGrid (full log: {log})")
