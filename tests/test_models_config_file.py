"""Configurations: every key and type checked, no foreign class imported, options on top."""

import sys
from pathlib import Path

import pytest
import yaml
from models_common import CONFIGS, ROOT, name_of

from nnsvs_lite.bin.main import main
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.config import Config, model_modules

MDN = "nnsvs_lite.models.duration.mdn.MdnDuration"


@pytest.fixture
def conf(tmp_path):
    """Writes a configuration and returns its path."""

    def write(text: str = f"model:\n  class_path: {MDN}\n") -> Path:
        (tmp_path / "conf.yaml").write_text(text, encoding="utf-8")
        return tmp_path / "conf.yaml"

    return write


def with_model(name: str, value: object) -> str:
    return yaml.safe_dump({"model": {"class_path": MDN, "init_args": {name: value}}})


def with_training(name: str, value: object) -> str:
    return yaml.safe_dump({"model": {"class_path": MDN}, "training": {name: value}})


@pytest.mark.parametrize("path", CONFIGS, ids=name_of)
def test_what_is_written_reads_back_the_same(path, tmp_path):
    config = Config.read(path)
    config.write(tmp_path / "config.yaml")
    assert Config.read(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.hidden=0"], "model.init_args.hidden must be within 1..16384, not 0"),
        (["--model.hidden", "-3"], "model.init_args.hidden must be within 1..16384, not -3"),
        (["--model.components=0"], "model.init_args.components must be within 1..16384, not 0"),
        (["--training.seed=-1"], "training.seed must be within 0.."),
        (["--training.seed=99999999999999999999"], "training.seed must be within 0.."),
        (["--training.lr=0"], "training.lr must be more than 0, not 0"),
        (["--training.lr=nan"], "training.lr must be a number, not 'nan'"),
        (["--training.epochs=-1"], "training.epochs must be at least 0, not -1"),
        (["--training.patience=-1"], "training.patience must be at least 0, not -1"),
        (["--training.batch_phones=0"], "training.batch_phones must be at least 1, not 0"),
    ],
)
def test_numbers_that_train_nothing_are_refused_by_name(conf, words, message):
    with pytest.raises(DataError) as error:
        Config.read(conf(), words)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_what_makes_no_model_is_said_in_a_line(spec):
    path = ROOT / "conf" / "acoustic" / "xiaoicesing_tiny.yaml"
    with pytest.raises(DataError, match="dropout"):
        Config.read(path, ["--model.dropout=7.5"]).build(spec)


def test_values_not_given_have_their_defaults(conf):
    config = Config.read(conf())
    assert config.training.epochs == 30
    assert config.init_args["hidden"] > 0


@pytest.mark.parametrize(
    "text, message",
    [
        (with_model("hiden", 4), r"unknown key model\.init_args\.hiden \(did you mean 'hidden'\?\)"),
        (with_training("epoch", 4), r"unknown key training\.epoch \(did you mean 'epochs'\?\)"),
        (f"modle:\n  class_path: {MDN}\n", r"unknown key modle \(did you mean 'model'\?\)"),
        (f"model:\n  class_pat: {MDN}\n", r"unknown key model\.class_pat \(did you mean 'class_path'\?\)"),
        (with_model("hidden", "many"), "hidden"),
        (with_model("hidden", 1.5), "hidden"),
        (with_training("epochs", "many"), "epochs"),
        (with_training("lr", [1]), "lr"),
        (with_training("epochs", -1), r"training\.epochs must be at least 0"),
        (with_training("batch_phones", 0), r"training\.batch_phones must be at least 1, not 0"),
        (
            with_training("batch_frames", 9),
            "training.batch_frames .did you mean 'batch_phones'",
        ),
        (with_training("budget", 9), r"unknown key training\.budget \(now batch_phones\)"),
        (with_training("average", 0.9), r"unknown key training\.average \(now ema_decay\)"),
        (with_training("ema_decay", 1.0), r"training\.ema_decay must be at least 0 and less than 1"),
        ("", "a mapping of keys to values is needed"),
        ("- model\n", "a mapping of keys to values is needed"),
        ("model: 3\n", "model must be a mapping"),
        (f"model:\n  class_path: {MDN}\ntraining: [1]\n", "training must be a mapping"),
        ("training:\n  epochs: 3\n", "is no model under nnsvs_lite.models"),
    ],
)
def test_faults_are_named_with_the_file_in_one_line(conf, text, message):
    path = conf(text)
    with pytest.raises(DataError, match=message) as caught:
        Config.read(path)
    assert caught.value.where.startswith(str(path))
    assert "\n" not in str(caught.value)


def test_yaml_that_does_not_parse_is_named_with_its_line(conf):
    path = conf(f"model:\n  class_path: {MDN}\n  init_args: [1, 2\ntraining:\n")
    with pytest.raises(DataError, match="not YAML") as caught:
        Config.read(path)
    assert caught.value.where in (f"{path}:4", f"{path}:5")
    with pytest.raises(DataError, match="not YAML"):
        Config.read(conf("model: !!python/object/apply:os.system ['true']\n"))


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A module with a model of the user's own, whose import writes a file; gives that file."""
    marker = tmp_path / "it_ran"
    (tmp_path / "their_models.py").write_text(
        f"""open({str(marker)!r}, 'w')
from nnsvs_lite.models.duration.mdn import MdnDuration

class Theirs(MdnDuration):
    def __init__(self, spec, own: int = 3, nested=None):
        super().__init__(spec)

class NoModel:
    pass
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield marker
    sys.modules.pop("their_models", None)


def config_of(class_path: str, **init_args) -> dict:
    return {"model": {"class_path": class_path, "init_args": init_args}}


@pytest.mark.parametrize(
    "class_path", ["their_models.Theirs", "nnsvs_lite.models.evil.Evil", "nnsvs_lite.models.timelag.evil.E"]
)
def test_a_foreign_class_is_refused_and_its_module_not_imported(foreign, class_path):
    with pytest.raises(DataError, match="is no model under nnsvs_lite.models"):
        Config.from_dict(config_of(class_path), "model.pt")
    assert not foreign.exists() and "their_models" not in sys.modules


def test_no_class_path_is_honoured_but_the_models_own(conf, foreign, monkeypatch):
    """Neither in a checkpoint nor in a YAML whose folder is searched for modules, at any depth."""
    monkeypatch.chdir(foreign.parent)
    nested = {"class_path": "their_models.Theirs", "init_args": {}}
    world, resf0 = (
        f"nnsvs_lite.models.acoustic.{n}" for n in ("nnsvs_world.NnsvsWorld", "resf0_conv.ResF0Conv")
    )
    for value, message in (
        (config_of(MDN, hidden=nested), "init_args.hidden must be a whole number"),
        (config_of(MDN, nested=nested), "unknown key model.init_args.nested"),
        (config_of(resf0, options=nested), "unknown key model.init_args.options.class_path"),
        (config_of(resf0, options={"gv": nested}), "init_args.options.gv must be a number"),
        (config_of(world, streams=nested), "init_args.streams.class_path must be a mapping"),
        (config_of(world, streams={"lf0": {"decoder": nested}}), "unknown key .*lf0.decoder.class_path"),
        (
            config_of(world, streams={}, weights=nested),
            "init_args\\.weights must be one of .*, not 'class_path'",
        ),
        (config_of(MDN) | {"training": nested}, "unknown key training.class_path"),
        ({"model": {"class_path": nested}}, "model.class_path must be text"),
    ):
        for read in (
            lambda v: Config.from_dict(v, "model.pt"),
            lambda v: Config.read(conf(yaml.safe_dump(v))),
        ):
            with pytest.raises(DataError, match=message) as caught:
                read(value)
            assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="unknown key model.init_args.options.class_path"):
        Config.read(
            conf(yaml.safe_dump(config_of(resf0))), ["--model.options.class_path=their_models.Theirs"]
        )
    assert not foreign.exists() and "their_models" not in sys.modules


def test_a_class_of_the_users_own_is_taken_from_a_file_that_the_user_names(conf, foreign):
    config = Config.read(conf(yaml.safe_dump(config_of("their_models.Theirs", own=5))))
    assert config.init_args == {"own": 5, "nested": None} and foreign.exists()
    assert config.model_class.family == "duration"
    with pytest.raises(DataError, match=r"own must be a whole number"):
        Config.read(conf(yaml.safe_dump(config_of("their_models.Theirs", own="x"))))
    with pytest.raises(DataError, match="their_models has no model 'NoModel'"):
        Config.read(conf(yaml.safe_dump(config_of("their_models.NoModel"))))
    with pytest.raises(DataError, match="their_model cannot be imported: ModuleNotFoundError"):
        Config.read(conf(yaml.safe_dump(config_of("their_model.Theirs"))))


@pytest.mark.parametrize(
    "class_path",
    [
        "os.system",
        "nnsvs_lite.io.errors.DataError",
        "nnsvs_lite.models.base.SvsModel",
        "nnsvs_lite.models.base.DurationModel",
        "nnsvs_lite.models.duration.mdn.torch",
        "nnsvs_lite.models.duration.mdn.MixtureHead",
        "nnsvs_lite.models.duration.mdn",
        "..models.duration.mdn.MdnDuration",
        "3",
    ],
)
def test_only_models_are_models(conf, class_path):
    with pytest.raises(DataError):
        Config.read(conf(f"model:\n  class_path: {class_path!r}\n"))


def test_a_misspelt_model_names_the_nearest(conf):
    with pytest.raises(DataError, match=r"did you mean 'nnsvs_lite\.models\.duration\.mdn'"):
        Config.read(conf("model:\n  class_path: nnsvs_lite.models.duration.mnd.MdnDuration\n"))
    with pytest.raises(DataError, match="has no model 'MdnDuratoin' .did you mean 'MdnDuration'"):
        Config.read(conf("model:\n  class_path: nnsvs_lite.models.duration.mdn.MdnDuratoin\n"))
    assert "nnsvs_lite.models.duration.mdn" in model_modules()


def test_options_lie_over_the_file(conf):
    path = conf(with_training("epochs", 7))
    words = [
        "--model.hidden",
        "24",
        "--training.lr=1e-4",
        "--model.init_args.layers=1",
        "--training.min-steps",
        "9",
    ]
    config = Config.read(path, words)
    assert config.init_args["hidden"] == 24 and config.init_args["layers"] == 1
    assert (config.training.lr, config.training.min_steps, config.training.epochs) == (1e-4, 9, 7)


@pytest.mark.parametrize(
    "words, message",
    [
        (["--model.hiden=3"], "unknown key model.init_args.hiden .did you mean 'hidden'"),
        (["--trianing.lr=3"], "unknown option '--trianing.lr=3'"),
        (["--lr", "3"], "unknown option '--lr'"),
        (["training.lr", "3"], "unknown option 'training.lr'"),
        (["--training.lr"], "needs a value"),
        (["--training.epochs=many"], "epochs"),
        (["--training.lr", "["], "--training.lr.*not YAML"),
        (["--training.lr=!!python/name:os.system"], "training.lr"),
        (["--training.optimizer.lr=3"], "unknown key training.optimizer"),
    ],
)
def test_options_that_cannot_be_meant(conf, words, message):
    with pytest.raises(DataError, match=message) as caught:
        Config.read(conf(), words)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="none.yaml: no such file"):
        Config.read(tmp_path / "none.yaml")


def test_the_command_reads_a_configuration_with_the_options_of_training(capsys):
    ask = ["config", "acoustic", "resf0_conv"]
    assert main([*ask, "--check", "--training.epochs", "3", "--model.hidden=8"]) == 0
    assert capsys.readouterr().out.endswith("resf0_conv.yaml\n")
    assert main([*ask, "--check", "--model.hiden", "8"]) == 1
    assert "unknown key model.init_args.hiden (did you mean 'hidden'?)" in capsys.readouterr().err
    assert main([*ask, "--check", "--training.epochs", "two"]) == 1
    assert "training.epochs must be a whole number, not 'two'" in capsys.readouterr().err
    assert main(["config", "acoustic", "conf/vocoder/hifigan_tiny.yaml"]) == 1
    assert "configures a model of the family vocoder; one of acoustic is needed" in capsys.readouterr().err
    assert main([*ask, "--training.epochs", "3"]) == 1
    assert "unknown option '--training.epochs' without --check" in capsys.readouterr().err
