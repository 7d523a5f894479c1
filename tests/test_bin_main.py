"""The dispatcher: finding commands, reading options, reporting errors."""

import argparse
import errno
import io
import os
import subprocess
import sys

import pytest

from nnsvs_lite.bin import main as dispatcher
from nnsvs_lite.bin.command import COMMANDS, Command, arg
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.stagelog import git_commit, run_logged, versions


def install(monkeypatch: pytest.MonkeyPatch, run, **attributes) -> None:
    """Puts a command ``toy-tool`` in place that calls ``run``."""
    arguments = (
        arg("--out-dir", "a folder", required=True),
        arg("--n_jobs", "jobs", default=1),
        arg("items", "words", nargs="*"),
    )
    monkeypatch.setitem(COMMANDS, "toy-tool", Command("A toy.", run, arguments, **attributes))


def test_every_command_shows_its_help(capsys: pytest.CaptureFixture) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as stopped:
            dispatcher.main([name, "--help"])
        assert stopped.value.code == 0
        assert f"usage: nnsvs-lite {name}" in capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom nnsvs_lite.bin import main\n"
        "for name in ['', *main.COMMANDS]:\n"
        "    try:\n        main.main([*name.split(), '--help'])\n    except SystemExit:\n        pass\n"
        "heavy = {'torch', 'music21', 'pyopenjtalk', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_overview_and_version(capsys: pytest.CaptureFixture) -> None:
    assert dispatcher.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in text
    assert dispatcher.main([]) == 1
    assert dispatcher.main(["--version"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("nnsvs-lite ")


def test_unknown_command_names_the_nearest(monkeypatch, capsys) -> None:
    install(monkeypatch, lambda args: 0)
    assert dispatcher.main(["toytool"]) == 1
    assert "unknown command 'toytool' (did you mean 'toy-tool'?)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("train", "--seed", "-1"),
        ("decode", "--seed", "99999999999999999999999"),
        ("demo-corpus", "--seed", "1.5"),
        ("sing", "--seed", "x"),
        ("vocode", "--nj", "0"),
        ("train", "--ngpu", "-2"),
    ],
)
def test_numbers_out_of_range_name_their_option(command, option, value, capsys):
    assert dispatcher.main([command, option, value]) == 1
    said = capsys.readouterr().err
    assert f"argument {option}: must be a whole number within " in said and said.count("\n") == 1


@pytest.mark.parametrize("words", [["--out-dir", "x", "--n-jobs=3"], ["--out_dir=x", "--n_jobs", "3"]])
def test_hyphen_and_underscore_are_the_same(monkeypatch, words: list[str]) -> None:
    seen = []
    install(monkeypatch, seen.append)
    assert dispatcher.main(["toy_tool", *words, "a_b", "--", "--c_d"]) == 0
    assert (seen[0].out_dir, seen[0].n_jobs, seen[0].items) == ("x", 3, ["a_b", "--c_d"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out-dri", "x"], "unknown option '--out-dri' (did you mean '--out-dir'?)"),
        (["--out", "x"], "unknown option '--out'"),
        ([], "the following arguments are required: --out-dir"),
        (["--out-dir", "x", "--n-jobs", "two"], "invalid int value: 'two'"),
    ],
)
def test_wrong_options_are_one_line(monkeypatch, capsys, words: list[str], message: str) -> None:
    install(monkeypatch, lambda args: 0)
    assert dispatcher.main(["toy-tool", *words]) == 1
    text = capsys.readouterr().err
    assert text.startswith("nnsvs-lite toy-tool: error: ") and message in text
    assert text.count("\n") == 1


def test_overrides_are_handed_on(monkeypatch) -> None:
    seen = []
    install(monkeypatch, seen.append, overrides="any")
    words = ["--model.layer_sizes", "8", "--out_dir", "x", "--training.seed=-1"]
    assert dispatcher.main(["toy-tool", *words]) == 0
    assert seen[0].out_dir == "x"
    assert seen[0].overrides == ["--model.layer_sizes", "8", "--training.seed=-1"]


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("a note of\nzero length", "a/score:3"), 1, "a/score:3: a note of zero length"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.wav"), 1, "x.wav: No such file"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_faults_of_the_input_are_one_line(monkeypatch, capsys, error, status: int, message: str) -> None:
    def run(args: argparse.Namespace) -> None:
        raise error

    install(monkeypatch, run)
    assert dispatcher.main(["toy-tool", "--out-dir", "x"]) == status
    text = capsys.readouterr().err
    assert text.startswith("nnsvs-lite toy-tool: ") and message in text
    assert text.count("\n") == 1


def test_faults_of_ours_keep_their_traceback(monkeypatch) -> None:
    def run(args: argparse.Namespace) -> None:
        raise ZeroDivisionError

    install(monkeypatch, run)
    with pytest.raises(ZeroDivisionError):
        dispatcher.main(["toy-tool", "--out-dir", "x"])


def test_stage_log_frames_the_output(monkeypatch, capsys) -> None:
    def run(args: argparse.Namespace) -> int:
        print("at work")
        return 3

    install(monkeypatch, run, stage="out_dir")
    monkeypatch.delenv("NNSVS_LITE_LOGGED", raising=False)
    assert dispatcher.main(["toy-tool", "--out-dir", "a b"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# nnsvs-lite toy-tool --out-dir 'a b'"
    assert lines[1].startswith("# python=") and f"numpy={versions()['numpy']}" in lines[1]
    assert os.uname().nodename in lines[2]
    assert lines[3] == "at work"
    assert lines[4].startswith("# ended ") and lines[4].endswith("status 3")


def test_stage_log_under_a_runner_tells_only_versions(monkeypatch, capsys) -> None:
    install(monkeypatch, lambda args: print("at work"), stage="out_dir")
    monkeypatch.setenv("NNSVS_LITE_LOGGED", "1")
    assert dispatcher.main(["toy-tool", "--out-dir", "x"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("# python=") and lines[1] == "at work"


def test_stage_log_notes_a_failure(monkeypatch) -> None:
    monkeypatch.delenv("NNSVS_LITE_LOGGED", raising=False)
    stream = io.StringIO()

    def run() -> int:
        raise DataError("no")

    with pytest.raises(DataError):
        run_logged(["x"], run, stream)
    assert stream.getvalue().endswith("status 1\n")


def test_help_into_a_closed_pipe_is_no_traceback() -> None:
    program = [sys.executable, "-m", "nnsvs_lite.bin.main", "--help"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode != 0


def test_a_commit_with_changes_is_no_commit(tmp_path, monkeypatch):
    """Changed and new files are told, but documents and what git ignores."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *who, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    (tmp_path / ".gitignore").write_text("exp/\n")
    (tmp_path / "model.py").write_text("1\n")
    git("add", ".")
    git("commit", "-q", "-m", "a")
    head = git("rev-parse", "--short", "HEAD")
    for name in ("exp/model.pt", "deep/RESULTS.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert git_commit() == head
    monkeypatch.chdir(tmp_path / "deep")
    (tmp_path / "new.py").touch()
    assert git_commit() == f"{head} with uncommitted changes"
    (tmp_path / "new.py").unlink()
    (tmp_path / "model.py").write_text("2\n")
    assert git_commit() == f"{head} with uncommitted changes"
