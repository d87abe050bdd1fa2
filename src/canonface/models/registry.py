"""From a name, a path or an object to a model."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from canonface.errors import CanonfaceError, ModelError, OptionError, near_names
from canonface.models.assets import fetch
from canonface.models.base import Model, ModelCard, one_line
from canonface.models.callable import callable_model
from canonface.models.dependencies import require
from canonface.models.onnx_file import onnx_model
from canonface.models.torch_module import torch_model
from canonface.models.zoo import ZOO
from canonface.types import InputSpec, Outputs

_BARE_WEIGHTS = (".pt", ".pth", ".safetensors", ".ckpt", ".bin", ".h5", ".hdf5", ".keras", ".pb", ".tflite")
_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def available_models() -> tuple[ModelCard, ...]:
    """The cards of the zoo; needs no deep-learning package."""
    return tuple(entry.card for entry in ZOO.values())


def load_model(
    model: Any,
    *,
    spec: InputSpec | None = None,
    labels: Sequence[str] | None = None,
    outputs: Outputs | None = None,
    device: str = "auto",
    name: str | None = None,
) -> Model:
    """A model, ready to be asked.

    >>> load_model(lambda batch: batch.mean(axis=(2, 3)), name="brightness").name
    'brightness'

    Args:
        model: a name of the zoo (``available_models``), the path of an ``.onnx`` file, ``package.module:attribute``
            (a module, a callable, or a function without arguments that makes one; the current directory is
            searched too), a ``torch.nn.Module``, a callable on NumPy ``(n, c, h, w)``, or a ``Model``.
        spec: how the model wants to be shown a face. Default: what the zoo, the object (an attribute ``spec``) or
            the file says, else ``InputSpec()``: 224 x 224 RGB in 0..1.
        labels: names of the outputs, in order. Default: likewise, else none.
        outputs: ``logits`` or ``probabilities``. Default: likewise; else the model is asked about one grey input. A
            row of two or more numbers that are not negative and sum to 1 means probabilities, as does a module whose
            last layer is a sigmoid; everything else has logits.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``. A module is moved there.
        name: for messages, tables and manifests.

    Raises:
        ModelError: nothing of that name, a file that is missing or is not what it claims, or code that fails.
        OptionError: an option does not suit the model.
        AssetError: the zoo's weights cannot be fetched.
        MissingDependencyError: an optional package is needed.
    """
    if outputs not in (None, "logits", "probabilities"):
        raise OptionError(f"outputs is 'logits' or 'probabilities'; got {outputs!r}.")
    if isinstance(labels, str):
        raise OptionError(f"labels is a sequence of names, one an output; got the text {labels!r}.")
    named = tuple(map(str, labels)) if labels is not None else None
    if isinstance(model, str | Path):
        return _from_text(str(model), spec, named, outputs, device, name)
    return _from_object(model, spec, named, outputs, device, name)


def _from_text(
    text: str,
    spec: InputSpec | None,
    labels: tuple[str, ...] | None,
    outputs: Outputs | None,
    device: str,
    name: str | None,
) -> Model:
    if text in ZOO:
        return _from_zoo(text, spec, labels, outputs, device, name)
    path = Path(text).expanduser()
    if path.suffix.lower() == ".onnx":
        if not path.is_file():
            raise ModelError(f"A model file exists; there is no file {path}{_neighbours(path)}")
        return onnx_model(path, name or path.stem, spec, labels, outputs, device)
    if path.suffix.lower() in _BARE_WEIGHTS:
        raise ModelError(
            f"{path.name} holds weights alone, and these need their architecture (nor is a pickle ever loaded): "
            "write a function without arguments that builds the network and fills it, and load "
            "'package.module:function', or export the network as .onnx."
        )
    if _ATTRIBUTE.fullmatch(text):
        with _current_directory_importable():
            return _from_object(_made(_attribute(text), text), spec, labels, outputs, device, name or text)
    raise ModelError(
        f"A model is a name of the zoo, an .onnx file or package.module:attribute; got {text!r}. "
        f"{near_names(text, ZOO)}"
    )


def _from_zoo(
    key: str,
    spec: InputSpec | None,
    labels: tuple[str, ...] | None,
    outputs: Outputs | None,
    device: str,
    name: str | None,
) -> Model:
    torch = require("torch", "zoo", f"The model {key!r}")
    entry = ZOO[key]
    card = entry.card
    if labels is not None and len(labels) != len(card.labels):
        raise OptionError(f"{key!r} has {len(card.labels)} outputs; got {len(labels)} labels.")
    if outputs not in (None, card.outputs):
        raise OptionError(f"{key!r} answers {card.outputs}; got outputs={outputs!r}: leave it out.")
    # Channels last halves the time of these small networks on a CPU and changes no value beyond rounding.
    module = entry.build(fetch(entry.asset)).to(memory_format=torch.channels_last)
    return torch_model(module, name or key, spec or card.spec, labels or card.labels, card.outputs, device)


def _from_object(
    model: Any,
    spec: InputSpec | None,
    labels: tuple[str, ...] | None,
    outputs: Outputs | None,
    device: str,
    name: str | None,
) -> Model:
    if isinstance(model, Model) and not isinstance(model, type):
        changes = {"spec": spec, "labels": labels, "outputs": outputs, "name": name}
        given = {key: value for key, value in changes.items() if value is not None}
        return _changed(model, given) if given else model
    spec = spec if spec is not None else _stated(model, "spec", InputSpec)
    stated_labels = _stated(model, "labels", tuple | list)
    labels = labels if labels is not None else tuple(map(str, stated_labels or ()))
    stated_outputs = _stated(model, "outputs", str)
    if outputs is None and stated_outputs in ("logits", "probabilities"):
        outputs = stated_outputs
    name = name or getattr(model, "__name__", None) or type(model).__name__
    if _is_torch_module(model):
        return torch_model(model, name, spec or InputSpec(), labels, outputs, device)
    if callable(model) and not isinstance(model, type):
        if device not in ("auto", "cpu"):
            raise OptionError(f"A callable is asked with NumPy arrays on the CPU; got device={device!r}.")
        return callable_model(model, name, spec or InputSpec(), labels, outputs)
    raise ModelError(
        "A model is a name, a path, a torch.nn.Module, a callable on (n, c, h, w) or a Model; got "
        f"{model if isinstance(model, type) else type(model).__name__}."
    )


def _changed(model: Model, given: dict[str, Any]) -> Model:
    try:
        return replace(model, **given)  # type: ignore[type-var]
    except TypeError as error:
        raise OptionError(
            f"{model.name!r} is a Model of its own kind, which says {', '.join(given)} itself: change it there."
        ) from error


def _stated(model: Any, attribute: str, kind: Any) -> Any:
    """What an object says of itself; attributes of another kind are its own business."""
    value = getattr(model, attribute, None)
    return value if isinstance(value, kind) else None


def _is_torch_module(model: Any) -> bool:
    # An object can only be a module if torch was imported before.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _attribute(text: str) -> Any:
    module_name, _, attribute = text.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ModelError(
            f"{text!r} names package.module:attribute; importing {module_name!r} raised {one_line(error)}. "
            f"It is looked for among the installed packages and in {Path.cwd()}."
        ) from error
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            public = (
                [key for key in vars(value) if not key.startswith("_")] if hasattr(value, "__dict__") else []
            )
            raise ModelError(f"{module_name!r} has no attribute {attribute!r}. {near_names(part, public)}")
        value = getattr(value, part)
    return value


def _made(value: Any, text: str) -> Any:
    """The value itself, or what it makes if it is a class or a function without required arguments."""
    if _is_torch_module(value) or not callable(value):
        return value
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return value
    if any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return value
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) and not isinstance(value, type):
        return value
    try:
        return value()
    except CanonfaceError:
        raise
    except Exception as error:
        raise ModelError(f"{text!r} makes a model; it raised {one_line(error)}.") from error


@contextmanager
def _current_directory_importable() -> Iterator[None]:
    added = str(Path.cwd())
    sys.path.insert(0, added)
    try:
        yield
    finally:
        sys.path.remove(added)


def _neighbours(path: Path) -> str:
    found = sorted(p.name for p in path.parent.glob("*.onnx")) if path.parent.is_dir() else []
    return f". {near_names(path.name, found)}" if found else ", nor any .onnx file beside it."
