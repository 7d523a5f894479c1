"""Links of the documentation lead somewhere, its code is whole, and the site of it stands alone."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from docs_commands import PAGES
from models_common import ROOT

import nnsvs_lite

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
ALL = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("egs/*/README.md")),
    *sorted(ROOT.glob("egs/*/pitch1/README.md")),
]


def cells(kind: str) -> list[str]:
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def prose(text: str) -> str:
    """Markdown without code."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    .*$|`[^`]*`", "", text, flags=re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Of the headings of a page, as GitHub and mkdocs name them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def dead(text: str, folder: Path) -> list[str]:
    """Links of a page that lead to no file or heading."""
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        path, _, anchor = target.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        file = folder / path if path else None
        if (
            file is not None
            and not file.exists()
            or anchor
            and anchor not in anchors(text if file is None else file.read_text(encoding="utf-8"))
        ):
            lost.append(target)
    return lost


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert dead(page.read_text(encoding="utf-8"), page.parent) == []


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "b.md").write_text("# On pitch, and `F0`\n")
    text = "[a](b.md#on-pitch-and-f0) [c](c.md) [d](b.md#d) `[e](e.md)` [f](#f)\n"
    assert dead(text, tmp_path) == ["c.md", "b.md#d", "#f"]


def test_links_of_the_notebook_lead_somewhere():
    assert [dead(cell, ROOT / "docs") for cell in cells("markdown")] == [[]] * len(cells("markdown"))


def test_data_in_the_documentation_can_be_read():
    """YAML and JSON; Python is run by the tests of the page it stands on."""
    tested = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    found = 0
    for page in ALL:
        text = page.read_text(encoding="utf-8")
        for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            if language in ("yaml", "json"):
                assert {"yaml": yaml.safe_load, "json": json.loads}[language](block), page
                found += 1
            else:
                assert language in ("sh", "bash") or page.name == "CONTRIBUTING.md", f"{page}: who runs this?"
        if ">>> " in text:
            assert "doctest.testfile" in tested and f'"{page.name}"' in tested, f"{page}: who runs this?"
    assert found > 3


def test_the_version_is_told_once():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == nnsvs_lite.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## ([\d.]+)", changes, re.MULTILINE)[1] == nnsvs_lite.__version__


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    assert not any(cell.get("outputs") for cell in json.loads(NOTEBOOK.read_text())["cells"])
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for number, cell in enumerate(cells("code")):
        exec(compile(cell, f"notebook.ipynb, code cell {number}", "exec"), names)  # our own words, not data
    told = capsys.readouterr().out
    # A swing of 40 cents has a root mean square of 40 / sqrt(2).
    assert names["moved"] == pytest.approx(40 / 2**0.5, abs=6.0), told
    assert (tmp_path / "sakura.png").stat().st_size > 5000 and (tmp_path / "sakura.wav").exists()
    assert len(list((tmp_path / "sung").glob("*.wav"))) == 2


class _Page(HTMLParser):
    """What a page of the site refers to, and what can be referred to in it."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif found.get("src") or (tag == "link" and found.get("href")):
            self.loaded.append(found.get("src") or found["href"])


def test_the_site_stands_alone(tmp_path):
    """Every link leads to a page and a place in it, and nothing is loaded from elsewhere."""
    pytest.importorskip("mkdocstrings_handlers.python", reason="needs the extra docs: make docs")
    site = tmp_path / "site"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {
        path: _Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if path.name != "404.html"
    }
    assert len(pages) > 40
    lost = []
    for path, page in pages.items():
        for target in [*page.links, *page.loaded]:
            file, _, anchor = unquote(target).partition("#")
            if re.match(r"https?:", file):
                assert target in page.links, f"{path} loads {target}"
                continue
            place = (path.parent / file).resolve() if file else path
            place = place / "index.html" if place.is_dir() else place
            known = place.exists() and (not anchor or place not in pages or anchor in pages[place].ids)
            lost += [] if known else [f"{path.relative_to(site)}: {target}"]
    assert lost == []
    api = pages[site / "api.html"].ids
    assert {f"nnsvs_lite.{home}.{name}" for name, home in nnsvs_lite._HOMES.items()} <= api
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?https?:", sheet.read_text(encoding="utf-8")), sheet
