"""The embedded back end: viter, the Montreal Forced Aligner's training recipe in one wheel.

Written for viter 0.5. Three of its ways shape this driver: ``align`` needs the
dictionary and the position option that ``train`` had; words are case-folded;
and the TextGrids that ``train`` can write are not those of ``align``, so that
training data are aligned in a second step.
"""

import importlib.metadata
import importlib.util
from pathlib import Path

from nnsvs_lite.align.backend import Aligner, run_program
from nnsvs_lite.align.phrases import CorpusFolder
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import python

_STAGES = {"mono": ["--no-tri"], "tri": ["--no-lda"], "lda": ["--no-sat"], "sat": []}
_PROGRAM = python("import viter; sys.exit(viter.main(['viter'] + sys.argv[1:]))")


class ViterAligner(Aligner):
    """Runs ``viter train``, ``viter import`` and ``viter align``."""

    name = "viter"
    model_suffix = ".viter"

    def check(self) -> str:
        """Says which version will run."""
        if importlib.util.find_spec("viter") is None:
            raise DataError("viter is not installed; install it with: pip install 'nnsvs_lite[viter]'")
        return f"viter {importlib.metadata.version('viter')}"

    def _run(self, words: list[str], log: Path) -> str:
        return run_program("viter", [*_PROGRAM, *words], log, {"RAYON_NUM_THREADS": str(self.jobs)})

    def _shared(self, corpus: CorpusFolder) -> list[str]:
        words = ["--dict", str(corpus.dictionary), "--cpu", "--silence-phone", "sil"]
        words += ["--speakers", "single" if corpus.single_speaker else "parent-dir"]
        return words if self.config.viter.position_dependent else [*words, "--no-position-dependent"]

    def given_model(self) -> Path | None:
        """The configured ``.viter`` model."""
        given = Path(self.config.viter.model)
        if self.config.viter.model and not given.exists():
            raise DataError("no such acoustic model", given)
        return given if given.is_file() and given.suffix != ".zip" else None

    def make_model(self, corpus: CorpusFolder, model: Path) -> None:
        """Imports the Montreal Forced Aligner's model that is configured, or trains on the corpus."""
        options = self.config.viter
        if options.model:
            self._run(["import", options.model, "--out", str(model)], self.log / "import.log")
            return
        words = ["train", str(corpus.training), "--out", str(model), "--seed", str(options.seed)]
        words += [*_STAGES[options.stage], "--no-pron-probs", *self._shared(corpus)]
        self._run(words, self.log / "train.log")

    def align_folder(self, corpus: CorpusFolder, folder: Path, model: Path, out: Path, log: Path) -> None:
        """Aligns one folder."""
        options = self.config.viter
        words = ["align", str(folder), str(model), "--out", str(out)]
        words += ["--beam", f"{options.beam:g}", "--retry-beam", f"{options.retry_beam:g}"]
        words += [] if options.refine else ["--no-refine"]
        self._run([*words, *self._shared(corpus)], log)
