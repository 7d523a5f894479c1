"""Experiments never overwrite each other: names keep them apart, and one folder never gets two of them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from features_corpus import make_corpus
from forked import forked
from models_common import ROOT

from nnsvs_lite.io.atomic import read_summed, write_summed
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter
from nnsvs_lite.training import run as run_module

QUICK = "--training.epochs 1 --training.min_steps 0"


def train(dump: Path, out: Path, *more: str, **options) -> bool:
    """Trains a duration model for an epoch."""
    conf = ROOT / "conf" / "duration" / "mdn.yaml"
    return run_module.train(conf, dump, "train", "dev", out, overrides=[*QUICK.split(), *more], **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {os.fspath(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def trained(toy_dump, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "exp"
    assert train(toy_dump, out)
    return out


@pytest.fixture
def exp(trained, tmp_path) -> Path:
    return shutil.copytree(trained, tmp_path / "exp")


@pytest.mark.parametrize(
    ("more", "options", "change"),
    [
        (["--training.lr=0.5"], {}, "training.lr 0.002 -> 0.5"),
        (["--model.hidden=8"], {}, "model.init_args.hidden "),
        ([], {"seed": 3}, "training.seed 0 -> 3"),
    ],
)
def test_another_configuration_is_refused_and_nothing_is_touched(toy_dump, exp, more, options, change):
    before = contents(exp)
    with pytest.raises(DataError) as error:
        train(toy_dump, exp, *more, **options)
    assert change in str(error.value) and "\n" not in str(error.value)
    assert "--tag" in str(error.value) and "--overwrite true" in str(error.value)
    assert contents(exp) == before


def test_only_the_first_few_differences_are_named(toy_dump, exp):
    words = [
        f"--training.{word}" for word in ("lr=0.5", "clip=0.5", "warmup=7", "patience=3", "weight_decay=0")
    ]
    with pytest.raises(DataError, match="-> .* -> .* -> .*, and [0-9] more; "):
        train(toy_dump, exp, *words)


def test_other_data_are_refused(toy_dump, exp, tmp_path):
    dump = shutil.copytree(toy_dump, tmp_path / "dump")
    with (dump / "dev" / "utt2spk").open("a") as table:
        table.write("toy_more toy\n")
    with pytest.raises(DataError, match=r"dev_set\.utterances 2 -> 3"):
        train(dump, exp)
    schema = read_summed(toy_dump / "schema.json")
    write_summed(dump / "schema.json", schema | {"sample_rate": 16000})
    with pytest.raises(DataError, match=r"features\.sample_rate 24000 -> 16000"):
        train(dump, exp)


@pytest.mark.parametrize("name", ["train", "dev"])
@pytest.mark.parametrize("finished", [True, False])
def test_changed_features_of_the_same_utterances_are_other_data(toy_dump, exp, tmp_path, name, finished):
    dump = shutil.copytree(toy_dump, tmp_path / "dump")
    ark = dump / name / "duration.ark"
    times = ark.stat()
    reader = FeatureReader(dump / name / "duration.scp")
    with FeatureWriter(dump / name, "duration") as writer:
        for utt, value in {utt: reader[utt] for utt in reader}.items():
            writer.write(utt, value[::-1])
    os.utime(ark, ns=(times.st_atime_ns, times.st_mtime_ns))
    if not finished:
        next(exp.glob(".done*")).unlink()
    before = contents(exp)
    with pytest.raises(DataError, match=rf"{name}_set\.contents .* -> "):
        train(dump, exp)
    assert contents(exp) == before


@pytest.mark.parametrize(
    ("set_name", "key", "value"),
    [("dev", "frame_shift", 0.01), ("train", "frame_shift", 0.0025)],
)
def test_sets_that_were_analysed_otherwise_are_refused(toy_dump, tmp_path, set_name, key, value):
    dump = shutil.copytree(toy_dump, tmp_path / "dump")
    for subset in ("train", "dev"):
        schema = read_summed(dump / "schema.json")
        if subset == set_name:
            schema["feature_config"][key] = value
        write_summed(dump / subset / "schema.json", schema)
    with pytest.raises(DataError, match=rf"{set_name}: was analysed with other {key} than .*schema\.json"):
        train(dump, tmp_path / "exp")
    assert not (tmp_path / "exp" / "model.pt").exists()


@pytest.mark.parametrize("name", ["model.pt", "config.yaml", "losses.jsonl", "trained.json"])
@pytest.mark.parametrize("change", ["cut", "flipped", "gone"])
def test_a_damaged_experiment_is_mended(toy_dump, trained, exp, name, change):
    whole = (exp / name).read_bytes()
    half = len(whole) // 2
    damaged = whole[:half] if change == "cut" else whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
    (exp / name).unlink()
    if change != "gone":
        (exp / name).write_bytes(damaged)
    assert train(toy_dump, exp)
    for file in ("model.pt", "last.pt", "losses.jsonl", "config.yaml", "data.json", "trained.json"):
        expected = (trained / file).read_bytes()
        if name == file == "trained.json":  # at which commit nobody knows any more
            expected = re.sub(rb'("commit": )".*"', rb'\1""', expected)
        assert (exp / file).read_bytes() == expected, file
    assert train(toy_dump, exp) is False


def test_what_trained_a_model_stands_beside_it(toy_dump, tmp_path):
    out = tmp_path / "exp"
    train(toy_dump, out, "--training.clip=2", seed=3)
    told = json.loads((out / "trained.json").read_text())
    assert (told["config"], told["seed"]) == ("mdn", 3)
    assert told["options"] == [*QUICK.split(), "--training.clip=2"]
    assert set(told) == {"config", "seed", "options", "commit"}


def test_overwriting_leaves_nothing_of_the_old_one(toy_dump, exp, tmp_path):
    assert train(toy_dump, exp, "--training.lr=0.5", overwrite=True)
    assert train(toy_dump, tmp_path / "new", "--training.lr=0.5")
    for name in ("model.pt", "last.pt", "losses.jsonl", "config.yaml", "data.json"):
        assert (exp / name).read_bytes() == (tmp_path / "new" / name).read_bytes(), name
    before = contents(exp)
    assert train(toy_dump, exp, "--training.lr=0.5", overwrite=True) is False
    assert contents(exp) == before, "the same experiment is not trained again"


def test_a_configuration_that_never_trained_stands_in_nobodys_way(toy_dump, exp):
    for name in ("model.pt", "last.pt"):
        (exp / name).unlink()
    assert train(toy_dump, exp, "--training.lr=0.5")


def test_a_wrong_configuration_destroys_nothing(toy_dump, exp):
    before = contents(exp)
    with pytest.raises(DataError, match="is for acoustic models"):
        train(toy_dump, exp, "--training.transpose=2", overwrite=True)
    assert contents(exp) == before


@pytest.mark.slow
def test_a_finished_recipe_stands_beside_one_with_other_features(tmp_path):
    """The whole script, 48 kHz and then 24 kHz: the first keeps every byte. Odd names do no harm."""
    folder = tmp_path / "my JOB's folder"
    folder.mkdir()
    for name in ("svs.sh", "path.sh", "cmd.sh"):
        (folder / name).symlink_to(ROOT / "egs" / "TEMPLATE" / "svs1" / name)
    for name in ("utils", "conf"):
        (folder / name).symlink_to(ROOT / name)
    make_corpus(folder / "corpus", n_utts=4, rate=48000)
    for name in ("train", "dev", "eval"):
        shutil.copytree(folder / "corpus" / "data", folder / "data" / name)
    (folder / "local").mkdir()
    baseline = folder / "local" / "baseline.sh"
    baseline.write_text('#!/bin/sh\nmkdir -p "$4" && cp data/eval/wav.scp data/eval/label.ctm "$4"\n')
    baseline.chmod(0o755)
    command = [
        "./svs.sh",
        "--features-config",
        "world_48k",
        "--",
        "--stage",
        "2",
        "--nj",
        "1",
        "--expdir",
        "exp JOB",
    ]
    for family, more in (("timelag", ""), ("duration", ""), ("acoustic", " --model.hidden 8")):
        command += [f"--{family}-args", QUICK + more]

    with forked(tmp_path / "programs") as environment:

        def run(*words: str) -> subprocess.CompletedProcess:
            return subprocess.run(
                [*command, *words], cwd=folder, env=environment, text=True, capture_output=True
            )

        done = run("--results-md", "RESULTS.md")
        assert done.returncode == 0, done.stdout + done.stderr
        before = {name: contents(folder / name) for name in ("dump", "exp JOB")}
        table = (folder / "RESULTS.md").read_bytes()

        done = run("--features-config", "conf/features/world_24k.yaml")
        assert done.returncode == 0, done.stdout + done.stderr
        for name, files in before.items():
            after = contents(folder / name)
            assert {file: after.get(file) for file in files} == files
        assert (folder / "RESULTS.md").read_bytes() == table
        for rate in ("48k", "24k"):
            exp = folder / "exp JOB" / f"acoustic_resf0_conv_world_{rate}"
            assert (exp / "model.pt").exists()
            assert (exp / "decode_ridge_ridge" / "eval" / "results.json").exists()
            assert (exp / "decode_ridge_ridge" / "eval" / "RESULTS.md").exists()

        done = run("--stage", "5", "--stop-stage", "5", "--acoustic-args", QUICK + " --model.hidden 12")
        assert done.returncode == 1 and "model.init_args.hidden 8 -> 12" in done.stderr
        model = "acoustic_resf0_conv_world_48k/model.pt"
        assert contents(folder / "exp JOB")[model] == before["exp JOB"][model]
