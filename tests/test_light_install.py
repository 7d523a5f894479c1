"""What an installation without the extra ``recipes`` does: sing, serve, and say what is missing."""

import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from scorexml import song, write

from nnsvs_lite.bin.main import RECIPES

ROOT = Path(__file__).parents[1]
# As where these are not installed.
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({RECIPES!r}))
from nnsvs_lite.bin.main import main
"""


def run(code: str, folder: Path, path: Path = ROOT) -> subprocess.CompletedProcess:
    """Python code elsewhere, with the package that lies in ``path``."""
    environment = os.environ | {"PYTHONPATH": os.fspath(path)}
    command = [sys.executable, "-c", WITHOUT + code]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=300)


@pytest.fixture
def tune(tmp_path) -> Path:
    return write(tmp_path, song("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2"))


def test_the_modules_are_those_of_the_extra():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    text = config["options.extras_require"]["recipes"]
    names = {Requirement(line).name.replace("-", "_") for line in text.split("\n") if line.strip()}
    modules = {"scikit_learn": "sklearn", "pillow": "PIL"}
    assert {modules.get(name, name) for name in names} == set(RECIPES)


def test_it_sings_and_serves_without_torch(tune, tmp_path):
    done = run(
        f"""
import nnsvs_lite.studio.app, nnsvs_lite.export.voicevox
from nnsvs_lite.studio import voices, worker
found = voices.find_voices([nnsvs_lite.BOXED_VOICE], [])
_, work = worker.singer({{"voices": found, "device": "cpu"}})
told = work({{"describe": found[0].id}}, print)
assert told["lang"] == "ja" and told["lanes"], told
sys.exit(main(["sing", {str(tune)!r}, "-o", "song.wav"]))
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("song.wav: 4.0 s\n") and (tmp_path / "song.wav").stat().st_size > 150_000


def test_what_is_missing_is_said_in_one_line(toy_voice, toy_dump, tune, tmp_path):
    for words, message in (
        (["train", "--config", "acoustic/resf0_conv", "--dump", toy_dump, "--out", "e"], "this needs torch"),
        (["card", toy_voice], "this needs torch"),
        (["sing", tune, "--model", toy_voice, "-o", "a.wav"], "onnxruntime sings with a packed voice"),
        (["sing", tune, "--runtime", "torch", "-o", "a.wav"], "this needs torch"),
    ):
        done = run(f"sys.exit(main({[str(word) for word in words]!r}))", tmp_path)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        assert message in done.stderr and "nnsvs_lite[recipes]" in done.stderr


@pytest.mark.slow
def test_a_wheel_sings_outside_of_the_repository(tune, tmp_path):
    left_out = shutil.ignore_patterns(".*", "egs", "tests", "site", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, tmp_path / "source", ignore=left_out)
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "wheels", "./source"]
    subprocess.run([sys.executable, *build], cwd=tmp_path, check=True, timeout=600)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    assert wheel.stat().st_size < 8e6
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = f"""
import nnsvs_lite
assert nnsvs_lite.__file__.startswith({str(tmp_path / "site")!r}), nnsvs_lite.__file__
assert main(["config", "acoustic", "resf0_conv"]) == 0
sys.exit(main(["sing", {str(tune)!r}, "-o", "song.wav"]))
"""
    done = run(code, tmp_path, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "song.wav").stat().st_size > 150_000
