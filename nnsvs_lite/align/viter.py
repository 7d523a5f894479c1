"""The embedded back end: viter 0.5, the Montreal Forced Aligner's training recipe in one wheel.

``align`` needs the dictionary and the position option that ``train`` had; words are case-folded; the
TextGrids that ``train`` can write are not those of ``align``, so training data are aligned in a second step.
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
        if importlib.util.find_spec("viter") is None:
            raise DataError("viter is not installed; install it with: pip install 'nnsvs_lite[viter]'")
        return f"viter {importlib.metadata.version('viter')}"

    def _run(self, words: list[str], log: Path) -> str:
        return run_program("viter", [*_PROGRAM, *words], log, {"RAYON_NUM_THREADS": str(self.jobs)})

    def _shared(self, corpus: CorpusFolder) -> list[str]:
        words = ["--dict", str(corpus.dictionary), "--cpu", "--silence-phone", "sil"]
        words += ["--speakers", "single" if corpus.single_speaker else "parent-dir"]
        return words if self.options.position_dependent else [*words, "--no-position-dependent"]

    def given_model(self) -> Path | None:
        given = Path(self.options.model)
        if self.options.model and not given.exists():
            raise DataError("no such acoustic model", given)
        return given if given.is_file() and given.suffix != ".zip" else None

    def make_model(self, corpus: CorpusFolder, model: Path) -> None:
        if self.options.model:  # the Montreal Forced Aligner's
            self._run(["import", self.options.model, "--out", str(model)], self.log / "import.log")
            return
        words = ["train", str(corpus.training), "--out", str(model), "--seed", str(self.options.seed)]
        words += [*_STAGES[self.options.stage], "--no-pron-probs", *self._shared(corpus)]
        self._run(words, self.log / "train.log")

    def align_folder(self, corpus: CorpusFolder, folder: Path, model: Path, out: Path, log: Path) -> None:
        words = ["align", str(folder), str(model), "--out", str(out)]
        words += ["--beam", f"{self.options.beam:g}", "--retry-beam", f"{self.options.retry_beam:g}"]
        words += [] if self.options.refine else ["--no-refine"]
        self._run([*words, *self._shared(corpus)], log)
