"""From a name, a path or an object to a model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from canonface.errors import ModelError, OptionError, near_names
from canonface.importing import attribute, current_directory_importable, is_attribute
from canonface.models.architectures import ARCHITECTURES
from canonface.models.base import Model, ModelCard
from canonface.models.callable import Takes, callable_model
from canonface.models.dependencies import require
from canonface.models.file_kinds import KINDS, MODEL_SUFFIXES, checked_kind
from canonface.models.finetuned import assembled, is_finetuned, read_description
from canonface.models.objects import is_torch_module, made
from canonface.models.onnx_file import OnnxModel, onnx_model, output_named
from canonface.models.torch_module import TorchModel, choose_device, torch_model
from canonface.models.zoo import ZOO
from canonface.types import InputSpec, Outputs


def available_models() -> tuple[ModelCard, ...]:
    """The cards of the zoo; needs no deep-learning package."""
    return tuple(entry.card for entry in ZOO.values())


@dataclass(frozen=True)
class _Options:
    """What the caller says of a model; None is for the model to say."""

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
        """Raise OptionError for options that make no sense for ``what``."""
        left_out = {"strict": True}
        given = [name for name in names if getattr(self, name) != left_out.get(name)]
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
    """A model, ready to be asked.

    >>> load_model(lambda batch: batch.mean(axis=(2, 3)), name="brightness").name
    'brightness'

    Args:
        model: a name of the zoo (``available_models``); the path of an ``.onnx`` file, of a TorchScript file, of a
            ``torch.export`` program or of the weights of a known architecture (``models.ARCHITECTURES``); a
            directory that ``canonface finetune`` wrote;
            ``package.module:attribute`` (a module, a callable, or a function without arguments that makes one; the
            current directory is searched too, last); a ``torch.nn.Module``; a callable; or a ``Model``.
        spec: how the model wants to be shown a face. Default: what the zoo, the object (an attribute ``spec``), the
            architecture or the file says, else ``InputSpec()``: 224 x 224 RGB in 0..1.
        labels: names of the outputs, in order. Default: likewise, else none.
        outputs: ``logits``, ``probabilities``, ``embedding`` or ``values``. Default: likewise; else the model is
            asked about one grey input. A row of two or more numbers that are not negative and sum to 1 means
            probabilities, as does a module whose last layer is a sigmoid; everything else has logits.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``. A module is moved there.
        name: for messages, tables and manifests.
        weights: path of weights for a module, or for a function that makes one; of no code is anything run.
        architecture: name of the architecture that a weights file holds. Default: recognised by the names in it.
        output: of a model that returns a dict or a tuple, or an ONNX file of several outputs: the key, name or
            position of the one to explain.
        takes: what a callable is given: ``array``, float32 ``(n, c, h, w)``, or ``images``, a list of uint8 RGB
            ``(h, w, 3)``. Default: what its attribute ``takes`` says, else ``array``.
        strict: False fills a network with what fits of a weights file, and logs what does not.
        trust: True allows to load a program, TorchScript or ``torch.export``: such a file runs code that it holds as
            soon as it is loaded, and may do all that you may. Changes nothing for what is no program.

    Raises:
        ModelError: nothing of that name, a file that is missing or is not what it claims, a program without
            ``trust``, weights that do not fit, or code that fails.
        OptionError: an option does not suit the model.
        AssetError: the zoo's weights cannot be fetched.
        MissingDependencyError: an optional package is needed.
    """
    _check_word("outputs", outputs, get_args(Outputs))
    _check_word("takes", takes, get_args(Takes))
    if isinstance(labels, str):
        raise OptionError(f"labels is a sequence of names, one an output; got the text {labels!r}.")
    named = tuple(map(str, labels)) if labels is not None else None
    filled_by = Path(weights).expanduser() if weights is not None else None
    said = (spec, named, outputs, device, name, filled_by, architecture, output, takes)
    options = _Options(*said, strict=strict, trust=trust)
    return _from_text(str(model), options) if isinstance(model, str | Path) else _from_object(model, options)


def _check_word(option: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        listed = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}"
        raise OptionError(f"{option} is {listed}; got {given!r}.")


def check_model_name(text: str) -> None:
    """Refuse a text that `load_model` can make nothing of, without loading anything.

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
    # What it imports when it is called lies there too.
    with current_directory_importable():
        named = attribute(text, ModelError)
        found = made(named, text)
        return _from_object(found, replace(options, name=options.name or text), found is not named)


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
            f"Loading {KINDS[kind]} runs code that the file holds, which may do all that you may; {path.name} was "
            "not loaded. If you trust those who made it, say load_model(path, trust=True), or --trust on the command "
            "line; else ask them for an .onnx or a .safetensors file."
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
    from canonface.models.filling import load_architecture

    options.refuse("a weights file", "takes")
    loaded = load_architecture(path, options.architecture, options.strict)
    spec, outputs = options.spec or loaded.architecture.spec, options.outputs or loaded.outputs
    name, labels = options.name or path.stem, options.labels or ()
    return torch_model(loaded.network, name, spec, labels, outputs, options.device, options.output)


def _from_finetuned(folder: Path, options: _Options) -> Model:
    what = "a fine-tuned model"
    options.refuse(what, "weights", "architecture", "takes", "output", "strict")
    said = read_description(folder)
    if options.labels is not None and len(options.labels) != len(said.labels):
        raise OptionError(f"{folder} has {len(said.labels)} outputs; got {len(options.labels)} labels.")
    if options.outputs not in (None, "logits"):
        raise OptionError(f"{folder} answers logits; got outputs={options.outputs!r}: leave it out.")
    if not said.backbone:
        raise ModelError(
            f"A fine-tuned model is loaded with the backbone that it names; {folder} was fitted on an object without "
            "a name. Fit it on package.module:attribute, or use what finetune() returned."
        )
    if is_attribute(said.backbone) and not options.trust:
        raise ModelError(
            f"Loading {folder} runs the code that it names, {said.backbone}; it was not loaded. If it is yours, say "
            "load_model(path, trust=True), or --trust on the command line."
        )
    below = load_model(said.backbone, device="cpu", trust=options.trust)
    if not isinstance(below, TorchModel):
        raise ModelError(f"{folder} was fitted on a PyTorch module; {said.backbone!r} is none any more.")
    module = assembled(folder, said, below.module)
    name, labels, spec = options.name or said.name, options.labels or said.labels, options.spec or said.spec
    return torch_model(module, name, spec, labels, "logits", options.device)


def _from_zoo(key: str, options: _Options) -> Model:
    options.refuse(f"{key!r}, a model of the zoo", "weights", "architecture", "takes", "output", "strict")
    entry = ZOO[key]
    card = entry.card
    if options.labels is not None and len(options.labels) != len(card.labels):
        raise OptionError(f"{key!r} has {len(card.labels)} outputs; got {len(options.labels)} labels.")
    if options.outputs not in (None, card.outputs):
        raise OptionError(f"{key!r} answers {card.outputs}; got outputs={options.outputs!r}: leave it out.")
    built = entry.built()
    labels, spec, name = options.labels or card.labels, options.spec or card.spec, options.name or key
    if isinstance(built, Model):
        if options.device not in ("auto", "cpu"):
            raise OptionError(
                f"{key!r} is asked with NumPy arrays on the CPU; got device={options.device!r}."
            )
        return replace(built, name=name, spec=spec, labels=labels)  # type: ignore[type-var]
    # Channels last halves the time of the small networks on a CPU and changes no value beyond rounding.
    module = built.to(memory_format=require("torch", "zoo", f"The model {key!r}").channels_last)
    return torch_model(module, name, spec, labels, card.outputs, options.device)


def _from_object(model: Any, options: _Options, is_ours: bool = False) -> Model:
    """A model of an object; ``is_ours``: nobody else holds it, so that it may be filled in place."""
    if isinstance(model, Model) and not isinstance(model, type):
        return _changed(model, options)
    options = _with_what_it_says(model, options)
    options.refuse("an object", "architecture")
    spec, labels, name = options.spec or InputSpec(), options.labels or (), options.name or ""
    if is_torch_module(model):
        options.refuse("a torch.nn.Module", *(() if options.takes == "array" else ("takes",)))
        network = _filled(model, options, is_ours) if options.weights else model
        return torch_model(network, name, spec, labels, options.outputs, options.device, options.output)
    options.refuse("what is no torch.nn.Module", "weights", "strict")
    if callable(model) and not isinstance(model, type):
        if options.device not in ("auto", "cpu"):
            raise OptionError(
                f"A callable is asked with NumPy arrays on the CPU; got device={options.device!r}."
            )
        takes = options.takes or "array"
        return callable_model(model, name, spec, labels, options.outputs, takes, options.output)
    raise ModelError(
        "A model is a name, a path, a torch.nn.Module, a callable on (n, c, h, w) or a Model; got "
        f"{model if isinstance(model, type) else type(model).__name__}."
    )


def _filled(network: Any, options: _Options, is_ours: bool) -> Any:
    from canonface.models.filling import load_into

    assert options.weights is not None
    return load_into(network if is_ours else copy.deepcopy(network), options.weights, options.strict)


def _with_what_it_says(model: Any, options: _Options) -> _Options:
    """The options, and what the object says of itself where they say nothing."""
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
    """What an object says of itself; attributes of another kind or meaning are its own business."""
    value = getattr(model, attribute, None)
    return value if isinstance(value, kind) and (not known or value in known) else None


def _changed(model: Model, options: _Options) -> Model:
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
        given["output"] = output_named(model.path, model.session, options.output)
    try:
        return replace(model, **given)  # type: ignore[type-var]
    except TypeError as error:
        raise OptionError(
            f"{model.name!r} is a Model of its own kind, which says {', '.join(given)} itself: change it there."
        ) from error
