"""The list of faults names tests that there are."""

import re

import pytest
from models_common import ROOT

NAMED = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", (ROOT / "docs" / "faults.md").read_text())


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_named_tests_are_there(file):
    names = {name for other, name in NAMED if other == file and name}
    assert names <= set(re.findall(r"^def (test_\w+)\(", (ROOT / "tests" / file).read_text(), re.MULTILINE))
