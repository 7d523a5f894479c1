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


def test_tables_are_written_anew_and_all_else_of_the_page_stays():
    head = "# The zoo\n\nAbove.\n\n## The systems\n\n"
    rest = "## demo: acoustic systems\n\nKept.\n"
    made = zoo.page(f"{head}Old.\n\n{rest}", [], zoo.entries(["timelag/ffn_tiny"]))
    rows = [
        "| YAML | what it is | parameters | tiny |",
        "| --- | --- | --- | --- |",
        "| `timelag/ffn` | NNSVS' first time-lag model | 46,721 | 4,481 |",
    ]
    assert made == head + "\n".join([*rows, "", rest])
