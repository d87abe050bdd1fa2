"""From a user's module to a graph that says what it does, without a change of the module."""

from __future__ import annotations

import torch
from torch import fx, nn

from canonface.engine.incremental.calls import is_in_place


class NotTraceableError(Exception):
    """A module of which no graph can be made; its text says why, in words for the user."""


def traced(module: nn.Module) -> fx.GraphModule:
    """The graph of a module, in evaluation mode, with nothing written over in place that is read later.

    Raises:
        NotTraceableError: the module is no Python module, has hooks of its own, takes other than one input, or does
            what depends on the values that flow through it.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise NotTraceableError("a TorchScript program shows no Python layers to follow")
    for name, layer in module.named_modules():
        if list(layer.children()) and (layer._forward_hooks or layer._forward_pre_hooks):
            raise NotTraceableError(f"a hook on {name or 'the module'} may change what flows through it")
    try:
        graph = fx.symbolic_trace(module)
    except Exception as error:
        text = " ".join(str(error).split())
        raise NotTraceableError(f"torch.fx cannot follow it: {text[:160]}") from error
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    needed = [node for node in inputs if not node.args]
    if not inputs or len(needed) > 1:
        raise NotTraceableError(f"it takes {len(needed)} inputs where one picture is shown")
    _read_what_was_written(graph)
    return graph


def _read_what_was_written(graph: fx.GraphModule) -> None:
    """Let whoever reads a value after it was overwritten read the node that overwrote it."""
    layers = dict(graph.named_modules())
    order = {node: place for place, node in enumerate(graph.graph.nodes)}
    for node in graph.graph.nodes:
        if not is_in_place(node, layers) or not node.args or not isinstance(node.args[0], fx.Node):
            continue
        later = [user for user in node.args[0].users if order[user] > order[node]]
        for user in later:
            user.replace_input_with(node.args[0], node)
