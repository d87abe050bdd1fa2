"""What is looked at and changed in an ONNX file itself: where its weights lie, and a frozen batch."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from canonface.errors import ModelError
from canonface.models.fingerprint import external_names

BATCH = "n"


def check_external_files(path: Path) -> None:
    """Refuse a file whose weights lie elsewhere than beside it.

    Raises:
        ModelError: the file names a file of weights outside its folder.
    """
    for name in sorted(external_names(path)):
        kinds = (PurePosixPath(name), PureWindowsPath(name))
        if any(kind.is_absolute() or kind.drive or ".." in kind.parts for kind in kinds):
            raise ModelError(
                f"The weights of an .onnx file lie in its own folder; {path.name} asks for {name!r}: it was not "
                "loaded. Export it again with its weights inside, or beside it."
            )


def freed_network(path: Path) -> bytes:
    """An ONNX file with a free first dimension of its input and outputs, as the bytes of another one.

    A ``Reshape`` to a constant shape that begins with the frozen size keeps its input's first dimension instead.
    What was inferred about shapes is inferred anew. Whether the answers are still the same is for the caller to see.

    Raises:
        Exception: the graph does not allow it, or the ``onnx`` package is missing.
    """
    import onnx

    network = onnx.load(str(path))
    graph = network.graph
    size = graph.input[0].type.tensor_type.shape.dim[0].dim_value
    initial = {tensor.name for tensor in graph.initializer}
    for value in (*(value for value in graph.input if value.name not in initial), *graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims and dims[0].dim_value == size:
            dims[0].dim_param = BATCH
    for tensor in _reshapes(graph):
        shape = onnx.numpy_helper.to_array(tensor)
        if shape.ndim == 1 and len(shape) and shape[0] == size:
            # 0: as the input has it.
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), tensor.name))
    del graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(network, strict_mode=True)
    content: bytes = inferred.SerializeToString()
    return content


def _reshapes(graph: Any) -> list[Any]:
    """The constant tensors that are the shapes of the graph's reshapes."""
    wanted = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    constants = [tensor for tensor in graph.initializer if tensor.name in wanted]
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in wanted:
            constants += [given.t for given in node.attribute if given.name == "value"]
    return constants
