"""Outputs of a model: one selected out of several, and their kind where nobody states it."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError, near_names
from canonface.models.base import Model, checked_outputs, looks_like_probabilities
from canonface.types import Outputs


def select_output(model: str, predictions: Any, output: str | int) -> Any:
    """Return the output that ``output`` names.

    Args:
        model: name of the model, for messages.
        predictions: a mapping, a dataclass, a named tuple, a tuple or a list.
        output: a key; else a key's text, so that ``"1"``, as the command line gives it, finds the key 1; else a
            position from 0, as a number or its text.

    Raises:
        OptionError: the model does not return several outputs, or none of that name; lists the outputs.
    """
    keys, values = _items(predictions)
    if not values:
        raise OptionError(
            f"output picks one of several outputs; {model!r} returns one {type(predictions).__name__}: leave it out."
        )
    if output in keys:
        return values[keys.index(output)]
    names, text = [str(key) for key in keys], str(output)
    if text in names:
        return values[names.index(text)]
    if text.isdecimal() and int(text) < len(values):
        return values[int(text)]
    raise OptionError(
        f"output is one that {model!r} returns, by name or position; got {output!r}. "
        f"{near_names(text, names or map(str, range(len(values))))} It returns {describe_outputs(predictions)}."
    )


def describe_outputs(predictions: Any) -> str:
    """Return a phrase that lists the keys or the shapes of the returned object."""
    keys, values = _items(predictions)
    kind = type(predictions).__name__
    if keys:
        return f"a {kind} with the keys {', '.join(map(repr, keys))}"
    if values:
        return f"a {kind} of {len(values)}: {', '.join(map(_shape, values))}"
    return kind


def _items(predictions: Any) -> tuple[list[Any], list[Any]]:
    """Return keys and values; no keys for a plain sequence, no values for a single object."""
    if isinstance(predictions, Mapping):
        return list(predictions), list(predictions.values())
    if isinstance(predictions, tuple | list):
        return list(getattr(predictions, "_fields", ())), list(predictions)
    if is_dataclass(predictions) and not isinstance(predictions, type):
        names = [part.name for part in fields(predictions)]
        return names, [getattr(predictions, name) for name in names]
    return [], []


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if hasattr(value, "shape") else type(value).__name__


def guess_outputs(model: Model, ends_in_sigmoid: bool = False) -> Outputs:
    """Return the kind of a model's outputs, guessed from its prediction for one mid-grey input.

    ``probabilities`` if the prediction looks like a softmax's (two outputs or more, none negative, sum 1), or if it
    lies in 0..1 and the last layer is a sigmoid; else ``logits``. A single number in 0..1 without a sigmoid may be
    a score. A model that fails here has ``logits``: the failure is reported at the first real forward pass.

    Args:
        model: the model; the global random number generators are restored afterwards.
        ends_in_sigmoid: True if its last layer is a sigmoid.

    Raises:
        OptionError: the model has no output of the name that it was loaded with.
    """
    prediction = _predict_grey(model)
    if prediction is None:
        return "logits"
    squashed = ends_in_sigmoid and bool(prediction.min() >= 0 and prediction.max() <= 1)
    return "probabilities" if squashed or looks_like_probabilities(prediction) else "logits"


def _predict_grey(model: Model) -> Float[np.ndarray, "1 d"] | None:
    blank = model.spec.from_pixels(np.full((*model.spec.size_hw, 3), 127.0))
    # A model may raise anything; its warnings are shown at the first real forward pass.
    with preserved_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return checked_outputs(model, model.to_device(blank[None]))
        except OptionError:  # no output of that name
            raise
        except Exception:  # noqa: BLE001
            return None


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Restore the global generators of Python, NumPy and, if it is loaded, PyTorch on exit."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    torch_state = torch.get_rng_state() if torch is not None else None
    with_cuda = torch is not None and torch.cuda.is_initialized()
    cuda_states = torch.cuda.get_rng_state_all() if torch is not None and with_cuda else []
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch is not None and torch_state is not None:
            torch.set_rng_state(torch_state)
        if torch is not None and with_cuda:
            torch.cuda.set_rng_state_all(cuda_states)
