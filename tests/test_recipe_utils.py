"""The job runners, of which all keep the same promises, and the option parser by themselves."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import is_alive, until
from slurm_local import ROOT, slurm


class Runner:
    """A runner of jobs in an environment of its own."""

    def __init__(self, name: str, environment: dict[str, str]):
        self.is_cluster = name != "run.sh"
        self.environment = environment
        self.command = [ROOT / "utils" / name]
        self.command += ["--config", ROOT / "conf" / "slurm.conf"] if self.is_cluster else []

    def __call__(self, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*self.command, *words],
            cwd=folder,
            env=self.environment | environment,
            text=True,
            capture_output=True,
            timeout=120,
        )


@pytest.fixture(scope="module", params=["run.sh", pytest.param("slurm.sh", marks=pytest.mark.slow)])
def run(request) -> Iterator[Runner]:
    if request.param == "run.sh":
        yield Runner(request.param, dict(os.environ))
        return
    with slurm() as environment:
        yield Runner(request.param, environment)


def test_jobs_get_their_number_and_a_log_each(run: Runner, tmp_path: Path) -> None:
    done = run(tmp_path, "JOB=2:4", "log/x.JOB.log", "echo", "job", "JOB")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for job in (2, 3, 4):
        lines = (tmp_path / "log" / f"x.{job}.log").read_text().splitlines()
        assert lines[0] == f"# echo job {job}"
        assert lines[2] == f"job {job}"
        assert lines[3].startswith("# ended with status 0 at ")
        assert len(lines) == 4


def test_only_the_word_job_by_itself_is_replaced(run: Runner, tmp_path: Path) -> None:
    done = run(tmp_path, "JOB=2:2", "a JOB/JOBs.JOB.log", "echo", "JOB", "/home/JOB/data", "JOBS", "x.JOB")
    assert done.returncode == 0
    assert (tmp_path / "a JOB" / "JOBs.2.log").read_text().splitlines()[2] == "2 /home/JOB/data JOBS x.JOB"
    run(tmp_path, "JOB.log", "echo", "JOB", "of one")
    assert (tmp_path / "JOB.log").read_text().splitlines()[2] == "JOB of one"


def test_a_failed_job_shows_the_end_of_its_log(run: Runner, tmp_path: Path) -> None:
    script = 'for i in $(seq 100); do echo "line $i of $0"; done; [ $0 != 2 ] || exit 3'
    done = run(tmp_path, "JOB=1:3", "x.JOB.log", "bash", "-c", script, "JOB")
    assert done.returncode == 1
    assert "1 of 3 jobs failed; the end of x.2.log:" in done.stderr
    assert "line 100 of 2" in done.stderr and "line 50 of 2" not in done.stderr
    assert "of 1\n" not in done.stderr
    assert "# ended with status 3" in (tmp_path / "x.2.log").read_text()
    assert "# ended with status 0" in (tmp_path / "x.3.log").read_text()


def test_a_log_is_continued_not_overwritten(run: Runner, tmp_path: Path) -> None:
    run(tmp_path, "x.log", "echo", "first")
    run(tmp_path, "--show", "x.log", "echo", "second")
    text = (tmp_path / "x.log").read_text()
    assert text.index("\nfirst\n") < text.index("\nsecond\n")
    assert text.count("# ended with status 0") == 2


def test_show_prints_the_output_here_too(run: Runner, tmp_path: Path) -> None:
    done = run(
        tmp_path, "--gpu", "1", "--show", "x.log", "bash", "-c", "echo out; echo '# comment'; echo err >&2"
    )
    assert done.stdout == "out\nerr\n"
    assert "\nout\n# comment\nerr\n# ended" in (tmp_path / "x.log").read_text()


def test_several_jobs_may_not_share_a_log(run: Runner, tmp_path: Path) -> None:
    done = run(tmp_path, "JOB=1:2", "x.log", "true")
    assert done.returncode == 1
    assert "must contain JOB" in done.stderr


def test_a_missing_command_or_log_is_an_error(run: Runner, tmp_path: Path) -> None:
    assert run(tmp_path).returncode == 1
    assert run(tmp_path, "x.log").returncode == 1
    done = run(tmp_path, "x.log", "no-such-program")
    assert done.returncode == 1 and "no-such-program" in done.stderr


STUBBORN = """
trap '' TERM
bash -c 'trap "" TERM; echo $BASHPID >>pids; while :; do read -r -t 9 <> <(:) || true; done' &
echo $BASHPID >>pids
while :; do read -r -t 9 <> <(:) || true; done
"""
# Where the child dies first, the signal still finds its parent at work.
POLITE = """
trap 'echo last words; exit 1' TERM
echo $BASHPID >>pids
sleep 99 &
echo $! >>pids
wait
sleep 1 &
wait
"""


@pytest.mark.parametrize(
    ("script", "numbers", "words"),
    [
        (POLITE, (signal.SIGTERM,), ("--show", "x.log")),
        (POLITE, (signal.SIGINT, signal.SIGTERM), ("--show", "x.log")),
        (POLITE, (signal.SIGHUP,) * 3, ("JOB=1:2", "x.JOB.log")),
        pytest.param(STUBBORN, (signal.SIGTERM,) * 3, ("--show", "x.log"), marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_all_that_was_started(run: Runner, tmp_path, script, numbers, words) -> None:
    runner = subprocess.Popen(
        [*run.command, *words, "bash", "-c", script],
        cwd=tmp_path,
        env=run.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    pids, count = tmp_path / "pids", 2 if words[0] == "--show" else 4
    until(lambda: pids.exists() and len(pids.read_text().splitlines()) == count)
    for number in numbers:
        runner.send_signal(number)
        time.sleep(0.05)
    # Its output ends when nobody holds it any more.
    said, _ = runner.communicate(timeout=60)
    assert runner.returncode == 128 + numbers[0]
    assert not any(is_alive(int(pid)) for pid in pids.read_text().split())
    for log in tmp_path.glob("x.*log"):
        assert "# stopped by a signal at " in log.read_text()
    if script is POLITE and words[0] == "--show":
        assert [line for line in said.splitlines() if b"slurmstepd" not in line] == [b"last words"]


def parse(tmp_path: Path, *words: str) -> subprocess.CompletedProcess:
    script = tmp_path / "script.sh"
    script.write_text(
        "set -euo pipefail\n# Options\nstop_stage=6  # last stage\ndb_root=  # the corpus\nhidden=1\n"
        f'description="Does it."\n. {ROOT}/utils/parse_options.sh\n'
        'echo "${stop_stage}|${db_root}|${hidden}"\n'
    )
    return subprocess.run(["bash", script, *words], text=True, capture_output=True, timeout=60)


def test_spellings_of_an_option(tmp_path: Path) -> None:
    assert parse(tmp_path).stdout == "6||1\n"
    for words in (("--stop-stage", "3"), ("--stop_stage", "3"), ("--stop-stage=3",), ("--stop_stage=3",)):
        assert parse(tmp_path, *words).stdout == "3||1\n"
    assert parse(tmp_path, "--db-root=a=b c", "--stop-stage", "-1").stdout == "-1|a=b c|1\n"
    assert parse(tmp_path, "--stop-stage", "3", "--stop_stage", "4").stdout == "4||1\n"


def test_only_documented_lines_are_options(tmp_path: Path) -> None:
    done = parse(tmp_path, "--hidden", "2")
    assert done.returncode == 1 and "unknown option '--hidden'" in done.stderr


def test_nothing_is_near_to_nonsense(tmp_path: Path) -> None:
    done = parse(tmp_path, "--zzzzzz", "2")
    assert done.returncode == 1 and "did you mean" not in done.stderr
    assert "did you mean --db-root" in parse(tmp_path, "--dbroot", "x").stderr


def test_help(tmp_path: Path) -> None:
    done = parse(tmp_path, "--help")
    assert done.returncode == 0
    assert "Does it." in done.stdout
    assert "--stop-stage" in done.stdout and "last stage (default: 6)" in done.stdout
    assert "the corpus (default: none)" in done.stdout


def test_a_callers_own_values_give_way_to_its_users(tmp_path: Path) -> None:
    own = ("--db-root", "here", "--when", "stop-stage=2", "--db-root", "there", "--")
    assert parse(tmp_path, *own).stdout == "6|here|1\n"
    assert parse(tmp_path, *own, "--stop-stage=2").stdout == "2|there|1\n"
    assert parse(tmp_path, *own, "--db_root", "mine", "--stop-stage", "2").stdout == "2|mine|1\n"
    assert "the corpus (default: there)" in parse(tmp_path, *own, "--help", "--stop-stage", "2").stdout
    assert "unknown option '--nope'" in parse(tmp_path, "--nope", "1", "--").stderr
