"""Traced ops: layers, functions and methods under one name with named arguments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F  # noqa: N812 - as everyone writes it

SIGNATURES: Mapping[str, tuple[str, ...]] = {
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "linear": ("input", "weight", "bias"),
    "max_pool2d": (
        *("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
    ),
    "avg_pool2d": (
        *("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    ),
    "adaptive_avg_pool2d": ("input", "output_size"),
    "adaptive_max_pool2d": ("input", "output_size", "return_indices"),
    "mean": ("input", "dim", "keepdim"),
    "flatten": ("input", "start_dim", "end_dim"),
    "add": ("input", "other", "alpha"),
    "sub": ("input", "other", "alpha"),
    "mul": ("input", "other"),
    "div": ("input", "other"),
    "cat": ("tensors", "dim"),
    "pad": ("input", "pad", "mode", "value"),
    "leaky_relu": ("input", "negative_slope"),
    "prelu": ("input", "weight"),
    "hardtanh": ("input", "min_val", "max_val"),
    "clamp": ("input", "min", "max"),
    "elu": ("input", "alpha"),
    "gelu": ("input", "approximate"),
    "softplus": ("input", "beta", "threshold"),
    "dropout": ("input", "p", "training"),
    "dropout1d": ("input", "p", "training"),
}
"""Order of the arguments, for ops with more than their input."""

ALIASES: Mapping[str, str] = {
    "iadd": "add",
    "isub": "sub",
    "imul": "mul",
    "itruediv": "div",
    "truediv": "div",
    "true_divide": "div",
    "divide": "div",
    "multiply": "mul",
    "subtract": "sub",
    "concat": "cat",
    "concatenate": "cat",
    "clip": "clamp",
    "clamp_min": "clamp",
    "negative": "neg",
    "swish": "silu",
    "dropout2d": "dropout",
    "feature_dropout": "dropout",
    "alpha_dropout": "dropout",
    "drop_path": "dropout",
    "detach": "identity",
    "clone": "identity",
    "contiguous": "identity",
    "pos": "identity",
    "constant_pad_nd": "pad",
}

_BY_IDENTITY: Mapping[Any, str] = {
    F.max_pool2d: "max_pool2d",
    F.adaptive_max_pool2d: "adaptive_max_pool2d",
    F.avg_pool2d: "avg_pool2d",
}
"""Functions whose ``__name__`` does not tell their op."""

IN_PLACE_FUNCTIONS = (operator.iadd, operator.isub, operator.imul, operator.itruediv)


@dataclass(frozen=True, eq=False)
class OpCall:
    """Op of one graph node.

    Attributes:
        name: name of the op, as PyTorch names its function.
        arguments: by name; some are nodes of the graph.
        layer: name of the layer in the user's module.
    """

    name: str
    arguments: Mapping[str, Any]
    layer: str

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument, or its default."""
        value = self.arguments.get(name, default)
        return default if value is None else value


Layer = Callable[[Any], tuple[str, dict[str, Any]]]


def _activation(name: str, *fields: str) -> Layer:
    return lambda layer: (name, {field: getattr(layer, field) for field in fields})


def _batch_norm(layer: Any) -> tuple[str, dict[str, Any]]:
    names = ("running_mean", "running_var", "weight", "bias", "eps")
    return "batch_norm", {name: getattr(layer, name) for name in names}


_LAYERS: Mapping[type, Layer] = {
    nn.Conv2d: lambda m: (
        "conv2d",
        {
            "weight": m.weight,
            "stride": m.stride,
            "padding": m.padding,
            "dilation": m.dilation,
            "groups": m.groups,
            "padding_mode": m.padding_mode,
        },
    ),
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.Linear: lambda m: ("linear", {"weight": m.weight, "bias": m.bias}),
    nn.MaxPool2d: lambda m: (
        "max_pool2d",
        {
            "kernel_size": m.kernel_size,
            "stride": m.stride,
            "padding": m.padding,
            "dilation": m.dilation,
            "ceil_mode": m.ceil_mode,
            "return_indices": m.return_indices,
        },
    ),
    nn.AvgPool2d: lambda m: (
        "avg_pool2d",
        {
            "kernel_size": m.kernel_size,
            "stride": m.stride,
            "padding": m.padding,
            "ceil_mode": m.ceil_mode,
            "count_include_pad": m.count_include_pad,
            "divisor_override": m.divisor_override,
        },
    ),
    nn.AdaptiveAvgPool2d: _activation("adaptive_avg_pool2d", "output_size"),
    nn.AdaptiveMaxPool2d: _activation("adaptive_max_pool2d", "output_size", "return_indices"),
    nn.Flatten: _activation("flatten", "start_dim", "end_dim"),
    nn.Identity: _activation("identity"),
    nn.Dropout: _activation("dropout", "training"),
    nn.Dropout2d: _activation("dropout", "training"),
    nn.AlphaDropout: _activation("dropout", "training"),
    nn.ReLU: _activation("relu"),
    nn.ReLU6: _activation("relu6"),
    nn.Hardtanh: _activation("hardtanh", "min_val", "max_val"),
    nn.LeakyReLU: _activation("leaky_relu", "negative_slope"),
    nn.PReLU: _activation("prelu", "weight"),
    nn.ELU: _activation("elu", "alpha"),
    nn.SELU: _activation("selu"),
    nn.SiLU: _activation("silu"),
    nn.Mish: _activation("mish"),
    nn.GELU: _activation("gelu", "approximate"),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Tanh: _activation("tanh"),
    nn.Softplus: _activation("softplus", "beta", "threshold"),
    nn.Hardswish: _activation("hardswish"),
    nn.Hardsigmoid: _activation("hardsigmoid"),
    nn.ZeroPad2d: lambda m: ("pad", {"pad": m.padding, "mode": "constant"}),
    nn.ConstantPad2d: lambda m: ("pad", {"pad": m.padding, "mode": "constant"}),
}


def op_call(node: fx.Node, layers: Mapping[str, nn.Module]) -> OpCall | None:
    """Return the op of a node; None if its layer is unknown or was altered."""
    if node.op == "call_module":
        layer = layers[str(node.target)]
        known = _LAYERS.get(type(layer))
        if known is None or is_altered(layer):
            return None
        name, arguments = known(layer)
        return OpCall(name, {"input": node.args[0] if node.args else None} | arguments, str(node.target))
    if node.op not in ("call_function", "call_method"):
        return None
    name = name_of(node)
    signature = SIGNATURES.get(name, ("input",))
    bound = dict(zip(signature, node.args, strict=False)) | dict(node.kwargs)
    if len(node.args) > len(signature) and name in SIGNATURES:
        return None
    extra = {"rest": node.args[1:]} if name not in SIGNATURES and len(node.args) > 1 else {}
    return OpCall(name, bound | extra, where_of(node))


def name_of(node: fx.Node) -> str:
    """Return the op name of a function or method, without the underscore of its in-place form."""
    target: Any = node.target
    if isinstance(target, str):
        name = target
    elif target in _BY_IDENTITY:
        return _BY_IDENTITY[target]
    elif isinstance(target, torch._ops.OpOverload):
        name = target._schema.name.split("::")[1]
    else:
        name = getattr(target, "__name__", str(target))
    name = name if name.startswith("__") else name.rstrip("_")
    return ALIASES.get(name, name)


def is_in_place(node: fx.Node, layers: Mapping[str, nn.Module]) -> bool:
    """Return whether a node writes over its first argument."""
    if node.op == "call_module":
        return bool(getattr(layers[str(node.target)], "inplace", False))
    if node.op == "call_function":
        name = getattr(node.target, "__name__", "")
        return (
            node.target in IN_PLACE_FUNCTIONS
            or bool(node.kwargs.get("inplace"))
            or (name.endswith("_") and not name.startswith("_"))
        )
    return (
        node.op == "call_method" and str(node.target).endswith("_") and not str(node.target).startswith("_")
    )


def where_of(node: fx.Node) -> str:
    """Return the user's name for the place of a node: its layer, or the layer around it with the op."""
    if node.op == "call_module":
        return str(node.target)
    stack = node.meta.get("nn_module_stack") or {}
    inside = [value[0] if isinstance(value, tuple) else value for value in stack.values()]
    last = str(inside[-1]) if inside else ""
    return f"{last}.{name_of(node)}" if last else name_of(node)


def is_altered(layer: nn.Module) -> bool:
    """Return whether a layer has hooks or its ``forward`` is replaced."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer))
