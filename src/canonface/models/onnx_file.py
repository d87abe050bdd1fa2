"""ONNX files as models, run by onnxruntime."""

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
from canonface.imports import require
from canonface.models.base import one_line
from canonface.models.fingerprint import external_names, onnx_fingerprint
from canonface.models.onnx_graph import check_external_files, free_batch
from canonface.models.outputs import guess_outputs
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
    """ONNX file with one input and one output to explain, from ``(n, c, h, w)`` or ``(n, h, w, c)`` to ``(n, d)``.

    A file with a fixed batch size is run piece by piece, unless its graph with a free batch size gives the same
    outputs. Outputs ``(n,)`` and ``(n, d, 1, 1)`` are reshaped to ``(n, d)``, since a file cannot be edited easily.

    Attributes:
        path: the file.
        name: name in messages, tables and manifests.
        spec: input specification.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        output: name of the output to explain; None for the first.
        device: ``cpu``, ``cuda`` or ``mps``.
        is_freed: True if the batch size of the graph is freed in memory; the file is unchanged.
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
        """Onnxruntime session, made when first needed."""
        network = free_batch(self.path) if self.is_freed else None
        return open_session(self.path, self.device, network)

    def __call__(self, batch: Any) -> Any:
        """Return the output of the network, not checked."""
        wanted = self.session.get_inputs()[0]
        x = np.asarray(batch).astype(_DTYPES[wanted.type], copy=False)
        if channels_last(wanted.shape):
            x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        size = wanted.shape[0] if isinstance(wanted.shape[0], int) else len(x)
        pieces = [self._run_piece(x[start : start + size], size) for start in range(0, len(x), size)]
        return _as_rows(np.concatenate(pieces))[: len(x)]

    def _run_piece(self, piece: Shaped[np.ndarray, "..."], size: int) -> Any:
        """Run a piece, padded to the fixed batch size with copies of its last input."""
        fill = [piece[-1:]] * (size - len(piece))
        name = self.output or self.session.get_outputs()[0].name
        (prediction,) = self.session.run(
            [name], {self.session.get_inputs()[0].name: np.concatenate([piece, *fill])}
        )
        return prediction

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Float[np.ndarray, "*batch c h w"]:
        """Return a copy of ``x`` as float32; onnxruntime moves it to its device itself."""
        return np.array(x, dtype=np.float32)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file and its external weights, plus the name of the output."""
        return onnx_fingerprint(self.path) + (f":{self.output}" if self.output else "")

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the session, which cannot be pickled and is made again when needed."""
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
    """Load an ONNX file as a model; read from the file what is not given.

    Size and number of channels come from the input's shape, labels from a JSON list under ``labels`` in the file's
    metadata; the kind of outputs is guessed from one grey input: `guess_outputs`.

    Raises:
        ModelError: the file cannot be read as ONNX, its weights lie outside its folder, or its input is not one
            batch of images.
        OptionError: the device or the output does not exist.
        MissingDependencyError: onnxruntime is not installed.
    """
    device = _choose_device(device)
    check_external_files(path)
    session = open_session(path, device)
    named = output_name(path, session, output)
    _check_input(path, session)
    shape = session.get_inputs()[0].shape
    spec = spec if spec is not None else _spec_of(path, shape)
    labels = labels if labels is not None else _labels_of(session)
    model = OnnxModel(path.resolve(), name, spec, labels, outputs or "logits", named, device)
    if isinstance(shape[0], int) and shape[0] > 0:
        model = _with_free_batch(model, shape[0])
    return model if outputs is not None else replace(model, outputs=guess_outputs(model))


def _with_free_batch(model: OnnxModel, size: int) -> OnnxModel:
    """Return the model with a free batch size if it then gives the same outputs for two inputs, else unchanged."""
    x = np.random.default_rng(0).random((2, model.spec.channels, *model.spec.size_hw), np.float32)
    free = replace(model, is_freed=True)
    try:
        if np.allclose(free(x), model(x), rtol=1e-5, atol=1e-5):
            return free
    # Not every graph can be changed; onnxruntime's errors share no public base class.
    except Exception as error:  # noqa: BLE001
        log.debug("%s keeps its fixed batch size: %s", model.path.name, one_line(error))
    log.warning(
        "%s has a fixed batch size of %d: it is run piece by piece, which is slow.", model.path.name, size
    )
    return model


def output_name(path: Path, session: Any, output: str | int | None) -> str | None:
    """Return the name of the output that ``output`` means, a name or else a position from 0; None stays None.

    Raises:
        OptionError: the file has no such output; lists its outputs.
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
    """Open an onnxruntime session on a file, or on ``network``, its modified content.

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
        return (
            f"Its weights are to lie next to it, in {', '.join(missing)}, which is missing: fetch that too."
        )
    return "Export it again, or fetch it again if it was cut short."


def channels_last(shape: list[Any]) -> bool:
    """Return True for an input of shape ``(n, h, w, c)``."""
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
            "a callable that prepares its inputs, and load the callable."
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
            f"A model has 1 or 3 input channels; {path.name} has {channels}: wrap it in a callable."
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
