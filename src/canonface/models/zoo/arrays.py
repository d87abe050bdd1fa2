"""Weights as arrays: read from Keras files without Keras, and loaded into a network of the zoo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from canonface.errors import AssetError
from canonface.imports import require

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def read_keras_arrays(path: Path) -> dict[str, Float32[np.ndarray, "..."]]:
    """Read the arrays of a whole model's file (``.hdf5``), named ``layer/field``: ``conv2d_1/kernel``.

    Raises:
        AssetError: the file holds no Keras model.
        MissingDependencyError: h5py is not installed.
    """
    h5py = require("h5py", "zoo", "A model of the zoo")
    try:
        with h5py.File(path) as file:
            return {
                f"{layer}/{name.decode().rsplit('/', 1)[-1].removesuffix(':0')}": np.asarray(group[name])
                for layer, group in file["model_weights"].items()
                for name in group.attrs["weight_names"]
            }
    except (OSError, KeyError) as error:
        raise AssetError(
            f"A Keras file is HDF5 with a model's weights; {path.name} is not: {error}"
        ) from error


def load_arrays(network: ModuleT, arrays: Mapping[str, Float32[np.ndarray, "..."]], path: Path) -> ModuleT:
    """Load arrays into a network's parameters and statistics, and return it in evaluation mode.

    Args:
        network: it is changed.
        arrays: by the network's own names; batch counts, which only training needs, may be missing.
        path: file of the arrays, for messages.

    Raises:
        AssetError: an array is missing, unexpected or of another shape.
    """
    state = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    rule = f"{path.name} is to hold {type(network).__name__}; its arrays do not fit"
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise AssetError(f"{rule}: {error}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise AssetError(f"{rule}: it lacks {missing} and has {unexpected} too many.")
    return network.eval()
