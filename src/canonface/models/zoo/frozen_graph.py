"""Nodes and constants of a frozen TensorFlow graph (``.pb``), without TensorFlow.

The file is a ``GraphDef`` message of tensorflow/core/framework (graph, node_def, attr_value, tensor, tensor_shape):
field 1 holds the nodes. Only what weights need is read: names, operations, inputs, float32 constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from canonface.errors import AssetError
from canonface.landmarker.wire import read_fields

_FLOAT32 = 1


@dataclass(frozen=True, eq=False)
class Node:
    """One node of the graph.

    Attributes:
        name: of the node, and of its output.
        operation: e.g. ``Conv2D``.
        inputs: names of the nodes that it reads.
        constant: what a ``Const`` of float32 holds; None for every other node.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    constant: Float32[np.ndarray, "..."] | None = field(repr=False)


def read_frozen_graph(path: Path) -> tuple[Node, ...]:
    """The nodes, in the file's order.

    Raises:
        AssetError: the file is cut short, or no graph.
    """
    nodes = tuple(_node(value) for number, value in _parts(path.read_bytes()) if number == 1)
    if not any(node.constant is not None for node in nodes):
        raise AssetError(
            f"A frozen graph holds nodes with constants; {path.name} holds none. Is it the wrong file?"
        )
    return nodes


def _node(message: bytes) -> Node:
    """``NodeDef``: 1 name, 2 operation, 3 inputs, 5 attributes (1 key, 2 value, whose field 8 is a tensor)."""
    parts = list(_parts(message))
    texts = {number: value.decode() for number, value in parts if number in (1, 2)}
    inputs = tuple(value.decode() for number, value in parts if number == 3)
    attributes = [dict(_parts(value)) for number, value in parts if number == 5]
    held = [dict(_parts(a[2])) for a in attributes if a.get(1) == b"value" and 2 in a]
    constant = _tensor(held[0][8]) if held and 8 in held[0] else None
    return Node(texts.get(1, ""), texts.get(2, ""), inputs, constant)


def _tensor(message: bytes) -> Float32[np.ndarray, "..."] | None:
    """``TensorProto``: 1 type, 2 shape, 4 content, or 5 floats, where one stands for all; None if not float32."""
    kind = next((part.value for part in read_fields(message) if part.number == 1), 0)
    if kind != _FLOAT32:
        return None
    parts = list(_parts(message))
    shape = next((_shape(value) for number, value in parts if number == 2), ())
    values = np.frombuffer(b"".join(value for number, value in parts if number in (4, 5)), "<f4")
    if values.size not in (1, prod(shape)):
        raise AssetError(
            f"A constant has one value or as many as its shape {shape} says; got {values.size}. Is the file whole?"
        )
    return np.resize(values, shape).astype(np.float32)


def _shape(message: bytes) -> tuple[int, ...]:
    """``TensorShapeProto``: each field 2 is a dimension, whose field 1 is its size."""
    sizes = (
        next((part.value for part in read_fields(value) if part.number == 1), 0)
        for number, value in _parts(message)
        if number == 2
    )
    return tuple(int(size) for size in sizes)


def _parts(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of the fields that are bytes."""
    return ((part.number, part.value) for part in read_fields(message) if isinstance(part.value, bytes))
