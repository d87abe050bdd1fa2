"""Whether the arrays of a mesh file belong together; whoever made it, nothing beyond them is relied on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

_REAL = ("vertices", "uv", "procrustes_weights", "from_base_data")
_WHOLE = (
    *("triangles", "mirror", "halo", "from_base_indices", "from_base_indptr", "from_base_shape"),
    *("regions_lengths", "regions_members", "landmarks_lengths", "landmarks_members"),
)


def check_kinds(content: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays of another kind of number, and NaN and infinity.

    Raises:
        ValueError: one of them is.
        KeyError: one is missing.
    """
    for name in _REAL:
        if content[name].dtype.kind != "f" or not np.isfinite(content[name]).all():
            raise ValueError(f"{name} holds finite floating-point numbers; there it does not")
    for name in _WHOLE:
        if content[name].dtype.kind not in "iu":
            raise ValueError(f"{name} holds whole numbers; there it holds {content[name].dtype}")


def check_sizes(content: Mapping[str, np.ndarray], from_base: tuple[int, int]) -> None:
    """Refuse arrays of other shapes than the number of vertices asks for.

    Args:
        content: the file's arrays.
        from_base: rows and columns of the matrix: vertices of the face, of its base.

    Raises:
        ValueError: one of them has.
    """
    if content["halo"].shape or content["halo"] < 0:
        raise ValueError("halo is no number of vertices")
    if not 1 <= from_base[1] <= from_base[0]:
        raise ValueError(f"{from_base[0]} vertices of the face cannot come from {from_base[1]} of a base")
    count = from_base[0] + int(content["halo"])
    shapes = {
        "vertices": (count, 3),
        "triangles": (len(content["triangles"]), 3),
        "uv": (count, 2),
        "mirror": (count,),
        "procrustes_weights": (from_base[1],),
    }
    for name, shape in shapes.items():
        if content[name].shape != shape:
            raise ValueError(
                f"{name} has shape {content[name].shape}, and {shape} belongs to {count} vertices"
            )


def check_indices(name: str, indices: Int[np.ndarray, "..."], count: int) -> None:
    """Refuse numbers of vertices that there are not.

    Raises:
        ValueError: there is one.
    """
    if indices.size and not 0 <= indices.min() <= indices.max() < count:
        raise ValueError(f"{name} names vertices beyond the {count} that there are")
