"""Which systems the zoo runs on which features."""

import sys

import pytest
from models_common import ROOT, mel_spec

sys.path.insert(0, str(ROOT / "tools"))
import zoo

sys.path.remove(str(ROOT / "tools"))


@pytest.mark.parametrize(
    "name, mel, world",
    [("resf0_conv", True, True), ("nnsvs_world_v4_tiny", False, True), ("fft_singer_tiny", True, True)],
)
def test_a_system_is_suited_to_the_features_that_it_can_be_built_for(name, mel, world, spec):
    path = ROOT / "conf" / "acoustic" / f"{name}.yaml"
    assert (zoo.takes(path, mel_spec(spec)), zoo.takes(path, spec)) == (mel, world)
