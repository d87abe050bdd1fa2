"""Inspection and editing of ONNX graphs: the place of external weights, and a free batch size."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from canonface.errors import ModelError
from canonface.models.fingerprint import external_names

BATCH = "n"


def check_external_files(path: Path) -> None:
    """Raise ModelError if a file names weights outside its own folder."""
    for name in sorted(external_names(path)):
        kinds = (PurePosixPath(name), PureWindowsPath(name))
        if any(kind.is_absolute() or kind.drive or ".." in kind.parts for kind in kinds):
            raise ModelError(
                f"The weights of an .onnx file lie in its own folder; {path.name} wants {name!r}: it was not "
                "loaded. Export it again with its weights inside, or next to it."
            )


def free_batch(path: Path) -> bytes:
    """Return the content of an ONNX file with the first dimension of its input and outputs made free.

    A ``Reshape`` to a constant shape that begins with the fixed size keeps its input's first dimension instead.
    Inferred shapes are inferred again. The caller checks that the outputs are still the same.

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
            # 0 means: the size of the input.
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), tensor.name))
    del graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(network, strict_mode=True)
    content: bytes = inferred.SerializeToString()
    return content


def _reshapes(graph: Any) -> list[Any]:
    """Return the constant tensors used as shapes by the graph's ``Reshape`` nodes."""
    wanted = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    constants = [tensor for tensor in graph.initializer if tensor.name in wanted]
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in wanted:
            constants += [given.t for given in node.attribute if given.name == "value"]
    return constants
