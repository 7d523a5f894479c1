"""The checks of the repository's own rules."""

import sys

import pytest
from models_common import ROOT


@pytest.fixture(scope="module")
def house():
    sys.path.insert(0, str(ROOT / "tools"))
    import house

    sys.path.remove(str(ROOT / "tools"))
    return house


def test_code_lines_are_neither_comments_nor_docstrings(house):
    text = '"""A module\n\nof two."""\n\n# why\nX = """\ntext\n"""  # three lines\n\n\n'
    text += 'def f():\n    "Does."\n    return X\n'
    assert house.code_lines(text) == 5


def test_circles_are_found(house, tmp_path):
    (tmp_path / "a.py").write_text("import os\nimport b\n")
    (tmp_path / "b.py").write_text("from c import x\n")
    (tmp_path / "c.py").write_text("")
    assert house.circle(tmp_path) == []
    (tmp_path / "c.py").write_text("def late():\n    import a\n")
    assert set(house.circle(tmp_path)) == {"a", "b", "c"}
