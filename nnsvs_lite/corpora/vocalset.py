"""VocalSet: vowels, scales and excerpts in many techniques, of which neither F0 nor notes are annotated."""

from pathlib import Path

from nnsvs_lite.corpus.tree import Found
from nnsvs_lite.corpus.truth import KnownPitch


def read_truth(found: Found, root: Path) -> KnownPitch:
    """The singer, and the technique by the folder below that of the exercise, where there is one."""
    folders = found.files["wav"].relative_to(root).parts[2:-1]
    return KnownPitch(found.singer, folders[1] if len(folders) > 1 else "")
