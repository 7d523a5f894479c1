"""Sweeps on a recipe that only writes figures: what runs, what is compared, what failures and kills leave."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from killing import is_alive, until
from models_common import ROOT
from test_report_compare import row

from nnsvs_lite.bin.main import main
from nnsvs_lite.report.latex import COLUMNS, escape
from nnsvs_lite.report.sweep import read_seeds

ERRORS = {"ridge": (10.0, 20.0, 30.0), "hmm": (40.0, 40.0, 40.0), "rnn": (7.0, 8.0, 12.0)}
"""F0 RMSE in cents of each configuration by seed: means 20, 40 and 9, deviations 10, 0 and 7 ** 0.5."""
RUN = f"""#!{sys.executable}
import json, os, pathlib, sys, time
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
here = pathlib.Path(__file__).parent
with open(here / "calls", "a") as calls:
    print(json.dumps(words), file=calls)
if words["--stage"] == "0":
    sys.exit("run.sh: error: no corpus here" if os.environ.get("BARE") else 0)
name = pathlib.Path(words["--acoustic-config"]).stem + words["--seed"]
if name == os.environ.get("SLEEP"):
    (here / "pid").write_text(str(os.getpid()))
    time.sleep(60)
if name == os.environ.get("FAIL"):
    sys.stdout.buffer.write(b"caf\\xe9\\n")
    print("nnsvs-lite train: error: dump/train: holds no notes to learn from")
    sys.exit(1)
out = here / "exp" / name / "results.json"
if not out.exists():
    out.parent.mkdir(parents=True)
    out.write_text((here / "figures" / f"{{name}}.json").read_text())
    with open(here / "trained", "a") as trained:
        print(name, file=trained)
if name != os.environ.get("MUTE"):
    print("scores:       ", out)
"""


@pytest.fixture
def recipe(tmp_path) -> Path:
    folder = tmp_path / "toy" / "svs1"
    (folder / "figures").mkdir(parents=True)
    for name, errors in ERRORS.items():
        for seed, error in enumerate(errors):
            rows = {"model": row({"a": error, "b": error}), "rule": row({"a": 50.0, "b": 50.0})}
            (folder / "figures" / f"{name}{seed}.json").write_text(json.dumps(rows))
    conf = folder / "conf" / "acoustic"
    conf.mkdir(parents=True)
    (conf / "rnn.yaml").touch()
    (folder / "run.sh").write_text(RUN)
    (folder / "run.sh").chmod(0o755)
    return folder


@pytest.fixture
def words(recipe, tmp_path) -> list[str]:
    words = ["sweep", "ridge", "acoustic/hmm", "rnn", "--seeds", "0,1,2", "--jobs", "2"]
    return [*words, "--recipe", str(recipe), "-o", str(tmp_path / "out"), "--nj", "1"]


def calls(recipe: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (recipe / "calls").read_text().splitlines()]


def figures(out: Path) -> dict[str, tuple[float, float | None, int]]:
    """Mean, spread and seeds of F0 RMSE by system."""
    with (out / "toy.csv").open() as table:
        rows = [r for r in csv.DictReader(table) if r["measure"] == "lf0_rmse_cents"]
    assert tuple(rows[0]) == COLUMNS and {r["unit"] for r in rows} == {"cents"}
    return {
        r["system"]: (float(r["mean"]), float(r["spread"]) if r["spread"] else None, int(r["seeds"]))
        for r in rows
    }


def test_all_runs_are_made_and_set_side_by_side(recipe, words, tmp_path, capsys):
    assert main(words) == 0
    common, *runs = calls(recipe)
    assert (common["--stage"], common["--stop-stage"], common["--nj"]) == ("0", "4", "1")
    assert {run["--stage"] + run["--stop-stage"] + run["--nj"] for run in runs} == {"561"}
    assert len({run["--logdir"] for run in runs}) == 9
    assert sorted(Path(r["--acoustic-config"]).stem + r["--seed"] for r in runs) == sorted(
        f"{name}{seed}" for name in ERRORS for seed in range(3)
    )
    assert figures(tmp_path / "out") == {
        "ridge": (20.0, 10.0, 3),
        "hmm": (40.0, 0.0, 3),
        "rnn": (9.0, pytest.approx(7**0.5), 3),
        "rule": (50.0, None, 1),
    }
    table = (tmp_path / "out" / "toy.tex").read_text()
    row, below = table.split("ridge & 3 & ")[1].splitlines()[:2]
    assert row.startswith("$20.0$ & ") and below.split(" & ")[2] == "\\scriptsize$\\pm10.0$"
    said = capsys.readouterr().out
    assert "[9/9] toy: " in said and (tmp_path / "out" / "toy.md").read_text() in said


def test_a_vocoder_is_trained_once_before_runs_that_share_it(recipe, words):
    """Two runs at the same time would each find none, and train one; with options, each seed has its own."""
    assert (
        main(
            [*words, "--acoustic-args", "--model.x 1", "--acoustic-init", "exp/a", "--tag", "b"]
            + ["--vocoder-config", "ddsp_tiny"]
        )
        == 0
    )
    common, *runs = calls(recipe)
    assert (common["--stage"], common["--stop-stage"]) == ("0", "6")
    assert common["--acoustic-config"] == "rule"
    assert not any(common[name] for name in ("--acoustic-args", "--acoustic-init", "--tag"))
    assert {run["--acoustic-args"] for run in runs} == {"--model.x 1"}
    (recipe / "calls").unlink()
    assert main([*words, "--vocoder_config", "ddsp_tiny", "--vocoder-args", "--training.updates 9"]) == 0
    assert calls(recipe)[0]["--stop-stage"] == "4"


def test_a_failed_run_is_named_and_the_others_go_on(recipe, words, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FAIL", "ridge1")
    assert main(words) == 1
    error, total = capsys.readouterr().err.splitlines()
    assert "toy: ridge, seed 1: " in error and "holds no notes to learn from" in error
    assert "1 of 9 runs failed" in total
    found = figures(tmp_path / "out")
    assert found["ridge"] == (20.0, pytest.approx(200**0.5), 2) and found["rnn"][2] == 3
    assert "not in the table: toy: ridge, seed 1." in (tmp_path / "out" / "toy.md").read_text()
    monkeypatch.delenv("FAIL")
    assert main(words) == 0 and figures(tmp_path / "out")["ridge"] == (20.0, 10.0, 3)
    assert len((recipe / "trained").read_text().split()) == 9


def test_a_run_that_names_no_scores_has_failed(recipe, words, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MUTE", "rnn0")
    assert main(words) == 1
    error, total = capsys.readouterr().err.splitlines()
    assert "toy: rnn, seed 0: names no scores at its end; all of it: " in error and "1 of 9 runs" in total
    assert figures(tmp_path / "out")["rnn"][2] == 2


def test_a_recipe_that_cannot_be_compared_leaves_the_others_their_tables(recipe, words, tmp_path, capsys):
    other = tmp_path / "bad" / "svs1"
    shutil.copytree(recipe, other)
    (other / "figures" / "hmm1.json").write_text("{")
    assert main([*words, "--recipe", str(other)]) == 1
    assert "sweep: error: bad: " in capsys.readouterr().err
    assert len(figures(tmp_path / "out")) == 4 and not (tmp_path / "out" / "bad.csv").exists()


def test_no_run_is_begun_where_the_data_cannot_be_made(recipe, words, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BARE", "1")
    assert main(words) == 1
    assert "no corpus here" in capsys.readouterr().err
    assert len(calls(recipe)) == 1 and not (tmp_path / "out" / "toy.csv").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_sweep_takes_its_runs_along_and_goes_on(recipe, words, tmp_path, number):
    command = [sys.executable, "-m", "nnsvs_lite.bin.main", *words]
    environment = os.environ | {"SLEEP": "hmm1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as sweep:
        until(lambda: (recipe / "pid").exists() and (recipe / "pid").read_text())
        # Only the one that sleeps: this recipe does not write at one stroke.
        until(lambda: len((recipe / "trained").read_text().split()) == 8)
        sweep.send_signal(number)
    assert sweep.returncode
    until(lambda: not is_alive(int((recipe / "pid").read_text())))
    assert "hmm1" not in (recipe / "trained").read_text().split()
    assert main(words) == 0
    trained = (recipe / "trained").read_text().split()
    assert len(trained) == len(set(trained)) == 9 and figures(tmp_path / "out")["hmm"][2] == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("0,1,2", "0,1,x"), "--seeds: must be whole numbers parted by commas"),
        (("0,1,2", "1,1"), "a seed comes twice"),
        (("rnn", "rnnn"), "no acoustic or timelag or duration or vocoder configuration 'rnnn'"),
        (("rnn", "hn_istft_tiny"), "must lie in a folder of its family"),
        (("rnn", "acoustic/ridge"), "two configurations are called ridge"),
        (("rnn", "duration/mdn"), "acoustic and duration models are compared in a sweep each"),
    ],
)
def test_bad_options_are_told_before_anything_runs(recipe, words, tmp_path, capsys, change, said):
    words = [change[1] if word == change[0] else word for word in words]
    assert main(words) == 1
    assert said in capsys.readouterr().err
    assert not (recipe / "calls").exists() and not (tmp_path / "out").exists()


def test_a_folder_without_a_recipe(tmp_path, capsys):
    assert main(["sweep", "ridge", "--recipe", str(tmp_path)]) == 1
    assert "no run.sh in it" in capsys.readouterr().err


def test_seeds():
    assert read_seeds("3, 0") == [3, 0]


def test_latex_shows_names_and_does_nothing_else():
    assert escape(r"a_b & 5% \input{x} $^~#") == (
        r"a\_b \& 5\% \textbackslash{}input\{x\} \$\textasciicircum{}\textasciitilde{}\#"
    )


def test_the_table_is_whole_latex(recipe, words, tmp_path):
    """Braces, environments and columns; and by a TeX, where there is one."""
    assert main(words) == 0
    text = (tmp_path / "out" / "toy.tex").read_text()
    assert text.isascii() and text.count("{") == text.count("}")
    lines = [line.strip() for line in text.splitlines()]
    assert lines.count(r"\hline") == 3 and lines.index(r"\begin{table}") < lines.index(r"\end{table}")
    columns = next(line for line in lines if line.startswith(r"\begin{tabular}")).split("{")[2].rstrip("}")
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == 8 and {line.count("&") for line in rows} == {len(columns) - 1}
    if (tex := shutil.which("pdflatex")) is None:
        pytest.skip("needs pdflatex")
    page = "\\documentclass{article}\\begin{document}\\input{out/toy.tex}\\end{document}"
    (tmp_path / "page.tex").write_text(page)
    done = subprocess.run([tex, "-halt-on-error", "page.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and (tmp_path / "page.pdf").stat().st_size > 1000, done.stdout
    assert "Overfull" not in done.stdout
