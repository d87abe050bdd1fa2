"""FaceNet's weights out of its frozen graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from torch import nn

from canonface.errors import AssetError
from canonface.models.architectures.inception_resnet_v1 import EPSILON, InceptionResnetV1
from canonface.models.zoo.filled import filled
from canonface.models.zoo.frozen_graph import Node, read_frozen_graph

Array = Float32[np.ndarray, "..."]

_BOTTLENECK = "InceptionResnetV1/Bottleneck/"
_LAST = {
    "last_bn.bias": "BatchNorm/beta",
    "last_bn.running_mean": "BatchNorm/moving_mean",
    "last_bn.running_var": "BatchNorm/moving_variance",
}


def load_graph_weights(network: InceptionResnetV1, path: Path) -> InceptionResnetV1:
    """Fill the network from the graph: its convolutions in their order, the dense layer by name.

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
    return filled(network, arrays, path)


def _convolutions(nodes: tuple[Node, ...], constants: Mapping[str, Array]) -> Iterator[tuple[Array, Array]]:
    """Weight (out, in, h, w) of each convolution and what is added to its output."""
    added = {node.inputs[0]: node.inputs[1] for node in nodes if node.operation == "BiasAdd"}
    for node in nodes:
        if node.operation == "Conv2D":
            yield constants[node.inputs[1]].transpose(3, 2, 0, 1), constants[added[node.name]]


def _convolution(name: str, weight: Array, offset: Array) -> dict[str, Array]:
    """Our arrays of one convolution.

    Batch norms were folded when the graph was frozen: each into the weights before it and an offset. Here it becomes
    a batch norm that adds that offset and changes nothing else.
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
