"""Weights files, read without running anything.

Tensors alone are read: safetensors, or ``torch.load(weights_only=True)``, which builds tensors and plain containers
and refuses every other class or function that a pickle names.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from canonface.errors import ModelError
from canonface.models.base import one_line
from canonface.models.dependencies import require
from canonface.models.file_kinds import checked_kind

State = dict[str, Any]

# Where checkpoints keep the state dict, and what wrappers put before its names.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "backbone", "params", "weights")
# What PyTorch says of a pickle that names a class or a function.
_ASKED = re.compile(r"(?:GLOBAL|class|instruction|function) ([\w.]+)")
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "network.")


def read_state(path: Path) -> State:
    """The tensors of a weights file by name, wrappers of the whole opened; on the CPU.

    Raises:
        ModelError: the file is not what its name says, is cut short, holds code, or no tensors.
        MissingDependencyError: a package is needed to read it.
    """
    kind = checked_kind(path)
    if kind == "safetensors":
        state = _read_safetensors(path)
    elif kind == "checkpoint":
        state = _opened(_read_checkpoint(path))
    else:
        raise ModelError(
            f"A weights file holds tensors alone; {path.name} holds a whole program: load it by itself, without "
            "a network to fill."
        )
    if not state:
        raise ModelError(f"A weights file holds tensors by name; there are none in {path.name}.")
    return state


def variants(state: State) -> Iterator[State]:
    """The tensors under their names, and with one wrapper's prefix after the other taken off."""
    yield state
    for _ in range(4):
        prefix = next((p for p in _PREFIXES if any(key.startswith(p) for key in state)), None)
        if prefix is None:
            return
        bare = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
        if len(bare) < len(state):
            return
        state = bare
        yield state


def _opened(value: Any) -> State:
    """The state dict inside the dictionaries that training loops wrap around it."""
    for _ in range(3):
        if not isinstance(value, Mapping):
            return {}
        inner = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), Mapping)), None)
        if inner is None:
            break
        value = inner
    return {str(key): tensor for key, tensor in value.items() if hasattr(tensor, "is_floating_point")}


def _read_safetensors(path: Path) -> State:
    reader = require("safetensors.torch", "torch", "A .safetensors file")
    try:
        state: State = reader.load_file(str(path))
    # safetensors' errors share no public base class.
    except Exception as error:
        raise _damaged(path, error) from error
    return state


def _read_checkpoint(path: Path) -> Any:
    torch = require("torch", "torch", "A PyTorch checkpoint")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        asked = _ASKED.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        raise (_code(path, asked[1]) if asked else _damaged(path, error)) from error


def _code(path: Path, asked: str) -> ModelError:
    return ModelError(
        f"A weights file holds tensors alone; {path.name} asks for {asked}: it was not loaded, and nothing in it was "
        "run. If you trust its maker, load it yourself and save what counts: "
        "safetensors.torch.save_file(network.state_dict(), 'weights.safetensors')."
    )


def _damaged(path: Path, error: BaseException) -> ModelError:
    return ModelError(
        f"A weights file can be read to its end; {path.name} ({path.stat().st_size:,} bytes) cannot: "
        f"{one_line(error)[:200]}. Fetch it again if it was cut short."
    )
