"""Which tensors of an ONNX file lie in other files: told from its bytes, before anything loads it.

A file may name any other one beside it, or beside whoever runs it, and onnxruntime would read that.
"""

from __future__ import annotations

from collections.abc import Iterator

PARTS = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
"""By number, fields of messages that tensors can lie in (onnx.proto, IR version 3 and later)."""
OWN = (("ModelProto", 7), ("GraphProto", 5))
"""The way to the graph's own weights."""
DEEPEST = 100
"""Messages within messages that protobuf's own reader takes."""
ELSEWHERE = "its weights lie in other files"
NAME, EXTERNAL, LOCATION = 8, 13, 14
"""Of TensorProto."""


def outside(data: bytes) -> list[str]:
    """Names of the graph's own weights that lie in other files.

    Raises ValueError where other tensors do, or the bytes are none of an ONNX file.
    """
    found: list[str] = []
    waiting = [("ModelProto", data, True, 0)]
    while waiting:
        kind, message, is_own, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        if kind == "TensorProto":
            name, elsewhere = b"", False
            for number, value in _fields(message):
                name = value if number == NAME and not isinstance(value, int) else name
                elsewhere = elsewhere or number == EXTERNAL or (number == LOCATION and value != 0)
            if elsewhere and not is_own:
                raise ValueError(ELSEWHERE)
            if elsewhere:
                found.append(name.decode())
            continue
        for number, value in _fields(message):
            part = PARTS[kind].get(number)
            # What lies elsewhere says where, by a key of this name.
            if part and not isinstance(value, int) and b"location" in value:
                waiting.append((part, value, is_own and (kind, number) in OWN, depth + 1))
    return found


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message's fields (protobuf's wire format)."""
    at, size = 0, len(message)

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= size or shift > 63:
                raise ValueError("cut short")
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < size:
        tag = number()
        if tag >> 32:  # protobuf's own reader drops what is above, and finds another field
            raise ValueError("cut short")
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, number()
            continue
        length = {1: 8, 2: None, 5: 4}.get(kind, -1)
        length = number() if length is None else length
        if length < 0 or at + length > size:
            raise ValueError("cut short")
        at += length
        yield tag >> 3, message[at - length : at]
