"""Model protocol, card of a zoo model, and the check of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface.errors import CanonfaceError, ModelError, ModelOutputError, OptionError, is_out_of_memory
from canonface.types import InputSpec, Outputs


@runtime_checkable
class Model(Protocol):
    """Any object that maps a batch of inputs to rows of numbers.

    ``to_device`` decides where a batch lives (NumPy by default, a tensor on the accelerator for PyTorch), so that
    occluded copies are made there; both kinds accept slices and slice assignments.
    """

    @property
    def name(self) -> str:
        """Short name for messages, tables and manifests."""
        ...

    @property
    def spec(self) -> InputSpec:
        """Input specification: size, colours, normalisation, crop."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each output, in order; empty if the outputs have no names."""
        ...

    @property
    def outputs(self) -> Outputs:
        """``logits`` are unnormalised scores, ``probabilities`` have passed a softmax or a sigmoid."""
        ...

    def __call__(self, batch: Any) -> Any:
        """Return outputs ``(n, d)`` for a batch ``(n, c, h, w)`` made by ``to_device``; not checked here."""
        ...

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Any:
        """Return a ``float32`` copy of ``x`` where the model computes."""
        ...

    def fingerprint(self) -> str:
        """Return the SHA-256 of all that predictions depend on: weights, file or source; equal in every process."""
        ...


@dataclass(frozen=True)
class ModelCard:
    """Card of a zoo model; importable without any deep-learning package.

    Attributes:
        name: name for ``load_model``.
        task: what it predicts, in a few words.
        source: origin of the weights.
        licence_code: licence of the code that builds and runs the network.
        licence_weights: licence of the weights.
        spec: input specification.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        accuracy: measured accuracy, with photos and numbers of photos.
        citation: publications to cite.
    """

    name: str
    task: str
    source: str
    licence_code: str
    licence_weights: str
    spec: InputSpec
    labels: tuple[str, ...]
    outputs: Outputs
    accuracy: str
    citation: str

    @property
    def input(self) -> str:
        """Input specification in words."""
        height, width = self.spec.size_hw
        words = {
            "face": "face crop",
            "arcface": "ArcFace's crop",
            "facenet": "MTCNN's box",
            "dlib": "dlib's chip",
            "image": "whole photo",
        }
        crop = words[self.spec.crop]
        margin = "" if self.spec.crop == "image" else f", margin {self.spec.margin:g}"
        return f"{height} x {width} {self.spec.colour}, {crop}{margin}"


def checked_outputs(model: Model, batch: Any) -> Float[np.ndarray, "n d"]:
    """Run a model on a batch ``(n, c, h, w)`` and return its ``(n, d)`` finite floats, d at least 1.

    Raises:
        OptionError: the batch is empty.
        ModelError: the model itself raised; its exception is chained. An out-of-memory error passes unchanged,
            so that the caller can halve its batch.
        ModelOutputError: the output is not ``(n, d)`` finite numbers, or d is not the number of labels; says what
            was returned and what to return.
    """
    n = len(batch)
    if n < 1:
        raise OptionError(f"A batch holds at least one input; {model.name!r} was given {n}.")
    try:
        outputs = model(batch)
    except CanonfaceError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise ModelError(
            f"A model accepts every batch of its inputs; {model.name!r} raised {one_line(error)}. "
            f"Its input was a batch of {' x '.join(map(str, batch.shape))}, float32; if it expects another one, "
            "load it with another spec=InputSpec(...)."
        ) from error
    return checked_predictions(model, outputs, n)


def checked_predictions(model: Model, outputs: Any, n: int) -> Float[np.ndarray, "n d"]:
    """Check what a model returned for ``n`` inputs, and return it as ``(n, d)`` finite floats, d at least 1.

    Raises:
        ModelOutputError: see `checked_outputs`.
    """
    prediction = _checked(outputs, f"{model.name!r} is to return one row of numbers per input, ({n}, d)", n)
    if model.labels and prediction.shape[1] != len(model.labels):
        raise ModelOutputError(
            f"A model has one label per output; {model.name!r} returns {prediction.shape[1]} outputs and has "
            f"{len(model.labels)} labels: {_listed(model.labels)}. Load it with labels=[...], one per output and in "
            "their order, or with labels=[] to use numbers."
        )
    return prediction


def _checked(outputs: Any, rule: str, n: int) -> Float[np.ndarray, "n d"]:
    try:
        array = np.asarray(outputs)
    except Exception as error:
        raise ModelOutputError(f"{rule}; got a {type(outputs).__name__} that is not an array.") from error
    if array.dtype.kind not in "fiu":
        raise ModelOutputError(
            f"{rule}; got {type(outputs).__name__} of {array.dtype}: return an array of floats."
        )
    if array.ndim != 2:
        advice = "return (n, 1): outputs.reshape(-1, 1)" if array.ndim == 1 else "flatten or pool each row"
        raise ModelOutputError(f"{rule}; got shape {array.shape}: {advice}.")
    if array.shape[0] != n or array.shape[1] < 1:
        raise ModelOutputError(f"{rule}; got shape {array.shape}: return one row per input, in their order.")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    bad = int((~np.isfinite(array)).any(axis=1).sum())
    if bad:
        raise ModelOutputError(
            f"{rule}, all finite; {bad} of {n} rows hold NaN or infinity: check the weights and the input range."
        )
    return array


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(map(repr, labels[:5]))
    return f"{shown}, ..." if len(labels) > 5 else shown


def one_line(error: BaseException) -> str:
    """Return kind and text of another library's error, without line breaks and the last full stop."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")


def looks_like_probabilities(outputs: Float[np.ndarray, "n d"]) -> bool:
    """Return True if there are two outputs or more, none negative, and every row sums to 1."""
    sums_to_one = np.allclose(outputs.sum(axis=1), 1, atol=1e-4)
    return bool(outputs.shape[1] > 1 and outputs.min() >= 0 and sums_to_one)
