"""The set-up script, with a Python that only records what it is asked to do."""

import ast
import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
TOOLS = ("bash", "cat", "cksum", "dirname", "env", "grep", "rm")
PYTHON = """#!/usr/bin/env bash
echo "$*" >>"${CALLS}"
[ "$1" != - ] || exit 1  # no package is installed yet
"""


class Checkout:
    """The files that set-up reads, an active environment, and a PATH with nothing but the basic tools."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.calls_file = folder / "calls"
        self.venv = folder / "env"
        self.path = folder / "path"
        for name in ("setup.cfg", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder)
        (folder / "tools").mkdir()
        shutil.copy(ROOT / "tools" / "setup.sh", folder / "tools")
        self.path.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.path / tool).symlink_to(found)
        self.program(self.venv / "bin" / "python", PYTHON)

    @staticmethod
    def program(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, active: bool = True) -> subprocess.CompletedProcess:
        self.calls_file.write_text("")
        environment = {"PATH": os.fspath(self.path), "CALLS": os.fspath(self.calls_file)}
        if active:
            environment["VIRTUAL_ENV"] = os.fspath(self.venv)
        return subprocess.run(
            [self.folder / "tools" / "setup.sh"], env=environment, text=True, capture_output=True, timeout=60
        )

    @property
    def installs(self) -> list[str]:
        return [call for call in self.calls_file.read_text().splitlines() if " pip install " in f" {call} "]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_no_python(checkout: Checkout) -> None:
    done = checkout.run(active=False)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Python 3.11 is missing") and done.stderr.count("\n") == 1


def test_an_unsuitable_python_is_passed_over(checkout: Checkout) -> None:
    checkout.program(checkout.path / "python3", "#!/bin/sh\nexit 1\n")
    assert "Python 3.11 is missing" in checkout.run(active=False).stderr


def test_no_compiler(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 1
    assert done.stderr.startswith("setup: a C++ compiler is missing")
    assert checkout.installs == []


def test_torch_comes_by_itself_before_what_needs_it(checkout: Checkout) -> None:
    checkout.program(checkout.path / "c++", "#!/bin/sh\n")
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    tools, torch, rest = checkout.installs
    assert "setuptools<81" in tools and "torch" not in tools.replace("constraints.txt", "")
    assert torch.endswith("torch==2.13.0")
    assert rest.endswith("-c constraints.txt -e .[all]")
    assert all("--no-build-isolation" in call for call in (tools, torch, rest))


def test_nothing_is_installed_twice(checkout: Checkout) -> None:
    checkout.program(checkout.path / "c++", "#!/bin/sh\n")
    checkout.run()
    done = checkout.run()
    assert (done.returncode, done.stdout, checkout.installs) == (0, "", [])
    with (checkout.folder / "constraints.txt").open("a") as stream:
        stream.write("extra==1.0\n")
    checkout.run()
    assert len(checkout.installs) == 3


def test_an_install_that_broke_off_is_not_taken_for_whole(checkout: Checkout) -> None:
    checkout.program(checkout.path / "c++", "#!/bin/sh\n")
    fails = PYTHON + 'case "$*" in *.\\[all\\]*) exit 1 ;; esac\n'
    checkout.program(checkout.venv / "bin" / "python", fails)
    assert checkout.run().returncode == 1
    checkout.program(checkout.venv / "bin" / "python", PYTHON)
    assert checkout.run().returncode == 0
    assert len(checkout.installs) == 3


def declared() -> dict[str, Requirement]:
    """All requirements in setup.cfg, by normal name."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    texts = [
        config["options"]["install_requires"],
        *(extras[name] for name in extras if name not in ("all", "mfa")),
    ]
    found = [Requirement(line) for text in texts for line in text.split("\n") if line.strip()]
    here = [r for r in found if r.marker is None or r.marker.evaluate()]
    here = [r for r in here if r.name != "nnsvs_lite"]
    return {normal(requirement.name): requirement for requirement in here}


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


def test_pinned_versions_lie_in_the_declared_ranges() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pinned = {normal(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    for name, requirement in declared().items():
        assert name in pinned, f"{name} has no tested version in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), name


def test_every_import_is_declared() -> None:
    distributions = packages_distributions()
    known = set(declared())
    for path in sorted((ROOT / "nnsvs_lite").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in (
                {full.partition(".")[0] for full in names} - set(sys.stdlib_module_names) - {"nnsvs_lite"}
            ):
                # Of a package that is one extension module nothing says its name.
                alone = {"parselmouth": "praat-parselmouth"}.get(name, name)
                homes = {normal(home) for home in distributions.get(name, [alone])}
                assert homes & known, (
                    f"{path.relative_to(ROOT)} imports {name}, which setup.cfg does not declare"
                )
