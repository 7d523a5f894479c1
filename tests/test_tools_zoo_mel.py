"""The tool that sets DiffSinger's rows side by side: what of it is not the commands that it calls."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from models_common import ROOT

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config


@pytest.fixture
def zoo_mel(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import zoo_mel

    return zoo_mel


def test_a_row_says_what_its_sampler_does(zoo_mel):
    told = {
        name: zoo_mel.way(Config.read(ROOT / f"conf/acoustic/{name}.yaml").init_args)
        for name in ("fft_singer", "diffsinger", "diffsinger_pndm", "diffsinger_tiny")
    }
    assert told["fft_singer"] == "none"
    assert told["diffsinger"] == "DDPM, 60 from step 60 of 100"
    assert told["diffsinger_pndm"] == "PLMS, 25"
    assert told["diffsinger_tiny"] == "DDPM, 5 from step 60 of 100"


def test_a_sampler_is_another_and_the_weights_are_not(zoo_mel, toy_mel_dump, tmp_path):
    config = Config.read(ROOT / "conf/acoustic/diffsinger_e2e_tiny.yaml")
    torch.manual_seed(0)
    model = config.build(Spec.read(toy_mel_dump))
    save_model(tmp_path / "model.pt", model, config, {})
    out = zoo_mel.resampled(tmp_path, tmp_path / "other", sampler="plms", sampling_steps=3)
    other = load_model(out, "acoustic")
    assert other.stream.sampling_steps == 3 and other.stream.sampler.__name__ == "plms"
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
    assert zoo_mel.cost(other, toy_mel_dump, 0.1) > 0


def test_an_end_to_end_system_costs_what_its_waveforms_cost(zoo_mel, toy_mel_dump, monkeypatch):
    torch.manual_seed(0)
    model = Config.read(ROOT / "conf/acoustic/visinger2_tiny.yaml").build(Spec.read(toy_mel_dump)).eval()
    made, wave = [], zoo_mel.waveform_of
    monkeypatch.setattr(zoo_mel, "waveform_of", lambda *given: made.append(wave(*given)))
    assert zoo_mel.cost(model, toy_mel_dump, 0.1) > 0
    assert len(made) == 3 and all(len(x) > 0.1 * 24000 for x in made)


def test_the_recipe_is_prepared_once_and_a_failure_of_it_ends_the_tool(zoo_mel, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    recipe, run = zoo_mel.Recipe(tmp_path, "mel_24k"), tmp_path / "run.sh"
    run.write_text('#!/bin/sh\necho "$@" >> said\nmkdir -p dump/mel_24k\ntouch dump/mel_24k/stats.json\n')
    run.chmod(0o755)
    zoo_mel.prepare(recipe)
    zoo_mel.prepare(recipe)
    assert Path.cwd() == tmp_path
    assert (tmp_path / "said").read_text() == "--stage 0 --stop-stage 2 --features-config mel_24k\n"
    (recipe.dump / "stats.json").unlink()
    run.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(SystemExit, match="run.sh --stage 0 .* failed"):
        zoo_mel.prepare(recipe)


def test_end_to_end_systems_are_voices_and_others_sing_through_hn(zoo_mel, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(zoo_mel, "call", lambda log, *words, **more: calls.append([str(w) for w in words]))
    place = zoo_mel.Place(tmp_path / "dump", tmp_path / "data", tmp_path / "out", 4)
    for name in ("visinger2_tiny", "diffsinger_tiny"):
        place.score(place.folder(name, 0))
    own, other = (words[-2:] for words in calls if words[0] == "vocode")
    assert own == ["--voice", str(tmp_path / "out" / "visinger2_tiny" / "seed0")]
    assert other == ["--vocoder", "hn"]


def test_a_command_that_fails_ends_the_tool_unless_its_results_are_there(zoo_mel, tmp_path, monkeypatch):
    program, made, log = tmp_path / "nnsvs-lite", tmp_path / "results.json", tmp_path / "log"
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    program.write_text('#!/bin/sh\necho "$@"\ndate +%N > "$2"\nexit "$1"\n')
    program.chmod(0o755)
    zoo_mel.call(log, 0, made)
    zoo_mel.call(log, 1, made, made=made)
    assert log.read_text() == f"0 {made}\n1 {made}\n"
    with pytest.raises(SystemExit, match="zoo: 1 .* failed; see "):
        zoo_mel.call(log, 1, made)
    # Results of an earlier run are none of this one's.
    with pytest.raises(SystemExit):
        zoo_mel.call(log, 1, tmp_path / "other", made=made)


def test_options_reach_every_training_and_the_table(zoo_mel, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(zoo_mel, "call", lambda log, *words, **more: calls.append(words))
    monkeypatch.setattr(zoo_mel.Place, "sing", lambda *given: None)
    monkeypatch.setattr(zoo_mel.Place, "table", lambda place, head, rows: rows)
    paths = tmp_path / "dump", tmp_path / "data", tmp_path / "out"
    rows = zoo_mel.end_to_end(zoo_mel.Place(*paths, 1, ["--training.updates=7"]), [0, 1])
    assert [words[-1] for words in calls] == ["--training.updates=7"] * 6
    assert [own[1] for _, own in rows] == ["7", "7", "7"]


def test_a_system_of_which_nothing_was_scored_is_no_row(zoo_mel, tmp_path, monkeypatch):
    runs = {"rule": [SimpleNamespace(utts=["a"])], "deaf": [SimpleNamespace(utts=[])]}
    monkeypatch.setattr(zoo_mel, "compare", lambda *given: SimpleNamespace(runs=runs))
    with pytest.raises(SystemExit, match="no phrase of deaf could be scored"):
        zoo_mel.Place(tmp_path, tmp_path, tmp_path, 1).table(["system"], [])
