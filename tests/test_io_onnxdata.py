"""ONNX files that name others: told from their bytes, and never loaded."""

import numpy as np
import pytest

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph
from nnsvs_lite.io.onnxdata import EXTERNAL, LOCATION, NAME, PARTS, outside
from nnsvs_lite.models.pack import Pack

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install nnsvs_lite[export]")
helper, TensorProto = onnx.helper, onnx.TensorProto


def tensor(name: str, file: str = "", located: bool = True):
    """Four numbers, there or in another file."""
    if not file:
        return helper.make_tensor(name, TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0])
    made = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4])
    made.external_data.add(key="location", value=file)
    if located:
        made.data_location = TensorProto.EXTERNAL
    return made


def model(weight=None, nodes=(), **more) -> bytes:
    """y = x + w, after other nodes."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy")
    nodes = [*nodes, helper.make_node("Add", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y], [weight] if weight else [], **more)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def branch(kept) -> list:
    """A node whose subgraphs give a constant of their own."""
    out = helper.make_tensor_value_info("w", TensorProto.FLOAT, [4])
    name = kept.name
    inner = helper.make_graph([helper.make_node("Identity", [name], ["w"])], "h", [], [out], [kept])
    true = helper.make_node(
        "Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True])
    )
    return [true, helper.make_node("If", ["c"], ["w"], then_branch=inner, else_branch=inner)]


def test_its_table_is_that_of_onnx():
    fields = {
        kind: {
            f.number: f.message_type.name
            for f in getattr(onnx, kind).DESCRIPTOR.fields
            if f.message_type is not None and f.message_type.name in (*PARTS, "TensorProto")
        }
        for kind in PARTS
    }
    assert fields == PARTS
    numbers = TensorProto.DESCRIPTOR.fields_by_name
    named = [numbers[name].number for name in ("name", "external_data", "data_location")]
    assert named == [NAME, EXTERNAL, LOCATION]


WIDE = b"\xba\x80\x80\x80\x10\x00"
"""A field of number 7 to readers that take 32 bits of its tag."""


def test_a_whole_file_is_run():
    (y,) = Graph("whole", model(tensor("w")))(x=np.ones(4, np.float32)).values()
    np.testing.assert_array_equal(y, [2, 3, 4, 5])
    # Weights that are given in place of a file's are those that are run.
    given = Graph("given", model(tensor("w", "weights.bin")), {"w": np.zeros(4, np.float32)})
    np.testing.assert_array_equal(given(x=np.ones(4, np.float32))["y"], np.ones(4))
    (name,) = outside(model(tensor("w", "weights.bin", located=False)))
    assert name == "w"


@pytest.mark.parametrize(
    "data",
    [
        model(tensor("w", "weights.bin")),
        model(tensor("w", "weights.bin", located=False)),
        model(tensor("w", "../weights.bin")),
        model(nodes=[helper.make_node("Constant", [], ["w"], value=tensor("w", "weights.bin"))]),
        model(nodes=branch(tensor("v", "weights.bin"))),
        model(sparse_initializer=[onnx.SparseTensorProto(values=tensor("w", "weights.bin"), dims=[4])]),
        # A second graph, which readers of protobuf add to the first.
        model() + model(tensor("w", "weights.bin")),
    ],
    ids=["weight", "unlocated", "above", "constant", "branch", "sparse", "twice"],
)
@pytest.mark.parametrize("given", [{}, {"": np.zeros(4, np.float32)}], ids=["none", "nameless"])
def test_no_other_file_is_read(data, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.arange(4, dtype=np.float32).tofile(tmp_path / "weights.bin")
    for simplified in (True, False):
        with pytest.raises(DataError, match="its weights lie in other files"):
            Graph("graph.onnx", data, given, simplified)
    (tmp_path / "graph.onnx").write_bytes(data)
    with pytest.raises(DataError, match=r"graph.onnx: .*its weights lie in other files"):
        Graph(tmp_path / "graph.onnx")


def test_what_is_cut_short_is_said_in_a_line():
    whole = Pack.read(BOXED_VOICE).files["graphs/timelag.onnx"]
    assert outside(whole) == []
    for size in (1, 17, len(whole) // 2, len(whole) - 1):
        with pytest.raises(DataError, match="no ONNX network that can be loaded") as caught:
            Graph("cut", whole[:size])
        assert "\n" not in str(caught.value)
    for data in (b"\x0b\x0c", b"\xff" * 12, b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", WIDE):
        with pytest.raises(ValueError, match="cut short"):
            outside(data)


def test_what_is_nested_deeper_than_protobuf_reads_is_refused():
    """Graphs within nodes within graphs, each with the key that makes its inside looked at."""

    def field(number: int, value: bytes) -> bytes:
        size, length = len(value), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + value

    data = field(2, b"location")
    for _ in range(2000):
        data = field(1, field(5, field(6, data)))
    with pytest.raises(ValueError, match="nested too deep"):
        outside(field(7, data))
