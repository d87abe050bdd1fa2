"""An ONNX file as a model, run by onnxruntime."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from canonface.errors import ModelError, OptionError, near_names
from canonface.models.base import one_line
from canonface.models.dependencies import require
from canonface.models.fingerprint import external_names, onnx_fingerprint
from canonface.models.onnx_graph import check_external_files, freed_network
from canonface.models.probing import guessed_outputs
from canonface.types import InputSpec, Outputs

log = logging.getLogger(__name__)

_DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """One input and one output of an ONNX file, from ``(n, c, h, w)`` or ``(n, h, w, c)`` to ``(n, d)``.

    A file whose batch is frozen is asked piece by piece, unless its graph answers alike when it is freed. Answers
    ``(n,)`` and ``(n, d, 1, 1)`` are reshaped to ``(n, d)``, since a file cannot be edited easily.

    Attributes:
        path: the file.
        name: for messages, tables and manifests.
        spec: how it wants to be shown a face.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        output: name of the output that is read; None is the first.
        device: ``cpu``, ``cuda`` or ``mps``.
        is_freed: the graph is changed in memory so that it takes any number of inputs; the file stays as it is.
    """

    path: Path
    name: str
    spec: InputSpec = field(default_factory=InputSpec)
    labels: tuple[str, ...] = ()
    outputs: Outputs = "logits"
    output: str | None = None
    device: str = "cpu"
    is_freed: bool = False

    @cached_property
    def session(self) -> Any:
        """The onnxruntime session, made when first needed."""
        network = freed_network(self.path) if self.is_freed else None
        return open_session(self.path, self.device, network)

    def __call__(self, batch: Any) -> Any:
        """Answer of the network; ``checked_outputs`` checks it."""
        wanted = self.session.get_inputs()[0]
        x = np.asarray(batch).astype(_DTYPES[wanted.type], copy=False)
        if channels_last(wanted.shape):
            x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        frozen = wanted.shape[0] if isinstance(wanted.shape[0], int) else len(x)
        pieces = [self._run(x[start : start + frozen], frozen) for start in range(0, len(x), frozen)]
        return _as_rows(np.concatenate(pieces))[: len(x)]

    def _run(self, piece: Shaped[np.ndarray, "..."], size: int) -> Any:
        """Answer to a piece, filled up to the frozen size with copies of its last input."""
        fill = [piece[-1:]] * (size - len(piece))
        name = self.output or self.session.get_outputs()[0].name
        (prediction,) = self.session.run(
            [name], {self.session.get_inputs()[0].name: np.concatenate([piece, *fill])}
        )
        return prediction

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Float[np.ndarray, "*batch c h w"]:
        """A copy of ``x`` as float32; onnxruntime moves it itself."""
        return np.array(x, dtype=np.float32)

    def fingerprint(self) -> str:
        """SHA-256 of the file and the files of weights that it names; the name of the output is added."""
        return onnx_fingerprint(self.path) + (f":{self.output}" if self.output else "")

    def __getstate__(self) -> dict[str, Any]:
        """All but the session, which cannot travel; it is made again when needed."""
        return {key: value for key, value in self.__dict__.items() if key != "session"}


def onnx_model(
    path: Path,
    name: str,
    spec: InputSpec | None,
    labels: tuple[str, ...] | None,
    outputs: Outputs | None,
    device: str,
    output: str | int | None = None,
) -> OnnxModel:
    """An ONNX file as a model; what is not given is read from the file.

    Size and number of channels come from the input's shape, labels from a JSON list under ``labels`` in the file's
    metadata; the outputs are ``probabilities`` if the answer to one input looks like them, else ``logits``.

    Raises:
        ModelError: the file cannot be read as ONNX, its weights lie outside its folder, or its input is not one
            batch of images.
        OptionError: the device or the output does not exist.
        MissingDependencyError: onnxruntime is not installed.
    """
    device = _choose_device(device)
    check_external_files(path)
    session = open_session(path, device)
    named = output_named(path, session, output)
    _check_input(path, session)
    shape = session.get_inputs()[0].shape
    spec = spec if spec is not None else _spec_of(path, shape)
    labels = labels if labels is not None else _labels_of(session)
    model = OnnxModel(path.resolve(), name, spec, labels, outputs or "logits", named, device)
    if isinstance(shape[0], int) and shape[0] > 0:
        model = _freed(model, shape[0])
    return model if outputs is not None else replace(model, outputs=guessed_outputs(model))


def _freed(model: OnnxModel, size: int) -> OnnxModel:
    """The model without its frozen batch if it then answers two inputs as it does one by one, else as it is."""
    x = np.random.default_rng(0).random((2, model.spec.channels, *model.spec.size_hw), np.float32)
    free = replace(model, is_freed=True)
    try:
        if np.allclose(free(x), model(x), rtol=1e-5, atol=1e-5):
            return free
    # Not every graph can be changed; onnxruntime's errors share no public base class.
    except Exception as error:  # noqa: BLE001
        log.debug("%s keeps its frozen batch: %s", model.path.name, one_line(error))
    log.warning(
        "%s is frozen at batches of %d: it is asked piece by piece, which is slow.", model.path.name, size
    )
    return model


def output_named(path: Path, session: Any, output: str | int | None) -> str | None:
    """The name of the output that ``output`` is, a name or else a position from 0; None stays None.

    Raises:
        OptionError: the file has none such; lists what it has.
    """
    known: list[str] = [out.name for out in session.get_outputs()]
    if output is None:
        return None
    text = str(output)
    if text in known:
        return text
    if text.isdecimal() and int(text) < len(known):
        return known[int(text)]
    raise OptionError(
        f"output is one that {path.name} has, by name or position; got {output!r}: {near_names(text, known)}"
    )


def open_session(path: Path, device: str, network: bytes | None = None) -> Any:
    """An onnxruntime session on a file, or on ``network``, which was made of it.

    Raises:
        ModelError: the file is not a readable ONNX network.
    """
    runtime = require("onnxruntime", "onnx", "An ONNX file")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    providers = list(dict.fromkeys([_PROVIDERS[device], _PROVIDERS["cpu"]]))
    try:
        source = str(path) if network is None else network
        return runtime.InferenceSession(source, sess_options=options, providers=providers)
    # onnxruntime's errors share no public base class.
    except Exception as error:
        size = path.stat().st_size if path.exists() else 0
        raise ModelError(
            f"An .onnx file holds a network that onnxruntime can run; {path} ({size:,} bytes) does not: "
            f"{one_line(error)}. {_advice(path)}"
        ) from error


def _advice(path: Path) -> str:
    missing = [name for name in sorted(external_names(path)) if not (path.parent / name).is_file()]
    if missing:
        return f"Its weights are to lie beside it, in {', '.join(missing)}, which is missing: fetch that too."
    return "Export it again, or fetch it again if it was cut short."


def channels_last(shape: list[Any]) -> bool:
    """True for an input ``(n, h, w, c)``."""
    return shape[3] in (1, 3) and shape[1] not in (1, 3)


def _choose_device(device: str) -> str:
    runtime = require("onnxruntime", "onnx", "An ONNX file")
    there = [kind for kind, provider in _PROVIDERS.items() if provider in runtime.get_available_providers()]
    if device == "auto":
        return "cuda" if "cuda" in there else "cpu"
    if device not in there:
        raise OptionError(f"device is one that onnxruntime has here ({', '.join(there)}); got {device!r}.")
    return device


def _check_input(path: Path, session: Any) -> None:
    inputs = session.get_inputs()
    shown = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _DTYPES:
        raise ModelError(
            f"A model has one input, a batch of images (n, c, h, w) in floats; {path.name} has {shown}. Wrap it in "
            "a callable that prepares what it needs, and load that."
        )


def _spec_of(path: Path, shape: list[Any]) -> InputSpec:
    height, width, channels = shape[1:] if channels_last(shape) else (*shape[2:], shape[1])
    default = InputSpec()
    size_hw = (
        height if isinstance(height, int) else default.size_hw[0],
        width if isinstance(width, int) else default.size_hw[1],
    )
    if isinstance(channels, int) and channels not in (1, 3):
        raise ModelError(
            f"A model sees 1 or 3 channels; {path.name} wants {channels}: wrap it in a callable."
        )
    return InputSpec(size_hw=size_hw, colour="grey" if channels == 1 else "rgb")


def _labels_of(session: Any) -> tuple[str, ...]:
    try:
        labels = json.loads(session.get_modelmeta().custom_metadata_map.get("labels", "[]"))
    except ValueError:
        return ()
    return tuple(map(str, labels)) if isinstance(labels, list) else ()


def _as_rows(prediction: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    if prediction.ndim == 1 or (prediction.ndim > 2 and set(prediction.shape[2:]) == {1}):
        return prediction.reshape(len(prediction), -1)
    return prediction
