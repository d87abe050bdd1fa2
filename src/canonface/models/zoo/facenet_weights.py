"""FaceNet's weights out of its frozen TensorFlow graph (``.pb``), without TensorFlow.

The file is a ``GraphDef`` message of tensorflow/core/framework (graph, node_def, attr_value, tensor, tensor_shape);
field 1 holds the nodes. Only names, operations, inputs and float32 constants are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from torch import nn

from canonface.errors import AssetError
from canonface.landmarker.wire import read_fields
from canonface.models.architectures.inception_resnet_v1 import EPSILON, InceptionResnetV1
from canonface.models.zoo.arrays import load_arrays

Array = Float32[np.ndarray, "..."]

_FLOAT32 = 1
_BOTTLENECK = "InceptionResnetV1/Bottleneck/"
_LAST = {
    "last_bn.bias": "BatchNorm/beta",
    "last_bn.running_mean": "BatchNorm/moving_mean",
    "last_bn.running_var": "BatchNorm/moving_variance",
}


def load_graph_weights(network: InceptionResnetV1, path: Path) -> InceptionResnetV1:
    """Load the graph's weights into the network: convolutions in their order, the dense layer by name.

    Raises:
        AssetError: the graph's constants do not fit the network.
    """
    nodes = read_frozen_graph(path)
    constants = {node.name: node.constant for node in nodes if node.constant is not None}
    names = [name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)]
    arrays: dict[str, Array] = {}
    try:
        for name, (weight, offset) in zip(names, _convolutions(nodes, constants), strict=True):
            arrays |= _convolution(name, weight, offset)
        arrays["last_linear.weight"] = constants[_BOTTLENECK + "weights"].T
        arrays |= {ours: constants[_BOTTLENECK + theirs] for ours, theirs in _LAST.items()}
    except (KeyError, ValueError) as error:
        raise AssetError(f"{path.name} is to hold FaceNet; its nodes do not fit: {error}") from error
    arrays["last_bn.weight"] = np.ones_like(arrays["last_bn.bias"])
    return load_arrays(network, arrays, path)


def _convolutions(nodes: tuple[Node, ...], constants: Mapping[str, Array]) -> Iterator[tuple[Array, Array]]:
    """Yield the weight (out, in, h, w) of each convolution and the offset added to its output."""
    added = {node.inputs[0]: node.inputs[1] for node in nodes if node.operation == "BiasAdd"}
    for node in nodes:
        if node.operation == "Conv2D":
            yield constants[node.inputs[1]].transpose(3, 2, 0, 1), constants[added[node.name]]


def _convolution(name: str, weight: Array, offset: Array) -> dict[str, Array]:
    """Return the network's arrays for one convolution.

    Each batch norm was folded into the weights before it and an offset when the graph was frozen. Here it becomes a
    batch norm that adds this offset and changes nothing else.
    """
    if not name.endswith(".conv"):
        return {f"{name}.weight": weight, f"{name}.bias": offset}
    norm, one = f"{name.removesuffix('conv')}bn", np.ones_like(offset)
    return {
        f"{name}.weight": weight,
        f"{norm}.weight": one,
        f"{norm}.bias": offset,
        f"{norm}.running_mean": 0 * one,
        f"{norm}.running_var": one - np.float32(EPSILON),
    }


@dataclass(frozen=True, eq=False)
class Node:
    """Node of a frozen graph.

    Attributes:
        name: name of the node and of its output.
        operation: e.g. ``Conv2D``.
        inputs: names of its input nodes.
        constant: array of a float32 ``Const``; None for every other node.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    constant: Float32[np.ndarray, "..."] | None = field(repr=False)


def read_frozen_graph(path: Path) -> tuple[Node, ...]:
    """Read the nodes, in the file's order.

    Raises:
        AssetError: the file is cut short, or no graph.
    """
    nodes = tuple(_node(value) for number, value in _parts(path.read_bytes()) if number == 1)
    if not any(node.constant is not None for node in nodes):
        raise AssetError(
            f"A frozen graph holds nodes with constants; {path.name} holds none. Is it another file?"
        )
    return nodes


def _node(message: bytes) -> Node:
    """Parse a ``NodeDef``: 1 name, 2 operation, 3 inputs, 5 attributes (1 key, 2 value with tensor in field 8)."""
    parts = list(_parts(message))
    texts = {number: value.decode() for number, value in parts if number in (1, 2)}
    inputs = tuple(value.decode() for number, value in parts if number == 3)
    attributes = [dict(_parts(value)) for number, value in parts if number == 5]
    held = [dict(_parts(a[2])) for a in attributes if a.get(1) == b"value" and 2 in a]
    constant = _tensor(held[0][8]) if held and 8 in held[0] else None
    return Node(texts.get(1, ""), texts.get(2, ""), inputs, constant)


def _tensor(message: bytes) -> Float32[np.ndarray, "..."] | None:
    """Parse a ``TensorProto``: 1 type, 2 shape, 4 content or 5 floats, one for all; None if not float32."""
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
    """Parse a ``TensorShapeProto``: each field 2 is a dimension, whose field 1 is its size."""
    sizes = (
        next((part.value for part in read_fields(value) if part.number == 1), 0)
        for number, value in _parts(message)
        if number == 2
    )
    return tuple(int(size) for size in sizes)


def _parts(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the fields that are bytes."""
    return ((part.number, part.value) for part in read_fields(message) if isinstance(part.value, bytes))
