"""Alignment configurations: what is known, and what is not."""

from pathlib import Path

import pytest

from nnsvs_lite.align.config import AlignConfig, read_config
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Settings, plain

CONF = Path(__file__).parents[1] / "conf" / "mfa"


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_configurations_load(path):
    assert read_config(path).backend in ("score", "viter", "mfa")


def from_dict(values):
    return Settings(values, "alignment configuration").build(AlignConfig)


def test_round_trip():
    config = from_dict({"backend": "mfa", "mfa": {"options": ["--fine_tune"], "beam": 12}})
    assert config.mfa.options == ("--fine_tune",)
    assert from_dict(plain(config)) == config
    assert from_dict({}) == AlignConfig()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backnd": "mfa"}, "unknown key backnd (did you mean 'backend'?)"),
        ({"refine": {"windw": 1}}, "unknown key refine.windw (did you mean 'window'?)"),
        ({"backend": "mfs"}, "backend must be one of score, viter, mfa, not 'mfs' (did you mean 'mfa'?)"),
        ({"refine": {"window": "wide"}}, "refine.window must be a number, not 'wide'"),
        ({"refine": {"enabled": 1}}, "refine.enabled must be true or false, not 1"),
        ({"refine": {"iterations": True}}, "refine.iterations must be a whole number, not True"),
        ({"mfa": {"options": "-x"}}, "mfa.options must be a list"),
        ({"viter": [1]}, "viter must be a mapping"),
    ],
)
def test_faults_are_named(values, message):
    with pytest.raises(DataError) as error:
        from_dict(values)
    assert message in str(error.value)


def test_yaml_faults_have_a_line(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("backend: viter\nrefine: {enabled: true\n")
    with pytest.raises(DataError, match=r"x.yaml:3: not YAML"):
        read_config(path)
