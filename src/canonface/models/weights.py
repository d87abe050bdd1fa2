"""Weights files: read without running any code in them, recognised, and loaded into a network.

Tensors alone are read: safetensors, or ``torch.load(weights_only=True)``, which builds tensors and plain containers
and refuses every other class or function that a pickle names.
"""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from canonface.errors import ModelError, OptionError, near_names
from canonface.imports import require
from canonface.models.architectures import ARCHITECTURES, Architecture
from canonface.models.base import one_line
from canonface.models.file_kinds import checked_kind
from canonface.models.outputs import preserved_rng
from canonface.types import Outputs

log = logging.getLogger(__name__)

State = dict[str, Any]

# Keys under which checkpoints keep the state dict, and prefixes that wrappers add to its names.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "backbone", "params", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "network.")
# PyTorch's messages about a pickle that names a class or a function.
_REFUSED = re.compile(r"(?:GLOBAL|class|instruction|function) ([\w.]+)")


def read_state(path: Path) -> State:
    """Read the tensors of a weights file by name, out of the dictionaries around them; on the CPU.

    Raises:
        ModelError: the content contradicts the file's name, is cut short, holds code, or no tensors.
        MissingDependencyError: a package is needed to read it.
    """
    kind = checked_kind(path)
    if kind == "safetensors":
        state = _read_safetensors(path)
    elif kind == "checkpoint":
        state = _unwrap(_read_checkpoint(path))
    else:
        raise ModelError(
            f"A weights file holds tensors alone; {path.name} holds a whole program: load it by itself, not as "
            "weights= of a network."
        )
    if not state:
        raise ModelError(f"A weights file holds tensors by name; there are none in {path.name}.")
    return state


def state_variants(state: State) -> Iterator[State]:
    """Yield the tensors under their names, then with one wrapper's prefix after the other removed."""
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


def _unwrap(value: Any) -> State:
    """Return the state dict inside the dictionaries that training loops wrap around it."""
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
        refused = _REFUSED.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        raise (_code(path, refused[1]) if refused else _damaged(path, error)) from error


def _code(path: Path, name: str) -> ModelError:
    return ModelError(
        f"A weights file holds tensors alone; {path.name} wants to call {name}: it was not loaded, and nothing in it "
        "was run. If you trust its author, load it yourself and save the tensors: "
        "safetensors.torch.save_file(network.state_dict(), 'weights.safetensors')."
    )


def _damaged(path: Path, error: BaseException) -> ModelError:
    return ModelError(
        f"A weights file can be read to its end; {path.name} ({path.stat().st_size:,} bytes) cannot: "
        f"{one_line(error)[:200]}. Fetch it again if it was cut short."
    )


@dataclass(frozen=True)
class Fit:
    """Account of how the tensors of a file fit a network; names as the file spells them.

    Attributes:
        wanted: number of the network's tensors.
        missing: tensors of the network that the file lacks.
        unexpected: tensors of the file that the network lacks.
        reshaped: tensors of another shape, each with both shapes.
    """

    wanted: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """True if every tensor fits."""
        return not (self.missing or self.unexpected or self.reshaped)

    def __str__(self) -> str:
        parts = (
            (self.missing, "missing"),
            (self.unexpected, "unexpected"),
            (self.reshaped, "of another shape"),
        )
        listed = "; ".join(f"{len(names)} {words} ({_few(names)})" for names, words in parts if names)
        return f"of the network's {self.wanted} tensors, {listed or 'all fit'}"


class LoadedArchitecture(NamedTuple):
    """An architecture, its network in evaluation mode, and the kind of its outputs."""

    architecture: Architecture
    network: Any
    outputs: Outputs


def load_architecture(path: Path, name: str | None, strict: bool) -> LoadedArchitecture:
    """Build the network of a weights file and load the weights into it.

    The architecture is given, or recognised by the names in the file. Numbers of classes, widths and the like are
    read from the shapes. A file without the last layer gives the network up to it: its features.

    Raises:
        ModelError: the file cannot be read, no architecture is recognised, or not all tensors fit.
        OptionError: there is no architecture of that name.
    """
    torch = require("torch", "torch", "A weights file")
    if name is not None and name not in ARCHITECTURES:
        raise OptionError(
            f"architecture is one that is known; got {name!r}: {near_names(name, ARCHITECTURES)}"
        )
    state = read_state(path)
    architecture, state = _recognise(state, name, path)
    named = {architecture.network_name(key): tensor for key, tensor in state.items()}
    options = architecture.options({key: tuple(tensor.shape) for key, tensor in named.items()})
    # Without strict, missing tensors keep fixed starting values; with it, no values are made only to be replaced.
    with preserved_rng(), torch.device("meta" if strict else "cpu"):
        torch.manual_seed(0)
        network = architecture.network(**options)
    fill_network(network, state, path, strict, architecture)
    return LoadedArchitecture(architecture, network.eval(), _outputs(architecture, named, path))


def _outputs(architecture: Architecture, named: State, path: Path) -> Outputs:
    if not architecture.head or f"{architecture.head}.weight" in named:
        return architecture.outputs
    last = architecture.file_name(f"{architecture.head}.weight").removesuffix(".weight")
    log.warning("%s has no last layer (%s): the features before it are the outputs.", path.name, last)
    return "embedding"


def load_weights(network: Any, path: Path, strict: bool) -> Any:
    """Load a weights file into a user's network, wrappers' prefixes removed, and return the network.

    Raises:
        ModelError: the file cannot be read, or not all of it fits.
    """
    names = set(network.state_dict())
    state = max(state_variants(read_state(path)), key=lambda variant: len(names & set(variant)))
    fill_network(network, state, path, strict)
    return network


def fill_network(
    network: Any, state: State, path: Path, strict: bool, architecture: Architecture | None = None
) -> Fit:
    """Copy the tensors of a file into a network, and return the account of those that do not fit.

    Raises:
        ModelError: ``strict`` and not everything fits, or nothing fits; the network is unchanged then.
    """
    # Some layers keep other objects than tensors in their state.
    own = {key: tensor for key, tensor in network.state_dict().items() if hasattr(tensor, "is_meta")}
    fit, fitting = _fit(own, state, architecture)
    what = architecture.name if architecture else type(network).__name__
    if not fit.is_whole and (strict or not fitting):
        raise ModelError(
            f"The tensors of a weights file and of its network are the same by name and shape; {path.name} and "
            f"{what} do not fit: {fit}. Name the right architecture, or load the part that fits with strict=False: "
            "missing tensors then keep the network's initial values."
        )
    if not fit.is_whole:
        log.warning(
            "%s fills %s only in part: %s. Its predictions are those of such a network.", path.name, what, fit
        )
    # Layers on the meta device take the file's tensors themselves; a batch counter may be missing.
    for key, tensor in own.items():
        if key.endswith("num_batches_tracked") and key not in fitting:
            fitting[key] = tensor.new_zeros((), device="cpu") if tensor.is_meta else tensor
    network.load_state_dict(fitting, strict=False, assign=any(tensor.is_meta for tensor in own.values()))
    return fit


def _fit(own: State, state: State, architecture: Architecture | None) -> tuple[Fit, State]:
    """Return the account, and the tensors that fit under the network's names, floats as float32."""
    network_name = architecture.network_name if architecture else str
    file_name = architecture.file_name if architecture else str
    ignored = ("num_batches_tracked", *(architecture.ignored if architecture else ()))
    found = {network_name(key): tensor for key, tensor in state.items() if not key.startswith(ignored[1:])}
    fitting = {key: _as_single(tensor) for key, tensor in found.items() if _fits(tensor, own.get(key))}

    def listed(names: set[str]) -> tuple[str, ...]:
        return tuple(file_name(name) for name in sorted(names) if not name.endswith(ignored[0]))

    reshaped = {
        f"{file_name(key)} {_shape(found[key])} for {_shape(own[key])}"
        for key in sorted(set(own) & set(found) - set(fitting))
    }
    fit = Fit(len(own), listed(set(own) - set(found)), listed(set(found) - set(own)), tuple(sorted(reshaped)))
    return fit, fitting


def _fits(tensor: Any, place: Any) -> bool:
    return place is not None and tuple(tensor.shape) == tuple(place.shape)


def _as_single(tensor: Any) -> Any:
    return tensor.float() if tensor.is_floating_point() else tensor


def _shape(tensor: Any) -> str:
    return "x".join(map(str, tensor.shape)) or "()"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _recognise(state: State, name: str | None, path: Path) -> tuple[Architecture, State]:
    candidates = list(state_variants(state))
    if name is not None:
        wanted = ARCHITECTURES[name]
        matching = (variant for variant in candidates if wanted.matches(variant))
        return wanted, next(matching, candidates[-1])
    for variant in candidates:
        for architecture in ARCHITECTURES.values():
            if architecture.matches(variant):
                return architecture, variant
    raise ModelError(
        f"A weights file that is loaded by itself holds a known architecture ({', '.join(ARCHITECTURES)}); the "
        f"{len(state)} names in {path.name} belong to none of them: {_few(tuple(state))}. Load your own network as "
        f"'package.module:factory' with weights={path.name!r}, or name one of these with architecture= if the file "
        "is a damaged one of it."
    )
