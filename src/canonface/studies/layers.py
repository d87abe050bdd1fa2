"""Layers of a PyTorch module in the order of its forward pass, and copies with randomised layers."""

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
    """A layer with weights, together with the normalisation that follows it.

    Attributes:
        name: name of its first module, as ``named_modules`` gives it.
        modules: names of all of its modules.
        parameters: number of parameters.
        shuffled: names of modules without an initialisation of their own; their parameters are shuffled.
    """

    name: str
    modules: tuple[str, ...]
    parameters: int
    shuffled: tuple[str, ...] = ()


def require_torch(model: Model) -> TorchModel:
    """Return the model if its layers can be randomised.

    Raises:
        OptionError: it is not a PyTorch module, or it is a compiled program.
    """
    from canonface.models.torch_files import TorchProgram

    rule = "Weights are randomised layer by layer, which needs a PyTorch module"
    if not isinstance(model, TorchModel):
        raise OptionError(f"{rule}; of {model.name!r} only the outputs are known.")
    if isinstance(model.module, TorchProgram) or type(model.module).__module__.startswith("torch.jit"):
        raise OptionError(
            f"{rule}; {model.name!r} is a compiled program, whose layers have no initialisation. Load the module "
            "that was compiled."
        )
    return model


def layers_of(model: TorchModel) -> tuple[Layer, ...]:
    """Return the layers that hold weights, from the input to the output.

    The order is that of a forward pass on a grey input, or the order of registration where some module is never
    called by itself. A normalisation belongs to the layer before it.

    Raises:
        ModelError: the forward pass fails.
        OptionError: the module holds no weights.
    """
    named = {name: module for name, module in model.module.named_modules() if _holds(module)}
    if not named:
        raise OptionError(f"Randomisation needs a model with weights; {model.name!r} holds none.")
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
    """Return a copy of a model with randomised layers, each drawn by its own initialisation.

    The new weights of a layer depend only on the seed and its name, so two copies with the same randomised layers
    are equal. Batch norms lose their statistics. The model and PyTorch's random state stay as they are.

    Args:
        model: the model.
        layers: layers of `layers_of`.
        seed: seed of the draws.
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
    """Split layers, in order, into at most ``steps`` groups of about equal size.

    Raises:
        OptionError: ``steps`` is below 1.
    """
    if steps < 1:
        raise OptionError(f"A cascade has at least one step; got {steps}.")
    chunks = np.array_split(np.arange(len(layers)), min(steps, len(layers)))
    return [tuple(layers[i] for i in chunk) for chunk in chunks]


def _holds(module: Any) -> bool:
    """Return True for a module that holds weights or running statistics itself."""
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return any(tensor.is_floating_point() for tensor in own)


def _normalises(module: Any) -> bool:
    """Return True for a normalisation layer."""
    return "Norm" in type(module).__name__ or hasattr(module, "running_mean")


def _reset_of(module: Any) -> Any:
    return next((getattr(module, name) for name in _RESETS if callable(getattr(module, name, None))), None)


def _draw(module: Any) -> None:
    """Re-initialise a module by its own initialisation; without one, shuffle its parameters."""
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
    """Return the names of modules in the order of their first call."""
    seen: list[str] = []
    hooks = []

    def hook_of(name: str) -> Any:
        def record(*_: object) -> None:
            if name not in seen:
                seen.append(name)

        return record

    height, width = model.spec.size_hw
    grey = np.full((1, model.spec.channels, height, width), 0.0, dtype=np.float32)
    try:
        hooks = [module.register_forward_pre_hook(hook_of(name)) for name, module in named.items()]
        model(model.to_device(grey))
    except Exception as error:
        raise ModelError(f"The forward pass of {model.name!r} fails: {one_line(error)}") from error
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _seed(seed: int, name: str) -> int:
    return int.from_bytes(sha256(f"{seed}:{name}".encode()).digest()[:7], "big")
