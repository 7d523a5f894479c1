"""The commands that the documentation shows."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from models_common import ROOT

PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))),
    *sorted(ROOT.glob("egs/*/svs1/README.md")),
]
PROGRAM = re.compile(
    r"(?:nnsvs-lite|make|\S*run\.sh|\.ci/run|(?:python )?\S*tools/\S+\.(?:py|sh)|pip|curl|git)(?= |$)"
)


class Command(NamedTuple):
    """One command: as written, without what explains it, and where it stands."""

    text: str
    page: str
    inline: bool

    @property
    def words(self) -> list[str]:
        """The words, optional ones too: ``[--seed 0]`` is ``--seed 0`` and ``1|2`` is ``1``."""
        text = self.text.replace("[", "").replace("]", "")
        return [word if " " in word else word.partition("|")[0] for word in shlex.split(text)]

    @property
    def options(self) -> list[str]:
        return [word.partition("=")[0] for word in self.words if word.startswith("--") and " " not in word]


def _blocks(text: str) -> str:
    """Code that stands in lines of its own: indented, or fenced as shell."""
    fenced = re.findall(r"^```(?:bash|sh|shell|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = [line[4:] for line in rest.splitlines() if line.startswith("    ")]
    return "\n".join([*fenced, *indented])


def commands(page: Path) -> list[Command]:
    """All commands of a page, in their order, each once."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    found = []
    for line in re.sub(r" *\\\n\s*", " ", _blocks(text)).splitlines():
        # A comment, or an explanation set off by spaces, is no part of the command.
        line = re.split(r"\s+#\s|\s{3,}|\s\|$", line.strip())[0]
        if PROGRAM.match(line) and " -> " not in line:
            found.append(Command(line, name, False))
    prose = re.sub(r"^    .*$", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), flags=re.M)
    for line in re.findall(r"`([^`]+)`", prose):
        line = " ".join(line.split())
        if PROGRAM.match(line):
            found.append(Command(line, name, True))
    return list(dict.fromkeys(found))
