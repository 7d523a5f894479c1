"""A table that keeps its values compressed."""

import copy
import pickle

import pytest

from nnsvs_lite.io.packed import Packed


def test_it_is_a_table_as_any_other():
    plain = {"b": (1, 2), "a": (), "c": ("か", 0.1)}
    packed = Packed(plain)
    assert packed == plain and plain == packed
    assert list(packed) == list(plain) and len(packed) == 3
    assert packed["c"] == ("か", 0.1) and packed.get("d") is None
    assert "a" in packed and "d" not in packed
    packed["a"] = [3]
    assert packed["a"] == (3,)
    del packed["a"]
    assert dict(packed) == {"b": (1, 2), "c": ("か", 0.1)}
    with pytest.raises(KeyError):
        packed["a"]
    for again in (pickle.loads(pickle.dumps(packed)), copy.deepcopy(packed), Packed(packed.items())):
        assert again == packed
    part = packed.part(["c", "x"])
    assert dict(part) == {"c": ("か", 0.1)}
    part["c"] = []
    assert packed["c"] == ("か", 0.1)


def test_no_value_looks_as_if_it_could_be_changed_in_place():
    value = [1]
    packed = Packed({"a": value})
    value.append(2)
    assert packed["a"] == (1,)
    with pytest.raises(TypeError):
        packed["a"][0] = 3
