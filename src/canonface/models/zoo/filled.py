"""A network of the zoo filled with the arrays of its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from canonface.errors import AssetError

Network = TypeVar("Network", bound=nn.Module)


def filled(network: Network, arrays: Mapping[str, Float32[np.ndarray, "..."]], path: Path) -> Network:
    """The network with the arrays in place of its parameters and statistics, in evaluation mode.

    Args:
        network: it is changed.
        arrays: by the network's own names; batch counts, which only training needs, may be left out.
        path: of the file that they come from, for messages.

    Raises:
        AssetError: an array is missing, too many or of another shape.
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
