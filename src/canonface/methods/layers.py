"""The layer that a class activation map is read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, jit, nn, set_grad_enabled
from torch.nn.modules.conv import _ConvNd

from canonface.errors import OptionError, near_names
from canonface.models import TorchModel
from canonface.models.torch_module import evaluating


def target_layer(model: TorchModel, x: Tensor, name: str | None = None) -> tuple[str, nn.Module]:
    """Name and module of the layer whose activations a map is made of.

    The network is run once with hooks. The last convolution whose output is larger than 1 x 1 is found, in the order
    in which they run, and what its output ends in is taken: the last module after it that still has its height and
    width. A convolution's own output lies before the norm, the ReLU and the sum of its block, and the papers' maps
    have passed them: of a residual block's last convolution, GradCAM is 0 everywhere more often than not. A last
    convolution with one map for each of the model's outputs, and no fully connected layer after it, is its head: then
    the one before it is meant. Of a network with several answers, layers that the answer asked about does not depend
    on take no part.

    Args:
        model: the model.
        x: ``(1, c, h, w)`` an input.
        name: a layer to take instead, as ``module.named_modules()`` calls it.

    Raises:
        OptionError: there is no such layer, or none that runs and has spatial extent; or the last convolution cuts an
            image into patches for a transformer, and no layer is named.
    """
    modules: dict[str, nn.Module] = {key: module for key, module in model.module.named_modules() if key}
    if name is not None and name not in modules:
        raise OptionError(
            f"A layer of {model.name!r} has a known name; got {name!r}: {near_names(name, modules)}"
        )
    # TorchScript runs its modules by itself: hooks are neither taken nor called.
    watched = {key: module for key, module in modules.items() if not isinstance(module, jit.ScriptModule)}
    ran_shapes, joined, outputs = _outputs(model, x, watched)
    shapes = {key: shape for key, shape in ran_shapes.items() if key in joined}
    if name is not None:
        if name in ran_shapes and name not in joined:
            raise OptionError(
                f"A layer is one that the answer depends on; that of {model.name!r} does not depend on {name!r}: "
                "name one on the way to this answer."
            )
        _check_named(model, name, shapes)
        return name, modules[name]
    convolutions = [key for key in shapes if isinstance(modules[key], _ConvNd)]
    spatial = [key for key in convolutions if _is_spatial(shapes[key])]
    if spatial:
        ran = list(shapes)
        last = ran.index(spatial[-1])
        connected = any(isinstance(modules[key], nn.Linear) for key in ran[last:])
        if len(spatial) > 1 and shapes[spatial[-1]][1] == outputs and not connected:
            ran = ran[:last]
            spatial.pop()
        height_width = shapes[spatial[-1]][2:]
        after = ran[ran.index(spatial[-1]) :]
        tokens = [key for key in after if _is_tokens(shapes[key], height_width)]
        if (
            tokens and len(spatial) == 1
        ):  # behind several convolutions stands a network that has looked around
            raise OptionError(
                f"A class activation map is made of a network's last convolution; that of {model.name!r} is "
                f"{spatial[-1]!r}, which only cuts the image into patches for a transformer "
                f"({tokens[0]!r} gives {_shape(shapes[tokens[0]])}): what it gives was weighed before any patch was "
                "compared with another. Name it as the layer if that is meant, or take another method."
            )
        chosen = [key for key in after if _is_spatial(shapes[key]) and shapes[key][2:] == height_width][-1]
        return chosen, modules[chosen]
    if convolutions:
        raise OptionError(
            f"A class activation map is made of a convolution whose output is larger than 1 x 1; the last one of "
            f"{model.name!r} gives {_shape(shapes[convolutions[-1]])}: take a network that keeps places apart, or "
            "another method."
        )
    raise OptionError(
        f"A class activation map is made of a network's convolutions; {model.name!r} runs none that can be watched. "
        "TorchScript files and torch.export programs keep theirs to themselves: load the network as a "
        "torch.nn.Module. Else take a method that needs no layer."
    )


@contextmanager
def copied_output(layer: nn.Module) -> Iterator[None]:
    """Inside, whatever follows the layer gets a copy: an operation in place does not change what was noted of it."""
    handle = layer.register_forward_hook(lambda _module, _given, output: output.clone())
    try:
        yield
    finally:
        handle.remove()


def _outputs(
    model: TorchModel, x: Tensor, watched: dict[str, nn.Module]
) -> tuple[dict[str, Any], set[str], int]:
    """Shape of what each layer gave, in the order in which they last ran; those that the answer depends on; its size.

    Where no gradient comes back from the answer it cannot be told what it depends on, and all are taken.
    """
    found: dict[str, Any] = {}
    nodes: dict[str, Any] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _given: Any, output: Any) -> None:
            found.pop(name, None)
            is_tensor = isinstance(output, Tensor)
            found[name] = tuple(output.shape) if is_tensor else type(output).__name__
            # Noted at once: an operation in place would put its own node in this one's place.
            nodes[name] = output.grad_fn if is_tensor else None

        return hook

    tensors = [*model.module.parameters(), *model.module.buffers()]
    traced = not any(tensor.is_inference() for tensor in tensors)
    handles: list[Any] = []
    try:
        handles.extend(module.register_forward_hook(note(name)) for name, module in watched.items())
        with evaluating(model.module), set_grad_enabled(traced):
            prediction = model.picked(model.module(x.detach().clone().requires_grad_(traced)))
    finally:
        for handle in handles:
            handle.remove()
    behind = nodes_behind(prediction)
    joined = {name for name in found if not behind or nodes[name] is None or nodes[name] in behind}
    return found, joined, int(prediction.shape[-1])


def nodes_behind(prediction: Tensor) -> set[Any]:
    """The operations that a gradient of an answer passes; none where it has none."""
    nodes: set[Any] = set()
    waiting = [prediction.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            waiting.extend(following for following, _ in node.next_functions)
    return nodes


def _check_named(model: TorchModel, name: str, shapes: dict[str, Any]) -> None:
    if name not in shapes:
        raise OptionError(
            f"A layer is read while the network runs; {name!r} of {model.name!r} does not run as a module of its "
            "own: name another."
        )
    if not _is_spatial(shapes[name]):
        raise OptionError(
            f"A class activation map needs a layer with spatial extent, whose output is (n, k, h, w) and larger than "
            f"1 x 1; that of {name!r} is {_shape(shapes[name])}: name one before the network pools or flattens."
        )


def _is_spatial(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) == 4 and shape[2] * shape[3] > 1


def _is_tokens(shape: Any, height_width: tuple[int, int]) -> bool:
    """Whether a layer gives one vector for each place of a map, as transformers do; some add a few more."""
    return isinstance(shape, tuple) and len(shape) == 3 and shape[1] >= height_width[0] * height_width[1]


def _shape(shape: Any) -> str:
    return f"a {shape}" if isinstance(shape, str) else f"({', '.join(['n', *map(str, shape[1:])])})"
