"""What kind of answers a model gives, found out by asking it once."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError
from canonface.models.base import Model, checked_outputs, looks_like_probabilities
from canonface.types import Outputs


def guessed_outputs(model: Model, ends_in_sigmoid: bool = False) -> Outputs:
    """Kind of a model's outputs, judged by its answer to one mid-grey input.

    ``probabilities`` if the answer looks like a softmax's (two outputs or more, none negative, sum 1), or if all of
    it lies in 0..1 and ``ends_in_sigmoid`` says why; else ``logits``. One number in 0..1 alone may be a score. A
    model that fails here has ``logits``: the failure is reported when it is asked in earnest.

    Args:
        model: the model; numbers that it draws from the global generators are not missed afterwards.
        ends_in_sigmoid: its last layer is a sigmoid.

    Raises:
        OptionError: the model was told to read an output that it does not have.
    """
    prediction = _answer_to_grey(model)
    if prediction is None:
        return "logits"
    squashed = ends_in_sigmoid and bool(prediction.min() >= 0 and prediction.max() <= 1)
    return "probabilities" if squashed or looks_like_probabilities(prediction) else "logits"


def _answer_to_grey(model: Model) -> Float[np.ndarray, "1 d"] | None:
    blank = model.spec.from_pixels(np.full((*model.spec.size_hw, 3), 127.0))
    # A model may raise anything, and what it warns of is to be seen at the first real question.
    with random_numbers_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return checked_outputs(model, model.to_device(blank[None]))
        except OptionError:  # an output that is not there
            raise
        except Exception:  # noqa: BLE001
            return None


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """The global generators of Python, NumPy and, where it is in use, PyTorch are as before afterwards."""
    ours, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    torchs = torch.get_rng_state() if torch is not None else None
    with_cuda = torch is not None and torch.cuda.is_initialized()
    cudas = torch.cuda.get_rng_state_all() if torch is not None and with_cuda else []
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)  # noqa: NPY002
        if torch is not None and torchs is not None:
            torch.set_rng_state(torchs)
        if torch is not None and with_cuda:
            torch.cuda.set_rng_state_all(cudas)
