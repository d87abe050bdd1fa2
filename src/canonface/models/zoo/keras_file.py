"""Arrays of a Keras file (``.hdf5``), without Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from canonface.errors import AssetError
from canonface.models.dependencies import require


def read_keras_arrays(path: Path) -> dict[str, Float32[np.ndarray, "..."]]:
    """The arrays of a whole model's file, named ``layer/field``: ``conv2d_1/kernel``.

    Raises:
        AssetError: it is no such file.
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
