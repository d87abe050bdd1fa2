"""Small networks that return a known position map for any crop, written to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIZE = 256
MAX_POSITION = 1.1 * SIZE


def known_positions(mesh) -> np.ndarray:
    """Pixels of the crop for each vertex: the canonical face, upright in its middle; z towards the viewer."""
    return mesh.vertices[: mesh.face_count] * (9, -9, 9) + (127.5, 127.5, 0)


def known_map(mesh) -> np.ndarray:
    """``(256, 256, 3)`` in the network's unit; vertex ``i`` in texel ``7 * i``, the rest is filled with nonsense."""
    texels = np.full((SIZE * SIZE, 3), -3.0, dtype=np.float32)
    positions = known_positions(mesh)
    texels[7 * np.arange(len(positions))] = positions / MAX_POSITION
    return texels.reshape(SIZE, SIZE, 3)


def save_texels(path: Path, count: int) -> None:
    """The index file, as PRNet's: numbers like ``1.4e+01``, one a line."""
    np.savetxt(path, 7 * np.arange(count))


def save_position_onnx(path: Path, mesh, prediction: np.ndarray | None = None) -> None:
    """Channels last, as PRNet's: input and output (1, 256, 256, 3)."""
    from onnx import TensorProto, helper, numpy_helper, save

    constant = numpy_helper.from_array(
        (known_map(mesh) if prediction is None else prediction)[None], "known_map"
    )
    zero = numpy_helper.from_array(np.zeros(1, dtype=np.float32), "zero")
    nodes = [
        helper.make_node("Mul", ["crop", "zero"], ["nothing"]),
        helper.make_node("ReduceSum", ["nothing"], ["sum"], keepdims=0),
        helper.make_node("Add", ["known_map", "sum"], ["map"]),
    ]
    shape = [1, SIZE, SIZE, 3]
    graph = helper.make_graph(
        nodes,
        "position map",
        [helper.make_tensor_value_info("crop", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, None)],
        [constant, zero],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def save_position_torchscript(path: Path, mesh) -> None:
    """Channels first: input and output (1, 3, 256, 256)."""
    import torch

    class Known(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer(
                "known_map", torch.from_numpy(known_map(mesh).transpose(2, 0, 1).copy())[None]
            )
            self.convolution = torch.nn.Conv2d(3, 3, 1)

        def forward(self, crop: torch.Tensor) -> torch.Tensor:
            return self.known_map + 0 * self.convolution(crop)

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Known().eval(), torch.zeros(1, 3, SIZE, SIZE)).save(str(path))
