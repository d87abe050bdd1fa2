"""Commands that take groups of options: a parameter of a dataclass type becomes one option for each field."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose parameters of a dataclass type become one option for each field.

    Typer reads the annotations and defaults of the fields, so that each option is declared once. A group may hold
    groups.
    """
    hints = get_type_hints(command, include_extras=True)
    given = inspect.signature(command).parameters
    parameters = [
        flat
        for name, parameter in given.items()
        for flat in (_flat(hints[name]) if is_dataclass(hints[name]) else [_option(parameter, hints[name])])
    ]

    def called(**values: Any) -> None:
        command(**{
            name: _made(hints[name], values) if is_dataclass(hints[name]) else values[name] for name in given
        })  # fmt: skip

    called.__name__, called.__doc__, called.__wrapped__ = command.__name__, command.__doc__, command  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


def _option(parameter: inspect.Parameter, annotation: Any) -> inspect.Parameter:
    return parameter.replace(annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY)


def _flat(group: Any) -> list[inspect.Parameter]:
    """Return the options of a group, a parameter for each field."""
    hints = get_type_hints(group, include_extras=True)
    found: list[inspect.Parameter] = []
    for item in fields(group):
        if is_dataclass(hints[item.name]):
            found += _flat(hints[item.name])
        else:
            found.append(
                inspect.Parameter(
                    item.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=_default(item),
                    annotation=hints[item.name],
                )
            )
    return found


def _default(item: Field[Any]) -> Any:
    return inspect.Parameter.empty if item.default is MISSING else item.default


def _made(group: Any, values: dict[str, Any]) -> Any:
    """Return a group from the values of its options."""
    hints = get_type_hints(group, include_extras=True)
    return group(
        **{
            item.name: _made(hints[item.name], values)
            if is_dataclass(hints[item.name])
            else values[item.name]
            for item in fields(group)
        }
    )
