"""Tracing of a module into a graph, without changing the module.

``torch.fx`` follows the module while a real picture goes along: code that reads the height of a map gets a number.
Only the number of pictures stays symbolic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import jaxtyping
import torch
from torch import Tensor, fx, nn

from canonface.engine.incremental.ops import is_in_place


class NotTraceableError(Exception):
    """Module that cannot be traced; the text tells the user why."""


def trace_module(module: nn.Module, x: Tensor) -> fx.GraphModule:
    """Trace a module in evaluation mode, for inputs of one size and any number of them.

    Args:
        module: the module.
        x: ``(1, c, h, w)`` an input.

    Raises:
        NotTraceableError: the module is no Python module, has hooks of its own, takes other than one input, or has
            code that depends on the values that flow through it.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise NotTraceableError("a TorchScript program shows no Python layers to follow")
    for name, layer in module.named_modules():
        if list(layer.children()) and (layer._forward_hooks or layer._forward_pre_hooks):
            raise NotTraceableError(f"a hook on {name or 'the module'} may change what flows through it")
    tracer = _Tracer(x.clone())
    try:
        with torch.no_grad(), _unchecked():
            found = tracer.trace(module)
            graph = fx.GraphModule(tracer.root, found)
    except Exception as error:  # whatever the user's forward raises on a symbol
        text = " ".join(str(error).split()).split(". ")[0]
        raise NotTraceableError(f"torch.fx cannot follow it: {text[:160]}") from error
    needed = [node for node in graph.graph.find_nodes(op="placeholder") if not node.args]
    if len(needed) != 1:
        raise NotTraceableError(f"it takes {len(needed)} inputs where one picture is shown")
    _read_what_was_written(graph, x)
    return graph


@contextmanager
def _unchecked() -> Iterator[None]:
    """Switch off jaxtyping's run-time checks, which would refuse a symbol in place of a tensor."""
    config = jaxtyping.config
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", before)


class _ValueProxy(fx.Proxy):
    """Proxy that knows the value of its node for the picture that goes along."""

    value: Any = None

    @property
    def shape(self) -> Any:
        """Return the shape as numbers, except for the number of pictures."""
        if not isinstance(self.value, Tensor):
            return super().__getattr__("shape")
        return (self._count(), *self.value.shape[1:])

    def size(self, dim: int | None = None) -> Any:
        """Return the size as a tensor does."""
        sizes = self.shape
        return sizes if dim is None else sizes[dim]

    def dim(self) -> Any:
        """Return the number of dimensions as a tensor does."""
        return self.ndim

    @property
    def ndim(self) -> Any:
        """Return the number of dimensions as a tensor does."""
        return self.value.dim() if isinstance(self.value, Tensor) else super().__getattr__("ndim")

    def _count(self) -> Any:
        return self.tracer.create_proxy("call_method", "size", (self, 0), {})


class _Tracer(fx.Tracer):
    """Tracer that computes values for one picture on the way."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self._x = x
        self._computing = False

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _ValueProxy(node, self)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **more: Any) -> Any:
        proxy: Any = super().create_proxy(kind, target, args, kwargs, *rest, **more)
        if kind != "call_module":
            proxy.value = self._computed(lambda: self._value(kind, target, _real(args), _real(kwargs)))
        return proxy

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if self._computing:
            return forward(*args, **kwargs)
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, _ValueProxy) and result.node.op == "call_module":
            result.value = self._computed(lambda: forward(*_real(args), **_real(kwargs)))
        return result

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return attr_val if self._computing else super().getattr(attr, attr_val, parameter_proxy_cache)

    def _computed(self, compute: Callable[[], Any]) -> Any:
        """Return a value, or None if it cannot be computed; then its shape stays symbolic."""
        self._computing = True
        try:
            return compute()
        except Exception:  # noqa: BLE001 - whatever an operator makes of a value that is not known
            return None
        finally:
            self._computing = False

    def _value(self, kind: str, target: Any, args: Any, kwargs: Any) -> Any:
        if kind == "placeholder":
            return args[0] if args else self._x
        if kind == "get_attr":
            return attrgetter(target)(self.root)
        if kind == "call_method":
            return getattr(args[0], target)(*args[1:], **kwargs)
        return target(*args, **kwargs) if kind == "call_function" else None


def _real(values: Any) -> Any:
    """Replace proxies in arguments by their values."""
    return fx.node.map_aggregate(values, lambda each: each.value if isinstance(each, _ValueProxy) else each)


def _read_what_was_written(graph: fx.GraphModule, x: Tensor) -> None:
    """Redirect readers of an overwritten value to the node that overwrote it.

    Raises:
        NotTraceableError: a later node reads the overwritten memory in part or in another shape.
    """
    layers = dict(graph.named_modules())
    order = {node: place for place, node in enumerate(graph.graph.nodes)}
    written = [node for node in graph.graph.nodes if is_in_place(node, layers)]
    if any(isinstance(node.kwargs.get("out"), fx.Node) for node in graph.graph.nodes):
        raise NotTraceableError("a function writes its result into the tensor given as out=")
    if not written:
        return
    memory = _Memory(graph)
    try:
        with torch.no_grad():
            memory.run(x.clone())
    except Exception as error:
        raise NotTraceableError(f"its graph does not run: {error}") from error
    for node in written:
        if not node.args or not isinstance(node.args[0], fx.Node):
            continue
        for other in memory.sharing(node.args[0]):
            later = [user for user in other.users if order[user] > order[node]]
            if not later or order[other] >= order[node]:
                continue
            if memory.places[other] != memory.places[node.args[0]]:
                raise NotTraceableError(
                    f"{node.name} overwrites memory that {later[0].name} reads in another shape"
                )
            for user in later:
                user.replace_input_with(other, node)


class _Memory(fx.Interpreter):
    """Interpreter that records which values share memory, such as a map and its dropout."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph, garbage_collect_values=False)
        self.places: dict[fx.Node, tuple[Any, ...]] = {}
        self._kept: list[Any] = []

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        # Kept: memory that was given back could be another value's.
        self._kept.append(value)
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, Tensor):
                # Not by address, which a tensor without data (on the meta device) has none of.
                self.places[n] = (
                    each.untyped_storage()._cdata,
                    each.storage_offset(),
                    each.shape,
                    each.stride(),
                )
        return value

    def sharing(self, node: fx.Node) -> list[fx.Node]:
        """Return all nodes whose values lie in the memory of a node's value, including itself."""
        return [other for other, place in self.places.items() if place[0] == self.places[node][0]]
