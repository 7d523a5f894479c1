"""The aligner's interface: train on a corpus folder, align a corpus folder.

Both back ends are run as programs of their own: a fault in one of them cannot take the stage down with
it, its output is in a log, and what it wrote counts only when it ended well.
"""

import os
import re
import shlex
import subprocess
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnsvs_lite.align.config import AlignConfig
from nnsvs_lite.align.phrases import AlignPhrase, CorpusFolder
from nnsvs_lite.align.units import SILENCES, fit_to_score
from nnsvs_lite.io.atomic import atomic_dir, atomic_path
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import plain
from nnsvs_lite.io.textgrid import read_textgrid

SHARD = 200
"""Phrases a run: what a killed stage has to do again, and what memory grows with."""
_LARGEST = 1 << 20
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FAULT = re.compile(r"error|exception|fail|cannot|could not|not found|no such|invalid|missing|denied", re.I)


def telling_line(log: str) -> str:
    """The line of a program's output that says why it failed; the last one if none does."""
    lines = [" ".join(_ANSI.sub("", line).split()) for line in log.splitlines()]
    lines = [line.strip("│╭╮╰╯─ ") for line in lines]
    lines = [line for line in lines if line and not line.startswith(("File ", "Traceback"))]
    faults = [line for line in lines if _FAULT.search(line)]
    return (faults or lines or ["it said nothing"])[-1]


def run_program(
    name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Runs a program; everything it prints goes to ``log``, and is also returned.

    Raises DataError where it cannot be started or ends with another status than 0: the reason as the program
    gave it, and the log's place.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8", errors="replace") as out:
        out.write("# " + shlex.join(command) + "\n")
        out.flush()
        pipes = {"stdout": out, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        try:
            status = subprocess.run(
                command, **pipes, env={**os.environ, **(environment or {})}, check=False
            ).returncode
        except OSError as error:
            raise DataError(f"{name} cannot be started: {command[0]}: {error.strerror}") from None
    text = log.read_text(encoding="utf-8", errors="replace").split("\n", 1)[1]
    if status != 0:
        how = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
        raise DataError(f"{name} {how}: {telling_line(text)} (full log: {log})")
    return text


def phones_of(model: Path) -> set[str]:
    """Phones of a model of the Montreal Forced Aligner by its ``meta`` file; none where it has no such."""
    import yaml

    try:
        with zipfile.ZipFile(model) as file:
            meta = [i for i in file.infolist() if Path(i.filename).stem == "meta" and i.file_size < _LARGEST]
            return {str(phone) for phone in yaml.safe_load(file.read(meta[0]))["phones"]}
    except (OSError, zipfile.BadZipFile, yaml.YAMLError, LookupError, TypeError, ValueError):
        return set()


class Aligner(ABC):
    """One back end; ``work`` is a folder for the model and logs, ``jobs`` are processes or threads."""

    name = ""
    model_suffix = ""

    def __init__(self, config: AlignConfig, work: Path, jobs: int = 1):
        self.options = getattr(config, self.name)
        self.work = Path(work)
        self.jobs = max(1, jobs)
        self.log = self.work / "log"

    @abstractmethod
    def check(self) -> str:
        """Says which version will run. Raises DataError where the back end is not installed."""

    def given_model(self) -> Path | None:
        """The configured model, where it is used as it is.

        Raises DataError where there is none of that name.
        """
        return None

    @abstractmethod
    def make_model(self, corpus: CorpusFolder, model: Path) -> None:
        """Trains on the corpus, or imports the configured model, into the file ``model``."""

    def prepare_model(self, corpus: CorpusFolder) -> Path:
        """The model's path; it is made unless it is given, or there from an earlier run."""
        given = self.given_model()
        if given is not None:
            return given
        model, configured = self.work / f"model{self.model_suffix}", self.options.model
        files = [Path(configured)] if configured else [corpus.training, corpus.dictionary]
        done = Done(self.work, "model", files, {self.name: plain(self.options)})
        if not done.is_current():
            done.clear()
            with atomic_path(model) as tmp:
                self.make_model(corpus, tmp)
                if not tmp.exists():
                    raise DataError(f"{self.name} ended well but wrote no model (logs: {self.log})")
            done.set([model])
        return model

    @abstractmethod
    def align_folder(self, corpus: CorpusFolder, folder: Path, model: Path, out: Path, log: Path) -> None:
        """Aligns the audio and transcripts in ``folder``; TextGrids go to ``out``."""

    def likelihoods(self, folder: Path) -> dict[str, float]:
        """Log-likelihoods by phrase name from what was written to ``folder``, where there are any."""
        return {}

    def align(self, corpus: CorpusFolder) -> tuple[dict[str, list[Segment]], dict[str, str]]:
        """Trains or loads the model and aligns all phrases.

        Gives labels by phrase name, one for every phone of the phrase's score, and reasons by phrase
        name for those that could not be aligned. ``likely`` has the log-likelihoods of the others.
        """
        model = self.prepare_model(corpus)
        known = phones_of(self.given_model() or Path(self.options.model))
        found, failed = {}, {}
        self.likely: dict[str, float] = {}
        for number, start in enumerate(range(0, len(corpus.phrases), SHARD)):
            name, phrases = f"shard{number:03d}", corpus.phrases[start : start + SHARD]
            self._align_shard(corpus, name, phrases, model)
            self.likely |= self.likelihoods(self.work / "aligned" / name)
            for phrase in phrases:
                path = self.work / "aligned" / name / f"{phrase.name}.TextGrid"
                length = phrase.end - phrase.start
                names = (corpus.names.get(phone, phone) for phone in dict.fromkeys(phrase.score.phones))
                lost = [name for name in names if known and name not in {*known, *SILENCES}]
                try:
                    if lost:
                        raise DataError(
                            f"the model has no phone {lost[0]!r}; phone_map says what it calls ours"
                        )
                    if not path.exists():
                        raise DataError("the aligner found no path through it")
                    rows = read_textgrid(path)
                    found[phrase.name] = fit_to_score(rows, phrase.score, length, str(path), corpus.names)
                except DataError as error:
                    failed[phrase.name] = error.what
        return found, failed

    def _align_shard(self, corpus: CorpusFolder, name: str, phrases: list[AlignPhrase], model: Path) -> None:
        target = self.work / "aligned" / name
        files = [corpus.place(p).with_suffix(kind) for p in phrases for kind in (".lab", ".stamp")]
        options = {"config": plain(self.options), "names": [p.name for p in phrases]}
        done = Done(self.work / "aligned", name, [*files, corpus.dictionary, model], options)
        if done.is_current():
            return
        done.clear()
        with atomic_dir(target) as out:
            folder = out / "in"
            for audio in map(corpus.place, phrases):
                for source in (audio, audio.with_suffix(".lab")):
                    link = folder / source.relative_to(corpus.corpus)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(source.resolve())
            result = out / "out"
            self.align_folder(corpus, folder, model, result, self.log / f"align_{name}.log")
            for grid in sorted(result.rglob("*.TextGrid")):
                grid.rename(out / grid.name)
        done.set([target])
