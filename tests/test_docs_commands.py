"""Every command that the documentation shows is run: here on toys, or where ELSEWHERE says."""

import itertools
import os
import re
import shutil
from functools import cache

import align_corpus
import pytest
from docs_commands import PAGES, Command, commands
from models_common import ROOT
from scorefiles import midi, musicxml, tune
from test_recipe_svs import Recipe

from nnsvs_lite.bin import main as program

COMMANDS = [command for page in PAGES for command in commands(page)]
CI = ".ci/run"
ELSEWHERE = {
    # Beginning of a command: the file that runs it, and the words in that file that do.
    "make demo": (CI, "egs/demo/svs1/run.sh --stage 0 --stop-stage 6"),
    "make test": (CI, "\nmake test"),
    "make lint": (CI, "\nmake lint"),
    "make docs": (CI, "\nmake docs"),
    "make setup": ("Makefile", "lint: setup"),
    "make bench": ("Makefile", "tools/bench_sing.py"),
    ".ci/run": (CI, "make test-slow"),
    "pip install": ("tools/setup.sh", "-e '.[all]'"),
    "curl": ("tests/test_studio_api.py", "X-Studio"),
    "tools/install_mfa.sh": ("tests/test_align_mfa.py", "install_mfa.sh"),
    "tools/slurm_local.sh start": ("tests/slurm_local.py", '[tool, "start", folder]'),
    "tools/slurm_local.sh stop": ("tests/slurm_local.py", '[tool, "stop", folder]'),
    "./run.sh --stage 0 --stop-stage 6 --cmd": ("tests/test_recipe_kill.py", '"--cmd", "utils/slurm.sh"'),
    "tools/fuzz_scores.py": ("tests/test_score_fuzz.py", "scorefuzz"),
    "tools/learn_letters.py": ("tests/test_score_en.py", "learn_letters"),
    "python tools/spelt.py": ("tests/test_score_espeak.py", "spelt.main"),
    "tools/compare_wiktionary.py": ("docs/languages.md", "Wiktionary"),
    "python tools/corpora.py": ("tests/test_corpora.py", "tool.texts()"),
    "python tools/robustness.py": ("docs/models.md", "50\nhard scores"),
    "python ../../../tools/vocoder_zoo.py": ("tests/test_tools_vocoder_zoo.py", "zoo.train("),
    "python tools/zoo_mel.py": ("tests/test_tools_zoo_mel.py", "zoo_mel.resampled("),
    "python tools/zoo.py": ("tests/test_tools_zoo.py", "zoo.page("),
    "python tools/bench_growth.py": ("Makefile", "tools/bench_growth.py"),
    "python tools/bench_sing.py": ("Makefile", "tools/bench_sing.py"),
    "python tools/bench_studio.py": ("Makefile", "tools/bench_studio.py"),
    "python tools/bench_peers.py": ("Makefile", "tools/bench_peers.py"),
    "python ../../../tools/singers.py": (CI, "tools/singers.py"),
    "nnsvs-lite serve": ("tests/test_studio_serve.py", '"serve", "--model"'),
    "nnsvs-lite export": ("tests/test_export_openutau.py", '"export", "--check"'),
    "nnsvs-lite evaluate": ("egs/TEMPLATE/svs1/svs.sh", "nnsvs-lite evaluate --dump"),
    "nnsvs-lite report": ("egs/TEMPLATE/svs1/svs.sh", "nnsvs-lite report --results"),
    "nnsvs-lite completion": ("tests/test_bin_completion.py", 'script("bash")'),
    "nnsvs-lite sweep": ("tests/test_report_sweep.py", '"sweep", "ridge", "acoustic/hmm"'),
    "nnsvs-lite compare": (CI, "nnsvs-lite compare"),
    "nnsvs-lite vocode": ("egs/TEMPLATE/svs1/svs.sh", "nnsvs-lite vocode --decode-dir"),
    "nnsvs-lite demo-corpus --out": ("egs/demo/svs1/local/data.sh", "nnsvs-lite demo-corpus --out"),
    "nnsvs-lite demo-corpus --hts": (
        "egs/demo/svs1/local/baseline.sh",
        "nnsvs-lite demo-corpus --hts-voice",
    ),
    "nnsvs-lite train --config conf/vocoder": (
        "tests/test_training_vocoder.py",
        '"train", "--config", conf, "--dump", dump, "--data", data, "--out", out',
    ),
    "nnsvs-lite decode --natural": (
        "egs/TEMPLATE/svs1/svs.sh",
        'decode natural "${eval_set}" "${natural}" --natural',
    ),
    "nnsvs-lite decode --dump dump/mel_24k --set": ("tests/test_training_vocoder.py", '"--true-times"'),
    "nnsvs-lite train --config vocoder/nsf": ("tests/test_training_vocoder.py", '"--features-from"'),
    "nnsvs-lite data combine": ("egs/demo/svs1/local/data.sh", "nnsvs-lite data combine"),
    "./run.sh --db-root ~/songs": ("tests/test_recipe_myvoice.py", '"--db-root", "my songs", "--lang", "ja"'),
    "nnsvs-lite sing new_song": ("tests/test_recipe_myvoice.py", '"sing", str(song), "--model", voice'),
    "nnsvs-lite transcribe song.wav": ("tests/test_recordings_drafts.py", '"transcribe", str(path), "-o"'),
    "nnsvs-lite card egs": ("tests/test_recipe_myvoice.py", '"card", voice'),
    "nnsvs-lite convert-vocoder": ("tests/test_models_foreign.py", '"convert-vocoder"'),
    "./run.sh --mixture": ("tests/test_recipe_mixed.py", '"--mixture", "../../../two.yaml"'),
    "nnsvs-lite mix": ("egs/mixed/svs1/local/data.sh", 'nnsvs-lite mix "${db_root}"'),
    "nnsvs-lite sing song.musicxml --model exp/acoustic_resf0_conv_world_24k --lang": (
        "tests/test_recipe_mixed.py",
        '"--lang", lang, "--singer", singer',
    ),
    "nnsvs-lite sing SCORE": (CI, "nnsvs-lite sing"),
    "nnsvs-lite sing song.musicxml --model exp/acoustic_resf0_conv_world_24k_multi": (CI, "--singer mei"),
}
NAMES = {"DATA_DIR": "egs/demo/svs1/data/eval", "DIR": "out", "ID": "toy_000"}
"""What stands for the words in capitals."""


def is_mention(command: Command) -> bool:
    """Whether prose only names a program: there is nothing to run."""
    return command.inline and len(command.words) <= 1 + command.text.startswith(("nnsvs-lite", "make"))


def elsewhere(command: Command) -> str | None:
    """The key of ELSEWHERE that a command begins with; the longest."""
    found = [key for key in ELSEWHERE if command.text.startswith(key)]
    return max(found, key=len, default=None)


def of(*beginnings: str) -> list[Command]:
    return [c for c in COMMANDS if not is_mention(c) and c.text.startswith(beginnings)]


RECIPES = [c for c in of("./run.sh") if elsewhere(c) is None]
HERE = [c for c in of("nnsvs-lite") if elsewhere(c) is None]


@cache
def options_of(name: str) -> frozenset[str]:
    """Options of a command of nnsvs-lite, with hyphens."""
    return frozenset(option.replace("_", "-") for option in program.parser_of(name).long_options())


def test_every_command_is_run_somewhere():
    assert len(COMMANDS) > 40 and len(HERE) > 8 and len(RECIPES) > 8
    lost = [
        f"{c.page}: {c.text}"
        for c in COMMANDS
        if not is_mention(c) and c not in RECIPES and c not in HERE and elsewhere(c) is None
    ]
    assert lost == [], "run these here, or say in ELSEWHERE what runs them"


@pytest.mark.parametrize("key", ELSEWHERE)
def test_what_is_run_elsewhere_is(key):
    name, words = ELSEWHERE[key]
    assert words in (ROOT / name).read_text(encoding="utf-8")
    assert any(c.text.startswith(key) for c in COMMANDS), "no page shows this command any more"


def test_commands_and_their_options_exist():
    known = program.COMMANDS
    for command in COMMANDS:
        words = command.words
        if words[0] == "nnsvs-lite" and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in known, command
            assert set(command.options) <= options_of(words[1]) | {"--help"}, command
        elif words[0] == "make" and len(words) > 1:
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M), command
        elif (script := re.search(r"tools/\S+", command.text)) and not is_mention(command):
            assert words[0] == "python" or os.access(ROOT / script[0], os.X_OK), command
            text = (ROOT / script[0]).read_text(encoding="utf-8")
            assert all(f'"{option}"' in text for option in command.options), command


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The demo recipe on a toolkit that notes its calls, with all that earlier stages make."""
    recipe = Recipe(tmp_path_factory.mktemp("recipe"))
    shutil.rmtree(recipe.folder / "conf")
    (recipe.folder / "conf").symlink_to(ROOT / "conf")
    shutil.copy(ROOT / "egs" / "demo" / "svs1" / "run.sh", recipe.folder / "run.sh")
    assert recipe.run().returncode == 0
    return recipe


@pytest.mark.parametrize("page", sorted({c.page for c in RECIPES}))
def test_recipes_run_as_shown(page, recipe):
    """The script takes the words, and what it hands to training is a configuration."""
    from nnsvs_lite.models.config import Config

    (recipe.folder / "plain.yaml").write_text((ROOT / "conf" / "acoustic" / "resf0_conv.yaml").read_text())
    for command in (c for c in RECIPES if c.page == page):
        words = ["plain.yaml" if word == "plain_lstm" else word for word in command.words[1:]]
        for option, base in itertools.pairwise(words):
            if option.endswith("-init"):  # voices that other commands make
                (recipe.folder / base).mkdir(parents=True, exist_ok=True)
                (recipe.folder / base / "model.pt").touch()
        done = recipe.run(*words)
        assert done.returncode == 0, f"{command.text}: {done.stderr}"
        for given in map(str.split, recipe.calls):
            if given[0] == "train" and "--num-nodes" in given:
                overrides = given[given.index("--num-nodes") + 2 :]
                Config.read(recipe.folder / given[given.index("--config") + 1], overrides)


def test_stage_5_alone_never_trains_over_the_recipes_own_model():
    for command in RECIPES:
        if "--acoustic-args" in command.options and "5" in command.words:
            assert "--tag" in command.options, f"{command.page}: {command.text} would be refused"


@pytest.fixture(scope="module")
def workshop(toy_voice, tmp_path_factory):
    """A repository whose demo recipe has what the commands name; what one writes is there for the next."""
    root = tmp_path_factory.mktemp("workshop")
    folder = root / "egs" / "demo" / "svs1"
    shutil.copytree(toy_voice, folder / "exp" / "acoustic_resf0_conv_world_24k")
    for place in (root / "my_song.musicxml", folder / "song.musicxml"):
        place.write_bytes(musicxml(tune("60 1 さ, 62 1 く, 64 2 ら")))
    (folder / "tune.mid").write_bytes(midi(tune("60 1 -, 62 1 -, 64 2 -")))
    (folder / "words.txt").write_text("さくら")
    (folder / "conf").symlink_to(ROOT / "conf")
    (folder / "run.sh").touch()
    (folder / "LICENSE").write_text("CC BY 4.0\n")
    (folder / "corrections").mkdir()
    data = align_corpus.make_corpus(folder / "corpus", 8)
    parts = {"train": data.utts[:4], "dev": data.utts[4:6], "eval": data.utts[6:]}
    for name, part in data.split(parts).items():
        part.write(folder / "data" / name)
    data.labels = {}
    data.write(folder / "data" / "songs")
    return root


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if "alignment" in page else ())
        for page in sorted({c.page for c in HERE})
    ],
)
def test_programs_run_as_shown(page, workshop, monkeypatch, capsys):
    """Page by page, since a command may need what the one above it wrote."""
    monkeypatch.chdir(workshop if page == "README.md" else workshop / "egs" / "demo" / "svs1")
    for command in (c for c in HERE if c.page == page):
        words = [NAMES.get(w.removesuffix("..."), w) for w in command.words[1:] if w != "..."]
        assert program.main(words) == 0, f"{command.text}: {capsys.readouterr().err}"
