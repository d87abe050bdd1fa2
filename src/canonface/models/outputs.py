"""One answer out of several: what a model returns as a dict or a tuple, picked by name or position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from canonface.errors import OptionError, near_names


def select_output(model: str, predictions: Any, output: str | int) -> Any:
    """The answer that ``output`` names.

    Args:
        model: name of the model, for messages.
        predictions: a mapping, a dataclass, a named tuple, a tuple or a list.
        output: a key; else a key's text, so that ``"1"``, as the command line gives it, finds the key 1; else a
            position from 0, a number or its text.

    Raises:
        OptionError: there are not several answers, or none of that name; lists what there is.
    """
    keys, values = _listed(predictions)
    if not values:
        raise OptionError(
            f"output picks one of several answers; {model!r} returns one {type(predictions).__name__}: leave it out."
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
        f"{near_names(text, names or map(str, range(len(values))))} There are {described(predictions)}."
    )


def described(predictions: Any) -> str:
    """What a model returned, in words."""
    keys, values = _listed(predictions)
    kind = type(predictions).__name__
    if keys:
        return f"a {kind} with the keys {', '.join(map(repr, keys))}"
    if values:
        return f"a {kind} of {len(values)}: {', '.join(map(_shape, values))}"
    return kind


def _listed(predictions: Any) -> tuple[list[Any], list[Any]]:
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
