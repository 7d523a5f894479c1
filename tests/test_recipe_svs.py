"""The staged recipe script, run on a toolkit that only records how it is called."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETS = ("train", "dev", "eval")
FAKE = """#!/usr/bin/env bash
# Stands in for nnsvs-lite: notes the call, makes the folders and files that later stages look for.
echo "$*" >>"${CALLS}"
[ "$1" = config ] || echo "fake $1"
case "${FAIL:-}" in "$1")
    echo "nnsvs-lite $1: error: data/train/score:3: a note of zero length" >&2
    exit 1
    ;;
esac
case "${SLEEP:-}" in "$1") echo $$ >"${CALLS}.pid"; exec sleep 60 ;; esac
out=
[ "$1" != config ] || echo "conf/shipped/$3.yaml"
command=$1
while [ $# -gt 0 ]; do
    case $1 in --out) out=$2; shift ;; --dump) dump=$2; shift ;; --results-md) table=$2; shift ;; esac
    shift
done
case ${out} in *.html | *.json) ;; ?*) mkdir -p "${out}" ;; esac
case ${command} in
    stats) touch "${dump}/stats.json" ;;
    train) touch "${out}/model.pt" ;;
    evaluate) echo "${out}" >"${table}" ;;
esac
"""
DATA = """#!/usr/bin/env bash
echo "local/data.sh $*" >>"${CALLS}"
for set in train dev eval; do
    for name in ${set} ${set}_two ${set}_multi; do
        mkdir -p data/${name}
        [ -n "${NO_LABELS:-}" ] || touch data/${name}/label.ctm
    done
done
"""


class Recipe:
    """A copy of the recipe's scripts in a folder of its own, with a fake toolkit installed beside it."""

    def __init__(self, root: Path):
        self.folder = root / "egs" / "toy" / "svs1"
        self.calls_file = root / "calls"
        shutil.copytree(ROOT / "egs" / "TEMPLATE", root / "egs" / "TEMPLATE", symlinks=True)
        shutil.copytree(ROOT / "utils", root / "utils")
        (self.folder / "local").mkdir(parents=True)
        for name in ("svs.sh", "path.sh", "cmd.sh"):
            (self.folder / name).symlink_to(f"../../TEMPLATE/svs1/{name}")
        (self.folder / "utils").symlink_to("../../../utils")
        for family, name in (
            ("timelag", "ridge"),
            ("duration", "ridge"),
            ("acoustic", "resf0_conv"),
            ("features", "world_48k"),
            *((family, "rule") for family in ("timelag", "duration", "acoustic")),
        ):
            config = self.folder / "conf" / family / f"{name}.yaml"
            config.parent.mkdir(parents=True, exist_ok=True)
            config.touch()
        self._program(self.folder / "local" / "data.sh", DATA)
        self._program(
            self.folder / "local" / "download.sh", '#!/bin/sh\necho "local/download.sh $*" >>"${CALLS}"\n'
        )
        self._program(
            self.folder / "run.sh",
            '#!/usr/bin/env bash\nset -eu\ncd "$(dirname "$0")"\n'
            "exec ./svs.sh --db-root corpus --features-config world_48k \\\n"
            '    --when train_set=train_two --dev-set dev_two --eval-set eval_two -- "$@"\n',
        )
        self._program(root / ".venv" / "bin" / "nnsvs-lite", FAKE)
        self.environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
        self.environment["CALLS"] = os.fspath(self.calls_file)

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def start(self, *options: str, **environment: str) -> subprocess.Popen:
        self.calls_file.write_text("")
        return subprocess.Popen(
            [self.folder / "run.sh", *options],
            env=self.environment | environment,
            cwd="/",
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A shell that starts the tests in the background hands SIGINT on as ignored, nohup SIGHUP, and
            # bash cannot trap what was ignored when it started.
            preexec_fn=lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGHUP)],
        )

    def run(self, *options: str, **environment: str) -> subprocess.CompletedProcess:
        with self.start(*options, **environment) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()

    @property
    def commands(self) -> list[str]:
        return [call.split()[0] for call in self.calls]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return Recipe(tmp_path)


def test_all_stages_in_order(recipe: Recipe) -> None:
    done = recipe.run("--nj", "2")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    expected = ["local/download.sh", "local/data.sh", "validate"]
    expected += ["extract", "extract", "extract"] * 3 + ["stats"]
    expected += ["train", "train"] * 3 + ["decode"] * 4
    expected += ["vocode"] * 3 + ["evaluate", "report"]
    assert recipe.commands == expected
    assert "alignment is skipped" in done.stdout
    for line in ("sung songs:", "results:", "results page:"):
        assert line in done.stdout
    assert f"{recipe.folder}/exp/acoustic_resf0_conv_world_48k/decode_ridge_ridge/eval/songs" in done.stdout


def test_a_corpus_by_its_name_is_fetched_and_prepared_by_the_toolkit(recipe: Recipe) -> None:
    shutil.rmtree(recipe.folder / "local")
    done = recipe.run("--stop-stage", "0")
    assert done.returncode == 1 and "neither --corpus nor local/data.sh in" in done.stderr
    recipe.run("--stop-stage", "0", "--corpus", "toy", "--local-data-opts", "--split mine")
    assert recipe.calls[:2] == [
        "corpus toy --db-root corpus",
        "prepare toy --db-root corpus --out data --split mine",
    ]


def test_a_stage_calls_only_its_own_programs(recipe: Recipe) -> None:
    recipe.run("--stage", "0", "--stop-stage", "2")
    for stage, family in ((3, "timelag"), (4, "duration")):
        recipe.run("--stage", str(stage), "--stop_stage", str(stage))
        assert recipe.commands == ["train", "train"]
        assert f"--config conf/{family}/ridge.yaml --out exp/{family}_ridge_world_48k " in recipe.calls[0]
        assert "--dump dump/world_48k " in recipe.calls[0]
        assert f"--out exp/{family}_rule_world_48k " in recipe.calls[1]


def test_options_reach_the_programs(recipe: Recipe) -> None:
    (recipe.folder / "exp/a base").mkdir(parents=True)
    (recipe.folder / "exp/a base/model.pt").touch()
    done = recipe.run(
        "--acoustic_args",
        "--model.hidden 8 --training.epochs 2",
        "--seed=7",
        "--tag",
        "small",
        "--inference-tag",
        "fast",
        "--stop-stage",
        "5",
        "--acoustic-init",
        "exp/a base",
    )
    assert done.returncode == 0, done.stderr
    train = next(
        call for call in recipe.calls if "--out exp/acoustic_resf0_conv_world_48k_small_seed7 " in call
    )
    assert "--init exp/a base --seed 7 " in train
    assert sum("--init" in call for call in recipe.calls) == 1
    assert train.endswith("--model.hidden 8 --training.epochs 2")
    decode = [call for call in recipe.calls if call.startswith("decode")]
    assert "--set dev --out exp/acoustic_resf0_conv_world_48k_small_seed7/decode_fast/dev " in decode[0]
    timing = (f"--{f} exp/{f}_ridge_world_48k_small_seed7" for f in ("timelag", "duration"))
    assert f"{' '.join(timing)} --seed 7" in decode[1]
    assert "--out exp/acoustic_rule_world_48k/decode_rule/eval " in decode[2] and "--seed" not in decode[2]
    assert decode[3].endswith("--natural")


def test_logs_begin_with_the_command_and_end_with_the_time(recipe: Recipe) -> None:
    recipe.run("--stage", "0", "--stop-stage", "2")
    logs = sorted(path.name for path in (recipe.folder / "log").iterdir())
    assert "extract_eval.2.log" in logs and "data.log" in logs
    lines = (recipe.folder / "log" / "stats.log").read_text().splitlines()
    assert lines[0] == "# nnsvs-lite stats --dump dump/world_48k --train-set train"
    assert lines[1].startswith("# started at ") and os.uname().nodename in lines[1]
    assert lines[2] == "fake stats"
    assert lines[-1].startswith("# ended with status 0 at ")


def test_unknown_option_names_the_nearest(recipe: Recipe) -> None:
    done = recipe.run("--stop-stag", "3")
    assert done.returncode == 1
    assert done.stderr.startswith("svs.sh: error: unknown option '--stop-stag' (did you mean --stop-stage?)")
    assert recipe.calls == []


def test_what_later_stages_are_told_is_read_before_the_first(recipe: Recipe) -> None:
    slip = ("--acoustic-args", "--model.hiden 3")
    check = "config acoustic conf/acoustic/resf0_conv.yaml --check --model.hiden 3"
    assert recipe.run("--stop-stage", "4", *slip).returncode == 0 and check not in recipe.calls
    assert recipe.run(*slip, "--stage", "5").returncode == 0 and check not in recipe.calls
    (recipe.folder / "exp/acoustic_resf0_conv_world_48k/model.pt").unlink()
    recipe.run(*slip)
    assert recipe.calls[0] == check
    for slip, said in (
        (("--features-config", "wrld"), "config features wrld"),
        (("--align-config", "scre"), "config align scre"),
    ):
        assert recipe.run(*slip, FAIL="config").returncode == 1 and recipe.calls == [said]
    done = recipe.run("--acoustic-init", "exp/none")
    assert "--acoustic-init names a trained model" in done.stderr and recipe.calls == []


def test_wrong_values_are_refused(recipe: Recipe) -> None:
    assert "--nj must be a whole number, not 'two'" in recipe.run("--nj", "two").stderr
    assert "--nj must be at least 1" in recipe.run("--nj", "0").stderr
    assert "--realign must be true or false" in recipe.run("--realign", "yes").stderr
    assert "tags are made of" in recipe.run("--tag", "a/b").stderr
    done = recipe.run("--timelag-config", "none", "--stop-stage", "3", FAIL="config")
    # At once, before any stage.
    assert done.returncode == 1 and recipe.calls == ["config timelag none"] and done.stdout == ""
    assert "stages are -1 to 6: --stage 9 --stop-stage 6 has none" in recipe.run("--stage", "9").stderr
    assert "--stage 3 --stop-stage 2 has none" in recipe.run("--stage", "3", "--stop-stage", "2").stderr
    assert "--stage -3 --stop-stage -2 has none" in recipe.run("--stage", "-3", "--stop-stage", "-2").stderr
    assert "--acoustic-exp names a trained model" in recipe.run("--acoustic-exp", "exp/none").stderr
    assert "needs a value" in recipe.run("--nj").stderr


def test_help_lists_every_option_with_its_value(recipe: Recipe) -> None:
    done = recipe.run("--help")
    assert done.returncode == 0
    for option in ("stage", "stop-stage", "nj", "ngpu", "acoustic-config", "realign", "seed", "tag"):
        assert f"--{option}" in done.stdout
    assert "(default: corpus)" in done.stdout  # set by the recipe's run.sh
    assert recipe.calls == []


def test_a_stage_without_its_input_says_which_one_to_run(recipe: Recipe) -> None:
    done = recipe.run("--stage", "5", "--stop-stage", "5")
    assert done.returncode == 1
    assert done.stderr == (
        "svs.sh: error: exp/timelag_ridge_world_48k/model.pt: no such file; "
        "run stage 3 first, or name a model with --timelag-exp\n"
    )


def test_failure_shows_the_log_and_stops_the_recipe(recipe: Recipe) -> None:
    done = recipe.run("--stage", "0", FAIL="validate")
    assert done.returncode == 1
    assert "a note of zero length" in done.stderr and "log/validate.log" in done.stderr
    assert recipe.commands == ["local/data.sh", "validate"]
    assert "# ended with status 1" in (recipe.folder / "log" / "validate.log").read_text()


def test_alignment_where_labels_are_missing_or_asked_for(recipe: Recipe) -> None:
    config = ("--align-config", "toy")
    recipe.run("--stage", "0", "--stop-stage", "1", *config, NO_LABELS="1")
    options, data = recipe.calls[-1].split(" --data=", 1)
    assert options == "align --config conf/shipped/toy.yaml --out exp/align_toy --nj 2 --realign false"
    assert data.split(" --data=") == [f"data/{name}" for name in SETS]
    done = recipe.run("--stage", "1", "--stop-stage", "1", "--align-config", "none", FAIL="config")
    assert done.returncode == 1 and recipe.calls[-1] == "config align none"
    recipe.run("--stage", "0", "--stop-stage", "1", *config)
    assert "align" not in recipe.commands
    recipe.run("--stage", "1", "--stop-stage", "1", "--realign", "true", *config)
    assert recipe.commands == ["config", "align"]


def test_whole_songs_are_split_after_their_alignment(recipe: Recipe) -> None:
    recipe._program(
        recipe.folder / "local" / "split.sh", '#!/bin/sh\necho "local/split.sh $*" >>"${CALLS}"\n'
    )
    for kind in ("labelled", "scored"):
        (recipe.folder / "data" / "songs" / kind).mkdir(parents=True)
    (recipe.folder / "data" / "songs" / "labelled" / "label.ctm").touch()
    recipe.run("--stage", "0", "--stop-stage", "1", "--align-config", "toy")
    songs = ("data/songs/labelled", "data/songs/scored")
    _, _, validate, _, align, split = recipe.calls
    assert validate.startswith(f"validate {' '.join(songs)} ")
    assert align.endswith("--out exp/align_toy --nj 2 --realign false --data=data/songs/scored")
    assert split == "local/split.sh --datadir data --align exp/align_toy"
    (recipe.folder / "data" / "songs" / "scored").rmdir()
    recipe.run("--stage", "1", "--stop-stage", "1", "--align-config", "toy")
    assert recipe.commands == ["local/split.sh"]


@pytest.mark.parametrize(
    ("numbers", "program"),
    [
        ((signal.SIGTERM,), "extract"),
        ((signal.SIGINT,), "extract"),
        ((signal.SIGHUP,), "extract"),
        ((signal.SIGTERM, signal.SIGTERM), "vocode"),
        ((signal.SIGHUP, signal.SIGTERM), "vocode"),
    ],
)
def test_a_signal_ends_the_jobs(recipe: Recipe, numbers: tuple[int, ...], program: str) -> None:
    """To svs.sh alone, not to its group."""
    process = recipe.start("--stage", "0", SLEEP=program)
    pid_file = Path(f"{recipe.calls_file}.pid")
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    job = int(pid_file.read_text())
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.05)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + numbers[0]
    assert "stopped" in err
    with pytest.raises(ProcessLookupError):
        os.kill(job, 0)


RECIPES = sorted(path.parent for path in ROOT.glob("egs/*/svs1/run.sh"))


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.parent.name)
def test_recipes_are_small_and_share_their_scripts(folder: Path) -> None:
    for name in ("svs.sh", "path.sh", "cmd.sh"):
        assert (folder / name).resolve() == ROOT / "egs" / "TEMPLATE" / "svs1" / name
    for name in ("utils", "conf"):
        assert (folder / name).resolve() == ROOT / name
    assert len((folder / "run.sh").read_text().splitlines()) <= 60
    own = os.access(folder / "local" / "data.sh", os.X_OK)
    assert own or f"--corpus {folder.parent.name} " in (folder / "run.sh").read_text()
    for script in (folder / "local").glob("*.sh"):
        assert len(script.read_text().splitlines()) <= 150
    assert (folder / "README.md").is_file()
    done = subprocess.run([folder / "run.sh", "--help"], text=True, capture_output=True, timeout=60)
    configs = [line for line in done.stdout.splitlines() if "-config " in line]
    assert len(configs) == 6
    for line in configs:
        if "--vocoder-config" in line and line.endswith("(default: none)"):
            continue
        family = {"align": "mfa"}.get(name := line.split("-config")[0].strip(" -"), name)
        default = line.rpartition("(default: ")[2].rstrip(")")
        assert (folder / "conf" / family / f"{default}.yaml").is_file(), line


def test_a_baseline_of_the_recipe_joins_the_table(recipe: Recipe) -> None:
    script = recipe.folder / "local" / "baseline.sh"
    recipe._program(
        script, '#!/bin/sh\necho "local/baseline.sh $*" >>"${CALLS}"\nmkdir -p exp/hts_voice/eval\n'
    )
    done = recipe.run()
    assert done.returncode == 0, done.stderr
    assert "local/baseline.sh --data data/eval --out exp/hts_voice/eval" in recipe.calls
    for name in ("evaluate", "report"):
        call = next(call for call in recipe.calls if call.startswith(name))
        assert "--system hts_voice=exp/hts_voice/eval" in call
        assert "--system rule=exp/acoustic_rule_world_48k/decode_rule/eval" in call


def test_a_corpus_without_a_download_says_so(recipe: Recipe) -> None:
    (recipe.folder / "local" / "download.sh").unlink()
    done = recipe.run("--stop-stage", "-1")
    assert done.returncode == 0 and "needs no download" in done.stdout


def trained(recipe: Recipe) -> list[str]:
    """The exp dirs that the last run trained, rule systems left out."""
    outs = [call.split(" --out ")[1].split()[0] for call in recipe.calls if call.startswith("train ")]
    return [out for out in outs if "_rule_" not in out]


def test_a_tag_or_seed_of_one_stage_uses_the_timing_models_that_are_there(recipe: Recipe) -> None:
    recipe.run("--stop-stage", "5")
    done = recipe.run("--stage", "5", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert trained(recipe) == ["exp/acoustic_resf0_conv_world_48k_seed1"]
    assert "no exp/timelag_ridge_world_48k_seed1: exp/timelag_ridge_world_48k is used" in done.stdout
    decode = next(call for call in recipe.calls if call.startswith("decode"))
    assert "--out exp/acoustic_resf0_conv_world_48k_seed1/decode_ridge_ridge/dev " in decode
    assert "--timelag exp/timelag_ridge_world_48k --duration exp/duration_ridge_world_48k --seed 1" in decode

    done = recipe.run("--stage", "4", "--tag", "x", "--stop-stage", "5")
    assert trained(recipe) == ["exp/duration_ridge_world_48k_x", "exp/acoustic_resf0_conv_world_48k_x"]
    assert (
        "--timelag exp/timelag_ridge_world_48k --duration exp/duration_ridge_world_48k_x"
        in recipe.calls[-2 - 2]
    )
    assert "exp/acoustic_resf0_conv_world_48k_x/decode_ridge_ridge_x/dev" in recipe.calls_file.read_text()

    recipe.run("--stage", "3", "--stop-stage", "5", "--seed", "2")
    assert len(trained(recipe)) == 3 and all(out.endswith("_world_48k_seed2") for out in trained(recipe))


def test_models_that_stand_are_used_by_name(recipe: Recipe) -> None:
    recipe.run("--stop-stage", "5", "--tag", "a")
    duration = "exp/duration_ridge_world_48k_a"
    done = recipe.run(
        "--stage", "4", "--duration-exp", duration, "--timelag-exp", "exp/timelag_rule_world_48k"
    )
    assert done.returncode == 0, done.stderr
    assert trained(recipe) == ["exp/acoustic_resf0_conv_world_48k"]
    assert f"{duration} is used as it is (--duration-exp)." in done.stdout
    assert "exp/acoustic_resf0_conv_world_48k/decode_rule_ridge_a/eval" in recipe.calls_file.read_text()
    done = recipe.run("--stage", "5", "--acoustic-exp", "exp/acoustic_resf0_conv_world_48k_a", "--tag", "a")
    assert done.returncode == 0 and trained(recipe) == []
    assert "exp/acoustic_resf0_conv_world_48k_a/decode_ridge_a_ridge_a/eval" in recipe.calls_file.read_text()


def test_a_vocoder_is_trained_and_sings_all_rows_in_folders_of_its_own(recipe: Recipe) -> None:
    recipe.run("--stop-stage", "5")
    done = recipe.run(
        "--stage", "6", "--vocoder-config", "mine/hum.yaml", "--vocoder-args", "--training.lr 1"
    )
    assert done.returncode == 0, done.stderr
    assert recipe.commands == ["config", "train", "vocode", "vocode", "vocode", "evaluate", "report"]
    train, *vocode, evaluate, report = recipe.calls[1:]
    exp, model = "exp/vocoder_hum_world_48k", "exp/acoustic_resf0_conv_world_48k"
    assert f"--out {exp} " in train and "--data data " in train and train.endswith("--training.lr 1")
    decoded = (f"{model}/decode_ridge_ridge", "exp/acoustic_rule_world_48k/decode_rule")
    for call, folder in zip(vocode, (*decoded, "exp/analysis_synthesis/world_48k"), strict=True):
        assert f"--decode-dir {folder}/eval " in call and f"--vocoder {exp} --out {folder}_hum/eval " in call
        assert (f"--voice {model}" in call) == folder.startswith(model)
        assert f"={folder}_hum/eval " in evaluate and f"={folder}_hum/eval " in report
    assert f"--exp vocoder={exp} " in evaluate
    assert f"--out {decoded[0]}_hum/eval/results.json" in evaluate
    assert f"{model}/decode_ridge_ridge_hum/eval/songs" in done.stdout
    assert not (recipe.folder / "RESULTS.md").exists()

    recipe.run("--stage", "6")
    assert recipe.commands == ["vocode", "vocode", "vocode", "evaluate", "report"]
    assert not any("hum" in call for call in recipe.calls)


def test_one_vocoder_serves_models_of_all_seeds(recipe: Recipe) -> None:
    recipe.run("--stop-stage", "6", "--vocoder-config", "hum")
    done = recipe.run("--stage", "5", "--vocoder-config", "hum", "--seed", "1")
    assert "no exp/vocoder_hum_world_48k_seed1: exp/vocoder_hum_world_48k is used" in done.stdout
    trained = [call for call in recipe.calls if "--out exp/vocoder_hum_world_48k " in call]
    assert trained and all("--seed 0 " in call for call in trained), "as it was begun"
    recipe.run("--stage", "5", "--vocoder-config", "hum", "--tag", "x", "--vocoder-args", "--training.lr 1")
    assert any("--out exp/vocoder_hum_world_48k_x " in call for call in recipe.calls if "train" in call)
    done = recipe.run("--stage", "6", "--vocoder-exp", "exp/vocoder_hum_world_48k")
    assert "exp/vocoder_hum_world_48k is used as it is (--vocoder-exp)." in done.stdout
    assert "train" not in recipe.commands
    assert "--vocoder-exp names a trained model" in recipe.run("--vocoder-exp", "exp/none").stderr


def test_only_who_says_so_trusts_a_models_code(recipe: Recipe) -> None:
    recipe.run("--stop-stage", "5")
    assert "--trust-code" not in recipe.calls_file.read_text()
    recipe.run("--stage", "5", "--stop-stage", "5", "--trust-code", "true")
    decoded = [call for call in recipe.calls if call.startswith("decode")]
    assert [("--trust-code" in call, "rule" in call or "--natural" in call) for call in decoded] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]


def test_a_table_outside_exp_is_written_on_request_alone(recipe: Recipe) -> None:
    table = recipe.folder / "RESULTS.md"
    decode = "exp/acoustic_resf0_conv_world_48k/decode_ridge_ridge/eval"
    done = recipe.run()
    assert not table.exists() and (recipe.folder / decode / "RESULTS.md").exists()
    assert f"{decode}/RESULTS.md" in done.stdout
    # What a sweep looks for.
    assert f"\nscores:        {recipe.folder.resolve()}/{decode}/results.json\n" in done.stdout
    recipe.run("--stage", "6", "--results-md", "RESULTS.md")
    assert table.read_text() == f"{decode}/results.json\n"


def test_another_training_set_has_values_of_its_own(recipe: Recipe) -> None:
    done = recipe.run("--train_set=train_two")
    assert done.returncode == 0, done.stderr
    assert "validate data/train_two data/dev_two data/eval_two --sound warn --nj 2" in recipe.calls
    assert "--out exp/acoustic_resf0_conv_world_48k_two " in recipe.calls_file.read_text()
    recipe.run("--stage", "0", "--stop-stage", "0", "--train-set", "train_two", "--eval-set", "eval")
    assert "validate data/train_two data/dev_two data/eval --sound warn --nj 2" in recipe.calls
