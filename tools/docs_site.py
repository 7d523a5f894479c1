"""Hooks of mkdocs: pages from outside docs/, the notebook, the reference of the stable names."""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import nnsvs_lite

ROOT = Path(__file__).parents[1]
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<!\!)\[([^\]]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(^```.*?^```|^    [^\n]*$|`[^`]*`)", re.MULTILINE | re.DOTALL)
API = """# In Python

These names of `nnsvs_lite` are kept stable: what is added to them breaks no caller, and what goes is told in
the [changelog](changelog.md) first. They have types (`py.typed`), and are imported when they are first used.
How they work together is in [singing](singing.md#in-python) and the [notebook](notebook.md). `BOXED_VOICE` is
the path of the packed voice that is in the package.
"""


def sources() -> dict[str, str]:
    """Files of the repository that are pages, and what they are called in the site."""
    found = {f"docs/{path.name}": path.name for path in sorted((ROOT / "docs").glob("*.md"))}
    recipes = sorted(ROOT.glob("egs/**/README.md"))
    names = {
        path.relative_to(ROOT).as_posix(): f"recipes/{path.relative_to(ROOT).parts[1]}.md" for path in recipes
    }
    return OUTSIDE | found | names | {"docs/notebook.ipynb": "notebook.md"}


def rewritten(text: str, source: str) -> str:
    """Markdown whose links lead to pages of the site; those to other files become plain words."""
    pages = sources()
    folders = {str(Path(path).parent): page for path, page in pages.items() if path.endswith("/README.md")}

    def lead(found: re.Match) -> str:
        words, target = found.groups()
        path, _, anchor = target.partition("#")
        if ":" in path or not path:
            return found[0]
        place = (ROOT / source).parent.joinpath(path).resolve().relative_to(ROOT).as_posix()
        page = pages.get(place) or folders.get(place)
        if page is None:
            return words
        up = "../" * pages[source].count("/")
        return f"[{words}]({up}{page}{'#' * bool(anchor)}{anchor})"

    parts = CODE.split(text)
    return "".join(part if i % 2 else LINK.sub(lead, part) for i, part in enumerate(parts))


def notebook(text: str) -> str:
    """The cells of a notebook as Markdown, without outputs."""
    parts = []
    for cell in json.loads(text)["cells"]:
        written = "".join(cell["source"])
        parts.append(f"```python\n{written}\n```" if cell["cell_type"] == "code" else written)
    return "\n\n".join(parts) + "\n"


def api() -> str:
    """The reference: every stable name at the place where it is defined."""
    homes = sorted(nnsvs_lite._HOMES.items(), key=lambda item: (item[0] != "Singer", item[0].lower()))
    return API + "".join(f"\n::: nnsvs_lite.{home}.{name}\n" for name, home in homes)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in docs/."""
    for source, page in sources().items():
        if Path(source).suffix == ".ipynb":
            files.append(
                File.generated(config, page, content=notebook((ROOT / source).read_text(encoding="utf-8")))
            )
        elif not source.startswith("docs/"):
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, page, content=rewritten(text, source)))
    files.append(File.generated(config, "api.md", content=api()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links out of docs/ to where their targets are in the site."""
    source = f"docs/{page.file.src_uri}"
    return rewritten(markdown, source) if source in sources() else markdown
