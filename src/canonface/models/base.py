"""What a model is to canonface, and the one place where its answers are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface.errors import CanonfaceError, ModelError, ModelOutputError, OptionError, is_out_of_memory
from canonface.types import InputSpec, Outputs


@runtime_checkable
class Model(Protocol):
    """Anything that maps a batch of inputs to rows of numbers.

    A batch lives wherever ``to_device`` puts it (NumPy by default, a tensor on the accelerator for PyTorch), so
    that occluded copies are made there; both kinds take slices and slice assignments.
    """

    @property
    def name(self) -> str:
        """Short name for messages, tables and manifests."""
        ...

    @property
    def spec(self) -> InputSpec:
        """How the model wants to be shown a face."""
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
        """Answer ``(n, d)`` to a batch ``(n, c, h, w)`` that ``to_device`` made; ``checked_outputs`` checks it."""
        ...

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Any:
        """A copy of ``x`` as ``float32``, where the model computes."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 of what the answers depend on: weights, file or source; the same in every process."""
        ...


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model of the zoo; importable without any deep-learning package.

    Attributes:
        name: what ``load_model`` calls it.
        task: what it answers, in a few words.
        source: where the weights come from.
        licence_code: licence of the code that builds and runs the network.
        licence_weights: licence of the weights.
        spec: how it wants to be shown a face.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        accuracy: what was measured, on which photos, with how many.
        citation: what to cite.
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
        """The input specification in words."""
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
    """The answer of a model to a batch ``(n, c, h, w)``: ``(n, d)`` finite floats, d at least 1.

    Raises:
        OptionError: the batch is empty.
        ModelError: the model itself raised; its exception is chained. An out-of-memory error passes untouched,
            so that the caller can halve its batch.
        ModelOutputError: the answer is not ``(n, d)`` finite numbers, or d is not the number of labels; says what
            came and what to return.
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
            f"A model answers every batch of inputs; {model.name!r} raised {one_line(error)}. "
            f"It was given a batch of {' x '.join(map(str, batch.shape))}, float32; if that is not what it "
            "expects, load it with another spec=InputSpec(...)."
        ) from error
    return checked_predictions(model, outputs, n)


def checked_predictions(model: Model, outputs: Any, n: int) -> Float[np.ndarray, "n d"]:
    """What a model answered to ``n`` inputs, whichever way it was asked: ``(n, d)`` finite floats, d at least 1.

    Raises:
        ModelOutputError: see `checked_outputs`.
    """
    prediction = _checked(outputs, f"{model.name!r} returns one row of numbers an input, ({n}, d)", n)
    if model.labels and prediction.shape[1] != len(model.labels):
        raise ModelOutputError(
            f"A model has one label an output; {model.name!r} answers {prediction.shape[1]} outputs and has "
            f"{len(model.labels)} labels: {_listed(model.labels)}. Load it with labels=[...], one an output and in "
            "their order, or with labels=[] to go by number."
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
        advice = (
            "return (n, 1): outputs.reshape(-1, 1)" if array.ndim == 1 else "flatten each row, or pool it"
        )
        raise ModelOutputError(f"{rule}; got shape {array.shape}: {advice}.")
    if array.shape[0] != n or array.shape[1] < 1:
        raise ModelOutputError(f"{rule}; got shape {array.shape}: answer every input, in its order.")
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
    """Kind and text of an error of another library, without its line breaks and last full stop."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")


def looks_like_probabilities(outputs: Float[np.ndarray, "n d"]) -> bool:
    """True if every row is non-negative and sums to 1, with two outputs or more."""
    sums_to_one = np.allclose(outputs.sum(axis=1), 1, atol=1e-4)
    return bool(outputs.shape[1] > 1 and outputs.min() >= 0 and sums_to_one)
