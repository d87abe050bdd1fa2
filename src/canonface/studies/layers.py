"""The layers of a PyTorch module in the order in which they compute, and copies of it with some drawn anew."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np

from canonface.errors import ModelError, OptionError
from canonface.models import Model, TorchModel
from canonface.models.base import one_line

_RESETS = ("reset_parameters", "_reset_parameters")


@dataclass(frozen=True)
class Layer:
    """A layer with weights, and the normalisation that follows it.

    Attributes:
        name: of the first of its modules, as ``named_modules`` gives it.
        modules: names of all of them.
        parameters: how many numbers they hold.
        shuffled: names of those that have no initialisation of their own; their numbers are shuffled.
    """

    name: str
    modules: tuple[str, ...]
    parameters: int
    shuffled: tuple[str, ...] = ()


def require_torch(model: Model) -> TorchModel:
    """The model itself, if its layers can be drawn anew.

    Raises:
        OptionError: it is no PyTorch module, or a program that was compiled.
    """
    from canonface.models.torch_files import TorchProgram

    rule = "Weights are drawn anew layer by layer, which takes a PyTorch module with its layers"
    if not isinstance(model, TorchModel):
        raise OptionError(f"{rule}; {model.name!r} is known by its answers alone.")
    if isinstance(model.module, TorchProgram) or type(model.module).__module__.startswith("torch.jit"):
        raise OptionError(
            f"{rule}; {model.name!r} is a compiled program, whose layers have no initialisation. Load the module "
            "that it was made from."
        )
    return model


def layers_of(model: TorchModel) -> tuple[Layer, ...]:
    """Layers that hold weights, from the input to the output.

    The order is that of a forward pass on a grey input; where a module is never called by itself, that of
    registration. A normalisation belongs to the layer that it follows.

    Raises:
        ModelError: the module fails.
        OptionError: it holds no weights.
    """
    named = {name: module for name, module in model.module.named_modules() if _holds(module)}
    if not named:
        raise OptionError(f"Weights are drawn anew where there are some; {model.name!r} holds none.")
    order = _called(model, named)
    names = order if set(order) == set(named) else list(named)
    layers: list[list[str]] = []
    for name in names:
        if layers and _normalises(named[name]):
            layers[-1].append(name)
        else:
            layers.append([name])
    return tuple(
        Layer(
            name=group[0] or "module",
            modules=tuple(group),
            parameters=sum(p.numel() for name in group for p in named[name].parameters(recurse=False)),
            shuffled=tuple(name for name in group if _reset_of(named[name]) is None),
        )
        for group in layers
    )


def randomised(model: TorchModel, layers: Iterable[Layer], seed: int = 0) -> TorchModel:
    """A copy of a model whose layers are drawn anew, each by its own initialisation.

    What a layer draws depends on the seed and its name alone, so that two cascades that have drawn the same layers
    are the same network. Batch norms forget their statistics. The model itself and PyTorch's random numbers are left
    as they are.

    Args:
        model: the model.
        layers: of `layers_of`.
        seed: of the draws.
    """
    import torch

    module = copy.deepcopy(model.module).to("cpu")
    named = dict(module.named_modules())
    with torch.random.fork_rng(devices=[]):
        for layer in layers:
            for name in layer.modules:
                torch.manual_seed(_seed(seed, name))
                _draw(named[name])
    return replace(model, module=module.to(model.device))


def grouped(layers: Sequence[Layer], steps: int) -> list[tuple[Layer, ...]]:
    """Layers in at most so many groups of about as many layers, in order.

    Raises:
        OptionError: ``steps`` is below 1.
    """
    if steps < 1:
        raise OptionError(f"A cascade has at least one step; got {steps}.")
    chunks = np.array_split(np.arange(len(layers)), min(steps, len(layers)))
    return [tuple(layers[i] for i in chunk) for chunk in chunks]


def _holds(module: Any) -> bool:
    """Whether a module has weights or running statistics of its own."""
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return any(tensor.is_floating_point() for tensor in own)


def _normalises(module: Any) -> bool:
    """Whether a module rescales what it is given, channel by channel, and mixes nothing."""
    return "Norm" in type(module).__name__ or hasattr(module, "running_mean")


def _reset_of(module: Any) -> Any:
    return next((getattr(module, name) for name in _RESETS if callable(getattr(module, name, None))), None)


def _draw(module: Any) -> None:
    """New numbers of a module's own initialisation; without one, its own numbers in another order."""
    import torch

    reset = _reset_of(module)
    with torch.no_grad():
        if reset is not None:
            reset()
            return
        for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            if tensor.is_floating_point():
                flat = tensor.flatten()[torch.randperm(tensor.numel())]
                tensor.copy_(flat.reshape(tensor.shape))


def _called(model: TorchModel, named: dict[str, Any]) -> list[str]:
    """Names of modules in the order of their first call."""
    seen: list[str] = []
    hooks = []

    def noticing(name: str) -> Any:
        def notice(*_: object) -> None:
            if name not in seen:
                seen.append(name)

        return notice

    height, width = model.spec.size_hw
    grey = np.full((1, model.spec.channels, height, width), 0.0, dtype=np.float32)
    try:
        hooks = [module.register_forward_pre_hook(noticing(name)) for name, module in named.items()]
        model(model.to_device(grey))
    except Exception as error:
        raise ModelError(f"{model.name!r} cannot be asked: {one_line(error)}") from error
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _seed(seed: int, name: str) -> int:
    return int.from_bytes(sha256(f"{seed}:{name}".encode()).digest()[:7], "big")
