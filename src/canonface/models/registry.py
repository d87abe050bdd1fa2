"""Loading of models from names, paths and objects."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from canonface.errors import CanonfaceError, ModelError, OptionError, near_names
from canonface.imports import (
    current_directory_importable,
    import_attribute,
    is_attribute,
    is_factory,
    require,
)
from canonface.models.architectures import ARCHITECTURES
from canonface.models.base import Model, ModelCard, one_line
from canonface.models.callable import Takes, callable_model
from canonface.models.file_kinds import KINDS, MODEL_SUFFIXES, checked_kind
from canonface.models.finetuned import assemble_model, is_finetuned, read_description
from canonface.models.onnx_file import OnnxModel, onnx_model, output_name
from canonface.models.torch_module import TorchModel, choose_device, is_torch_module, torch_model
from canonface.models.zoo import ZOO
from canonface.types import InputSpec, Outputs


def available_models() -> tuple[ModelCard, ...]:
    """Return the cards of the zoo; needs no deep-learning package."""
    return tuple(entry.card for entry in ZOO.values())


@dataclass(frozen=True)
class _Options:
    """Options of `load_model`; None takes what the model states."""

    spec: InputSpec | None
    labels: tuple[str, ...] | None
    outputs: Outputs | None
    device: str
    name: str | None
    weights: Path | None
    architecture: str | None
    output: str | int | None
    takes: Takes | None
    strict: bool
    trust: bool

    def refuse(self, what: str, *names: str) -> None:
        """Raise OptionError if one of the named options is given, since it has no meaning for ``what``."""
        defaults = {"strict": True}
        given = [name for name in names if getattr(self, name) != defaults.get(name)]
        if given:
            raise OptionError(f"{'=, '.join(given)}= means nothing to {what}: leave it out.")


def load_model(
    model: Any,
    *,
    spec: InputSpec | None = None,
    labels: Sequence[str] | None = None,
    outputs: Outputs | None = None,
    device: str = "auto",
    name: str | None = None,
    weights: str | Path | None = None,
    architecture: str | None = None,
    output: str | int | None = None,
    takes: Takes | None = None,
    strict: bool = True,
    trust: bool = False,
) -> Model:
    """Load a model.

    >>> load_model(lambda batch: batch.mean(axis=(2, 3)), name="brightness").name
    'brightness'

    Args:
        model: a name of the zoo (``available_models``); the path of an ``.onnx`` file, of a TorchScript file, of a
            ``torch.export`` program or of the weights of a known architecture (``models.ARCHITECTURES``); a
            directory written by ``canonface finetune``;
            ``package.module:attribute`` (a module, a callable, or a function without arguments that makes one; the
            current directory is searched too, last); a ``torch.nn.Module``; a callable; or a ``Model``.
        spec: input specification. Default: that of the zoo, of the object (its attribute ``spec``), of the
            architecture or of the file, else ``InputSpec()``: 224 x 224 RGB in 0..1.
        labels: names of the outputs, in order. Default: likewise, else none.
        outputs: ``logits``, ``probabilities``, ``embedding`` or ``values``. Default: likewise; else guessed from the
            prediction for one grey input: a row of two or more numbers that are not negative and sum to 1 means
            probabilities, as does a module whose last layer is a sigmoid; everything else means logits.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``. A module is moved there.
        name: name in messages, tables and manifests.
        weights: path of weights for a module, or for a function that makes one; no code in it is run.
        architecture: name of the architecture of a weights file. Default: recognised by the names in it.
        output: output to explain of a model that returns a dict or a tuple, or of an ONNX file with several
            outputs: its key, name or position.
        takes: input of a callable: ``array``, float32 ``(n, c, h, w)``, or ``images``, a list of uint8 RGB
            ``(h, w, 3)``. Default: its attribute ``takes``, else ``array``.
        strict: False loads the part of a weights file that fits, and logs the rest.
        trust: True permits loading a program, TorchScript or ``torch.export``: such a file runs code as soon as it is
            loaded, with all your permissions. Has no effect on other files.

    Raises:
        ModelError: no model of that name, a missing file or one whose content contradicts its name, a program without
            ``trust``, weights that do not fit, or code that fails.
        OptionError: an option does not suit the model.
        AssetError: the zoo's weights cannot be fetched.
        MissingDependencyError: an optional package is needed.
    """
    _check_word("outputs", outputs, get_args(Outputs))
    _check_word("takes", takes, get_args(Takes))
    if isinstance(labels, str):
        raise OptionError(f"labels is a sequence of names, one per output; got the text {labels!r}.")
    names = tuple(map(str, labels)) if labels is not None else None
    weights_path = Path(weights).expanduser() if weights is not None else None
    given = (spec, names, outputs, device, name, weights_path, architecture, output, takes)
    options = _Options(*given, strict=strict, trust=trust)
    return _from_text(str(model), options) if isinstance(model, str | Path) else _from_object(model, options)


def _check_word(option: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        listed = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}"
        raise OptionError(f"{option} is {listed}; got {given!r}.")


def check_model_name(text: str) -> None:
    """Raise ModelError if `load_model` cannot load a text; load nothing.

    Raises:
        ModelError: it is no name of the zoo, no model file and no ``package.module:attribute``.
    """
    path = Path(text).expanduser()
    named = text in ZOO or text in ARCHITECTURES or is_finetuned(path)
    if not named and path.suffix.lower() not in MODEL_SUFFIXES and not is_attribute(text):
        raise ModelError(
            "A model is a name of the zoo, a model file (.onnx, .pt, .pt2, .safetensors, ...) or "
            f"package.module:attribute; got {text!r}: {near_names(text, ZOO)}"
        )


def _from_text(text: str, options: _Options) -> Model:
    check_model_name(text)
    if text in ZOO:
        return _from_zoo(text, options)
    if text in ARCHITECTURES:
        if options.weights is None:
            raise ModelError(f"{text!r} is an architecture without weights: load it with weights=PATH.")
        return _from_weights(options.weights, replace(options, architecture=text, weights=None))
    path = Path(text).expanduser()
    if is_finetuned(path):
        return _from_finetuned(path, options)
    if path.suffix.lower() in MODEL_SUFFIXES:
        return _from_file(path, options)
    # Its late imports may need the current directory too.
    with current_directory_importable():
        named = import_attribute(text, ModelError)
        made = _call_factory(named, text)
        return _from_object(made, replace(options, name=options.name or text), made is not named)


def _call_factory(value: Any, text: str) -> Any:
    """Return the value, or what it makes if it is a class or a function without required arguments."""
    if is_torch_module(value) or not is_factory(value):
        return value
    try:
        return value()
    except CanonfaceError:
        raise
    except Exception as error:
        raise ModelError(f"{text!r} is to make a model; it raised {one_line(error)}.") from error


def _from_file(path: Path, options: _Options) -> Model:
    options.refuse("a model file", "weights", "takes")
    kind = checked_kind(path)
    if kind == "onnx":
        options.refuse("an .onnx file", "architecture", "strict")
        return onnx_model(
            *(path, options.name or path.stem, options.spec, options.labels, options.outputs, options.device),
            output=options.output,
        )
    if kind in ("torchscript", "export"):
        options.refuse("a program", "architecture", "strict")
        _check_trust(path, kind, options)
        return _from_program(path, options)
    return _from_weights(path, options)


def _check_trust(path: Path, kind: str, options: _Options) -> None:
    if not options.trust:
        raise ModelError(
            f"Loading {KINDS[kind]} runs code in the file, with all your permissions; {path.name} was not loaded. If "
            "you trust its author, use load_model(path, trust=True), or --trust on the command line; else ask for an "
            ".onnx or a .safetensors file."
        )


def _from_program(path: Path, options: _Options) -> Model:
    require("torch", "torch", "A PyTorch program")
    from canonface.models.torch_files import load_program

    device = choose_device(options.device)
    program, spec = load_program(path, device, options.spec)
    labels, name = options.labels or (), options.name or path.stem
    return torch_model(program, name, spec, labels, options.outputs, device, options.output)


def _from_weights(path: Path, options: _Options) -> Model:
    require("torch", "torch", "A weights file")
    from canonface.models.weights import load_architecture

    options.refuse("a weights file", "takes")
    loaded = load_architecture(path, options.architecture, options.strict)
    spec, outputs = options.spec or loaded.architecture.spec, options.outputs or loaded.outputs
    name, labels = options.name or path.stem, options.labels or ()
    return torch_model(loaded.network, name, spec, labels, outputs, options.device, options.output)


def _from_finetuned(folder: Path, options: _Options) -> Model:
    what = "a fine-tuned model"
    options.refuse(what, "weights", "architecture", "takes", "output", "strict")
    description = read_description(folder)
    if options.labels is not None and len(options.labels) != len(description.labels):
        raise OptionError(
            f"{folder} has {len(description.labels)} outputs; got {len(options.labels)} labels: give one per output."
        )
    if options.outputs not in (None, "logits"):
        raise OptionError(f"{folder} returns logits; got outputs={options.outputs!r}: leave it out.")
    if not description.backbone:
        raise ModelError(
            f"A fine-tuned model is loaded with the backbone that it names; {folder} was fitted on an object without "
            "a name. Fit it on package.module:attribute, or use the return value of finetune()."
        )
    if is_attribute(description.backbone) and not options.trust:
        raise ModelError(
            f"Loading {folder} runs the code that it names, {description.backbone}; it was not loaded. If it is "
            "yours, use load_model(path, trust=True), or --trust on the command line."
        )
    below = load_model(description.backbone, device="cpu", trust=options.trust)
    if not isinstance(below, TorchModel):
        raise ModelError(
            f"{folder} was fitted on a PyTorch module; {description.backbone!r} is not one any more. Fit it again."
        )
    module = assemble_model(folder, description, below.module)
    name, labels = options.name or description.name, options.labels or description.labels
    return torch_model(module, name, options.spec or description.spec, labels, "logits", options.device)


def _from_zoo(key: str, options: _Options) -> Model:
    options.refuse(f"{key!r}, a model of the zoo", "weights", "architecture", "takes", "output", "strict")
    entry = ZOO[key]
    card = entry.card
    if options.labels is not None and len(options.labels) != len(card.labels):
        raise OptionError(
            f"{key!r} has {len(card.labels)} outputs; got {len(options.labels)} labels: give one per output."
        )
    if options.outputs not in (None, card.outputs):
        raise OptionError(f"{key!r} returns {card.outputs}; got outputs={options.outputs!r}: leave it out.")
    loaded = entry.load()
    labels, spec, name = options.labels or card.labels, options.spec or card.spec, options.name or key
    if isinstance(loaded, Model):
        if options.device not in ("auto", "cpu"):
            raise OptionError(
                f"{key!r} runs on NumPy arrays on the CPU; got device={options.device!r}: leave it out."
            )
        return replace(loaded, name=name, spec=spec, labels=labels)  # type: ignore[type-var]
    # Channels last halves the time of the small networks on a CPU and changes values only by rounding.
    module = loaded.to(memory_format=require("torch", "zoo", f"The model {key!r}").channels_last)
    return torch_model(module, name, spec, labels, card.outputs, options.device)


def _from_object(model: Any, options: _Options, is_ours: bool = False) -> Model:
    """Wrap an object as a model; ``is_ours``: nobody else holds it, so that weights may be loaded in place."""
    if isinstance(model, Model) and not isinstance(model, type):
        return _with_options(model, options)
    options = _with_stated(options, model)
    options.refuse("an object", "architecture")
    spec, labels, name = options.spec or InputSpec(), options.labels or (), options.name or ""
    if is_torch_module(model):
        options.refuse("a torch.nn.Module", *(() if options.takes == "array" else ("takes",)))
        network = _with_weights(model, options, is_ours) if options.weights else model
        return torch_model(network, name, spec, labels, options.outputs, options.device, options.output)
    options.refuse("an object that is no torch.nn.Module", "weights", "strict")
    if callable(model) and not isinstance(model, type):
        if options.device not in ("auto", "cpu"):
            raise OptionError(
                f"A callable runs on NumPy arrays on the CPU; got device={options.device!r}: leave it out."
            )
        takes = options.takes or "array"
        return callable_model(model, name, spec, labels, options.outputs, takes, options.output)
    raise ModelError(
        "A model is a name, a path, a torch.nn.Module, a callable on (n, c, h, w) or a Model; got "
        f"{model if isinstance(model, type) else type(model).__name__}."
    )


def _with_weights(network: Any, options: _Options, is_ours: bool) -> Any:
    from canonface.models.weights import load_weights

    assert options.weights is not None
    return load_weights(network if is_ours else copy.deepcopy(network), options.weights, options.strict)


def _with_stated(options: _Options, model: Any) -> _Options:
    """Return the options, completed by those that the object states in its attributes."""
    stated_labels = _stated(model, "labels", tuple | list)
    stated = {
        "spec": _stated(model, "spec", InputSpec),
        "labels": tuple(map(str, stated_labels)) if stated_labels is not None else None,
        "outputs": _stated(model, "outputs", str, get_args(Outputs)),
        "takes": None if is_torch_module(model) else _stated(model, "takes", str, get_args(Takes)),
        "name": getattr(model, "__name__", None) or type(model).__name__,
    }
    return replace(options, **{key: value for key, value in stated.items() if getattr(options, key) is None})


def _stated(model: Any, attribute: str, kind: Any, known: tuple[str, ...] = ()) -> Any:
    """Return an attribute of the object if it has the right type and value, else None: it has another meaning."""
    value = getattr(model, attribute, None)
    return value if isinstance(value, kind) and (not known or value in known) else None


def _with_options(model: Model, options: _Options) -> Model:
    """Return a `Model` with the given options changed."""
    options.refuse("a Model", "weights", "architecture", "strict")
    place = str(getattr(model, "device", "cpu"))
    if options.device not in ("auto", place):
        raise OptionError(
            f"{model.name!r} is a Model already, on {place}; got device={options.device!r}: choose its device where "
            "it is made."
        )
    changes = {key: getattr(options, key) for key in ("spec", "labels", "outputs", "name", "output", "takes")}
    given = {key: value for key, value in changes.items() if value is not None}
    if not given:
        return model
    if isinstance(model, OnnxModel) and "output" in given:
        given["output"] = output_name(model.path, model.session, options.output)
    try:
        return replace(model, **given)  # type: ignore[type-var]
    except TypeError as error:
        raise OptionError(
            f"{model.name!r} is a Model of its own kind, which states {', '.join(given)} itself: change it there."
        ) from error
