"""A table that keeps its values compressed."""

import copy
import os
import pickle
import random
import tracemalloc

import pytest

from nnsvs_lite.io.packed import ROOM, Packed


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


@pytest.mark.parametrize("disk", ["there", "full"])
def test_many_values_are_in_a_file_and_take_little_memory(monkeypatch, disk):
    rng, values = random.Random(0), {}
    for number in range(3000):
        values[f"u{number:04d}"] = rng.randbytes(1000)
    if disk == "full":
        monkeypatch.setattr(os, "pwrite", lambda *_: 7)
    tracemalloc.start()
    packed = Packed(values)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (held < 1e6) == (disk == "there")
    assert packed == values and Packed(packed) == values
    packed["u0001"] = [1]
    assert packed["u0001"] == (1,) and packed["u0002"] == values["u0002"]
    part = packed.part(["u2999", "u0000"])
    packed["u0000"] = ()
    assert dict(part) == {key: values[key] for key in ("u2999", "u0000")}
    again = pickle.loads(pickle.dumps(part))
    assert dict(again) == dict(part)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_changes_nothing_of_what_is_here():
    values = {
        f"u{number}": bytes([number]) * 10 + random.Random(number).randbytes(ROOM // 50)
        for number in range(120)
    }
    packed = Packed(values)
    child = os.fork()
    if child == 0:
        packed.update({key: random.Random(1).randbytes(ROOM // 40) for key in values})
        os._exit(0 if len(packed["u7"]) == ROOM // 40 else 1)
    assert os.waitpid(child, 0)[1] == 0
    packed.update({f"more {key}": value for key, value in values.items()})
    assert packed == values | {f"more {key}": value for key, value in values.items()}
