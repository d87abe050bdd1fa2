"""How many images a method shows a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from canonface.models import Model, TorchModel


@dataclass(eq=False)
class Counted:
    """A model that counts.

    Attributes:
        model: to be asked in the place of the original.
        images: how many it was shown.
    """

    model: Model
    images: int = 0


@contextmanager
def counted(model: Model) -> Iterator[Counted]:
    """Count the images that a model is shown inside; a PyTorch module by a hook that is taken off again."""
    count = Counted(model)
    if not isinstance(model, TorchModel):
        count.model = _Counting(model, count)
        yield count
        return

    def note(_module: Any, given: tuple[Any, ...]) -> None:
        count.images += len(given[0])

    handle = model.module.register_forward_pre_hook(note)
    try:
        yield count
    finally:
        handle.remove()


class _Counting:
    """A model of any kind that notes what it is shown."""

    def __init__(self, model: Model, count: Counted) -> None:
        self._model, self._count = model, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, batch: Any) -> Any:
        self._count.images += len(batch)
        return self._model(batch)
