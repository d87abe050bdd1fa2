"""Choice of the layer for a class activation map."""

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
    """Return name and module of the layer whose activations make the map.

    The network is run once with hooks. Starting from the last convolution, in running order, whose output is larger
    than 1 x 1, the chosen layer is the last module after it that still has its height and width. The convolution's
    output precedes the norm, the ReLU and the sum of its block, which the papers' maps have passed: at the last
    convolution of a residual block GradCAM is 0 everywhere more often than not. A last convolution with one channel
    for each of the model's outputs, and no fully connected layer after it, is the head; the convolution before it is
    used instead. In a network with several outputs, layers that the selected output does not depend on are ignored.

    Args:
        model: the model.
        x: ``(1, c, h, w)`` an input.
        name: name of a layer in ``module.named_modules()``, to use instead.

    Raises:
        OptionError: there is no such layer, or none that runs and has spatial extent; or no layer is named and the
            last convolution only cuts the image into patches for a transformer.
    """
    modules: dict[str, nn.Module] = {key: module for key, module in model.module.named_modules() if key}
    if name is not None and name not in modules:
        raise OptionError(
            f"A layer of {model.name!r} has a known name; got {name!r}: {near_names(name, modules)}"
        )
    # TorchScript modules take no hooks.
    watched = {key: module for key, module in modules.items() if not isinstance(module, jit.ScriptModule)}
    ran_shapes, used, width = _run_with_hooks(model, x, watched)
    shapes = {key: shape for key, shape in ran_shapes.items() if key in used}
    if name is not None:
        if name in ran_shapes and name not in used:
            raise OptionError(
                f"The output depends on the layer of a map; that of {model.name!r} does not depend on {name!r}: "
                "name one on the way to this output."
            )
        _check_named(model, name, shapes)
        return name, modules[name]
    convolutions = [key for key in shapes if isinstance(modules[key], _ConvNd)]
    spatial = [key for key in convolutions if _is_spatial(shapes[key])]
    if spatial:
        ran = list(shapes)
        last = ran.index(spatial[-1])
        connected = any(isinstance(modules[key], nn.Linear) for key in ran[last:])
        if len(spatial) > 1 and shapes[spatial[-1]][1] == width and not connected:
            ran = ran[:last]
            spatial.pop()
        height_width = shapes[spatial[-1]][2:]
        after = ran[ran.index(spatial[-1]) :]
        tokens = [key for key in after if _is_tokens(shapes[key], height_width)]
        # After several convolutions the receptive field is larger than a patch.
        if tokens and len(spatial) == 1:
            raise OptionError(
                f"A class activation map is made of a network's last convolution; that of {model.name!r} is "
                f"{spatial[-1]!r}, which only cuts the image into patches for a transformer "
                f"({tokens[0]!r} gives {_shape(shapes[tokens[0]])}): its output precedes every comparison between "
                "patches. Name it as the layer to use it nevertheless, or use another method."
            )
        chosen = [key for key in after if _is_spatial(shapes[key]) and shapes[key][2:] == height_width][-1]
        return chosen, modules[chosen]
    if convolutions:
        raise OptionError(
            f"A class activation map is made of a convolution whose output is larger than 1 x 1; the last one of "
            f"{model.name!r} gives {_shape(shapes[convolutions[-1]])}: use a network that keeps spatial positions, "
            "or another method."
        )
    raise OptionError(
        f"A class activation map is made of a network's convolutions; {model.name!r} runs none that can be hooked. "
        "TorchScript files and torch.export programs take no hooks: load the network as a torch.nn.Module, or use a "
        "method that needs no layer."
    )


@contextmanager
def copied_output(layer: nn.Module) -> Iterator[None]:
    """Copy the layer's output inside the context, so that no in-place operation changes the recorded activations."""
    handle = layer.register_forward_hook(lambda _module, _given, output: output.clone())
    try:
        yield
    finally:
        handle.remove()


def _run_with_hooks(
    model: TorchModel, x: Tensor, watched: dict[str, nn.Module]
) -> tuple[dict[str, Any], set[str], int]:
    """Return the output shape of each layer in running order, the layers that the output depends on, and its size.

    Without a gradient of the output the dependence is unknown, and all layers are returned.
    """
    found: dict[str, Any] = {}
    nodes: dict[str, Any] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _given: Any, output: Any) -> None:
            found.pop(name, None)
            is_tensor = isinstance(output, Tensor)
            found[name] = tuple(output.shape) if is_tensor else type(output).__name__
            # Recorded at once: an in-place operation would replace the node by its own.
            nodes[name] = output.grad_fn if is_tensor else None

        return hook

    tensors = [*model.module.parameters(), *model.module.buffers()]
    traced = not any(tensor.is_inference() for tensor in tensors)
    handles: list[Any] = []
    try:
        handles.extend(module.register_forward_hook(note(name)) for name, module in watched.items())
        with evaluating(model.module), set_grad_enabled(traced):
            outputs = model.picked(model.module(x.detach().clone().requires_grad_(traced)))
    finally:
        for handle in handles:
            handle.remove()
    behind = nodes_behind(outputs)
    used = {name for name in found if not behind or nodes[name] is None or nodes[name] in behind}
    return found, used, int(outputs.shape[-1])


def nodes_behind(outputs: Tensor) -> set[Any]:
    """Return the autograd nodes on the backward path of the outputs; an empty set without a gradient."""
    nodes: set[Any] = set()
    waiting = [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            waiting.extend(following for following, _ in node.next_functions)
    return nodes


def _check_named(model: TorchModel, name: str, shapes: dict[str, Any]) -> None:
    if name not in shapes:
        raise OptionError(
            f"The layer of a map runs as a module; {name!r} of {model.name!r} does not run as a module of its "
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
    """Return whether a layer gives one vector for each position of a map (transformers add a few more)."""
    return isinstance(shape, tuple) and len(shape) == 3 and shape[1] >= height_width[0] * height_width[1]


def _shape(shape: Any) -> str:
    return f"a {shape}" if isinstance(shape, str) else f"({', '.join(['n', *map(str, shape[1:])])})"
