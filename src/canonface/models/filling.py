"""Weights in their places: a network recognised by the names in a file, filled, with an account of the rest."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from canonface.errors import ModelError, OptionError, near_names
from canonface.models.architectures import ARCHITECTURES, Architecture
from canonface.models.dependencies import require
from canonface.models.probing import random_numbers_kept
from canonface.models.weights import State, read_state, variants
from canonface.types import Outputs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file fit a network; names as the file spells them.

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
        """Every tensor found its place."""
        return not (self.missing or self.unexpected or self.reshaped)

    def __str__(self) -> str:
        parts = (
            (self.missing, "missing"),
            (self.unexpected, "unexpected"),
            (self.reshaped, "of another shape"),
        )
        told = "; ".join(f"{len(names)} {words} ({_few(names)})" for names, words in parts if names)
        return f"of the network's {self.wanted} tensors, {told or 'all fit'}"


class Loaded(NamedTuple):
    """A network in evaluation mode, its architecture, and the kind of its outputs."""

    architecture: Architecture
    network: Any
    outputs: Outputs


def load_architecture(path: Path, name: str | None, strict: bool) -> Loaded:
    """A weights file as a network.

    The architecture is recognised by the names in the file, or given. Numbers of classes, widths and the like are
    read from the shapes. A file without the last layer gives a network that ends before it: features.

    Raises:
        ModelError: the file cannot be read, no architecture is recognised, or not all of it fits.
        OptionError: there is no architecture of that name.
    """
    torch = require("torch", "torch", "A weights file")
    if name is not None and name not in ARCHITECTURES:
        raise OptionError(
            f"architecture is one that is known; got {name!r}: {near_names(name, ARCHITECTURES)}"
        )
    state = read_state(path)
    architecture, state = _recognised(state, name, path)
    named = {architecture.ours(key): tensor for key, tensor in state.items()}
    options = architecture.options({key: tuple(tensor.shape) for key, tensor in named.items()})
    # Without strict, what is missing keeps fixed starting values; with it, nothing is made that is then replaced.
    with random_numbers_kept(), torch.device("meta" if strict else "cpu"):
        torch.manual_seed(0)
        network = architecture.network(**options)
    fill(network, state, path, strict, architecture)
    return Loaded(architecture, network.eval(), _outputs(architecture, named, path))


def _outputs(architecture: Architecture, named: State, path: Path) -> Outputs:
    if not architecture.head or f"{architecture.head}.weight" in named:
        return architecture.outputs
    last = architecture.theirs(f"{architecture.head}.weight").removesuffix(".weight")
    log.warning("%s has no last layer (%s): the features before it are the outputs.", path.name, last)
    return "embedding"


def load_into(network: Any, path: Path, strict: bool) -> Any:
    """A user's network, filled with a weights file; its own names count, wrappers' prefixes are taken off.

    Raises:
        ModelError: the file cannot be read, or not all of it fits.
    """
    names = set(network.state_dict())
    state = max(variants(read_state(path)), key=lambda variant: len(names & set(variant)))
    fill(network, state, path, strict)
    return network


def fill(
    network: Any, state: State, path: Path, strict: bool, architecture: Architecture | None = None
) -> Fit:
    """Put the tensors of a file into a network, and tell what did not fit.

    Raises:
        ModelError: ``strict`` and not everything fits; nothing is filled then.
    """
    # Some layers keep other things than tensors there.
    own = {key: tensor for key, tensor in network.state_dict().items() if hasattr(tensor, "is_meta")}
    fit, fitting = _fitted(own, state, architecture)
    what = architecture.name if architecture else type(network).__name__
    if not fit.is_whole and (strict or not fitting):
        raise ModelError(
            f"Every tensor of a weights file has its place in the network, and the other way round; {path.name} and "
            f"{what} do not fit: {fit}. Give the right architecture, or ask for what fits by strict=False: what is "
            "missing then keeps the values that the network was made with."
        )
    if not fit.is_whole:
        log.warning("%s fills %s in part: %s. The answers are those of such a network.", path.name, what, fit)
    # Layers on the meta device take the file's tensors as they are; a counter of batches may lack.
    for key, tensor in own.items():
        if key.endswith("num_batches_tracked") and key not in fitting:
            fitting[key] = tensor.new_zeros((), device="cpu") if tensor.is_meta else tensor
    network.load_state_dict(fitting, strict=False, assign=any(tensor.is_meta for tensor in own.values()))
    return fit


def _fitted(own: State, state: State, architecture: Architecture | None) -> tuple[Fit, State]:
    """The account, and the tensors that fit under the network's names, floats as float32."""
    ours = architecture.ours if architecture else str
    theirs = architecture.theirs if architecture else str
    ignored = ("num_batches_tracked", *(architecture.ignored if architecture else ()))
    found = {ours(key): tensor for key, tensor in state.items() if not key.startswith(ignored[1:])}
    fitting = {key: _single(tensor) for key, tensor in found.items() if _fits(tensor, own.get(key))}

    def told(names: set[str]) -> tuple[str, ...]:
        return tuple(theirs(name) for name in sorted(names) if not name.endswith(ignored[0]))

    reshaped = {
        f"{theirs(key)} {_shape(found[key])} for {_shape(own[key])}"
        for key in sorted(set(own) & set(found) - set(fitting))
    }
    fit = Fit(len(own), told(set(own) - set(found)), told(set(found) - set(own)), tuple(sorted(reshaped)))
    return fit, fitting


def _fits(tensor: Any, place: Any) -> bool:
    return place is not None and tuple(tensor.shape) == tuple(place.shape)


def _single(tensor: Any) -> Any:
    return tensor.float() if tensor.is_floating_point() else tensor


def _shape(tensor: Any) -> str:
    return "x".join(map(str, tensor.shape)) or "()"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _recognised(state: State, name: str | None, path: Path) -> tuple[Architecture, State]:
    candidates = list(variants(state))
    if name is not None:
        wanted = ARCHITECTURES[name]
        matching = (variant for variant in candidates if wanted.matches(variant))
        return wanted, next(matching, candidates[-1])
    for variant in candidates:
        for architecture in ARCHITECTURES.values():
            if architecture.matches(variant):
                return architecture, variant
    raise ModelError(
        f"A weights file holds the parameters of an architecture that is known ({', '.join(ARCHITECTURES)}); the "
        f"{len(state)} names in {path.name} are of none of them: {_few(tuple(state))}. Load your own network as "
        f"'package.module:factory' with weights={path.name!r}, or say architecture= if it is a damaged one of these."
    )
